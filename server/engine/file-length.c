/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file that ends before its volume does: somebody cut it while it is served.
 * What is gone must not read as zeroes, and the file must not get its length
 * back by a write, because then nobody could tell any more.  So once it was
 * seen nothing more is changed until the volume is opened anew, and no flush
 * succeeds; what was there all the time can be read.
 *
 * It is seen by reads behind the end, and asked for by what is rare: flushes,
 * changes of the last block, resize, block status and check.  Any thread.
 */
#include <inttypes.h>

#include <sys/stat.h>

#include "common/log.h"
#include "server/engine/file-internal.h"

static void
set_cut (struct file_volume *v, uint64_t length_bytes, uint64_t size_bytes)
{
  uint64_t before_bytes = atomic_load (&v->cut_bytes);

  do {
    if (length_bytes >= before_bytes)
      return;
  } while (!atomic_compare_exchange_weak (&v->cut_bytes, &before_bytes,
                                          length_bytes));
  if (before_bytes != FILE_WHOLE)
    return;
  log_error ("volume: %s/%s: its file is shorter than the volume: %" PRIu64
             " of %" PRIu64 " bytes: writes and flushes fail; stop the server "
             "and restore the file", v->volume.pool->name, v->volume.name,
             length_bytes, size_bytes);
}

bool
file_is_whole (struct file_volume *v)
{
  uint64_t size_bytes;
  struct stat st;

  /* The size changes before the file, or the other way (resize). */
  do {
    size_bytes = atomic_load (&v->volume.size_bytes);
    if (fstat (v->fd, &st) < 0)
      st.st_size = INT64_MAX;   /* nothing is known */
  } while (size_bytes != atomic_load (&v->volume.size_bytes));
  if ((uint64_t) st.st_size < size_bytes)
    set_cut (v, (uint64_t) st.st_size, size_bytes);
  return atomic_load (&v->cut_bytes) == FILE_WHOLE;
}

void
file_ended_at (struct file_volume *v, uint64_t offset_bytes)
{
  /* Its end may be before that; or behind it again, by now. */
  if (file_is_whole (v))
    set_cut (v, offset_bytes, atomic_load (&v->volume.size_bytes));
}
