/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: a pool's volumes, and what can be asked about them.
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
  pthread_mutex_init (&(*volumes)->lock, NULL);
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
  struct host_list hosts = { 0 };
  int r;

  r = ops->volume_open (pool->engine, volume->name, &volume->engine, err);
  if (r < 0)
    goto err;
  r = ops->volume_get_hosts (volume->engine, &hosts, err);
  if (r == 0)
    r = subsystem_add (volumes->target, volume->engine, &hosts,
                       &volume->subsystem, err);
  if (r < 0) {
    ops->volume_close (volume->engine);
    goto err;
  }
  return 0;

 err:
  host_list_clear (&hosts);
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

int
volume_check_served (const struct volume *volume, const char *what,
                     const char *name, struct error *err)
{
  if (volume->engine)
    return 0;
  return error_set (err, volume->failed.code, "%s: %s: is not served: %s",
                    what, name, volume->failed.message);
}

void
volume_tell (struct pool *pool, struct volume *volume,
             volumes_each_fn *each, void *opaque)
{
  struct volume_info info = {
    .pool = pool->engine->name,
    .name = volume->name,
  };
  struct host_list hosts = { 0 };
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
    info.is_fenced = atomic_load (&pool->engine->is_fenced);
    info.subsystem = volume->subsystem;
    subsystem_serial (volume->subsystem, info.serial);
    if (pool->engine->ops->volume_get_hosts (volume->engine, &hosts,
                                             &ignored) == 0)
      info.hosts = &hosts;
    info.allocated_valid =
      pool->engine->ops->volume_allocated (volume->engine,
                                           &info.allocated_bytes,
                                           &ignored) == 0;
  }
  each (opaque, &info);
  host_list_clear (&hosts);
}

/* --- questions -------------------------------------------------------- */

struct pool_info
pool_brief (const struct pool *pool)
{
  const struct engine_pool *engine = pool->engine;
  struct pool_info info = {
    .name = pool->name,
    .engine = pool->ops->name,
    .argument = pool->argument,
    .domain = pool->domain,
  };

  if (engine) {
    info.has_gateways = engine->nr_gateways > 0;
    info.gateway = engine->gateway;
    info.is_fenced = atomic_load (&engine->is_fenced);
    info.nr_fenced = atomic_load (&engine->nr_fenced);
  }
  return info;
}

void
volumes_stat_pools (struct volumes *volumes,
                    void (*each) (void *opaque, const struct pool_info *),
                    void *opaque)
{
  struct pool *pools[VOLUMES_POOL_MAX];
  unsigned nr_pools = volumes_refer_pools (volumes, pools);

  for (unsigned i = 0; i < nr_pools; ++i) {
    CLEANUP_POOL struct pool *pool = pool_enter (pools[i]);
    struct pool_info info;
    struct error one;

    if (!pool)
      continue;
    info = pool_brief (pool);
    info.nr_volumes = pool->nr_volumes;
    info.stat_valid = pool->ops->pool_stat (pool->engine, &info.stat,
                                            &one) == 0;
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
  CLEANUP_POOL struct pool *pool = NULL;
  struct volume *volume;
  int r;

  r = volumes_enter (volumes, "info", name, &pool, vol, err);
  if (r < 0)
    return r;
  volume = pool_find_volume (pool, "info", vol, err);
  if (!volume)
    return -ENOENT;
  volume_tell (pool, volume, each, opaque);
  return 0;
}

static void
tell_volumes (struct pool *pool, volumes_each_fn *each, void *opaque)
{
  struct volume *volume;

  TAILQ_FOREACH (volume, &pool->volumes, link)
    volume_tell (pool, volume, each, opaque);
}

int
volumes_list (struct volumes *volumes, const char *pool_name,
              volumes_each_fn *each, void *opaque, struct error *err)
{
  struct pool *pools[VOLUMES_POOL_MAX];
  unsigned nr_pools;

  if (pool_name) {
    CLEANUP_POOL struct pool *pool = volumes_enter_pool (volumes, "ls",
                                                         pool_name, err);

    if (!pool)
      return -ENOENT;
    tell_volumes (pool, each, opaque);
    return 0;
  }
  nr_pools = volumes_refer_pools (volumes, pools);
  for (unsigned i = 0; i < nr_pools; ++i) {
    CLEANUP_POOL struct pool *pool = pool_enter (pools[i]);

    if (pool)
      tell_volumes (pool, each, opaque);
  }
  return 0;
}
