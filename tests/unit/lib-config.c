/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration keys, their values and messages; the host's identity.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uuid/uuid.h>

#include "lib/internal.h"

static struct qbd_config *config;

static int
setup (void **state)
{
  config = qbd_config_new ();
  return config ? 0 : -1;
}

static int
teardown (void **state)
{
  qbd_config_free (config);
  return 0;
}

static void
refused (const char *key, const char *value, const char *message)
{
  errno = 0;
  assert_int_equal (qbd_config_set (config, key, value), -1);
  assert_int_equal (errno, EINVAL);
  if (!strstr (qbd_errmsg (), message))
    fail_msg ("%s=%s: %s", key, value, qbd_errmsg ());
}

static void
resolved (struct options *options)
{
  struct error err;

  assert_int_equal (qbd_config_set (config, "volume", "p/v"), 0);
  if (options_resolve (config, options, &err) < 0)
    fail_msg ("%s", err.message);
}

/* What was set before is forgotten. */
static void
begin_anew (void)
{
  qbd_config_free (config);
  config = qbd_config_new ();
  assert_non_null (config);
}

static void
test_defaults (void **state)
{
  struct options options;

  unsetenv ("QBD_SERVER");
  resolved (&options);
  assert_string_equal (options.volume, "p/v");
  assert_string_equal (options.server.host, "127.0.0.1");
  assert_string_equal (options.server.port, "4420");
  assert_int_equal (options.nr_io_queues, 1);
  assert_int_equal (options.queue_size, 128);
  assert_int_equal (options.keep_alive_tmo_ms, 5000);
  assert_int_equal (options.connect_tmo_ms, 10000);
  assert_int_equal (options.io_tmo_ms, 30000);
  assert_false (options.hdr_digest);
  assert_false (options.data_digest);
}

static void
test_server_from_the_environment (void **state)
{
  struct options options;

  setenv ("QBD_SERVER", "unix:///run/x", 1);
  resolved (&options);
  assert_int_equal (options.server.family, ADDRESS_UNIX);
  assert_string_equal (options.server.path, "/run/x");
  assert_int_equal (qbd_config_set (config, "server", "[::1]:99"), 0);
  resolved (&options);
  assert_string_equal (options.server.host, "::1");
  assert_string_equal (options.server.port, "99");
  unsetenv ("QBD_SERVER");
}

static void
test_every_key_is_known (void **state)
{
  static const char *const values[] = {
    "pool/vol", NULL, "2", "tcp://host:1", "nqn.2014-08.org.example:a",
    "00112233-4455-6677-8899-aabbccddeeff", "64", "1024", "0", "86400", "1",
    "forever", "off", "3600", "on", "FALSE", "tcp", "1000", "64M",
    "round-robin",
  };
  const char *const *keys = qbd_config_keys ();
  size_t i;

  for (i = 0; keys[i]; i++)
    if (values[i])      /* not nqn: it is instead of volume */
      assert_int_equal (qbd_config_set (config, keys[i], values[i]), 0);
  assert_int_equal (i, sizeof values / sizeof values[0]);
}

static void
test_refusals (void **state)
{
  refused ("volum", "p/v", "did you mean volume?");
  refused ("hdr-digest", "1", "did you mean hdr_digest?");
  refused ("zzzzzzzzzz", "1", "zzzzzzzzzz: unknown parameter");
  refused ("", "1", "unknown parameter");
  refused ("volume", "", "");
  refused ("volume", "noslash", "noslash");
  refused ("volume", "a/b/c", "");
  refused ("volume", "../v", "");
  refused ("server", "http://x", "http");
  refused ("nr_io_queues", "0", "not a number from 1 to 64");
  refused ("nr_io_queues", "65", "nr_io_queues: 65: ");
  refused ("queue_size", "1", "from 2 to 1024");
  refused ("queue_size", "1025", "1025");
  refused ("queue_size", "-1", "-1");
  refused ("queue_size", "12x", "12x");
  refused ("queue_size", "", "");
  refused ("io_tmo", "0", "from 1 to 86400");
  refused ("io_tmo", "99999999999999999999999", "from 1");
  refused ("connect_tmo", "0", "");
  refused ("data_digest", "maybe", "neither true nor false");
  refused ("transport", "udp", "\"tcp\", \"rdma\" or \"auto\"");
  refused ("transport", "", "transport");
  refused ("policy", "numa", "\"failover\", \"round-robin\" or");
  refused ("poll_us", "1001", "from 0 to 1000");
  refused ("retain", "4K", "not a size from 64K to 64G");
  refused ("retain", "65G", "not a size from 64K to 64G");
  refused ("retain", "much", "retain: much: ");
  refused ("hostnqn", "iqn.2003-01.org.linux:x", "not an NVMe qualified");
  refused ("hostid", "1234", "not a UUID");
}

