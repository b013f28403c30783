/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd-server's command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nvme/types.h>

#include "common/cpus.h"
#include "common/usage.h"
#include "nvmeof/nqn.h"
#include "server/options.h"
#include "server/target/target.h"

#define REACTORS_DEFAULT_MAX 4
#define CONFIG_DEFAULT "/etc/qbd/server.conf"

const char options_help[] =
  "Usage: qbd-server [-c FILE] [--listen URI]... [--pool NAME=ENGINE:ARG]...\n"
  "                  [--allow-any-host] [--control PATH] [--limit NAME=N]...\n"
  "                  [--poll-us N] [--reactors N] [--sandbox on|off]\n"
  "                  [--sandbox-path DIR]... [-v]\n"
  "\n"
  "Serve volumes over NVMe over Fabrics.\n"
  "\n"
  "  -c, --config FILE     read settings from FILE (INI, below)\n"
  "                        [" CONFIG_DEFAULT " if it is there, and no\n"
  "                        --pool is given]\n"
  "  --listen URI          serve hosts on tcp://HOST:PORT, rdma://HOST:PORT or\n"
  "                        unix:///PATH; may be given several times; port 0\n"
  "                        picks one; URI?ana=non-optimized or inaccessible\n"
  "                        tells hosts to prefer, or to take, other paths\n"
  "                        [tcp://127.0.0.1:4420]\n"
  "  --pool NAME=file:DIR[?cache=direct|buffered]\n"
  "                        a pool of volumes in the directory DIR, which is\n"
  "                        empty or a pool already; past the page cache\n"
  "                        (direct) where the file system can\n"
#if HAVE_RBD
  "  --pool NAME=rbd:CEPHPOOL[?conf=FILE&id=USER&namespace=NS]\n"
  "                        the images of a Ceph pool, as that user of that\n"
  "                        cluster\n"
#endif
  "  --pool NAME=ram:      a pool in memory, for tests: its volumes end with\n"
  "                        the server\n"
  "  --allow-any-host      volumes without a list of hosts (qbd host) are for\n"
  "                        all hosts; else only for those that come in on a\n"
  "                        Unix socket or a loopback address\n"
  "  --control PATH        socket of the management API [$QBD_CONTROL, else\n"
  "                        /run/qbd/control, else\n"
  "                        $XDG_RUNTIME_DIR/qbd/control]\n"
  "  --limit NAME=N        what hosts may take, like connections_per_host=4096:\n"
  "                        see [limits] below; may be given several times\n"
  "  --poll-us N           microseconds to look for requests before sleeping,\n"
  "                        while they come one at a time [0]\n"
  "  --reactors N          threads that serve hosts [the processors, at\n"
  "                        most 4]\n"
  "  --sandbox on|off      reach nothing but pools, sockets and settings [on]\n"
  "  --sandbox-path DIR    a directory for pools and sockets that SIGHUP may add;\n"
  "                        may be given several times\n"
  "  -v, --verbose         log more\n"
  "  --help                show this text and exit\n"
  "  --version             show the version and exit\n"
  "\n"
  "The same settings in FILE; options on the command line go first.  SIGHUP\n"
  "reads it again; control, poll_us, reactors, sandbox and sandbox_path take a\n"
  "restart:\n"
  "\n"
  "  [server]\n"
  "  listen = tcp://0.0.0.0:4420      ; may be repeated\n"
  "  control = /run/qbd/control\n"
  "  allow_any_host = no              ; yes: as --allow-any-host\n"
  "  poll_us = 0\n"
  "  reactors = 2\n"
  "  sandbox = on                     ; off: for debuggers\n"
  "  sandbox_path = /srv/qbd          ; may be repeated\n"
  "  log_level = info                 ; error, warning, info, debug\n"
  "\n"
  "  [limits]\n"
  "  buffers_mib = 256                ; data in flight, of each reactor\n"
  "  connections = 16384              ; of attached hosts\n"
  "  connections_per_host = 4096\n"
  "  handshake_ms = 10000             ; to begin, and to name oneself\n"
  "  handshakes = 1024                ; connections of nobody yet\n"
  "  handshakes_per_address = 256\n"
  "  idle_ms = 3600000                ; a host that has no keep-alive\n"
  "  io_queues = 8                    ; of a host for one volume\n"
  "  queue_size = 128                 ; commands in flight of one queue\n"
  "  stall_ms = 30000                 ; that a host may keep us waiting\n"
  "\n"
  "  [pool demo]\n"
  "  url = file:/srv/qbd/demo\n";

