/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads without signals.  Any thread.
 */
#include <signal.h>

#include "common/thread-start.h"

int
thread_start (pthread_t *thread, const char *name,
              void *(*run) (void *), void *arg)
{
  sigset_t all, old;
  int r;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  r = pthread_create (thread, NULL, run, arg);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (r != 0)
    return -r;
  if (name)
    pthread_setname_np (*thread, name);
  return 0;
}
