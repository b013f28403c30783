/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of the answer to Get LBA Status.
 */
#include <assert.h>

#include "nvmeof/lba-status.h"

static int
fail (const char **fault, const char *text)
{
  *fault = text;
  return -1;
}

/* Each descriptor ends at or before the next one's beginning.  *last_end is
 * the end of the last one. */
static int
check_descriptors (const struct nvme_lba_status *list, uint32_t nr,
                   uint64_t slba, uint64_t *last_end, const char **fault)
{
  uint64_t at = slba;

  for (uint32_t i = 0; i < nr; i++) {
    uint64_t dslba = le64_to_cpu (list->descs[i].dslba);
    uint64_t blocks = (uint64_t) le32_to_cpu (list->descs[i].nlb) + 1;

    if (dslba < slba)
      return fail (fault, "DSLBA is before SLBA");
    if (dslba < at)
      return fail (fault, "descriptors overlap or are out of order");
    if (dslba > UINT64_MAX - blocks)
      return fail (fault, "DSLBA and NLB overflow");
    at = dslba + blocks;
  }
  *last_end = at;
  return 0;
}

int
lba_status_check (const struct nvme_lba_status *list, uint32_t bytes,
                  uint64_t slba, uint64_t end,
                  struct lba_status_answer *answer, const char **fault)
{
  uint32_t nlsd;
  uint64_t last_end;

  assert (bytes >= sizeof *list && slba < end);
  nlsd = le32_to_cpu (list->nlsd);
  if (nlsd > LBA_STATUS_NR (bytes))
    return fail (fault, "NLSD is more than fits in the answer");
  if (list->cmpc > LBA_STATUS_COMPLETE)
    return fail (fault, "CMPC is unknown");
  if (check_descriptors (list, nlsd, slba, &last_end, fault) < 0)
    return -1;
  if (list->cmpc == LBA_STATUS_COMPLETE || last_end > end)
    last_end = end;
  if (last_end == slba)
    return fail (fault, "there is more, but no descriptor");

  /* What the range did not ask for is of no interest. */
  while (nlsd > 0 && le64_to_cpu (list->descs[nlsd - 1].dslba) >= last_end)
    nlsd--;
  *answer = (struct lba_status_answer) {
    .list = list, .nr = nlsd, .known_end = last_end,
  };
  return 0;
}

void
lba_status_extent (const struct lba_status_answer *answer, uint32_t i,
                   uint64_t *start, uint64_t *end)
{
  const struct nvme_lba_status_desc *desc = &answer->list->descs[i];

  assert (i < answer->nr);
  *start = le64_to_cpu (desc->dslba);
  *end = *start + le32_to_cpu (desc->nlb) + 1;
  if (*end > answer->known_end)
    *end = answer->known_end;
}
