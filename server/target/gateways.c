/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cross-Controller Reset of a controller that another gateway of the pool has:
 * that gateway is asked to end it, by way of the pool.  One that does not
 * answer is fenced by the engine, as a whole.  So nothing of the controller
 * can change the volume any more, whatever was wrong with its gateway.
 *
 * Asking blocks, so a worker thread does it.  The command counts as executing
 * meanwhile; there is one at a time for each admin queue.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "nvmeof/status.h"
#include "server/target/internal.h"

/* Between gateways, which need not be of one version: words are added at the
 * end, if at all.  Volume's UUID, CNTLID, CIU, CIRN. */
#define END_FORMAT "end %s %u %u %" PRIx64

/* --- who asks ----------------------------------------------------------- */

bool
gateways_foreign (const struct subsystem *subsystem, uint16_t cntlid)
{
  const struct engine_pool *pool = subsystem->volume->pool;

  return pool->nr_gateways > 0
    && subsystem_gateway (subsystem, cntlid) != pool->gateway;
}

static void
ask_work (struct reactor_work *work)
{
  struct target_command *command =
    (void *) ((char *) work - offsetof (struct target_command, work));
  const struct controller *own = command->queue->controller;
  const struct engine_volume *volume = own->subsystem->volume;
  struct controller_instance instance;
  char text[ENGINE_ASK_MAX];
  uint16_t cntlid;

  if (cross_reset_check (&command->sqe.cross_reset, own->cntlid,
                         &own->instance, &cntlid, &instance) != 0)
    assert (!"checked");
  snprintf (text, sizeof text, END_FORMAT, volume->uuid, cntlid, instance.ciu,
            instance.cirn);
  command->work_result =
    volume->ops->pool_ask_gateway (volume->pool,
                                   subsystem_gateway (own->subsystem, cntlid),
                                   text);
}

static void
ask_done (struct reactor_work *work)
{
  struct target_command *command =
    (void *) ((char *) work - offsetof (struct target_command, work));
  uint16_t status = 0;

  command->queue->asks = false;
  if (command->work_result == 0)
    command_set_dw0 (command, CROSS_RESET_IMMEDIATE);
  else if (command->work_result != -EPERM)      /* that promises nothing */
    status = STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS);
  command_complete (command, status);
}

void
gateways_ask (struct target_command *command)
{
  command->queue->asks = true;
  command->work.work = ask_work;
  command->work.done = ask_done;
  reactor_work_submit_far (command->queue->reactor, &command->work);
}

/* --- who is asked ------------------------------------------------------- */

/* A server may serve one volume twice, in pools of two names, or under its old
 * name for as long as a host is attached by that: each of these numbers its own
 * controllers, so only the whole instance says which one is meant. */
static struct controller *
locked_find (struct target *target, const char *uuid, uint16_t cntlid,
             const struct controller_instance *instance)
{
  struct controller *controller;
  struct subsystem *subsystem;

  TAILQ_FOREACH (subsystem, &target->subsystems, in_target) {
    if (strcmp (subsystem->volume->uuid, uuid) != 0)
      continue;
    controller = controller_locked_find (subsystem, cntlid);
    if (controller
        && controller_same_instance (&controller->instance, instance))
      return controller;
  }
  return NULL;
}

/* That CIRN cannot be guessed says that its own host asks. */
int
target_asked (void *opaque, const char *text)
{
  struct target *target = opaque;
  struct controller *controller;
  struct controller_instance instance;
  char uuid[ENGINE_UUID_TEXT];
  unsigned cntlid, ciu;

  if (sscanf (text, "end %36s %u %u %" SCNx64, uuid, &cntlid, &ciu,
              &instance.cirn) != 4 || cntlid > UINT16_MAX || ciu > UINT8_MAX)
    return -EOPNOTSUPP;
  instance.ciu = (uint8_t) ciu;
  LOCK_SCOPE (&target->lock);
  controller = locked_find (target, uuid, (uint16_t) cntlid, &instance);
  if (!controller)
    return 0;
  controller_locked_die (controller, "its host reset it, at another gateway");
  return -EBUSY;
}
