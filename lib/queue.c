/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shell around a transport's queue: the lock, and who sends and who
 * receives.  Two ways to drive it:
 *
 *   queue_pump   never waits: association set-up, the keeper, the
 *                asynchronous API, the simulator
 *   queue_wait   synchronous callers, leader and follower: the first that
 *                waits is the receiver (leader), polls and completes the
 *                others' requests with its own; the others sleep on a word of
 *                their own.  A leader that is done hands over to one sleeper.
 *
 * Whoever submits while nobody sends or wakes is the sender, and sends until
 * nothing is left, also what others submitted meanwhile.  When the wire is full, the
 * rest of sending is the receiver's business: it polls for POLLOUT too, and
 * a receiver that is in poll already is kicked out of it.  There may be no
 * receiver, or one that leaves: so every epoll instance that watches the
 * queue (queue_watch) waits for POLLOUT meanwhile.
 *
 * Every unlock is queue_unlock: it wakes those who became done under the
 * lock, all of which are marked before the first one runs, and reports a
 * queue's death.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "lib/internal.h"

TAILQ_HEAD (request_list, request);
TAILQ_HEAD (waiter_list, waiter);

struct queue {
  struct queue_params params;           /* constant after create */
  struct transport_queue *transport;    /* constant after create */
  int kick_fd;                          /* constant after create */

  pthread_mutex_t lock;                 /* everything below */
  bool sending;                         /* a thread has the role */
  bool receiving;
  bool polling;                         /* the receiver is in poll */
  bool polling_out;                     /* and waits for room, too */
  unsigned waking;                      /* threads that wake, and then send */
  struct request_list in_flight;        /* by due_ms */
  struct request_list backlog;          /* waits for a slot */
  struct waiter_list sleepers;
  TAILQ_HEAD (, queue_watch) watches;
  short watched;                        /* what for: as poll's events */
  struct waiter *wake_first;            /* to be woken by queue_unlock */
  struct waiter **wake_last;
  uint64_t now_ms;
  uint64_t grace_ms;                    /* no timeout before */
  uint64_t graced_due_ms;               /* for whom it was given */
  uint64_t received;                    /* receives that brought something */
  bool lost_reported;
};

/* What a sleeper's word says. */
enum {
  WORD_WAIT,
  WORD_SLEEPING,        /* in futex wait: wants a system call */
  WORD_DONE,
  WORD_LEAD,            /* you are the receiver now */
};

enum { GAP_MS = 1000 };

static void send_all_locked (struct queue *queue);

/* --- waking ------------------------------------------------------------- */

