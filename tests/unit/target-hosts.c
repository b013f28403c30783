/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the management side does about the hosts that are attached to a
 * subsystem: it counts, bars and fences them, changes who may attach, and ends
 * them all.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "tests/unit/fence-fixture.h"

static void
test_busy_volume (void **state)
{
  struct host admin, io;
  struct error err;

  host_attach (&admin, &io, &server, 0);
  assert_int_equal (subsystem_remove (server.subsystem, "test", &err), -EBUSY);
  assert_non_null (strstr (err.message, "nqn.2014-08.org.example:host"));
  assert_int_equal (subsystem_bar (server.subsystem, "test", &err), -EBUSY);

  /* Dead is still busy while the engine has something. */
  begin_held_write (&io);
  host_close (&io);
  host_close (&admin);
  assert_int_equal (subsystem_bar (server.subsystem, "test", &err), -EBUSY);
  server_release_writes ();
  WAIT_UNTIL (nr_attached () == 0);
  assert_int_equal (subsystem_bar (server.subsystem, "test", &err), 0);
}

/* A host that lives is ended by force; not before its write is over, and
 * while that is not known nothing is barred. */
static void
test_fence (void **state)
{
  struct host admin, io, again;
  struct error err;
  uint64_t seen;
  unsigned left;

  host_attach (&admin, &io, &server, 0);
  begin_held_write (&io);
  assert_int_equal (subsystem_fence (server.subsystem, "test", false, &left,
                                     &seen, &err), 0);
  assert_int_equal (left, 1);
  assert_int_equal (subsystem_fence (server.subsystem, "test", false, &left,
                                     &seen, &err), -EBUSY);
  target_await_left (server.target, seen, clock_now_ms () + 100);
  assert_int_equal (subsystem_fence (server.subsystem, "test", true, &left,
                                     &seen, &err), 0);
  assert_int_equal (left, 1);
  subsystem_unbar (server.subsystem);
  host_expect_end (&io);
  host_expect_end (&admin);
  host_close (&io);
  host_close (&admin);
  begin_connect (&again, 2);
  assert_int_equal (read_status (&again), 0);

  server_release_writes ();
  assert_int_equal (subsystem_fence (server.subsystem, "test", false, &left,
                                     &seen, &err), 0);
  while (left > 0) {
    target_await_left (server.target, seen, UINT64_MAX / 2);
    assert_int_equal (subsystem_fence (server.subsystem, "test", true, &left,
                                       &seen, &err), 0);
  }
  assert_int_equal (nr_attached (), 0);
  host_expect_end (&again);
  host_close (&again);
  begin_connect (&again, 2);
  assert_int_equal (read_status (&again),
                    STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY));
  subsystem_unbar (server.subsystem);
  host_close (&again);
}

/* A list that would leave out an attached host is refused, or ends it. */
static void
test_hosts (void **state)
{
  struct host_list hosts = { .masked = true };
  struct host admin, io, again;
  struct error err;

  host_attach (&admin, &io, &server, 0);
  assert_int_equal (subsystem_set_hosts (server.subsystem, &hosts, false,
                                         &err), -EBUSY);
  assert_true (hosts.masked);
  assert_int_equal (subsystem_set_hosts (server.subsystem, &hosts, true,
                                         &err), 0);
  assert_false (hosts.masked);  /* the old one */
  host_expect_end (&io);
  host_expect_end (&admin);
  host_close (&io);
  host_close (&admin);
  begin_connect (&again, 1);
  assert_int_equal (read_status (&again), STATUS_DNR
                    (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_HOST)));
  assert_int_equal (host_list_add (&hosts, "nqn.2014-08.org.example:host"),
                    0);
  assert_int_equal (subsystem_set_hosts (server.subsystem, &hosts, false,
                                         &err), 0);
  host_close (&again);
  begin_connect (&again, 1);
  assert_int_equal (read_status (&again), 0);
  host_close (&again);
  host_list_clear (&hosts);
}

static void
test_barred (void **state)
{
  struct error err;
  struct host host;

  assert_int_equal (subsystem_bar (server.subsystem, "test", &err), 0);
  assert_int_equal (subsystem_bar (server.subsystem, "test", &err), -EBUSY);
  begin_connect (&host, 1);
  assert_int_equal (read_status (&host),
                    STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY));
  subsystem_unbar (server.subsystem);
  host_close (&host);
  begin_connect (&host, 1);
  assert_int_equal (read_status (&host), 0);
  host_close (&host);
}

static void
check_host (void *opaque, const struct subsystem_host *host)
{
  const struct host *admin = opaque;

  assert_string_equal (host->hostnqn, "nqn.2014-08.org.example:host");
  assert_memory_equal (host->address, "tcp://127.0.0.1:", 16);
  assert_int_equal (host->cntlid, admin->cntlid);
  assert_int_equal (host->nr_io_queues, 1);
  assert_in_range (host->since_s, time (NULL) - 60, time (NULL) + 1);
}

static void
test_each_host (void **state)
{
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  assert_int_equal (subsystem_each_host (server.subsystem, check_host,
                                         &admin), 1);
  host_close (&io);
  host_close (&admin);
}

/* The server stops: commands in flight are answered, connections of every
 * kind end, new hosts are turned away. */
static void
test_drain (void **state)
{
  struct host admin, io, connected, silent;

  host_attach (&admin, &io, &server, 0);
  host_open (&connected, &server, 0);
  host_dial (&silent, &server);
  WAIT_UNTIL (transport_connections () == 4);
  begin_held_write (&io);
  target_drain (server.target);
  host_expect_end (&admin);
  host_expect_end (&connected);
  host_expect_end (&silent);
  server_release_writes ();
  assert_int_equal (read_status (&io), 0);
  host_expect_end (&io);
  transport_drain ();
  assert_int_equal (transport_connections (), 0);
  host_close (&admin);
  host_close (&io);
  host_close (&connected);
  host_close (&silent);
  host_dial (&silent, &server);
  host_expect_end (&silent);
  host_close (&silent);
}

static void
test_add_and_remove (void **state)
{
  struct engine_volume *volume;
  struct subsystem *subsystem;
  struct error err;

  assert_int_equal (engine_ram.volume_create (server.pool, "more", 1 << 20,
                                              512, &err), 0);
  assert_int_equal (engine_ram.volume_open (server.pool, "more", &volume,
                                            &err), 0);
  assert_int_equal (subsystem_add (server.target, volume,
                                   &(struct host_list) { 0 }, &subsystem,
                                   &err),
                    0);
  assert_int_equal (subsystem_add (server.target, volume,
                                   &(struct host_list) { 0 }, &subsystem,
                                   &err),
                    -EEXIST);
  assert_int_equal (subsystem_remove (subsystem, "test", &err), 0);
  engine_ram.volume_close (volume);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_busy_volume),
    TEST (test_fence),
    TEST (test_hosts),
    TEST (test_barred),
    TEST (test_each_host),
    TEST (test_drain),
    TEST (test_add_and_remove),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
