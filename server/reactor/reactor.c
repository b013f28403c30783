/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reactor's life and its loop.
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "common/clock.h"
#include "common/thread-start.h"
#include "server/reactor/reactor-internal.h"

#define GAP_MS 1000
/* How soon file requests are tried again that the kernel had no memory for. */
#define STALLED_RETRY_MS 10
/* Tasks that deferred tasks defer run in the same turn this often. */
#define DEFER_PASSES 4

static _Thread_local struct reactor *current_reactor;

struct reactor *
reactor_current (void)
{
  return current_reactor;
}

unsigned
reactor_index (const struct reactor *reactor)
{
  return reactor->index;
}

uint64_t
reactor_now_ms (const struct reactor *reactor)
{
  return reactor->now_ms;
}

uint64_t
reactor_clock_us (const struct reactor *reactor)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* --- the loop --------------------------------------------------------- */

static int
sleep_ms (struct reactor *reactor, uint64_t now_ms)
{
  int timeout_ms = timers_sleep_ms (&reactor->timers, now_ms);

  if (reactor->gap || reactor->deferred || reactor->stopping ||
      reactor->files.backend->has_done (reactor))
    return 0;
  if (reactor->files.stalled &&
      (timeout_ms < 0 || timeout_ms > STALLED_RETRY_MS))
    timeout_ms = STALLED_RETRY_MS;
  return timeout_ms;
}

/* A stop (SIGSTOP, a paused machine) inside the wait shows as a wait that
 * took longer than it was to take, one outside as a long turn.  After
 * either, what the peers sent meanwhile is handled before any timer. */
static void
wait_for_events (struct reactor *reactor)
{
  uint64_t before_ms = clock_now_ms ();
  bool was_gap = reactor->gap;
  int timeout_ms;

  timeout_ms = sleep_ms (reactor, before_ms);
  reactor->next_event = 0;
  if (timeout_ms == 0 || !poll_spin (reactor)) {
    if (timeout_ms != 0 && !mailbox_sleep (&reactor->mailbox))
      timeout_ms = 0;
    reactor->nr_events = poll_sleep (reactor, timeout_ms);
    if (reactor->nr_events < 0)
      reactor->nr_events = 0;   /* EINTR: completions arrived at the ring */
    mailbox_awake (&reactor->mailbox);
  }

  /* Where every turn is long, every second one judges timers. */
  reactor->gap = !was_gap && before_ms - reactor->now_ms > GAP_MS;
  reactor->now_ms = clock_now_ms ();
  if (timeout_ms >= 0 &&
      reactor->now_ms - before_ms > (uint64_t) timeout_ms + GAP_MS)
    reactor->gap = true;
}

static void
run_watches (struct reactor *reactor)
{
  while (reactor->next_event < reactor->nr_events) {
    struct epoll_event *event = &reactor->events[reactor->next_event++];
    struct reactor_watch *watch = event->data.ptr;

    if (watch)
      watch->ready (watch, event->events);
  }
}

static void
run_deferred (struct reactor *reactor)
{
  struct reactor_task *task, *next;
  int pass;

  for (pass = 0; pass < DEFER_PASSES && reactor->deferred; ++pass) {
    task = reactor->deferred;
    reactor->deferred = NULL;
    reactor->deferred_tail = &reactor->deferred;
    for (; task; task = next) {
      next = task->next;
      task->run (task);
    }
  }
}

static void
run_turn (struct reactor *reactor)
{
  wait_for_events (reactor);
  run_watches (reactor);
  reactor->files.backend->reap (reactor);
  mailbox_run (&reactor->mailbox);
  if (!reactor->gap)
    timers_run (&reactor->timers, reactor->now_ms);
  run_deferred (reactor);
  file_queue_push (reactor);
  poll_turn_ends (reactor);
}

static bool
is_busy (const struct reactor *reactor)
{
  return reactor->files.nr_inflight > 0 || reactor->files.waiting != 0 ||
         reactor->nr_works > 0 || reactor->deferred;
}

/* Sockets and timers are over; what was given to kernel and workers is not. */
static void
drain (struct reactor *reactor)
{
  struct file_queue *files = &reactor->files;

  while (is_busy (reactor)) {
    struct pollfd fd = { .fd = reactor->mailbox.wake_fd, .events = POLLIN };
    eventfd_t count;

    run_deferred (reactor);
    file_queue_push (reactor);
    if (!is_busy (reactor) || reactor->deferred)
      continue;
    if (!files->backend->has_done (reactor) &&
        mailbox_sleep (&reactor->mailbox))
      poll (&fd, 1, files->stalled ? STALLED_RETRY_MS : -1);
    mailbox_awake (&reactor->mailbox);
    eventfd_read (reactor->mailbox.wake_fd, &count);
    files->backend->reap (reactor);
    mailbox_run (&reactor->mailbox);
  }
}

/* --- life ------------------------------------------------------------- */

static void
mailbox_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  /* Every turn runs the mailbox.  EPOLLET: the eventfd need not be read. */
}

static void
stop (struct reactor_task *task)
{
  struct reactor *reactor = (struct reactor *)
    ((char *) task - offsetof (struct reactor, stop_task));

  reactor->stopping = true;
}

