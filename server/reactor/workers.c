/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker threads for what blocks.  Groups, so that slow work (SQLite, a name to
 * resolve) never keeps file I/O waiting, nor another machine that does not answer
 * either of them.  They are shared by all reactors of the process and live as
 * long as one of them does.
 *
 * Lock order: life_lock, a group's lock.
 */
#include <errno.h>
#include <stddef.h>

#include "common/cleanup.h"
#include "common/thread-start.h"
#include "server/reactor/reactor-internal.h"

#define WORKERS_MAX 16

struct workers {
  const char *name;
  const unsigned nr_wanted;
  unsigned nr_users;            /* life_lock */
  unsigned nr_threads;          /* life_lock */
  pthread_t threads[WORKERS_MAX];       /* life_lock */

  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct reactor_work *head;    /* lock; oldest first */
  struct reactor_work *newest;  /* lock; of no meaning while head is NULL */
  bool stopping;                /* lock */
};

static pthread_mutex_t life_lock = PTHREAD_MUTEX_INITIALIZER;

static struct workers groups[] = {
  [WORKERS_SLOW] = {
    .name = "slow",
    .nr_wanted = 4,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
  },
  [WORKERS_FAR] = {
    .name = "far",
    .nr_wanted = 4,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
  },
  [WORKERS_FILE] = {
    .name = "file",
    .nr_wanted = WORKERS_MAX,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
  },
};

static void *
worker_main (void *arg)
{
  struct workers *group = arg;
  struct reactor_work *work;

  pthread_mutex_lock (&group->lock);
  for (;;) {
    while (!group->head && !group->stopping)
      pthread_cond_wait (&group->changed, &group->lock);
    work = group->head;
    if (!work)
      break;
    group->head = work->next;
    pthread_mutex_unlock (&group->lock);
    work->work (work);
    pthread_mutex_lock (&group->lock);
    /* Under the lock, for workers_settle: once the reactor has run the task
     * it may be destroyed while this thread is still about to wake it. */
    reactor_post (work->reactor, &work->task);
  }
  pthread_mutex_unlock (&group->lock);
  return NULL;
}

static void
stop_threads (struct workers *group)
{
  pthread_mutex_lock (&group->lock);
  group->stopping = true;
  pthread_cond_broadcast (&group->changed);
  pthread_mutex_unlock (&group->lock);
  while (group->nr_threads > 0)
    pthread_join (group->threads[--group->nr_threads], NULL);
  group->stopping = false;
}

int
workers_get (enum workers_kind kind)
{
  struct workers *group = &groups[kind];
  int r;
  LOCK_SCOPE (&life_lock);

  while (group->nr_users == 0 && group->nr_threads < group->nr_wanted) {
    r = thread_start (&group->threads[group->nr_threads], group->name,
                      worker_main, group);
    if (r < 0) {
      stop_threads (group);
      return r;
    }
    group->nr_threads++;
  }
  group->nr_users++;
  return 0;
}

void
workers_put (enum workers_kind kind)
{
  struct workers *group = &groups[kind];
  LOCK_SCOPE (&life_lock);

  if (--group->nr_users == 0)
    stop_threads (group);
}

void
workers_settle (void)
{
  size_t i;

  for (i = 0; i < sizeof groups / sizeof groups[0]; ++i) {
    pthread_mutex_lock (&groups[i].lock);
    pthread_mutex_unlock (&groups[i].lock);
  }
}

static void
work_done (struct reactor_task *task)
{
  struct reactor_work *work = (struct reactor_work *)
    ((char *) task - offsetof (struct reactor_work, task));

  work->reactor->nr_works--;
  work->done (work);
}

void
workers_submit (enum workers_kind kind, struct reactor *reactor,
                struct reactor_work *work)
{
  struct workers *group = &groups[kind];
  LOCK_SCOPE (&group->lock);

  work->reactor = reactor;
  work->task.run = work_done;
  work->next = NULL;
  reactor->nr_works++;
  if (group->head)
    group->newest->next = work;
  else
    group->head = work;
  group->newest = work;
  pthread_cond_signal (&group->changed);
}

void
reactor_work_submit (struct reactor *reactor, struct reactor_work *work)
{
  workers_submit (WORKERS_SLOW, reactor, work);
}

void
reactor_work_submit_far (struct reactor *reactor, struct reactor_work *work)
{
  workers_submit (WORKERS_FAR, reactor, work);
}
