/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: its argument, CEPHPOOL[?conf=FILE&id=USER&namespace=NS], and
 * the way to the cluster.  Blocks, but with a bound: whoever starts a server
 * wants to know that the monitors are not there.
 */
#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/cpus.h"
#include "common/log.h"
#include "server/engine/pool-argument.h"
#include "server/engine/rbd-internal.h"

/* --- the argument ----------------------------------------------------- */

struct arguments {
  struct pool_argument parsed;          /* owns the others */
  const char *pool, *conf, *id, *namespace;
};

static void
cleanup_arguments (struct arguments *arguments)
{
  pool_argument_free (&arguments->parsed);
}

static int
parse_argument (const char *pool, const char *argument,
                struct arguments *arguments, struct error *err)
{
  struct pool_option options[] = {
    { .key = "conf" }, { .key = "id" }, { .key = "namespace" }, { 0 },
  };
  int r = pool_argument_parse (pool, "rbd:CEPHPOOL", argument, options,
                               &arguments->parsed, err);

  if (r < 0)
    return r;
  arguments->pool = arguments->parsed.place;
  arguments->conf = options[0].value;
  arguments->id = options[1].value;
  arguments->namespace = options[2].value;
  if (arguments->pool[0] == '\0')
    return error_set (err, EINVAL, "pool: %s: rbd: needs a Ceph pool: "
                      "rbd:CEPHPOOL", pool);
  return 0;
}

int
ceph_pool_check_argument (const char *name, const char *argument,
                          struct error *err)
{
  __attribute__ ((cleanup (cleanup_arguments)))
  struct arguments arguments = { 0 };

  return parse_argument (name, argument, &arguments, err);
}

/* The directory of its configuration: keyrings are often beside it, by names
 * that only librados knows how to make. */
void
ceph_pool_paths (const char *argument, engine_path_fn *each, void *opaque)
{
  __attribute__ ((cleanup (cleanup_arguments)))
  struct arguments arguments = { 0 };
  const char *conf = getenv ("CEPH_CONF");
  struct error ignored;
  char *copy;

  if (parse_argument ("", argument, &arguments, &ignored) == 0
      && arguments.conf)
    conf = arguments.conf;
  if (!conf || (copy = strdup (conf)) == NULL)
    return;                     /* /etc/ceph */
  each (opaque, dirname (copy), false);
  free (copy);
}

/* --- the configuration ------------------------------------------------ */

static void
set_option (rados_t cluster, const char *option, const char *value)
{
  int r = rados_conf_set (cluster, option, value);

  if (r < 0)
    log_debug ("rbd: option %s: %s", option, strerror (-r));
}

static unsigned
get_number (rados_t cluster, const char *option)
{
  char text[32];

  if (rados_conf_get (cluster, option, text, sizeof text) < 0)
    return 0;
  return (unsigned) strtoul (text, NULL, 10);
}

static void
set_timeouts (struct ceph_pool *pool)
{
  char text[16];

  pool->timeout_s = get_number (pool->cluster, "client_mount_timeout");
  if (pool->timeout_s == 0 || pool->timeout_s == 300)
    pool->timeout_s = CEPH_TIMEOUT_S;
  snprintf (text, sizeof text, "%u", pool->timeout_s);
  set_option (pool->cluster, "client_mount_timeout", text);
  if (get_number (pool->cluster, "rados_mon_op_timeout") == 0)
    set_option (pool->cluster, "rados_mon_op_timeout", text);
}

/* Ceph's libraries write down a good deal of each request, into memory, in case
 * that they crash.  Not unless somebody asked for a log. */
static void
set_quiet (rados_t cluster)
{
  static const char *const parts[] = {
    "debug_asok", "debug_auth", "debug_crypto", "debug_finisher",
    "debug_monc", "debug_ms", "debug_objecter", "debug_objectcacher",
    "debug_rados", "debug_rbd", "debug_throttle", "debug_timer",
  };
  char level[16];

  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (rados_conf_get (cluster, parts[i], level, sizeof level) == 0
        && strtoul (level, NULL, 10) <= 1)
      set_option (cluster, parts[i], "0/0");
}

/* A request that librados gave up may be carried out later all the same, and
 * nobody would know: what was answered has to be over. */
