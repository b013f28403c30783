/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call in a thread of its own.  Any thread; no signal is taken there.
 */
#include <pthread.h>
#include <signal.h>

#include "common/thread-call.h"

static void *
run (void *call)
{
  (*(void (**) (void)) call) ();
  return NULL;
}

void
thread_call (void (*call) (void))
{
  pthread_t thread;
  sigset_t all, old;
  int r;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  r = pthread_create (&thread, NULL, run, &call);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (r == 0)
    pthread_join (thread, NULL);
}