static void
set (const char *key, const char *value)
{
  assert_int_equal (qbd_config_set (config, key, value), 0);
}

static void
test_transport (void **state)
{
  struct options options, same;

  set ("server", "192.0.2.1");
  assert_string_equal (qbd_config_transport (config), "tcp");
  resolved (&options);
  set ("transport", "tcp");
  resolved (&same);
  assert_memory_equal (&options, &same, sizeof options);

  set ("transport", "rdma");
  assert_string_equal (qbd_config_transport (config), "rdma");
  resolved (&options);
  assert_int_equal (options.server.family, ADDRESS_RDMA);
  begin_anew ();
  set ("server", "rdma://192.0.2.1");
  resolved (&same);
  assert_memory_equal (&options, &same, sizeof options);

  begin_anew ();
  set ("server", "192.0.2.1");
  set ("transport", "auto");
  assert_string_equal (qbd_config_transport (config), "auto");
  resolved (&options);
  assert_int_equal (options.server.family, ADDRESS_TCP);
  assert_int_equal (options.transport, OPTIONS_TRANSPORT_AUTO);
  begin_anew ();
  set ("transport", "auto");
  set ("server", "unix:///run/x");
  resolved (&options);
  assert_string_equal (qbd_config_transport (config), "unix");
}

static void
test_transport_contradicts (void **state)
{
  set ("server", "rdma://192.0.2.1");
  set ("transport", "tcp");
  assert_null (qbd_config_transport (config));
  assert_string_equal (qbd_errmsg (),
                       "transport: tcp: the server is rdma://192.0.2.1:4420");
  set ("server", "unix:///run/x");
  set ("transport", "rdma");
  assert_null (qbd_config_transport (config));
  assert_string_equal (qbd_errmsg (),
                       "transport: rdma: the server is unix:///run/x");
}

static void
test_hostnqn_too_long (void **state)
{
  char nqn[400] = "nqn.2014-08.org.example:";

  memset (nqn + strlen (nqn), 'x', 300);
  refused ("hostnqn", nqn, "longer than 223 bytes");
}

static void
test_volume_is_needed (void **state)
{
  assert_null (qbd_open (config, 0));
  assert_int_equal (errno, EINVAL);
  assert_non_null (strstr (qbd_errmsg (), "volume=POOL/VOL"));
}

static void
test_nqn_instead_of_volume (void **state)
{
  struct options options;
  struct error err;

  refused ("nqn", "pool/vol", "not an NVMe qualified name");
  refused ("nqn", "nqn.2014-08.org.example:a b", "not an NVMe");
  refused ("nsid", "0", "nsid: 0: ");
  refused ("nsid", "4294967295", "nsid: 4294967295: ");
  assert_int_equal (qbd_config_set (config, "nqn", "nqn.2014-08.x:longer"),
                    0);
  assert_int_equal (qbd_config_set (config, "nqn", "nqn.2014-08.x:a"), 0);
  assert_int_equal (qbd_config_set (config, "nsid", "4294967294"), 0);
  refused ("volume", "p/v", "not together with nqn");
  assert_int_equal (options_resolve (config, &options, &err), 0);
  assert_int_equal (options_check_volume (&options, &err), 0);
  assert_string_equal (options.nqn, "nqn.2014-08.x:a");
  assert_int_equal (options.nqn[16], 0);
  assert_int_equal (options.nsid, 4294967294);
  assert_string_equal (options_name (&options), "nqn.2014-08.x:a");
}

