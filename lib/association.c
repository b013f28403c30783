/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An association: an admin queue and I/O queues with one controller.  Its
 * life: made, driven to LIVE by one thread, shared by all, DOWN when its
 * connections are lost and LIVE again when the keeper made new ones, and lost
 * for good or freed once.  What is asked of the controller on the way, and
 * how its answers are judged, is in association-steps.c; when it is tried
 * again, in reconnect.c.
 *
 * A queue that dies takes the association with it: the controller is dead
 * when one of its connections is.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/association-steps.h"

/* --- state -------------------------------------------------------------- */

#define TO(state) (1u << ASSOCIATION_##state)
/* Set-up can fail anywhere: for good when it is the first. */
#define OR_END (TO (FAILED) | TO (DOWN) | TO (LOST))

static const uint32_t legal[ASSOCIATION_NR_STATES] = {
  [ASSOCIATION_NEW] = TO (CONNECT) | TO (DOWN) | TO (FAILED),
  [ASSOCIATION_DOWN] = TO (CONNECT) | TO (LOST),
  [ASSOCIATION_CONNECT] = TO (CAP) | OR_END,
  [ASSOCIATION_CAP] = TO (VS) | OR_END,
  [ASSOCIATION_VS] = TO (ENABLE) | OR_END,
  [ASSOCIATION_ENABLE] = TO (READY) | OR_END,
  [ASSOCIATION_READY] = TO (IDENTIFY) | OR_END,
  [ASSOCIATION_IDENTIFY] = TO (IDENTIFY_NVM) | TO (LIVE) | OR_END,
  [ASSOCIATION_IDENTIFY_NVM] = TO (FENCE) | TO (HOLD) | TO (QUEUES) | OR_END,
  [ASSOCIATION_FENCE] = TO (HOLD) | TO (QUEUES) | OR_END,
  [ASSOCIATION_HOLD] = TO (QUEUES) | OR_END,
  [ASSOCIATION_QUEUES] = TO (CONNECT_IO) | OR_END,
  [ASSOCIATION_CONNECT_IO] = TO (NAMESPACES) | TO (DESCRIPTORS) | OR_END,
  [ASSOCIATION_NAMESPACES] = TO (DESCRIPTORS) | OR_END,
  [ASSOCIATION_DESCRIPTORS] = TO (INDEPENDENT) | TO (NAMESPACE) | OR_END,
  [ASSOCIATION_INDEPENDENT] = TO (NAMESPACE) | OR_END,
  [ASSOCIATION_NAMESPACE] = TO (DESCRIPTORS) | TO (LIVE) | OR_END,
  [ASSOCIATION_LIVE] = TO (DOWN) | TO (LOST),
};

static void
set_state_locked (struct association *association,
                  enum association_state state)
{
  assert (legal[association->state] & 1u << state);
  if (association->state == ASSOCIATION_LIVE)
    paths_suspend (association);
  association->state = state;
  if (state == ASSOCIATION_FAILED || state == ASSOCIATION_LOST)
    association->dead = true;
  if (state == ASSOCIATION_LIVE)
    association->was_live = true;
  else
    association->path.use = PATH_NONE;
}

bool
association_is_setting_up (enum association_state state)
{
  return state > ASSOCIATION_DOWN && state < ASSOCIATION_LIVE;
}

/* Not under the lock: who is told may ask. */
void
association_tell (const struct association *association, const char *message)
{
  const struct options *options = &association->params.options;

  if (association->params.reconnects && options->notice)
    options->notice (options->notice_opaque, message);
}

static void
tell_again (const struct association *association)
{
  uint64_t ms = association->now_ms - association->re.lost_ms;
  struct error line;

  error_set (&line, 0, "%s: %s: connected again after %u.%u s",
             options_name (&association->params.options), association->uri,
             (unsigned) (ms / 1000), (unsigned) (ms % 1000 / 100));
  association_tell (association, line.message);
}

