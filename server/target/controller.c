/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a controller: the unit of fencing.  It dies when its admin
 * connection ends, its host breaks the protocol, its keep-alive timer expires
 * or the server stops; then each of its queues is told by mail, stops, and
 * leaves once the engine has nothing of it any more.  The last one frees it.
 *
 * When the host closes an I/O connection, all I/O queues stop, but the admin
 * queue answers for a while: the Linux host closes its I/O connections first
 * and then shuts the controller down, and waits a minute for that answer.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/target/counters.h"
#include "server/target/internal.h"
#include "server/target/limits.h"

static const bool legal[][CONTROLLER_NR_STATES] = {
  [CONTROLLER_IDLE] = {
    [CONTROLLER_ENABLED] = true,
    [CONTROLLER_SHUTDOWN] = true,
    [CONTROLLER_DEAD] = true,
  },
  [CONTROLLER_ENABLED] = {
    [CONTROLLER_FAILED] = true,
    [CONTROLLER_DISABLING] = true,
    [CONTROLLER_SHUTDOWN] = true,
    [CONTROLLER_DEAD] = true,
  },
  [CONTROLLER_FAILED] = {
    [CONTROLLER_DISABLING] = true,
    [CONTROLLER_SHUTDOWN] = true,
    [CONTROLLER_DEAD] = true,
  },
  [CONTROLLER_DISABLING] = {
    [CONTROLLER_IDLE] = true,
    [CONTROLLER_SHUTDOWN] = true,
    [CONTROLLER_DEAD] = true,
  },
  [CONTROLLER_SHUTDOWN] = {
    [CONTROLLER_DISABLING] = true,
    [CONTROLLER_DEAD] = true,
  },
  [CONTROLLER_DEAD] = { false },
};

static void
locked_set_state (struct controller *controller, enum controller_state state)
{
  assert (legal[controller->state][state]);
  controller->state = state;
}

static void keep_alive_expired (struct reactor_timer *timer);
static void failed_expired (struct reactor_timer *timer);

/* Never twice, over restarts, too.  Early after boot there may be no chance
 * yet; nobody gains by guessing, as only its own host may name it. */
static struct controller_instance
new_instance (void)
{
  struct controller_instance instance = { .ciu = 1 };
  struct timespec now;

  if (getrandom (&instance.cirn, sizeof instance.cirn, GRND_NONBLOCK)
      != sizeof instance.cirn) {
    clock_gettime (CLOCK_REALTIME, &now);
    instance.cirn = (uint64_t) now.tv_sec << 30 ^ (uint64_t) now.tv_nsec;
  }
  instance.cirn |= instance.cirn == 0;
  return instance;
}

struct controller *
controller_locked_new (struct subsystem *subsystem,
                       struct target_queue *admin,
                       const struct nvmf_connect_data *data)
{
  uint16_t cntlid = subsystem_locked_new_cntlid (subsystem);
  struct controller *controller;

  if (cntlid == 0 || (controller = calloc (1, sizeof *controller)) == NULL)
    return NULL;
  controller->subsystem = subsystem;
  controller->cntlid = cntlid;
  controller->instance = new_instance ();
  memcpy (controller->hostnqn, data->hostnqn, NVMEOF_NQN_MAX);
  memcpy (controller->hostid, data->hostid, TARGET_HOSTID_BYTES);
  memcpy (controller->peer, admin->portal->peer, sizeof controller->peer);
  controller->is_local = address_is_local (&admin->portal->local);
  controller->since_ms = reactor_now_ms (admin->reactor);
  controller->ops = admin->ops;
  controller->state = CONTROLLER_IDLE;
  controller->reason = "";
  TAILQ_INIT (&controller->queues);
  TAILQ_INIT (&controller->events);
  controller->nr_io_queues_granted =
    subsystem->volume ? limit_value (LIMIT_IO_QUEUES) : 0;
  controller->admin = admin;
  controller->keep_alive.expired = keep_alive_expired;
  controller->failed.expired = failed_expired;
  features_init (controller);
  TAILQ_INSERT_TAIL (&subsystem->controllers, controller, in_subsystem);
  controller_locked_add_queue (controller, admin);
  return controller;
}

