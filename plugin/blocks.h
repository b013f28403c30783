/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NBD requests of any offset and length over a volume that knows blocks.
 * Whole blocks go straight to libqbd; parts of blocks are read, modified and
 * written under the range lock.  Errors are libqbd's: -1, errno, qbd_errmsg.
 * flags are libqbd's.
 */
#ifndef QBD_PLUGIN_BLOCKS_H
#define QBD_PLUGIN_BLOCKS_H

#include <stdint.h>

#include <libqbd.h>

#include "plugin/range-lock.h"

/* The largest block that these functions can modify. */
#define BLOCKS_MAX_BYTES 4096

/* One NBD connection's way to a volume; both are shared. */
struct blocks {
  struct qbd_volume *volume;
  struct range_lock *lock;
};

int blocks_read (const struct blocks *blocks, void *buf, uint32_t count,
                 uint64_t offset);
int blocks_write (const struct blocks *blocks, const void *buf,
                  uint32_t count, uint64_t offset, unsigned flags);
int blocks_zero (const struct blocks *blocks, uint32_t count, uint64_t offset,
                 unsigned flags);
/* Parts of blocks stay as they are: a trim is a hint. */
int blocks_trim (const struct blocks *blocks, uint32_t count, uint64_t offset,
                 unsigned flags);

#endif
