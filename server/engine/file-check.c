/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd check: the catalogue compared with the files.
 *
 * Only what loses nothing is repaired: a file that ends inside a block grows
 * to its end (that of an open volume never becomes shorter for it), and what
 * an interrupted change left is removed, as the next start would.  A file that
 * no row knows may be somebody's only copy, and a row without its file may be
 * waiting for a restore: they are told, and stay.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "server/engine/file-internal.h"

struct check {
  struct file_pool *pool;
  const struct engine_check *asked;
  struct error *err;
  uint64_t done, total;         /* rows and files */
  bool is_damaged;              /* the catalogue */
  bool is_malformed;            /* and some of it cannot be read */
};

static void __attribute__ ((format (printf, 4, 5)))
tell (const struct check *check, const char *object, bool repaired,
      const char *fmt, ...)
{
  struct error text;
  struct engine_finding finding = {
    .object = object, .text = text.message, .repaired = repaired,
  };
  va_list args;

  va_start (args, fmt);
  error_vset (&text, 0, fmt, args);
  va_end (args);
  check->asked->found (check->asked->opaque, &finding);
}

static void
looked_at_one (struct check *check)
{
  check->done++;
  check->asked->progress (check->asked->opaque, check->done, check->total);
}

static void
tell_catalogue (void *opaque, const char *text)
{
  struct check *check = opaque;

  check->is_damaged = true;
  tell (check, "qbd-pool", false, "%s: restore the catalogue", text);
}

/* What cannot be read of the catalogue, or is gone, is a finding, and the files
 * are looked at all the same. */
static int
go_on (struct check *check, int r)
{
  if (r != -EIO && r != -ENOENT)
    return r;
  if (!check->is_malformed)
    tell (check, "qbd-pool", false, "%s", check->err->message);
  check->is_damaged = check->is_malformed = true;
  return 0;
}

/* --- volumes ------------------------------------------------------------ */

static struct file_volume *
find_open (struct file_pool *pool, const char *name)
{
  struct file_volume *v;

  LIST_FOREACH (v, &pool->volumes, next)
    if (strcmp (v->volume.name, name) == 0)
      return v;
  return NULL;
}

/* Up to the end of the block, which v (NULL: not open) does not reach. */
static int
extend (struct file_pool *pool, struct file_volume *v, const char *file,
        uint64_t size_bytes)
{
  CLEANUP_CLOSE int fd = -1;
  struct error ignored;

  if (v) {
    assert (size_bytes > atomic_load (&v->volume.size_bytes));
    return engine_file.volume_resize (&v->volume, size_bytes, &ignored);
  }
  fd = openat (pool->volumes_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd == -1 || ftruncate (fd, (off_t) size_bytes) == -1
      || fsync (fd) == -1)
    return -errno;
  return 0;
}

/* The file of an open volume changed its length under the server.  What is
 * gone cannot be brought back here, and hosts must not lose more by it. */
static bool
fits_served_size (const struct check *check, struct file_volume *v,
                  const char *file, uint64_t size_bytes)
{
  uint64_t served_bytes = atomic_load (&v->volume.size_bytes);
  bool is_whole = file_is_whole (v);

  if (size_bytes < served_bytes)
    tell (check, v->volume.name, false, "volumes/%s is shorter than what "
          "hosts see: %" PRIu64 " of %" PRIu64 " bytes: restore it while the "
          "server is stopped", file, size_bytes, served_bytes);
  else if (!is_whole)
    tell (check, v->volume.name, false, "volumes/%s was shorter than what "
          "hosts see, and what was behind its end may be lost: restore it "
          "while the server is stopped", file);
  else if (size_bytes - served_bytes >= v->volume.block_size)
    tell (check, v->volume.name, false, "volumes/%s is longer than what "
          "hosts see: %" PRIu64 " instead of %" PRIu64 " bytes: the next "
          "start of the server serves all of it", file, size_bytes,
          served_bytes);
  else
    return true;
  return false;
}

static void
check_size (const struct check *check, struct file_volume *v,
            const char *name, const char *file,
            const struct volume_row *row, uint64_t size_bytes)
{
  uint64_t whole_bytes =
    (size_bytes + row->block_size - 1) / row->block_size * row->block_size;
  int r;

  if (v && !fits_served_size (check, v, file, size_bytes))
    return;
  if (!v && size_bytes < row->size_bytes)
    tell (check, name, false, "volumes/%s is shorter than the volume: %" PRIu64
          " of %" PRIu64 " bytes: restore it; or, to go on with zeroes for what "
          "is missing, make it as long again (truncate -s %" PRIu64 ")", file,
          size_bytes, row->size_bytes, row->size_bytes);
  else if (size_bytes == 0)
    tell (check, name, false, "volumes/%s is empty: restore it, or remove "
          "the volume", file);
  else if (size_bytes == whole_bytes)
    return;
  else if (!check->asked->repair || row->read_only)
    tell (check, name, false, "volumes/%s ends inside a block of %u bytes, "
          "which hosts do not see", file, (unsigned) row->block_size);
  else {
    r = extend (check->pool, v, file, whole_bytes);
    if (r < 0)
      tell (check, name, false, "volumes/%s ends inside a block: %s", file,
            strerror (-r));
    else
      tell (check, name, true, "volumes/%s ended inside a block, and now at "
            "its end", file);
  }
}

/* Hosts use the file that was opened, whatever has its name now. */
static bool
is_replaced (const struct file_volume *v, const struct stat *st)
{
  struct stat open;

  return v && fstat (v->fd, &open) == 0
    && (open.st_dev != st->st_dev || open.st_ino != st->st_ino);
}

