/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `file`: volumes are sparse files in a directory.  Here are the slow
 * operations on volumes; the caller serialises them per pool, so nothing
 * here is locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/size.h"
#include "server/engine/file-internal.h"
#include "server/engine/sparse.h"
#include "server/engine/volume-name.h"

void
file_name_of (const char *volume, char file[FILE_NAME_BYTES])
{
  snprintf (file, FILE_NAME_BYTES, "%s.raw", volume);
}

int
file_unlink (struct file_pool *pool, const char *name)
{
  char file[FILE_NAME_BYTES];

  file_name_of (name, file);
  if (unlinkat (pool->volumes_fd, file, 0) < 0 && errno != ENOENT)
    return -errno;
  /* What comes back after a crash has its row, in state UNFINISHED. */
  if (fsync (pool->volumes_fd) < 0)
    log_warning ("pool: %s/volumes: fsync: %s", pool->path,
                 strerror (errno));
  return 0;
}

static int
fail (const char *what, const struct engine_pool *pool, const char *name,
      int code, struct error *err)
{
  return error_set (err, code, "%s: %s/%s: %s", what, pool->name, name,
                    strerror (code));
}

/* Names were checked before they came here; a mistake there must not reach
 * other directories. */
static int
check_name (const char *what, const struct engine_pool *pool,
            const char *name, struct error *err)
{
  if (strlen (name) >= ENGINE_NAME_MAX)
    return fail (what, pool, name, ENAMETOOLONG, err);
  if (!volume_name_fits (name))
    return fail (what, pool, name, EINVAL, err);
  return 0;
}

static int
find (const char *what, struct engine_pool *pool, const char *name,
      struct volume_row *row, struct error *err)
{
  int r = check_name (what, pool, name, err);

  if (r < 0)
    return r;
  r = catalogue_find (file_pool (pool)->catalogue, name, row, err);
  if (r == -ENOENT)
    error_set (err, ENOENT, "%s: %s/%s: no such volume", what, pool->name,
               name);
  return r;
}

static bool
is_open (struct file_pool *pool, const char *name)
{
  struct file_volume *v;

  LIST_FOREACH (v, &pool->volumes, next)
    if (strcmp (v->volume.name, name) == 0)
      return true;
  return false;
}

static int
pool_stat (struct engine_pool *pool, struct engine_pool_stat *stat,
           struct error *err)
{
  struct statvfs st;

  if (fstatvfs (file_pool (pool)->volumes_fd, &st) < 0)
    return error_set (err, errno, "pool: %s: %s", pool->name,
                      strerror (errno));
  stat->capacity_bytes = (uint64_t) st.f_blocks * st.f_frsize;
  stat->free_bytes = (uint64_t) st.f_bavail * st.f_frsize;
  return 0;
}

static int
volume_each (struct engine_pool *pool,
             int (*each) (void *opaque, const char *name), void *opaque,
             struct error *err)
{
  return catalogue_each (file_pool (pool)->catalogue, VOLUME_READY, each,
                         opaque, err);
}

/* --- size ------------------------------------------------------------- */

static int
set_size (const char *what, const struct engine_pool *pool, const char *name,
          int fd, uint64_t size_bytes, struct error *err)
{
  char size[32];
  int code = EFBIG;

  if (size_bytes <= INT64_MAX) {
    if (ftruncate (fd, (off_t) size_bytes) == 0)
      return fsync (fd) < 0 ? fail (what, pool, name, errno, err) : 0;
    code = errno == EINVAL ? EFBIG : errno;
  }
  if (code != EFBIG)
    return fail (what, pool, name, code, err);
  return error_set (err, EFBIG, "%s: %s/%s: %s is beyond what the file system "
                    "of %s can hold in one file", what, pool->name, name,
                    size_format (size_bytes, size, sizeof size),
                    ((const struct file_pool *) pool)->path);
}

static int
volume_resize (struct engine_volume *volume, uint64_t size_bytes,
               struct error *err)
{
  struct catalogue *catalogue = file_pool (volume->pool)->catalogue;
  uint64_t old_bytes = atomic_load (&volume->size_bytes);
  bool shrinks = size_bytes < old_bytes;
  struct error one;
  int r = 0;

