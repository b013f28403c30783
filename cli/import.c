/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd import FILE POOL/VOL
 *
 * The file is read in order; writes overlap.  What came so far is therefore
 * a prefix at all times but for the chunks in flight, and an import that
 * ended early can go on behind it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/transfer.h"

#define ALIGNMENT 4096u         /* the largest block size */
#define ATTACHED_RETRIES 20
#define ZERO_MAX (64u << 20)    /* bytes of a hole in one request */

/* What to do where the file has zeroes. */
enum zeroes {
  ZEROES_SKIP,                  /* the volume is new: they are there */
  ZEROES_TELL,                  /* as such */
  ZEROES_WRITE,                 /* as data: the target knows nothing else */
};

struct import {
  const struct cli *cli;
  const char *filename;         /* as the user named it */
  const char *volume_name;
  int fd;
  bool seekable;
  uint64_t size_bytes;          /* of the file; UINT64_MAX: not known */
  uint64_t volume_bytes;
  uint32_t block_size;
  bool created;                 /* by us: reads as zeroes */
  enum zeroes zeroes;
  uint64_t at_bytes;            /* what is read next */
  unsigned next;                /* chunk; the oldest in flight */
  struct progress progress;
  struct transfer transfer;
};

static int
fail (const struct import *import, int code, const char *reason,
      struct error *err)
{
  return error_set (err, code, "import: %s: %s", import->filename, reason);
}

/* --- the file ----------------------------------------------------------- */

static int
check_format (struct import *import, struct error *err)
{
  const char *looks;

  if (import->cli->format || !import->seekable)
    return 0;
  looks = image_looks_like (import->fd);
  if (!looks)
    return 0;
  return error_set (err, EINVAL, "import: %s: looks like an image in format "
                    "%s: say --format %s, or --format raw to copy it as it "
                    "is", import->filename, looks, looks);
}

static int
open_source (struct import *import, struct error *err)
{
  const char *format = import->cli->format;
  char path[PATH_MAX], label[sizeof err->message];
  struct stat st;
  off_t end;

  if (strcmp (import->filename, "-") == 0)
    import->fd = STDIN_FILENO;
  else if (format && strcmp (format, "raw") != 0) {
    if (!realpath (import->filename, path))
      return fail (import, errno, strerror (errno), err);
    snprintf (label, sizeof label, "import: %s", import->filename);
    import->fd = image_to_raw (label, format, path, err);
    if (import->fd < 0)
      return import->fd;
  }
  else
    import->fd = open (import->filename, O_RDONLY | O_CLOEXEC);
  if (import->fd == -1 || fstat (import->fd, &st) == -1)
    return fail (import, errno, strerror (errno), err);
  if (S_ISDIR (st.st_mode))
    return fail (import, EISDIR, strerror (EISDIR), err);
  import->size_bytes = UINT64_MAX;
  if (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode))
    return 0;
  /* Standard input that somebody read from already is taken from there. */
  if (import->fd == STDIN_FILENO && lseek (import->fd, 0, SEEK_CUR) != 0)
    return 0;
  end = lseek (import->fd, 0, SEEK_END);
  if (end == -1)
    return fail (import, errno, strerror (errno), err);
  import->seekable = true;
  import->size_bytes = (uint64_t) end;
  return check_format (import, err);
}

static int
check_from (const struct import *import, struct error *err)
{
  const struct cli *cli = import->cli;

  if (!(cli->given & CLI_FROM))
    return 0;
  if (!import->seekable)
    return fail (import, ESPIPE, "--from: needs a file that can seek", err);
  if (cli->from_bytes > import->size_bytes)
    return error_set (err, EINVAL, "import: %s: --from: is behind its end, at "
                      "%" PRIu64, import->filename, import->size_bytes);
  return 0;
}

static int
check_options (const struct import *import, struct error *err)
{
  const struct cli *cli = import->cli;

  if (strcmp (import->filename, "-") == 0 && cli->format
      && strcmp (cli->format, "raw") != 0)
    return fail (import, EINVAL, "--format: needs a file that can seek",
                 err);
  if ((cli->given & CLI_FROM) && cli->from_bytes % ALIGNMENT != 0)
    return fail (import, EINVAL, "--from: is no multiple of 4096", err);
  return 0;
}

