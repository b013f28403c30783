/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An nbdkit plugin that breaks promises, for tests of qbd torture: a disk of
 * 4 MiB in memory, which flush writes to file=, and a start reads.  Of the
 * writes each hundredth is treated by fault=
 *
 *   lose   acknowledged, and dropped
 *   stale  done again, ninety writes later
 *   tear   of each block of 512 bytes only one half is written
 *   half   the same, and it fails; but not of the first thousand
 *   stray  to the place behind the one that it was for
 *   flush  as it should be; but nothing ever reaches the file
 *   zero   no: each tenth Write Zeroes is dropped instead
 *
 * A trim leaves anything behind, as NBD allows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

/* One request at a time in all of it: what is wrong is so on purpose. */
#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

#define DISK_BYTES (4u << 20)
#define BLOCK_BYTES 512
#define EACH 100
#define LATE 90
#define EACH_ZEROES 10

static uint8_t disk[DISK_BYTES];
static const char *fault = "";
static int file = -1;
static bool dirty[DISK_BYTES / BLOCK_BYTES];
static unsigned nr_writes, nr_zeroes;
static struct {
  uint8_t data[64 << 10];
  uint32_t count;
  uint64_t offset;
} kept;                         /* of fault=stale */

static bool
is (const char *what)
{
  return strcmp (fault, what) == 0;
}

static int
open_file (const char *name)
{
  file = open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate (file, DISK_BYTES) < 0
      || pread (file, disk, DISK_BYTES, 0) != DISK_BYTES) {
    nbdkit_error ("%s: %m", name);
    return -1;
  }
  return 0;
}

static int
config (const char *key, const char *value)
{
  if (strcmp (key, "fault") == 0)
    fault = value;
  else if (strcmp (key, "file") == 0)
    return open_file (value);
  else {
    nbdkit_error ("unknown parameter '%s'", key);
    return -1;
  }
  return 0;
}

static void *
open_disk (int readonly)
{
  return disk;
}

static int64_t
get_size (void *handle)
{
  return DISK_BYTES;
}

static int
can_multi_conn (void *handle)
{
  return 1;
}

static int
pread_disk (void *handle, void *buf, uint32_t count, uint64_t offset,
            uint32_t flags)
{
  memcpy (buf, disk + offset, count);
  return 0;
}

static int
flush_disk (void *handle, uint32_t flags)
{
  for (uint64_t i = 0; file >= 0 && i < DISK_BYTES / BLOCK_BYTES; i++) {
    if (dirty[i] && !is ("flush")
        && pwrite (file, disk + i * BLOCK_BYTES, BLOCK_BYTES,
                   (off_t) (i * BLOCK_BYTES)) != BLOCK_BYTES) {
      nbdkit_error ("file: %m");
      return -1;
    }
    dirty[i] = false;
  }
  return 0;
}

static void
put (const void *buf, uint32_t count, uint64_t offset)
{
  memcpy (disk + offset, buf, count);
  if (count > 0)
    memset (dirty + offset / BLOCK_BYTES, true,
            (offset + count - 1) / BLOCK_BYTES - offset / BLOCK_BYTES + 1);
}

static void
write_halves (const uint8_t *data, uint32_t count, uint64_t offset)
{
  for (uint32_t i = 0; i < count; i += BLOCK_BYTES)
    put (data + i, BLOCK_BYTES / 2, offset + i);
}

static bool
fails_half (void)
{
  return is ("half") && nr_writes > 1000;
}

/* One of the hundred. */
static void
write_wrong (const void *buf, uint32_t count, uint64_t offset)
{
  if (is ("tear") || fails_half ())
    write_halves (buf, count, offset);
  else if (is ("stray"))
    put (buf, count, offset + count < DISK_BYTES ? offset + BLOCK_BYTES
         : offset);
  else if (!is ("lose"))
    put (buf, count, offset);
  if (is ("stale") && count <= sizeof kept.data) {
    memcpy (kept.data, buf, count);
    kept.count = count;
    kept.offset = offset;
  }
}

static int
pwrite_disk (void *handle, const void *buf, uint32_t count, uint64_t offset,
             uint32_t flags)
{
  if (++nr_writes % EACH == 0)
    write_wrong (buf, count, offset);
  else
    put (buf, count, offset);
  if (nr_writes % EACH == LATE)
    put (kept.data, kept.count, kept.offset);
  if (nr_writes % EACH == 0 && fails_half ()) {
    nbdkit_error ("half a write");
    nbdkit_set_error (EIO);
    return -1;
  }
  return 0;
}

static int
zero_disk (void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
  static const uint8_t zeroes[64 << 10];

  if (is ("zero") && ++nr_zeroes % EACH_ZEROES == 0)
    return 0;
  for (uint32_t done = 0, n; done < count; done += n) {
    n = count - done < sizeof zeroes ? count - done : sizeof zeroes;
    put (zeroes, n, offset + done);
  }
  return 0;
}

static int
trim_disk (void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
  memset (disk + offset, 0xa5, count);
  return 0;
}

static struct nbdkit_plugin plugin = {
  .name = "torture-target",
  .config = config,
  .open = open_disk,
  .get_size = get_size,
  .can_multi_conn = can_multi_conn,
  .pread = pread_disk,
  .pwrite = pwrite_disk,
  .zero = zero_disk,
  .trim = trim_disk,
  .flush = flush_disk,
};

struct nbdkit_plugin *plugin_init (void);
NBDKIT_REGISTER_PLUGIN (plugin)