static void
set_op_timeout (const struct ceph_pool *pool)
{
  char text[32];

  if (rados_conf_get (pool->cluster, "rados_osd_op_timeout", text,
                      sizeof text) == 0 && strtod (text, NULL) > 0)
    log_warning ("pool: %s: rbd: rados_osd_op_timeout = %s is not heard: a "
                 "write that is given up could be carried out later",
                 pool->pool.name, text);
  set_option (pool->cluster, "rados_osd_op_timeout", "0");
}

/* What has to be so, whatever ceph.conf says. */
static void
set_options (rados_t cluster)
{
  /* Gateways share images: what one has cached another may have changed.
   * And then a write that is done is stable. */
  set_option (cluster, "rbd_cache", "false");
  set_option (cluster, "rbd_persistent_cache_mode", "disabled");
  /* What is lent is in use until librbd is done with it, and that may be long
   * after a request that is given up was answered: ceph_abandon. */
  set_option (cluster, "rbd_disable_zero_copy_writes", "true");
  /* rbd-fenced.c asks those who carry writes out.  Since Ceph 20. */
  set_option (cluster, "rados_replica_read_policy", "default");
  /* Whoever submits more than these would be blocked, and that is a reactor.
   * The transport bounds what is in flight. */
  set_option (cluster, "objecter_inflight_ops", "0");
  set_option (cluster, "objecter_inflight_op_bytes", "0");
}

/* Processors; below, one thread is enough to keep them busy. */
#define SMALL_MACHINE_CPUS 4
/* Ceph's default: another number was meant. */
#define DEFAULT_THREADS 2

/* All of a request's way through the libraries goes over these threads, twice.
 * With two of them each request wakes one that sleeps, where one that is awake
 * would have been done with it; on a small machine that only takes the
 * processor from the messenger's thread and from the reactor. */
static void
set_threads (rados_t cluster)
{
  if (usable_cpus () < SMALL_MACHINE_CPUS
      && get_number (cluster, "librados_thread_count") == DEFAULT_THREADS)
    set_option (cluster, "librados_thread_count", "1");
}

static int
read_conf (struct ceph_pool *pool, const struct arguments *arguments,
           struct error *err)
{
  const char *name = pool->pool.name;
  int r;

  r = rados_conf_read_file (pool->cluster, arguments->conf);
  if (r == -ENOENT && !arguments->conf)
    return error_set (err, ENOENT, "pool: %s: rbd: no ceph.conf in $CEPH_CONF "
                      "or /etc/ceph: name it with rbd:%s?conf=FILE", name,
                      pool->ceph_name);
  if (r < 0)
    return error_set (err, -r, "pool: %s: %s: %s", name, arguments->conf ?
                      arguments->conf : "ceph.conf", strerror (-r));
  r = rados_conf_parse_env (pool->cluster, NULL);
  if (r < 0)
    return error_set (err, -r, "pool: %s: $CEPH_ARGS: %s", name,
                      strerror (-r));
  set_options (pool->cluster);
  set_threads (pool->cluster);
  set_op_timeout (pool);
  set_timeouts (pool);
  set_quiet (pool->cluster);
  return 0;
}

/* --- connecting ------------------------------------------------------- */

static int
connect_error (const struct ceph_pool *pool, const char *user, int code,
               struct error *err)
{
  char monitors[256] = "";

  switch (code) {
  case ETIMEDOUT:
    rados_conf_get (pool->cluster, "mon_host", monitors, sizeof monitors);
    return error_set (err, code, "pool: %s: rbd: no monitor of the cluster "
                      "answers (mon host = %s)", pool->pool.name, monitors);
  case EACCES:
  case ENOENT:
  case EPERM:
    return error_set (err, code, "pool: %s: rbd: the cluster refuses %s, or "
                      "its key is not in the keyring that ceph.conf names "
                      "(in /etc or beside ceph.conf: qbd-server(8), SANDBOX)",
                      pool->pool.name, user);
  }
  return error_set (err, code, "pool: %s: rbd: %s: cannot connect: %s",
                    pool->pool.name, user, strerror (code));
}

static int
open_ceph_pool (struct ceph_pool *pool, const char *namespace,
                struct error *err)
{
  int r;

  if (namespace) {
    pool->namespace = strdup (namespace);
    if (!pool->namespace)
      return error_set (err, ENOMEM, "pool: %s: %s", pool->pool.name,
                        strerror (ENOMEM));
  }
  r = rados_ioctx_create (pool->cluster, pool->ceph_name, &pool->io);

