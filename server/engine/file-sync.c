/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdatasync, one at a time for a volume; who comes meanwhile shares the next.
 *
 * One at a time is not for speed alone: the kernel tells a write-back error
 * once per open file, so of two that ran together one would report success
 * over writes that are lost.
 *
 * The first of the running requests lends its scratch.io to the reactor it
 * is from.  Requests of several reactors wait in one list, under its lock.
 */
#include <errno.h>

#include "common/cleanup.h"
#include "server/engine/file-internal.h"

void
file_sync_init (struct file_sync *sync)
{
  pthread_mutex_init (&sync->lock, NULL);
}

void
file_sync_exit (struct file_sync *sync)
{
  assert (!sync->running && !sync->waiting);
  pthread_mutex_destroy (&sync->lock);
}

static struct engine_request *
request_of_task (struct reactor_task *task)
{
  return file_request_of ((struct file_request *)
    ((char *) task - offsetof (struct file_request, task)));
}

static void
finish_task (struct reactor_task *task)
{
  struct engine_request *request = request_of_task (task);

  file_finish (request, file_scratch (request)->result);
}

static void sync_done (struct reactor_file_io *io, int64_t result);

/* On the reactor of the first of the running ones. */
static void
start_sync (struct reactor_task *task)
{
  struct engine_request *request = request_of_task (task);
  struct file_request *scratch = file_scratch (request);

  scratch->io = (struct reactor_file_io) {
    .done = sync_done,
    .op = REACTOR_FDATASYNC,
    .fd = file_volume (request->volume)->fd,
  };
  reactor_file_submit (request->reactor, &scratch->io);
}

static void
finish_all (struct engine_request *over, const struct reactor *here, int r)
{
  struct engine_request *next;
  struct file_request *scratch;

  for (; over; over = next) {
    scratch = file_scratch (over);
    next = scratch->next;       /* done may free the request */
    scratch->result = r;
    if (over->reactor == here)
      file_finish (over, r);
    else {
      scratch->task.run = finish_task;
      reactor_post (over->reactor, &scratch->task);
    }
  }
}

/* Ends those that ran, starts those that waited.  Nothing of the volume is
 * touched after the last request was told. */
static void
sync_done (struct reactor_file_io *io, int64_t result)
{
  struct engine_request *request =
    file_request_of ((struct file_request *) io);
  struct file_volume *v = file_volume (request->volume);
  struct engine_request *over, *next;
  struct file_request *scratch;
  int r = 0;

  if (result == -EINTR || result == -EAGAIN) {
    reactor_file_submit (request->reactor, io);
    return;
  }
  if (result < 0)
    file_sync_failed (v, file_errno (result));
  r = -atomic_load (&v->sync_error);

  pthread_mutex_lock (&v->sync.lock);
  over = v->sync.running;
  next = v->sync.waiting;
  v->sync.running = next;
  v->sync.waiting = NULL;
  pthread_mutex_unlock (&v->sync.lock);
  if (next) {
    scratch = file_scratch (next);
    scratch->task.run = start_sync;
    reactor_post (next->reactor, &scratch->task);
  }
  finish_all (over, reactor_current (), r);
}

void
file_sync_join (struct engine_request *request)
{
  struct file_request *scratch = file_scratch (request);
  struct file_sync *sync = &file_volume (request->volume)->sync;
  LOCK_SCOPE (&sync->lock);

  scratch->next = NULL;
  if (!sync->running) {
    sync->running = request;
    start_sync (&scratch->task);
  }
  else {
    scratch->next = sync->waiting;
    sync->waiting = request;
  }
}