void
association_advance (struct association *association,
                     enum association_state state)
{
  bool again;

  {
    LOCK_SCOPE (&association->lock);
    if (association->state >= ASSOCIATION_LIVE ||
        (association->state == ASSOCIATION_DOWN &&
         state != ASSOCIATION_CONNECT))
      return;
    again = state == ASSOCIATION_LIVE && association->was_live;
    set_state_locked (association, state);
  }
  if (again)
    tell_again (association);
}

enum association_state
association_get_state (struct association *association, struct error *err)
{
  LOCK_SCOPE (&association->lock);
  if (association->state != ASSOCIATION_LIVE && err)
    *err = association->error;
  return association->state;
}

bool
association_is_live (struct association *association)
{
  return association_get_state (association, NULL) == ASSOCIATION_LIVE;
}

/* --- the end ------------------------------------------------------------ */

static void
each_queue (struct association *association,
            void (*fn) (struct queue *queue, const struct error *why,
                        int io_error),
            const struct error *why, int io_error)
{
  if (association->admin)
    fn (association->admin, why, io_error);
  for (uint32_t i = 0; i < association->nr_io; i++)
    fn (association->io[i], why, io_error);
}

static void
fail_queue (struct queue *queue, const struct error *why, int io_error)
{
  queue_fail (queue, why->code, why->message);
}

static void
shut_queue (struct queue *queue, const struct error *why, int io_error)
{
  queue_shut (queue, why->code, why->message);
}

static void
end_queue (struct queue *queue, const struct error *why, int io_error)
{
  queue_end (queue, why->code, why->message, io_error);
}

/* Where it goes from here; the state it is in, when it has ended before: the
 * first cause stays. */
static enum association_state
end_state_locked (const struct association *association, bool for_good)
{
  if (association->dead ||
      (association->state == ASSOCIATION_DOWN && !for_good))
    return association->state;
  if (!association->was_live)
    return ASSOCIATION_FAILED;
  return association->params.reconnects && !for_good ? ASSOCIATION_DOWN :
    ASSOCIATION_LOST;
}

/* Of what it had in flight nobody will know whether it took effect. */
static void
leave_behind_locked (struct association *association)
{
  if (association->behind && association->re.old.used &&
      !association->re.fenced) {
    left_behind_add (association->behind, association);
    association->behind = NULL;
  }
}

/* quiet: another one says it. */
static void
end (struct association *association, const struct error *err, bool for_good,
     int io_error, bool quiet)
{
  enum association_state before, state;

  {
    LOCK_SCOPE (&association->lock);
    before = association->state;
    state = end_state_locked (association, for_good);
    if (state == before)
      return;
    association->error = *err;
    /* First: who sees that it is dead may open it anew at once. */
    if (state == ASSOCIATION_LOST)
      leave_behind_locked (association);
    set_state_locked (association, state);
  }
  if (!association->params.reconnects)
    each_queue (association, fail_queue, err, 0);
  else if (state == ASSOCIATION_DOWN)
    each_queue (association, shut_queue, err, 0);
  else
    each_queue (association, end_queue, err, io_error);
  if (association->params.reconnects || association->paths)
    keeper_wake ();
  /* A try that failed is no news, nor is an end that was asked for.  Last of
   * all: the one who is told may take his time. */
  if ((before == ASSOCIATION_LIVE || state == ASSOCIATION_LOST) &&
      err->code != ESHUTDOWN && !quiet)
    association_tell (association, err->message);
}

void
association_end (struct association *association, const struct error *err)
{
  end (association, err, false, EIO, false);
}

void
association_give_up (struct association *association,
                     const struct error *err, int io_error)
{
  end (association, err, true, io_error, false);
}

void
association_give_up_too (struct association *association,
                         const struct error *err, int io_error)
{
  end (association, err, true, io_error, true);
}

