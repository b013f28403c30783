/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buckets: one for each value below 64, then 64 for each power of two.
 */
#include "cli/latency.h"

#define FRACTIONS (UINT64_C (1) << LATENCY_FRACTION_BITS)

static unsigned
bucket_of (uint64_t ns)
{
  unsigned shift;

  if (ns < FRACTIONS)
    return ns;
  shift = 63 - LATENCY_FRACTION_BITS - __builtin_clzll (ns);
  return shift * FRACTIONS + (ns >> shift);
}

/* The largest value that falls into it. */
static uint64_t
end_of (unsigned bucket)
{
  unsigned shift = bucket / FRACTIONS;

  if (shift < 2)
    return bucket;
  shift--;
  return ((bucket % FRACTIONS + FRACTIONS + 1) << shift) - 1;
}

void
latency_add (struct latency *latency, uint64_t ns)
{
  if (latency->nr == 0 || ns < latency->min_ns)
    latency->min_ns = ns;
  if (ns > latency->max_ns)
    latency->max_ns = ns;
  latency->nr++;
  latency->sum_ns += ns;
  latency->buckets[bucket_of (ns)]++;
}

double
latency_mean_us (const struct latency *latency)
{
  return latency->nr == 0 ? 0
    : (double) latency->sum_ns / (double) latency->nr / 1000;
}

double
latency_percentile_us (const struct latency *latency, double percent)
{
  double wanted = (double) latency->nr * percent / 100;
  uint64_t seen = 0, ns;

  for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
    seen += latency->buckets[i];
    if (seen > 0 && (double) seen >= wanted) {
      ns = end_of (i);
      return (double) (ns < latency->max_ns ? ns : latency->max_ns) / 1000;
    }
  }
  return 0;
}
