/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get LBA Status (NVM Command Set section 4.2.1, admin opcode 86h) with
 * action type 02h, "return allocated LBAs": building a list of descriptors,
 * and judging one that a controller sent.  Pure functions.
 *
 *   CDW10, 11  SLBA
 *   CDW12      MNDW: dwords of the answer, 0-based
 *   CDW13      bits 31:24 ATYPE; bits 15:0 RL: blocks, 0: to the
 *              namespace's end
 *
 * The answer is libnvme's struct nvme_lba_status: NLSD, CMPC, and
 * descriptors of 16 bytes (DSLBA, NLB, status), the first of which has the
 * lowest allocated LBA at or after SLBA, in ascending order.  NLB is 0-based.
 *
 * Sources: libnvme's types.h and nvme_get_lba_status_args, nvme-cli's
 * `nvme get-lba-status`, and for ATYPE 02h and the 0-based NLB the text of
 * the NVM Command Set Specification; libnvme does not say either.
 */
#ifndef QBD_NVMEOF_LBA_STATUS_H
#define QBD_NVMEOF_LBA_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <nvme/types.h>

#include "nvmeof/command.h"

static_assert (sizeof (struct nvme_lba_status) == 8, "");
static_assert (sizeof (struct nvme_lba_status_desc) == 16, "");

enum { LBA_STATUS_ATYPE_ALLOCATED = 0x02 };

/* CMPC */
enum {
  LBA_STATUS_UNKNOWN = 0,
  LBA_STATUS_MORE = 1,          /* MNDW is used up: there may be more */
  LBA_STATUS_COMPLETE = 2,      /* these are all in the range */
};

enum { LBA_STATUS_RL_MAX = 0xffff };

/* Bytes of an answer with so many descriptors, and back. */
#define LBA_STATUS_BYTES(nr)                                            \
  ((uint32_t) (sizeof (struct nvme_lba_status)                          \
               + (nr) * sizeof (struct nvme_lba_status_desc)))
#define LBA_STATUS_NR(bytes)                                            \
  ((uint32_t) (((bytes) - sizeof (struct nvme_lba_status))              \
               / sizeof (struct nvme_lba_status_desc)))

/* What an answer says about [SLBA, ...): allocated blocks are those of its
 * extents; the rest up to known_end is not; nothing is known from there on. */
struct lba_status_answer {
  const struct nvme_lba_status *list;
  uint32_t nr;
  uint64_t known_end;
};

/* The answer to a command for [slba, end), in a buffer of that many bytes.
 * 0, or -1 with *fault: descriptors beyond the buffer, before slba, out of
 * order or overlapping, counts that overflow, or an answer that says nothing
 * about slba itself. */
int lba_status_check (const struct nvme_lba_status *list, uint32_t bytes,
                      uint64_t slba, uint64_t end,
                      struct lba_status_answer *answer, const char **fault);

/* Extent i < nr, as [*start, *end), inside [slba, known_end). */
void lba_status_extent (const struct lba_status_answer *answer, uint32_t i,
                        uint64_t *start, uint64_t *end);

#endif
