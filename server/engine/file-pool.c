/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File pools: a directory becomes one, is opened, is closed.  Blocks; the
 * caller serialises.
 *
 * A new pool's catalogue is made under another name and renamed last, so an
 * initialisation that was interrupted leaves only files that the next one
 * knows as its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/cleanup.h"
#include "common/dir-lock.h"
#include "common/log.h"
#include "server/engine/file-internal.h"
#include "server/engine/pool-argument.h"

#define CATALOGUE "qbd-pool"
#define CATALOGUE_NEW "qbd-pool.new"
#define VOLUMES "volumes"

/* --- the argument: DIR[?cache=direct|buffered] ------------------------ */

static int
parse_cache (const char *value, enum file_cache *cache, struct error *err)
{
  if (strcmp (value, "direct") == 0)
    *cache = FILE_CACHE_DIRECT;
  else if (strcmp (value, "buffered") == 0)
    *cache = FILE_CACHE_BUFFERED;
  else
    return error_set (err, EINVAL, "pool: cache: %s: must be direct or "
                      "buffered", value);
  return 0;
}

static int
parse_argument (struct file_pool *pool, const char *argument,
                struct error *err)
{
  struct pool_option options[] = { { .key = "cache" }, { 0 } };
  CLEANUP_POOL_ARGUMENT parsed = { 0 };
  int r = pool_argument_parse (pool->pool.name, "file:DIR", argument, options,
                               &parsed, err);

  if (r == 0 && options[0].value)
    r = parse_cache (options[0].value, &pool->cache, err);
  if (r < 0)
    return r;
  if (parsed.place[0] == '\0')
    return error_set (err, EINVAL, "pool: %s: file: needs a directory: "
                      "file:DIR", pool->pool.name);
  pool->path = realpath (parsed.place, NULL);
  if (!pool->path)
    return error_set (err, errno, "pool: %s: %s%s", parsed.place,
                      strerror (errno),
                      errno == ENOENT ? ": make an empty directory first"
                                      : "");
  return 0;
}

/* --- what is in the directory? ---------------------------------------- */

enum content {
  CONTENT_POOL,
  CONTENT_NEW,                  /* nothing, or what an interrupted start left */
  CONTENT_FOREIGN,
};

static bool
is_leftover (const char *name)
{
  static const char *const names[] = {
    ".", "..", FILE_LOCK_OWNER, FILE_LOCK_WRITES, CATALOGUE_NEW,
    CATALOGUE_NEW "-journal", VOLUMES,
    "lost+found",               /* of a file system made for the pool */
  };
  size_t i;

  for (i = 0; i < sizeof names / sizeof names[0]; ++i)
    if (strcmp (name, names[i]) == 0)
      return true;
  return false;
}

/* The first entry that is no leftover, or "" if there is none. */
static int
find_foreign (int dir_fd, char found[NAME_MAX + 1])
{
  struct dirent *entry;
  DIR *dir;
  int fd;

  fd = openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  dir = fd >= 0 ? fdopendir (fd) : NULL;
  if (!dir) {
    int r = -errno;

    if (fd >= 0)
      close (fd);
    return r;
  }
  found[0] = '\0';
  while (found[0] == '\0' && (entry = readdir (dir)))
    if (!is_leftover (entry->d_name))
      snprintf (found, NAME_MAX + 1, "%s", entry->d_name);
  closedir (dir);
  return 0;
}

/* volumes/ that is there without a catalogue must be empty. */
static int
find_volume_file (int dir_fd, char found[NAME_MAX + 1])
{
  CLEANUP_CLOSE int fd = openat (dir_fd, VOLUMES, O_RDONLY | O_DIRECTORY |
                                 O_CLOEXEC | O_NOFOLLOW);
  char name[NAME_MAX + 1];
  int r;

  if (fd < 0 && errno == ENOENT)
    return 0;
  r = fd >= 0 ? find_foreign (fd, name) : -errno;
  if (r == -ENOTDIR || (r == 0 && name[0] != '\0'))
    strcpy (found, VOLUMES);
  return r == -ENOTDIR ? 0 : r;
}

static int
survey (const struct file_pool *pool, enum content *content,
        struct error *err)
{
  char foreign[NAME_MAX + 1];
  int r;