static void
check_file_of (const struct check *check, const char *name,
               const struct volume_row *row)
{
  struct file_volume *v = find_open (check->pool, name);
  char file[FILE_NAME_BYTES];
  struct stat st;

  file_name_of (name, file);
  if (fstatat (check->pool->volumes_fd, file, &st,
               AT_SYMLINK_NOFOLLOW) == -1) {
    if (errno != ENOENT)
      tell (check, name, false, "volumes/%s: %s", file, strerror (errno));
    else if (v)
      tell (check, name, false, "volumes/%s is missing, but open and served: "
            "put it back, or save it with qbd export before the server stops",
            file);
    else
      tell (check, name, false, "volumes/%s is missing: restore it, or remove "
            "the volume", file);
  }
  else if (is_replaced (v, &st))
    tell (check, name, false, "volumes/%s is not the file that is open and "
          "served: what hosts write is lost when the server stops", file);
  else if (!S_ISREG (st.st_mode))
    tell (check, name, false, "volumes/%s is no regular file", file);
  else
    check_size (check, v, name, file, row, (uint64_t) st.st_size);
}

static int
check_volume (void *opaque, const char *name)
{
  struct check *check = opaque;
  struct volume_row row;
  struct error one;
  int r;

  r = catalogue_find (check->pool->catalogue, name, &row, &one);
  if (r < 0)
    tell (check, name, false, "%s", r == -ENOENT ? "its row is gone"
          : one.message);
  else
    check_file_of (check, name, &row);
  looked_at_one (check);
  return 0;
}

static int
tell_unfinished (void *opaque, const char *name)
{
  tell (opaque, name, false, "was being made or removed: a repair, or the "
        "next start of the server, removes what is left");
  return 0;
}

static void
tell_removed (void *opaque, const char *name, const struct error *failed)
{
  if (failed)
    tell (opaque, name, false, "%s", failed->message);
  else
    tell (opaque, name, true, "was being made or removed, and what was left "
          "is removed now");
}

static int
check_unfinished (struct check *check)
{
  if (check->asked->repair)
    return file_remove_unfinished (check->pool, tell_removed, check,
                                   check->err);
  return catalogue_each (check->pool->catalogue, VOLUME_UNFINISHED,
                         tell_unfinished, check, check->err);
}

/* --- files -------------------------------------------------------------- */

static void
check_file (struct check *check, const char *file)
{
  size_t len = strlen (file);
  char name[ENGINE_NAME_MAX], path[sizeof ((struct dirent *) 0)->d_name + 8];
  struct volume_row row;
  struct error one;
  int r;

  looked_at_one (check);
  if (len > 4 && len - 4 < sizeof name && strcmp (file + len - 4, ".raw") == 0) {
    memcpy (name, file, len - 4);
    name[len - 4] = '\0';
    r = catalogue_find (check->pool->catalogue, name, &row, &one);
    if (r == -ENOENT
        && catalogue_is_unfinished (check->pool->catalogue, name, &one) != 0)
      return;                   /* told before */
    if (r == 0 || (r != -ENOENT && !check->is_malformed))
      return;
  }
  snprintf (path, sizeof path, "volumes/%s", file);
  if (check->is_damaged)
    tell (check, path, false, "is not in what can be read of the catalogue: "
          "keep it (qbd import makes a volume of it, in a new pool)");
  else
    tell (check, path, false, "belongs to no volume: move it away (qbd import "
          "makes a volume of it)");
}

static int
cannot_list (struct check *check)
{
  return error_set (check->err, errno, "check: %s: %s/volumes: %s",
                    check->pool->pool.name, check->pool->path,
                    strerror (errno));
}

static int
each_file (struct check *check,
           void (*each) (struct check *check, const char *file))
{
  struct dirent *entry;
  DIR *dir;
  int fd, r = 0;

  fd = openat (check->pool->volumes_fd, ".",
               O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  dir = fd == -1 ? NULL : fdopendir (fd);
  if (!dir) {
    r = cannot_list (check);
    if (fd != -1)
      close (fd);
    return r;
  }
  errno = 0;
  while ((entry = readdir (dir))) {
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      each (check, entry->d_name);
    errno = 0;
  }
  if (errno != 0)
    r = cannot_list (check);
  closedir (dir);
  return r;
}

/* --- all of it ---------------------------------------------------------- */

static void
count_file (struct check *check, const char *file)
{
  check->total++;
}

static int
count_row (void *opaque, const char *name)
{
  struct check *check = opaque;

  check->total++;
  return 0;
}

int
file_pool_check (struct engine_pool *engine_pool,
                 const struct engine_check *asked, struct error *err)
{
  struct file_pool *pool = file_pool (engine_pool);
  struct check check = { .pool = pool, .asked = asked, .err = err };
  int r;

  r = each_file (&check, count_file);
  if (r == 0)
    r = go_on (&check, catalogue_check (pool->catalogue, pool->pool.domain,
                                        tell_catalogue, &check, err));
  if (r == 0)
    r = go_on (&check, catalogue_each (pool->catalogue, VOLUME_READY,
                                       count_row, &check, err));
  if (r == 0)
    r = go_on (&check, catalogue_each (pool->catalogue, VOLUME_READY,
                                       check_volume, &check, err));
  if (r == 0)
    r = go_on (&check, check_unfinished (&check));
  if (r == 0)
    r = each_file (&check, check_file);
  return r;
}
