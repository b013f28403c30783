/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shell around a queue, with real threads: leader and follower over a
 * socket so narrow that every larger send is cut short, against a controller
 * of two threads that answers in its own order.  To be run under TSan, too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "lib/queue-internal.h"
#include "lib/tcp-queue.h"
#include "tests/unit/lib-queue-peer.h"

enum {
  NR_THREADS = 16,
  DEPTH = 5,                    /* fewer than threads: the backlog works */
  ROUNDS = 200,
};

/* --- the queue ---------------------------------------------------------- */

static struct queue *queue;
static uint32_t poll_us;                /* of the next start */
static _Atomic unsigned nr_lost;

static void
lost (void *opaque, struct queue *q)
{
  nr_lost++;
}

static void
start (bool mute, uint32_t timeout_ms)
{
  const struct tcp_queue_params tcp = { .qid = 1, .depth = DEPTH };
  const struct queue_params params = { .timeout_ms = timeout_ms,
                                       .poll_us = poll_us,
                                       .lost = lost };
  int fds[2], bytes = 4608;

  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  for (int i = 0; i < 2; i++)
    setsockopt (fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  peer_start (fds[1], mute);

  nr_lost = 0;
  queue = queue_create (tcp_queue_create (stream_from_socket (fds[0]), &tcp),
                        &params);
  assert_non_null (queue);
  while (!queue_transport (queue)->ready) {
    struct pollfd fd = { .fd = fds[0], .events = POLLIN };

    queue_pump (queue, clock_now_ms ());
    if (!queue_transport (queue)->ready)
      poll (&fd, 1, 1000);
  }
  queue_lock (queue);
  queue_transport (queue)->sqflow_disabled = true;
  queue_transport (queue)->in_capsule_bytes = 1000;
  queue_unlock (queue);
}

static void
stop (void)
{
  queue_fail (queue, ESHUTDOWN, "over");
  assert_int_equal (nr_lost, 1);
  peer_join ();
  assert_false (peer.damaged);
  queue_destroy (queue);
  close (peer.fd);
}

/* --- synchronous callers ------------------------------------------------ */

struct caller {
  struct request request;       /* first member */
  struct waiter waiter;
  uint8_t buf[DATA_BYTES];
  pthread_t thread;
  unsigned seed;
  unsigned rounds;
  int error;                    /* of the last request */
  uint64_t took_ms;
};

static void
caller_done (struct request *request)
{
  waiter_finish_locked (queue, &((struct caller *) request)->waiter);
}

/* One request and its wait. */
static int
call (struct caller *caller, uint8_t opcode, uint64_t slba, uint32_t bytes)
{
  struct transport_request *t = &caller->request.transport;
  int r;

  memset (&t->sqe, 0, sizeof t->sqe);
  t->sqe.rw.opcode = opcode;
  t->sqe.rw.slba = cpu_to_le64 (slba);
  t->data = opcode == nvme_cmd_read ? TRANSPORT_FROM_CONTROLLER :
    opcode == nvme_cmd_write ? TRANSPORT_TO_CONTROLLER : TRANSPORT_NO_DATA;
  t->iov = (struct iovec) { .iov_base = caller->buf, .iov_len = bytes };
  if (t->data == TRANSPORT_NO_DATA)
    t->iov.iov_len = 0;
  caller->request.done = caller_done;
  memset (&caller->waiter, 0, sizeof caller->waiter);
  queue_lock (queue);
  queue_set_now_locked (queue, clock_now_ms ());
  r = queue_submit_locked (queue, &caller->request, true);
  if (r < 0) {
    queue_unlock (queue);
    return -r;
  }
  queue_wait_locked_unlock (queue, &caller->waiter);
  return t->error ? t->error : nvme_cqe_status (&t->cqe);
}

static void *
caller_main (void *arg)
{
  struct caller *caller = arg;
  uint64_t begin_ms = clock_now_ms ();

  for (unsigned i = 0; i < caller->rounds && caller->error == 0; i++) {
    uint32_t bytes = 1 + (uint32_t) rand_r (&caller->seed) % DATA_BYTES;
    uint64_t slba = (uint64_t) rand_r (&caller->seed);

    if (rand_r (&caller->seed) & 1)
      bytes = 1 + bytes % 2000;
    switch (rand_r (&caller->seed) % 5) {
    case 0: case 1:
      memset (caller->buf, 0x55, sizeof caller->buf);
      caller->error = call (caller, nvme_cmd_read, slba, bytes);
      for (uint32_t k = 0; k < bytes && caller->error == 0; k++)
        if (caller->buf[k] != pattern (slba, k))
          caller->error = EILSEQ;
      break;
    case 2: case 3:
      for (uint32_t k = 0; k < bytes; k++)
        caller->buf[k] = pattern (slba, k);
      caller->error = call (caller, nvme_cmd_write, slba, bytes);
      break;
    default:
      caller->error = call (caller, nvme_cmd_flush, 0, 0);
      break;
    }
  }
  caller->took_ms = clock_now_ms () - begin_ms;
  return NULL;
}

static struct caller callers[NR_THREADS];

static void
start_callers (unsigned rounds)
{
  for (unsigned i = 0; i < NR_THREADS; i++) {
    callers[i].seed = i + 1;
    callers[i].rounds = rounds;
    callers[i].error = 0;
    pthread_create (&callers[i].thread, NULL, caller_main, &callers[i]);
  }
}

static void
join_callers (void)
{
  for (unsigned i = 0; i < NR_THREADS; i++)
    pthread_join (callers[i].thread, NULL);
}

/* --- tests -------------------------------------------------------------- */

static void
test_many_threads (void **state)
{
  start (false, 60000);
  start_callers (ROUNDS);
  join_callers ();
  for (unsigned i = 0; i < NR_THREADS; i++)
    assert_int_equal (callers[i].error, 0);
  stop ();
}

static void
test_lone_thread (void **state)
{
  start (false, 60000);
  callers[0].seed = 7;
  callers[0].rounds = ROUNDS;
  callers[0].error = 0;
  caller_main (&callers[0]);
  assert_int_equal (callers[0].error, 0);
  stop ();
}

/* The same, and whoever receives looks before it sleeps. */
static void
test_polling (void **state)
{
  poll_us = 1000;
  test_lone_thread (state);
  test_many_threads (state);
  poll_us = 0;
}

/* How often this thread has slept until now. */
static long
nr_sleeps (void)
{
  struct rusage usage;

  assert_int_equal (getrusage (RUSAGE_THREAD, &usage), 0);
  return usage.ru_nvcsw;
}

/* A lone thread that may look for long does not sleep, but for the first
 * requests, when it is not known yet that it is alone. */
static void
test_polling_does_not_sleep (void **state)
{
  long before = nr_sleeps ();

  poll (NULL, 0, 1);
  assert_true (nr_sleeps () > before);
  poll_us = 60000000;
  start (false, 60000);
  poll_us = 0;
  before = nr_sleeps ();
  for (unsigned i = 0; i < ROUNDS; i++)
    assert_int_equal (call (&callers[0], nvme_cmd_flush, 0, 0), 0);
  assert_in_range (nr_sleeps () - before, 0, ROUNDS / 4);
  stop ();
}

static void *
flush_main (void *arg)
{
  struct caller *caller = arg;

  caller->error = call (caller, nvme_cmd_flush, 0, 0);
  return NULL;
}

/* The receiver waits for an answer that does not come, and not for room.
 * Another thread's send is cut short: the receiver has to send the rest. */
static void
test_receiver_sends_what_was_cut_short (void **state)
{
  for (unsigned i = 0; i < 50; i++) {
    start (false, 60000);
    peer.mute_flush = true;
    queue_lock (queue);
    queue_transport (queue)->in_capsule_bytes = DATA_BYTES;
    queue_unlock (queue);
    pthread_create (&callers[0].thread, NULL, flush_main, &callers[0]);
    while (!queue_driven (queue))
      sched_yield ();
    for (uint32_t k = 0; k < DATA_BYTES; k++)
      callers[1].buf[k] = pattern (3, k);
    assert_int_equal (call (&callers[1], nvme_cmd_write, 3, DATA_BYTES), 0);
    queue_fail (queue, ECONNRESET, "test");
    pthread_join (callers[0].thread, NULL);
    assert_int_equal (callers[0].error, ENOTCONN);
    stop ();
  }
}

/* --- a send that returns late --------------------------------------------- */

/* A socket's stream whose first send after `slow_sends` was set returns when
 * the leader is in poll, and whose second returns when the leader has received
 * something, too, and is in poll again. */
static const struct stream_ops *socket_ops;
static _Atomic unsigned slow_sends;

static void
await_poll (uint64_t received)
{
  bool polling;

  do {
    sched_yield ();
    queue_lock (queue);
    polling = queue->polling && queue->received > received;
    pthread_mutex_unlock (&queue->lock);        /* no more than look */
  } while (!polling);
}

static bool
queue_is_sending (void)
{
  bool sending;

  queue_lock (queue);
  sending = queue->sending;
  queue_unlock (queue);
  return sending;
}

static ssize_t
slow_send (struct stream *stream, struct iovec *iov, int iovcnt)
{
  uint64_t received = queue_received (queue);
  ssize_t n = socket_ops->send (stream, iov, iovcnt);

  if (slow_sends == 2)
    await_poll (received - 1);
  else if (slow_sends == 1)
    await_poll (received);
  if (slow_sends > 0)
    slow_sends--;
  return n;
}

/* The leader's command is sent by another thread, and answered before that
 * thread is back: it is over when the send is, and the leader, who is in poll,
 * has to notice. */
static void
test_leader_ended_by_the_sender (void **state)
{
  struct stream_ops ops;
  struct stream *stream;

  start (false, 5000);
  stream = ((struct tcp_queue *) queue_transport (queue))->stream;
  socket_ops = stream->ops;
  ops = *socket_ops;
  ops.send = slow_send;
  stream->ops = &ops;
  peer.mute_flush = true;
  slow_sends = 2;
  pthread_create (&callers[0].thread, NULL, flush_main, &callers[0]);
  while (!queue_is_sending ())
    sched_yield ();
  assert_int_equal (call (&callers[1], nvme_cmd_read, 3, 100), 0);
  queue_fail (queue, ECONNRESET, "test");
  pthread_join (callers[0].thread, NULL);
  assert_int_equal (callers[0].error, ENOTCONN);
  stream->ops = socket_ops;
  stop ();
}

/* --- watches -------------------------------------------------------------- */

static _Atomic bool write_over;

static void
write_done (struct request *request)
{
  write_over = true;
}

/* A write is cut short while a synchronous caller receives, who then leaves:
 * an epoll instance has to tell when there is room. */
static void
test_watch_tells_of_room (void **state)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  struct request *request = &callers[1].request;
  struct transport_request *t = &request->transport;
  struct queue_watch watch;
  struct epoll_event event;

  for (unsigned i = 0; i < 50; i++) {
    start (false, 60000);
    assert_int_equal (queue_watch (queue, &watch, epoll_fd), 0);
    pthread_mutex_lock (&peer.lock);    /* no answer before it is let go */
    pthread_create (&callers[0].thread, NULL, flush_main, &callers[0]);
    while (!queue_driven (queue))
      sched_yield ();
    write_over = false;
    request->done = write_done;
    memset (&t->sqe, 0, sizeof t->sqe);
    t->sqe.rw.opcode = nvme_cmd_write;
    t->sqe.rw.slba = cpu_to_le64 (3);
    t->data = TRANSPORT_TO_CONTROLLER;
    t->iov = (struct iovec) { .iov_base = callers[1].buf,
                              .iov_len = DATA_BYTES };
    for (uint32_t k = 0; k < DATA_BYTES; k++)
      callers[1].buf[k] = pattern (3, k);
    queue_lock (queue);
    queue_transport (queue)->in_capsule_bytes = i & 1 ? DATA_BYTES : 1000;
    queue_set_now_locked (queue, clock_now_ms ());
    assert_int_equal (queue_submit_locked (queue, request, true), 0);
    queue_unlock (queue);
    queue_flush_sends (queue);
    pthread_mutex_unlock (&peer.lock);
    pthread_join (callers[0].thread, NULL);
    assert_int_equal (callers[0].error, 0);
    while (!write_over) {
      assert_int_equal (epoll_wait (epoll_fd, &event, 1, 20000), 1);
      queue_pump (queue, clock_now_ms ());
    }
    assert_int_equal (t->error, 0);
    queue_unwatch (queue, &watch);
    stop ();
  }
  close (epoll_fd);
}

