/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a volume's file is opened: past the page cache where the file system and
 * the volume's block size allow it, else through it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "common/cleanup.h"
#include "server/engine/file-internal.h"
#include "server/engine/sparse.h"

/* Buffers of one element are aligned to this (engine.h). */
#define BUFFER_ALIGN 4096

struct alignment {
  uint32_t offset_bytes;        /* 0: no direct I/O */
  uint32_t memory_bytes;
};

/* Before statx could tell (Linux 6.1): try. */
static struct alignment
try_alignment (int direct_fd)
{
  struct alignment alignment = { 0, 0 };
  uint32_t align;
  void *buffer;

  if (posix_memalign (&buffer, BUFFER_ALIGN, BUFFER_ALIGN) != 0)
    return alignment;
  for (align = 512; align <= BUFFER_ALIGN; align *= 2)
    if (pread (direct_fd, buffer, align, align) >= 0) {
      alignment = (struct alignment) { align, align };
      break;
    }
  free (buffer);
  return alignment;
}

static struct alignment
alignment_of (int direct_fd)
{
#ifdef STATX_DIOALIGN
  struct statx st;

  if (statx (direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
      (st.stx_mask & STATX_DIOALIGN)) {
    return (struct alignment) {
      st.stx_dio_mem_align <= BUFFER_ALIGN ? st.stx_dio_offset_align : 0,
      st.stx_dio_mem_align,
    };
  }
#endif
  return try_alignment (direct_fd);
}

static int
no_direct (const struct file_pool *pool, const char *what, const char *name,
           uint32_t block_size, uint32_t align, struct error *err)
{
  if (align == 0)
    return error_set (err, EINVAL, "%s: %s/%s: cache=direct: the file system of "
                      "%s cannot: use cache=buffered", what, pool->pool.name,
                      name, pool->path);
  return error_set (err, EINVAL, "%s: %s/%s: cache=direct: blocks of %u bytes "
                    "are too small: %s needs %u, or use cache=buffered", what,
                    pool->pool.name, name, (unsigned) block_size, pool->path,
                    (unsigned) align);
}

int
file_check_block_size (struct file_pool *pool, const char *name,
                       uint32_t block_size, struct error *err)
{
  struct alignment alignment = { 0, 0 };
  CLEANUP_CLOSE int fd = -1;

  if (pool->cache != FILE_CACHE_DIRECT)
    return 0;
  if (!pool->is_memory)
    fd = openat (pool->dir_fd, FILE_LOCK_WRITES,
                 O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0)
    alignment = alignment_of (fd);
  if (alignment.offset_bytes == 0 || alignment.offset_bytes > block_size)
    return no_direct (pool, "create", name, block_size,
                      alignment.offset_bytes, err);
  return 0;
}

void
file_close_volume (struct file_volume *v)
{
  file_unmap (v);
  if (v->fua_fd != v->fd)
    close (v->fua_fd);
  close (v->fd);
}

/* In memory nothing is written back: one will do. */
static int
open_both (struct file_volume *v, const char *file, int flags)
{
  const struct file_pool *pool = file_pool (v->volume.pool);

  flags |= O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
  flags |= v->volume.read_only ? O_RDONLY : O_RDWR;
  v->fd = openat (pool->volumes_fd, file, flags);
  if (v->fd < 0)
    return -errno;
  v->fua_fd = pool->is_memory ? v->fd
    : openat (pool->volumes_fd, file, flags);
  if (v->fua_fd < 0) {
    int r = -errno;

    close (v->fd);
    return r;
  }
  return 0;
}

/* 0: not possible, but no error. */
static int
open_direct (struct file_volume *v, const char *file, struct error *err)
{
  struct file_pool *pool = file_pool (v->volume.pool);
  struct alignment alignment = { 0, 0 };
  int r;

  if (pool->cache == FILE_CACHE_BUFFERED)
    return 0;
  r = pool->is_memory ? -EINVAL : open_both (v, file, O_DIRECT);
  if (r == 0) {
    alignment = alignment_of (v->fd);
    if (alignment.offset_bytes > 0 &&
        alignment.offset_bytes <= v->volume.block_size) {
      v->is_direct = true;
      v->offset_align = alignment.offset_bytes;
      v->memory_align = alignment.memory_bytes;
      return 1;
    }
    file_close_volume (v);
  }
  else if (r != -EINVAL)
    return 0;                   /* and will fail the other way as well */
  if (pool->cache == FILE_CACHE_DIRECT)
    return no_direct (pool, "open", v->volume.name, v->volume.block_size,
                      alignment.offset_bytes, err);
  return 0;
}

/* What is opened is a file, and no less than it was. */
static int
check_file (const struct file_volume *v, const char *file,
            uint64_t size_bytes, uint64_t *length_bytes, struct error *err)
{
  const struct file_pool *pool = file_pool (v->volume.pool);
  struct stat st;

  if (fstat (v->fd, &st) < 0 || !S_ISREG (st.st_mode) ||
      ((uint64_t) st.st_size < v->volume.block_size && size_bytes == 0))
    return error_set (err, EIO, "open: %s/%s: %s/volumes/%s is no file of at "
                      "least one block", pool->pool.name, v->volume.name,
                      pool->path, file);
  *length_bytes = (uint64_t) st.st_size;
  if (file_whole_blocks (*length_bytes, v->volume.block_size) < size_bytes)
    return error_set (err, EIO, "open: %s/%s: %s/volumes/%s is shorter than "
                      "the volume: %" PRIu64 " of %" PRIu64 " bytes: restore "
                      "it (qbd check says more)", pool->pool.name,
                      v->volume.name, pool->path, file, *length_bytes,
                      size_bytes);
  return 0;
}

int
file_open_volume (struct file_volume *v, uint64_t size_bytes,
                  struct error *err)
{
  struct file_pool *pool = file_pool (v->volume.pool);
  char file[FILE_NAME_BYTES];
  uint64_t length_bytes = 0;
  int r;

  file_name_of (v->volume.name, file);
  r = open_direct (v, file, err);
  if (r < 0)
    return r;
  if (r == 0)
    r = open_both (v, file, 0);
  if (r == -ENOENT)
    return error_set (err, EIO, "open: %s/%s: %s/volumes/%s is missing: restore "
                      "it, or remove the volume", pool->pool.name,
                      v->volume.name, pool->path, file);
  if (r < 0)
    return error_set (err, -r, "open: %s/%s: %s/volumes/%s: %s",
                      pool->pool.name, v->volume.name, pool->path, file,
                      strerror (-r));
  r = check_file (v, file, size_bytes, &length_bytes, err);
  if (r < 0) {
    file_close_volume (v);
    return r;
  }
  v->is_memory = pool->is_memory;
  v->volume.unmaps = !v->volume.read_only && sparse_can_punch_hole (v->fd);
  atomic_init (&v->no_punch_hole, !v->volume.unmaps);
  atomic_init (&v->cut_bytes, FILE_WHOLE);
  v->map_bytes = length_bytes;
  atomic_init (&v->volume.size_bytes,
               file_whole_blocks (length_bytes, v->volume.block_size));
  return 0;
}
