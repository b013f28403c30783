/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd export POOL/VOL FILE
 *
 * A regular file is written under another name beside FILE, which it takes
 * at the end only: FILE is always whole, the old one or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/transfer.h"

#define EXTENTS_MAX 256
#define STATUS_MAX (1u << 30)           /* bytes that are asked for at once */
#define PART_SUFFIX ".qbd-XXXXXX"

struct export {
  const struct cli *cli;
  const char *filename;         /* as the user named it */
  const char *volume_name;
  char label[sizeof ((struct error *) 0)->message];     /* "export: FILE" */
  char path[PATH_MAX];          /* FILE, resolved: where part is renamed to */
  char part[PATH_MAX + sizeof PART_SUFFIX];     /* "": there is none */
  int fd;                       /* what the raw bytes are written to */
  bool seekable;
  bool sparse;                  /* what is not written reads as zeroes */
  uint64_t size_bytes;
  /* Of the volume, in order: what reads as zeroes, and what may not. */
  bool extents_known;
  unsigned nr_extents, extent;
  struct { uint64_t end_bytes; bool zero; } extents[EXTENTS_MAX];
  struct progress progress;
  struct transfer transfer;
};

static int
fail (const struct export *export, int code, struct error *err)
{
  return error_set (err, code, "export: %s: %s", export->filename,
                    strerror (code));
}

static bool
converts (const struct export *export)
{
  return export->cli->format && strcmp (export->cli->format, "raw") != 0;
}

/* --- the file ----------------------------------------------------------- */

/* FILE's directory exists; FILE need not. */
static int
resolve (struct export *export, struct error *err)
{
  char copy[PATH_MAX], dir[PATH_MAX];
  const char *base;
  size_t used;

  if (realpath (export->filename, export->path))
    return 0;
  if (errno != ENOENT || strlen (export->filename) >= sizeof copy)
    return fail (export, errno == ENOENT ? ENAMETOOLONG : errno, err);
  strcpy (copy, export->filename);
  if (!realpath (dirname (copy), dir))
    return fail (export, errno, err);
  strcpy (copy, export->filename);
  base = basename (copy);
  used = strlen (dir);
  if (used + 1 + strlen (base) >= sizeof export->path)
    return fail (export, ENAMETOOLONG, err);
  memcpy (export->path, dir, used);
  export->path[used++] = '/';
  strcpy (export->path + used, base);
  return 0;
}

static int
make_part (struct export *export, struct error *err)
{
  mode_t mask = umask (0);
  int fd, r;

  umask (mask);
  strcpy (export->part, export->path);
  strcat (export->part, PART_SUFFIX);
  fd = mkostemp (export->part, O_CLOEXEC);
  if (fd == -1) {
    r = errno;
    export->part[0] = '\0';
    return fail (export, r, err);
  }
  if (fchmod (fd, 0666 & ~mask) == -1) {
    r = errno;
    close (fd);
    return fail (export, r, err);
  }
  return fd;
}

static int
open_special (struct export *export, const struct stat *st,
              struct error *err)
{
  off_t end;

  if (S_ISDIR (st->st_mode))
    return fail (export, EISDIR, err);
  if (converts (export))
    return error_set (err, EINVAL, "export: %s: --format: needs a regular "
                      "file", export->filename);
  export->fd = export->fd >= 0 ? export->fd
    : open (export->path, O_WRONLY | O_CLOEXEC);
  if (export->fd == -1)
    return fail (export, errno, err);
  export->seekable = S_ISBLK (st->st_mode);
  if (!export->seekable)
    return 0;
  end = lseek (export->fd, 0, SEEK_END);
  if (end == -1)
    return fail (export, errno, err);
  if ((uint64_t) end < export->size_bytes)
    return error_set (err, ENOSPC, "export: %s: is smaller than %s",
                      export->filename, export->volume_name);
  return 0;
}

static int
open_destination (struct export *export, struct error *err)
{
  struct stat st;
  int r;

  if (strcmp (export->filename, "-") == 0) {
    export->fd = STDOUT_FILENO;
    if (fstat (STDOUT_FILENO, &st) == -1)
      return fail (export, errno, err);
    if (!S_ISBLK (st.st_mode))
      st.st_mode = S_IFIFO;     /* a file, too: written from where it is */
    return open_special (export, &st, err);
  }
  r = resolve (export, err);
  if (r < 0)
    return r;
  if (stat (export->path, &st) == 0 && !S_ISREG (st.st_mode))
    return open_special (export, &st, err);
  r = make_part (export, err);
  if (r < 0)
    return r;
  export->fd = r;
  if (converts (export)) {
    close (export->fd);
    export->fd = image_open_temporary (export->label, err);
    if (export->fd < 0)
      return export->fd;
  }
  export->seekable = export->sparse = true;
  if (ftruncate (export->fd, (off_t) export->size_bytes) == -1)
    return fail (export, errno, err);
  return 0;
}

