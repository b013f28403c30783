/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The buddy system (Knuth, volume 1, section 2.5): free pieces of each order
 * are on a list; a piece that is given back joins with its buddy while that
 * one is free.
 */
#include <assert.h>
#include <stdlib.h>

#include "common/buddy.h"

enum { NOT_FREE = 0xff };

struct unit {
  uint32_t next, previous;      /* units; of the free list; BUDDY_NONE */
  uint8_t order;                /* of the free piece that begins here */
};

struct buddy {
  uint32_t nr_units;
  uint32_t nr_free;
  uint32_t first[BUDDY_ORDERS];
  struct unit units[];
};

static void
list_add (struct buddy *buddy, uint32_t unit, uint8_t order)
{
  uint32_t next = buddy->first[order];

  buddy->units[unit] = (struct unit) {
    .next = next, .previous = BUDDY_NONE, .order = order,
  };
  if (next != BUDDY_NONE)
    buddy->units[next].previous = unit;
  buddy->first[order] = unit;
}

static void
list_remove (struct buddy *buddy, uint32_t unit)
{
  struct unit *u = &buddy->units[unit];

  if (u->previous != BUDDY_NONE)
    buddy->units[u->previous].next = u->next;
  else
    buddy->first[u->order] = u->next;
  if (u->next != BUDDY_NONE)
    buddy->units[u->next].previous = u->previous;
  u->order = NOT_FREE;
}

static uint8_t
order_of (uint32_t bytes)
{
  uint8_t order = 0;

  assert (bytes > 0 && bytes <= BUDDY_BYTES_MAX);
  while ((uint32_t) BUDDY_UNIT_BYTES << order < bytes)
    order++;
  return order;
}

struct buddy *
buddy_create (uint32_t region_bytes)
{
  uint32_t nr_units = region_bytes / BUDDY_UNIT_BYTES;
  struct buddy *buddy = malloc (sizeof *buddy +
                                nr_units * sizeof buddy->units[0]);
  uint32_t unit = 0;

  assert (region_bytes % BUDDY_UNIT_BYTES == 0);
  if (!buddy)
    return NULL;
  buddy->nr_units = buddy->nr_free = nr_units;
  for (unsigned i = 0; i < BUDDY_ORDERS; i++)
    buddy->first[i] = BUDDY_NONE;
  for (uint32_t i = 0; i < nr_units; i++)
    buddy->units[i].order = NOT_FREE;
  while (unit < nr_units) {
    uint8_t order = BUDDY_ORDERS - 1;

    while (UINT32_C (1) << order > nr_units - unit)
      order--;
    list_add (buddy, unit, order);
    unit += UINT32_C (1) << order;
  }
  return buddy;
}

void
buddy_destroy (struct buddy *buddy)
{
  assert (!buddy || buddy_is_whole (buddy));
  free (buddy);
}

uint32_t
buddy_take (struct buddy *buddy, uint32_t bytes)
{
  uint8_t wanted = order_of (bytes), order = wanted;
  uint32_t unit;

  while (order < BUDDY_ORDERS && buddy->first[order] == BUDDY_NONE)
    order++;
  if (order == BUDDY_ORDERS)
    return BUDDY_NONE;
  unit = buddy->first[order];
  list_remove (buddy, unit);
  while (order > wanted) {
    order--;
    list_add (buddy, unit + (UINT32_C (1) << order), order);
  }
  buddy->nr_free -= UINT32_C (1) << wanted;
  return unit * BUDDY_UNIT_BYTES;
}

void
buddy_give (struct buddy *buddy, uint32_t offset, uint32_t bytes)
{
  uint8_t order = order_of (bytes);
  uint32_t unit = offset / BUDDY_UNIT_BYTES;

  assert (offset % ((uint32_t) BUDDY_UNIT_BYTES << order) == 0 &&
          unit + (UINT32_C (1) << order) <= buddy->nr_units &&
          buddy->units[unit].order == NOT_FREE);
  buddy->nr_free += UINT32_C (1) << order;
  for (; order < BUDDY_ORDERS - 1; order++) {
    uint32_t other = unit ^ UINT32_C (1) << order;

    if (other >= buddy->nr_units || buddy->units[other].order != order)
      break;
    list_remove (buddy, other);
    unit &= ~(UINT32_C (1) << order);
  }
  list_add (buddy, unit, order);
}

bool
buddy_is_whole (const struct buddy *buddy)
{
  return buddy->nr_free == buddy->nr_units;
}
