/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events (Base 2.0 section 5.2).  A host sends requests at once
 * and expects them to be held.  There are two events: an attribute of the
 * namespace, its size, has changed; and its path has another ANA state.  Each
 * is told once, and then not again before the host has read the log page that
 * belongs to it, so that a host always reads the latest.  On the admin queue's
 * reactor.
 */
#include "server/target/internal.h"

enum { TYPE_NOTICE = 2 };

static const struct {
  uint32_t oaes;
  uint8_t info;
  uint8_t lid;
} notices[CONTROLLER_NR_NOTICES] = {
  [NOTICE_NAMESPACE] = { NVME_CTRL_OAES_NA, 0, NVME_LOG_LID_CHANGED_NS },
  [NOTICE_ANA] = { NVME_CTRL_OAES_ANA, 3, NVME_LOG_LID_ANA },
};

static void
end (struct controller *controller, struct target_command *command,
     uint16_t status)
{
  TAILQ_REMOVE (&controller->events, command, in_events);
  controller->nr_events--;
  command_complete (command, status);
}

static void
look_at (struct controller *controller, enum controller_notice i)
{
  struct target_command *command = TAILQ_FIRST (&controller->events);
  struct notice *notice = &controller->notices[i];

  if (command == NULL || !notice->changed || notice->sent
      || !(features_events (controller) & notices[i].oaes))
    return;
  notice->sent = true;
  command_set_dw0 (command, TYPE_NOTICE | notices[i].info << 8
                   | notices[i].lid << 16);
  end (controller, command, 0);
}

void
events_look (struct controller *controller)
{
  for (unsigned i = 0; i < CONTROLLER_NR_NOTICES; i++)
    look_at (controller, i);
}

void
event_request_execute (struct target_command *command)
{
  struct controller *controller = command->queue->controller;

  if (controller->nr_events > TARGET_AERL_0BASED) {
    command_complete (command, STATUS_DNR (STATUS_SPECIFIC
                                           (NVME_SC_ASYNC_LIMIT)));
    return;
  }
  TAILQ_INSERT_TAIL (&controller->events, command, in_events);
  controller->nr_events++;
  command_hold (command);
  events_look (controller);
}

void
events_abort (struct controller *controller)
{
  struct target_command *command;

  while ((command = TAILQ_FIRST (&controller->events)) != NULL)
    end (controller, command, NVME_SC_ABORT_QUEUE);
}

bool
events_abort_one (struct controller *controller, uint16_t cid)
{
  struct target_command *command;

  TAILQ_FOREACH (command, &controller->events, in_events)
    if (le16_to_cpu ((wire_force __le16) command->sqe.common.cid) == cid) {
      end (controller, command, NVME_SC_ABORT_REQ);
      return true;
    }
  return false;
}

void
events_changed (struct controller *controller, enum controller_notice notice)
{
  controller->notices[notice].changed = true;
  events_look (controller);
}

void
events_read (struct controller *controller, enum controller_notice notice)
{
  controller->notices[notice] = (struct notice) { false, false };
}
