/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service, first half: pools and volumes from start to end, and
 * what can be asked about them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "nvmeof/nqn.h"
#include "server/control/volumes-internal.h"

int
volumes_new (struct target *target, struct reactor *const *reactors,
             unsigned nr_reactors, struct volumes **volumes,
             struct error *err)
{
  *volumes = calloc (1, sizeof **volumes);
  if (!*volumes)
    return error_set (err, ENOMEM, "pool: volumes: out of memory");
  (*volumes)->target = target;
  (*volumes)->reactors = reactors;
  (*volumes)->nr_reactors = nr_reactors;
  return 0;
}

/* --- volumes of a pool, under its lock -------------------------------- */

struct volume *
pool_insert_volume (struct pool *pool, const char *vol)
{
  struct volume *volume, *other;

  if (strlen (vol) >= sizeof volume->name)
    return NULL;
  volume = calloc (1, sizeof *volume);
  if (!volume)
    return NULL;
  strcpy (volume->name, vol);
  /* From the end: engines list in name order. */
  TAILQ_FOREACH_REVERSE (other, &pool->volumes, volume_list, link)
    if (strcmp (other->name, vol) < 0)
      break;
  if (other)
    TAILQ_INSERT_AFTER (&pool->volumes, other, volume, link);
  else
    TAILQ_INSERT_HEAD (&pool->volumes, volume, link);
  pool->nr_volumes++;
  return volume;
}

void
pool_forget_volume (struct pool *pool, struct volume *volume)
{
  TAILQ_REMOVE (&pool->volumes, volume, link);
  pool->nr_volumes--;
  free (volume);
}

struct volume *
pool_find_volume (struct pool *pool, const char *what, const char *vol,
                  struct error *err)
{
  struct volume *volume;

  TAILQ_FOREACH (volume, &pool->volumes, link)
    if (strcmp (volume->name, vol) == 0)
      return volume;
  error_set (err, ENOENT, "%s: %s/%s: no such volume",
             what, pool->engine->name, vol);
  return NULL;
}

int
volume_serve (struct volumes *volumes, struct pool *pool,
              struct volume *volume, struct error *err)
{
  const struct engine_ops *ops = pool->engine->ops;
  int r;

  r = ops->volume_open (pool->engine, volume->name, &volume->engine, err);
  if (r < 0)
    goto err;
  r = subsystem_add (volumes->target, volume->engine, &volume->subsystem,
                     err);
  if (r < 0) {
    ops->volume_close (volume->engine);
    goto err;
  }
  return 0;

 err:
  volume->engine = NULL;
  volume->subsystem = NULL;
  volume->failed = *err;
  return r;
}

int
volume_unserve (struct volume *volume, const char *what, struct error *err)
{
  int r;

  if (!volume->engine)
    return 0;
  r = subsystem_remove (volume->subsystem, what, err);
  if (r < 0)
    return r;
  volume->engine->ops->volume_close (volume->engine);
  volume->engine = NULL;
  volume->subsystem = NULL;
  error_set (&volume->failed, ESHUTDOWN, "open: %s: is closed",
             volume->name);
  return 0;
}

void
volume_tell (struct pool *pool, struct volume *volume,
             volumes_each_fn *each, void *opaque)
{
  struct volume_info info = {
    .pool = pool->engine->name,
    .name = volume->name,
  };
  struct error ignored;

  if (!each)
    return;
  if (!volume->engine)
    info.failed = volume->failed.message;
  else {
    info.uuid = volume->engine->uuid;
    info.nqn = subsystem_nqn (volume->subsystem);
    info.size_bytes = volume->engine->size_bytes;
    info.block_size = volume->engine->block_size;
    info.read_only = volume->engine->read_only;
    info.subsystem = volume->subsystem;
    info.allocated_valid =
      pool->engine->ops->volume_allocated (volume->engine,
                                           &info.allocated_bytes,
                                           &ignored) == 0;
  }
  each (opaque, &info);
}

/* --- start and end ---------------------------------------------------- */

struct collected {
  struct pool *pool;
  struct error *err;
};

static int
collect_volume (void *opaque, const char *name)
{
  struct collected *c = opaque;

  if (!pool_insert_volume (c->pool, name))
    return error_set (c->err, ENOMEM, "open: %s/%s: out of memory",
                      c->pool->engine->name, name);
  return 0;
}

static void
pool_close (struct pool *pool)
{
  struct volume *volume;

  while ((volume = TAILQ_FIRST (&pool->volumes)))
    pool_forget_volume (pool, volume);
  if (pool->engine)
    pool->engine->ops->pool_close (pool->engine);
  pthread_mutex_destroy (&pool->lock);
  free (pool->argument);
  memset (pool, 0, sizeof *pool);
}

/* -EBUSY when one is attached; the others are closed all the same. */
static int
pool_unserve (struct pool *pool, struct error *err)
{
  struct volume *volume;
  struct error one;
  int result = 0, r;

  TAILQ_FOREACH (volume, &pool->volumes, link) {
    r = volume_unserve (volume, "stop", &one);
    if (r < 0 && result == 0) {
      *err = one;
      result = r;
    }
  }
  return result;
}

