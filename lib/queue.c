/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shell around a transport's queue: its life, and its requests from
 * submission to completion, with their timeouts.  All of it is the lock's;
 * the threads that hold it are queue-roles.c's business.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/probe.h"
#include "lib/queue-internal.h"

enum {
  GAP_MS = 1000,
  ABORT_MS = 5000,      /* more for an aborted command; no more than it had */
  ABORTS_MAX = 3,       /* of one request */
};

/* --- the gate ----------------------------------------------------------- */

bool
queue_is_down_locked (const struct queue *queue)
{
  return queue->params.keeps &&
    (queue->gate == QUEUE_SHUT || queue->transport->error != 0);
}

/* May the request not go now? */
static bool
is_stopped_locked (const struct queue *queue, const struct request *request)
{
  if (request->fleeting || !queue->params.keeps ||
      queue->gate == QUEUE_FAILING)
    return false;
  return queue_is_down_locked (queue) ||
    (queue->gate == QUEUE_READS && request->changes);
}

/* Must it end with the gate's error? */
static bool
is_refused_locked (const struct queue *queue, const struct request *request)
{
  return !request->fleeting &&
    (queue->gate == QUEUE_FAILING ||
     (queue->gate == QUEUE_READS_ONLY && request->changes));
}

/* Must it wait at the gate? */
static bool
must_wait_locked (const struct queue *queue, const struct request *request)
{
  return !queue->params.hands_back && is_stopped_locked (queue, request);
}

static void
wait_at_gate_locked (struct queue *queue, struct request *request)
{
  TAILQ_INSERT_TAIL (&queue->waiting, request, link);
  queue->nr_waiting++;
}

static void
finish_locked (struct request *request, int error)
{
  request->transport.error = error;
  request->done (request);
}

/* Those that may go now. */
static void
pass_gate_locked (struct queue *queue)
{
  struct request *request = TAILQ_FIRST (&queue->waiting), *next;

  for (; request; request = next) {
    next = TAILQ_NEXT (request, link);
    if (is_stopped_locked (queue, request))
      continue;
    TAILQ_REMOVE (&queue->waiting, request, link);
    queue->nr_waiting--;
    TAILQ_INSERT_TAIL (&queue->backlog, request, link);
  }
}

static void
stop_backlog_locked (struct queue *queue)
{
  struct request *request = TAILQ_FIRST (&queue->backlog), *next;

  for (; request; request = next) {
    next = TAILQ_NEXT (request, link);
    if (!must_wait_locked (queue, request))
      continue;
    TAILQ_REMOVE (&queue->backlog, request, link);
    wait_at_gate_locked (queue, request);
  }
}

/* --- completion --------------------------------------------------------- */

/* The one place that says what becomes of the requests of a dead queue. */
static int
dead_error_locked (struct queue *queue, const struct request *request)
{
  if (queue->gate == QUEUE_FAILING && !(request && request->fleeting))
    return queue->gate_error;
  switch (queue->transport->error) {
  case ESHUTDOWN:
    return ESHUTDOWN;
  case ETIMEDOUT:
    return request && request->due_ms <= queue->now_ms ? ETIMEDOUT : ENOTCONN;
  default:
    return ENOTCONN;
  }
}

/* The list is in the order of due_ms.  Untimed ones are never due. */
static void
insert_by_due_locked (struct queue *queue, struct request *request)
{
  struct request *before = TAILQ_LAST (&queue->in_flight, request_list);

  while (before && before->due_ms > request->due_ms)
    before = TAILQ_PREV (before, request_list, link);
  if (before)
    TAILQ_INSERT_AFTER (&queue->in_flight, before, request, link);
  else
    TAILQ_INSERT_HEAD (&queue->in_flight, request, link);
}

static void
in_flight_locked (struct queue *queue, struct request *request)
{
  request->aborting = false;
  if (request->due_ms != UINT64_MAX)
    request->due_ms = queue->now_ms + queue->params.timeout_ms;
  insert_by_due_locked (queue, request);
  PROBE2 (client_start, request, request->transport.sqe.common.cid);
}

static void
backlog_submit_locked (struct queue *queue)
{
  struct request *request;

  while ((request = TAILQ_FIRST (&queue->backlog))) {
    bool refused = is_refused_locked (queue, request);
    int r = refused ? -queue->gate_error :
      queue->transport->ops->submit (queue->transport, &request->transport);

    if (r == -EAGAIN)
      return;
    TAILQ_REMOVE (&queue->backlog, request, link);
    if (refused)
      finish_locked (request, queue->gate_error);
    else if (r == 0)
      in_flight_locked (queue, request);
    else
      finish_locked (request, dead_error_locked (queue, NULL));
  }
}

