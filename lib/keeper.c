/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One thread per process that keeps associations alive: Keep Alive commands
 * (Base 2.0 section 3.9), their answers, commands of volumes that nobody
 * drives at the moment and whose time is over, and new connections for those
 * that were lost.  It is there from the first shared open to the last close.
 *
 * The liveness of I/O does not rest on it: whoever waits for a command judges
 * its timeout.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/thread-start.h"
#include "lib/internal.h"

static struct {
  pthread_mutex_t lock;         /* the list, and stop */
  TAILQ_HEAD (, association) associations;
  bool stop;
  /* While the list is not empty. */
  pthread_t thread;
  _Atomic int wake_fd;          /* any thread */
  int epoll_fd;
} keeper = {
  .lock = PTHREAD_MUTEX_INITIALIZER,
  .associations = TAILQ_HEAD_INITIALIZER (keeper.associations),
  .wake_fd = -1,
  .epoll_fd = -1,
};

/* --- one association ---------------------------------------------------- */

static uint64_t
received (struct association *association)
{
  uint64_t sum = queue_received (association->admin);

  for (uint32_t i = 0; i < association->nr_io; i++)
    sum += queue_received (association->io[i]);
  return sum;
}

static int
submit (struct association *association, struct request *request,
        uint64_t now_ms)
{
  int r;

  request->transport.data = TRANSPORT_NO_DATA;
  request->fleeting = true;
  queue_lock (association->admin);
  queue_set_now_locked (association->admin, now_ms);
  r = queue_submit_locked (association->admin, request, true);
  queue_unlock (association->admin);
  queue_flush_sends (association->admin);
  return r;
}

static void
keep_alive_done (struct request *request)
{
  struct association *association =
    (struct association *) ((char *) request -
                            offsetof (struct association, keep_alive));

  association->keep_alive_pending = false;
}

static void
keep_alive_send (struct association *association, uint64_t now_ms)
{
  struct request *request = &association->keep_alive;

  memset (&request->transport.sqe, 0, sizeof request->transport.sqe);
  request->transport.sqe.common.opcode = nvme_admin_keep_alive;
  request->done = keep_alive_done;
  association->keep_alive_pending = true;
  association->keep_alive_sent_ms = now_ms;
  if (submit (association, request, now_ms) < 0)
    association->keep_alive_pending = false;
}

/* Any traffic counts as life of the server.  As life of the host it does not,
 * even where the controller offers that (CTRATT.TBKAS): it means commands
 * begun, and a slow read of much data is none for a long time. */
static uint64_t
keep_alive_tick (struct association *association, uint64_t now_ms)
{
  uint32_t kato_ms = association->params.options.keep_alive_tmo_ms;
  uint64_t seen = received (association);
  bool traffic = seen != association->keep_alive_seen;

  if (kato_ms == 0)
    return UINT64_MAX;
  if (association->keep_alive_next_ms == 0)
    association->keep_alive_next_ms = now_ms + kato_ms / 2;
  if (now_ms < association->keep_alive_next_ms)
    return association->keep_alive_next_ms;

  association->keep_alive_seen = seen;
  association->keep_alive_next_ms = now_ms + kato_ms / 2;
  if (association->keep_alive_pending) {
    if (traffic)
      association->keep_alive_sent_ms = now_ms;
    else if (now_ms - association->keep_alive_sent_ms >= kato_ms)
      association_lose (association, ETIMEDOUT, "no answer to Keep Alive");
  } else {
    keep_alive_send (association, now_ms);
  }
  return association->keep_alive_next_ms;
}

/* --- commands that take too long ---------------------------------------- */

static void
abort_done (struct request *request)
{
  struct association *association =
    (struct association *) ((char *) request -
                            offsetof (struct association, abort));

  association->abort_pending = false;
}

/* What the answer says does not matter: the command itself is answered, or
 * its time is over for good. */
