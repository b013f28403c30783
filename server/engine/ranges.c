/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks on byte ranges.  A range waits for every earlier one that conflicts
 * with it, waiting ones too, so nobody starves.
 */
#include <assert.h>

#include "common/cleanup.h"
#include "server/engine/ranges.h"

void
ranges_init (struct ranges *ranges)
{
  *ranges = (struct ranges) { .nr_wide = 0 };
  pthread_mutex_init (&ranges->lock, NULL);
  TAILQ_INIT (&ranges->list);
}

void
ranges_exit (struct ranges *ranges)
{
  assert (TAILQ_EMPTY (&ranges->list));
  pthread_mutex_destroy (&ranges->lock);
}

static uint64_t
first_bucket (const struct range *range)
{
  return range->start_bytes / RANGES_BUCKET_BYTES;
}

static uint64_t
last_bucket (const struct range *range)
{
  return (range->end_bytes - 1) / RANGES_BUCKET_BYTES;
}

static bool
is_wide (const struct range *range)
{
  return last_bucket (range) - first_bucket (range) >= RANGES_WIDE;
}

static bool
conflict (const struct range *a, const struct range *b)
{
  return (a->exclusive || b->exclusive) &&
         a->start_bytes < b->end_bytes && b->start_bytes < a->end_bytes;
}

/* False: certainly nobody. */
static bool
may_conflict (const struct ranges *ranges, const struct range *range)
{
  uint64_t b;

  if (ranges->nr_wide > 0 || is_wide (range))
    return true;
  for (b = first_bucket (range); b <= last_bucket (range); ++b)
    if (ranges->exclusive[b % RANGES_BUCKETS] > 0 ||
        (range->exclusive && ranges->shared[b % RANGES_BUCKETS] > 0))
      return true;
  return false;
}

static void
count (struct ranges *ranges, const struct range *range, unsigned n)
{
  unsigned *buckets = range->exclusive ? ranges->exclusive : ranges->shared;
  uint64_t b;

  if (is_wide (range))
    ranges->nr_wide += n;
  else
    for (b = first_bucket (range); b <= last_bucket (range); ++b)
      buckets[b % RANGES_BUCKETS] += n;
}

bool
ranges_lock (struct ranges *ranges, struct range *range)
{
  struct range *other;
  LOCK_SCOPE (&ranges->lock);

  range->has_waiters = false;
  range->nr_blockers = 0;
  if (may_conflict (ranges, range))
    TAILQ_FOREACH (other, &ranges->list, next)
      if (conflict (range, other)) {
        other->has_waiters = true;
        range->nr_blockers++;
      }
  TAILQ_INSERT_TAIL (&ranges->list, range, next);
  count (ranges, range, 1);
  return range->nr_blockers == 0;
}

void
ranges_unlock (struct ranges *ranges, struct range *range)
{
  struct range *other;
  LOCK_SCOPE (&ranges->lock);

  if (range->has_waiters)
    for (other = TAILQ_NEXT (range, next); other;
         other = TAILQ_NEXT (other, next))
      if (conflict (range, other) && --other->nr_blockers == 0)
        other->granted (other);
  TAILQ_REMOVE (&ranges->list, range, next);
  count (ranges, range, -1u);
}
