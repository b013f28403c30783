/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An association: an admin queue and I/O queues with one controller.  Its
 * life: made, driven to LIVE by one thread, shared by all, and lost or freed
 * once.  What is asked of the controller on the way, and how its answers are
 * judged, is in association-steps.c.
 *
 * A queue that dies takes the association with it: the controller is dead
 * when one of its connections is.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/association-steps.h"

/* --- state -------------------------------------------------------------- */

#define TO(state) (1u << ASSOCIATION_##state)

static const uint32_t legal[ASSOCIATION_NR_STATES] = {
  [ASSOCIATION_NEW] = TO (CONNECT) | TO (FAILED),
  [ASSOCIATION_CONNECT] = TO (CAP) | TO (FAILED),
  [ASSOCIATION_CAP] = TO (VS) | TO (FAILED),
  [ASSOCIATION_VS] = TO (ENABLE) | TO (FAILED),
  [ASSOCIATION_ENABLE] = TO (READY) | TO (FAILED),
  [ASSOCIATION_READY] = TO (IDENTIFY) | TO (FAILED),
  [ASSOCIATION_IDENTIFY] = TO (IDENTIFY_NVM) | TO (LIVE) | TO (FAILED),
  [ASSOCIATION_IDENTIFY_NVM] = TO (QUEUES) | TO (FAILED),
  [ASSOCIATION_QUEUES] = TO (CONNECT_IO) | TO (FAILED),
  [ASSOCIATION_CONNECT_IO] = TO (NAMESPACES) | TO (FAILED),
  [ASSOCIATION_NAMESPACES] = TO (DESCRIPTORS) | TO (FAILED),
  [ASSOCIATION_DESCRIPTORS] = TO (INDEPENDENT) | TO (FAILED),
  [ASSOCIATION_INDEPENDENT] = TO (NAMESPACE) | TO (FAILED),
  [ASSOCIATION_NAMESPACE] = TO (LIVE) | TO (FAILED),
  [ASSOCIATION_LIVE] = TO (LOST),
};

static void
set_state_locked (struct association *association,
                  enum association_state state)
{
  assert (legal[association->state] & 1u << state);
  association->state = state;
  if (state == ASSOCIATION_FAILED || state == ASSOCIATION_LOST)
    association->dead = true;
}

void
association_advance (struct association *association,
                     enum association_state state)
{
  LOCK_SCOPE (&association->lock);
  if (association->state < ASSOCIATION_LIVE)
    set_state_locked (association, state);
}

enum association_state
association_get_state (struct association *association, struct error *err)
{
  LOCK_SCOPE (&association->lock);
  if (association->dead && err)
    *err = association->error;
  return association->state;
}

/* --- the end ------------------------------------------------------------ */

static void
fail_queues (struct association *association, int code, const char *reason)
{
  if (association->admin)
    queue_fail (association->admin, code, reason);
  for (uint32_t i = 0; i < association->nr_io; i++)
    queue_fail (association->io[i], code, reason);
}

/* False when it had ended before: the first cause stays. */
static bool
end_locked (struct association *association, const struct error *err)
{
  if (association->dead)
    return false;
  association->error = *err;
  set_state_locked (association, association->state == ASSOCIATION_LIVE ?
                    ASSOCIATION_LOST : ASSOCIATION_FAILED);
  return true;
}

