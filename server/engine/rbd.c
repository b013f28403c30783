/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: volumes are images of a Ceph pool.  Here are the slow
 * operations on volumes; the caller serialises them per pool, so nothing here
 * is locked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/engine/rbd-internal.h"

static int
fail (const char *what, const struct engine_pool *pool, const char *name,
      int code, struct error *err)
{
  return error_set (err, code, "%s: %s/%s: %s", what, pool->name, name,
                    code == ENOENT ? "no such volume" : strerror (code));
}

static bool
is_open (struct ceph_pool *pool, const char *name)
{
  struct ceph_volume *v;

  LIST_FOREACH (v, &pool->volumes, next)
    if (strcmp (v->volume.name, name) == 0)
      return true;
  return false;
}

/* Snapshots are made, changed and removed by Ceph's own means. */
static int
check_no_snapshot (const char *what, const struct engine_pool *pool,
                   const char *name, struct error *err)
{
  if (!strchr (name, '@'))
    return 0;
  return error_set (err, EROFS, "%s: %s/%s: is a snapshot: see rbd snap",
                    what, pool->name, name);
}

/* --- alone with an image ---------------------------------------------- */

static int
fail_shared (const char *what, const struct engine_pool *pool,
             const char *name, struct error *err)
{
  return error_set (err, EBUSY, "%s: %s/%s: attached at another gateway, or "
                    "open elsewhere: end that first (rbd status shows where)",
                    what, pool->name, name);
}

static const char *
find_twin (struct ceph_pool *pool, rbd_image_t image)
{
  char id[64], header[CEPH_HEADER_MAX];
  struct ceph_volume *v;

  if (rbd_get_id (image, id, sizeof id) < 0)
    return NULL;
  snprintf (header, sizeof header, CEPH_HEADER "%s", id);
  LIST_FOREACH (v, &pool->volumes, next)
    if (!v->is_snapshot && v->image != image && strcmp (v->header, header) == 0)
      return v->volume.name;
  return NULL;
}

/* By its old name, for as long as a host is attached by that. */
static int
check_no_twin (const char *what, struct ceph_pool *pool, const char *name,
               rbd_image_t image, struct error *err)
{
  const char *twin = find_twin (pool, image);

  if (!twin)
    return 0;
  return error_set (err, EBUSY, "%s: %s/%s: attached as %s, its old name: end "
                    "that first (qbd info %s/%s shows by whom)", what,
                    pool->pool.name, name, twin, pool->pool.name, twin);
}

/* Gateways where no host is attached let go of it, and no other opens it, until
 * ceph_set_leaving (image, false).  -EBUSY */
static int
be_alone (struct ceph_pool *pool, rbd_image_t image)
{
  const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
  uint64_t end_ms = clock_now_ms () + CEPH_REMOVE_S * 1000;
  int r;

  r = ceph_set_leaving (image, true);
  if (r < 0)
    return r;
  while ((r = ceph_is_shared (pool, image)) == 1 && clock_now_ms () < end_ms)
    nanosleep (&pause, NULL);   /* nobody tells */
  if (r != 0)
    ceph_set_leaving (image, false);
  return r == 1 ? -EBUSY : r;
}

/* --- create, remove, resize ------------------------------------------- */

static int
create_image (struct ceph_pool *pool, const char *name, uint64_t size_bytes)
{
  rbd_image_options_t options;
  int r;

  rbd_image_options_create (&options);
  r = rbd_create4 (pool->io, name, size_bytes, options);
  rbd_image_options_destroy (options);
  return r;
}

static int
store_block_size (struct ceph_pool *pool, const char *name,
                  uint32_t block_size)
{
  rbd_image_t image;
  int r = rbd_open (pool->io, name, &image, NULL);

  if (r < 0)
    return r;
  r = ceph_set_block_size (image, block_size);
  rbd_close (image);
  return r;
}

