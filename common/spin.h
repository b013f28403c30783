/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long it pays to look for something before going to sleep: as long as is
 * allowed while things come soon after that, and less while they do not, down
 * to nothing.  Whoever looks yields between two looks (sched_yield).  Belongs
 * to the one thread that looks.
 */
#ifndef QBD_SPIN_H
#define QBD_SPIN_H

#include <stdint.h>

struct spin {
  uint32_t limit_us;            /* 0: never */
  uint32_t now_us;              /* adapted */
};

static inline struct spin
spin_init (uint32_t limit_us)
{
  return (struct spin) { .limit_us = limit_us, .now_us = limit_us };
}

static inline void
spin_slept (struct spin *spin, uint64_t slept_ns)
{
  if (slept_ns / 1000 < spin->limit_us)
    spin->now_us = spin->limit_us;
  else
    spin->now_us /= 2;
}

#endif
