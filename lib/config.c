/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration: keys and their text, checked as they are set, and resolved
 * into options when a volume is opened.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/nearest.h"
#include "common/size.h"
#include "lib/internal.h"

#define DEFAULT_SERVER "tcp://127.0.0.1"
#define RETAIN_MIN_BYTES (UINT64_C (64) << 10)
#define RETAIN_MAX_BYTES (UINT64_C (64) << 30)

struct qbd_config {
  struct options options;
  char hostnqn[NVMEOF_NQN_MAX + 1];     /* "": not given */
  char hostid[37];
  struct interrupt *interrupt;          /* its copies' too */
};

struct key {
  const char *name;
  int (*set) (struct qbd_config *config, const struct key *key,
              const char *value, struct error *err);
  /* numbers and booleans: where, in options, and the range in the unit of
   * the text */
  size_t offset;
  uint32_t min, max, unit;
};

/* --- values ------------------------------------------------------------- */

static int
set_number (struct qbd_config *config, const struct key *key,
            const char *value, struct error *err)
{
  uint64_t n = 0;
  const char *p = value;

  for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
    n = n * 10 + (uint64_t) (*p - '0');
  if (p == value || *p != '\0' || n < key->min || n > key->max)
    return error_set (err, EINVAL, "%s: %s: not a number from %u to %u",
                      key->name, value, key->min, key->max);
  *(uint32_t *) ((char *) &config->options + key->offset) =
    (uint32_t) n * key->unit;
  return 0;
}

/* Also "forever", "off" and -1: UINT32_MAX. */
static int
set_limit (struct qbd_config *config, const struct key *key,
           const char *value, struct error *err)
{
  static const char *const none[] = { "forever", "off", "-1" };

  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
    if (strcasecmp (value, none[i]) == 0) {
      *(uint32_t *) ((char *) &config->options + key->offset) = UINT32_MAX;
      return 0;
    }
  return set_number (config, key, value, err);
}

static int
set_boolean (struct qbd_config *config, const struct key *key,
             const char *value, struct error *err)
{
  static const char *const yes[] = { "1", "true", "t", "yes", "y", "on" };
  static const char *const no[] = { "0", "false", "f", "no", "n", "off" };
  bool *b = (bool *) ((char *) &config->options + key->offset);

  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
    if (strcasecmp (value, yes[i]) == 0) {
      *b = true;
      return 0;
    }
    if (strcasecmp (value, no[i]) == 0) {
      *b = false;
      return 0;
    }
  }
  return error_set (err, EINVAL, "%s: %s: neither true nor false", key->name,
                    value);
}

/* Of memory; also "off" and 0. */
static int
set_retain (struct qbd_config *config, const struct key *key,
            const char *value, struct error *err)
{
  uint64_t bytes = 0;

  if (strcasecmp (value, "off") != 0 && strcmp (value, "0") != 0) {
    int r = size_parse (key->name, value, &bytes, err);

    if (r < 0)
      return r;
    if (bytes < RETAIN_MIN_BYTES || bytes > RETAIN_MAX_BYTES)
      return error_set (err, EINVAL, "%s: %s: not a size from 64K to 64G",
                        key->name, value);
  }
  config->options.retain_bytes = bytes;
  return 0;
}

static int
set_volume (struct qbd_config *config, const struct key *key,
            const char *value, struct error *err)
{
  char pool[NVMEOF_NQN_MAX + 1], vol[NVMEOF_NQN_MAX + 1];
  int r = name_split (value, pool, vol, err);

  if (r < 0)
    return r;
  if (config->options.nqn[0])
    return error_set (err, EINVAL, "volume: %s: not together with nqn",
                      value);
  /* Options are compared as bytes: nothing of an earlier value stays. */
  memset (config->options.volume, 0, sizeof config->options.volume);
  memcpy (config->options.volume, value, strlen (value));
  return 0;
}