static int
volume_create (struct engine_pool *engine_pool, const char *name,
               uint64_t size_bytes, uint32_t block_size, struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  int r;

  r = create_image (pool, name, size_bytes);
  if (r == -EEXIST)
    return error_set (err, EEXIST, "create: %s/%s: volume exists already",
                      engine_pool->name, name);
  if (r < 0)
    return fail ("create", engine_pool, name, -r, err);
  r = block_size == 512 ? 0 : store_block_size (pool, name, block_size);
  if (r < 0) {
    rbd_remove (pool->io, name);
    return fail ("create", engine_pool, name, -r, err);
  }
  snprintf (pool->made, sizeof pool->made, "%s", name);
  return 0;
}

static int
set_leaving (struct ceph_pool *pool, const char *name, bool leaving)
{
  rbd_image_t image;
  int r = rbd_open (pool->io, name, &image, NULL);

  if (r < 0)
    return r;
  r = ceph_set_leaving (image, leaving);
  rbd_close (image);
  return r;
}

/* It is open elsewhere.  Gateways where no host is attached let go of it. */
static int
remove_open_image (struct ceph_pool *pool, const char *name)
{
  const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
  uint64_t end_ms = clock_now_ms () + CEPH_REMOVE_S * 1000;
  int r;

  r = set_leaving (pool, name, true);
  if (r < 0)
    return r;
  while ((r = rbd_remove (pool->io, name)) == -EBUSY
         && clock_now_ms () < end_ms)
    nanosleep (&pause, NULL);   /* nobody tells */
  if (r < 0)
    set_leaving (pool, name, false);
  return r;
}

/* By this server, too: nobody would let go. */
static int
check_no_twin_of (struct ceph_pool *pool, const char *name, struct error *err)
{
  rbd_image_t image;
  int r = rbd_open (pool->io, name, &image, NULL);

  if (r < 0)
    return fail ("rm", &pool->pool, name, -r, err);
  r = check_no_twin ("rm", pool, name, image, err);
  rbd_close (image);
  return r;
}

static int
volume_remove (struct engine_pool *engine_pool, const char *name,
               struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  int r;

  r = check_no_snapshot ("rm", engine_pool, name, err);
  if (r < 0)
    return r;
  if (is_open (pool, name))
    return error_set (err, EBUSY, "rm: %s/%s: volume is open",
                      engine_pool->name, name);
  r = rbd_remove (pool->io, name);
  if (r == -EBUSY) {
    r = check_no_twin_of (pool, name, err);
    if (r < 0)
      return r;
    r = remove_open_image (pool, name);
  }
  if (r == -EBUSY)
    return fail_shared ("rm", engine_pool, name, err);
  if (r == -ENOTEMPTY)
    return error_set (err, ENOTEMPTY, "rm: %s/%s: the image has snapshots: see "
                      "rbd snap ls", engine_pool->name, name);
  return r < 0 ? fail ("rm", engine_pool, name, -r, err) : 0;
}

static int
no_progress (uint64_t offset, uint64_t total, void *opaque)
{
  return 0;
}

/* librbd knows the real size, which we may not have seen yet: -EINVAL. */
static int
resize (struct engine_volume *volume, uint64_t size_bytes, bool may_shrink)
{
  return rbd_resize2 (ceph_volume (volume)->image, size_bytes, may_shrink,
                      no_progress, NULL);
}

/* What one call of librbd's removes: it has CEPH_LEAVING_S for that, ten
 * objects at a time. */
#define SHRINK_OBJECTS 1024

static uint64_t
next_size (const rbd_image_info_t *info, uint64_t end_bytes)
{
  uint64_t step_bytes = SHRINK_OBJECTS * info->obj_size;

  return info->size > end_bytes && info->size - end_bytes > step_bytes
    ? info->size - step_bytes : end_bytes;
}

/* Less first for requests, then for the image: it has its new size when all
 * that is cut off was removed. */
static int
shrink_step (struct engine_volume *volume, uint64_t end_bytes)
{
  rbd_image_t image = ceph_volume (volume)->image;
  rbd_image_info_t info;
  int r = rbd_stat (image, &info, sizeof info);

  if (r < 0)
    return r;
  atomic_store (&volume->size_bytes, next_size (&info, end_bytes));
  return resize (volume, volume->size_bytes, true);
}