/* An answer that does not end the request.  SQ deletion: the controller is on
 * its way out, and says so before the connection ends.  Abort: what we asked
 * for, as the first try took too long; or as the one that did was answered just
 * then, and this has its CID. */
static bool
is_to_be_tried_again_locked (struct queue *queue, struct request *request)
{
  uint16_t status = nvme_cqe_status (&request->transport.cqe);

  if (request->transport.error != 0 || request->fleeting ||
      !queue->params.keeps)
    return false;
  if (status == NVME_SC_ABORT_QUEUE) {
    queue->transport->ops->fail (queue->transport, ECONNRESET,
                                 "the server ended the association");
    request->transport.error = ECONNRESET;
    return false;
  }
  return (status & ~NVME_SC_DNR) == NVME_SC_ABORT_REQ &&
    request->aborts++ < ABORTS_MAX;
}

static void
complete_one_locked (struct queue *queue, struct request *request)
{
  TAILQ_REMOVE (&queue->in_flight, request, link);
  PROBE2 (client_complete, request, request->transport.error);
  if (is_to_be_tried_again_locked (queue, request)) {
    TAILQ_INSERT_TAIL (&queue->backlog, request, link);
    return;
  }
  if (request->transport.error == 0) {
    request->done (request);
    return;
  }
  if (must_wait_locked (queue, request))
    wait_at_gate_locked (queue, request);
  else
    finish_locked (request, dead_error_locked (queue, request));
}

void
queue_complete_locked (struct queue *queue)
{
  struct transport_request *t;

  while ((t = transport_completed (queue->transport)))
    while (t) {
      struct request *request = (struct request *) t;

      t = t->next_done;
      complete_one_locked (queue, request);
    }
  if (queue_is_down_locked (queue))
    stop_backlog_locked (queue);
  backlog_submit_locked (queue);
}

static int
submit_locked (struct queue *queue, struct request *request, bool backlog)
{
  int r = -EAGAIN;

  if (is_refused_locked (queue, request))
    return -queue->gate_error;
  if (is_stopped_locked (queue, request)) {
    if (queue->params.hands_back)
      return -ENOTCONN;
    if (!backlog && queue->nr_waiting >= queue->transport->depth)
      return -EAGAIN;
    wait_at_gate_locked (queue, request);
    return 0;
  }
  if (TAILQ_EMPTY (&queue->backlog) || request->fleeting)
    r = queue->transport->ops->submit (queue->transport, &request->transport);
  if (r == -EAGAIN && backlog && queue->transport->error == 0) {
    TAILQ_INSERT_TAIL (&queue->backlog, request, link);
    return 0;
  }
  if (r == -EAGAIN && queue->transport->error == 0)
    return r;
  if (r < 0)
    return -dead_error_locked (queue, NULL);
  in_flight_locked (queue, request);
  return 0;
}

int
queue_submit_locked (struct queue *queue, struct request *request,
                     bool backlog)
{
  request->due_ms = 0;          /* known once it is in flight */
  request->begun_ms = queue->now_ms;
  PROBE5 (client_submit, request, request->transport.sqe.common.opcode,
          queue->transport->qid, request->transport.iov.iov_len,
          le64_to_cpu (request->transport.sqe.rw.slba));
  request->aborts = 0;
  return submit_locked (queue, request, backlog);
}

int
queue_submit_untimed_locked (struct queue *queue, struct request *request)
{
  request->due_ms = UINT64_MAX;
  return submit_locked (queue, request, true);
}

/* --- time --------------------------------------------------------------- */

uint64_t
queue_next_due_locked (struct queue *queue)
{
  struct request *first = TAILQ_FIRST (&queue->in_flight);

  if (!first)
    return UINT64_MAX;
  return first->due_ms > queue->grace_ms ? first->due_ms : queue->grace_ms;
}

static void
want_abort_locked (struct queue *queue, struct request *request)
{
  uint32_t more_ms = queue->params.timeout_ms < ABORT_MS ?
    queue->params.timeout_ms : ABORT_MS;

  request->aborting = true;
  TAILQ_REMOVE (&queue->in_flight, request, link);
  request->due_ms = queue->now_ms + more_ms;
  insert_by_due_locked (queue, request);
  queue->overdue = queue->overdue_is_news = true;
  queue->overdue_cid = request->transport.sqe.common.cid;
}

/* One who comes more than a second late was stopped, and perhaps the server
 * with it: look once more. */