static int
set_nqn (struct qbd_config *config, const struct key *key,
         const char *value, struct error *err)
{
  if (!nqn_field_valid (value, NVMEOF_NQN_MAX + 1))
    return error_set (err, EINVAL, "nqn: %s: not an NVMe qualified name "
                      "(nqn.YYYY-MM.DOMAIN:NAME)", value);
  if (config->options.volume[0])
    return error_set (err, EINVAL, "nqn: %s: not together with volume",
                      value);
  memset (config->options.nqn, 0, sizeof config->options.nqn);
  memcpy (config->options.nqn, value, strlen (value));
  return 0;
}

static int
set_server (struct qbd_config *config, const struct key *key,
            const char *value, struct error *err)
{
  struct address address;
  int r;

  memset (&address, 0, sizeof address);
  r = address_parse (key->name, value, &address, err);
  if (r < 0)
    return r;
  for (uint32_t i = 0; i < config->options.nr_servers; i++)
    if (memcmp (&config->options.servers[i], &address, sizeof address) == 0)
      return error_set (err, EINVAL, "server: %s: given twice", value);
  if (config->options.nr_servers == PATHS_MAX)
    return error_set (err, EINVAL, "server: %s: more than %d paths", value,
                      PATHS_MAX);
  config->options.servers[config->options.nr_servers++] = address;
  return 0;
}

static int
set_transport (struct qbd_config *config, const struct key *key,
               const char *value, struct error *err)
{
  static const char *const names[] = {
    [OPTIONS_TRANSPORT_TCP] = "tcp",
    [OPTIONS_TRANSPORT_RDMA] = "rdma",
    [OPTIONS_TRANSPORT_AUTO] = "auto",
  };

  for (unsigned i = 1; i < sizeof names / sizeof names[0]; i++)
    if (strcmp (value, names[i]) == 0) {
      config->options.transport = (enum options_transport) i;
      return 0;
    }
  return error_set (err, EINVAL, "transport: %s: must be \"tcp\", \"rdma\" or "
                    "\"auto\"", value);
}

static int
set_policy (struct qbd_config *config, const struct key *key,
            const char *value, struct error *err)
{
  static const char *const names[] = {
    [OPTIONS_POLICY_FAILOVER] = "failover",
    [OPTIONS_POLICY_ROUND_ROBIN] = "round-robin",
    [OPTIONS_POLICY_QUEUE_DEPTH] = "queue-depth",
  };

  for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp (value, names[i]) == 0) {
      config->options.policy = (enum options_policy) i;
      return 0;
    }
  return error_set (err, EINVAL, "policy: %s: must be \"failover\", "
                    "\"round-robin\" or \"queue-depth\"", value);
}

static int
set_hostnqn (struct qbd_config *config, const struct key *key,
             const char *value, struct error *err)
{
  struct host_identity identity;
  int r;

  if (!*value)
    return error_set (err, EINVAL, "hostnqn: is empty");
  r = host_identity_get ("/etc", value, NULL, &identity, err);
  if (r < 0)
    return r;
  memcpy (config->hostnqn, identity.hostnqn, sizeof config->hostnqn);
  return 0;
}

static int
set_hostid (struct qbd_config *config, const struct key *key,
            const char *value, struct error *err)
{
  struct host_identity identity;
  int r;

  if (!*value)
    return error_set (err, EINVAL, "hostid: is empty");
  r = host_identity_get ("/etc", NULL, value, &identity, err);
  if (r < 0)
    return r;
  snprintf (config->hostid, sizeof config->hostid, "%s", value);
  return 0;
}

/* --- keys --------------------------------------------------------------- */

#define NUMBER(name, field, min, max, unit)                             \
  { name, set_number, offsetof (struct options, field), min, max, unit }
#define LIMIT(name, field, min, max, unit)                              \
  { name, set_limit, offsetof (struct options, field), min, max, unit }
#define BOOLEAN(name, field)                                            \
  { name, set_boolean, offsetof (struct options, field), 0, 0, 0 }

