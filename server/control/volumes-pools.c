/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: pools come and go.
 *
 * Who uses a pool holds a reference and its lock.  One that is closed leaves
 * the table first, and is freed by whoever waited for its lock last, and found
 * it closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "nvmeof/nqn.h"
#include "server/control/volumes-internal.h"
#include "server/target/target.h"

/* --- references ------------------------------------------------------- */

static void
pool_free (struct pool *pool)
{
  pthread_cond_destroy (&pool->kept);
  pthread_mutex_destroy (&pool->lock);
  free (pool->argument);
  free (pool);
}

static void
pool_put (struct pool *pool)
{
  struct volumes *volumes = pool->service;
  bool last;

  pthread_mutex_lock (&volumes->lock);
  last = --pool->nr_references == 0;
  pthread_mutex_unlock (&volumes->lock);
  if (last)
    pool_free (pool);
}

struct pool *
pool_enter (struct pool *pool)
{
  pthread_mutex_lock (&pool->lock);
  if (pool->engine)
    return pool;
  pool_leave (pool);
  return NULL;
}

void
pool_leave (struct pool *pool)
{
  pthread_mutex_unlock (&pool->lock);
  pool_put (pool);
}

static struct pool *
locked_find (struct volumes *volumes, const char *name)
{
  for (unsigned i = 0; i < volumes->nr_pools; ++i)
    if (strcmp (volumes->pools[i]->name, name) == 0)
      return volumes->pools[i];
  return NULL;
}

struct pool *
volumes_enter_pool (struct volumes *volumes, const char *what,
                    const char *name, struct error *err)
{
  struct pool *pool;

  pthread_mutex_lock (&volumes->lock);
  pool = locked_find (volumes, name);
  if (pool)
    pool->nr_references++;
  pthread_mutex_unlock (&volumes->lock);
  if (pool)
    pool = pool_enter (pool);
  if (!pool)
    error_set (err, ENOENT, "%s: %s: no such pool", what, name);
  return pool;
}

int
volumes_enter (struct volumes *volumes, const char *what, const char *name,
               struct pool **pool, char *vol, struct error *err)
{
  char pool_name[NVMEOF_NQN_MAX + 1];
  int r;

  r = name_split (name, pool_name, vol, err);
  if (r < 0)
    return r;
  *pool = volumes_enter_pool (volumes, what, pool_name, err);
  return *pool ? 0 : -ENOENT;
}

unsigned
volumes_refer_pools (struct volumes *volumes,
                     struct pool *pools[VOLUMES_POOL_MAX])
{
  LOCK_SCOPE (&volumes->lock);

  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    pools[i] = volumes->pools[i];
    pools[i]->nr_references++;
  }
  return volumes->nr_pools;
}

void
volumes_each_pool (struct volumes *volumes,
                   void (*each) (void *opaque, const struct pool_info *),
                   void *opaque)
{
  LOCK_SCOPE (&volumes->lock);

  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    struct pool_info info = pool_brief (volumes->pools[i]);

    each (opaque, &info);
  }
}

int
volumes_check_progress (struct volumes *volumes, const char *name,
                        uint64_t *done, uint64_t *total, struct error *err)
{
  LOCK_SCOPE (&volumes->lock);
  struct pool *pool = locked_find (volumes, name);

  if (!pool)
    return error_set (err, ENOENT, "check: %s: no such pool", name);
  *done = atomic_load (&pool->check_done);
  *total = atomic_load (&pool->check_total);
  return 0;
}

/* --- open ------------------------------------------------------------- */

static struct pool *
pool_new (struct volumes *volumes, const struct engine_ops *engine,
          const char *name, const char *argument)
{
  struct pool *pool = calloc (1, sizeof *pool);

  if (!pool)
    return NULL;
  pool->argument = strdup (argument);
  if (!pool->argument) {
    free (pool);
    return NULL;
  }
  pool->service = volumes;
  pool->ops = engine;
  strcpy (pool->name, name);
  pool->nr_references = 1;
  TAILQ_INIT (&pool->volumes);
  pthread_mutex_init (&pool->lock, NULL);
  pthread_cond_init (&pool->kept, NULL);
  return pool;
}

static void
set_engine (struct pool *pool, struct engine_pool *engine)
{
  LOCK_SCOPE (&pool->service->lock);

  pool->engine = engine;
  if (engine)
    strcpy (pool->domain, engine->domain);
}