static void
futex_wait (_Atomic uint32_t *word, uint32_t value)
{
  syscall (SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
futex_wake (_Atomic uint32_t *word)
{
  syscall (SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void
wake_later_locked (struct queue *queue, struct waiter *waiter, uint32_t word)
{
  assert (waiter->asleep);
  TAILQ_REMOVE (&queue->sleepers, waiter, link);
  waiter->asleep = false;
  waiter->wake_word = word;
  waiter->next_wake = NULL;
  *queue->wake_last = waiter;
  queue->wake_last = &waiter->next_wake;
}

/* After the store a DONE waiter's memory is gone. */
static void
wake_all (struct waiter *waiter)
{
  while (waiter) {
    struct waiter *next = waiter->next_wake;
    _Atomic uint32_t *word = &waiter->word;

    if (atomic_exchange (word, waiter->wake_word) == WORD_SLEEPING)
      futex_wake (word);
    waiter = next;
  }
}

static uint32_t
sleep_on (struct waiter *waiter)
{
  uint32_t word = WORD_WAIT;

  if (atomic_compare_exchange_strong (&waiter->word, &word, WORD_SLEEPING))
    word = WORD_SLEEPING;
  while (word == WORD_SLEEPING) {
    futex_wait (&waiter->word, WORD_SLEEPING);
    word = atomic_load (&waiter->word);
  }
  return word;
}

void
waiter_finish_locked (struct queue *queue, struct waiter *waiter)
{
  waiter->finished = true;
  if (waiter->asleep)
    wake_later_locked (queue, waiter, WORD_DONE);
}

/* --- the lock ----------------------------------------------------------- */

void
queue_lock (struct queue *queue)
{
  pthread_mutex_lock (&queue->lock);
}

static struct waiter *
take_wakes_locked (struct queue *queue)
{
  struct waiter *wakes = queue->wake_first;

  queue->wake_first = NULL;
  queue->wake_last = &queue->wake_first;
  return wakes;
}

/* A dead socket is readable for ever, and watched no more. */
static short
wanted_locked (const struct queue *queue)
{
  if (queue->transport->error != 0)
    return 0;
  return (short) (POLLIN | (queue->transport->want_pollout ? POLLOUT : 0));
}

static int
watch_locked (struct queue *queue, struct queue_watch *watch, int op)
{
  struct epoll_event event = { .events = (uint32_t) queue->watched };
  int fd = queue->transport->ops->wait_fd (queue->transport);

  return epoll_ctl (watch->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

/* Whoever sleeps in epoll_wait notices. */
static void
update_watches_locked (struct queue *queue)
{
  short wanted = wanted_locked (queue);
  struct queue_watch *watch;

  if (wanted == queue->watched)
    return;
  queue->watched = wanted;
  TAILQ_FOREACH (watch, &queue->watches, link)
    watch_locked (queue, watch, wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL);
}

/* Those who are woken will submit again, one by one.  So that their commands
 * go out together, they leave sending to the one who wakes. */
void
queue_unlock (struct queue *queue)
{
  struct waiter *wakes;
  bool lost;

  while ((wakes = take_wakes_locked (queue))) {
    queue->waking++;
    pthread_mutex_unlock (&queue->lock);
    wake_all (wakes);
    pthread_mutex_lock (&queue->lock);
    queue->waking--;
    send_all_locked (queue);
  }
  lost = queue->transport->error != 0 && !queue->lost_reported;
  queue->lost_reported |= lost;
  if (lost)
    update_watches_locked (queue);
  pthread_mutex_unlock (&queue->lock);
  if (lost && queue->params.lost)
    queue->params.lost (queue->params.opaque, queue);
}

void
queue_set_now_locked (struct queue *queue, uint64_t now_ms)
{
  if (now_ms > queue->now_ms)
    queue->now_ms = now_ms;
}

/* --- completion --------------------------------------------------------- */

/* The one place that says what becomes of the requests of a dead queue. */
static int
dead_error_locked (struct queue *queue, const struct request *request)
{
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
in_flight_locked (struct queue *queue, struct request *request)
{
  struct request *before = TAILQ_LAST (&queue->in_flight, request_list);

  if (request->due_ms != UINT64_MAX)
    request->due_ms = queue->now_ms + queue->params.timeout_ms;
  while (before && before->due_ms > request->due_ms)
    before = TAILQ_PREV (before, request_list, link);
  if (before)
    TAILQ_INSERT_AFTER (&queue->in_flight, before, request, link);
  else
    TAILQ_INSERT_HEAD (&queue->in_flight, request, link);
}

static void
backlog_submit_locked (struct queue *queue)
{
  struct request *request;

  while ((request = TAILQ_FIRST (&queue->backlog))) {
    int r = queue->transport->ops->submit (queue->transport,
                                           &request->transport);

    if (r == -EAGAIN)
      return;
    TAILQ_REMOVE (&queue->backlog, request, link);
    if (r == 0) {
      in_flight_locked (queue, request);
    } else {
      request->transport.error = dead_error_locked (queue, NULL);
      request->done (request);
    }
  }
}

static void
complete_locked (struct queue *queue)
{
  struct transport_request *t =
    queue->transport->ops->completed (queue->transport);

  while (t) {
    struct request *request = (struct request *) t;

    t = t->next_done;
    TAILQ_REMOVE (&queue->in_flight, request, link);
    if (request->transport.error != 0)
      request->transport.error = dead_error_locked (queue, request);
    request->done (request);
  }
  backlog_submit_locked (queue);
}

static int
submit_locked (struct queue *queue, struct request *request, bool backlog)
{
  int r = -EAGAIN;

  if (TAILQ_EMPTY (&queue->backlog))
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
  return submit_locked (queue, request, backlog);
}

int
queue_submit_untimed_locked (struct queue *queue, struct request *request)
{
  request->due_ms = UINT64_MAX;
  return submit_locked (queue, request, true);
}

/* --- time --------------------------------------------------------------- */

static uint64_t
next_due_locked (struct queue *queue)
{
  struct request *first = TAILQ_FIRST (&queue->in_flight);

  if (!first)
    return UINT64_MAX;
  return first->due_ms > queue->grace_ms ? first->due_ms : queue->grace_ms;
}

/* After input was read, and there was none.  One who comes more than a
 * second late was stopped, and perhaps the server with it: look once more. */
static void
judge_locked (struct queue *queue)
{
  struct request *first = TAILQ_FIRST (&queue->in_flight);
  uint64_t due_ms = next_due_locked (queue);
  char reason[sizeof queue->transport->reason];

  if (!first || queue->now_ms < due_ms)
    return;
  if (queue->now_ms - due_ms > GAP_MS &&
      queue->graced_due_ms != first->due_ms) {
    queue->grace_ms = queue->now_ms + GAP_MS;
    queue->graced_due_ms = first->due_ms;
    return;
  }
  snprintf (reason, sizeof reason, "no answer to a command in %g s",
            queue->params.timeout_ms / 1000.0);
  queue->transport->ops->fail (queue->transport, ETIMEDOUT, reason);
  complete_locked (queue);
}

/* --- the sender --------------------------------------------------------- */

static void
kick (struct queue *queue)
{
  uint64_t one = 1;
  ssize_t r = write (queue->kick_fd, &one, sizeof one);

  (void) r;             /* full: it is readable */
}

static void
send_all_locked (struct queue *queue)
{
  struct transport_queue *transport = queue->transport;

  if (queue->waking > 0)
    return;
  while (!queue->sending && !transport->want_pollout &&
         transport->ops->send_begin (transport)) {
    int64_t n;

    queue->sending = true;
    queue_unlock (queue);
    n = transport->ops->send (transport);
    queue_lock (queue);
    queue->sending = false;
    transport->ops->send_end (transport, n);
    complete_locked (queue);
    if (transport->want_pollout)
      update_watches_locked (queue);
    if (transport->want_pollout && queue->polling && !queue->polling_out)
      kick (queue);
  }
}

/* --- the receiver ------------------------------------------------------- */

/* Without the lock.  Returns what to do. */
static short
poll_wire (struct queue *queue, bool out, uint64_t due_ms)
{
  struct transport_queue *transport = queue->transport;
  struct pollfd fds[2] = {
    { .fd = transport->ops->wait_fd (transport),
      .events = (short) (POLLIN | (out ? POLLOUT : 0)) },
    { .fd = queue->kick_fd, .events = POLLIN },
  };
  uint64_t now_ms, timeout_ms = 0, count;
  int r;

  if (transport->ops->arm (transport))
    return POLLIN;
  now_ms = clock_now_ms ();
  if (due_ms > now_ms)
    timeout_ms = due_ms - now_ms < INT_MAX ? due_ms - now_ms : INT_MAX;
  r = poll (fds, 2, (int) timeout_ms);
  if (r <= 0)
    return 0;           /* late, or a signal: the caller looks again */
  if (fds[1].revents) {
    ssize_t n = read (queue->kick_fd, &count, sizeof count);

    (void) n;
  }
  return fds[0].revents;
}

/* One receive, after waiting for it unless something is expected. */
static void
receive_turn_locked (struct queue *queue, bool wait)
{
  struct transport_queue *transport = queue->transport;
  bool out = transport->want_pollout;
  uint64_t due_ms = next_due_locked (queue);
  short events = POLLIN;
  uint64_t now_ms;
  int64_t n;

  transport->ops->recv_begin (transport);
  queue->polling = wait;
  queue->polling_out = out;
  queue_unlock (queue);
  if (wait)
    events = poll_wire (queue, out, due_ms);
  now_ms = clock_now_ms ();
  n = events & ~POLLOUT || events == 0 ?
    transport->ops->recv (transport) : -EAGAIN;
  queue_lock (queue);
  queue->polling = false;
  queue_set_now_locked (queue, now_ms);
  if (events & POLLOUT)
    transport->want_pollout = false;
  transport->ops->recv_end (transport, n);
  complete_locked (queue);
  if (n > 0)
    queue->received++;
  else
    judge_locked (queue);
  send_all_locked (queue);
  update_watches_locked (queue);
}

static void
lead_locked (struct queue *queue, struct waiter *waiter)
{
  assert (queue->receiving);
  while (!waiter->finished)
    receive_turn_locked (queue, true);
  queue->receiving = false;
}

static void
hand_over_locked (struct queue *queue)
{
  struct waiter *next = TAILQ_FIRST (&queue->sleepers);

  if (queue->receiving || !next)
    return;
  queue->receiving = true;
  wake_later_locked (queue, next, WORD_LEAD);
}

void
queue_wait_locked_unlock (struct queue *queue, struct waiter *waiter)
{
  send_all_locked (queue);
  if (!waiter->finished && queue->receiving) {
    atomic_init (&waiter->word, WORD_WAIT);
    waiter->asleep = true;
    TAILQ_INSERT_TAIL (&queue->sleepers, waiter, link);
    queue_unlock (queue);
    if (sleep_on (waiter) == WORD_DONE)
      return;
    queue_lock (queue);
    lead_locked (queue, waiter);
  } else if (!waiter->finished) {
    queue->receiving = true;
    lead_locked (queue, waiter);
  }
  hand_over_locked (queue);
  queue_unlock (queue);
}

/* --- without waiting ---------------------------------------------------- */

void
queue_flush_sends (struct queue *queue)
{
  queue_lock (queue);
  send_all_locked (queue);
  queue_unlock (queue);
}

/* True when another receive may find more. */
static bool
pump_receive_locked (struct queue *queue)
{
  struct transport_queue *transport = queue->transport;
  bool more;
  int64_t n;

  queue->receiving = true;
  transport->ops->recv_begin (transport);
  queue_unlock (queue);
  n = transport->ops->recv (transport);
  queue_lock (queue);
  more = transport->ops->recv_end (transport, n);
  queue->receiving = false;
  complete_locked (queue);
  if (n > 0)
    queue->received++;
  else
    judge_locked (queue);
  return more;
}

void
queue_pump (struct queue *queue, uint64_t now_ms)
{
  struct transport_queue *transport = queue->transport;
  bool more = true;

  queue_lock (queue);
  queue_set_now_locked (queue, now_ms);
  transport->want_pollout = false;      /* try again */
  send_all_locked (queue);
  while (more && !queue->receiving && transport->error == 0) {
    more = pump_receive_locked (queue);
    send_all_locked (queue);
  }
  update_watches_locked (queue);
  hand_over_locked (queue);
  queue_unlock (queue);
}

/* --- the rest ----------------------------------------------------------- */

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
  if (queue->watched && queue->transport->ops->wait_fd (queue->transport) >= 0)
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

uint64_t
queue_next_due_ms (struct queue *queue)
{
  uint64_t due_ms;

  queue_lock (queue);
  due_ms = next_due_locked (queue);
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

void
queue_fail (struct queue *queue, int error, const char *reason)
{
  queue_lock (queue);
  queue->transport->ops->fail (queue->transport, error, reason);
  complete_locked (queue);
  queue_unlock (queue);
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
  pthread_mutex_init (&queue->lock, NULL);
  TAILQ_INIT (&queue->in_flight);
  TAILQ_INIT (&queue->backlog);
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
           TAILQ_EMPTY (&queue->sleepers) && TAILQ_EMPTY (&queue->watches)));
  queue->transport->ops->destroy (queue->transport);
  if (queue->kick_fd >= 0) {
    pthread_mutex_destroy (&queue->lock);
    close (queue->kick_fd);
  }
  free (queue);
}