/* Other gateways keep off for CEPH_LEAVING_S: each step asks for that anew. */
static int
shrink (struct engine_volume *volume, uint64_t size_bytes)
{
  rbd_image_t image = ceph_volume (volume)->image;
  int r;

  do {
    r = be_alone (ceph_pool (volume->pool), image);
    if (r < 0)
      return r;
    r = shrink_step (volume, size_bytes);
  } while (r == 0 && atomic_load (&volume->size_bytes) > size_bytes);
  ceph_set_leaving (image, false);
  return r;
}

static int
grow (struct engine_volume *volume, uint64_t size_bytes)
{
  int r = resize (volume, size_bytes, false);

  if (r == 0)
    atomic_store (&volume->size_bytes, size_bytes);
  return r;
}

/* It may have become smaller all the same. */
static int
fail_resize (struct engine_volume *volume, int code, struct error *err)
{
  ceph_look_again (ceph_volume (volume));
  if (code == EBUSY)
    return fail_shared ("resize", volume->pool, volume->name, err);
  if (code == EINVAL)
    return error_set (err, EBUSY, "resize: %s/%s: another server changed its "
                      "size: try again", volume->pool->name, volume->name);
  return fail ("resize", volume->pool, volume->name, code, err);
}

static int
volume_resize (struct engine_volume *volume, uint64_t size_bytes,
               struct error *err)
{
  bool shrinks = size_bytes < atomic_load (&volume->size_bytes);
  int r = check_no_snapshot ("resize", volume->pool, volume->name, err);

  if (r == 0 && shrinks)
    r = check_no_twin ("resize", ceph_pool (volume->pool), volume->name,
                       ceph_volume (volume)->image, err);
  if (r < 0)
    return r;
  r = shrinks ? shrink (volume, size_bytes) : grow (volume, size_bytes);
  return r < 0 ? fail_resize (volume, -r, err) : 0;
}

/* What a host has not written yet would be refused. */
static int
make_read_only (struct engine_pool *engine_pool, const char *name,
                rbd_image_t image, struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  int r = check_no_twin ("set", pool, name, image, err);

  if (r < 0)
    return r;
  r = be_alone (pool, image);
  if (r == -EBUSY)
    return fail_shared ("set", engine_pool, name, err);
  if (r == 0) {
    r = ceph_set_read_only (image, true);
    ceph_set_leaving (image, false);
  }
  return r < 0 ? fail ("set", engine_pool, name, -r, err) : 0;
}

static int
make_writable (struct engine_pool *engine_pool, const char *name,
               rbd_image_t image, struct error *err)
{
  int r = ceph_set_read_only (image, false);

  return r < 0 ? fail ("set", engine_pool, name, -r, err) : 0;
}

static int
volume_set_read_only (struct engine_pool *engine_pool, const char *name,
                      bool read_only, struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  rbd_image_t image;
  int r = check_no_snapshot ("set", engine_pool, name, err);

  if (r < 0)
    return r;
  if (is_open (pool, name))
    return error_set (err, EBUSY, "set: %s/%s: volume is open",
                      engine_pool->name, name);
  r = rbd_open (pool->io, name, &image, NULL);
  if (r < 0)
    return fail ("set", engine_pool, name, -r, err);
  r = read_only ? make_read_only (engine_pool, name, image, err)
    : make_writable (engine_pool, name, image, err);
  rbd_close (image);
  return r;
}

static int
volume_get_hosts (struct engine_volume *volume, struct host_list *hosts,
                  struct error *err)
{
  if (host_list_copy (hosts, &ceph_volume (volume)->hosts) < 0)
    return fail ("host", volume->pool, volume->name, ENOMEM, err);
  return 0;
}

static int
volume_read_hosts (struct engine_volume *volume, struct host_list *hosts,
                   struct error *err)
{
  int r = ceph_get_hosts (ceph_volume (volume)->image, hosts);