static const struct transport_ops *queue_ops;
static int64_t last_received;

static int64_t
noted_recv (struct transport_queue *transport)
{
  return last_received = queue_ops->recv (transport);
}

/* Verbs tell an epoll instance only of what comes after a look that found
 * nothing: a receiver that leaves looks once more, when there is one. */
static void
test_leader_leaves_nothing (void **state)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  struct transport_ops ops;
  struct queue_watch watch;

  start (false, 60000);
  queue_ops = queue_transport (queue)->ops;
  ops = *queue_ops;
  ops.recv = noted_recv;
  queue_transport (queue)->ops = &ops;
  assert_int_equal (call (&callers[0], nvme_cmd_read, 3, 512), 0);
  assert_true (last_received > 0);
  assert_int_equal (queue_watch (queue, &watch, epoll_fd), 0);
  assert_int_equal (call (&callers[0], nvme_cmd_read, 3, 512), 0);
  assert_int_equal (last_received, -EAGAIN);
  queue_unwatch (queue, &watch);
  queue_transport (queue)->ops = queue_ops;
  stop ();
  close (epoll_fd);
}

/* Another thread ends the queue: all come back, those who wait for a slot
 * too, and say the same. */
static void
test_failure_ends_all_waits (void **state)
{
  start (true, 60000);
  start_callers (ROUNDS);
  queue_fail (queue, ESHUTDOWN, "interrupted");
  join_callers ();
  for (unsigned i = 0; i < NR_THREADS; i++)
    assert_int_equal (callers[i].error, ESHUTDOWN);
  stop ();
}

