/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events (Base 2.0 section 5.2).  A host sends requests at once
 * and expects them to be held.  There is one event: an attribute of the
 * namespace, its size, has changed.  It is told once, and then not again
 * before the host has read the Changed Namespace List (section 5.16.1.5), so
 * that a host always reads the latest.  On the admin queue's reactor.
 */
#include "server/target/internal.h"

enum {
  TYPE_NOTICE = 2,
  INFO_NAMESPACE_ATTRIBUTE = 0,
};

static void
end (struct controller *controller, struct target_command *command,
     uint16_t status)
{
  TAILQ_REMOVE (&controller->events, command, in_events);
  controller->nr_events--;
  command_complete (command, status);
}

void
events_look (struct controller *controller)
{
  struct target_command *command = TAILQ_FIRST (&controller->events);

  if (command == NULL || !controller->ns_changed
      || controller->ns_event_sent
      || !(features_events (controller) & TARGET_OAES))
    return;
  controller->ns_event_sent = true;
  command_set_dw0 (command, TYPE_NOTICE | INFO_NAMESPACE_ATTRIBUTE << 8
                   | NVME_LOG_LID_CHANGED_NS << 16);
  end (controller, command, 0);
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
events_namespace_changed (struct controller *controller)
{
  controller->ns_changed = true;
  events_look (controller);
}

void
events_changed_list (struct controller *controller, __le32 list[1024],
                     bool read)
{
  if (controller->ns_changed)
    list[0] = cpu_to_le32 (TARGET_NSID);
  if (read) {
    controller->ns_changed = false;
    controller->ns_event_sent = false;
  }
}
