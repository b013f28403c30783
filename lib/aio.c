/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous I/O: a transfer with one command at a time, inside the
 * caller's struct qbd_aio.  Whoever receives an answer (a synchronous caller of
 * the same association, too) puts the request on its volume's done list;
 * qbd_aio_poll takes it from there.
 *
 * The descriptor is an epoll instance over the sockets and an eventfd, which
 * is readable while the done list holds something that another thread put
 * there.  Both are made when they are first needed.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/internal.h"

/* What is in qbd_aio.reserved. */
struct aio {
  struct transfer transfer;             /* first member */
  struct path_waiter waiter;
  struct io_request io;
  struct qbd_aio *user;
  TAILQ_ENTRY (aio) link;               /* volume's done list */
};

static_assert (sizeof (struct aio) <=
               sizeof ((struct qbd_aio *) 0)->reserved, "");
static_assert (offsetof (struct qbd_aio, reserved) % _Alignof (struct aio) ==
               0, "");

/* --- completion --------------------------------------------------------- */

static void
signal_locked (struct qbd_volume *volume)
{
  uint64_t one = 1;

  if (volume->event_fd < 0 || volume->aio_signalled)
    return;
  volume->aio_signalled =
    write (volume->event_fd, &one, sizeof one) == sizeof one;
}

static void
unsignal_locked (struct qbd_volume *volume)
{
  uint64_t count;

  if (!volume->aio_signalled ||
      (volume->aio_in_flight == 0 && volume->aio_waiting > 0))
    return;             /* those who wait for the last one have to see it */
  volume->aio_signalled =
    read (volume->event_fd, &count, sizeof count) < 0 && errno != EAGAIN;
}

static void
aio_finish (struct aio *aio)
{
  struct qbd_volume *volume = aio->transfer.volume;

  LOCK_SCOPE (&volume->aio_lock);
  TAILQ_INSERT_TAIL (&volume->aio_done, aio, link);
  if (!volume->aio_pumping)
    signal_locked (volume);
}

/* [locked: its queue] */
static void
aio_over (struct transfer *transfer)
{
  struct aio *aio = (struct aio *) transfer;

  if (transfer_moves (transfer)) {
    aio->waiter.since_ms = 0;
    paths_wait (transfer->volume->paths, &aio->waiter);
  } else
    aio_finish (aio);
}

static struct aio *
take_done (struct qbd_volume *volume)
{
  struct aio *aio;

  LOCK_SCOPE (&volume->aio_lock);
  aio = TAILQ_FIRST (&volume->aio_done);
  if (aio) {
    TAILQ_REMOVE (&volume->aio_done, aio, link);
    if (--volume->aio_in_flight == 0 && volume->aio_waiting > 0)
      signal_locked (volume);
  }
  return aio;
}

/* Calls done () for what is on the list. */
static int
deliver (struct qbd_volume *volume)
{
  struct aio *aio;
  int n = 0;

  while ((aio = take_done (volume))) {
    aio->user->done (aio->user, aio->transfer.error);
    if (n < INT_MAX)
      n++;
  }
  return n;
}

/* --- submission --------------------------------------------------------- */

static struct queue *
pick_queue (struct qbd_volume *volume, const struct association *association)
{
  if (association->nr_io == 1)
    return association->io[0];
  return association->io[volume->next_queue++ % association->nr_io];
}

static void
count_in_flight (struct qbd_volume *volume, int change)
{
  LOCK_SCOPE (&volume->aio_lock);
  volume->aio_in_flight += (unsigned) change;
  /* Who polls learns that there is something to send. */
  if (change > 0 && (volume->aio_fd_given || volume->aio_waiting > 0))
    signal_locked (volume);
}

/* 0: it is in flight, or over; -EAGAIN: no room in the queue. */
static int
aio_begin (struct aio *aio, bool backlog, uint64_t now_ms)
{
  struct transfer *transfer = &aio->transfer;
  int r;

  transfer->queue = pick_queue (transfer->volume, transfer->association);
  queue_lock (transfer->queue);
  queue_set_now_locked (transfer->queue, now_ms);
  r = transfer_next_locked (transfer, &aio->io, backlog);
  queue_unlock (transfer->queue);
  if (r == -EAGAIN)
    return r;
  if (r < 0)
    aio_over (transfer);        /* a lost association: done () says so */
  return 0;
}

/* [the keeper] A path is there, or will not be in time. */
static void
aio_go (struct path_waiter *waiter, uint64_t now_ms)
{
  struct aio *aio =
    (struct aio *) ((char *) waiter - offsetof (struct aio, waiter));
  struct transfer *transfer = &aio->transfer;
  int r;

  transfer_begin_again (transfer);
  r = transfer_route (transfer);
  if (r == -EAGAIN) {
    transfer->moves = true;
    paths_wait (transfer->volume->paths, waiter);
  } else if (r < 0) {
    transfer->error = -r;
    aio_finish (aio);
  } else {
    /* It may be over before this returns. */
    struct association *association = transfer->association;

    aio_begin (aio, true, now_ms);
    for (uint32_t i = 0; i < association->nr_io; i++)
      queue_flush_sends (association->io[i]);
  }
}

