/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a sparse file has data, by SEEK_DATA and SEEK_HOLE (lseek(2)).  Both
 * move the descriptor's position, which nothing in qbd goes by.
 *
 * A file system counts in its own blocks, which may be smaller than the
 * volume's: extents are rounded outwards, because a block with any data in
 * it must never be called a hole.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include "server/engine/sparse.h"

/* The next data at or after *start_bytes: 1, and 0 when there is none up to
 * the file's end. */
static int
next_data (int fd, uint64_t *start_bytes, uint64_t *end_bytes)
{
  off_t start, end;

  start = lseek (fd, (off_t) *start_bytes, SEEK_DATA);
  if (start < 0 && errno == ENXIO)
    return 0;
  if (start < 0)
    return -errno;
  end = lseek (fd, start, SEEK_HOLE);
  if (end < 0 && errno != ENXIO)
    return -errno;
  /* Between the two calls it may have become a hole, or been cut off. */
  if (end <= start)
    end = start + 1;
  *start_bytes = (uint64_t) start;
  *end_bytes = (uint64_t) end;
  return 1;
}

int
sparse_allocated (int fd, uint32_t block_size, uint64_t offset_bytes,
                  uint64_t length_bytes, struct engine_extent *extents,
                  unsigned nr_max)
{
  uint64_t at = offset_bytes, end = offset_bytes + length_bytes;
  uint64_t data_start, data_end;
  unsigned nr = 0;
  int r;

  while (at < end) {
    data_start = data_end = at;
    r = next_data (fd, &data_start, &data_end);
    if (r < 0)
      return r;
    if (r == 0 || data_start >= end)
      break;
    data_start -= data_start % block_size;
    data_end += (block_size - data_end % block_size) % block_size;
    if (data_end > end)
      data_end = end;
    at = data_end;
    /* Rounding may have closed the gap to the one before. */
    if (nr > 0 && data_start == extents[nr - 1].offset_bytes
                                + extents[nr - 1].length_bytes) {
      extents[nr - 1].length_bytes += data_end - data_start;
      continue;
    }
    if (nr == nr_max)
      break;
    extents[nr].offset_bytes = data_start;
    extents[nr].length_bytes = data_end - data_start;
    nr++;
  }
  return (int) nr;
}

/* Past the end there is nothing to take out, but it is still refused where
 * the file system cannot. */
bool
sparse_can_punch_hole (int fd)
{
  struct stat st;

  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    return false;
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, st.st_size,
                 4096) == 0)
    return true;
  /* Others, as for a file of the greatest size, are about this range. */
  return errno != EOPNOTSUPP && errno != ENOSYS;
}
