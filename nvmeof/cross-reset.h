/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cross-Controller Reset (Base 2.3 section 5.4.3, TP8028), which Debian's
 * libnvme does not have: a host that lost its connections to one controller
 * names it on another, so that nothing it had sent there takes effect later.
 * Pure: structures, and what each side has to check of the other's.
 */
#ifndef QBD_NVMEOF_CROSS_RESET_H
#define QBD_NVMEOF_CROSS_RESET_H

#include <stdbool.h>
#include <stdint.h>

#include "nvmeof/command.h"

enum {
  NVME_ADMIN_CROSS_RESET = 0x38,
  /* Status codes of that command. */
  NVME_SC_CROSS_RESET_IN_PROGRESS = 0x3f,
  NVME_SC_CROSS_RESET_LIMIT = 0x41,
  /* Dword 0 of its answer: the reset is over. */
  CROSS_RESET_IMMEDIATE = 1 << 0,
};

/* What tells one controller from all others that ever had its CNTLID. */
struct controller_instance {
  uint8_t ciu;                  /* Controller Instance Uniquifier */
  uint64_t cirn;                /* Controller Instance Random Number; 0: the
                                   controller has none */
};

static inline bool
controller_same_instance (const struct controller_instance *a,
                          const struct controller_instance *b)
{
  return a->ciu == b->ciu && a->cirn == b->cirn;
}

/* In Identify Controller, where libnvme has reserved bytes. */
void cross_reset_put_identify (struct nvme_id_ctrl *id,
                               const struct controller_instance *instance,
                               uint8_t limit);
/* False: the controller does not know the command. */
bool cross_reset_get_identify (const struct nvme_id_ctrl *id,
                               struct controller_instance *instance);

/* The host's command. */
union nvme_command cross_reset_command (uint16_t cntlid,
                                        const struct controller_instance *);
/* The controller's check: 0 or a status.  own_cntlid cannot be named. */
uint16_t cross_reset_check (const struct nvme_cross_reset_sqe *sqe,
                            uint16_t own_cntlid,
                            const struct controller_instance *own,
                            uint16_t *cntlid,
                            struct controller_instance *instance);

#endif
