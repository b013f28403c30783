/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cross-Controller Reset, both sides.
 */
#include <string.h>

#include "nvmeof/command-check.h"
#include "nvmeof/cross-reset.h"

/* Base 2.3 figure 328. */
enum { CIU_BYTE = 135, CIRN_BYTE = 136, CCRL_BYTE = 1807 };

void
cross_reset_put_identify (struct nvme_id_ctrl *id,
                          const struct controller_instance *instance,
                          uint8_t limit)
{
  uint8_t *page = (uint8_t *) id;
  __le64 cirn = cpu_to_le64 (instance->cirn);

  page[CIU_BYTE] = instance->ciu;
  memcpy (page + CIRN_BYTE, &cirn, sizeof cirn);
  page[CCRL_BYTE] = limit;
}

bool
cross_reset_get_identify (const struct nvme_id_ctrl *id,
                          struct controller_instance *instance)
{
  const uint8_t *page = (const uint8_t *) id;
  __le64 cirn;

  memcpy (&cirn, page + CIRN_BYTE, sizeof cirn);
  instance->ciu = page[CIU_BYTE];
  instance->cirn = le64_to_cpu (cirn);
  return page[CCRL_BYTE] > 0 && instance->cirn != 0;
}

union nvme_command
cross_reset_command (uint16_t cntlid,
                     const struct controller_instance *instance)
{
  union nvme_command sqe = { .cross_reset = {
      .opcode = NVME_ADMIN_CROSS_RESET,
      .icid = cpu_to_le16 (cntlid),
      .ciu = instance->ciu,
      .cirn = cpu_to_le64 (instance->cirn),
    } };

  return sqe;
}

uint16_t
cross_reset_check (const struct nvme_cross_reset_sqe *sqe,
                   uint16_t own_cntlid,
                   const struct controller_instance *own, uint16_t *cntlid,
                   struct controller_instance *instance)
{
  uint16_t icid = le16_to_cpu (sqe->icid);
  uint64_t cirn = le64_to_cpu (sqe->cirn);

  if (icid == own_cntlid && cirn == own->cirn && sqe->ciu == own->ciu)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  /* What has no random number cannot be told from its successors. */
  if (cirn == 0)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  *cntlid = icid;
  instance->ciu = sqe->ciu;
  instance->cirn = cirn;
  return 0;
}