int
volumes_open_pool (struct volumes *volumes, const struct engine_ops *engine,
                   const char *name, const char *argument, struct error *err)
{
  struct pool *pool = &volumes->pools[volumes->nr_pools];
  struct collected collected = { .pool = pool, .err = err };
  struct volume *volume;
  struct error one;
  int r;

  if (volumes->nr_pools == VOLUMES_POOL_MAX)
    return error_set (err, E2BIG, "pool: %s: more than %d pools",
                      name, VOLUMES_POOL_MAX);
  TAILQ_INIT (&pool->volumes);
  pthread_mutex_init (&pool->lock, NULL);
  pool->argument = strdup (argument);
  if (!pool->argument) {
    r = error_set (err, ENOMEM, "pool: %s: out of memory", name);
    goto err;
  }
  r = engine->pool_open (name, argument, volumes->reactors,
                         volumes->nr_reactors, &pool->engine, err);
  if (r < 0) {
    pool->engine = NULL;
    goto err;
  }
  /* Opened after the list is complete: an engine may hold a cursor. */
  r = engine->volume_each (pool->engine, collect_volume, &collected, err);
  if (r < 0)
    goto err;
  TAILQ_FOREACH (volume, &pool->volumes, link)
    if (volume_serve (volumes, pool, volume, &one) < 0)
      log_error ("%s; %s/%s is not served", one.message, name, volume->name);
  log_info ("pool: %s: %s:%s, %u volumes", name, engine->name, argument,
            pool->nr_volumes);
  volumes->nr_pools++;
  return 0;

 err:
  pool_close (pool);
  return r;
}

int
volumes_free (struct volumes *volumes, struct error *err)
{
  struct error one;
  int result = 0, r;

  if (!volumes)
    return 0;
  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    r = pool_unserve (&volumes->pools[i], &one);
    if (r < 0 && result == 0) {
      *err = one;
      result = r;
    }
  }
  if (result < 0)
    return result;
  for (unsigned i = volumes->nr_pools; i-- > 0; )
    pool_close (&volumes->pools[i]);
  free (volumes);
  return 0;
}

/* --- questions -------------------------------------------------------- */

struct pool *
volumes_pool (struct volumes *volumes, const char *what, const char *name,
              struct error *err)
{
  for (unsigned i = 0; i < volumes->nr_pools; ++i)
    if (strcmp (volumes->pools[i].engine->name, name) == 0)
      return &volumes->pools[i];
  error_set (err, ENOENT, "%s: %s: no such pool", what, name);
  return NULL;
}

int
volumes_find_pool (struct volumes *volumes, const char *what,
                   const char *name, struct pool **pool, char *vol,
                   struct error *err)
{
  char pool_name[NVMEOF_NQN_MAX + 1];
  int r;

  r = name_split (name, pool_name, vol, err);
  if (r < 0)
    return r;
  *pool = volumes_pool (volumes, what, pool_name, err);
  return *pool ? 0 : -ENOENT;
}

static struct pool_info
pool_names (const struct pool *pool)
{
  return (struct pool_info) {
    .name = pool->engine->name,
    .engine = pool->engine->ops->name,
    .argument = pool->argument,
    .domain = pool->engine->domain,
  };
}

void
volumes_each_pool (struct volumes *volumes,
                   void (*each) (void *opaque, const struct pool_info *),
                   void *opaque)
{
  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    struct pool_info info = pool_names (&volumes->pools[i]);

    each (opaque, &info);
  }
}

void
volumes_stat_pools (struct volumes *volumes,
                    void (*each) (void *opaque, const struct pool_info *),
                    void *opaque)
{
  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    struct pool *pool = &volumes->pools[i];
    struct pool_info info = pool_names (pool);
    struct error one;
    LOCK_SCOPE (&pool->lock);

    info.nr_volumes = pool->nr_volumes;
    info.stat_valid =
      pool->engine->ops->pool_stat (pool->engine, &info.stat, &one) == 0;
    if (!info.stat_valid)
      log_warning ("%s", one.message);
    each (opaque, &info);
  }
}

int
volumes_info (struct volumes *volumes, const char *name,
              volumes_each_fn *each, void *opaque, struct error *err)
{
  char vol[NVMEOF_NQN_MAX + 1];
  struct volume *volume;
  struct pool *pool;
  int r;

  r = volumes_find_pool (volumes, "info", name, &pool, vol, err);
  if (r < 0)
    return r;
  LOCK_SCOPE (&pool->lock);
  volume = pool_find_volume (pool, "info", vol, err);
  if (!volume)
    return -ENOENT;
  volume_tell (pool, volume, each, opaque);
  return 0;
}

int
volumes_list (struct volumes *volumes, const char *pool_name,
              volumes_each_fn *each, void *opaque, struct error *err)
{
  struct pool *only = NULL;

  if (pool_name) {
    only = volumes_pool (volumes, "ls", pool_name, err);
    if (!only)
      return -ENOENT;
  }
  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    struct pool *pool = &volumes->pools[i];
    struct volume *volume;

    if (only && only != pool)
      continue;
    LOCK_SCOPE (&pool->lock);
    TAILQ_FOREACH (volume, &pool->volumes, link)
      volume_tell (pool, volume, each, opaque);
  }
  return 0;
}