struct controller *
controller_locked_find (struct subsystem *subsystem, uint16_t cntlid)
{
  struct controller *controller;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem)
    if (controller->cntlid == cntlid)
      return controller;
  return NULL;
}

bool
controller_same_host (const struct controller *controller,
                      const struct nvmf_connect_data *data)
{
  return strcmp (controller->hostnqn, data->hostnqn) == 0
    && memcmp (controller->hostid, data->hostid, TARGET_HOSTID_BYTES) == 0;
}

bool
controller_locked_undrained (const struct controller *controller)
{
  enum controller_state state = controller->state;

  switch (state) {
  case CONTROLLER_DEAD:
    return true;
  case CONTROLLER_FAILED:
  case CONTROLLER_DISABLING:
  case CONTROLLER_SHUTDOWN:
    return controller->nr_io_queues > 0;
  case CONTROLLER_IDLE:
  case CONTROLLER_ENABLED:
    break;
  }
  return false;
}

/* --- queues come and go --------------------------------------------------- */

void
controller_locked_add_queue (struct controller *controller,
                             struct target_queue *queue)
{
  queue->controller = controller;
  TAILQ_INSERT_TAIL (&controller->queues, queue, in_controller);
  if (queue->qid > 0) {
    controller->nr_io_queues++;
    queue->counters = counters_locked_get (controller->subsystem,
                                           queue->reactor);
  }
}

static void
locked_fence_io_queues (struct controller *controller)
{
  struct target_queue *queue;

  TAILQ_FOREACH (queue, &controller->queues, in_controller)
    if (queue->qid > 0)
      queue_mail (queue, MAIL_FENCE);
}

/* True when the controller is to be freed. */
static bool
locked_remove_queue (struct controller *controller,
                     struct target_queue *queue)
{
  TAILQ_REMOVE (&controller->queues, queue, in_controller);
  queue->controller = NULL;
  attached_locked_remove (queue->target, controller->hostnqn);
  if (queue->qid > 0)
    controller->nr_io_queues--;
  if (controller->state == CONTROLLER_DISABLING
      && controller->nr_io_queues == 0)
    locked_set_state (controller, CONTROLLER_IDLE);
  if (controller->state == CONTROLLER_DEAD
      && TAILQ_EMPTY (&controller->queues)) {
    TAILQ_REMOVE (&controller->subsystem->controllers, controller,
                  in_subsystem);
    queue->target->nr_left++;
    pthread_cond_broadcast (&queue->target->controller_left);
    target_locked_wake_waiting (queue->target);
    return true;
  }
  if (!controller_locked_undrained (controller))
    target_locked_wake_waiting (queue->target);
  return false;
}

void
controller_remove_queue (struct target_queue *queue)
{
  struct controller *controller = queue->controller;
  char nqn[NVMEOF_NQN_MAX + 1];
  bool last;

  pthread_mutex_lock (&queue->target->lock);
  /* The subsystem may be gone as soon as the controller has left it. */
  strcpy (nqn, controller->subsystem->nqn);
  last = locked_remove_queue (controller, queue);
  pthread_mutex_unlock (&queue->target->lock);
  if (!last)
    return;
  if (controller->had_io_queues)
    log_info ("%s: controller %u of %s at %s has left: %s", nqn,
              controller->cntlid, controller->hostnqn, controller->peer,
              controller->reason);
  free (controller);
}

/* --- death ---------------------------------------------------------------- */

void
controller_locked_die (struct controller *controller, const char *reason)
{
  struct target_queue *queue;

  if (controller->state == CONTROLLER_DEAD)
    return;
  if (controller->state != CONTROLLER_SHUTDOWN
      && controller->state != CONTROLLER_FAILED)
    controller->reason = reason;
  locked_set_state (controller, CONTROLLER_DEAD);
  TAILQ_FOREACH (queue, &controller->queues, in_controller)
    queue_mail (queue, MAIL_FENCE);
}