static void
test_nsid_needs_nqn (void **state)
{
  struct options options;
  struct error err;

  resolved (&options);
  refused ("nqn", "nqn.2014-08.x:a", "not together with volume");
  assert_int_equal (qbd_config_set (config, "nsid", "1"), 0);
  resolved (&options);
  assert_int_equal (options_check_volume (&options, &err), -EINVAL);
  assert_non_null (strstr (err.message, "only together with nqn"));
}

static void
test_retain (void **state)
{
  static const char *const off[] = { "off", "OFF", "0" };
  struct options options;
  struct error err;

  assert_int_equal (qbd_config_retains (config), 0);
  assert_int_equal (qbd_config_set (config, "volume", "p/v"), 0);
  assert_int_equal (qbd_config_set (config, "ctrl_loss_tmo", "0"), 0);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal (qbd_config_set (config, "retain", "64K"), 0);
    assert_int_equal (qbd_config_retains (config), 1);
    resolved (&options);
    assert_int_equal (options_check_volume (&options, &err), -EINVAL);
    assert_non_null (strstr (err.message, "not with ctrl_loss_tmo=0"));
    assert_int_equal (qbd_config_set (config, "retain", off[i]), 0);
    assert_int_equal (qbd_config_retains (config), 0);
  }
  resolved (&options);
  assert_int_equal (options_check_volume (&options, &err), 0);
}

static void
test_a_copy_is_its_own (void **state)
{
  struct qbd_config *copy = qbd_config_copy (config);

  assert_int_equal (qbd_config_set (copy, "volume", "p/v"), 0);
  assert_int_equal (qbd_config_set (config, "nqn", "nqn.2014-08.x:a"), 0);
  qbd_config_free (copy);
}

static void
test_several_servers (void **state)
{
  struct options options;

  set ("server", "tcp://a");
  set ("server", "unix:///b");
  resolved (&options);
  assert_int_equal (options.nr_servers, 2);
  assert_string_equal (options.server.host, "a");
  assert_string_equal (options.servers[1].path, "/b");
  refused ("server", "a:4420", "given twice");
  for (char more[] = "c"; more[0] < 'c' + PATHS_MAX - 2; more[0]++)
    set ("server", more);
  refused ("server", "z", "more than 8 paths");
  set ("transport", "rdma");
  assert_null (qbd_config_transport (config));
}

/* Options are compared as bytes: the same keys give the same bytes. */
static void
test_equal_configurations_are_equal_bytes (void **state)
{
  struct options a, b;
  struct qbd_config *other = qbd_config_new ();
  struct error err;

  assert_int_equal (qbd_config_set (config, "server", "tcp://h"), 0);
  resolved (&a);
  assert_int_equal (qbd_config_set (other, "volume", "p/longer-name"), 0);
  assert_int_equal (qbd_config_set (other, "volume", "p/v"), 0);
  assert_int_equal (qbd_config_set (other, "server", "tcp://h:4420"), 0);
  assert_int_equal (options_resolve (other, &b, &err), 0);
  assert_memory_equal (&a, &b, sizeof a);
  qbd_config_free (other);
}

/* --- identity ----------------------------------------------------------- */

static char directory[] = "/tmp/qbd-lib-config-XXXXXX";

static void
file (const char *name, const char *text)
{
  char path[200];
  FILE *f;

  snprintf (path, sizeof path, "%s/%s", directory, name);
  if (!text) {
    unlink (path);
    return;
  }
  f = fopen (path, "w");
  assert_non_null (f);
  fputs (text, f);
  fclose (f);
}

#define NQN "nqn.2014-08.org.nvmexpress:uuid:"
#define UUID1 "11111111-2222-4333-8444-555555555555"
#define UUID2 "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

static void
identity_is (const char *hostnqn, const char *hostid, const char *want_nqn,
             const char *want_id)
{
  struct host_identity identity;
  struct error err;
  char text[37];

  if (host_identity_get (directory, hostnqn, hostid, &identity, &err) < 0)
    fail_msg ("%s", err.message);
  uuid_unparse_lower (identity.hostid, text);
  if (want_nqn)
    assert_string_equal (identity.hostnqn, want_nqn);
  if (want_id)
    assert_string_equal (text, want_id);
}

