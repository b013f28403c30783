/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between wire integers (little-endian, typed for sparse) and the CPU's.
 */
#ifndef QBD_NVMEOF_ENDIAN_H
#define QBD_NVMEOF_ENDIAN_H

#include <endian.h>
#include <linux/types.h>
#include <stdint.h>

#ifdef __CHECKER__
#define wire_force __attribute__ ((force))
#else
#define wire_force
#endif

static inline uint16_t
le16_to_cpu (__le16 v)
{
  return le16toh ((wire_force uint16_t) v);
}

static inline uint32_t
le32_to_cpu (__le32 v)
{
  return le32toh ((wire_force uint32_t) v);
}

static inline uint64_t
le64_to_cpu (__le64 v)
{
  return le64toh ((wire_force uint64_t) v);
}

static inline __le16
cpu_to_le16 (uint16_t v)
{
  return (wire_force __le16) htole16 (v);
}

static inline __le32
cpu_to_le32 (uint32_t v)
{
  return (wire_force __le32) htole32 (v);
}

static inline __le64
cpu_to_le64 (uint64_t v)
{
  return (wire_force __le64) htole64 (v);
}

#endif
