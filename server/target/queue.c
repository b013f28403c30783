/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a queue, from the first byte of its connection to the last
 * command.  A queue belongs to its reactor; other threads reach it only by
 * mail, while it is on one of the target's locked lists.
 */
#include "common/cleanup.h"
#include "common/probe.h"
#include "server/target/internal.h"

static const bool legal[][TARGET_QUEUE_DEAD + 1] = {
  [TARGET_QUEUE_NEW] = {
    [TARGET_QUEUE_CONNECTING] = true,
    [TARGET_QUEUE_DEAD] = true,
  },
  [TARGET_QUEUE_CONNECTING] = {
    [TARGET_QUEUE_NEW] = true,  /* refused; the host may try again */
    [TARGET_QUEUE_LIVE] = true,
    [TARGET_QUEUE_DEAD] = true,
  },
  [TARGET_QUEUE_LIVE] = {
    [TARGET_QUEUE_DEAD] = true,
  },
};

void
queue_set_state (struct target_queue *queue, enum target_queue_state state)
{
  assert (queue->state < TARGET_QUEUE_DEAD);
  assert (legal[queue->state][state]);
  queue->state = state;
}

void
queue_mail (struct target_queue *queue, unsigned mail)
{
  if (atomic_fetch_or (&queue->mail, mail) == 0)
    reactor_post (queue->reactor, &queue->task);
}

unsigned
target_queue_limit (const struct target_queue *queue)
{
  /* Before Connect is over there is nothing else that a host may send. */
  return queue->sqsize == 0 ? 1 : queue->sqsize + TARGET_QUEUE_SLACK;
}

const struct subsystem *
target_queue_subsystem (const struct target_queue *queue)
{
  return queue->controller ? queue->controller->subsystem : NULL;
}

/* Nothing executes any more. */
static void
queue_kill (struct target_queue *queue)
{
  bool connecting = queue->state == TARGET_QUEUE_CONNECTING;

  if (queue->state == TARGET_QUEUE_DEAD)
    return;
  queue_set_state (queue, TARGET_QUEUE_DEAD);
  if (connecting)
    connect_abandon (queue);
  if (queue->reset)
    cross_reset_abandon (queue);
  if (queue->controller && queue->qid == 0) {
    controller_disarm (queue->controller);
    events_abort (queue->controller);
  }
  queue_check_drained (queue);
}

void
queue_check_drained (struct target_queue *queue)
{
  if (queue->state == TARGET_QUEUE_DEAD && queue->nr_executing == 0
      && queue->controller)
    controller_remove_queue (queue);
}

/* Hand the queue's memory back when nobody needs it. */
static void
queue_check_over (struct target_queue *queue)
{
  if (!queue->disconnected || queue->nr_inflight > 0)
    return;
  assert (queue->controller == NULL && queue->nr_executing == 0);
  pthread_mutex_lock (&queue->target->lock);
  if (queue->in_target.tqe_prev) {
    TAILQ_REMOVE (&queue->target->queues, queue, in_target);
    queue->in_target.tqe_prev = NULL;
  }
  pthread_mutex_unlock (&queue->target->lock);
  /* Off all lists no new mail comes; what was posted is awaited. */
  if (atomic_load (&queue->mail) != 0)
    return;
  queue->drained (queue);
}

static void
queue_read_mail (struct reactor_task *task)
{
  struct target_queue *queue =
    (void *) ((char *) task - offsetof (struct target_queue, task));
  unsigned mail = atomic_exchange (&queue->mail, 0);

  if (queue->disconnected) {
    queue_check_over (queue);
    return;
  }
  if (mail & MAIL_FENCE) {
    queue_kill (queue);
    queue->ops->close (queue);
  }
  else {
    if (mail & MAIL_RETRY && queue->retry)
      queue->retry (queue);
    if (mail & MAIL_NAMESPACE && queue->state == TARGET_QUEUE_LIVE)
      events_changed (queue->controller, NOTICE_NAMESPACE);
    if (mail & MAIL_ANA && queue->state == TARGET_QUEUE_LIVE)
      events_changed (queue->controller, NOTICE_ANA);
    if (mail & MAIL_FAILED && queue->state == TARGET_QUEUE_LIVE)
      controller_failed (queue->controller);
  }
}

void
target_queue_init (struct target_queue *queue, struct target *target,
                   struct reactor *reactor,
                   const struct target_transport_ops *ops,
                   const struct target_portal *portal)
{
  *queue = (struct target_queue) {
    .ops = ops,
    .target = target,
    .reactor = reactor,
    .portal = portal,
    .task.run = queue_read_mail,
  };
  LOCK_SCOPE (&target->lock);
  TAILQ_INSERT_TAIL (&target->queues, queue, in_target);
  if (target->draining)
    queue_mail (queue, MAIL_FENCE);
}

void
target_queue_fail (struct target_queue *queue, const char *reason)
{
  if (queue->state == TARGET_QUEUE_DEAD)
    return;
  /* First the others: queue_kill may be what frees the controller. */
  if (queue->controller)
    controller_lost_queue (queue, reason);
  queue_kill (queue);
}

void
target_queue_closed (struct target_queue *queue, const char *reason)
{
  if (queue->state == TARGET_QUEUE_DEAD)
    return;
  if (queue->controller)
    controller_queue_closed (queue, reason);
  queue_kill (queue);
}

void
target_queue_disconnected (struct target_queue *queue,
                           void (*drained) (struct target_queue *))
{
  assert (!queue->disconnected);
  target_queue_closed (queue, "its host closed a connection");
  queue->disconnected = true;
  queue->drained = drained;
  queue_check_over (queue);
}

void
target_command_done (struct target_command *command)
{
  struct target_queue *queue = command->queue;

  assert (!command->executing && command->lent == NULL);
  assert (queue->nr_inflight > 0);
  PROBE1 (server_done, command);
  queue_count_inflight (queue, -1);
  queue_check_over (queue);
}
