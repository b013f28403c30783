/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: create, resize, set and remove.
 *
 * The order between engine and target is what makes a failure in the middle
 * harmless: a volume is on stable storage before a host can see it, and no
 * host can see it any more before its storage goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "nvmeof/nqn.h"
#include "server/control/volumes-internal.h"

static int
check_size (const char *what, const char *name, int64_t size_bytes,
            uint32_t block_size, struct error *err)
{
  if (size_bytes < 0)
    return error_set (err, EINVAL, "%s: %s: size %" PRIi64 " is negative",
                      what, name, size_bytes);
  if (size_bytes == 0)
    return error_set (err, EINVAL, "%s: %s: size is 0", what, name);
  if (size_bytes % block_size != 0)
    return error_set (err, EINVAL, "%s: %s: size %" PRIi64
                      " is no multiple of the block size %u",
                      what, name, size_bytes, block_size);
  return 0;
}

static int
check_create (struct pool *pool, const char *name, const char *vol,
              int64_t size_bytes, int64_t block_size, struct error *err)
{
  char nqn[NVMEOF_NQN_MAX + 1];
  int r;

  if (strchr (vol, '@'))
    return error_set (err, EINVAL, "create: %s: a volume's name cannot hold "
                      "'@': that is a snapshot's", name);
  if (block_size != 512 && block_size != 4096)
    return error_set (err, EINVAL, "create: %s: block size %" PRIi64
                      " is neither 512 nor 4096", name, block_size);
  r = check_size ("create", name, size_bytes, block_size, err);
  if (r < 0)
    return r;
  return nqn_of_volume (pool->domain, pool->name, vol,
                        nqn, err);
}

/* After the engine made it: put it in the list and serve it. */
static int
serve_new (struct volumes *volumes, struct pool *pool, const char *vol,
           struct volume **volume, struct error *err)
{
  int r;

  *volume = pool_insert_volume (pool, vol);
  if (!*volume)
    return error_set (err, ENOMEM, "create: %s/%s: out of memory",
                      pool->name, vol);
  r = volume_serve (volumes, pool, *volume, err);
  if (r < 0)
    pool_forget_volume (pool, *volume);
  return r;
}

int
volumes_create (struct volumes *volumes, const char *name,
                int64_t size_bytes, int64_t block_size,
                volumes_each_fn *each, void *opaque, struct error *err)
{
  char vol[NVMEOF_NQN_MAX + 1];
  const struct engine_ops *ops;
  struct volume *volume;
  struct error undo;
  CLEANUP_POOL struct pool *pool = NULL;
  int r;

  r = volumes_enter (volumes, "create", name, &pool, vol, err);
  if (r < 0)
    return r;
  r = check_create (pool, name, vol, size_bytes, block_size, err);
  if (r < 0)
    return r;
  ops = pool->engine->ops;
  if (pool_find_volume (pool, "create", vol, &undo))
    return error_set (err, EEXIST, "create: %s: volume exists already",
                      name);
  r = ops->volume_create (pool->engine, vol, size_bytes, block_size, err);
  if (r < 0)
    return r;
  r = serve_new (volumes, pool, vol, &volume, err);
  if (r < 0) {
    if (ops->volume_remove (pool->engine, vol, &undo) < 0)
      log_error ("%s", undo.message);
    return r;
  }
  log_info ("create: %s: %" PRIi64 " bytes", name, size_bytes);
  volume_tell (pool, volume, each, opaque);
  return 0;
}

/* An engine could not even open it for writing.  A snapshot cannot be made
 * writable, as its engine says. */
static int
check_writable (const struct volume *volume, const char *name,
                struct error *err)
{
  if (!volume->engine->read_only || strchr (volume->name, '@'))
    return 0;
  return error_set (err, EROFS, "resize: %s: is read-only (qbd set %s "
                    "read_only=off)", name, name);
}

static int
shrink (struct volume *volume, uint64_t size_bytes, struct error *err)
{
  int r;

  /* The engine wants no request to run meanwhile: no host, no request. */
  r = subsystem_bar (volume->subsystem, "resize", err);
  if (r < 0)
    return r;
  r = volume->engine->ops->volume_resize (volume->engine, size_bytes, err);
  subsystem_unbar (volume->subsystem);
  return r;
}

