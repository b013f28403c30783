/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a controller says of its paths to groups of namespaces: a header, then
 * a descriptor of each group with the NSIDs in it, if they were asked for.
 */
#include <string.h>

#include <nvme/types.h>

#include "nvmeof/ana.h"
#include "nvmeof/endian.h"

uint64_t
ana_log_bytes (uint32_t nr_groups, uint32_t nr_namespaces)
{
  return sizeof (struct nvme_ana_log) +
    (uint64_t) nr_groups * sizeof (struct nvme_ana_group_desc) +
    (uint64_t) nr_namespaces * sizeof (__le32);
}

static bool
is_state (uint8_t state)
{
  return (state >= NVME_ANA_STATE_OPTIMIZED &&
          state <= NVME_ANA_STATE_PERSISTENT_LOSS) ||
    state == NVME_ANA_STATE_CHANGE;
}

uint8_t
ana_find (const uint8_t *page, uint32_t bytes, uint32_t group)
{
  struct nvme_ana_log header;
  struct nvme_ana_group_desc desc;
  uint64_t at = sizeof header;

  if (bytes < sizeof header)
    return 0;
  memcpy (&header, page, sizeof header);
  for (unsigned i = 0; i < le16_to_cpu (header.ngrps); i++) {
    if (at + sizeof desc > bytes)
      return 0;
    memcpy (&desc, page + at, sizeof desc);
    if (le32_to_cpu (desc.grpid) == group)
      return is_state (desc.state & 0x0f) ? desc.state & 0x0f : 0;
    at += sizeof desc + (uint64_t) le32_to_cpu (desc.nnsids) * sizeof (__le32);
  }
  return 0;
}
