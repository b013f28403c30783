/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long it pays to look for something before going to sleep: as long as is
 * allowed while things come within that time, and less while they do not, down
 * to nothing.  Whoever looks yields between two looks (sched_yield).  Belongs
 * to the one thread that looks.
 */
#ifndef QBD_SPIN_H
#define QBD_SPIN_H

#include <stdint.h>

struct spin {
  uint32_t limit_us;            /* 0: never */
  uint32_t now_us;              /* adapted */
  uint32_t in_vain_us;          /* the look before the sleep that follows */
};

static inline struct spin
spin_init (uint32_t limit_us)
{
  return (struct spin) { .limit_us = limit_us, .now_us = limit_us };
}

/* A look begins; returns when it is to end. */
static inline uint64_t
spin_begin (struct spin *spin, uint64_t now_ns)
{
  spin->in_vain_us = spin->now_us;
  return now_ns + spin->now_us * UINT64_C (1000);
}

/* There was something, and no sleep. */
static inline void
spin_found (struct spin *spin)
{
  spin->in_vain_us = 0;
}

/* A longest look would have found it, or not: what a look in vain took, and
 * the sleep after it, both count. */
static inline void
spin_slept (struct spin *spin, uint64_t slept_ns)
{
  if (spin->in_vain_us + slept_ns / 1000 < spin->limit_us)
    spin->now_us = spin->limit_us;
  else
    spin->now_us /= 2;
  spin->in_vain_us = 0;
}

#endif