static void
locked_fail (struct controller *controller, const char *reason)
{
  controller->reason = reason;
  locked_set_state (controller, CONTROLLER_FAILED);
  locked_fence_io_queues (controller);
  queue_mail (controller->admin, MAIL_FAILED);
}

/* In another state than ENABLED I/O queues are expected to go. */
void
controller_lost_queue (struct target_queue *queue, const char *reason)
{
  struct controller *controller = queue->controller;
  LOCK_SCOPE (&queue->target->lock);

  if (queue->qid == 0 || controller->state == CONTROLLER_ENABLED)
    controller_locked_die (controller, reason);
}

void
controller_queue_closed (struct target_queue *queue, const char *reason)
{
  struct controller *controller = queue->controller;
  LOCK_SCOPE (&queue->target->lock);

  if (queue->qid == 0)
    controller_locked_die (controller, reason);
  else if (controller->state == CONTROLLER_ENABLED)
    locked_fail (controller, reason);
}

void
controller_failed (struct controller *controller)
{
  struct reactor *reactor = controller->admin->reactor;

  reactor_timer_disarm (reactor, &controller->failed);
  reactor_timer_arm (reactor, &controller->failed,
                     reactor_now_ms (reactor) + TARGET_FAILED_MS);
}

static void
failed_expired (struct reactor_timer *timer)
{
  struct controller *controller =
    (void *) ((char *) timer - offsetof (struct controller, failed));
  LOCK_SCOPE (&controller->admin->target->lock);

  if (controller->state == CONTROLLER_FAILED)
    controller_locked_die (controller, controller->reason);
}

void
controller_disarm (struct controller *controller)
{
  struct reactor *reactor = controller->admin->reactor;

  reactor_timer_disarm (reactor, &controller->keep_alive);
  reactor_timer_disarm (reactor, &controller->failed);
}

/* --- keep alive (Base 2.0 section 3.9) -------------------------------------- */

/* A host without keep-alive may be idle for long, but not for ever.  Who waits
 * for an answer is not idle. */
static uint64_t
keep_alive_limit_ms (const struct controller *controller)
{
  return controller->kato_ms > 0
    ? (uint64_t) controller->kato_ms + TARGET_KATO_GRACE_MS
    : limit_value (LIMIT_IDLE_MS);
}

/* Traffic is sampled: twice in the time that a host may be silent.  What was in
 * flight at the last look may have ended just before this one. */
static void
keep_alive_arm (struct controller *controller)
{
  struct reactor *reactor = controller->admin->reactor;

  reactor_timer_arm (reactor, &controller->keep_alive,
                     reactor_now_ms (reactor)
                     + keep_alive_limit_ms (controller) / 2);
}

static bool
locked_had_traffic (struct controller *controller)
{
  struct target_queue *queue;
  bool traffic = false;

  TAILQ_FOREACH (queue, &controller->queues, in_controller)
    traffic |= atomic_exchange (&queue->traffic, false);
  return traffic;
}

/* Event requests are there to wait. */
static bool
locked_has_commands (const struct controller *controller)
{
  const struct target_queue *queue;
  unsigned nr = 0;

  TAILQ_FOREACH (queue, &controller->queues, in_controller)
    nr += atomic_load_explicit (&queue->nr_inflight, memory_order_relaxed);
  return nr > controller->nr_events;
}

static void
keep_alive_expired (struct reactor_timer *timer)
{
  struct controller *controller =
    (void *) ((char *) timer - offsetof (struct controller, keep_alive));
  struct target_queue *admin = controller->admin;
  uint64_t now_ms = reactor_now_ms (admin->reactor);
  LOCK_SCOPE (&admin->target->lock);
  bool had_commands = controller->had_commands;

  controller->had_commands =
    controller->kato_ms == 0 && locked_has_commands (controller);
  if (locked_had_traffic (controller) || had_commands
      || controller->had_commands)
    controller->last_traffic_ms = now_ms;
  if (now_ms - controller->last_traffic_ms < keep_alive_limit_ms (controller))
    keep_alive_arm (controller);
  else if (controller->kato_ms > 0)
    controller_locked_die (controller, "its keep-alive timer expired");
  else {
    limit_reached (LIMIT_IDLE_MS, admin->portal->peer,
                   "was idle without keep-alive");
    controller_locked_die (controller, "it was idle without keep-alive");
  }
}

