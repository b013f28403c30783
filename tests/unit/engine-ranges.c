/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Range locks: against a plain list, and in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/engine/ranges.h"

#define N 200
#define GIB (UINT64_C (1) << 30)

struct test_range {
  struct range range;
  enum { FREE, WAITING, LOCKED } state;
  unsigned number;              /* in the order of asking */
};

static struct ranges ranges;
static struct test_range all[N];

static void
granted (struct range *range)
{
  struct test_range *t = (struct test_range *) range;

  assert_int_equal (t->state, WAITING);
  t->state = LOCKED;
}

static bool
conflict (const struct test_range *a, const struct test_range *b)
{
  return (a->range.exclusive || b->range.exclusive) &&
         a->range.start_bytes < b->range.end_bytes &&
         b->range.start_bytes < a->range.end_bytes;
}

/* Locked if and only if no earlier one that conflicts is still there. */
static void
check_all (void)
{
  size_t i, j;

  for (i = 0; i < N; ++i) {
    bool blocked = false;

    if (all[i].state == FREE)
      continue;
    for (j = 0; j < N; ++j)
      blocked |= all[j].state != FREE && all[j].number < all[i].number &&
                 conflict (&all[i], &all[j]);
    assert_int_equal (all[i].state, blocked ? WAITING : LOCKED);
  }
}

static void
ask (struct test_range *t, unsigned *seed)
{
  static unsigned number;
  /* Small and large, near and in buckets that are the same by chance. */
  uint64_t length = rand_r (seed) % 20 == 0
    ? GIB : 512 * (1 + (uint64_t) (rand_r (seed) % 300));

  t->range.start_bytes = (uint64_t) (rand_r (seed) % 4000) * 512 +
    (uint64_t) (rand_r (seed) % 3) * RANGES_BUCKETS * RANGES_BUCKET_BYTES;
  t->range.end_bytes = t->range.start_bytes + length;
  t->range.exclusive = rand_r (seed) % 3 == 0;
  t->range.granted = granted;
  t->number = number++;
  t->state = ranges_lock (&ranges, &t->range) ? LOCKED : WAITING;
}

static void
test_random (void **state)
{
  unsigned seed = 5;
  int step;

  ranges_init (&ranges);
  for (step = 0; step < 20000; ++step) {
    struct test_range *t = &all[(unsigned) rand_r (&seed) % N];

    if (t->state == FREE)
      ask (t, &seed);
    else if (t->state == LOCKED) {
      /* First, for granted must not see it. */
      t->state = FREE;
      ranges_unlock (&ranges, &t->range);
    }
    check_all ();
  }
  for (;;) {
    size_t i;

    for (i = 0; i < N && all[i].state != LOCKED; ++i)
      ;
    if (i == N)
      break;
    all[i].state = FREE;
    ranges_unlock (&ranges, &all[i].range);
    check_all ();
  }
  /* Nobody waits for ever. */
  for (step = 0; step < N; ++step)
    assert_int_equal (all[step].state, FREE);
  ranges_exit (&ranges);
}

/* More in one bucket than it can count. */
static void
test_full_bucket (void **state)
{
  static struct range readers[UINT16_MAX + 2];
  const size_t n = sizeof readers / sizeof readers[0];
  struct test_range writer = {
    .range = { .end_bytes = 512, .exclusive = true, .granted = granted },
    .state = WAITING,
  };
  struct test_range elsewhere = {
    .range = { .start_bytes = GIB, .end_bytes = GIB + 512, .exclusive = true },
  };
  size_t i;

  ranges_init (&ranges);
  for (i = 0; i < n; ++i) {
    readers[i] = (struct range) { .end_bytes = 512 };
    assert_true (ranges_lock (&ranges, &readers[i]));
  }
  assert_true (ranges_lock (&ranges, &elsewhere.range));
  ranges_unlock (&ranges, &elsewhere.range);
  assert_false (ranges_lock (&ranges, &writer.range));
  for (i = n; i > 0; --i) {
    assert_int_equal (writer.state, WAITING);
    ranges_unlock (&ranges, &readers[i - 1]);
  }
  assert_int_equal (writer.state, LOCKED);
  ranges_unlock (&ranges, &writer.range);
  ranges_exit (&ranges);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_random),
    cmocka_unit_test (test_full_bucket),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
