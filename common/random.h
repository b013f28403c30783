/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chance that can be repeated: the same from the same seed.  For tests and
 * mutations, never for secrets.  One thread.
 */
#ifndef QBD_RANDOM_H
#define QBD_RANDOM_H

#include <stdint.h>

/* splitmix64: any state is a good seed, and every bit depends on all of it;
 * the low ones, which decide about one in two or four, as well. */
static inline uint64_t
random64 (uint64_t *state)
{
  uint64_t z = *state += 0x9e3779b97f4a7c15u;

  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static inline uint32_t
random_below (uint64_t *state, uint32_t limit)
{
  return (uint32_t) (random64 (state) % limit);
}

#endif