  return r < 0 ? fail ("host", volume->pool, volume->name, -r, err) : 0;
}

/* Our own watch tells the image's snapshots. */
static int
volume_set_hosts (struct engine_volume *volume,
                  const struct host_list *hosts, struct error *err)
{
  struct ceph_volume *v = ceph_volume (volume);
  struct host_list copy = { 0 };
  int r = check_no_snapshot ("host", volume->pool, volume->name, err);

  if (r < 0)
    return r;
  r = host_list_copy (&copy, hosts);
  if (r == 0)
    r = ceph_set_hosts (v->image, hosts);
  if (r < 0) {
    host_list_clear (&copy);
    return fail ("host", volume->pool, volume->name, -r, err);
  }
  host_list_clear (&v->hosts);
  v->hosts = copy;
  return 0;
}

/* --- open and close --------------------------------------------------- */

static void
free_volume (struct ceph_volume *v)
{
  host_list_clear (&v->hosts);
  pthread_mutex_destroy (&v->lock);
  free (v->objects);
  free (v->header);
  free (v);
}

static int
volume_open (struct engine_pool *engine_pool, const char *name,
             struct engine_volume **volume, struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  struct ceph_volume *v;
  int r;

  if (is_open (pool, name))
    return error_set (err, EBUSY, "open: %s/%s: volume is open already",
                      engine_pool->name, name);
  if (strlen (name) >= ENGINE_NAME_MAX)
    return fail ("open", engine_pool, name, ENAMETOOLONG, err);
  v = calloc (1, sizeof *v);
  if (!v)
    return fail ("open", engine_pool, name, ENOMEM, err);
  v->volume.ops = &engine_rbd;
  v->volume.pool = engine_pool;
  strcpy (v->volume.name, name);
  pthread_mutex_init (&v->lock, NULL);
  TAILQ_INIT (&v->calls);
  r = ceph_open_image (v);
  pool->made[0] = '\0';
  if (r < 0) {
    free_volume (v);
    return fail ("open", engine_pool, name, -r, err);
  }
  LIST_INSERT_HEAD (&pool->volumes, v, next);
  *volume = &v->volume;
  return 0;
}

/* librbd never closes an image that is lost: it, and what waits in it, is left
 * to the end of the process. */
static void
volume_close (struct engine_volume *volume)
{
  struct ceph_pool *pool = ceph_pool (volume->pool);
  struct ceph_volume *v = ceph_volume (volume);
  int r;

  LIST_REMOVE (v, next);
  if (atomic_load (&v->is_lost) && !v->is_snapshot) {
    pool->is_stuck = true;
    return;
  }
  if (!v->is_snapshot)
    snprintf (pool->finished, sizeof pool->finished, "%s", v->header);
  ceph_unwatch (v);
  r = rbd_close (v->image);
  if (r < 0)
    log_warning ("close: %s/%s: %s", volume->pool->name, volume->name,
                 strerror (-r));
  free_volume (v);
}

const struct engine_ops engine_rbd = {
  .name = "rbd",
  .pool_check_argument = ceph_pool_check_argument,
  .pool_paths = ceph_pool_paths,
  .connects = true,
  .pool_open = ceph_pool_open,
  .pool_close = ceph_pool_close,
  .pool_stat = ceph_pool_stat,
  .pool_wait = ceph_pool_wait,
  .pool_wake = ceph_pool_wake,
  .volume_refresh = ceph_volume_refresh,
  .pool_ask_gateway = ceph_ask_gateway,
  .volume_each = ceph_volume_each,
  .volume_create = volume_create,
  .volume_remove = volume_remove,
  .volume_open = volume_open,
  .volume_close = volume_close,
  .volume_resize = volume_resize,
  .volume_allocated = ceph_volume_allocated,
  .volume_set_read_only = volume_set_read_only,
  .volume_get_hosts = volume_get_hosts,
  .volume_set_hosts = volume_set_hosts,
  .volume_read_hosts = volume_read_hosts,
  .submit = ceph_submit,
  .allocated = ceph_allocated,
};
