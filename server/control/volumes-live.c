/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: pools that others change, too.  A thread of each such
 * pool, its keeper, waits in the engine, and then brings volumes and
 * subsystems to what is there.
 *
 * A volume that is gone, or another, while a host is attached stays: the host's
 * requests fail, and once it has left the next look ends it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/thread-start.h"
#include "server/control/volumes-internal.h"

/* --- the list --------------------------------------------------------- */

struct collected {
  struct pool *pool;
  struct volume *next;          /* not before the name: both are in order */
  struct error *err;
};

static int
collect_volume (void *opaque, const char *name)
{
  struct collected *c = opaque;
  struct volume *volume;

  while (c->next && strcmp (c->next->name, name) < 0)
    c->next = TAILQ_NEXT (c->next, link);
  if (c->next && strcmp (c->next->name, name) == 0)
    volume = c->next;
  else
    volume = pool_insert_volume (c->pool, name);
  if (!volume)
    return error_set (c->err, ENOMEM, "open: %s/%s: out of memory",
                      c->pool->name, name);
  volume->listed = true;
  return 0;
}

/* True: it was not served, and is now.  What others are still making is not
 * there yet. */
static bool
serve (struct pool *pool, struct volume *volume)
{
  bool is_new = volume->failed.code == 0;
  struct error one;
  int r;

  if (volume->engine)
    return false;
  r = volume_serve (pool->service, pool, volume, &one);
  if (r == 0)
    return true;
  if (r == -EAGAIN)
    pool_forget_volume (pool, volume);
  else if (is_new)              /* and not the next time */
    log_error ("%s; %s/%s is not served", one.message, pool->name,
               volume->name);
  return false;
}

static void
end (struct pool *pool, struct volume *volume)
{
  struct error one;

  if (volume_unserve (volume, "close", &one) < 0) {
    log_debug ("%s; it is gone from the pool", one.message);
    return;
  }
  log_info ("%s/%s: is gone from the pool", pool->name, volume->name);
  pool_forget_volume (pool, volume);
}

int
pool_refresh (struct pool *pool, struct error *err)
{
  struct collected collected = {
    .pool = pool, .next = TAILQ_FIRST (&pool->volumes), .err = err,
  };
  struct volume *volume, *next;
  int nr_new = 0, r;

  TAILQ_FOREACH (volume, &pool->volumes, link)
    volume->listed = false;
  /* Opened after the list is complete: an engine may hold a cursor. */
  r = pool->ops->volume_each (pool->engine, collect_volume, &collected, err);
  if (r < 0)
    return r;
  for (volume = TAILQ_FIRST (&pool->volumes); volume; volume = next) {
    next = TAILQ_NEXT (volume, link);
    if (!volume->listed)
      end (pool, volume);
    else if (serve (pool, volume))
      nr_new++;
  }
  return nr_new;
}

/* --- each volume ------------------------------------------------------ */

static void
exchange_hosts (struct volume *volume)
{
  struct host_list hosts = { 0 };
  struct error one;

  if (volume->engine->ops->volume_get_hosts (volume->engine, &hosts,
                                             &one) < 0
      || subsystem_set_hosts (volume->subsystem, &hosts, true, &one) < 0)
    log_error ("%s", one.message);
  host_list_clear (&hosts);
}

static void
open_anew (struct pool *pool, struct volume *volume)
{
  struct error one;
  int r;

  if (volume_unserve (volume, "open", &one) < 0) {
    log_debug ("%s; it is to be opened anew", one.message);
    return;
  }
  r = volume_serve (pool->service, pool, volume, &one);
  if (r == 0)
    log_info ("%s/%s: was opened anew", pool->name, volume->name);
  else if (r != -EAGAIN)        /* it is forgotten until it can be */
    log_error ("%s; %s/%s is not served", one.message, pool->name,
               volume->name);
}

static void
refresh (struct pool *pool, struct volume *volume)
{
  struct error one;
  int changed;

  if (!volume->engine)
    return;
  changed = pool->ops->volume_refresh (volume->engine, &one);
  if (changed < 0) {
    log_warning ("%s", one.message);
    return;
  }
  if (changed & ENGINE_CHANGED_SIZE)
    subsystem_resized (volume->subsystem);
  if (changed & ENGINE_CHANGED_HOSTS)
    exchange_hosts (volume);
  if (changed & ENGINE_CHANGED_FENCED)
    subsystem_fenced_off (volume->subsystem);
  if (changed & ENGINE_CHANGED_ALL)
    open_anew (pool, volume);
}

static void
look (struct pool *pool)
{
  struct volume *volume;
  struct error one;
  int r;

  /* First what is open, for what it tells of its snapshots. */
  TAILQ_FOREACH (volume, &pool->volumes, link)
    refresh (pool, volume);
  do
    r = pool_refresh (pool, &one);
  while (r > 0);
  if (r < 0 && r != pool->last_look)    /* once */
    log_error ("%s", one.message);
  pool->last_look = r;
}

/* --- the keeper ------------------------------------------------------- */

static void *
keeper_main (void *arg)
{
  struct pool *pool = arg;
  struct engine_pool *engine;
  LOCK_SCOPE (&pool->lock);

  engine = pool->engine;
  while (pool->engine) {
    pthread_mutex_unlock (&pool->lock);
    pool->ops->pool_wait (engine);
    pthread_mutex_lock (&pool->lock);
    if (pool->engine)
      look (pool);
  }
  pool->keeping = false;
  pthread_cond_signal (&pool->kept);
  return NULL;
}

void
keeper_start (struct pool *pool)
{
  int r;

  if (!pool->ops->pool_wait)
    return;
  r = thread_start (&pool->keeper, NULL, keeper_main, pool);
  pool->keeping = r == 0;
  if (r < 0)
    log_error ("pool: %s: thread: %s; what others change is not seen",
               pool->name, strerror (-r));
}

void
keeper_stop (struct pool *pool, struct engine_pool *engine)
{
  assert (!pool->engine);
  if (!pool->keeping)
    return;
  pool->ops->pool_wake (engine);
  while (pool->keeping)
    pthread_cond_wait (&pool->kept, &pool->lock);
  pthread_join (pool->keeper, NULL);
}