  if (r < 0) {
    pool->io = NULL;
    return error_set (err, -r, "pool: %s: rbd: Ceph pool %s: %s",
                      pool->pool.name, pool->ceph_name,
                      r == -ENOENT ? "there is none" : strerror (-r));
  }
  /* A full cluster answers ENOSPC; else it keeps writes until it has
   * space. */
  rados_set_pool_full_try (pool->io);
  if (namespace)
    rados_ioctx_set_namespace (pool->io, namespace);
  return 0;
}

int
ceph_connect (struct ceph_pool *pool, const char *argument,
              struct error *err)
{
  __attribute__ ((cleanup (cleanup_arguments)))
  struct arguments arguments = { 0 };
  char user[128];
  int r;

  r = parse_argument (pool->pool.name, argument, &arguments, err);
  if (r < 0)
    return r;
  pool->ceph_name = strdup (arguments.pool);
  if (!pool->ceph_name)
    return error_set (err, ENOMEM, "pool: %s: %s", pool->pool.name,
                      strerror (ENOMEM));
  snprintf (user, sizeof user, "client.%s",
            arguments.id ? arguments.id : "admin");
  r = rados_create2 (&pool->cluster, "ceph", user, 0);
  if (r < 0) {
    pool->cluster = NULL;
    return error_set (err, -r, "pool: %s: rbd: %s: %s", pool->pool.name, user,
                      strerror (-r));
  }
  r = read_conf (pool, &arguments, err);
  if (r < 0)
    return r;
  r = rados_connect (pool->cluster);
  if (r < 0)
    return connect_error (pool, user, -r, err);
  return open_ceph_pool (pool, arguments.namespace, err);
}

void
ceph_disconnect (struct ceph_pool *pool)
{
  if (pool->io)
    rados_ioctx_destroy (pool->io);
  if (pool->cluster)
    rados_shutdown (pool->cluster);
  free (pool->namespace);
  free (pool->ceph_name);
}

/* --- the first look at the OSDs --------------------------------------- */

struct waiter {
  pthread_mutex_t lock;
  pthread_cond_t over_cond;
  bool over;                    /* lock */
};

static void
first_read_over (rados_completion_t completion, void *arg)
{
  struct waiter *waiter = arg;
  LOCK_SCOPE (&waiter->lock);

  waiter->over = true;
  pthread_cond_signal (&waiter->over_cond);
}

/* False: not within the time. */
static bool
wait_bounded (struct waiter *waiter, unsigned timeout_s)
{
  LOCK_SCOPE (&waiter->lock);
  struct timespec limit;
  int r = 0;

  clock_gettime (CLOCK_REALTIME, &limit);
  limit.tv_sec += timeout_s;
  while (!waiter->over && r == 0)
    r = pthread_cond_timedwait (&waiter->over_cond, &waiter->lock, &limit);
  return waiter->over;
}

int
ceph_first_read (struct ceph_pool *pool, const char *object, char *buffer,
                 size_t bytes, struct error *err)
{
  struct waiter waiter = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .over_cond = PTHREAD_COND_INITIALIZER,
  };
  rados_completion_t completion;
  bool in_time = true;
  int r;

  r = rados_aio_create_completion2 (&waiter, first_read_over, &completion);
  if (r < 0)
    return error_set (err, -r, "pool: %s: %s", pool->pool.name,
                      strerror (-r));
  r = rados_aio_read (pool->io, object, completion, buffer, bytes, 0);
  if (r == 0) {
    in_time = wait_bounded (&waiter, pool->timeout_s);
    if (!in_time)
      rados_aio_cancel (pool->io, completion);
    rados_aio_wait_for_complete_and_cb (completion);
    r = rados_aio_get_return_value (completion);
  }
  rados_aio_release (completion);
  if (!in_time)
    return error_set (err, ETIMEDOUT, "pool: %s: rbd: Ceph pool %s: its OSDs "
                      "do not answer", pool->pool.name, pool->ceph_name);
  if (r < 0 && r != -ENOENT)
    return error_set (err, -r, "pool: %s: rbd: Ceph pool %s: object %s: %s",
                      pool->pool.name, pool->ceph_name, object,
                      strerror (-r));
  return r;
}