  if (!file_is_whole (file_volume (volume)))
    return error_set (err, EIO, "resize: %s/%s: its file is shorter than the "
                      "volume: stop the server and restore the file",
                      volume->pool->name, volume->name);
  /* Less first for requests and the catalogue, then for the file; more the
   * other way.  The catalogue may know less than there is, never more. */
  if (shrinks) {
    atomic_store (&volume->size_bytes, size_bytes);
    r = catalogue_set_size (catalogue, volume->name, size_bytes, err);
  }
  if (r == 0)
    r = set_size ("resize", volume->pool, volume->name,
                  file_volume (volume)->fd, size_bytes, err);
  atomic_store (&volume->size_bytes, r == 0 ? size_bytes : old_bytes);
  if (r == 0 && !shrinks) {
    catalogue_want_sizes (catalogue);
    if (catalogue_set_size (catalogue, volume->name, size_bytes, &one) < 0)
      log_warning ("%s", one.message);
  }
  return r;
}

static int
volume_allocated (struct engine_volume *volume, uint64_t *allocated_bytes,
                  struct error *err)
{
  struct stat st;

  if (fstat (file_volume (volume)->fd, &st) < 0)
    return fail ("info", volume->pool, volume->name, errno, err);
  *allocated_bytes = (uint64_t) st.st_blocks * 512;
  return 0;
}

/* --- create and remove ------------------------------------------------ */

static int
make_file (struct file_pool *pool, const char *name, uint64_t size_bytes,
           struct error *err)
{
  char file[FILE_NAME_BYTES];
  CLEANUP_CLOSE int fd = -1;
  int r;

  file_name_of (name, file);
  fd = openat (pool->volumes_fd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
               O_NOFOLLOW, 0600);
  if (fd < 0)
    return fail ("create", &pool->pool, name, errno, err);
  r = set_size ("create", &pool->pool, name, fd, size_bytes, err);
  if (r == 0 && fsync (pool->volumes_fd) < 0)
    r = fail ("create", &pool->pool, name, errno, err);
  return r;
}

