/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests that do not fit the volume's blocks.  Any thread.
 */
#include <stdbool.h>
#include <string.h>

#include "plugin/blocks.h"

/* The request as at most three pieces: part of a first block, whole blocks,
 * part of a last one. */
struct pieces {
  uint32_t block;               /* bytes */
  uint32_t head;                /* bytes, 0: none */
  uint32_t head_skip;           /* bytes of the first block before head */
  uint32_t body;                /* bytes, a multiple of block */
  uint32_t tail;                /* bytes at the start of the last block */
};

static struct pieces
cut (struct qbd_volume *volume, uint32_t count, uint64_t offset)
{
  struct pieces p = { .block = qbd_get_block_size (volume) };

  p.head_skip = offset % p.block;
  if (p.head_skip) {
    p.head = p.block - p.head_skip;
    if (p.head > count)
      p.head = count;
  }
  p.tail = (count - p.head) % p.block;
  p.body = count - p.head - p.tail;
  return p;
}

static bool
is_whole (const struct pieces *p)
{
  return p->head == 0 && p->tail == 0;
}

/* Changes bytes of one block; the caller has the block alone.  data NULL:
 * zeroes. */
static int
modify (struct qbd_volume *volume, const struct pieces *p, const void *data,
        uint32_t count, uint64_t offset, unsigned flags)
{
  uint8_t block[BLOCKS_MAX_BYTES];
  uint32_t skip = offset % p->block;

  if (qbd_pread (volume, block, p->block, offset - skip, 0) == -1)
    return -1;
  if (data)
    memcpy (block + skip, data, count);
  else
    memset (block + skip, 0, count);
  return qbd_pwrite (volume, block, p->block, offset - skip, flags);
}

int
blocks_read (const struct blocks *blocks, void *buf, uint32_t count,
             uint64_t offset)
{
  struct qbd_volume *volume = blocks->volume;
  const struct pieces p = cut (volume, count, offset);
  uint8_t block[BLOCKS_MAX_BYTES], *to = buf;

  if (is_whole (&p))
    return qbd_pread (volume, buf, count, offset, 0);
  if (p.head) {
    if (qbd_pread (volume, block, p.block, offset - p.head_skip, 0) == -1)
      return -1;
    memcpy (to, block + p.head_skip, p.head);
  }
  if (p.body
      && qbd_pread (volume, to + p.head, p.body, offset + p.head, 0) == -1)
    return -1;
  if (p.tail) {
    if (qbd_pread (volume, block, p.block, offset + p.head + p.body, 0) == -1)
      return -1;
    memcpy (to + p.head + p.body, block, p.tail);
  }
  return 0;
}

static int
write_pieces (struct qbd_volume *volume, const struct pieces *p,
              const uint8_t *from, uint64_t offset, unsigned flags)
{
  if (p->head && modify (volume, p, from, p->head, offset, flags) == -1)
    return -1;
  from += p->head;
  offset += p->head;
  if (p->body && qbd_pwrite (volume, from, p->body, offset, flags) == -1)
    return -1;
  if (p->tail == 0)
    return 0;
  return modify (volume, p, from + p->body, p->tail, offset + p->body, flags);
}

int
blocks_write (const struct blocks *blocks, const void *buf, uint32_t count,
              uint64_t offset, unsigned flags)
{
  const struct pieces p = cut (blocks->volume, count, offset);
  range_lock_held held;
  int r;

  if (is_whole (&p)) {
    held = range_lock_shared (blocks->lock, "write", offset, count);
    r = qbd_pwrite (blocks->volume, buf, count, offset, flags);
  }
  else {
    held = range_lock_alone (blocks->lock, "write", offset, count);
    r = write_pieces (blocks->volume, &p, buf, offset, flags);
  }
  range_unlock (blocks->lock, held);
  return r;
}

static int
zero_pieces (struct qbd_volume *volume, const struct pieces *p,
             uint64_t offset, unsigned flags)
{
  const unsigned fua = flags & QBD_FUA;

  if (p->head && modify (volume, p, NULL, p->head, offset, fua) == -1)
    return -1;
  offset += p->head;
  if (p->body && qbd_write_zeroes (volume, p->body, offset, flags) == -1)
    return -1;
  if (p->tail == 0)
    return 0;
  return modify (volume, p, NULL, p->tail, offset + p->body, fua);
}

int
blocks_zero (const struct blocks *blocks, uint32_t count, uint64_t offset,
             unsigned flags)
{
  const struct pieces p = cut (blocks->volume, count, offset);
  range_lock_held held;
  int r;

  held = (is_whole (&p) ? range_lock_shared : range_lock_alone)
    (blocks->lock, "write-zeroes", offset, count);
  r = zero_pieces (blocks->volume, &p, offset, flags);
  range_unlock (blocks->lock, held);
  return r;
}

int
blocks_trim (const struct blocks *blocks, uint32_t count, uint64_t offset,
             unsigned flags)
{
  const struct pieces p = cut (blocks->volume, count, offset);
  range_lock_held held;
  int r;

  if (p.body == 0)
    return 0;
  held = range_lock_shared (blocks->lock, "discard", offset + p.head,
                            p.body);
  r = qbd_discard (blocks->volume, p.body, offset + p.head, flags);
  range_unlock (blocks->lock, held);
  return r;
}