static void
abort_send (struct association *association, uint16_t sqid, uint16_t cid,
            uint64_t now_ms)
{
  struct request *request = &association->abort;
  struct nvme_sqe *sqe = &request->transport.sqe.common;
  uint8_t *cdw10 = (uint8_t *) &sqe->cdw10;
  __le16 wire_sqid = cpu_to_le16 (sqid);

  memset (sqe, 0, sizeof *sqe);
  sqe->opcode = nvme_admin_abort_cmd;
  memcpy (cdw10, &wire_sqid, sizeof wire_sqid);
  memcpy (cdw10 + 2, &cid, sizeof cid);         /* as the command had it */
  request->done = abort_done;
  association->abort_pending = true;
  if (submit (association, request, now_ms) < 0)
    association->abort_pending = false;
}

static void
abort_tick (struct association *association, uint64_t now_ms)
{
  for (uint32_t i = 0; i <= association->nr_io; i++) {
    struct queue *queue = i == 0 ? association->admin :
      association->io[i - 1];
    uint16_t cid;

    if (!association->abort_pending && queue_take_overdue (queue, &cid))
      abort_send (association, (uint16_t) i, cid, now_ms);
  }
}

/* --- all of it ---------------------------------------------------------- */

static void
format_has_changed (struct association *association)
{
  struct error err;

  error_set (&err, ENODEV, "%s: %s: its block size has changed",
             options_name (&association->params.options), association->uri);
  association_give_up (association, &err, EIO);
}

static uint64_t
live_tick (struct association *association, uint64_t now_ms)
{
  uint32_t io_tmo_ms = association->params.options.io_tmo_ms;
  uint64_t next_ms, due_ms;

  if (association->format_changed)
    format_has_changed (association);
  next_ms = reconnect_live_tick (association, now_ms);
  events_start (association, now_ms);
  due_ms = keep_alive_tick (association, now_ms);
  if (due_ms < next_ms)
    next_ms = due_ms;
  abort_tick (association, now_ms);
  due_ms = queue_next_due_ms (association->admin);
  if (due_ms < next_ms)
    next_ms = due_ms;
  for (uint32_t i = 0; i < association->nr_io; i++) {
    struct queue *queue = association->io[i];

    due_ms = queue_next_due_ms (queue);
    if (due_ms <= now_ms && !queue_driven (queue)) {
      queue_pump (queue, now_ms);
      due_ms = queue_next_due_ms (queue);
    }
    /* Nothing that is submitted from now on can be due before. */
    if (due_ms <= now_ms || due_ms > now_ms + io_tmo_ms)
      due_ms = now_ms + io_tmo_ms;
    if (due_ms < next_ms)
      next_ms = due_ms;
  }
  return next_ms;
}

static uint64_t
tick (struct association *association, uint64_t now_ms)
{
  uint64_t next_ms = now_ms;

  if (association->dead)
    return reconnect_dead_tick (association, now_ms);
  queue_pump (association->admin, now_ms);
  if (association->dead)
    return reconnect_dead_tick (association, now_ms);
  if (!association_is_live (association))
    next_ms = reconnect_tick (association, now_ms);
  if (association_is_live (association))
    next_ms = live_tick (association, now_ms);
  /* Lost meanwhile: its time begins now. */
  if (association_get_state (association, NULL) == ASSOCIATION_DOWN &&
      association->re.lost_ms == 0)
    next_ms = now_ms;
  return next_ms;
}

uint64_t
keeper_tick (struct association *association, uint64_t now_ms)
{
  uint64_t next_ms = tick (association, now_ms), paths_ms;
  struct paths *paths = association->paths;

  /* Of several they are judged once, when the last has had its turn. */
  if (!paths || paths->association[paths->nr - 1] != association)
    return next_ms;
  paths_ms = paths_tick (paths, now_ms);
  return paths_ms < next_ms ? paths_ms : next_ms;
}

/* --- the thread --------------------------------------------------------- */

/* While an I/O queue is connected, its answers wake the thread, too. */
static void
watch_step (struct association *association)
{
  struct queue *queue = association_step_io_queue (association);

  if (queue == association->step_watched)
    return;
  if (association->step_watched)
    queue_unwatch (association->step_watched, &association->step_watch);
  association->step_watched = queue;
  if (queue)
    queue_watch (queue, &association->step_watch, keeper.epoll_fd);
}