int
aio_submit (struct qbd_volume *volume, struct qbd_aio *user, enum io_op op,
            void *buf, uint64_t count, uint64_t offset, unsigned flags,
            uint64_t now_ms)
{
  struct aio *aio = (struct aio *) user->reserved;
  struct transfer *transfer = &aio->transfer;
  int error = transfer_check (volume, op, count, offset, flags);
  int r;

  if (error != 0)
    return -error;
  transfer_init (transfer, volume, op, buf, count, offset, flags);
  transfer->over = aio_over;
  aio->user = user;
  count_in_flight (volume, 1);
  if (transfer_is_empty (transfer)) {
    aio_finish (aio);
    return 0;
  }
  aio->waiter.go = aio_go;
  aio->waiter.changes = io_changes (op);
  aio->waiter.transfer = transfer;
  aio->waiter.since_ms = 0;
  r = transfer_route (transfer);
  if (r == -EAGAIN && paths_wait_room (volume->paths)) {
    transfer->moves = true;
    paths_wait (volume->paths, &aio->waiter);
    return 0;
  }
  if (r == 0)
    r = aio_begin (aio, false, now_ms);
  if (r == -EAGAIN) {
    count_in_flight (volume, -1);
    return r;
  }
  if (r < 0) {
    transfer->error = -r;
    aio_finish (aio);
  }
  return 0;
}

static int
submit (struct qbd_volume *volume, struct qbd_aio *aio, enum io_op op,
        void *buf, uint64_t count, uint64_t offset, unsigned flags,
        const char *what)
{
  int r = aio_submit (volume, aio, op, buf, count, offset, flags,
                      clock_now_ms ());

  return r < 0 ? volume_fail (volume, what, -r, 0) : 0;
}

int
qbd_aio_pread (struct qbd_volume *volume, struct qbd_aio *aio, void *buf,
               size_t count, uint64_t offset, unsigned flags)
{
  return submit (volume, aio, IO_READ, buf, count, offset, flags, "read");
}

int
qbd_aio_pwrite (struct qbd_volume *volume, struct qbd_aio *aio,
                const void *buf, size_t count, uint64_t offset,
                unsigned flags)
{
  return submit (volume, aio, IO_WRITE, (void *) (uintptr_t) buf, count,
                 offset, flags, "write");
}

int
qbd_aio_flush (struct qbd_volume *volume, struct qbd_aio *aio)
{
  return submit (volume, aio, IO_FLUSH, NULL, 0, 0, 0, "flush");
}

int
qbd_aio_discard (struct qbd_volume *volume, struct qbd_aio *aio,
                 uint64_t count, uint64_t offset, unsigned flags)
{
  return submit (volume, aio, IO_DISCARD, NULL, count, offset, flags,
                 "discard");
}

int
qbd_aio_write_zeroes (struct qbd_volume *volume, struct qbd_aio *aio,
                      uint64_t count, uint64_t offset, unsigned flags)
{
  return submit (volume, aio, IO_WRITE_ZEROES, NULL, count, offset, flags,
                 "write zeroes");
}

/* --- the descriptor ----------------------------------------------------- */

/* The queues tell the instance what they wait for from now on. */
static int
watch_queues (struct qbd_volume *volume, int epoll_fd)
{
  for (unsigned i = 0; i < volume->nr_queues; i++) {
    int r = queue_watch (volume_queue (volume, i), &volume->aio_watch[i],
                         epoll_fd);

    if (r < 0)
      return r;
  }
  return 0;
}

static void
unwatch_queues (struct qbd_volume *volume)
{
  for (unsigned i = 0; i < volume->nr_queues; i++)
    queue_unwatch (volume_queue (volume, i), &volume->aio_watch[i]);
}

/* [fds_lock] */
static int
open_fds (struct qbd_volume *volume)
{
  struct epoll_event event = { .events = EPOLLIN };
  CLEANUP_CLOSE int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  CLEANUP_CLOSE int event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  int r;

  if (epoll_fd < 0 || event_fd < 0 ||
      epoll_ctl (epoll_fd, EPOLL_CTL_ADD, event_fd, &event) < 0)
    return -errno;
  r = watch_queues (volume, epoll_fd);
  if (r < 0) {
    unwatch_queues (volume);
    return r;
  }
  LOCK_SCOPE (&volume->aio_lock);
  volume->event_fd = event_fd;
  volume->epoll_fd = epoll_fd;
  epoll_fd = event_fd = -1;
  return 0;
}