static const struct key keys[] = {
  { .name = "volume", .set = set_volume },
  { .name = "nqn", .set = set_nqn },
  NUMBER ("nsid", nsid, 1, UINT32_C (0xfffffffe), 1),
  { .name = "server", .set = set_server },
  { .name = "hostnqn", .set = set_hostnqn },
  { .name = "hostid", .set = set_hostid },
  NUMBER ("nr_io_queues", nr_io_queues, 1, IO_QUEUES_MAX, 1),
  NUMBER ("queue_size", queue_size, 2, QUEUE_SIZE_MAX, 1),
  NUMBER ("keep_alive_tmo", keep_alive_tmo_ms, 0, 86400, 1000),
  NUMBER ("connect_tmo", connect_tmo_ms, 1, 86400, 1000),
  NUMBER ("io_tmo", io_tmo_ms, 1, 86400, 1000),
  LIMIT ("ctrl_loss_tmo", ctrl_loss_tmo_ms, 0, 4000000, 1000),
  LIMIT ("fast_io_fail_tmo", fast_io_fail_tmo_ms, 0, 4000000, 1000),
  NUMBER ("reconnect_delay", reconnect_delay_ms, 1, 3600, 1000),
  BOOLEAN ("hdr_digest", hdr_digest),
  BOOLEAN ("data_digest", data_digest),
  { .name = "transport", .set = set_transport },
  NUMBER ("poll_us", poll_us, 0, 1000, 1),
  { .name = "retain", .set = set_retain },
  { .name = "policy", .set = set_policy },
};

static const char *const key_names[] = {
  "volume", "nqn", "nsid", "server", "hostnqn", "hostid", "nr_io_queues",
  "queue_size", "keep_alive_tmo", "connect_tmo", "io_tmo", "ctrl_loss_tmo",
  "fast_io_fail_tmo", "reconnect_delay", "hdr_digest", "data_digest",
  "transport", "poll_us", "retain", "policy", NULL
};

static_assert (sizeof key_names / sizeof key_names[0] ==
               sizeof keys / sizeof keys[0] + 1, "");

const char *const *
qbd_config_keys (void)
{
  return key_names;
}

int
qbd_config_set (struct qbd_config *config, const char *key,
                const char *value)
{
  struct error err;
  const char *near;

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (strcmp (key, keys[i].name) == 0)
      return keys[i].set (config, &keys[i], value, &err) < 0 ?
        error_publish (&err) : 0;

  near = nearest_name (key, key_names);
  error_set (&err, EINVAL, "%s: unknown parameter%s%s%s", key,
             near ? "; did you mean " : "", near ? near : "",
             near ? "?" : "");
  return error_publish (&err);
}

struct qbd_config *
qbd_config_new (void)
{
  struct qbd_config *config = calloc (1, sizeof *config);
  struct error err;

  if (config)
    config->interrupt = interrupt_new ();
  if (!config || !config->interrupt) {
    free (config);
    error_set (&err, ENOMEM, "config: out of memory");
    error_publish (&err);
    return NULL;
  }
  config->options.nr_io_queues = 1;
  config->options.queue_size = 128;
  config->options.keep_alive_tmo_ms = 5000;
  config->options.connect_tmo_ms = 10000;
  config->options.io_tmo_ms = 30000;
  config->options.ctrl_loss_tmo_ms = 600000;
  config->options.fast_io_fail_tmo_ms = UINT32_MAX;
  config->options.reconnect_delay_ms = 2000;
  return config;
}

struct qbd_config *
qbd_config_copy (const struct qbd_config *config)
{
  struct qbd_config *copy = qbd_config_new ();

  if (!copy)
    return NULL;
  interrupt_unref (copy->interrupt);
  memcpy (copy, config, sizeof *copy);
  interrupt_ref (copy->interrupt);
  return copy;
}

void
qbd_config_free (struct qbd_config *config)
{
  if (config)
    interrupt_unref (config->interrupt);
  free (config);
}

void
qbd_config_interrupt (struct qbd_config *config)
{
  interrupt_set (config->interrupt);
}

void
qbd_config_set_notice (struct qbd_config *config,
                       void (*notice) (void *opaque, const char *message),
                       void *opaque)
{
  config->options.notice = notice;
  config->options.notice_opaque = opaque;
}

struct interrupt *
config_interrupt (const struct qbd_config *config)
{
  return config->interrupt;
}

/* --- to options --------------------------------------------------------- */

