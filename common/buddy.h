/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pieces of a region of memory of fixed size, by the buddy system: the
 * smallest power of two units that is enough, aligned to itself.  It hands
 * out offsets and touches no memory of the region, so it serves for memory
 * that devices know (verbs).  No allocation but in buddy_create, no lock: its
 * owner has one, or is one thread.
 */
#ifndef QBD_BUDDY_H
#define QBD_BUDDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  BUDDY_UNIT_BYTES = 4096,
  BUDDY_ORDERS = 9,             /* pieces of 1 to 256 units: 1 MiB */
};

#define BUDDY_BYTES_MAX ((uint32_t) BUDDY_UNIT_BYTES << (BUDDY_ORDERS - 1))
#define BUDDY_NONE UINT32_MAX

struct buddy;

/* region_bytes: a multiple of the unit.  NULL: out of memory. */
struct buddy *buddy_create (uint32_t region_bytes);
void buddy_destroy (struct buddy *buddy);

/* The offset of a piece of at least bytes (1 to BUDDY_BYTES_MAX), or
 * BUDDY_NONE. */
uint32_t buddy_take (struct buddy *buddy, uint32_t bytes);
/* With the bytes that it was taken for. */
void buddy_give (struct buddy *buddy, uint32_t offset, uint32_t bytes);

/* Nothing is taken. */
bool buddy_is_whole (const struct buddy *buddy);

#endif