int
volumes_resize (struct volumes *volumes, const char *name,
                int64_t size_bytes, bool may_shrink,
                volumes_each_fn *each, void *opaque, struct error *err)
{
  char vol[NVMEOF_NQN_MAX + 1];
  struct volume *volume;
  CLEANUP_POOL struct pool *pool = NULL;
  uint64_t old_bytes;
  int r;

  r = volumes_enter (volumes, "resize", name, &pool, vol, err);
  if (r < 0)
    return r;
  volume = pool_find_volume (pool, "resize", vol, err);
  if (!volume)
    return -ENOENT;
  r = volume_check_served (volume, "resize", name, err);
  if (r == 0)
    r = check_writable (volume, name, err);
  if (r == 0)
    r = check_size ("resize", name, size_bytes, volume->engine->block_size,
                    err);
  if (r < 0)
    return r;
  old_bytes = volume->engine->size_bytes;
  if ((uint64_t) size_bytes < old_bytes) {
    if (!may_shrink)
      return error_set (err, EINVAL, "resize: %s: size %" PRIi64
                        " is below the %" PRIu64 " bytes it has, and cuts "
                        "off data: say --shrink", name, size_bytes,
                        old_bytes);
    r = shrink (volume, size_bytes, err);
  }
  else if ((uint64_t) size_bytes > old_bytes)
    r = volume->engine->ops->volume_resize (volume->engine, size_bytes, err);
  if (r < 0)
    return r;
  if ((uint64_t) size_bytes != old_bytes)
    subsystem_resized (volume->subsystem);
  volume_tell (pool, volume, each, opaque);
  return 0;
}

/* What the engine says of a volume it says when it opens it. */
int
volumes_set_read_only (struct volumes *volumes, const char *name,
                       bool read_only, volumes_each_fn *each, void *opaque,
                       struct error *err)
{
  char vol[NVMEOF_NQN_MAX + 1];
  struct volume *volume;
  struct error again;
  CLEANUP_POOL struct pool *pool = NULL;
  int r;

  r = volumes_enter (volumes, "set", name, &pool, vol, err);
  if (r < 0)
    return r;
  volume = pool_find_volume (pool, "set", vol, err);
  if (!volume)
    return -ENOENT;
  r = volume_check_served (volume, "set", name, err);
  if (r == 0 && volume->engine->read_only != read_only) {
    r = volume_unserve (volume, "set", err);
    if (r < 0)
      return r;
    r = pool->engine->ops->volume_set_read_only (pool->engine, vol,
                                                 read_only, err);
    if (volume_serve (volumes, pool, volume, &again) < 0) {
      log_error ("%s; %s is not served", again.message, name);
      if (r == 0)
        r = error_set (err, again.code, "%s", again.message);
    }
    if (r == 0)
      log_info ("set: %s: read_only=%s", name, read_only ? "on" : "off");
  }
  if (r == 0)
    volume_tell (pool, volume, each, opaque);
  return r;
}

/* Without the pool's lock while it waits: storage that hangs must not keep
 * anybody from looking at the pool.  So each time round all is found anew.
 * Returns with the pool entered and its volume's hosts gone, or an error. */
static int
fence (struct volumes *volumes, const char *name, struct pool **entered,
       char *vol, struct error *err)
{
  uint64_t deadline_ms = clock_now_ms () + VOLUMES_FENCE_S * 1000, seen;
  bool again = false, late;
  struct volume *volume;
  struct pool *pool;
  unsigned left;
  int r;

  for (;;) {
    r = volumes_enter (volumes, "rm", name, &pool, vol, err);
    if (r < 0)
      return r;
    volume = pool_find_volume (pool, "rm", vol, err);
    r = volume ? 0 : -ENOENT;
    if (r < 0 || !volume->engine)
      break;
    late = clock_now_ms () >= deadline_ms;
    r = subsystem_fence (volume->subsystem, "rm", again, &left, &seen, err);
    if (r < 0 || left == 0)
      break;
    if (late) {
      subsystem_unbar (volume->subsystem);
      r = error_set (err, EBUSY, "rm: %s: requests of %u hosts are in flight "
                     "still, after %u s: try again", name, left,
                     VOLUMES_FENCE_S);
      break;
    }
    again = true;
    pool_leave (pool);
    target_await_left (volumes->target, seen, deadline_ms);
  }
  if (r < 0)
    pool_leave (pool);
  else
    *entered = pool;
  return r;
}

int
volumes_remove (struct volumes *volumes, const char *name, bool force,
                struct error *err)
{
  char vol[NVMEOF_NQN_MAX + 1];
  struct volume *volume;
  struct error undo;
  CLEANUP_POOL struct pool *pool = NULL;
  int r;

  r = force ? fence (volumes, name, &pool, vol, err)
    : volumes_enter (volumes, "rm", name, &pool, vol, err);
  if (r < 0)
    return r;
  volume = pool_find_volume (pool, "rm", vol, err);
  if (!volume)
    return -ENOENT;
  r = volume_unserve (volume, "rm", err);
  if (r < 0)
    return r;
  r = pool->engine->ops->volume_remove (pool->engine, vol, err);
  if (r < 0) {
    if (volume_serve (volumes, pool, volume, &undo) < 0)
      log_error ("%s; %s is not served", undo.message, name);
    return r;
  }
  pool_forget_volume (pool, volume);
  log_info ("rm: %s", name);
  return 0;
}
