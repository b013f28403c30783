/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of commands are those of the manual, qbd(1): I/O as users call it, and
 * admin commands as the specifications do.
 */
#include "nvmeof/command-describe.h"
#include "nvmeof/cross-reset.h"

static const char *
io_name (uint8_t opcode)
{
  switch (opcode) {
  case nvme_cmd_flush:
    return "flush";
  case nvme_cmd_write:
    return "write";
  case nvme_cmd_read:
    return "read";
  case nvme_cmd_compare:
    return "compare";
  case nvme_cmd_write_zeroes:
    return "write-zeroes";
  case nvme_cmd_dsm:
    return "discard";
  default:
    return "other";
  }
}

static const char *
admin_name (uint8_t opcode)
{
  switch (opcode) {
  case nvme_admin_get_log_page:
    return "log-page";
  case nvme_admin_identify:
    return "identify";
  case nvme_admin_abort_cmd:
    return "abort";
  case nvme_admin_set_features:
  case nvme_admin_get_features:
    return "features";
  case nvme_admin_async_event:
    return "event-request";
  case nvme_admin_keep_alive:
    return "keep-alive";
  case NVME_ADMIN_CROSS_RESET:
    return "cross-reset";
  case nvme_admin_get_lba_status:
    return "block-status";
  default:
    return "other";
  }
}

static const char *
fabrics_name (uint8_t fctype)
{
  return fctype == NVMF_FCTYPE_CONNECT ? "connect" : "property";
}

/* A peer may have said anything. */
static uint64_t
bytes_of (uint64_t blocks, uint32_t block_bytes)
{
  uint64_t bytes;

  return __builtin_mul_overflow (blocks, block_bytes, &bytes)
    || bytes > INT64_MAX ? INT64_MAX : bytes;
}

void
command_describe (const union nvme_command *sqe, bool admin,
                  uint32_t block_bytes, const struct nvme_dsm_range *range,
                  struct command_description *description)
{
  uint8_t opcode = sqe->common.opcode;

  *description = (struct command_description) { 0 };
  if (opcode == nvme_admin_fabrics) {
    description->op = fabrics_name (sqe->connect.fctype);
    return;
  }
  description->op = admin ? admin_name (opcode) : io_name (opcode);
  if (admin)
    return;
  if (opcode == nvme_cmd_dsm && range) {
    description->offset_bytes = bytes_of (le64_to_cpu (range->slba),
                                          block_bytes);
    description->length_bytes = bytes_of (le32_to_cpu (range->nlb),
                                          block_bytes);
  }
  if (opcode == nvme_cmd_read || opcode == nvme_cmd_write
      || opcode == nvme_cmd_compare || opcode == nvme_cmd_write_zeroes) {
    description->offset_bytes = bytes_of (le64_to_cpu (sqe->rw.slba),
                                          block_bytes);
    description->length_bytes =
      bytes_of (le16_to_cpu (sqe->rw.nlb_0based) + 1ull, block_bytes);
  }
}
