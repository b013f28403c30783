/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC32C digests, by ISA-L.
 */
#include <limits.h>
#include <string.h>

#include <isa-l/crc.h>

#include "nvmeof/digest.h"
#include "nvmeof/tcp-pdu.h"

uint32_t
digest_feed (uint32_t state, const void *data, size_t bytes)
{
  /* ISA-L takes int lengths and, by an oversight of its API, a pointer to
   * non-const. */
  const unsigned char *p = data;

  while (bytes > 0) {
    int n = bytes > INT_MAX ? INT_MAX : (int) bytes;

    state = crc32_iscsi ((unsigned char *) (uintptr_t) p, n, state);
    p += n;
    bytes -= (size_t) n;
  }
  return state;
}

void
digest_header_put (void *hdr, size_t hlen)
{
  __le32 d = digest_end (digest_feed (digest_begin (), hdr, hlen));

  memcpy ((uint8_t *) hdr + hlen, &d, NVME_TCP_DIGEST_BYTES);
}

bool
digest_header_good (const void *hdr, size_t hlen)
{
  __le32 d = digest_end (digest_feed (digest_begin (), hdr, hlen));

  return memcmp ((const uint8_t *) hdr + hlen, &d, NVME_TCP_DIGEST_BYTES) == 0;
}
