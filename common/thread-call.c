/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call in a thread of its own.  Any thread; no signal is taken there.
 */
#include "common/thread-call.h"
#include "common/thread-start.h"

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

  if (thread_start (&thread, NULL, run, &call) == 0)
    pthread_join (thread, NULL);
}