/* What one request can take from at_bytes on: a hole, or data. */
static uint64_t
next_extent (const struct import *import, bool *hole)
{
  uint64_t left_bytes = import->size_bytes - import->at_bytes;
  off_t at = (off_t) import->at_bytes, end;

  *hole = false;
  if (import->zeroes == ZEROES_WRITE)
    return left_bytes;
  end = lseek (import->fd, at, SEEK_DATA);
  if (end == -1 && errno == ENXIO) {
    *hole = true;
    return left_bytes;
  }
  if (end == -1)
    return left_bytes;
  end -= end % ALIGNMENT;
  if (end > at) {
    *hole = true;
    return (uint64_t) (end - at);
  }
  end = lseek (import->fd, at, SEEK_HOLE);
  if (end <= at)
    return left_bytes;
  end = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return (uint64_t) (end - at) < left_bytes ? (uint64_t) (end - at)
    : left_bytes;
}

/* Bytes read: fewer than count at the end of file only; -errno. */
static ssize_t
read_fully (const struct import *import, uint8_t *buf, size_t count)
{
  size_t n = 0;
  ssize_t r;

  while (n < count) {
    r = import->seekable ? 0 : transfer_await (import->fd, POLLIN);
    if (r < 0)
      return r;
    if (import->seekable)
      r = pread (import->fd, buf + n, count - n,
                 (off_t) (import->at_bytes + n));
    else
      r = read (import->fd, buf + n, count - n);
    if (r == 0)
      break;
    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return -errno;
    n += (size_t) r;
  }
  return (ssize_t) n;
}

/* --- the volume --------------------------------------------------------- */

static uint64_t
round_up (uint64_t bytes, uint32_t block_size)
{
  return (bytes + block_size - 1) / block_size * block_size;
}

static int
create_volume (struct import *import, struct error *err)
{
  const struct cli *cli = import->cli;
  struct call call = { .method = "POST", .path = "/v1/volumes" };
  uint32_t block_size = cli->given & CLI_BLOCK_SIZE
    ? (uint32_t) cli->block_size : 512;
  uint64_t bytes = cli->given & CLI_SIZE ? cli->size_bytes
    : import->size_bytes;
  json_t *reply;
  int r;

  if (cli->given & CLI_FROM)
    return fail (import, ENOENT, "--from: there is no volume to go on with",
                 err);
  if (bytes == UINT64_MAX)
    return fail (import, EINVAL, "its size is not known: say --size", err);
  if (bytes == 0)
    return fail (import, EINVAL, "is empty", err);
  if (import->size_bytes != UINT64_MAX && bytes < import->size_bytes)
    return fail (import, EINVAL, "is larger than --size", err);
  if (block_size == 512 || block_size == 4096)
    bytes = round_up (bytes, block_size);       /* else the server says it */
  call.body = json_pack ("{s:s, s:I, s:I}", "name", import->volume_name,
                         "size_bytes", (json_int_t) bytes,
                         "block_size", (json_int_t) block_size);
  if (!call.body)
    return error_set (err, EINVAL, "import: volume name: is not UTF-8");
  r = client_call (cli, &call, &reply, err);
  if (r < 0)
    return r;
  json_decref (reply);
  import->created = true;
  return 0;
}

static int
check_volume (const struct import *import, const json_t *volume,
              struct error *err)
{
  const struct cli *cli = import->cli;
  uint64_t bytes =
    (uint64_t) json_integer_value (json_object_get (volume, "size_bytes"));

  if (json_object_get (volume, "reason"))
    return error_set (err, EIO, "import: %s: is not served: %s",
                      import->volume_name, output_string (volume, "reason"));
  if (json_is_true (json_object_get (volume, "read_only")))
    return error_set (err, EROFS, "import: %s: is read-only (qbd set %s "
                      "read_only=off)", import->volume_name,
                      import->volume_name);
  if (check_unattached ("import", import->volume_name, volume, err) < 0)
    return -EBUSY;
  if (cli->given & CLI_BLOCK_SIZE)
    return error_set (err, EEXIST, "import: %s: --block-size: the volume "
                      "exists already", import->volume_name);
  if (cli->given & CLI_SIZE && cli->size_bytes > bytes)
    return error_set (err, EEXIST, "import: %s: --size: the volume exists "
                      "already, and is smaller", import->volume_name);
  if (import->size_bytes != UINT64_MAX && import->size_bytes > bytes)
    return error_set (err, ENOSPC, "import: %s: %" PRIu64 " bytes do not fit "
                      "into %s, which has %" PRIu64, import->filename,
                      import->size_bytes, import->volume_name, bytes);
  return 0;
}

