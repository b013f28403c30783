/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pieces of a fixed region: never two at the same place, aligned to their
 * size, and joined again when they come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buddy.h"

enum { UNIT = BUDDY_UNIT_BYTES };

static void
rounds_up_and_aligns (void **state)
{
  struct buddy *buddy = buddy_create (2 * BUDDY_BYTES_MAX);
  uint32_t a, b, c;

  assert_non_null (buddy);
  assert_true (buddy_is_whole (buddy));
  a = buddy_take (buddy, 1);
  b = buddy_take (buddy, UNIT + 1);
  c = buddy_take (buddy, BUDDY_BYTES_MAX);
  assert_false (buddy_is_whole (buddy));
  assert_int_equal (a % UNIT, 0);
  assert_int_equal (b % (2 * UNIT), 0);
  assert_int_equal (c % BUDDY_BYTES_MAX, 0);
  assert_int_equal (buddy_take (buddy, BUDDY_BYTES_MAX), BUDDY_NONE);
  assert_int_equal (buddy_take (buddy, BUDDY_BYTES_MAX / 2) %
                    (BUDDY_BYTES_MAX / 2), 0);
  buddy_give (buddy, a, 1);
  buddy_give (buddy, b, UNIT + 1);
  buddy_give (buddy, c, BUDDY_BYTES_MAX);
  /* One half is still out: of the two largest pieces one is whole. */
  assert_int_not_equal (buddy_take (buddy, BUDDY_BYTES_MAX), BUDDY_NONE);
  assert_int_equal (buddy_take (buddy, BUDDY_BYTES_MAX), BUDDY_NONE);
  free (buddy);
}

/* A region that is no power of two is used to its last unit. */
static void
odd_regions (void **state)
{
  struct buddy *buddy = buddy_create (13 * UNIT);
  bool seen[13] = { false };

  for (unsigned i = 0; i < 13; i++) {
    uint32_t offset = buddy_take (buddy, UNIT);

    assert_int_not_equal (offset, BUDDY_NONE);
    assert_in_range (offset / UNIT, 0, 12);
    assert_false (seen[offset / UNIT]);
    seen[offset / UNIT] = true;
  }
  assert_int_equal (buddy_take (buddy, 1), BUDDY_NONE);
  for (uint32_t i = 0; i < 13; i++)
    buddy_give (buddy, i * UNIT, UNIT);
  assert_true (buddy_is_whole (buddy));
  assert_int_equal (buddy_take (buddy, 8 * UNIT), 0);
  buddy_give (buddy, 0, 8 * UNIT);
  buddy_destroy (buddy);
}

/* Random sizes, against a map of what is taken. */
static void
random_pieces (void **state)
{
  enum { UNITS = 600, PIECES = 64, ROUNDS = 200000 };
  struct { uint32_t offset, bytes; } pieces[PIECES];
  struct buddy *buddy = buddy_create (UNITS * UNIT);
  static uint8_t map[UNITS];
  unsigned nr_refused = 0;

  srandom (1);
  memset (pieces, 0, sizeof pieces);
  memset (map, 0, sizeof map);
  for (unsigned round = 0; round < ROUNDS; round++) {
    unsigned i = (unsigned) random () % PIECES;
    uint32_t first, n;

    if (pieces[i].bytes == 0) {
      uint32_t bytes = 1 + (uint32_t) random () %
        (UNIT << (unsigned) random () % BUDDY_ORDERS);
      uint32_t offset = buddy_take (buddy, bytes);

      if (offset == BUDDY_NONE) {
        nr_refused++;
        continue;
      }
      pieces[i].offset = offset;
      pieces[i].bytes = bytes;
    }
    first = pieces[i].offset / UNIT;
    n = (pieces[i].bytes + UNIT - 1) / UNIT;
    assert_true (first + n <= UNITS);
    if (map[first] == 0) {
      for (uint32_t k = 0; k < n; k++)
        assert_int_equal (map[first + k], 0);
      memset (map + first, (int) i + 1, n);
      continue;
    }
    for (uint32_t k = 0; k < n; k++)
      assert_int_equal (map[first + k], i + 1);
    memset (map + first, 0, n);
    buddy_give (buddy, pieces[i].offset, pieces[i].bytes);
    pieces[i].bytes = 0;
  }
  assert_in_range (nr_refused, 1, ROUNDS / 2);
  for (unsigned i = 0; i < PIECES; i++)
    if (pieces[i].bytes > 0)
      buddy_give (buddy, pieces[i].offset, pieces[i].bytes);
  assert_true (buddy_is_whole (buddy));
  assert_int_not_equal (buddy_take (buddy, BUDDY_BYTES_MAX), BUDDY_NONE);
  free (buddy);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (rounds_up_and_aligns),
    cmocka_unit_test (odd_regions),
    cmocka_unit_test (random_pieces),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