static void
test_failure_in_the_middle (void **state)
{
  for (unsigned i = 0; i < 10; i++) {
    start (false, 60000);
    start_callers (1000000);
    /* let them come some way */
    while (queue_received (queue) < 50 * i)
      sched_yield ();
    queue_fail (queue, ECONNRESET, "test");
    join_callers ();
    for (unsigned k = 0; k < NR_THREADS; k++)
      assert_int_equal (callers[k].error, ENOTCONN);
    stop ();
  }
}

static void
test_peer_ends_in_the_middle (void **state)
{
  start (false, 60000);
  start_callers (1000000);
  while (queue_received (queue) < 300)
    sched_yield ();
  shutdown (peer.fd, SHUT_RDWR);
  join_callers ();
  for (unsigned k = 0; k < NR_THREADS; k++)
    assert_int_equal (callers[k].error, ENOTCONN);
  stop ();
}

static void
test_timeout (void **state)
{
  unsigned nr_timed_out = 0;

  start (true, 200);
  start_callers (1);
  join_callers ();
  for (unsigned i = 0; i < NR_THREADS; i++) {
    assert_true (callers[i].error == ETIMEDOUT ||
                 callers[i].error == ENOTCONN);
    nr_timed_out += callers[i].error == ETIMEDOUT;
    assert_true (callers[i].took_ms < 30000);
  }
  assert_true (nr_timed_out > 0);
  stop ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_lone_thread),
    cmocka_unit_test (test_many_threads),
    cmocka_unit_test (test_polling),
    cmocka_unit_test (test_polling_does_not_sleep),
    cmocka_unit_test (test_receiver_sends_what_was_cut_short),
    cmocka_unit_test (test_leader_ended_by_the_sender),
    cmocka_unit_test (test_watch_tells_of_room),
    cmocka_unit_test (test_leader_leaves_nothing),
    cmocka_unit_test (test_failure_ends_all_waits),
    cmocka_unit_test (test_failure_in_the_middle),
    cmocka_unit_test (test_peer_ends_in_the_middle),
    cmocka_unit_test (test_timeout),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