enum {
  OPT_ALLOW_ANY_HOST = 256,
  OPT_CONTROL,
  OPT_HELP,
  OPT_LIMIT,
  OPT_LISTEN,
  OPT_POLL_US,
  OPT_POOL,
  OPT_REACTORS,
  OPT_SANDBOX,
  OPT_SANDBOX_PATH,
  OPT_VERSION,
};

static const struct option long_options[] = {
  { "allow-any-host", no_argument, NULL, OPT_ALLOW_ANY_HOST },
  { "config", required_argument, NULL, 'c' },
  { "control", required_argument, NULL, OPT_CONTROL },
  { "help", no_argument, NULL, OPT_HELP },
  { "limit", required_argument, NULL, OPT_LIMIT },
  { "listen", required_argument, NULL, OPT_LISTEN },
  { "poll-us", required_argument, NULL, OPT_POLL_US },
  { "pool", required_argument, NULL, OPT_POOL },
  { "reactors", required_argument, NULL, OPT_REACTORS },
  { "sandbox", required_argument, NULL, OPT_SANDBOX },
  { "sandbox-path", required_argument, NULL, OPT_SANDBOX_PATH },
  { "verbose", no_argument, NULL, 'v' },
  { "version", no_argument, NULL, OPT_VERSION },
  { NULL, 0, NULL, 0 },
};

static int
set_number (const char *what, const char *text, unsigned min, unsigned max,
            unsigned *to, struct error *err)
{
  unsigned long n;
  char *end;

  errno = 0;
  n = strtoul (text, &end, 10);
  if (errno || end == text || *end || text[0] == '-' || n < min || n > max)
    return error_set (err, EINVAL, "%s: %s: must be a number from %u to %u",
                      what, text, min, max);
  *to = (unsigned) n;
  return 0;
}

int
options_set_reactors (struct options *options, const char *text,
                      struct error *err)
{
  return set_number ("reactors", text, 1, OPTIONS_REACTORS_MAX,
                     &options->nr_reactors, err);
}

int
options_set_sandbox (struct options *options, const char *text,
                     struct error *err)
{
  bool off = strcmp (text, "off") == 0;

  if (!off && strcmp (text, "on") != 0)
    return error_set (err, EINVAL, "sandbox: %s: must be on or off", text);
  options->no_sandbox = off;
  options->sandbox_said = true;
  return 0;
}

int
options_add_sandbox_path (struct options *options, const char *text,
                          struct error *err)
{
  char *copy;

  if (options->nr_sandbox_paths == OPTIONS_SANDBOX_PATHS_MAX)
    return error_set (err, E2BIG, "sandbox_path: %s: more than %d of them",
                      text, OPTIONS_SANDBOX_PATHS_MAX);
  copy = strdup (text);
  if (!copy)
    return error_set (err, ENOMEM, "sandbox_path: out of memory");
  options->sandbox_paths[options->nr_sandbox_paths++] = copy;
  return 0;
}

int
options_set_poll_us (struct options *options, const char *text,
                     struct error *err)
{
  int r = set_number ("poll_us", text, 0, OPTIONS_POLL_US_MAX,
                      &options->poll_us, err);

  options->poll_us_said |= r == 0;
  return r;
}