/* No volume is served any more.  Under its lock. */
static void
pool_close (struct pool *pool)
{
  struct engine_pool *engine = pool->engine;
  struct volume *volume;

  while ((volume = TAILQ_FIRST (&pool->volumes)))
    pool_forget_volume (pool, volume);
  set_engine (pool, NULL);
  keeper_stop (pool, engine);
  if (engine)
    pool->ops->pool_close (engine);
}

static int
engine_open (const struct volumes *volumes, const struct engine_ops *ops,
             const char *name, const char *argument,
             struct engine_pool **engine, struct error *err)
{
  int r = ops->pool_open (name, argument, volumes->reactors,
                          volumes->nr_reactors, engine, err);

  if (r < 0) {
    *engine = NULL;
    return r;
  }
  (*engine)->asked_opaque = volumes->target;
  atomic_store (&(*engine)->asked, target_asked);
  return 0;
}

/* Under its lock, or not in the table yet.  engine: open already, and the
 * pool's from now on; or NULL. */
static int
pool_open (struct pool *pool, struct engine_pool *engine, struct error *err)
{
  int r;

  if (!engine) {
    r = engine_open (pool->service, pool->ops, pool->name, pool->argument,
                     &engine, err);
    if (r < 0)
      return r;
  }
  set_engine (pool, engine);
  /* Snapshots are listed once their images are open. */
  do
    r = pool_refresh (pool, err);
  while (r > 0 && pool->ops->pool_wait);
  if (r < 0) {
    pool_close (pool);
    return r;
  }
  keeper_start (pool);
  log_info ("pool: %s: %s:%s, %u volumes", pool->name, pool->ops->name,
            pool->argument, pool->nr_volumes);
  return 0;
}

int
volumes_open_pool (struct volumes *volumes, const struct engine_ops *engine,
                   const char *name, const char *argument, struct error *err)
{
  struct pool *pool;
  int r;

  /* One thread opens and closes pools: nr_pools is its own. */
  assert (strlen (name) < sizeof pool->name && !locked_find (volumes, name));
  if (volumes->nr_pools == VOLUMES_POOL_MAX)
    return error_set (err, E2BIG, "pool: %s: more than %d pools",
                      name, VOLUMES_POOL_MAX);
  pool = pool_new (volumes, engine, name, argument);
  if (!pool)
    return error_set (err, ENOMEM, "pool: %s: out of memory", name);
  r = pool_open (pool, NULL, err);
  if (r < 0) {
    pool_free (pool);
    return r;
  }
  LOCK_SCOPE (&volumes->lock);
  volumes->pools[volumes->nr_pools++] = pool;
  return 0;
}

/* --- close ------------------------------------------------------------ */

static void
unbar_until (struct pool *pool, const struct volume *end)
{
  struct volume *volume;

  TAILQ_FOREACH (volume, &pool->volumes, link) {
    if (volume == end)
      break;
    if (volume->engine)
      subsystem_unbar (volume->subsystem);
  }
}

/* All of its volumes or none: -EBUSY when a host is attached to one. */
static int
pool_bar (struct pool *pool, const char *what, struct error *err)
{
  struct volume *volume;
  int r;

  TAILQ_FOREACH (volume, &pool->volumes, link) {
    if (!volume->engine)
      continue;
    r = subsystem_bar (volume->subsystem, what, err);
    if (r < 0) {
      unbar_until (pool, volume);
      return r;
    }
  }
  return 0;
}

/* -EBUSY when one is attached; the others are closed all the same. */
static int
pool_unserve (struct pool *pool, const char *what, struct error *err)
{
  struct volume *volume;
  struct error one;
  int result = 0, r;

  TAILQ_FOREACH (volume, &pool->volumes, link) {
    r = volume_unserve (volume, what, &one);
    if (r < 0 && result == 0) {
      *err = one;
      result = r;
    }
  }
  return result;
}

/* Out of the table, and the table's reference with it. */
static void
take_off (struct volumes *volumes, struct pool *pool)
{
  LOCK_SCOPE (&volumes->lock);
  unsigned i = 0;

  while (volumes->pools[i] != pool)
    i++;
  volumes->nr_pools--;
  memmove (&volumes->pools[i], &volumes->pools[i + 1],
           (volumes->nr_pools - i) * sizeof volumes->pools[0]);
  pool->nr_references--;        /* the caller has one */
}