void
association_end (struct association *association, const struct error *err)
{
  bool ended;

  pthread_mutex_lock (&association->lock);
  ended = end_locked (association, err);
  pthread_mutex_unlock (&association->lock);
  if (ended)
    fail_queues (association, err->code, err->message);
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

void
association_lose (struct association *association, int code,
                  const char *reason)
{
  struct error err;
  enum association_state state = association_get_state (association, NULL);

  if (state == ASSOCIATION_LIVE)
    error_set (&err, code, "%s: %s: connection lost: %s",
               options_name (&association->params.options),
               association->uri, reason);
  else if (code == EPROTO || state == ASSOCIATION_NEW ||
           association->server.family == ADDRESS_RDMA)
    error_set (&err, code, "connect: %s: %s", association->uri, reason);
  else
    error_set (&err, code, "connect: %s: %s before it answered %s",
               association->uri, reason,
               association_step_name (association, state));
  association_end (association, &err);
}

void
association_interrupt (struct association *association)
{
  association->interrupted = true;
  association_lose (association, ESHUTDOWN, "interrupted");
}

/* Without a lock: a queue of ours has died. */
static void
queue_lost (void *opaque, struct queue *queue)
{
  struct association *association = opaque;
  char reason[sizeof ((struct transport_queue *) 0)->reason];
  int error = queue_error (queue, reason, sizeof reason);

  association_lose (association, error, reason);
}

/* --- queues ------------------------------------------------------------- */

static int
remaining_ms (const struct association *association)
{
  uint64_t left_ms = association->deadline_ms > association->now_ms ?
    association->deadline_ms - association->now_ms : 0;

  return left_ms < INT_MAX ? (int) left_ms : INT_MAX;
}

static struct transport_queue *
open_tcp (struct association *association, uint16_t qid, uint16_t depth,
          struct error *err)
{
  const struct association_params *params = &association->params;
  const struct options *options = &params->options;
  const struct tcp_queue_params tcp = {
    .qid = qid,
    .depth = depth,
    .hdr_digest = options->hdr_digest,
    .data_digest = options->data_digest,
  };
  struct transport_queue *transport;
  struct stream *stream;

  if (params->dial)
    stream = params->dial (params->opaque, qid, remaining_ms (association),
                           err);
  else
    stream = stream_connect_until (&association->server,
                                   remaining_ms (association),
                                   params->attempt ? params->attempt->fd : -1,
                                   err);
  if (!stream)
    return NULL;
  transport = tcp_queue_create (stream, &tcp);
  if (!transport)
    error_set (err, ENOMEM, "connect: %s: out of memory", association->uri);
  return transport;
}

static struct transport_queue *
open_rdma (struct association *association, uint16_t qid, uint16_t depth,
           struct error *err)
{
#if HAVE_RDMA
  const struct rdma_queue_params rdma = {
    .qid = qid,
    .depth = depth,
    .cntlid = qid > 0 ? association->cntlid : 0,
    .poll_us = association->params.options.poll_us,
  };

  return rdma_queue_create (&association->server, &rdma, err);
#else
  error_set (err, EPROTONOSUPPORT, "connect: %s: RDMA was left out of this "
             "build", association->uri);
  return NULL;
#endif
}

struct queue *
association_open_queue (struct association *association, uint16_t qid,
                        uint16_t depth, struct error *err)
{
  const struct queue_params params = {
    .timeout_ms = association->params.options.io_tmo_ms,
    .lost = queue_lost,
    .opaque = association,
  };
  struct transport_queue *transport;
  struct queue *queue;

  if (association->server.family == ADDRESS_RDMA)
    transport = open_rdma (association, qid, depth, err);
  else
    transport = open_tcp (association, qid, depth, err);
  if (!transport)
    return NULL;
  queue = queue_create (transport, &params);
  if (!queue)
    error_set (err, ENOMEM, "connect: %s: out of memory", association->uri);
  return queue;
}

/* --- driving ------------------------------------------------------------ */

int
association_start (struct association *association, uint64_t now_ms)
{
  struct error err;

  association->now_ms = now_ms;
  association->deadline_ms =
    now_ms + association->params.options.connect_tmo_ms;
  association->admin = association_open_queue (association, 0,
                                               ADMIN_SLOTS, &err);
  if (!association->admin) {
    association_end (association, &err);
    return -err.code;
  }
  association_step (association, ASSOCIATION_CONNECT);
  return 0;
}

static bool
take_step_done (struct association *association)
{
  return association_get_state (association, NULL) < ASSOCIATION_LIVE &&
    atomic_exchange (&association->step_done, false);
}

static void
pump_queues (struct association *association)
{
  queue_pump (association->admin, association->now_ms);
  for (uint32_t i = 0; i < association->nr_io; i++)
    queue_pump (association->io[i], association->now_ms);
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
  if (state < ASSOCIATION_LIVE && now_ms >= association->deadline_ms)
    association_fail (association, ETIMEDOUT, "no answer to %s in time",
                      association_step_name (association, state));
  return association_get_state (association, NULL);
}

uint64_t
association_next_ms (struct association *association)
{
  uint64_t next_ms = UINT64_MAX;

  if (association_get_state (association, NULL) < ASSOCIATION_LIVE) {
    next_ms = association->deadline_ms;
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

void
association_poll (struct association *association)
{
  struct pollfd fds[2 + IO_QUEUES_MAX];
  uint64_t next_ms = association_next_ms (association);
  uint64_t now_ms = clock_now_ms ();
  uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
  nfds_t n = 0;

  fds[n].fd = queue_poll_fd (association->admin, &fds[n].events);
  n++;
  for (uint32_t i = 0; i < association->nr_io; i++, n++)
    fds[n].fd = queue_poll_fd (association->io[i], &fds[n].events);
  if (association->params.attempt)
    fds[n++] = (struct pollfd) { .fd = association->params.attempt->fd,
                                 .events = POLLIN };
  poll (fds, n, wait_ms < INT_MAX ? (int) wait_ms : INT_MAX);
}

int
association_attach (struct association *association, struct error *err)
{
  enum association_state state;

  association_start (association, clock_now_ms ());
  for (;;) {
    state = association_drive (association, clock_now_ms ());
    if (state >= ASSOCIATION_LIVE)
      break;
    association_poll (association);
  }
  if (state == ASSOCIATION_LIVE)
    return 0;
  association_get_state (association, err);
  return -err->code;
}

/* --- life --------------------------------------------------------------- */

static void
set_server (struct association *association, enum address_family family)
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
  if (!association->buffer)
    goto err;
  association->params = *params;
  set_server (association, params->options.server.family);
  pthread_mutex_init (&association->lock, NULL);
  fork_watch (association);
  return association;

 err:
  free (association);
  error_set (err, ENOMEM, "open: %s: out of memory",
             options_name (&params->options));
  return NULL;
}

/* *reached: it was a server's answer that it failed with. */
static int
open_over (const struct association_params *params,
           enum address_family family, struct association **result,
           bool *reached, struct error *err)
{
  struct association *association = association_create (params, err);
  int r;

  *reached = false;
  if (!association)
    return -err->code;
  set_server (association, family);
  r = association_attach (association, err);
  if (r < 0) {
    *reached = association->reached;
    association_free (association);
    return r;
  }
  *result = association;
  return 0;
}

int
association_open (const struct association_params *params,
                  struct association **association, struct error *err)
{
  enum address_family family = params->options.server.family;
  struct association_params rest = *params;
  uint64_t start_ms = clock_now_ms (), took_ms;
  struct error why;
  bool reached;
  int r;

  if (params->options.transport != OPTIONS_TRANSPORT_AUTO)
    return open_over (params, family, association, &reached, err);
  /* The other half is TCP's. */
  rest.options.connect_tmo_ms = params->options.connect_tmo_ms / 2;
  r = open_over (&rest, ADDRESS_RDMA, association, &reached, &why);
  if (r == 0)
    return 0;
  *err = why;
  if (reached || why.code == ESHUTDOWN)
    return r;
  took_ms = clock_now_ms () - start_ms;
  rest.options.connect_tmo_ms = params->options.connect_tmo_ms > took_ms ?
    params->options.connect_tmo_ms - (uint32_t) took_ms : 1;
  r = open_over (&rest, ADDRESS_TCP, association, &reached, err);
  if (r == 0)
    (*association)->fallback = why;
  return r;
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
association_free (struct association *association)
{
  if (!association)
    return;
  fork_unwatch (association);
  if (!association->inherited)
    association_lose (association, ESHUTDOWN, "closed");
  for (uint32_t i = 0; i < association->nr_io; i++)
    queue_destroy (association->io[i]);
  queue_destroy (association->admin);
  pthread_mutex_destroy (&association->lock);
  free (association->buffer);
  free (association);
}