/* --limit NAME=N */
static int
parse_limit (struct options *options, const char *text, struct error *err)
{
  const char *equals = strchr (text, '=');
  char name[32];
  enum limit limit;
  unsigned value;
  int r;

  if (!equals || equals - text >= (ptrdiff_t) sizeof name)
    return error_set (err, EINVAL, "limit: %s: must be NAME=N, like "
                      "connections=1000", text);
  memcpy (name, text, equals - text);
  name[equals - text] = '\0';
  r = limit_parse (name, equals + 1, &limit, &value, err);
  if (r < 0)
    return r;
  if (options->limits[limit])
    return error_set (err, EEXIST, "limit: %s: given twice", name);
  options->limits[limit] = value;
  return 0;
}

/* What follows the URI; no file's name ends so.  The state, or -errno. */
static int
parse_ana (const char *text, size_t *uri_len, struct error *err)
{
  static const char key[] = "?ana=";
  const char *ana = strstr (text, key);

  *uri_len = ana ? (size_t) (ana - text) : strlen (text);
  if (!ana)
    return NVME_ANA_STATE_OPTIMIZED;
  ana += strlen (key);
  for (int i = 0; target_ana_names[i]; ++i)
    if (strcmp (ana, target_ana_names[i]) == 0)
      return NVME_ANA_STATE_OPTIMIZED + i;
  return usage_unknown ("listen: ana", ana, target_ana_names, err);
}

int
options_add_listen (struct options *options, const char *text,
                    struct error *err)
{
  size_t uri_len;
  char *uri;
  int r, ana = parse_ana (text, &uri_len, err);

  if (ana < 0)
    return ana;
  if (options->nr_listen == OPTIONS_LISTEN_MAX)
    return error_set (err, E2BIG, "listen: %s: more than %d addresses",
                      text, OPTIONS_LISTEN_MAX);
  uri = strndup (text, uri_len);
  if (!uri)
    return error_set (err, ENOMEM, "listen: %s: out of memory", text);
  r = address_parse ("listen", uri, &options->listen[options->nr_listen],
                     err);
  free (uri);
  if (r < 0)
    return r;
  options->ana[options->nr_listen++] = (uint8_t) ana;
  return 0;
}

static const struct engine_ops *
find_engine (const char *pool, const char *scheme, struct error *err)
{
  const char *names[16];
  char what[ENGINE_NAME_MAX + 16];
  size_t i;

  for (i = 0; engines[i] && i < 15; ++i) {
    if (strcmp (engines[i]->name, scheme) == 0)
      return engines[i];
    names[i] = engines[i]->name;
  }
  names[i] = NULL;
  snprintf (what, sizeof what, "pool: %s: engine", pool);
  usage_unknown (what, scheme, names, err);
  return NULL;
}

int
options_add_pool (struct options *options, const char *name,
                  const char *text, struct error *err)
{
  struct options_pool *pool = &options->pools[options->nr_pools];
  const struct engine_ops *engine;
  const char *colon = strchr (text, ':');
  char scheme[64];
  int r;

  r = name_check ("pool", name, err);
  if (r < 0)
    return r;
  if (strlen (name) >= sizeof pool->name)
    return error_set (err, ENAMETOOLONG, "pool: %s: name is too long", name);
  for (unsigned i = 0; i < options->nr_pools; ++i)
    if (strcmp (options->pools[i].name, name) == 0)
      return error_set (err, EEXIST, "pool: %s: given twice", name);
  if (options->nr_pools == OPTIONS_POOL_MAX)
    return error_set (err, E2BIG, "pool: %s: more than %d pools",
                      name, OPTIONS_POOL_MAX);
  if (!colon || colon == text || colon - text >= (ptrdiff_t) sizeof scheme)
    return error_set (err, EINVAL,
                      "pool: %s: %s: must be ENGINE:ARGUMENT, "
                      "like file:/srv/%s", name, text, name);
  memcpy (scheme, text, colon - text);
  scheme[colon - text] = '\0';
  engine = find_engine (name, scheme, err);
  if (!engine)
    return -EINVAL;

  pool->argument = strdup (colon + 1);
  if (!pool->argument)
    return error_set (err, ENOMEM, "pool: %s: out of memory", name);
  strcpy (pool->name, name);
  pool->engine = engine;
  options->nr_pools++;
  return 0;
}

