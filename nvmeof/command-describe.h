/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command in words, for lists of what is in flight: any command, also one
 * that was not checked.
 */
#ifndef QBD_NVMEOF_COMMAND_DESCRIBE_H
#define QBD_NVMEOF_COMMAND_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "nvmeof/command.h"

struct command_description {
  const char *op;               /* "read", "keep-alive", ...; constant */
  uint64_t offset_bytes;        /* of I/O; at most INT64_MAX */
  uint64_t length_bytes;
};

/* range: of Dataset Management, the one that matters; NULL: not known. */
void command_describe (const union nvme_command *sqe, bool admin,
                       uint32_t block_bytes,
                       const struct nvme_dsm_range *range,
                       struct command_description *description);

#endif
