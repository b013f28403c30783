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

static uint16_t *
buckets_of (struct ranges *ranges, const struct range *range)
{
  return range->exclusive ? ranges->exclusive : ranges->shared;
}

static bool
is_wide (struct ranges *ranges, const struct range *range)
{
  const uint16_t *buckets = buckets_of (ranges, range);
  uint64_t b;

  if (last_bucket (range) - first_bucket (range) >= RANGES_WIDE)
    return true;
  for (b = first_bucket (range); b <= last_bucket (range); ++b)
    if (buckets[b % RANGES_BUCKETS] == UINT16_MAX)
      return true;
  return false;
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

  if (ranges->nr_wide > 0 || range->is_wide)
    return true;
  for (b = first_bucket (range); b <= last_bucket (range); ++b)
    if (ranges->exclusive[b % RANGES_BUCKETS] > 0 ||
        (range->exclusive && ranges->shared[b % RANGES_BUCKETS] > 0))
      return true;
  return false;
}

static void
count (struct ranges *ranges, const struct range *range, int n)
{
  uint16_t *buckets = buckets_of (ranges, range);
  uint64_t b;

  if (range->is_wide)
    ranges->nr_wide += (unsigned) n;
  else
    for (b = first_bucket (range); b <= last_bucket (range); ++b)
      buckets[b % RANGES_BUCKETS] =
        (uint16_t) (buckets[b % RANGES_BUCKETS] + n);
}

bool
ranges_lock (struct ranges *ranges, struct range *range)
{
  struct range *other;
  LOCK_SCOPE (&ranges->lock);

  range->is_wide = is_wide (ranges, range);
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
  count (ranges, range, -1);
}