/* Since pool_bar nobody could attach. */
static void
pool_withdraw (struct pool *pool, const char *what)
{
  struct error err;
  int r = pool_unserve (pool, what, &err);

  assert (r == 0);
  (void) r;
}

int
volumes_close_pool (struct volumes *volumes, const char *what,
                    const char *name, struct error *err)
{
  CLEANUP_POOL struct pool *pool = volumes_enter_pool (volumes, what, name,
                                                       err);
  int r;

  if (!pool)
    return -ENOENT;
  r = pool_bar (pool, what, err);
  if (r < 0)
    return r;
  pool_withdraw (pool, what);
  take_off (volumes, pool);
  pool_close (pool);
  log_info ("pool: %s: closed", name);
  return 0;
}

/* --- change ----------------------------------------------------------- */

enum volumes_pool_match
volumes_match_pool (struct volumes *volumes, const struct engine_ops *engine,
                    const char *name, const char *argument)
{
  LOCK_SCOPE (&volumes->lock);
  const struct pool *pool = locked_find (volumes, name);

  if (!pool)
    return VOLUMES_POOL_ABSENT;
  return pool->ops == engine && strcmp (pool->argument, argument) == 0
    ? VOLUMES_POOL_SAME : VOLUMES_POOL_OTHER;
}

static void
pool_swap (struct pool *pool, const struct engine_ops **engine,
           char **argument)
{
  LOCK_SCOPE (&pool->service->lock);
  const struct engine_ops *ops = pool->ops;
  char *text = pool->argument;

  pool->ops = *engine;
  pool->argument = *argument;
  *engine = ops;
  *argument = text;
}

int
volumes_change_pool (struct volumes *volumes, const char *what,
                     const struct engine_ops *engine, const char *name,
                     const char *argument, struct error *err)
{
  CLEANUP_POOL struct pool *pool = volumes_enter_pool (volumes, what, name,
                                                       err);
  CLEANUP_FREE char *copy = strdup (argument);
  struct engine_pool *opened = NULL;
  struct error again;
  int r;

  if (!pool)
    return -ENOENT;
  if (!copy)
    return error_set (err, ENOMEM, "%s: %s: out of memory", what, name);
  r = pool_bar (pool, what, err);
  if (r < 0)
    return r;
  /* Of one engine it may be the same pool, which is open once only.  Of two
   * the new one comes first: volumes of `ram` end when they are closed. */
  if (engine != pool->ops)
    r = engine_open (volumes, engine, name, argument, &opened, err);
  if (r < 0) {
    unbar_until (pool, NULL);
    return r;
  }
  pool_withdraw (pool, what);
  pool_close (pool);
  pool_swap (pool, &engine, &copy);
  r = pool_open (pool, opened, err);
  if (r == 0)
    return 0;
  pool_swap (pool, &engine, &copy);
  if (pool_open (pool, NULL, &again) < 0) {
    log_error ("%s; pool %s is not served any more", again.message, name);
    take_off (volumes, pool);
  }
  return r;
}

/* --- the end ---------------------------------------------------------- */

int
volumes_free (struct volumes *volumes, struct error *err)
{
  struct error one;
  int result = 0, r;

  if (!volumes)
    return 0;
  /* Locked from here on: a keeper would serve what it finds unserved. */
  for (unsigned i = 0; i < volumes->nr_pools; ++i) {
    pthread_mutex_lock (&volumes->pools[i]->lock);
    r = pool_unserve (volumes->pools[i], "stop", &one);
    if (r < 0 && result == 0) {
      *err = one;
      result = r;
    }
  }
  if (result < 0) {
    for (unsigned i = 0; i < volumes->nr_pools; ++i)
      pthread_mutex_unlock (&volumes->pools[i]->lock);
    return result;
  }
  for (unsigned i = volumes->nr_pools; i-- > 0; ) {
    pool_close (volumes->pools[i]);
    pthread_mutex_unlock (&volumes->pools[i]->lock);
    pool_free (volumes->pools[i]);
  }
  pthread_mutex_destroy (&volumes->lock);
  free (volumes);
  return 0;
}
