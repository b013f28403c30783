/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: what others change.  An image's watch tells that something
 * of it has changed (its size, its metadata, its snapshots), in a thread of
 * librbd's; of images that come and go nobody tells.  Both wake who waits for
 * the pool, and that looks what it was.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/engine/rbd-internal.h"

/* --- waiting ---------------------------------------------------------- */

void
ceph_live_init (struct ceph_pool *pool)
{
  pthread_condattr_t attr;

  pthread_mutex_init (&pool->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&pool->woken, &attr);
  pthread_cond_init (&pool->learnt, &attr);
  pthread_condattr_destroy (&attr);
}

void
ceph_live_exit (struct ceph_pool *pool)
{
  pthread_cond_destroy (&pool->learnt);
  pthread_cond_destroy (&pool->woken);
  pthread_mutex_destroy (&pool->lock);
}

void
ceph_pool_wake (struct engine_pool *engine_pool)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  LOCK_SCOPE (&pool->lock);

  pool->wake = true;
  pthread_cond_signal (&pool->woken);
}

/* Or until the time is over. */
static void
wait_for_wake (struct ceph_pool *pool)
{
  LOCK_SCOPE (&pool->lock);
  unsigned wait_s = pool->is_unfinished ? 1 : CEPH_POLL_S;
  const struct timespec limit =
    clock_timespec (clock_now_ms () + wait_s * 1000);
  int r = 0;

  pool->is_unfinished = false;
  while (!pool->wake && r == 0)
    r = pthread_cond_timedwait (&pool->woken, &pool->lock, &limit);
  pool->wake = false;
}

/* While the cluster does not answer nobody shall wait for it with the pool
 * locked: so whoever looks, looks here first. */
static void
wait_for_cluster (struct ceph_pool *pool)
{
  uint64_t bytes;
  time_t changed;
  int r = rados_stat (pool->io, CEPH_POOL_OBJECT, &bytes, &changed);

  /* EBLOCKLISTED: whoever took an image's lock from us, because we did not
   * answer, made sure that nothing of ours is written any more. */
  if (r == -ESHUTDOWN && !atomic_exchange (&pool->pool.is_fenced, true))
    log_error ("pool: %s: rbd: this server did not answer, and another fenced "
               "it (ceph osd blocklist): requests fail until it is restarted",
               pool->pool.name);
  /* Before somebody needs to know them: the monitors may be away then. */
  if (r == 0)
    ceph_know_fences (pool, CEPH_LEARN_MS);
  /* What could not be looked at then remembers that itself. */
  atomic_store (&pool->is_suspect, r < 0);
}

void
ceph_pool_wait (struct engine_pool *engine_pool)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);

  atomic_store (&pool->is_kept, true);
  wait_for_wake (pool);
  wait_for_cluster (pool);
  ceph_renew_lease (pool);
}

/* --- watching an image ------------------------------------------------ */

void
ceph_look_again (struct ceph_volume *v)
{
  if (!atomic_exchange (&v->changed, true))
    ceph_pool_wake (v->volume.pool);
}

/* A thread of librbd's. */
static void
image_changed (void *arg)
{
  ceph_look_again (arg);
}

int
ceph_watch (struct ceph_volume *v)
{
  return rbd_update_watch (v->image, &v->watch, image_changed, v);
}

void
ceph_unwatch (struct ceph_volume *v)
{
  rbd_update_unwatch (v->image, v->watch);
}

/* --- what has changed ------------------------------------------------- */

static bool
same_hosts (const struct host_list *a, const struct host_list *b)
{
  if (a->masked != b->masked || a->nr != b->nr)
    return false;
  for (unsigned i = 0; i < a->nr; i++)
    if (strcmp (a->names[i], b->names[i]) != 0)
      return false;
  return true;
}

static int
refresh_hosts (struct ceph_volume *v)
{
  struct host_list hosts = { 0 };
  int r = ceph_get_hosts (v->image, &hosts);

  if (r < 0)
    return r;
  if (same_hosts (&hosts, &v->hosts)) {
    host_list_clear (&hosts);
    return 0;
  }
  host_list_clear (&v->hosts);
  v->hosts = hosts;
  return ENGINE_CHANGED_HOSTS;
}

static int
refresh_size (struct ceph_volume *v)
{
  uint64_t bytes;
  int r = rbd_get_size (v->image, &bytes);

  if (r < 0)
    return r;
  bytes -= bytes % v->volume.block_size;
  if (bytes == atomic_load (&v->volume.size_bytes))
    return 0;
  atomic_store (&v->volume.size_bytes, bytes);
  return ENGINE_CHANGED_SIZE;
}

