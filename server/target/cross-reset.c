/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cross-Controller Reset (Base 2.3 section 5.4.3): a host names the controller
 * that it lost its connections to, which may not know of that yet.  It dies, and
 * the command is answered when the engine has nothing of it any more, so
 * that the answer always says "immediate".  After ten seconds it says that
 * the reset is in progress: to be asked again.  There is no log of resets.
 *
 * One command waits for each admin queue, on whose reactor all this runs.
 *
 * A controller that is not known was one of this process and is over, or one
 * of a process before: that has no write under way any more, as its pool's
 * lock would not be ours.  Where several servers serve a pool it was ours by
 * its number; all others are gateways.c's.
 */
#include <string.h>

#include "common/cleanup.h"
#include "server/target/internal.h"

enum { WAIT = 0xffff };         /* no status */

static bool
same_host (const struct controller *a, const struct controller *b)
{
  return strcmp (a->hostnqn, b->hostnqn) == 0
    && memcmp (a->hostid, b->hostid, TARGET_HOSTID_BYTES) == 0;
}

/* A status, or WAIT. */
static uint16_t
locked_reset (struct target_command *command)
{
  struct controller *own = command->queue->controller;
  struct controller_instance instance;
  struct controller *impacted;
  uint16_t cntlid;

  if (cross_reset_check (&command->sqe.cross_reset, own->cntlid,
                         &own->instance, &cntlid, &instance) != 0)
    assert (!"checked");
  impacted = controller_locked_find (own->subsystem, cntlid);
  if (impacted == NULL || !controller_same_instance (&impacted->instance,
                                                      &instance)) {
    command_set_dw0 (command, CROSS_RESET_IMMEDIATE);
    return 0;
  }
  if (!same_host (impacted, own))
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  controller_locked_die (impacted, "its host reset it");
  return target_locked_wait (command->queue, cross_reset_retry) ? WAIT :
    STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS);
}

static void
finish (struct target_queue *queue, uint16_t status)
{
  struct target_command *command = queue->reset;

  queue->reset = NULL;
  command_complete (command, status);
}

void
cross_reset_retry (struct target_queue *queue)
{
  uint16_t status;

  if (queue->reset == NULL)
    return;
  {
    LOCK_SCOPE (&queue->target->lock);
    status = locked_reset (queue->reset);
    if (status != WAIT)
      target_locked_stop_waiting (queue);
  }
  if (status != WAIT)
    finish (queue, status);
}

void
cross_reset_abandon (struct target_queue *queue)
{
  {
    LOCK_SCOPE (&queue->target->lock);
    target_locked_stop_waiting (queue);
  }
  finish (queue, NVME_SC_ABORT_QUEUE);
}

static void
execute (struct target_command *command)
{
  struct target_queue *queue = command->queue;
  uint16_t cntlid = le16_to_cpu (command->sqe.cross_reset.icid);

  if (queue->reset || queue->asks) {
    command_complete (command, STATUS_SPECIFIC (NVME_SC_CROSS_RESET_LIMIT));
    return;
  }
  if (gateways_foreign (queue->controller->subsystem, cntlid)) {
    gateways_ask (command);
    return;
  }
  command_hold (command);
  queue->reset = command;
  cross_reset_retry (queue);
}

uint16_t
cross_reset_parse (struct target_command *command)
{
  const struct controller *own = command->queue->controller;
  struct controller_instance instance;
  uint16_t cntlid;

  command->handler = execute;
  return cross_reset_check (&command->sqe.cross_reset, own->cntlid,
                            &own->instance, &cntlid, &instance);
}
