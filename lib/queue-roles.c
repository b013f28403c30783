/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who sends and who receives.  Two ways to drive a queue:
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
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "lib/queue-internal.h"

enum { LONE_TURNS = 16 };       /* before the receiver looks: poll_us */

/* What a sleeper's word says. */
enum {
  WORD_WAIT,
  WORD_SLEEPING,        /* in futex wait: wants a system call */
  WORD_DONE,
  WORD_LEAD,            /* you are the receiver now */
};

static void send_all_locked (struct queue *queue);
static bool pump_receive_locked (struct queue *queue);

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

static void
kick (struct queue *queue)
{
  uint64_t one = 1;
  ssize_t r = write (queue->kick_fd, &one, sizeof one);

  (void) r;             /* full: it is readable */
}

/* The leader may be in poll when its own request ends: its answer came while
 * another thread's send of it had not returned, and that thread ends it. */
void
waiter_finish_locked (struct queue *queue, struct waiter *waiter)
{
  waiter->finished = true;
  if (waiter->asleep)
    wake_later_locked (queue, waiter, WORD_DONE);
  else if (waiter == queue->leader && queue->polling)
    kick (queue);
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

/* Those who are woken will submit again, one by one.  So that their commands
 * go out together, they leave sending to the one who wakes. */
void
queue_unlock (struct queue *queue)
{
  struct waiter *wakes;
  bool lost, overdue;

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
    queue_update_watches_locked (queue);
  overdue = queue->overdue_is_news;
  queue->overdue_is_news = false;
  pthread_mutex_unlock (&queue->lock);
  if (lost && queue->params.lost)
    queue->params.lost (queue->params.opaque, queue);
  if (overdue && queue->params.overdue)
    queue->params.overdue (queue->params.opaque, queue);
}

void
queue_set_now_locked (struct queue *queue, uint64_t now_ms)
{
  if (now_ms > queue->now_ms)
    queue->now_ms = now_ms;
}

/* --- the sender --------------------------------------------------------- */

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
    queue_complete_locked (queue);
    if (transport->want_pollout)
      queue_update_watches_locked (queue);
    if (transport->want_pollout && queue->polling && !queue->polling_out)
      kick (queue);
  }
}

/* --- the receiver ------------------------------------------------------- */

/* Is it worth looking before sleeping?  Where several requests are in flight
 * they are answered together, with less work, when one sleeps meanwhile. */
static bool
may_spin_locked (struct queue *queue)
{
  if (queue->transport->nr_in_flight != 1)
    queue->lone_turns = 0;
  else if (queue->lone_turns < LONE_TURNS)
    queue->lone_turns++;
  return queue->spin.now_us > 0 && queue->lone_turns == LONE_TURNS &&
    !queue->transport->want_pollout;
}

/* Without the lock.  What recv returned: -EAGAIN when time is over. */
static int64_t
spin (struct queue *queue)
{
  struct transport_queue *transport = queue->transport;
  uint64_t end_ns = spin_begin (&queue->spin, clock_now_ns ());
  int64_t n;

  do {
    n = transport->ops->recv (transport);
    if (n != -EAGAIN) {
      spin_found (&queue->spin);
      return n;
    }
    sched_yield ();
  } while (clock_now_ns () < end_ns);
  return -EAGAIN;
}

/* poll, and how long it took. */
static int
poll_timed (struct queue *queue, struct pollfd *fds, nfds_t nr, int timeout_ms)
{
  uint64_t before_ns;
  int r;

  if (queue->spin.limit_us == 0)
    return poll (fds, nr, timeout_ms);
  before_ns = clock_now_ns ();
  r = poll (fds, nr, timeout_ms);
  spin_slept (&queue->spin, clock_now_ns () - before_ns);
  return r;
}

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
  r = poll_timed (queue, fds, 2, (int) timeout_ms);
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
  uint64_t due_ms = queue_next_due_locked (queue);
  short events = POLLIN;
  bool look = wait && may_spin_locked (queue);
  uint64_t now_ms;
  int64_t n = -EAGAIN;

  transport->ops->recv_begin (transport);
  queue->polling = wait;
  queue->polling_out = out;
  queue_unlock (queue);
  if (look)
    n = spin (queue);
  if (n == -EAGAIN && wait)
    events = poll_wire (queue, out, due_ms);
  now_ms = clock_now_ms ();
  if (n == -EAGAIN && (events & ~POLLOUT || events == 0))
    n = transport->ops->recv (transport);
  queue_lock (queue);
  queue->polling = false;
  queue_set_now_locked (queue, now_ms);
  if (events & POLLOUT)
    transport->want_pollout = false;
  transport->ops->recv_end (transport, n);
  queue_complete_locked (queue);
  if (n > 0)
    queue->received++;
  else
    queue_judge_locked (queue);
  send_all_locked (queue);
  queue_update_watches_locked (queue);
}

/* Until it is done, or there is nothing to receive from. */
static void
lead_locked (struct queue *queue, struct waiter *waiter)
{
  assert (queue->receiving);
  queue->leader = waiter;
  while (!waiter->finished && !queue_is_down_locked (queue))
    receive_turn_locked (queue, true);
  queue->leader = NULL;
  queue->receiving = false;
}

/* Who sleeps in epoll is told of what comes after the last look, and that one
 * has to find nothing: a completion queue of verbs tells only of what comes
 * after it was asked to, which that look does. */
static void
leave_to_watches_locked (struct queue *queue)
{
  bool more = true;

  while (more && !queue->receiving && TAILQ_EMPTY (&queue->sleepers) &&
         !TAILQ_EMPTY (&queue->watches) && queue->transport->error == 0) {
    more = pump_receive_locked (queue);
    send_all_locked (queue);
    queue_update_watches_locked (queue);
  }
}

static void
hand_over_locked (struct queue *queue)
{
  struct waiter *next = TAILQ_FIRST (&queue->sleepers);

  if (queue->receiving || !next || queue_is_down_locked (queue))
    return;
  queue->receiving = true;
  wake_later_locked (queue, next, WORD_LEAD);
}

/* Returns, without the lock, what the waiter's word says. */
static uint32_t
sleep_locked_unlock (struct queue *queue, struct waiter *waiter)
{
  atomic_init (&waiter->word, WORD_WAIT);
  waiter->asleep = true;
  TAILQ_INSERT_TAIL (&queue->sleepers, waiter, link);
  queue_unlock (queue);
  return sleep_on (waiter);
}

void
queue_wait_locked_unlock (struct queue *queue, struct waiter *waiter)
{
  send_all_locked (queue);
  while (!waiter->finished) {
    if (!queue->receiving && !queue_is_down_locked (queue))
      queue->receiving = true;
    else if (sleep_locked_unlock (queue, waiter) == WORD_DONE)
      return;
    else
      queue_lock (queue);
    lead_locked (queue, waiter);
  }
  leave_to_watches_locked (queue);
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
  queue_complete_locked (queue);
  if (n > 0)
    queue->received++;
  else
    queue_judge_locked (queue);
  return more;
}

void
queue_pump (struct queue *queue, uint64_t now_ms)
{
  bool more = true;

  queue_lock (queue);
  queue_set_now_locked (queue, now_ms);
  queue->transport->want_pollout = false;       /* try again */
  send_all_locked (queue);
  while (more && !queue->receiving && queue->transport->error == 0) {
    more = pump_receive_locked (queue);
    send_all_locked (queue);
  }
  queue_update_watches_locked (queue);
  hand_over_locked (queue);
  queue_unlock (queue);
}