void
association_fail (struct association *association, int code,
                  const char *fmt, ...)
{
  struct error err, reason;
  va_list args;

  va_start (args, fmt);
  error_vset (&reason, code, fmt, args);
  va_end (args);
  error_set (&err, code, "connect: %s: %s", association->uri, reason.message);
  association_end (association, &err);
}

/* What is to be said of a loss. */
static void
describe_loss (struct association *association, int code, const char *reason,
               struct error *err)
{
  enum association_state state = association_get_state (association, NULL);

  if (state == ASSOCIATION_LIVE)
    error_set (err, code, "%s: %s: connection lost: %s",
               options_name (&association->params.options),
               association->uri, reason);
  else if (code == EPROTO || !association_is_setting_up (state) ||
           association->server.family == ADDRESS_RDMA)
    error_set (err, code, "connect: %s: %s", association->uri, reason);
  else
    error_set (err, code, "connect: %s: %s before it answered %s",
               association->uri, reason,
               association_step_name (association, state));
}

void
association_lose (struct association *association, int code,
                  const char *reason)
{
  struct error err;

  describe_loss (association, code, reason, &err);
  association_end (association, &err);
}

void
association_interrupt (struct association *association)
{
  struct error err;

  describe_loss (association, ESHUTDOWN, "interrupted", &err);
  association_give_up (association, &err, ESHUTDOWN);
}

/* Without a lock: a queue of ours has died. */
static void
queue_lost (void *opaque, struct queue *queue)
{
  struct association *association = opaque;
  char reason[sizeof ((struct transport_queue *) 0)->reason];
  int error = queue_error (queue, reason, sizeof reason);

  /* 0: it was, and has another connection already. */
  if (error != 0)
    association_lose (association, error, reason);
}

/* The keeper sends the Abort. */
static void
queue_overdue (void *opaque, struct queue *queue)
{
  keeper_wake ();
}

const struct queue_params *
association_queue_params (struct association *association,
                          struct queue_params *params)
{
  *params = (struct queue_params) {
    .timeout_ms = association->params.options.io_tmo_ms,
    .keeps = association->params.reconnects,
    .poll_us = association->params.options.poll_us,
    .hands_back = association->params.several,
    .lost = queue_lost,
    .overdue = queue_overdue,
    .opaque = association,
  };
  return params;
}

/* --- driving ------------------------------------------------------------ */

int
association_start (struct association *association, uint64_t now_ms)
{
  struct error err;

  association->now_ms = now_ms;
  association->deadline_ms =
    now_ms + association->params.options.connect_tmo_ms;
  association->retry_ms = 0;
  association->nr_io_connected = 0;
  association->step_namespace = 0;
  association->step_done = false;
  association->step_queue = NULL;
  association_advance (association, ASSOCIATION_CONNECT);
  if (association_open_queue (association, &association->admin, 0,
                              ADMIN_SLOTS, &err) < 0) {
    association_end (association, &err);
    return -err.code;
  }
  association_step_again (association);
  return 0;
}

static bool
take_step_done (struct association *association)
{
  return association_is_setting_up (association_get_state (association,
                                                           NULL)) &&
    atomic_exchange (&association->step_done, false);
}

static void
pump_queues (struct association *association)
{
  queue_pump (association->admin, association->now_ms);
  for (uint32_t i = 0; i < association->nr_io; i++)
    queue_pump (association->io[i], association->now_ms);
}

/* Of all of it; first of its connection, when there are other places. */
static uint64_t
set_up_until_ms (const struct association *association)
{
  bool reached = association->admin &&
    queue_transport (association->admin)->ready;

  return association->reach_until_ms == 0 || reached ||
    association->deadline_ms < association->reach_until_ms ?
    association->deadline_ms : association->reach_until_ms;
}

