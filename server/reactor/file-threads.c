/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File I/O by worker threads, where io_uring is forbidden (containers).
 *
 * hold has nothing to do here.  A killed process keeps its descriptors until
 * its last thread is gone, and a thread inside pwritev, fdatasync or
 * fallocate is gone only when that call has ended.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "server/reactor/file-call.h"
#include "server/reactor/reactor-internal.h"

struct file_slot {
  struct reactor_work work;
  struct reactor_file_io *io;
  int64_t result;
  struct file_slot *next_free;
};

static void
slot_work (struct reactor_work *work)
{
  struct file_slot *slot = (struct file_slot *) work;

  slot->result = file_call (slot->io);
}

static void
slot_done (struct reactor_work *work)
{
  struct file_slot *slot = (struct file_slot *) work;
  struct file_queue *files = &work->reactor->files;

  slot->next_free = files->free_slots;
  files->free_slots = slot;
  file_queue_done (work->reactor, slot->io, slot->result);
}

static int
threads_create (struct reactor *reactor)
{
  struct file_queue *files = &reactor->files;
  size_t i;
  int r;

  files->slots = calloc (FILE_ROOM, sizeof files->slots[0]);
  if (!files->slots)
    return -ENOMEM;
  for (i = 0; i < FILE_ROOM; ++i) {
    files->slots[i].work.work = slot_work;
    files->slots[i].work.done = slot_done;
    files->slots[i].next_free = files->free_slots;
    files->free_slots = &files->slots[i];
  }
  r = workers_get (WORKERS_FILE);
  if (r < 0)
    free (files->slots);
  return r;
}

static void
threads_destroy (struct reactor *reactor)
{
  workers_put (WORKERS_FILE);
  free (reactor->files.slots);
}

static int
threads_start (struct reactor *reactor)
{
  return 0;
}

static void
threads_stop (struct reactor *reactor)
{
}

static void
threads_take (struct reactor *reactor, struct reactor_file_io *io)
{
  struct file_queue *files = &reactor->files;
  struct file_slot *slot = files->free_slots;

  assert (slot);
  files->free_slots = slot->next_free;
  slot->io = io;
  workers_submit (WORKERS_FILE, reactor, &slot->work);
}

static bool
threads_push (struct reactor *reactor)
{
  return true;
}

static bool
threads_has_done (struct reactor *reactor)
{
  return false;
}

static void
threads_reap (struct reactor *reactor)
{
  /* By mailbox. */
}

static int
threads_hold (struct reactor *reactor, int fd)
{
  return 0;
}

static void
threads_let_go (struct reactor *reactor, int fd)
{
}

const struct file_backend file_backend_threads = {
  .name = "threads",
  .create = threads_create,
  .destroy = threads_destroy,
  .start = threads_start,
  .stop = threads_stop,
  .take = threads_take,
  .push = threads_push,
  .has_done = threads_has_done,
  .reap = threads_reap,
  .hold = threads_hold,
  .let_go = threads_let_go,
};
