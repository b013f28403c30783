/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Admin commands of I/O and discovery controllers; the bigger ones have
 * files of their own.  On the admin queue's reactor.
 */
#include "server/target/internal.h"

static void
succeed (struct target_command *command)
{
  command_complete (command, 0);
}

/* --- Abort ------------------------------------------------------------------ */

/* What the engine has is awaited, never cancelled, so only an event request
 * can be aborted.  Dword 0 bit 0: the command was not aborted. */
static void
abort_execute (struct target_command *command)
{
  struct controller *controller = command->queue->controller;
  uint32_t cdw10 = le32_to_cpu (command->sqe.common.cdw10);
  uint16_t sqid = cdw10 & 0xffff;
  bool aborted = sqid == 0 && events_abort_one (controller, cdw10 >> 16);

  command_set_dw0 (command, aborted ? 0 : 1);
  command_complete (command, 0);
}

/* --- dispatch --------------------------------------------------------------- */

static uint16_t
parse_discovery (struct target_command *command)
{
  switch (command->sqe.common.opcode) {
  case nvme_admin_get_log_page:
    return log_parse (command);
  case nvme_admin_identify:
    return identify_parse (command);
  case nvme_admin_set_features:
    return set_features_parse (command);
  case nvme_admin_get_features:
    return get_features_parse (command);
  case nvme_admin_async_event:
    command->handler = event_request_execute;
    return 0;
  case nvme_admin_keep_alive:
    command->handler = succeed;
    return 0;
  default:
    return STATUS_DNR (NVME_SC_INVALID_OPCODE);
  }
}

uint16_t
admin_parse (struct target_command *command)
{
  const struct controller *controller = command->queue->controller;
  uint8_t opcode = command->sqe.common.opcode;
  enum controller_state state = controller->state;

  /* Its queues will be told; a host may try elsewhere. */
  if (state == CONTROLLER_DEAD)
    return NVME_SC_ABORT_QUEUE;
  /* Keep Alive is served as long as the association lives. */
  if (state != CONTROLLER_ENABLED && opcode != nvme_admin_keep_alive)
    return STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  if (opcode == nvme_admin_abort_cmd && controller->subsystem->volume) {
    command->handler = abort_execute;
    return 0;
  }
  if (opcode == nvme_admin_get_lba_status && controller->subsystem->volume)
    return lba_status_parse (command);
  if (opcode == NVME_ADMIN_CROSS_RESET && controller->subsystem->volume)
    return cross_reset_parse (command);
  return parse_discovery (command);
}
