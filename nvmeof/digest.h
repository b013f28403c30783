/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVMe/TCP header and data digests: CRC32C (TCP Transport 1.0 section 3.3.1.1),
 * by ISA-L.
 */
#ifndef QBD_NVMEOF_DIGEST_H
#define QBD_NVMEOF_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "nvmeof/endian.h"

/* Running: start with digest_begin (), feed, end with digest_end. */
static inline uint32_t
digest_begin (void)
{
  return UINT32_MAX;
}

uint32_t digest_feed (uint32_t state, const void *data, size_t bytes);

static inline __le32
digest_end (uint32_t state)
{
  return cpu_to_le32 (~state);
}

/* Header digest: over hlen bytes at hdr, stored right behind them. */
void digest_header_put (void *hdr, size_t hlen);
bool digest_header_good (const void *hdr, size_t hlen);

#endif
