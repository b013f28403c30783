/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fsx FILE SECONDS [SEED]: exercise a file system with one file, at random
 * and from a seed: write, read, write and read through a mapping, truncate,
 * punch holes, fsync, and reads past the page cache.  What is read is compared
 * with a copy of the file that is kept in memory.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 4 << 20, IO_MAX_BYTES = 128 << 10 };

static const char *path;
static int fd;
static uint8_t model[FILE_MAX_BYTES];   /* zeroes behind size */
static size_t size;
static uint8_t buffer[IO_MAX_BYTES];
static unsigned long operations;

static size_t
any_below (size_t limit)
{
  return (size_t) random () % limit;
}

/* A range that begins inside the file, or at its end. */
static size_t
any_range (size_t limit, size_t *count)
{
  size_t offset = any_below (limit);

  *count = 1 + any_below (IO_MAX_BYTES);
  if (*count > limit - offset)
    *count = limit - offset;
  return offset;
}

static void
compare (const uint8_t *found, size_t count, size_t offset, const char *how)
{
  for (size_t i = 0; i < count; i++)
    if (found[i] != model[offset + i])
      errx (1, "%s: operation %lu: %s: byte %zu is 0x%02x, not 0x%02x",
            path, operations, how, offset + i, found[i], model[offset + i]);
}

static void
fill (uint8_t *bytes, size_t count)
{
  for (size_t i = 0; i < count; i++)
    bytes[i] = (uint8_t) random ();
}

static void
do_write (void)
{
  size_t count, offset = any_range (FILE_MAX_BYTES, &count);

  fill (model + offset, count);
  if (pwrite (fd, model + offset, count, (off_t) offset) != (ssize_t) count)
    err (1, "%s: write", path);
  if (offset + count > size)
    size = offset + count;
}

static void
do_read (void)
{
  size_t count, offset;

  if (size == 0)
    return;
  offset = any_range (size, &count);
  if (pread (fd, buffer, count, (off_t) offset) != (ssize_t) count)
    err (1, "%s: read", path);
  compare (buffer, count, offset, "read");
}

/* From the disk: what the cache had is dropped. */
static void
do_read_disk (void)
{
  if (fsync (fd) == -1)
    err (1, "%s: fsync", path);
  if (posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
    errx (1, "%s: posix_fadvise", path);
  do_read ();
}

static void
do_mapped (void)
{
  size_t count, offset;
  uint8_t *map;

  if (size == 0)
    return;
  offset = any_range (size, &count);
  map = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    err (1, "%s: mmap", path);
  compare (map + offset, count, offset, "mapping");
  fill (map + offset, count);
  memcpy (model + offset, map + offset, count);
  munmap (map, size);
}

static void
do_truncate (void)
{
  size_t to = any_below (FILE_MAX_BYTES);

  if (ftruncate (fd, (off_t) to) == -1)
    err (1, "%s: truncate", path);
  if (to < size)
    memset (model + to, 0, size - to);
  size = to;
}

static void
do_punch (void)
{
  size_t count, offset;

  if (size == 0)
    return;
  offset = any_range (size, &count);
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 (off_t) offset, (off_t) count) == -1)
    err (1, "%s: punch hole", path);
  memset (model + offset, 0, count);
}

static void
check_size (void)
{
  struct stat st;

  if (fstat (fd, &st) == -1)
    err (1, "%s: fstat", path);
  if ((size_t) st.st_size != size)
    errx (1, "%s: operation %lu: size is %zu, not %zu", path, operations,
          (size_t) st.st_size, size);
}

int
main (int argc, char *argv[])
{
  static void (*const all[]) (void) = {
    do_write, do_write, do_write, do_read, do_read, do_read_disk, do_mapped,
    do_truncate, do_punch,
  };
  unsigned seed = argc > 3 ? (unsigned) atoi (argv[3])
    : (unsigned) time (NULL);
  time_t end;

  if (argc < 3)
    errx (2, "usage: fsx FILE SECONDS [SEED]");
  path = argv[1];
  end = time (NULL) + atoi (argv[2]);
  printf ("fsx: seed %u\n", seed);
  fflush (stdout);
  srandom (seed);
  fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (fd == -1)
    err (1, "%s", path);
  for (; time (NULL) < end; operations++) {
    all[any_below (sizeof all / sizeof all[0])] ();
    check_size ();
  }
  printf ("fsx: %lu operations\n", operations);
  return 0;
}
