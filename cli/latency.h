/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long requests took: a histogram whose buckets are at most 1/64 of
 * their value wide, from nanoseconds to hours.  Plain memory, one thread.
 */
#ifndef QBD_CLI_LATENCY_H
#define QBD_CLI_LATENCY_H

#include <stdint.h>

#define LATENCY_FRACTION_BITS 6
#define LATENCY_BUCKETS \
  ((64 - LATENCY_FRACTION_BITS + 1) << LATENCY_FRACTION_BITS)

/* All zeroes: nothing was measured. */
struct latency {
  uint64_t nr;
  uint64_t sum_ns;
  uint64_t min_ns;              /* when nr > 0 */
  uint64_t max_ns;
  uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add (struct latency *latency, uint64_t ns);
/* 0 when nothing was measured. */
double latency_mean_us (const struct latency *latency);
/* What percent (0 to 100) of all did not exceed, to the bucket's upper end. */
double latency_percentile_us (const struct latency *latency, double percent);

#endif