/* --pool NAME=ENGINE:ARGUMENT */
static int
parse_pool (struct options *options, const char *text, struct error *err)
{
  const char *equals = strchr (text, '=');
  char *name;
  int r;

  if (!equals)
    return error_set (err, EINVAL,
                      "pool: %s: must be NAME=ENGINE:ARGUMENT, "
                      "like demo=file:/srv/demo", text);
  name = strndup (text, equals - text);
  if (!name)
    return error_set (err, ENOMEM, "pool: %s: out of memory", text);
  r = options_add_pool (options, name, equals + 1, err);
  free (name);
  return r;
}

static int
parse_option (struct options *options, int opt, struct error *err)
{
  switch (opt) {
  case 'c':
    options->config = optarg;
    return 0;
  case 'v':
    options->verbose = true;
    return 0;
  case OPT_ALLOW_ANY_HOST:
    options->allow_any_host = true;
    return 0;
  case OPT_CONTROL:
    return control_path_set (options->control, optarg, err);
  case OPT_HELP:
    options->action = OPTIONS_HELP;
    return 0;
  case OPT_LIMIT:
    return parse_limit (options, optarg, err);
  case OPT_LISTEN:
    return options_add_listen (options, optarg, err);
  case OPT_POOL:
    return parse_pool (options, optarg, err);
  case OPT_POLL_US:
    return options_set_poll_us (options, optarg, err);
  case OPT_REACTORS:
    return options_set_reactors (options, optarg, err);
  case OPT_SANDBOX:
    return options_set_sandbox (options, optarg, err);
  case OPT_SANDBOX_PATH:
    return options_add_sandbox_path (options, optarg, err);
  case OPT_VERSION:
    options->action = OPTIONS_VERSION;
    return 0;
  default:
    abort ();
  }
}

int
options_parse (struct options *options, int argc, char *argv[],
               struct error *err)
{
  int opt, r;

  memset (options, 0, sizeof *options);
  opterr = 0;
  optind = 0;           /* glibc: start anew, also for the tests */
  while ((opt = getopt_long (argc, argv, ":c:v", long_options, NULL)) != -1) {
    if (opt == '?' || opt == ':')
      return usage_option_error (opt, argv, long_options, err);
    r = parse_option (options, opt, err);
    if (r < 0 || options->action != OPTIONS_SERVE)
      return r;
  }
  if (optind < argc)
    return error_set (err, EINVAL, "argument: %s: none is expected",
                      argv[optind]);
  /* A server that is told its pools is not the system's. */
  if (!options->config && options->nr_pools == 0
      && access (CONFIG_DEFAULT, F_OK) == 0)
    options->config = CONFIG_DEFAULT;
  return 0;
}

static unsigned
default_reactors (void)
{
  unsigned n = usable_cpus ();

  return n < REACTORS_DEFAULT_MAX ? n : REACTORS_DEFAULT_MAX;
}

int
options_complete (struct options *options, struct error *err)
{
  int r;

  if (options->nr_pools == 0)
    return error_set (err, EINVAL,
                      "pool: none is given: add --pool NAME=file:DIR, or "
                      CONFIG_DEFAULT);
  if (options->nr_listen == 0) {
    r = options_add_listen (options,
                            "tcp://127.0.0.1:" ADDRESS_DEFAULT_PORT, err);
    if (r < 0)
      return r;
  }
  if (options->verbose)
    options->log_level = LOG_LEVEL_DEBUG;
  else if (options->log_level == 0)
    options->log_level = LOG_LEVEL_INFO;
  if (options->nr_reactors == 0)
    options->nr_reactors = default_reactors ();
  if (options->control[0] == '\0')
    return control_path_serve (options->control, err);
  return 0;
}

void
options_free (struct options *options)
{
  for (unsigned i = 0; i < options->nr_pools; ++i)
    free (options->pools[i].argument);
  for (unsigned i = 0; i < options->nr_sandbox_paths; ++i)
    free (options->sandbox_paths[i]);
  memset (options, 0, sizeof *options);
}