static int
default_server (struct address *address, struct error *err)
{
  const char *text = getenv ("QBD_SERVER");

  memset (address, 0, sizeof *address);
  if (text && text[0])
    return address_parse ("QBD_SERVER", text, address, err);
  return address_parse ("server", DEFAULT_SERVER, address, err);
}

/* What transport= says about the address. */
static int
resolve_family (const struct options *options, struct address *server,
                struct error *err)
{
  enum address_family *family = &server->family;
  char uri[ADDRESS_TEXT_MAX];

  address_format (server, uri, sizeof uri);
  switch (options->transport) {
  case OPTIONS_TRANSPORT_RDMA:
    if (*family == ADDRESS_UNIX)
      return error_set (err, EINVAL, "transport: rdma: the server is %s", uri);
    *family = ADDRESS_RDMA;
    break;
  case OPTIONS_TRANSPORT_TCP:
    if (*family != ADDRESS_TCP)
      return error_set (err, EINVAL, "transport: tcp: the server is %s", uri);
    break;
  case OPTIONS_TRANSPORT_AUTO:
    if (*family == ADDRESS_UNIX)
      break;
    *family = ADDRESS_TCP;      /* association_open tries RDMA first */
    break;
  case OPTIONS_TRANSPORT_SERVER:
    break;
  }
  return 0;
}

static bool
all_unix (const struct options *options)
{
  for (uint32_t i = 0; i < options->nr_servers; i++)
    if (options->servers[i].family != ADDRESS_UNIX)
      return false;
  return true;
}

static int
resolve_server (const struct qbd_config *config, struct options *options,
                struct error *err)
{
  /* With padding: options are compared as bytes. */
  memcpy (options, &config->options, sizeof *options);
  if (options->nr_servers == 0) {
    if (default_server (&options->servers[0], err) < 0)
      return -err->code;
    options->nr_servers = 1;
  }
  for (uint32_t i = 0; i < options->nr_servers; i++)
    if (resolve_family (options, &options->servers[i], err) < 0)
      return -err->code;
  options->server = options->servers[0];
  /* Where both say the same, options are equal. */
  if (options->transport != OPTIONS_TRANSPORT_AUTO ||
      all_unix (options))
    options->transport = OPTIONS_TRANSPORT_SERVER;
  return 0;
}

const char *
qbd_config_transport (const struct qbd_config *config)
{
  struct options options;
  struct error err;

  if (resolve_server (config, &options, &err) < 0) {
    error_publish (&err);
    return NULL;
  }
  if (options.transport == OPTIONS_TRANSPORT_AUTO)
    return "auto";
  return address_transport (&options.server);
}

int
qbd_config_retains (const struct qbd_config *config)
{
  return config->options.retain_bytes > 0;
}

int
options_resolve (const struct qbd_config *config, struct options *options,
                 struct error *err)
{
  struct host_identity identity;
  int r = resolve_server (config, options, err);

  if (r < 0)
    return r;
  r = host_identity_get ("/etc", config->hostnqn, config->hostid, &identity,
                         err);
  if (r < 0)
    return r;
  memcpy (options->hostnqn, identity.hostnqn, sizeof options->hostnqn);
  memcpy (options->hostid, identity.hostid, sizeof options->hostid);
  return 0;
}

struct options
options_of_server (const struct options *options, unsigned i)
{
  struct options own;

  memcpy (&own, options, sizeof own);
  own.server = options->servers[i];
  if (own.server.family == ADDRESS_UNIX)
    own.transport = OPTIONS_TRANSPORT_SERVER;
  return own;
}

int
options_check_volume (const struct options *options, struct error *err)
{
  if (!options->volume[0] && !options->nqn[0])
    return error_set (err, EINVAL, "open: volume: which one? "
                      "(volume=POOL/VOL, or nqn=NQN)");
  if (options->volume[0] && options->nsid)
    return error_set (err, EINVAL, "open: nsid: only together with nqn");
  if (options->retain_bytes > 0 && options->ctrl_loss_tmo_ms == 0)
    return error_set (err, EINVAL, "open: retain: not with ctrl_loss_tmo=0: "
                      "a lost connection is not made again");
  return 0;
}

const char *
options_name (const struct options *options)
{
  return options->volume[0] ? options->volume : options->nqn;
}
