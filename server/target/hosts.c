/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which hosts may attach a subsystem, which do, and how they are ended.
 *
 * A list of hosts masks the volume from all others.  Without one, it is for
 * every host of this machine (who comes in on a Unix socket or a loopback
 * address), and for those of other machines only when the server allows any
 * host.  A host names itself, so this keeps order and does not keep an
 * attacker out.  Any thread; under the target's lock.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/target/internal.h"

/* --- may ------------------------------------------------------------------- */

static bool
list_allows (const struct target *target, const struct host_list *hosts,
             const char *hostnqn, bool is_local)
{
  if (!hosts->masked)
    return is_local || atomic_load (&target->allow_any_host);
  return host_list_has (hosts, hostnqn) || host_list_has (hosts, HOST_ANY);
}

bool
subsystem_locked_allows (const struct subsystem *subsystem,
                         const char *hostnqn, bool is_local)
{
  return list_allows (subsystem->target, &subsystem->hosts, hostnqn,
                      is_local);
}

/* What every host sees of the discovery log may have changed. */
void
target_allow_any_host (struct target *target, bool allow)
{
  LOCK_SCOPE (&target->lock);

  atomic_store (&target->allow_any_host, allow);
  target->genctr++;
}

/* The first that is attached and would not be allowed; or, with fence, none,
 * because each was ended. */
static const struct controller *
locked_unlisted (struct subsystem *subsystem, const struct host_list *hosts,
                 bool fence)
{
  struct controller *controller;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem) {
    if (controller->state == CONTROLLER_DEAD
        || list_allows (subsystem->target, hosts, controller->hostnqn,
                        controller->is_local))
      continue;
    if (!fence)
      return controller;
    controller_locked_die (controller, "it is not allowed any more");
  }
  return NULL;
}

int
subsystem_set_hosts (struct subsystem *subsystem, struct host_list *hosts,
                     bool force, struct error *err)
{
  LOCK_SCOPE (&subsystem->target->lock);
  const struct controller *controller =
    locked_unlisted (subsystem, hosts, force);
  struct host_list old = subsystem->hosts;

  if (controller)
    return error_set (err, EBUSY, "host: %s/%s: %s (%s) is attached, and "
                      "would not be allowed any more: --force ends it",
                      subsystem->volume->pool->name, subsystem->volume->name,
                      controller->hostnqn, controller->peer);
  subsystem->hosts = *hosts;
  *hosts = old;
  subsystem->target->genctr++;
  return 0;
}

/* --- does ------------------------------------------------------------------- */

unsigned
subsystem_each_host (struct subsystem *subsystem,
                     void (*each) (void *opaque,
                                   const struct subsystem_host *),
                     void *opaque)
{
  LOCK_SCOPE (&subsystem->target->lock);
  int64_t now_s = time (NULL);
  uint64_t now_ms = clock_now_ms ();
  const struct controller *controller;
  unsigned n = 0;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem) {
    struct subsystem_host host = {
      .cntlid = controller->cntlid,
      .nr_io_queues = controller->nr_io_queues,
      .since_s = now_s - (int64_t) (now_ms - controller->since_ms) / 1000,
    };

    strcpy (host.hostnqn, controller->hostnqn);
    strcpy (host.address, controller->peer);
    each (opaque, &host);
    n++;
  }
  return n;
}

/* --- no more ---------------------------------------------------------------- */

int
subsystem_fence (struct subsystem *subsystem, const char *what, bool again,
                 unsigned *left, uint64_t *seen, struct error *err)
{
  LOCK_SCOPE (&subsystem->target->lock);
  struct controller *controller;

  if (subsystem->barred && !again)
    return error_set (err, EBUSY, "%s: %s/%s: is being changed already",
                      what, subsystem->volume->pool->name,
                      subsystem->volume->name);
  subsystem->barred = true;
  *left = 0;
  *seen = subsystem->target->nr_left;
  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem) {
    controller_locked_die (controller, "it was ended by force");
    ++*left;
  }
  return 0;
}

void
target_await_left (struct target *target, uint64_t seen,
                   uint64_t deadline_ms)
{
  LOCK_SCOPE (&target->lock);
  const struct timespec limit = clock_timespec (deadline_ms);
  int r = 0;

  while (target->nr_left == seen && r == 0)
    r = pthread_cond_timedwait (&target->controller_left, &target->lock,
                                &limit);
}
