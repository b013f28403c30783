/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File I/O by io_uring.  The ring is made by reactor_create's thread, disabled,
 * and enabled by the reactor's thread, which from then on is the only one to
 * touch it (IORING_SETUP_SINGLE_ISSUER).  It signals the mailbox's eventfd.
 *
 * Why the ring holds files: when a process is killed, its descriptors are
 * closed at once, but direct writes that the device has are over only later.  The
 * kernel frees a ring, and so its registered files, after its last request.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <liburing.h>
#include <sys/syscall.h>

#include "server/reactor/reactor-internal.h"

/* The completion queue has twice the room, so it never overflows. */
#define RING_ENTRIES FILE_ROOM
#define RING_REAP_MAX 64

static int
ring_init (struct io_uring *ring)
{
  /* The completion's work runs when the loop asks for it, not by interrupting
   * the loop; kernel 6.1.  Without: any kernel that can be enabled later. */
  static const unsigned flags[] = {
    IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
    IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_R_DISABLED,
  };
  size_t i;
  int r = -EINVAL;

  for (i = 0; i < sizeof flags / sizeof flags[0] && r == -EINVAL; ++i) {
    struct io_uring_params params = { .flags = flags[i] };

    r = io_uring_queue_init_params (RING_ENTRIES, ring, &params);
  }
  return r;
}

static int
uring_create (struct reactor *reactor)
{
  struct file_queue *files = &reactor->files;
  int r;

  files->ring = calloc (1, sizeof *files->ring);
  if (!files->ring)
    return -ENOMEM;
  r = ring_init (files->ring);
  if (r < 0)
    goto err_free;
  memset (files->held, -1, sizeof files->held);
  r = io_uring_register_files (files->ring, files->held, REACTOR_HOLD_MAX);
  if (r < 0)
    goto err;
  /* Completions wake the loop as posted tasks do.  With the ring's own
   * descriptor in the epoll set instead, the loop was seen to sleep over
   * completions (Linux 6.18, ring added before it was enabled). */
  r = io_uring_register_eventfd (files->ring, reactor->mailbox.wake_fd);
  if (r < 0)
    goto err;
  return 0;

 err:
  io_uring_queue_exit (files->ring);
 err_free:
  free (files->ring);
  files->ring = NULL;
  return r;
}

/* The kernel frees a ring some time after it was closed; what the ring holds
 * is let go here, so that a file system can be unmounted behind us. */
static void
uring_stop (struct reactor *reactor)
{
  io_uring_unregister_files (reactor->files.ring);
}

static void
uring_destroy (struct reactor *reactor)
{
  if (!reactor->started)        /* then any thread may, else only its own */
    uring_stop (reactor);
  io_uring_queue_exit (reactor->files.ring);
  free (reactor->files.ring);
}

static int
uring_start (struct reactor *reactor)
{
  /* liburing 2.3 declares io_uring_enable_rings but does not export it. */
  if (syscall (__NR_io_uring_register, reactor->files.ring->ring_fd,
               IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
    return -errno;
  return 0;
}

static void
uring_take (struct reactor *reactor, struct reactor_file_io *io)
{
  struct file_queue *files = &reactor->files;
  struct io_uring_sqe *sqe;

  sqe = io_uring_get_sqe (files->ring);
  assert (sqe);
  switch (io->op) {
  case REACTOR_READV:
    io_uring_prep_readv2 (sqe, io->fd, io->iov, (unsigned) io->iovcnt,
                          io->offset_bytes, io->rw_flags);
    break;
  case REACTOR_WRITEV:
    io_uring_prep_writev2 (sqe, io->fd, io->iov, (unsigned) io->iovcnt,
                           io->offset_bytes, io->rw_flags);
    break;
  case REACTOR_FDATASYNC:
    io_uring_prep_fsync (sqe, io->fd, IORING_FSYNC_DATASYNC);
    break;
  case REACTOR_FALLOCATE:
    io_uring_prep_fallocate (sqe, io->fd, io->mode,
                             (off_t) io->offset_bytes,
                             (off_t) io->length_bytes);
    break;
  }
  io_uring_sqe_set_data (sqe, io);
}

static bool
uring_push (struct reactor *reactor)
{
  struct io_uring *ring = reactor->files.ring;

  /* The kernel stops behind a request that it refuses (which completes with
   * that error), so it may take more than one call.  EAGAIN, EBUSY: short of
   * memory; the entries stay in the ring. */
  while (io_uring_sq_ready (ring) > 0)
    if (io_uring_submit (ring) <= 0)
      return false;
  return true;
}

/* Completions are here, or wait to be asked for. */
static bool
uring_has_done (struct reactor *reactor)
{
  struct io_uring *ring = reactor->files.ring;

  return io_uring_cq_ready (ring) > 0 ||
         (IO_URING_READ_ONCE (*ring->sq.kflags) & IORING_SQ_TASKRUN) != 0;
}

static void
uring_reap (struct reactor *reactor)
{
  struct io_uring *ring = reactor->files.ring;
  struct io_uring_cqe *cqes[RING_REAP_MAX];
  struct {
    struct reactor_file_io *io;
    int result;
  } over[RING_REAP_MAX];
  unsigned i, n;

  do {
    n = io_uring_peek_batch_cqe (ring, cqes, RING_REAP_MAX);
    for (i = 0; i < n; ++i) {
      over[i].io = io_uring_cqe_get_data (cqes[i]);
      over[i].result = cqes[i]->res;
    }
    io_uring_cq_advance (ring, n);
    for (i = 0; i < n; ++i)
      file_queue_done (reactor, over[i].io, over[i].result);
  }
  while (n == RING_REAP_MAX);
}

/* The first slot of the ring that holds fd; -1: none is free. */
static int
find_slot (const struct file_queue *files, int fd)
{
  for (int i = 0; i < REACTOR_HOLD_MAX; ++i)
    if (files->held[i] == fd)
      return i;
  return -1;
}

static int
set_slot (struct file_queue *files, int slot, int fd)
{
  int r = io_uring_register_files_update (files->ring, (unsigned) slot, &fd,
                                          1);

  if (r < 0)
    return r;
  files->held[slot] = fd;
  return 0;
}

static int
uring_hold (struct reactor *reactor, int fd)
{
  struct file_queue *files = &reactor->files;
  int slot = find_slot (files, -1);

  return slot < 0 ? -ENOSPC : set_slot (files, slot, fd);
}

static void
uring_let_go (struct reactor *reactor, int fd)
{
  struct file_queue *files = &reactor->files;
  int slot = find_slot (files, fd);

  /* When the kernel has no memory for it, the file stays until the ring
   * ends. */
  if (slot >= 0)
    set_slot (files, slot, -1);
}

const struct file_backend file_backend_uring = {
  .name = "io_uring",
  .create = uring_create,
  .destroy = uring_destroy,
  .start = uring_start,
  .stop = uring_stop,
  .take = uring_take,
  .push = uring_push,
  .has_done = uring_has_done,
  .reap = uring_reap,
  .hold = uring_hold,
  .let_go = uring_let_go,
};