static int
find_or_create (struct import *import, struct error *err)
{
  static const struct timespec retry = { .tv_nsec = 50 * 1000000 };
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", .name = import->volume_name,
  };
  json_t *volume;
  int r;

  /* The server may count a host that has just left for a moment more. */
  for (unsigned i = 0; ; ++i) {
    r = client_call (import->cli, &call, &volume, err);
    if (r == -ENOENT)
      return create_volume (import, err);
    if (r < 0)
      return r;
    r = check_volume (import, volume, err);
    json_decref (volume);
    if (r != -EBUSY || i == ATTACHED_RETRIES || transfer_interrupted ())
      return r;
    nanosleep (&retry, NULL);
  }
}

/* --- the copy ----------------------------------------------------------- */

static void
submit_runs (struct import *import, struct chunk *chunk)
{
  struct transfer *transfer = &import->transfer;
  uint64_t at = 0;
  size_t length;
  bool zero;

  if (import->zeroes == ZEROES_WRITE) {
    transfer_submit (transfer, chunk, TRANSFER_WRITE, 0, chunk->count_bytes);
    return;
  }
  for (; at < chunk->count_bytes; at += length) {
    length = transfer_run (chunk->buf + at, chunk->count_bytes - at, &zero);
    if (!zero)
      transfer_submit (transfer, chunk, TRANSFER_WRITE, at, length);
    else if (import->zeroes == ZEROES_TELL)
      transfer_submit (transfer, chunk, TRANSFER_ZERO, at, length);
  }
}

static int
copy_data (struct import *import, struct chunk *chunk, uint64_t left_bytes,
           struct error *err)
{
  size_t want = left_bytes < TRANSFER_CHUNK ? left_bytes : TRANSFER_CHUNK;
  ssize_t n = read_fully (import, chunk->buf, want);

  if (n == -EINTR)
    return fail (import, EINTR, "interrupted", err);
  if (n < 0)
    return fail (import, (int) -n, strerror ((int) -n), err);
  if (import->seekable && (size_t) n < want)
    return fail (import, EIO, "became shorter meanwhile", err);
  chunk->count_bytes = round_up ((uint64_t) n, import->block_size);
  memset (chunk->buf + n, 0, chunk->count_bytes - (uint64_t) n);
  if (chunk->count_bytes > import->volume_bytes - chunk->offset_bytes)
    return error_set (err, ENOSPC, "import: %s: is longer than the %" PRIu64
                      " bytes of %s", import->filename, import->volume_bytes,
                      import->volume_name);
  submit_runs (import, chunk);
  import->at_bytes += (uint64_t) n;
  return n == 0 || (size_t) n < want;
}

/* 1: this was the end. */
static int
copy_some (struct import *import, struct chunk *chunk, struct error *err)
{
  uint64_t left_bytes = TRANSFER_CHUNK;
  bool hole = false;

  chunk->offset_bytes = import->at_bytes;
  chunk->count_bytes = 0;
  if (import->size_bytes != UINT64_MAX) {
    if (import->at_bytes >= import->size_bytes)
      return 1;
    left_bytes = next_extent (import, &hole);
  }
  if (!hole)
    return copy_data (import, chunk, left_bytes, err);
  if (import->zeroes == ZEROES_TELL) {
    if (left_bytes > ZERO_MAX)
      left_bytes = ZERO_MAX;
    transfer_submit (&import->transfer, chunk, TRANSFER_ZERO, 0,
                     round_up (left_bytes, import->block_size));
  }
  import->at_bytes += left_bytes;
  return 0;
}

/* Await what is in flight.  Returns the errno of the first chunk that
 * failed, and where it is. */
static int
settle (struct import *import, uint64_t *bytes)
{
  *bytes = import->at_bytes;
  for (unsigned i = 0; i < TRANSFER_DEPTH; ++i)
    transfer_wait (&import->transfer, &import->transfer.chunks[i]);
  for (unsigned i = 0; i < TRANSFER_DEPTH; ++i) {
    unsigned n = (import->next + i) % TRANSFER_DEPTH;
    struct chunk *chunk = &import->transfer.chunks[n];

    if (chunk->error != 0) {
      *bytes = chunk->offset_bytes;
      return chunk->error;
    }
  }
  return 0;
}