void
aio_close_fds (struct qbd_volume *volume)
{
  if (volume->epoll_fd < 0)
    return;
  if (!paths_inherited (volume->paths))
    unwatch_queues (volume);
  close (volume->epoll_fd);
  close (volume->event_fd);
}

static int
prepare_fds (struct qbd_volume *volume, bool given)
{
  struct error err;
  int r = 0;

  {
    LOCK_SCOPE (&volume->fds_lock);
    if (volume->epoll_fd < 0)
      r = open_fds (volume);
  }
  if (r < 0) {
    error_set (&err, -r, "aio: descriptor: %s", strerror (-r));
    return error_publish (&err);
  }
  LOCK_SCOPE (&volume->aio_lock);
  volume->aio_fd_given |= given;
  if (!TAILQ_EMPTY (&volume->aio_done) ||
      (given && volume->aio_in_flight > 0))
    signal_locked (volume);
  return 0;
}

int
qbd_aio_fd (struct qbd_volume *volume)
{
  if (paths_inherited (volume->paths))
    return volume_fail (volume, "aio", ENOTCONN, 0);
  return prepare_fds (volume, true) < 0 ? -1 : volume->epoll_fd;
}

/* --- polling ------------------------------------------------------------ */

/* What is signalled from now on, nobody has looked at. */
static void
begin_pump (struct qbd_volume *volume)
{
  LOCK_SCOPE (&volume->aio_lock);
  volume->aio_pumping++;
  unsignal_locked (volume);
}

static void
end_pump (struct qbd_volume *volume)
{
  LOCK_SCOPE (&volume->aio_lock);
  volume->aio_pumping--;
}

int
volume_pump (struct qbd_volume *volume, uint64_t now_ms)
{
  begin_pump (volume);
  for (unsigned i = 0; i < volume->nr_queues; i++)
    queue_pump (volume_queue (volume, i), now_ms);
  end_pump (volume);
  return deliver (volume);
}

static uint64_t
next_due_ms (struct qbd_volume *volume)
{
  uint64_t next_ms = UINT64_MAX;

  for (unsigned i = 0; i < volume->nr_queues; i++) {
    uint64_t due_ms = queue_next_due_ms (volume_queue (volume, i));

    if (due_ms < next_ms)
      next_ms = due_ms;
  }
  return next_ms;
}

static unsigned
in_flight (struct qbd_volume *volume)
{
  LOCK_SCOPE (&volume->aio_lock);
  return volume->aio_in_flight;
}

/* False: there is nothing to wait for. */
static bool
begin_wait (struct qbd_volume *volume)
{
  LOCK_SCOPE (&volume->aio_lock);
  if (volume->aio_in_flight == 0)
    return false;
  volume->aio_waiting++;
  return true;
}

static void
end_wait (struct qbd_volume *volume)
{
  LOCK_SCOPE (&volume->aio_lock);
  volume->aio_waiting--;
}

static void
wait_until (struct qbd_volume *volume, uint64_t deadline_ms)
{
  struct epoll_event events[8];
  uint64_t due_ms = next_due_ms (volume), now_ms = clock_now_ms ();

  if (due_ms < deadline_ms)
    deadline_ms = due_ms;
  if (deadline_ms == UINT64_MAX)
    epoll_wait (volume->epoll_fd, events, 8, -1);
  else if (deadline_ms > now_ms)
    epoll_wait (volume->epoll_fd, events, 8,
                deadline_ms - now_ms < INT_MAX ?
                (int) (deadline_ms - now_ms) : INT_MAX);
}

int
qbd_aio_poll (struct qbd_volume *volume, int timeout_ms)
{
  uint64_t now_ms = clock_now_ms ();
  uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX :
    now_ms + (uint64_t) timeout_ms;
  int n;

  if (paths_inherited (volume->paths))
    return volume_fail (volume, "aio", ENOTCONN, 0);
  for (;;) {
    n = volume_pump (volume, now_ms);
    if (volume->epoll_fd >= 0 || timeout_ms != 0)
      if (prepare_fds (volume, false) < 0)
        return n > 0 ? n : -1;
    if (n > 0 || now_ms >= deadline_ms || !begin_wait (volume))
      return n;
    wait_until (volume, deadline_ms);
    end_wait (volume);
    now_ms = clock_now_ms ();
  }
}

/* No descriptors are left in this process: what is in flight ends. */
static void
give_up (struct qbd_volume *volume)
{
  struct error err;

  error_set (&err, ENOMEM, "%s: out of descriptors",
             options_name (&volume->paths->options));
  paths_give_up (volume->paths, &err, ENOTCONN);
}

void
aio_drain (struct qbd_volume *volume)
{
  while (!paths_inherited (volume->paths) && in_flight (volume) > 0)
    if (qbd_aio_poll (volume, -1) < 0)
      give_up (volume);
}