void
queue_judge_locked (struct queue *queue)
{
  struct request *first = TAILQ_FIRST (&queue->in_flight);
  uint64_t due_ms = queue_next_due_locked (queue);
  char reason[sizeof queue->transport->reason];

  if (!first || queue->now_ms < due_ms)
    return;
  if (queue->now_ms - due_ms > GAP_MS &&
      queue->graced_due_ms != first->due_ms) {
    queue->grace_ms = queue->now_ms + GAP_MS;
    queue->graced_due_ms = first->due_ms;
    return;
  }
  if (queue->params.keeps && !first->fleeting && !first->aborting) {
    want_abort_locked (queue, first);
    return;
  }
  snprintf (reason, sizeof reason, "no answer to a command in %g s",
            queue->params.timeout_ms / 1000.0);
  queue->transport->ops->fail (queue->transport, ETIMEDOUT, reason);
  queue_complete_locked (queue);
}

/* --- descriptors -------------------------------------------------------- */

static short
wanted_locked (const struct queue *queue)
{
  if (queue->transport->error != 0)
    return 0;
  return (short) (POLLIN | (queue->transport->want_pollout ? POLLOUT : 0));
}

/* -1 is the simulator's. */
static int
watch_locked (struct queue *queue, struct queue_watch *watch, int op)
{
  struct epoll_event event = { .events = (uint32_t) queue->watched };
  int fd = queue->transport->ops->wait_fd (queue->transport);

  if (fd < 0)
    return 0;
  return epoll_ctl (watch->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

/* Whoever sleeps in epoll_wait notices. */
int
queue_update_watches_locked (struct queue *queue)
{
  short wanted = wanted_locked (queue);
  int op = wanted == 0 ? EPOLL_CTL_DEL :
    queue->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  struct queue_watch *watch;
  int r = 0;

  if (wanted == queue->watched)
    return 0;
  queue->watched = wanted;
  TAILQ_FOREACH (watch, &queue->watches, link)
    if (watch_locked (queue, watch, op) < 0)
      r = -errno;
  return r;
}

int
queue_poll_fd (struct queue *queue, short *events)
{
  queue_lock (queue);
  *events = (short) (POLLIN |
                     (queue->transport->want_pollout ? POLLOUT : 0));
  queue_unlock (queue);
  return queue->transport->ops->wait_fd (queue->transport);
}

int
queue_watch (struct queue *queue, struct queue_watch *watch, int epoll_fd)
{
  int r = 0;

  queue_lock (queue);
  watch->epoll_fd = epoll_fd;
  if (queue->watched)
    r = watch_locked (queue, watch, EPOLL_CTL_ADD);
  if (r == 0)
    TAILQ_INSERT_TAIL (&queue->watches, watch, link);
  watch->watching = r == 0;
  queue_unlock (queue);
  return r;
}

void
queue_unwatch (struct queue *queue, struct queue_watch *watch)
{
  if (!watch->watching)
    return;
  queue_lock (queue);
  TAILQ_REMOVE (&queue->watches, watch, link);
  watch->watching = false;
  if (queue->watched)
    watch_locked (queue, watch, EPOLL_CTL_DEL);
  queue_unlock (queue);
}

/* --- the rest ----------------------------------------------------------- */

uint64_t
queue_next_due_ms (struct queue *queue)
{
  uint64_t due_ms;

  queue_lock (queue);
  due_ms = queue_next_due_locked (queue);
  queue_unlock (queue);
  return due_ms;
}

uint64_t
queue_received (struct queue *queue)
{
  uint64_t received;

  queue_lock (queue);
  received = queue->received;
  queue_unlock (queue);
  return received;
}

bool
queue_driven (struct queue *queue)
{
  bool driven;

  queue_lock (queue);
  driven = queue->receiving;
  queue_unlock (queue);
  return driven;
}

static void
fail_locked (struct queue *queue, int error, const char *reason)
{
  queue->transport->ops->fail (queue->transport, error, reason);
  pass_gate_locked (queue);
  queue_complete_locked (queue);
}

void
queue_fail (struct queue *queue, int error, const char *reason)
{
  queue_lock (queue);
  fail_locked (queue, error, reason);
  queue_unlock (queue);
}

void
queue_shut (struct queue *queue, int error, const char *reason)
{
  queue_lock (queue);
  if (queue->gate != QUEUE_FAILING)
    queue->gate = QUEUE_SHUT;
  fail_locked (queue, error, reason);
  queue_unlock (queue);
}

void
queue_end (struct queue *queue, int error, const char *reason,
           int gate_error)
{
  queue_lock (queue);
  queue->gate = QUEUE_FAILING;
  queue->gate_error = gate_error;
  fail_locked (queue, error, reason);
  queue_unlock (queue);
}

void
queue_set_gate (struct queue *queue, enum queue_gate gate, int error)
{
  queue_lock (queue);
  if (gate >= QUEUE_SHUT || queue->transport->error == 0) {
    queue->gate = gate;
    queue->gate_error = error;
    pass_gate_locked (queue);
    queue_complete_locked (queue);
  }
  queue_unlock (queue);
}

bool
queue_is_idle (struct queue *queue)
{
  bool idle;

  queue_lock (queue);
  idle = queue->transport->error != 0 && !queue->sending &&
    !queue->receiving && TAILQ_EMPTY (&queue->in_flight);
  queue_unlock (queue);
  return idle;
}

static void
let_go_locked (struct queue *queue)
{
  queue_update_watches_locked (queue);
  queue->transport->ops->abandon (queue->transport);
}

void
queue_let_go (struct queue *queue)
{
  queue_lock (queue);
  let_go_locked (queue);
  queue_unlock (queue);
}

bool
queue_is_wanted_back (struct queue *queue)
{
  const struct transport_ops *ops = queue->transport->ops;

  return ops->is_wanted_back && ops->is_wanted_back (queue->transport);
}

int
queue_renew (struct queue *queue,
             int (*renew) (struct transport_queue *transport, void *opaque),
             void *opaque)
{
  int r;

  queue_lock (queue);
  let_go_locked (queue);
  r = renew (queue->transport, opaque);
  if (r == 0) {
    queue->lost_reported = queue->overdue = queue->overdue_is_news = false;
    queue->grace_ms = queue->graced_due_ms = 0;
    if (queue_update_watches_locked (queue) < 0)
      fail_locked (queue, ENOMEM, "epoll: out of memory");
  }
  queue_unlock (queue);
  return r;
}

static bool
is_aborting_locked (const struct queue *queue, uint16_t cid)
{
  const struct request *request;

  TAILQ_FOREACH (request, &queue->in_flight, link)
    if (request->aborting && request->transport.sqe.common.cid == cid)
      return true;
  return false;
}

bool
queue_take_overdue (struct queue *queue, uint16_t *cid)
{
  bool overdue;

  queue_lock (queue);
  *cid = queue->overdue_cid;
  overdue = queue->overdue && queue->transport->error == 0 &&
    is_aborting_locked (queue, *cid);
  queue->overdue = false;
  queue_unlock (queue);
  return overdue;
}

int
queue_error (struct queue *queue, char *reason, size_t reason_bytes)
{
  int error;

  queue_lock (queue);
  error = queue->transport->error;
  snprintf (reason, reason_bytes, "%s", queue->transport->reason);
  queue_unlock (queue);
  return error;
}

struct transport_queue *
queue_transport (struct queue *queue)
{
  return queue->transport;
}

struct queue *
queue_create (struct transport_queue *transport,
              const struct queue_params *params)
{
  struct queue *queue = calloc (1, sizeof *queue);

  if (!queue)
    goto err;
  queue->kick_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (queue->kick_fd < 0)
    goto err;
  queue->params = *params;
  queue->transport = transport;
  queue->wake_last = &queue->wake_first;
  queue->spin = spin_init (params->poll_us);
  pthread_mutex_init (&queue->lock, NULL);
  TAILQ_INIT (&queue->in_flight);
  TAILQ_INIT (&queue->backlog);
  TAILQ_INIT (&queue->waiting);
  TAILQ_INIT (&queue->sleepers);
  TAILQ_INIT (&queue->watches);
  queue->watched = POLLIN;
  return queue;

 err:
  free (queue);
  transport->ops->destroy (transport);
  return NULL;
}

void
queue_abandon (struct queue *queue)
{
  queue->transport->ops->abandon (queue->transport);
  close (queue->kick_fd);
  queue->kick_fd = -1;
}

void
queue_destroy (struct queue *queue)
{
  if (!queue)
    return;
  /* It was failed before, if it was live: nothing is in flight. */
  assert (queue->kick_fd < 0 ||
          (TAILQ_EMPTY (&queue->in_flight) && TAILQ_EMPTY (&queue->backlog) &&
           TAILQ_EMPTY (&queue->waiting) && TAILQ_EMPTY (&queue->sleepers) &&
           TAILQ_EMPTY (&queue->watches)));
  queue->transport->ops->destroy (queue->transport);
  if (queue->kick_fd >= 0) {
    pthread_mutex_destroy (&queue->lock);
    close (queue->kick_fd);
  }
  free (queue);
}