static int
refresh_settings (struct ceph_volume *v)
{
  struct ceph_settings settings;
  int r;

  r = ceph_get_settings (v->image, &settings);
  if (r < 0)
    return r;
  if (v->is_snapshot) {
    v->is_stale = settings.leaving;
    return 0;
  }
  atomic_store (&v->refuses_writes,
                settings.read_only || settings.non_primary);
  v->is_stale = settings.read_only != v->was_set_read_only
    || settings.non_primary != v->was_non_primary || settings.leaving;
  return 0;
}

/* The end of a promotion is told to nobody, and librbd keeps what it read: so
 * the image's object is asked itself. */
static bool
is_promoted (struct ceph_volume *v)
{
  struct ceph_pool *pool = ceph_pool (v->volume.pool);
  /* As cls_rbd's get_features has them: of the image, not of a snapshot; for
   * reading.  Out: its features, and those that are not compatible. */
  const struct {
    uint64_t snapshot;
    uint8_t read_only;
  } __attribute__ ((packed)) in = { htole64 (LIBRADOS_SNAP_HEAD), 1 };
  uint64_t out[2];

  return rados_exec (pool->io, v->header, "rbd", "get_features",
                     (const char *) &in, sizeof in,
                     (char *) out, sizeof out) == (int) sizeof out
    && !(le64toh (out[0]) & RBD_FEATURE_NON_PRIMARY);
}

static int
find_snapshot (struct ceph_volume *v)
{
  rbd_snap_info_t *snapshots;
  int nr = ceph_list_snapshots (v->image, &snapshots);
  bool found = false;

  if (nr < 0)
    return nr;
  for (int i = 0; i < nr; i++)
    found = found || snapshots[i].id == v->snapshot;
  ceph_free_snapshots (snapshots);
  return found ? 0 : -ENOENT;
}

/* The image's header, or the snapshot, is not there.  Or this server is fenced:
 * then librbd gets no more requests. */
static int
find_loss (struct ceph_volume *v)
{
  uint64_t bytes;
  time_t changed;
  int r;

  if (atomic_load (&v->volume.pool->is_fenced)) {
    atomic_store (&v->is_lost, true);
    ceph_ask_osds (v);
    return ENGINE_CHANGED_FENCED;
  }
  r = rados_stat (ceph_pool (v->volume.pool)->io, v->header, &bytes,
                  &changed);
  if (r == 0 && v->is_snapshot)
    r = find_snapshot (v);
  if (r != -ENOENT)
    return r;
  if (!atomic_exchange (&v->is_lost, true)) {
    log_error ("%s/%s: the %s is gone: requests fail", v->volume.pool->name,
               v->volume.name, v->is_snapshot ? "snapshot" : "image");
    ceph_abandon (v);
  }
  return ENGINE_CHANGED_ALL;
}

int
ceph_volume_refresh (struct engine_volume *volume, struct error *err)
{
  static int (*const parts[]) (struct ceph_volume *v) = {
    refresh_hosts, refresh_size, refresh_settings, ceph_know_objects,
  };
  struct ceph_volume *v = ceph_volume (volume);
  int changed, r;

  /* It may have to be said again: who was attached may be so no more.  One
   * that is fenced cannot be opened anew. */
  if (atomic_load (&v->is_lost) && atomic_load (&volume->pool->is_fenced)) {
    ceph_ask_osds (v);
    return 0;
  }
  if (atomic_load (&v->is_lost))
    return ENGINE_CHANGED_ALL;
  if (v->was_non_primary && !v->is_snapshot && is_promoted (v)) {
    v->is_stale = true;
    return ENGINE_CHANGED_ALL;
  }
  if (!atomic_exchange (&v->changed, false)
      && !atomic_load (&ceph_pool (volume->pool)->is_suspect))
    return v->is_stale ? ENGINE_CHANGED_ALL : 0;
  changed = r = find_loss (v);
  if (r > 0)
    return r;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0] && r >= 0; i++) {
    r = parts[i] (v);
    if (r > 0)
      changed |= r;
  }
  if (r < 0) {
    atomic_store (&v->changed, true);
    return error_set (err, -r, "%s/%s: %s", volume->pool->name, volume->name,
                      strerror (-r));
  }
  return changed | (v->is_stale ? ENGINE_CHANGED_ALL : 0);
}
