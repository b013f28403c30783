/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one place that reads the monotonic clock; its times for waits; and gaps in
 * what was read.
 */
#ifndef QBD_CLOCK_H
#define QBD_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_now_ns (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static inline uint64_t
clock_now_ms (void)
{
  return clock_now_ns () / 1000000;
}

/* A time of this clock, for waits that end then. */
static inline struct timespec
clock_timespec (uint64_t ms)
{
  return (struct timespec) {
    .tv_sec = (time_t) (ms / 1000),
    .tv_nsec = (long) (ms % 1000) * 1000000,
  };
}

enum { CLOCK_GAP_MS = 1000 };

/* For how long this process was stopped: it would have looked at the clock at
 * planned_ms (0: it had no plan).  A gap that ends before that does not show:
 * who counts time plans to look every CLOCK_GAP_MS. */
static inline uint64_t
clock_gap_ms (uint64_t planned_ms, uint64_t now_ms)
{
  return planned_ms != 0 && now_ms > planned_ms &&
    now_ms - planned_ms > CLOCK_GAP_MS ? now_ms - planned_ms : 0;
}

#endif