static void
test_identity (void **state)
{
  struct host_identity a, b;
  struct error err;
  char path[200];

  assert_non_null (mkdtemp (directory));
  snprintf (path, sizeof path, "%s/nvme", directory);
  assert_int_equal (mkdir (path, 0700), 0);

  /* nothing at all: something, and the same for the whole process */
  assert_int_equal (host_identity_get (directory, NULL, NULL, &a, &err), 0);
  assert_int_equal (host_identity_get (directory, "", "", &b, &err), 0);
  assert_memory_equal (&a, &b, sizeof a);
  assert_true (nqn_field_valid (a.hostnqn, sizeof a.hostnqn));

  /* the machine id: stable, and not the id itself */
  file ("machine-id", "0123456789abcdef0123456789abcdef\n");
  identity_is (NULL, NULL, NQN "e9fd9d2b-77af-5e23-9960-e4fcc06230cd",
               "e9fd9d2b-77af-5e23-9960-e4fcc06230cd");
  assert_int_equal (host_identity_get (directory, NULL, NULL, &b, &err), 0);
  assert_null (strstr (b.hostnqn, "01234567"));

  file ("nvme/hostnqn", "  \n");
  assert_int_equal (host_identity_get (directory, NULL, NULL, &a, &err), 0);
  assert_memory_equal (&a, &b, sizeof a);

  /* /etc/nvme */
  file ("nvme/hostnqn", NQN UUID1 "\n");
  identity_is (NULL, NULL, NQN UUID1, UUID1);
  file ("nvme/hostid", UUID2);
  identity_is (NULL, NULL, NQN UUID1, UUID2);

  /* given ones; the file's HOSTID belongs to another name */
  identity_is (NQN UUID2, NULL, NQN UUID2, UUID2);
  identity_is ("nqn.2020-01.com.example:me", UUID1,
               "nqn.2020-01.com.example:me", UUID1);
  identity_is (NULL, UUID1, NQN UUID1, UUID1);
  assert_int_equal (host_identity_get (directory,
                                       "nqn.2020-01.com.example:me", NULL,
                                       &a, &err), 0);
  assert_int_equal (host_identity_get (directory,
                                       "nqn.2020-01.com.example:you", NULL,
                                       &b, &err), 0);
  assert_memory_not_equal (a.hostid, b.hostid, sizeof a.hostid);

  /* files that hold something else are errors, not ignored */
  file ("nvme/hostnqn", "rubbish");
  assert_int_equal (host_identity_get (directory, NULL, NULL, &a, &err),
                    -EINVAL);
  assert_non_null (strstr (err.message, "/etc/nvme/hostnqn"));
  file ("nvme/hostnqn", NQN UUID1 "\n");
  file ("nvme/hostid", "rubbish");
  assert_int_equal (host_identity_get (directory, NULL, NULL, &a, &err),
                    -EINVAL);

  file ("nvme/hostnqn", NULL);
  file ("nvme/hostid", NULL);
  file ("machine-id", NULL);
  rmdir (path);
  rmdir (directory);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_defaults, setup, teardown),
    cmocka_unit_test_setup_teardown (test_server_from_the_environment, setup,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_every_key_is_known, setup,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_refusals, setup, teardown),
    cmocka_unit_test_setup_teardown (test_transport, setup, teardown),
    cmocka_unit_test_setup_teardown (test_several_servers, setup, teardown),
    cmocka_unit_test_setup_teardown (test_transport_contradicts, setup,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_hostnqn_too_long, setup, teardown),
    cmocka_unit_test_setup_teardown (test_volume_is_needed, setup, teardown),
    cmocka_unit_test_setup_teardown (test_nqn_instead_of_volume, setup,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_nsid_needs_nqn, setup, teardown),
    cmocka_unit_test_setup_teardown (test_retain, setup, teardown),
    cmocka_unit_test_setup_teardown (test_a_copy_is_its_own, setup, teardown),
    cmocka_unit_test_setup_teardown
      (test_equal_configurations_are_equal_bytes, setup, teardown),
    cmocka_unit_test (test_identity),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
