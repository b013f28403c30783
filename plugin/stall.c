/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stall watch.  It knows requests only by two counters.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "plugin/stall.h"

static _Atomic unsigned begun, ended;
static _Atomic bool asleep;             /* the watch waits for a request */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool stop;                       /* under lock */
static pthread_t thread;
static bool started;                    /* main thread only */
static void (*interrupt_requests) (void);       /* constant after start */

void
stall_request_begins (void)
{
  atomic_fetch_add (&begun, 1);
  if (atomic_load (&asleep)) {
    pthread_mutex_lock (&lock);
    atomic_store (&asleep, false);
    pthread_cond_signal (&changed);
    pthread_mutex_unlock (&lock);
  }
}

void
stall_request_ends (void)
{
  atomic_fetch_add (&ended, 1);
}

static bool
no_request (void)
{
  /* In this order: a request that begins between the two looks is seen. */
  unsigned e = atomic_load (&ended);

  return atomic_load (&begun) == e;
}

/* Waits until there are requests, then for a second.  False: stop. */
static bool
wait_a_second (void)
{
  struct timespec until;
  bool go_on;

  pthread_mutex_lock (&lock);
  atomic_store (&asleep, true);
  while (!stop && atomic_load (&asleep) && no_request ())
    pthread_cond_wait (&changed, &lock);
  atomic_store (&asleep, false);

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_sec++;
  while (!stop
         && pthread_cond_timedwait (&changed, &lock, &until) != ETIMEDOUT)
    ;
  go_on = !stop;
  pthread_mutex_unlock (&lock);
  return go_on;
}

static void *
watch (void *arg)
{
  unsigned seen = atomic_load (&ended);

  while (wait_a_second ()) {
    unsigned now = atomic_load (&ended);
    bool stalled = now == seen && !no_request ();

    seen = now;
    if (stalled && nbdkit_nanosleep (0, 1) == -1) {
      interrupt_requests ();
      break;
    }
  }
  return NULL;
}

int
stall_watch_start (void (*interrupt) (void))
{
  int err;

  interrupt_requests = interrupt;
  err = pthread_create (&thread, NULL, watch, NULL);
  started = err == 0;
  return err;
}

void
stall_watch_stop (void)
{
  if (!started)
    return;
  pthread_mutex_lock (&lock);
  stop = true;
  pthread_cond_signal (&changed);
  pthread_mutex_unlock (&lock);
  pthread_join (thread, NULL);
  started = false;
}
