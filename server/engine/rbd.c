/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: volumes are images of a Ceph pool.  Here are the slow
 * operations on volumes; the caller serialises them per pool, so nothing here
 * is locked.
 *
 * A volume's UUID is made of the pool's domain and of the prefix of the image's
 * objects, which no other image of the pool ever has: it survives a rename, it
 * is the same on every gateway, and a clone's or a copy's is another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uuid/uuid.h>

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
  return 0;
}

static int
volume_remove (struct engine_pool *engine_pool, const char *name,
               struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  int r;

  if (is_open (pool, name))
    return error_set (err, EBUSY, "rm: %s/%s: volume is open",
                      engine_pool->name, name);
  r = rbd_remove (pool->io, name);
  if (r == -EBUSY)
    return error_set (err, EBUSY, "rm: %s/%s: the image is open elsewhere: see "
                      "rbd status", engine_pool->name, name);
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

static int
volume_resize (struct engine_volume *volume, uint64_t size_bytes,
               struct error *err)
{
  uint64_t old_bytes = atomic_load (&volume->size_bytes);
  int r;

  /* Less first for requests, then for the image; more the other way. */
  if (size_bytes < old_bytes)
    atomic_store (&volume->size_bytes, size_bytes);
  r = rbd_resize2 (ceph_volume (volume)->image, size_bytes, true, no_progress,
                   NULL);
  atomic_store (&volume->size_bytes, r == 0 ? size_bytes : old_bytes);
  return r < 0 ? fail ("resize", volume->pool, volume->name, -r, err) : 0;
}

static int
volume_set_read_only (struct engine_pool *engine_pool, const char *name,
                      bool read_only, struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  rbd_image_t image;
  int r;

  if (is_open (pool, name))
    return error_set (err, EBUSY, "set: %s/%s: volume is open",
                      engine_pool->name, name);
  r = rbd_open (pool->io, name, &image, NULL);
  if (r == 0) {
    r = ceph_set_read_only (image, read_only);
    rbd_close (image);
  }
  return r < 0 ? fail ("set", engine_pool, name, -r, err) : 0;
}

/* --- open and close --------------------------------------------------- */

/* An image, or its pool, may say otherwise than the client's options do, and
 * is heard by librbd. */
static int
find_cache (struct ceph_volume *v)
{
  rbd_config_option_t *options;
  int nr = 256, r;

  do {
    options = calloc ((size_t) nr, sizeof *options);
    if (!options)
      return -ENOMEM;
    r = rbd_config_image_list (v->image, options, &nr);
    if (r < 0)
      free (options);
  } while (r == -ERANGE);
  if (r < 0)
    return r;
  for (int i = 0; i < nr; i++)
    if (strcmp (options[i].name, "rbd_cache") == 0)
      v->has_cache = strcmp (options[i].value, "true") == 0;
  rbd_config_image_list_cleanup (options, nr);
  free (options);
  if (v->has_cache)
    log_warning ("open: %s/%s: the image's configuration has rbd_cache on: its "
                 "writes are stable only when flushed",
                 v->volume.pool->name, v->volume.name);
  return 0;
}

static int
identify (struct ceph_volume *v)
{
  uuid_t domain, uuid;
  rbd_image_info_t info;
  int r;

  r = rbd_stat (v->image, &info, sizeof info);
  if (r < 0)
    return r;
  atomic_init (&v->volume.size_bytes,
               info.size - info.size % v->volume.block_size);
  if (uuid_parse (v->volume.pool->domain, domain) < 0)
    return -EINVAL;
  uuid_generate_sha1 (uuid, domain, info.block_name_prefix,
                      strlen (info.block_name_prefix));
  uuid_unparse_lower (uuid, v->volume.uuid);
  return 0;
}

static int
fill_volume (struct ceph_volume *v)
{
  struct ceph_settings settings;
  int r;

  r = ceph_get_settings (v->image, &settings);
  if (r < 0)
    return r;
  v->volume.block_size = settings.block_size;
  v->volume.read_only = settings.read_only;
  v->volume.unmaps = true;
  r = identify (v);
  return r < 0 ? r : find_cache (v);
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
  v = calloc (1, sizeof *v);
  if (!v)
    return fail ("open", engine_pool, name, ENOMEM, err);
  v->volume.ops = &engine_rbd;
  v->volume.pool = engine_pool;
  snprintf (v->volume.name, sizeof v->volume.name, "%s", name);
  r = rbd_open (pool->io, name, &v->image, NULL);
  if (r == 0) {
    r = fill_volume (v);
    if (r < 0)
      rbd_close (v->image);
  }
  if (r < 0) {
    free (v);
    return fail ("open", engine_pool, name, -r, err);
  }
  LIST_INSERT_HEAD (&pool->volumes, v, next);
  *volume = &v->volume;
  return 0;
}

static void
volume_close (struct engine_volume *volume)
{
  struct ceph_volume *v = ceph_volume (volume);
  int r;

  LIST_REMOVE (v, next);
  r = rbd_close (v->image);
  if (r < 0)
    log_warning ("close: %s/%s: %s", volume->pool->name, volume->name,
                 strerror (-r));
  free (v);
}

const struct engine_ops engine_rbd = {
  .name = "rbd",
  .pool_open = ceph_pool_open,
  .pool_close = ceph_pool_close,
  .pool_stat = ceph_pool_stat,
  .volume_each = ceph_volume_each,
  .volume_create = volume_create,
  .volume_remove = volume_remove,
  .volume_open = volume_open,
  .volume_close = volume_close,
  .volume_resize = volume_resize,
  .volume_allocated = ceph_volume_allocated,
  .volume_set_read_only = volume_set_read_only,
  .volume_get_hosts = ceph_get_hosts,
  .volume_set_hosts = ceph_set_hosts,
  .submit = ceph_submit,
  .allocated = ceph_allocated,
};
