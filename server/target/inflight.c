/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which commands a reactor has in flight, and what each waits for.  It reads
 * what the commands keep for it, on their own reactor: nobody else's data path
 * is touched, and theirs stands still while it reads.
 */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "nvmeof/command-describe.h"
#include "server/target/internal.h"

/* --- the oldest ------------------------------------------------------------- */

static void
find_youngest (struct target_inflight_list *list)
{
  list->youngest = 0;
  for (unsigned i = 1; i < list->nr; i++)
    if (list->commands[i].age_ms < list->commands[list->youngest].age_ms)
      list->youngest = i;
}

/* Where it belongs; NULL: all that are there are older. */
static struct target_inflight *
place_for (struct target_inflight_list *list, uint64_t age_ms)
{
  if (list->nr < list->nr_max)
    return &list->commands[list->nr++];
  if (age_ms <= list->commands[list->youngest].age_ms)
    return NULL;
  return &list->commands[list->youngest];
}

/* --- a command ---------------------------------------------------------------- */

struct walk {
  const char *volume;           /* of the queue, or empty */
  uint64_t now_ms;
  struct target_inflight_list *list;
};

static void
fill_place (const struct target_queue *queue,
            struct target_inflight *place)
{
  const struct controller *controller = queue->controller;

  snprintf (place->address, sizeof place->address, "%s", queue->portal->peer);
  snprintf (place->hostnqn, sizeof place->hostnqn, "%s",
            controller ? controller->hostnqn : "");
  place->cntlid = controller ? controller->cntlid : 0;
  place->qid = queue->qid;
  place->fenced = queue->state == TARGET_QUEUE_DEAD;
}

/* Only what was checked already, and of long ones the step under way. */
static void
fill_op (const struct target_command *command, enum target_stage stage,
         struct target_inflight *place)
{
  const struct controller *controller = command->queue->controller;
  bool admin = command->queue->qid == 0;
  uint32_t block_bytes = controller && controller->subsystem->volume
    ? 1u << controller->subsystem->lba_shift : 0;
  struct command_description description;

  command_describe (&command->sqe, admin, block_bytes, NULL, &description);
  place->op = description.op;
  place->offset_bytes = description.offset_bytes;
  place->length_bytes = description.length_bytes;
  if (stage == TARGET_STAGE_ENGINE && !admin
      && command->sqe.common.opcode == nvme_cmd_dsm) {
    place->offset_bytes = command->request.offset_bytes;
    place->length_bytes = command->request.length_bytes;
  }
}

static void
add_command (void *opaque, const struct target_command *command,
             enum target_stage stage)
{
  struct walk *walk = opaque;
  struct target_inflight_list *list = walk->list;
  uint64_t age_ms = walk->now_ms - command->received_ms;
  struct target_inflight *place;

  if (command->queue->qid == 0
      && command->sqe.common.opcode == nvme_admin_async_event)
    return;
  list->total++;
  place = place_for (list, age_ms);
  if (!place)
    return;
  /* Held: a Connect, or a Cross-Controller Reset. */
  if (stage == TARGET_STAGE_ENGINE && !command->executing)
    stage = TARGET_STAGE_CONTROLLER;
  place->age_ms = age_ms;
  place->stage_ms = walk->now_ms - command->stage_since_ms;
  place->stage = stage;
  place->cid = command->sqe.common.cid;
  strcpy (place->volume, walk->volume);
  fill_op (command, stage, place);
  fill_place (command->queue, place);
  if (list->nr == list->nr_max)
    find_youngest (list);
}

/* --- all of a reactor ----------------------------------------------------------- */

static void
volume_name (const struct subsystem *subsystem,
             char name[2 * ENGINE_NAME_MAX])
{
  const struct engine_volume *volume = subsystem ? subsystem->volume : NULL;

  name[0] = '\0';
  if (volume)
    snprintf (name, 2 * ENGINE_NAME_MAX, "%s/%s", volume->pool->name,
              volume->name);
}

void
target_list_inflight (struct target *target, const struct reactor *reactor,
                      const char *volume, struct target_inflight_list *list)
{
  LOCK_SCOPE (&target->lock);
  char name[2 * ENGINE_NAME_MAX];
  struct walk walk = {
    .volume = name, .now_ms = reactor_now_ms (reactor), .list = list,
  };
  struct target_queue *queue;

  TAILQ_FOREACH (queue, &target->queues, in_target) {
    if (queue->reactor != reactor || queue->nr_inflight == 0)
      continue;
    volume_name (target_queue_subsystem (queue), name);
    if (volume == NULL || strcmp (volume, name) == 0)
      queue->ops->each_command (queue, add_command, &walk);
  }
}

bool
target_has_volume (struct target *target, const char *volume)
{
  LOCK_SCOPE (&target->lock);
  char name[2 * ENGINE_NAME_MAX];
  const struct subsystem *subsystem;

  TAILQ_FOREACH (subsystem, &target->subsystems, in_target) {
    volume_name (subsystem, name);
    if (strcmp (volume, name) == 0)
      return true;
  }
  return false;
}