  if (faccessat (pool->dir_fd, CATALOGUE, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    *content = CONTENT_POOL;
    return 0;
  }
  r = find_foreign (pool->dir_fd, foreign);
  if (r == 0 && foreign[0] == '\0')
    r = find_volume_file (pool->dir_fd, foreign);
  if (r < 0)
    return error_set (err, -r, "pool: %s: %s", pool->path, strerror (-r));
  if (foreign[0] != '\0')
    return error_set (err, ENOTEMPTY, "pool: %s: is no pool and not empty, "
                      "it holds %s: give a pool or an empty directory",
                      pool->path, foreign);
  *content = CONTENT_NEW;
  return 0;
}

/* --- making a pool ---------------------------------------------------- */

static int
make_pool (struct file_pool *pool, struct error *err)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_CLOSE int fd = -1;
  int r;

  if (asprintf (&path, "%s/" CATALOGUE_NEW, pool->path) < 0) {
    path = NULL;
    return error_set (err, ENOMEM, "pool: %s: %s", pool->path,
                      strerror (ENOMEM));
  }
  unlinkat (pool->dir_fd, CATALOGUE_NEW "-journal", 0);
  if (unlinkat (pool->dir_fd, CATALOGUE_NEW, 0) < 0 && errno != ENOENT)
    goto err_errno;
  if (mkdirat (pool->dir_fd, VOLUMES, 0700) < 0 && errno != EEXIST)
    goto err_errno;
  fd = openat (pool->dir_fd, CATALOGUE_NEW, O_RDWR | O_CREAT | O_EXCL |
               O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    goto err_errno;
  r = catalogue_create (path, err);
  if (r < 0)
    return r;
  if (fsync (pool->dir_fd) < 0 ||
      renameat (pool->dir_fd, CATALOGUE_NEW, pool->dir_fd, CATALOGUE) < 0 ||
      fsync (pool->dir_fd) < 0)
    goto err_errno;
  log_info ("pool: %s: made a new pool", pool->path);
  return 0;

 err_errno:
  return error_set (err, errno, "pool: %s: cannot make a pool: %s",
                    pool->path, strerror (errno));
}

/* --- opening one ------------------------------------------------------ */

static int
open_dirs (struct file_pool *pool, struct error *err)
{
  struct statfs fs;

  pool->volumes_fd = openat (pool->dir_fd, VOLUMES, O_RDONLY | O_DIRECTORY |
                             O_CLOEXEC);
  if (pool->volumes_fd < 0)
    return error_set (err, errno, "pool: %s/" VOLUMES ": %s", pool->path,
                      strerror (errno));
  if (fstatfs (pool->volumes_fd, &fs) < 0)
    return error_set (err, errno, "pool: %s: %s", pool->path,
                      strerror (errno));
  pool->is_memory = fs.f_type == TMPFS_MAGIC;
  return 0;
}

static void
log_unfinished (void *opaque, const char *name, const struct error *failed)
{
  const struct file_pool *pool = opaque;

  if (failed)
    log_warning ("%s", failed->message);
  else
    log_info ("pool: %s: volume %s was half made or half removed: removed",
              pool->path, name);
}

static int
hold_lock (struct file_pool *pool, int fd, struct error *err)
{
  unsigned i;
  int r;

  for (i = 0; i < pool->nr_reactors; ++i) {
    r = reactor_hold_file (pool->reactors[i], fd);
    if (r == -ENOSPC)
      return error_set (err, ENOSPC, "pool: %s: more than %d pools: use a "
                        "second server", pool->path, REACTOR_HOLD_MAX / 2);
    if (r < 0)
      return error_set (err, -r, "pool: %s: io_uring: %s", pool->path,
                        strerror (-r));
  }
  return 0;
}

static void
let_lock_go (struct file_pool *pool, int fd)
{
  unsigned i;

  for (i = 0; fd >= 0 && i < pool->nr_reactors; ++i)
    reactor_let_file_go (pool->reactors[i], fd);
}

static uint64_t
size_of (void *opaque, const char *name, uint32_t block_size)
{
  const struct file_pool *pool = opaque;
  char file[FILE_NAME_BYTES];
  struct stat st;

  file_name_of (name, file);
  if (fstatat (pool->volumes_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0
      || !S_ISREG (st.st_mode))
    return 0;
  return file_whole_blocks ((uint64_t) st.st_size, block_size);
}

/* Those that became longer, and those of a pool of an earlier version.  A
 * disk that is full, or read-only, keeps nothing from being served. */
static void
note_sizes (struct file_pool *pool)
{
  struct error one;
  int r = catalogue_note_sizes (pool->catalogue, size_of, pool, &one);

  if (r < 0 && r != -EROFS)
    log_warning ("%s; sizes of volumes are not noted", one.message);
}

static int
open_locked (struct file_pool *pool, struct error *err)
{
  CLEANUP_FREE char *path = NULL;
  enum content content;
  int r;

  /* Before the lock somebody else may have been at it. */
  r = survey (pool, &content, err);
  if (r == 0 && content == CONTENT_NEW)
    r = make_pool (pool, err);
  if (r == 0)
    r = open_dirs (pool, err);
  if (r == 0)
    r = file_lock_take_volumes (pool->path, pool->volumes_fd, err);
  if (r == 0)
    r = hold_lock (pool, pool->volumes_fd, err);
  if (r < 0)
    return r;
  if (asprintf (&path, "%s/" CATALOGUE, pool->path) < 0) {
    path = NULL;
    return error_set (err, ENOMEM, "pool: %s: %s", pool->path,
                      strerror (ENOMEM));
  }
  r = catalogue_open (path, &pool->catalogue, pool->pool.domain, err);
  if (r == 0)
    r = file_remove_unfinished (pool, log_unfinished, pool, err);
  if (r == 0)
    note_sizes (pool);
  return r;
}

/* Nothing is written into a directory that is not ours. */
static int
open_dir (struct file_pool *pool, const char *argument, struct error *err)
{
  enum content content;
  int r = parse_argument (pool, argument, err);

  if (r < 0)
    return r;
  pool->dir_fd = open (pool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (pool->dir_fd < 0)
    return error_set (err, errno, "pool: %s: %s", pool->path,
                      strerror (errno));
  return survey (pool, &content, err);
}

/* A mistake in it is said by whoever opens it. */
void
file_pool_paths (const char *argument, engine_path_fn *each, void *opaque)
{
  struct file_pool pool = { .dir_fd = -1 };
  struct error ignored;

  if (parse_argument (&pool, argument, &ignored) == 0)
    each (opaque, pool.path, true);
  free (pool.path);
}

int
file_pool_check_argument (const char *name, const char *argument,
                          struct error *err)
{
  struct file_pool pool = { .dir_fd = -1 };
  int r;

  snprintf (pool.pool.name, sizeof pool.pool.name, "%s", name);
  r = open_dir (&pool, argument, err);
  if (pool.dir_fd >= 0)
    close (pool.dir_fd);
  free (pool.path);
  return r;
}

int
file_pool_open (const char *name, const char *argument,
                struct reactor *const *reactors, unsigned nr_reactors,
                struct engine_pool **ret, struct error *err)
{
  struct file_pool *pool;
  int r;

  pool = engine_pool_new (sizeof *pool, &engine_file, name, err);
  if (!pool)
    return -err->code;
  pool->dir_fd = pool->volumes_fd = -1;
  pool->lock = (struct file_lock) FILE_LOCK_NONE;
  pool->reactors = reactors;
  pool->nr_reactors = nr_reactors;
  LIST_INIT (&pool->volumes);

  r = open_dir (pool, argument, err);
  if (r == 0)
    r = file_lock_take (&pool->lock, pool->path, pool->dir_fd, err);
  if (r == 0)
    r = hold_lock (pool, pool->lock.writes_fd, err);
  if (r == 0)
    r = open_locked (pool, err);
  if (r < 0)
    goto err;
  *ret = &pool->pool;
  return 0;

 err:
  file_pool_close (&pool->pool);
  return r;
}

void
file_pool_close (struct engine_pool *engine_pool)
{
  struct file_pool *pool = file_pool (engine_pool);

  assert (LIST_EMPTY (&pool->volumes));
  catalogue_close (pool->catalogue);
  let_lock_go (pool, pool->volumes_fd);
  let_lock_go (pool, pool->lock.writes_fd);
  file_lock_release_volumes (pool->volumes_fd);
  file_lock_release (&pool->lock);
  if (pool->volumes_fd >= 0)
    close (pool->volumes_fd);
  dir_lock_forget (pool->dir_fd);
  if (pool->dir_fd >= 0)
    close (pool->dir_fd);
  free (pool->path);
  free (pool);
}
