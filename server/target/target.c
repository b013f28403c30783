/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The target itself: what holds all subsystems and queues together, and the
 * end of them all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "server/target/internal.h"

static void
target_free (struct target *target)
{
  free (target->discovery);
  pthread_cond_destroy (&target->controller_left);
  pthread_mutex_destroy (&target->lock);
  free (target);
}

int
target_create (struct target **result, struct error *err)
{
  struct target *target = calloc (1, sizeof *target);
  struct subsystem *discovery = calloc (1, sizeof *discovery);
  pthread_condattr_t attr;

  if (target == NULL || discovery == NULL) {
    free (discovery);
    free (target);
    return error_set (err, ENOMEM, "target: out of memory");
  }
  pthread_mutex_init (&target->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&target->controller_left, &attr);
  pthread_condattr_destroy (&attr);
  TAILQ_INIT (&target->subsystems);
  TAILQ_INIT (&target->queues);
  TAILQ_INIT (&target->waiting);
  discovery->target = target;
  strcpy (discovery->nqn, NVMEOF_DISCOVERY_NQN);
  TAILQ_INIT (&discovery->controllers);
  target->discovery = discovery;
  *result = target;
  return 0;
}

void
target_destroy (struct target *target)
{
  if (target == NULL)
    return;
  assert (TAILQ_EMPTY (&target->subsystems));
  assert (TAILQ_EMPTY (&target->queues));
  assert (TAILQ_EMPTY (&target->discovery->controllers));
  assert (target->attached.nr_queues == 0);
  target_free (target);
}

static void
locked_kill_controllers (struct subsystem *subsystem)
{
  struct controller *controller;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem)
    controller_locked_die (controller, "the server stops");
}

void
target_drain (struct target *target)
{
  LOCK_SCOPE (&target->lock);
  struct subsystem *subsystem;
  struct target_queue *queue;

  target->draining = true;
  TAILQ_FOREACH (subsystem, &target->subsystems, in_target)
    locked_kill_controllers (subsystem);
  locked_kill_controllers (target->discovery);
  TAILQ_FOREACH (queue, &target->queues, in_target)
    queue_mail (queue, MAIL_FENCE);
}

static void
wait_limit_expired (struct reactor_timer *timer)
{
  struct target_queue *queue =
    (void *) ((char *) timer - offsetof (struct target_queue, wait_limit));

  queue->retry (queue);
}

bool
target_locked_wait (struct target_queue *queue,
                    void (*retry) (struct target_queue *queue))
{
  uint64_t now_ms = reactor_now_ms (queue->reactor);

  if (queue->waits)
    return now_ms < queue->wait_limit.due_ms;
  queue->waits = true;
  queue->retry = retry;
  TAILQ_INSERT_TAIL (&queue->target->waiting, queue, in_waiting);
  queue->wait_limit.expired = wait_limit_expired;
  reactor_timer_arm (queue->reactor, &queue->wait_limit,
                     now_ms + TARGET_CONNECT_WAIT_MS);
  return true;
}

void
target_locked_stop_waiting (struct target_queue *queue)
{
  if (!queue->waits)
    return;
  queue->waits = false;
  TAILQ_REMOVE (&queue->target->waiting, queue, in_waiting);
  reactor_timer_disarm (queue->reactor, &queue->wait_limit);
}

void
target_locked_wake_waiting (struct target *target)
{
  struct target_queue *queue;

  TAILQ_FOREACH (queue, &target->waiting, in_waiting)
    queue_mail (queue, MAIL_RETRY);
}
