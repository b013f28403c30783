/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash for tables in memory: FNV-1a of 32 bits.  It keeps nobody from making
 * keys that collide: bound what is in a table.
 */
#ifndef QBD_HASH_H
#define QBD_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t
hash_bytes (const void *data, size_t count)
{
  const uint8_t *byte = data;
  uint32_t hash = 2166136261u;

  for (size_t i = 0; i < count; i++)
    hash = (hash ^ byte[i]) * 16777619u;
  return hash;
}

#endif