enum association_state
association_drive (struct association *association, uint64_t now_ms)
{
  enum association_state state;

  association->now_ms = now_ms;
  if (!association->admin)
    return association_get_state (association, NULL);
  if (attempt_interrupted (association->params.attempt))
    association_lose (association, ESHUTDOWN, "interrupted");
  if (association->retry_ms != 0 && now_ms >= association->retry_ms) {
    association->retry_ms = 0;
    association_step_again (association);
  }
  pump_queues (association);
  while (take_step_done (association)) {
    association_step_answered (association);
    pump_queues (association);
  }
  state = association_get_state (association, NULL);
  if (association_is_setting_up (state) &&
      now_ms >= set_up_until_ms (association))
    association_fail (association, ETIMEDOUT, "no answer to %s in time",
                      association_step_name (association, state));
  return association_get_state (association, NULL);
}

uint64_t
association_next_ms (struct association *association)
{
  uint64_t next_ms = UINT64_MAX;

  if (association_is_setting_up (association_get_state (association,
                                                        NULL))) {
    next_ms = set_up_until_ms (association);
    if (association->retry_ms != 0 && association->retry_ms < next_ms)
      next_ms = association->retry_ms;
  }
  for (uint32_t i = 0; i <= association->nr_io; i++) {
    struct queue *queue = i == 0 ? association->admin :
      association->io[i - 1];
    uint64_t due_ms = queue ? queue_next_due_ms (queue) : UINT64_MAX;

    if (due_ms < next_ms)
      next_ms = due_ms;
  }
  return next_ms;
}

/* An I/O queue whose Connect is under way, or that takes what is sent again;
 * or NULL. */
struct queue *
association_step_io_queue (struct association *association)
{
  enum association_state state = association_get_state (association, NULL);

  if (association->re.replaying)
    return association->io[0];
  return state == ASSOCIATION_CONNECT_IO ? association->step_queue : NULL;
}

/* --- life --------------------------------------------------------------- */

void
association_set_server (struct association *association,
                        enum address_family family)
{
  association->server = association->params.options.server;
  association->server.family = family;
  address_format (&association->server, association->uri,
                  sizeof association->uri);
}

struct association *
association_create (const struct association_params *params,
                    struct error *err)
{
  struct association *association = calloc (1, sizeof *association);

  if (!association)
    goto err;
  association->buffer = aligned_alloc (4096, ASSOCIATION_BUFFER_BYTES);
  association->behind = left_behind_new ();
  if (!association->buffer || !association->behind)
    goto err;
  association->params = *params;
  association_set_server (association, params->options.server.family);
  pthread_mutex_init (&association->lock, NULL);
  fork_watch (association);
  return association;

 err:
  if (association) {
    free (association->buffer);
    left_behind_free (association->behind);
  }
  free (association);
  error_set (err, ENOMEM, "open: %s: out of memory",
             options_name (&params->options));
  return NULL;
}

void
association_abandon (struct association *association)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

  association->lock = unlocked;
  association->inherited = true;
  association->dead = true;
  association->state = ASSOCIATION_LOST;
  error_set (&association->error, ENOTCONN,
             "%s: opened before fork: open it in this process",
             options_name (&association->params.options));
  if (association->admin)
    queue_abandon (association->admin);
  for (uint32_t i = 0; i < association->nr_io; i++)
    queue_abandon (association->io[i]);
}

void
association_close (struct association *association)
{
  struct error err;

  if (association->inherited)
    return;
  /* In use, and idle: every change was answered. */
  if (association_is_live (association) &&
      association->re.changing)
    reconnect_fenced (association);
  error_set (&err, ESHUTDOWN, "closed");
  association_give_up (association, &err, ESHUTDOWN);
}

void
association_free (struct association *association)
{
  if (!association)
    return;
  fork_unwatch (association);
  association_close (association);
  left_behind_free (association->behind);
  for (uint32_t i = 0; i < association->nr_io; i++)
    queue_destroy (association->io[i]);
  queue_destroy (association->admin);
  for (uint32_t i = 0; !association->params.several &&
         i < association->nr_namespaces; i++)
    retain_free (association->namespaces[i].retain);
  pthread_mutex_destroy (&association->lock);
  free (association->buffer);
  free (association);
}