/* A file without a row is not ours: never touched, so never in the way. */
static int
check_no_file (struct file_pool *pool, const char *name, struct error *err)
{
  char file[FILE_NAME_BYTES];

  file_name_of (name, file);
  if (faccessat (pool->volumes_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return error_set (err, EEXIST, "create: %s/%s: %s/volumes/%s is there and "
                      "belongs to no volume: move it away", pool->pool.name,
                      name, pool->path, file);
  return 0;
}

/* What an earlier create or removal could not clean up.  On failure it is
 * there still. */
static int
reclaim (struct file_pool *pool, const char *name, struct error *err)
{
  int r = catalogue_is_unfinished (pool->catalogue, name, err);

  if (r <= 0)
    return r;
  r = file_unlink (pool, name);
  if (r < 0)
    return error_set (err, -r, "create: %s/%s: what is left of an earlier "
                      "volume cannot be removed: %s", pool->pool.name, name,
                      strerror (-r));
  return catalogue_delete (pool->catalogue, name, err);
}

static int
volume_create (struct engine_pool *engine_pool, const char *name,
               uint64_t size_bytes, uint32_t block_size, struct error *err)
{
  struct file_pool *pool = file_pool (engine_pool);
  struct volume_row row;
  struct error ignored;
  uuid_t uuid;
  int r;

  r = find ("create", engine_pool, name, &row, err);
  if (r == 0)
    return error_set (err, EEXIST, "create: %s/%s: volume exists already",
                      engine_pool->name, name);
  if (r != -ENOENT)
    return r;
  r = file_check_block_size (pool, name, block_size, err);
  if (r == 0)
    r = reclaim (pool, name, err);
  if (r == 0)
    r = check_no_file (pool, name, err);
  if (r < 0)
    return r;

  row = (struct volume_row) {
    .block_size = block_size, .size_bytes = size_bytes,
  };
  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, row.uuid);
  catalogue_want_sizes (pool->catalogue);
  r = catalogue_insert (pool->catalogue, name, &row, err);
  if (r < 0)
    return r;
  r = make_file (pool, name, size_bytes, err);
  if (r == 0)
    r = catalogue_set_state (pool->catalogue, name, VOLUME_READY, err);
  /* Where this fails too, the next create or start does it. */
  if (r < 0 && file_unlink (pool, name) == 0)
    catalogue_delete (pool->catalogue, name, &ignored);
  return r;
}

static int
volume_remove (struct engine_pool *engine_pool, const char *name,
               struct error *err)
{
  struct file_pool *pool = file_pool (engine_pool);
  struct volume_row row;
  struct error undo;
  int r;

  r = find ("rm", engine_pool, name, &row, err);
  if (r < 0)
    return r;
  if (is_open (pool, name))
    return error_set (err, EBUSY, "rm: %s/%s: volume is open",
                      engine_pool->name, name);
  r = catalogue_set_state (pool->catalogue, name, VOLUME_UNFINISHED, err);
  if (r < 0)
    return r;
  r = file_unlink (pool, name);
  if (r < 0) {
    /* All of it is there still, and it goes on being a volume. */
    if (catalogue_set_state (pool->catalogue, name, VOLUME_READY, &undo) < 0)
      log_error ("%s; the next start removes volume %s", undo.message, name);
    return fail ("rm", engine_pool, name, -r, err);
  }
  /* It is gone; its row is taken over, or removed by the next start. */
  if (catalogue_delete (pool->catalogue, name, &undo) < 0)
    log_warning ("%s", undo.message);
  return 0;
}

/* --- settings --------------------------------------------------------- */

static int
volume_set_read_only (struct engine_pool *engine_pool, const char *name,
                      bool read_only, struct error *err)
{
  struct file_pool *pool = file_pool (engine_pool);
  struct volume_row row;
  int r;

  r = find ("set", engine_pool, name, &row, err);
  if (r < 0)
    return r;
  if (is_open (pool, name))
    return error_set (err, EBUSY, "set: %s/%s: volume is open",
                      engine_pool->name, name);
  return catalogue_set_read_only (pool->catalogue, name, read_only, err);
}

static int
volume_get_hosts (struct engine_volume *volume, struct host_list *hosts,
                  struct error *err)
{
  return catalogue_get_hosts (file_pool (volume->pool)->catalogue,
                              volume->name, hosts, err);
}

static int
volume_set_hosts (struct engine_volume *volume,
                  const struct host_list *hosts, struct error *err)
{
  return catalogue_set_hosts (file_pool (volume->pool)->catalogue,
                              volume->name, hosts, err);
}

/* --- open and close --------------------------------------------------- */

static int
volume_open (struct engine_pool *engine_pool, const char *name,
             struct engine_volume **volume, struct error *err)
{
  struct file_pool *pool = file_pool (engine_pool);
  struct volume_row row;
  struct file_volume *v;
  int r;

  r = find ("open", engine_pool, name, &row, err);
  if (r < 0)
    return r;
  if (is_open (pool, name))
    return error_set (err, EBUSY, "open: %s/%s: volume is open already",
                      engine_pool->name, name);
  v = calloc (1, sizeof *v);
  if (!v)
    return fail ("open", engine_pool, name, ENOMEM, err);
  v->volume.ops = &engine_file;
  v->volume.pool = engine_pool;
  v->volume.block_size = row.block_size;
  v->volume.read_only = row.read_only;
  strcpy (v->volume.name, name);
  strcpy (v->volume.uuid, row.uuid);
  r = file_open_volume (v, row.size_bytes, err);
  if (r < 0) {
    free (v);
    return r;
  }
  file_epoch_read (v);
  ranges_init (&v->ranges);
  file_sync_init (&v->sync);
  LIST_INSERT_HEAD (&pool->volumes, v, next);
  *volume = &v->volume;
  return 0;
}

static void
volume_close (struct engine_volume *volume)
{
  struct file_volume *v = file_volume (volume);

  LIST_REMOVE (v, next);
  file_sync_exit (&v->sync);
  ranges_exit (&v->ranges);
  file_close_volume (v);
  free (v);
}

static int
file_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                uint64_t length_bytes, struct engine_extent *extents,
                unsigned nr_max)
{
  struct file_volume *v = file_volume (volume);
  int r = sparse_allocated (v->fd, volume->block_size, offset_bytes,
                            length_bytes, extents, nr_max);

  /* What was cut off looks like a hole. */
  if (r >= 0 && !file_is_whole (v))
    return -EIO;
  return r < 0 ? file_errno (r) : r;
}

const struct engine_ops engine_file = {
  .name = "file",
  .pool_check_argument = file_pool_check_argument,
  .pool_paths = file_pool_paths,
  .pool_open = file_pool_open,
  .pool_close = file_pool_close,
  .pool_stat = pool_stat,
  .pool_check = file_pool_check,
  .volume_each = volume_each,
  .volume_create = volume_create,
  .volume_remove = volume_remove,
  .volume_open = volume_open,
  .volume_close = volume_close,
  .volume_resize = volume_resize,
  .volume_allocated = volume_allocated,
  .volume_set_read_only = volume_set_read_only,
  .volume_get_hosts = volume_get_hosts,
  .volume_set_hosts = volume_set_hosts,
  .submit = file_submit,
  .end_loan = file_end_loan,
  .allocated = file_allocated,
};