static int
sync_directory (const struct export *export)
{
  char copy[PATH_MAX];
  int fd, r;

  strcpy (copy, export->path);
  fd = open (dirname (copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1)
    return -errno;
  r = fsync (fd) == -1 ? -errno : 0;
  close (fd);
  return r;
}

/* All bytes are written: they become FILE, on stable storage. */
static int
finish (struct export *export, struct error *err)
{
  int r;

  if (converts (export)) {
    r = image_from_raw (export->label, export->cli->format, export->fd,
                        export->part, err);
    if (r < 0)
      return r;
    close (export->fd);
    export->fd = open (export->part, O_RDONLY | O_CLOEXEC);
    if (export->fd == -1)
      return fail (export, errno, err);
  }
  /* A pipe has nothing to sync. */
  if (fsync (export->fd) == -1 && errno != EINVAL && errno != EROFS)
    return fail (export, errno, err);
  if (!export->part[0])
    return 0;
  if (rename (export->part, export->path) == -1)
    return fail (export, errno, err);
  export->part[0] = '\0';
  r = sync_directory (export);
  return r < 0 ? fail (export, -r, err) : 0;
}

static int
write_fully (const struct export *export, const uint8_t *buf, size_t count,
             uint64_t offset_bytes)
{
  ssize_t r;

  while (count > 0) {
    r = export->seekable ? 0 : transfer_await (export->fd, POLLOUT);
    if (r < 0)
      return (int) r;
    if (export->seekable)
      r = pwrite (export->fd, buf, count, (off_t) offset_bytes);
    else
      r = write (export->fd, buf, count < PIPE_BUF ? count : PIPE_BUF);
    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return -errno;
    buf += r;
    offset_bytes += (uint64_t) r;
    count -= (size_t) r;
  }
  return 0;
}

/* --- the copy ----------------------------------------------------------- */

static int
write_chunk (struct export *export, const struct chunk *chunk)
{
  uint64_t at = 0;
  size_t length;
  bool zero;
  int r;

  if (!export->sparse)
    return write_fully (export, chunk->buf, chunk->count_bytes,
                        chunk->offset_bytes);
  for (; at < chunk->count_bytes; at += length) {
    length = transfer_run (chunk->buf + at, chunk->count_bytes - at, &zero);
    if (zero)
      continue;
    r = write_fully (export, chunk->buf + at, length,
                     chunk->offset_bytes + at);
    if (r < 0)
      return r;
  }
  return 0;
}

static int
drain_chunk (struct export *export, struct chunk *chunk, struct error *err)
{
  int r;

  transfer_wait (&export->transfer, chunk);
  if (chunk->error == ENOTCONN
      && qbd_check (export->transfer.volume) == -1)
    return error_set (err, ENOTCONN, "export: %s", qbd_errmsg ());
  if (chunk->error != 0)
    return error_set (err, chunk->error, "export: %s: %s",
                      export->volume_name, strerror (chunk->error));
  r = transfer_interrupted () ? -EINTR : write_chunk (export, chunk);
  if (r == -EINTR)
    return error_set (err, EINTR, "export: %s: interrupted",
                      export->filename);
  if (r < 0)
    return fail (export, -r, err);
  progress_update (&export->progress,
                   chunk->offset_bytes + chunk->count_bytes);
  return 0;
}

static int
take_extent (void *opaque, uint64_t offset, uint64_t count, unsigned status)
{
  struct export *export = opaque;
  bool zero = status & QBD_ZERO;
  unsigned n = export->nr_extents;

  if (n > 0 && export->extents[n - 1].zero == zero) {
    export->extents[n - 1].end_bytes = offset + count;
    return 0;
  }
  if (n == EXTENTS_MAX)
    return 1;
  export->extents[n].end_bytes = offset + count;
  export->extents[n].zero = zero;
  export->nr_extents++;
  return 0;
}

/* Where the zeroes or the data that begin at at_bytes end.  A target that
 * does not tell is read as a whole: that fails where asking did. */
static uint64_t
find_extent (struct export *export, uint64_t at_bytes, bool *zero)
{
  uint64_t left_bytes = export->size_bytes - at_bytes;

  *zero = false;
  if (!export->extents_known)
    return export->size_bytes;
  while (export->extent < export->nr_extents
         && export->extents[export->extent].end_bytes <= at_bytes)
    export->extent++;
  if (export->extent == export->nr_extents) {
    export->extent = export->nr_extents = 0;
    /* -1 also when take_extent has enough. */
    qbd_block_status (export->transfer.volume,
                      left_bytes < STATUS_MAX ? left_bytes : STATUS_MAX,
                      at_bytes, 0, take_extent, export);
    if (export->nr_extents == 0) {
      export->extents_known = false;
      return export->size_bytes;
    }
  }
  *zero = export->extents[export->extent].zero;
  return export->extents[export->extent].end_bytes;
}

/* Returns where the next one begins.  An empty chunk is a hole. */
static uint64_t
fill_chunk (struct export *export, struct chunk *chunk, uint64_t at_bytes)
{
  bool zero;
  uint64_t end_bytes = find_extent (export, at_bytes, &zero);

  chunk->offset_bytes = at_bytes;
  chunk->count_bytes = 0;
  if (zero && export->sparse)
    return end_bytes;
  chunk->count_bytes = end_bytes - at_bytes < TRANSFER_CHUNK
    ? end_bytes - at_bytes : TRANSFER_CHUNK;
  if (zero)
    memset (chunk->buf, 0, chunk->count_bytes);
  else
    transfer_submit (&export->transfer, chunk, TRANSFER_READ, 0,
                     chunk->count_bytes);
  return at_bytes + chunk->count_bytes;
}

static int
copy (struct export *export, struct error *err)
{
  uint64_t read_bytes = 0;
  struct chunk *chunks = export->transfer.chunks;
  unsigned head = 0, tail = 0;          /* filled, drained */
  int r;

  export->extents_known = qbd_can_block_status (export->transfer.volume);
  do {
    while (read_bytes < export->size_bytes && head - tail < TRANSFER_DEPTH)
      read_bytes = fill_chunk (export, &chunks[head++ % TRANSFER_DEPTH],
                               read_bytes);
    r = drain_chunk (export, &chunks[tail++ % TRANSFER_DEPTH], err);
    if (r < 0)
      return r;
  } while (tail < head || read_bytes < export->size_bytes);
  progress_update (&export->progress, export->size_bytes);
  return 0;
}

static int
print_result (const struct export *export)
{
  json_t *json = json_pack ("{s:s, s:s, s:I}",
                            "exported", export->volume_name,
                            "file", export->filename,
                            "size_bytes", (json_int_t) export->size_bytes);

  if (json)
    output_json (json);
  json_decref (json);
  return 0;
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  static struct export export;
  struct qbd_volume *volume;
  int r;

  export = (struct export) {
    .cli = cli, .volume_name = operands[0], .filename = operands[1],
    .fd = -1,
  };
  if (cli->json && strcmp (export.filename, "-") == 0)
    return error_set (err, EINVAL, "export: --json: standard output takes "
                      "the data");
  snprintf (export.label, sizeof export.label, "export: %s",
            export.filename);
  transfer_catch_signals ();
  r = attach_volume (cli, "export", export.volume_name, QBD_OPEN_READONLY,
                     &volume, err);
  if (r < 0)
    return r;
  export.size_bytes = qbd_get_size (volume);
  progress_start (&export.progress, cli->given & CLI_QUIET, 0,
                  export.size_bytes);
  r = transfer_init (&export.transfer, volume, &export.progress, err);
  if (r == 0)
    r = open_destination (&export, err);
  if (r == 0)
    r = copy (&export, err);
  transfer_free (&export.transfer);
  progress_end (&export.progress);
  qbd_close (volume);
  if (r == 0)
    r = finish (&export, err);
  if (export.part[0])
    unlink (export.part);
  if (export.fd > STDERR_FILENO)
    close (export.fd);
  if (r == 0 && cli->json)
    r = print_result (&export);
  return r;
}

const struct command command_export = {
  .name = "export",
  .operands = { "POOL/VOL", "FILE" },
  .options = CLI_FORMAT | CLI_QUIET,
  .summary = "copy a volume into a file",
  .help =
    "FILE becomes a sparse file, and replaces an older one once it is whole\n"
    "and on stable storage; - is standard output.  What hosts write meanwhile\n"
    "may be in it or not.\n",
  .run = run,
};
