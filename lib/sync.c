/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Synchronous I/O: a transfer with a few commands in flight at a time, on the
 * caller's stack, and a wait; once more over another path when its own was lost.
 */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "lib/internal.h"

/* Commands in flight of one call: enough to keep the wire busy while the last
 * one's answer travels. */
enum { WINDOW = 4 };

struct sync_transfer {
  struct transfer transfer;     /* first member */
  struct waiter waiter;
  struct io_request requests[WINDOW];
};

static void
sync_over (struct transfer *transfer)
{
  struct sync_transfer *sync = (struct sync_transfer *) transfer;

  waiter_finish_locked (transfer->queue, &sync->waiter);
}

/* Threads keep to one connection each. */
static struct queue *
pick_queue (const struct association *association)
{
  static _Atomic unsigned next;
  static _Thread_local unsigned mine;

  if (association->nr_io == 1)
    return association->io[0];
  if (mine == 0)
    mine = ++next;
  return association->io[mine % association->nr_io];
}

/* Over one path, to its end. */
static void
run_once (struct sync_transfer *sync)
{
  struct transfer *transfer = &sync->transfer;

  transfer->queue = pick_queue (transfer->association);
  memset (&sync->waiter, 0, sizeof sync->waiter);
  queue_lock (transfer->queue);
  queue_set_now_locked (transfer->queue, clock_now_ms ());
  for (unsigned i = 0; i < WINDOW && transfer_has_next (transfer); i++)
    transfer_next_locked (transfer, &sync->requests[i], true);
  if (transfer->pending == 0)
    queue_unlock (transfer->queue);
  else
    queue_wait_locked_unlock (transfer->queue, &sync->waiter);
}

/* 0, or -errno: there is no path, and will be none in time. */
static int
route (struct transfer *transfer)
{
  int r;

  while ((r = transfer_route (transfer)) == -EAGAIN)
    paths_await (transfer->volume->paths, transfer,
                 io_changes (transfer->op));
  return r;
}

static int
run (struct qbd_volume *volume, enum io_op op, void *buf, uint64_t count,
     uint64_t offset, unsigned flags, const char *what)
{
  struct sync_transfer sync;
  struct transfer *transfer = &sync.transfer;
  int error = transfer_check (volume, op, count, offset, flags);

  if (error != 0)
    return volume_fail (volume, what, error, 0);
  transfer_init (transfer, volume, op, buf, count, offset, flags);
  if (transfer_is_empty (transfer))
    return 0;
  transfer->over = sync_over;
  for (;;) {
    int r = route (transfer);

    if (r < 0)
      return volume_fail (volume, what, -r, 0);
    run_once (&sync);
    if (!transfer_moves (transfer))
      break;
    transfer_begin_again (transfer);
  }
  if (transfer->error != 0)
    return volume_fail (volume, what, transfer->error, transfer->status);
  return 0;
}

int
qbd_pread (struct qbd_volume *volume, void *buf, size_t count,
           uint64_t offset, unsigned flags)
{
  return run (volume, IO_READ, buf, count, offset, flags, "read");
}

int
qbd_pwrite (struct qbd_volume *volume, const void *buf, size_t count,
            uint64_t offset, unsigned flags)
{
  return run (volume, IO_WRITE, (void *) (uintptr_t) buf, count, offset,
              flags, "write");
}

int
qbd_flush (struct qbd_volume *volume)
{
  return run (volume, IO_FLUSH, NULL, 0, 0, 0, "flush");
}

int
qbd_discard (struct qbd_volume *volume, uint64_t count, uint64_t offset,
             unsigned flags)
{
  return run (volume, IO_DISCARD, NULL, count, offset, flags, "discard");
}

int
qbd_write_zeroes (struct qbd_volume *volume, uint64_t count,
                  uint64_t offset, unsigned flags)
{
  return run (volume, IO_WRITE_ZEROES, NULL, count, offset, flags,
              "write zeroes");
}
