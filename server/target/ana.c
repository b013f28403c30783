/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asymmetric namespace access (Base 2.0 section 8.1): what a path to a volume
 * is good for.  It is the listener by which a host came that differs, so that
 * all namespaces are in one ANA group, and each listener has a state of it.
 * A volume that another gateway has fenced is inaccessible by all of them.
 *
 * States are any thread's, and read for each I/O command; a listener's number
 * is its own as long as it is wanted, closed and opened again, too, and hosts
 * that came by it keep it.
 */
#include <string.h>

#include "common/cleanup.h"
#include "server/target/internal.h"

const char *const target_ana_names[] = {
  "optimized", "non-optimized", "inaccessible", NULL
};

uint8_t
target_add_listener (struct target *target)
{
  LOCK_SCOPE (&target->lock);

  do
    target->last_listener++;    /* modulo TARGET_LISTENERS_MAX */
  while (target->listens[target->last_listener]);
  target->listens[target->last_listener] = true;
  target->ana[target->last_listener] = NVME_ANA_STATE_OPTIMIZED;
  return target->last_listener;
}

void
target_remove_listener (struct target *target, uint8_t listener)
{
  LOCK_SCOPE (&target->lock);

  target->listens[listener] = false;
}

/* listener: or -1, all. */
static void
locked_tell (struct subsystem *subsystem, int listener)
{
  struct controller *controller;
  struct target_queue *queue;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem)
    TAILQ_FOREACH (queue, &controller->queues, in_controller)
      if (queue->qid == 0
          && (listener < 0 || queue->portal->listener == listener))
        queue_mail (queue, MAIL_ANA);
}

void
target_set_ana (struct target *target, uint8_t listener,
                enum nvme_ana_state state)
{
  LOCK_SCOPE (&target->lock);
  struct subsystem *subsystem;

  if (target->ana[listener] == state)
    return;
  target->ana[listener] = (uint8_t) state;
  target->ana_changes++;
  TAILQ_FOREACH (subsystem, &target->subsystems, in_target)
    locked_tell (subsystem, listener);
}

void
subsystem_fenced_off (struct subsystem *subsystem)
{
  LOCK_SCOPE (&subsystem->target->lock);

  subsystem->target->ana_changes++;
  locked_tell (subsystem, -1);
}

static uint8_t
state_of (const struct target_queue *queue)
{
  const struct engine_volume *volume = queue->controller->subsystem->volume;
  uint8_t state = queue->target->ana[queue->portal->listener];

  if (volume && atomic_load (&volume->pool->is_fenced))
    return NVME_ANA_STATE_INACCESSIBLE;
  return state ? state : NVME_ANA_STATE_OPTIMIZED;      /* no listener's */
}

uint16_t
ana_check (const struct target_queue *queue)
{
  return state_of (queue) == NVME_ANA_STATE_INACCESSIBLE
    ? STATUS_PATH (NVME_SC_ANA_INACCESSIBLE) : 0;
}

size_t
ana_fill_log (const struct target_queue *queue, bool groups_only,
              uint8_t page[ANA_LOG_BYTES])
{
  struct nvme_ana_log header = {
    .chgcnt = cpu_to_le64 (queue->target->ana_changes),
    .ngrps = cpu_to_le16 (TARGET_ANA_GROUP),
  };
  struct nvme_ana_group_desc group = {
    .grpid = cpu_to_le32 (TARGET_ANA_GROUP),
    .nnsids = cpu_to_le32 (groups_only ? 0 : 1),
    .chgcnt = header.chgcnt,
    .state = state_of (queue),
  };
  __le32 nsid = cpu_to_le32 (groups_only ? 0 : TARGET_NSID);

  memcpy (page, &header, sizeof header);
  memcpy (page + sizeof header, &group, sizeof group);
  memcpy (page + sizeof header + sizeof group, &nsid, sizeof nsid);
  return ANA_LOG_BYTES - (groups_only ? sizeof nsid : 0);
}