/* Tick all.  Returns when to come back. */
static uint64_t
keeper_round_locked (void)
{
  struct association *association;
  uint64_t now_ms = clock_now_ms (), next_ms = UINT64_MAX;

  TAILQ_FOREACH (association, &keeper.associations, keeper_link) {
    uint64_t tick_ms = keeper_tick (association, now_ms);

    watch_step (association);
    if (tick_ms < next_ms)
      next_ms = tick_ms;
  }
  return next_ms;
}

static void *
keeper_main (void *arg)
{
  struct epoll_event events[16];
  uint64_t count;

  pthread_mutex_lock (&keeper.lock);
  while (!keeper.stop) {
    uint64_t next_ms = keeper_round_locked (), now_ms = clock_now_ms ();
    int timeout_ms = -1;
    ssize_t r;

    pthread_mutex_unlock (&keeper.lock);
    if (next_ms != UINT64_MAX)
      timeout_ms = next_ms <= now_ms ? 0 :
        next_ms - now_ms < INT_MAX ? (int) (next_ms - now_ms) : INT_MAX;
    epoll_wait (keeper.epoll_fd, events, 16, timeout_ms);
    r = read (keeper.wake_fd, &count, sizeof count);
    (void) r;
    pthread_mutex_lock (&keeper.lock);
  }
  pthread_mutex_unlock (&keeper.lock);
  return NULL;
}

void
keeper_wake (void)
{
  uint64_t one = 1;
  ssize_t r = write (keeper.wake_fd, &one, sizeof one);

  (void) r;
}

static void
close_epoll (void)
{
  if (keeper.epoll_fd >= 0)
    close (keeper.epoll_fd);
  keeper.epoll_fd = -1;
}

/* The thread is the parent's. */
void
keeper_forget (void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

  keeper.lock = unlocked;
  TAILQ_INIT (&keeper.associations);
  close_epoll ();
  if (keeper.wake_fd >= 0)
    close (keeper.wake_fd);     /* it would wake the parent's */
  keeper.wake_fd = -1;
}

static int
keeper_start_locked (void)
{
  struct epoll_event event = { .events = EPOLLIN };
  int r;

  keeper.stop = false;
  if (keeper.wake_fd < 0)
    keeper.wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  keeper.epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (keeper.wake_fd < 0 || keeper.epoll_fd < 0 ||
      epoll_ctl (keeper.epoll_fd, EPOLL_CTL_ADD, keeper.wake_fd, &event) < 0)
    r = -errno;
  else
    r = thread_start (&keeper.thread, NULL, keeper_main, NULL);
  if (r < 0)
    close_epoll ();
  return r;
}

int
keeper_add (struct association *association, struct error *err)
{
  int r = 0;

  LOCK_SCOPE (&keeper.lock);
  if (TAILQ_EMPTY (&keeper.associations))
    r = keeper_start_locked ();
  if (r < 0)
    return error_set (err, -r, "open: keep-alive thread: %s", strerror (-r));
  TAILQ_INSERT_TAIL (&keeper.associations, association, keeper_link);
  /* Not watched for want of memory: it is looked at by the clock. */
  queue_watch (association->admin, &association->keeper_watch,
               keeper.epoll_fd);
  keeper_wake ();
  return 0;
}

/* The registry's lock makes this and keeper_add one at a time. */
void
keeper_remove (struct association *association)
{
  {
    LOCK_SCOPE (&keeper.lock);
    TAILQ_REMOVE (&keeper.associations, association, keeper_link);
    queue_unwatch (association->admin, &association->keeper_watch);
    if (association->step_watched)
      queue_unwatch (association->step_watched, &association->step_watch);
    if (!TAILQ_EMPTY (&keeper.associations))
      return;
    keeper.stop = true;
    keeper_wake ();
  }
  pthread_join (keeper.thread, NULL);
  close_epoll ();
}
