/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one place that reads the monotonic clock.
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

#endif