static const char *
reason_of (struct import *import, int code)
{
  if (code == ENOTCONN && qbd_check (import->transfer.volume) == -1)
    return qbd_errmsg ();
  return strerror (code);
}

/* The copy ended early, for err's reason (-r) or that of a write. */
static int
give_up (struct import *import, int r, struct error *err)
{
  struct error cause = *err;
  uint64_t done_bytes;
  int code = settle (import, &done_bytes);

  if (code != 0)
    r = error_set (&cause, code, "import: %s: %s: %s", import->filename,
                   import->volume_name, reason_of (import, code));
  done_bytes -= done_bytes % ALIGNMENT;
  /* Only what is on stable storage need not be written again. */
  if (import->seekable && done_bytes > 0
      && qbd_flush (import->transfer.volume) == 0)
    error_set (err, -r, "%s; %s is incomplete: the same command goes on "
               "with --from %" PRIu64, cause.message, import->volume_name,
               done_bytes);
  else
    error_set (err, -r, "%s; %s is incomplete", cause.message,
               import->volume_name);
  return r;
}

static int
copy (struct import *import, struct error *err)
{
  struct chunk *chunk;
  uint64_t ignored;
  int r = 0;

  while (r == 0) {
    chunk = &import->transfer.chunks[import->next];
    transfer_wait (&import->transfer, chunk);
    if (chunk->error != 0)
      r = -chunk->error;
    else if (transfer_interrupted ())
      r = fail (import, EINTR, "interrupted", err);
    else {
      r = copy_some (import, chunk, err);
      import->next = (import->next + 1) % TRANSFER_DEPTH;
    }
    progress_update (&import->progress, import->at_bytes);
  }
  if (r > 0)
    r = -settle (import, &ignored);
  if (r == 0 && qbd_flush (import->transfer.volume) == -1)
    r = error_set (err, errno, "import: %s: %s", import->filename,
                   qbd_errmsg ());
  return r < 0 ? give_up (import, r, err) : 0;
}

static int
attach_and_copy (struct import *import, struct error *err)
{
  struct qbd_volume *volume;
  int r;

  r = attach_volume (import->cli, "import", import->volume_name, 0, &volume,
                     err);
  if (r < 0)
    return r;
  import->block_size = qbd_get_block_size (volume);
  import->volume_bytes = qbd_get_size (volume);
  import->at_bytes = import->cli->from_bytes;
  import->zeroes = import->created ? ZEROES_SKIP
    : qbd_can_write_zeroes (volume) ? ZEROES_TELL : ZEROES_WRITE;
  progress_start (&import->progress, import->cli->given & CLI_QUIET,
                  import->at_bytes, import->size_bytes);
  r = transfer_init (&import->transfer, volume, &import->progress, err);
  if (r == 0)
    r = copy (import, err);
  transfer_free (&import->transfer);
  progress_end (&import->progress);
  qbd_close (volume);
  return r;
}

static int
print_volume (const struct import *import, struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", .name = import->volume_name,
  };
  json_t *reply;
  int r = client_call (import->cli, &call, &reply, err);

  if (r < 0)
    return r;
  output_json (reply);
  json_decref (reply);
  return 0;
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  static struct import import;
  int r;

  import = (struct import) {
    .cli = cli, .filename = operands[0], .volume_name = operands[1],
    .fd = -1,
  };
  transfer_catch_signals ();
  r = check_options (&import, err);
  if (r == 0)
    r = open_source (&import, err);
  if (r == 0)
    r = check_from (&import, err);
  if (r == 0)
    r = find_or_create (&import, err);
  if (r == 0)
    r = attach_and_copy (&import, err);
  if (r == 0 && cli->json)
    r = print_volume (&import, err);
  if (import.fd > STDERR_FILENO)
    close (import.fd);
  return r;
}

const struct command command_import = {
  .name = "import",
  .operands = { "FILE", "POOL/VOL" },
  .options = CLI_BLOCK_SIZE | CLI_FORMAT | CLI_FROM | CLI_QUIET | CLI_SIZE,
  .summary = "copy a file into a volume",
  .help =
    "FILE is an image or a block device, or - for standard input.  A volume\n"
    "that is missing is made, with the size of FILE.  One that is there is\n"
    "overwritten; it must be large enough, and no host may be attached.\n"
    "Success means that all of it is on stable storage.\n",
  .run = run,
};
