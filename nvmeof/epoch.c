/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The durability epoch in Identify Namespace.
 */
#include <string.h>

#include "nvmeof/epoch.h"

struct epoch_vs {
  __u8 word[8];
  __le64 epoch;
};

static const uint8_t word[8] = { 'q', 'b', 'd', 'e', 'p', 'o', 'c', 'h' };

static_assert (sizeof (struct epoch_vs) <=
               sizeof ((struct nvme_id_ns *) 0)->vs, "");

void
epoch_put (struct nvme_id_ns *id, uint64_t epoch)
{
  struct epoch_vs vs = { .epoch = cpu_to_le64 (epoch) };

  memcpy (vs.word, word, sizeof word);
  memcpy (id->vs, &vs, sizeof vs);
}

uint64_t
epoch_get (const struct nvme_id_ns *id)
{
  struct epoch_vs vs;

  memcpy (&vs, id->vs, sizeof vs);
  return memcmp (vs.word, word, sizeof word) == 0 ? le64_to_cpu (vs.epoch)
    : 0;
}
