/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File I/O: requests wait here, those of one file in order, until the back end
 * has room.  Then the files take turns: whoever has many requests of one does
 * not keep those of another waiting.  No file has all the room, not even when
 * its storage answers none of them.  The loop pushes them once a turn of its
 * own, so that they share a system call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/reactor/reactor-internal.h"

static bool
uring_is_forbidden (int r)
{
  /* EPERM: seccomp or kernel.io_uring_disabled; ENOMEM: RLIMIT_MEMLOCK on old
   * kernels; EINVAL: a kernel older than what file-uring.c needs. */
  return r == -EPERM || r == -EACCES || r == -ENOSYS || r == -ENOMEM ||
         r == -EINVAL;
}

int
file_queue_init (struct reactor *reactor)
{
  struct file_queue *files = &reactor->files;
  const char *no_io_uring = getenv ("QBD_NO_IO_URING");
  int r = -EPERM;

  for (unsigned i = 0; i < FILE_LISTS; i++)
    files->lists[i].tail = &files->lists[i].head;
  if (!no_io_uring || strcmp (no_io_uring, "1") != 0) {
    files->backend = &file_backend_uring;
    r = files->backend->create (reactor);
  }
  if (uring_is_forbidden (r)) {
    files->backend = &file_backend_threads;
    r = files->backend->create (reactor);
  }
  if (r < 0)
    files->backend = NULL;
  return r;
}

void
file_queue_exit (struct reactor *reactor)
{
  if (reactor->files.backend)
    reactor->files.backend->destroy (reactor);
}

/* By the descriptor: where more than 64 are open, two may share a turn. */
static unsigned
turn_of (const struct reactor_file_io *io)
{
  return (unsigned) io->fd % FILE_LISTS;
}

/* Up to three times the room that is left: one file alone has three quarters
 * of it all, and however many have what they may, there is some for the next.
 * One that has none in flight needs no more than one place. */
static bool
may_have_more (const struct file_queue *files, const struct file_list *list)
{
  return list->nr_inflight < 3 * (FILE_ROOM - files->nr_inflight);
}

/* Whose turn it is; -1: nobody's who may have more. */
static int
find_turn (const struct file_queue *files)
{
  uint64_t left = files->waiting;

  while (left != 0) {
    uint64_t later = left & UINT64_MAX << files->turn;
    int turn = __builtin_ctzll (later ? later : left);

    if (may_have_more (files, &files->lists[turn]))
      return turn;
    left &= ~(UINT64_C (1) << turn);
  }
  return -1;
}

/* False: nobody may have more, or wants to. */
static bool
take_one (struct reactor *reactor)
{
  struct file_queue *files = &reactor->files;
  int turn = find_turn (files);
  struct file_list *list;
  struct reactor_file_io *io, *next;

  if (turn < 0)
    return false;
  list = &files->lists[turn];
  io = list->head;
  next = io->next;              /* the back end may link the request anew */
  files->backend->take (reactor, io);
  files->nr_inflight++;
  list->nr_inflight++;
  list->head = next;
  if (!next) {
    list->tail = &list->head;
    files->waiting &= ~(UINT64_C (1) << turn);
  }
  files->turn = (unsigned) (turn + 1) % FILE_LISTS;
  return true;
}

void
file_queue_push (struct reactor *reactor)
{
  struct file_queue *files = &reactor->files;

  if (files->waiting == 0 && !files->stalled)
    return;
  while (take_one (reactor))
    ;
  files->stalled = !files->backend->push (reactor);
}

void
file_queue_done (struct reactor *reactor, struct reactor_file_io *io,
                 int64_t result)
{
  reactor->files.nr_inflight--;
  reactor->files.lists[turn_of (io)].nr_inflight--;
  io->done (io, result);
}

void
reactor_file_submit (struct reactor *reactor, struct reactor_file_io *io)
{
  struct file_queue *files = &reactor->files;
  unsigned turn = turn_of (io);
  struct file_list *list = &files->lists[turn];

  io->next = NULL;
  *list->tail = io;
  list->tail = &io->next;
  files->waiting |= UINT64_C (1) << turn;
}

struct hold {
  struct reactor *reactor;
  int fd;
  int result;
};

static void
hold (void *arg)
{
  struct hold *h = arg;

  h->result = h->reactor->files.backend->hold (h->reactor, h->fd);
}

static void
let_go (void *arg)
{
  struct hold *h = arg;

  h->reactor->files.backend->let_go (h->reactor, h->fd);
}

/* A ring that runs is its reactor's alone. */
static void
call_owner (struct hold *h, void (*fn) (void *arg))
{
  if (h->reactor->started)
    reactor_call (h->reactor, fn, h);
  else
    fn (h);
}

int
reactor_hold_file (struct reactor *reactor, int fd)
{
  struct hold h = { .reactor = reactor, .fd = fd };

  call_owner (&h, hold);
  return h.result;
}

void
reactor_let_file_go (struct reactor *reactor, int fd)
{
  struct hold h = { .reactor = reactor, .fd = fd };

  call_owner (&h, let_go);
}

const char *
reactor_file_backend (const struct reactor *reactor)
{
  return reactor->files.backend->name;
}
