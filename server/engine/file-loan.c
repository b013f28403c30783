/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data of a large read that stay where they are, in tmpfs: who sends them does
 * it from there, which is a copy less.  The range is locked as long, so that
 * no block changes in the midst of it; sendfile would leave the file's own
 * pages on the wire, where the lock is of no use any more.
 *
 * The file is mapped once, when it is first needed, as long as it was at open;
 * nobody in this process looks into the map.  A page of a hole would become
 * allocated by that, so what has holes, or does not tell us, is not lent.  On any
 * reactor.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "server/engine/file-internal.h"

enum {
  LOAN_MIN_BYTES = 128 * 1024,  /* then a send for each is cheap */
  LOAN_MAX_PAGES = 257,         /* 1 MiB in pages of 4 KiB, not aligned */
};

/* mincore says that all is there to whoever neither owns a file nor may write
 * it. */
static bool
tells_us (const struct file_volume *v)
{
  struct stat st;

  return !v->volume.read_only
    || (fstat (v->fd, &st) == 0 && st.st_uid == geteuid ());
}

/* NULL: there is no room for it, or it is of no use. */
static uint8_t *
map_of (struct file_volume *v)
{
  uint8_t *map = atomic_load (&v->map), *before = NULL;

  if (map || !tells_us (v))
    return map;
  map = mmap (NULL, v->map_bytes, PROT_READ, MAP_SHARED, v->fd, 0);
  if (map == MAP_FAILED)
    return NULL;
  if (!atomic_compare_exchange_strong (&v->map, &before, map)) {
    munmap (map, v->map_bytes);
    map = before;
  }
  return map;
}

void
file_unmap (struct file_volume *v)
{
  uint8_t *map = atomic_exchange (&v->map, NULL);

  if (map)
    munmap (map, v->map_bytes);
}

/* Neither holes nor what is swapped out: to fetch that may take long.
 * SEEK_HOLE would look at all that follows in the file. */
static bool
is_resident (const uint8_t *data, uint64_t bytes)
{
  const uintptr_t page_bytes = (uintptr_t) sysconf (_SC_PAGESIZE);
  uintptr_t start = (uintptr_t) data & ~(page_bytes - 1);
  size_t span = (uintptr_t) data + bytes - start;
  unsigned char pages[LOAN_MAX_PAGES];
  size_t n = (span + page_bytes - 1) / page_bytes;

  if (n > LOAN_MAX_PAGES || mincore ((void *) start, span, pages) < 0)
    return false;
  for (size_t i = 0; i < n; i++)
    if (!(pages[i] & 1))
      return false;
  return true;
}

bool
file_lend (struct file_volume *v, struct engine_request *request)
{
  const uint8_t *map;

  if (!request->may_lend || request->op != ENGINE_READ
      || request->length_bytes < LOAN_MIN_BYTES
      || request->offset_bytes + request->length_bytes > v->map_bytes)
    return false;
  map = map_of (v);
  if (!map || !is_resident (map + request->offset_bytes,
                            request->length_bytes))
    return false;
  request->lent = map + request->offset_bytes;
  return true;
}

static int
copy (struct file_volume *v, struct engine_request *request,
      uint64_t from_bytes)
{
  uint8_t *to = request->iov->iov_base;

  while (from_bytes < request->length_bytes) {
    ssize_t n = pread (v->fd, to + from_bytes,
                       request->length_bytes - from_bytes,
                       (off_t) (request->offset_bytes + from_bytes));

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return file_errno (-errno);
    if (n == 0) {
      file_ended_at (v, request->offset_bytes + from_bytes);
      return -EIO;
    }
    from_bytes += (uint64_t) n;
  }
  return 0;
}

int
file_end_loan (struct engine_volume *volume, struct engine_request *request,
               uint64_t from_bytes)
{
  struct file_volume *v = file_volume (volume);
  int r = copy (v, request, from_bytes);

  request->lent = NULL;
  ranges_unlock (&v->ranges, &file_scratch (request)->range);
  return r;
}