void
controller_set_kato (struct controller *controller, uint32_t kato_ms)
{
  struct reactor *reactor = controller->admin->reactor;

  reactor_timer_disarm (reactor, &controller->keep_alive);
  if (kato_ms > UINT32_MAX - TARGET_KAS_MS)
    kato_ms = UINT32_MAX - TARGET_KAS_MS;
  controller->kato_ms =
    (kato_ms + TARGET_KAS_MS - 1) / TARGET_KAS_MS * TARGET_KAS_MS;
  controller->last_traffic_ms = reactor_now_ms (reactor);
  keep_alive_arm (controller);
}

/* --- properties (Base 2.0 section 3.1.3) ------------------------------------ */

uint64_t
controller_cap (void)
{
  return (uint64_t) target_mqes_0based () << NVME_CAP_MQES_SHIFT
    | (uint64_t) 1 << NVME_CAP_CQR_SHIFT
    | (uint64_t) 30 << NVME_CAP_TO_SHIFT        /* 15 s, in 500 ms units */
    | (uint64_t) NVME_CAP_CSS_NVM << NVME_CAP_CSS_SHIFT;
}

uint32_t
controller_csts (struct controller *controller)
{
  LOCK_SCOPE (&controller->admin->target->lock);
  enum controller_state state = controller->state;
  uint32_t csts = controller->fatal ? 1u << NVME_CSTS_CFS_SHIFT : 0;

  switch (state) {
  case CONTROLLER_IDLE:
  case CONTROLLER_DEAD:
    break;
  case CONTROLLER_ENABLED:
  case CONTROLLER_DISABLING:
    csts |= 1u << NVME_CSTS_RDY_SHIFT;
    break;
  case CONTROLLER_FAILED:
    csts |= 1u << NVME_CSTS_RDY_SHIFT | 1u << NVME_CSTS_CFS_SHIFT;
    break;
  case CONTROLLER_SHUTDOWN:
    if (NVME_CC_EN (controller->cc))
      csts |= 1u << NVME_CSTS_RDY_SHIFT;
    csts |= (uint32_t) (controller->nr_io_queues > 0
                        ? NVME_CSTS_SHST_OCCUR : NVME_CSTS_SHST_CMPLT)
      << NVME_CSTS_SHST_SHIFT;
    break;
  }
  return csts;
}

static void
locked_disable (struct controller *controller)
{
  locked_set_state (controller, CONTROLLER_DISABLING);
  controller->fatal = false;
  if (controller->nr_io_queues == 0)
    locked_set_state (controller, CONTROLLER_IDLE);
  else
    locked_fence_io_queues (controller);
}

static void
locked_shut_down (struct controller *controller)
{
  controller->reason = "its host shut it down";
  locked_set_state (controller, CONTROLLER_SHUTDOWN);
  locked_fence_io_queues (controller);
}

void
controller_set_cc (struct controller *controller, uint32_t cc)
{
  LOCK_SCOPE (&controller->admin->target->lock);
  bool was_enabled = NVME_CC_EN (controller->cc);
  bool enable = NVME_CC_EN (cc);
  enum controller_state state = controller->state;

  if (state == CONTROLLER_DEAD)
    return;
  controller->cc = cc;
  if (NVME_CC_SHN (cc) != NVME_CC_SHN_NONE) {
    if (state != CONTROLLER_SHUTDOWN)
      locked_shut_down (controller);
  }
  else if (was_enabled && !enable) {
    if (state == CONTROLLER_ENABLED || state == CONTROLLER_FAILED
        || state == CONTROLLER_SHUTDOWN)
      locked_disable (controller);
    else
      controller->fatal = false;
  }
  else if (!was_enabled && enable) {
    if (state == CONTROLLER_IDLE && command_cc_valid (cc))
      locked_set_state (controller, CONTROLLER_ENABLED);
    else
      controller->fatal = true;
  }
}