static int
create_parts (struct reactor *reactor)
{
  int r;

  reactor->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (reactor->epoll_fd < 0)
    return -errno;
  r = mailbox_init (&reactor->mailbox);
  if (r < 0)
    return r;
  reactor->mailbox_watch.ready = mailbox_ready;
  reactor->mailbox_watch.fd = reactor->mailbox.wake_fd;
  r = reactor_watch_add (reactor, &reactor->mailbox_watch,
                         EPOLLIN | EPOLLET);
  if (r < 0)
    return r;
  return file_queue_init (reactor);
}

static void
destroy_parts (struct reactor *reactor)
{
  file_queue_exit (reactor);
  mailbox_exit (&reactor->mailbox);
  if (reactor->epoll_fd >= 0)
    close (reactor->epoll_fd);
}

static int
get_workers (void)
{
  int r = workers_get (WORKERS_SLOW);

  if (r < 0)
    return r;
  r = workers_get (WORKERS_FAR);
  if (r < 0)
    workers_put (WORKERS_SLOW);
  return r;
}

int
reactor_create (unsigned index, struct reactor **ret, struct error *err)
{
  struct reactor *reactor;
  int r;

  reactor = calloc (1, sizeof *reactor);
  if (!reactor)
    return error_set (err, ENOMEM, "reactor: %u: %s", index,
                      strerror (ENOMEM));
  r = get_workers ();
  if (r < 0)
    goto err_free;
  reactor->index = index;
  reactor->epoll_fd = -1;
  reactor->mailbox.wake_fd = -1;
  reactor->deferred_tail = &reactor->deferred;
  reactor->now_ms = clock_now_ms ();
  timers_init (&reactor->timers, reactor->now_ms);
  r = create_parts (reactor);
  if (r < 0)
    goto err;
  *ret = reactor;
  return 0;

 err:
  destroy_parts (reactor);
  workers_put (WORKERS_FAR);
  workers_put (WORKERS_SLOW);
 err_free:
  free (reactor);
  return error_set (err, -r, "reactor: %u: %s%s", index, strerror (-r),
                    r == -EMFILE ? ": raise the limit on open files (ulimit "
                    "-n)" : "");
}

struct starting {
  struct reactor *reactor;
  sem_t ready;
  int result;
};

static void *
reactor_main (void *arg)
{
  struct starting *starting = arg;
  struct reactor *reactor = starting->reactor;

  current_reactor = reactor;
  starting->result = reactor->files.backend->start (reactor);
  if (starting->result < 0)
    reactor->stopping = true;
  reactor->now_ms = clock_now_ms ();
  sem_post (&starting->ready);

  while (!reactor->stopping)
    run_turn (reactor);
  drain (reactor);
  reactor->files.backend->stop (reactor);
  return NULL;
}

int
reactor_start (struct reactor *reactor, struct error *err)
{
  struct starting starting = { .reactor = reactor };
  char name[16];
  int r;

  sem_init (&starting.ready, 0, 0);
  snprintf (name, sizeof name, "reactor/%u", reactor->index);
  r = thread_start (&reactor->thread, name, reactor_main, &starting);
  if (r == 0) {
    while (sem_wait (&starting.ready) < 0)
      ;
    r = starting.result;
    if (r < 0)
      pthread_join (reactor->thread, NULL);
  }
  sem_destroy (&starting.ready);
  if (r < 0)
    return error_set (err, -r, "reactor: %u: cannot start: %s",
                      reactor->index, strerror (-r));
  reactor->started = true;
  return 0;
}

void
reactor_destroy (struct reactor *reactor)
{
  if (!reactor)
    return;
  if (reactor->started) {
    reactor->stop_task.run = stop;
    reactor_post (reactor, &reactor->stop_task);
    pthread_join (reactor->thread, NULL);
  }
  workers_settle ();
  destroy_parts (reactor);
  workers_put (WORKERS_FAR);
  workers_put (WORKERS_SLOW);
  free (reactor);
}

/* --- tasks ------------------------------------------------------------ */

void
reactor_defer (struct reactor *reactor, struct reactor_task *task)
{
  task->next = NULL;
  *reactor->deferred_tail = task;
  reactor->deferred_tail = &task->next;
}

struct call {
  struct reactor_task task;
  void (*fn) (void *arg);
  void *arg;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool over;                    /* lock */
};

static void
run_call (struct reactor_task *task)
{
  struct call *call = (struct call *) task;

  call->fn (call->arg);
  /* The caller frees it as soon as it has the lock. */
  pthread_mutex_lock (&call->lock);
  call->over = true;
  pthread_cond_signal (&call->changed);
  pthread_mutex_unlock (&call->lock);
}

void
reactor_call (struct reactor *reactor, void (*fn) (void *arg), void *arg)
{
  struct call call = {
    .task.run = run_call,
    .fn = fn,
    .arg = arg,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
  };

  reactor_post (reactor, &call.task);
  pthread_mutex_lock (&call.lock);
  while (!call.over)
    pthread_cond_wait (&call.changed, &call.lock);
  pthread_mutex_unlock (&call.lock);
  pthread_mutex_destroy (&call.lock);
  pthread_cond_destroy (&call.changed);
}
