/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory locks and the I/O flusher.
 *
 * nbdkit --swap locks its memory (mlockall) and then, unless it was told to
 * stay in the foreground, forks: the child, which is the one that serves, has
 * no locks.  They are taken again, where there were some just before the fork.
 *
 * Main thread only; nbdkit forks before it has others.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "plugin/swap.h"

static bool was_locked;         /* before the last fork */

static bool
is_locked (void)
{
  unsigned long locked_kib = 0;
  char line[256];
  FILE *fp = fopen ("/proc/self/status", "re");

  if (fp == NULL)
    return false;
  while (fgets (line, sizeof line, fp))
    if (sscanf (line, "VmLck: %lu", &locked_kib) == 1)
      break;
  fclose (fp);
  return locked_kib > 0;
}

static void
before_fork (void)
{
  was_locked = is_locked ();
}

int
swap_load (void)
{
  return pthread_atfork (before_fork, NULL, NULL);
}

/* The kernel must not, for memory that it needs on the way of a request, wait
 * for that request.  Inherited by all threads that come after.  Needs
 * CAP_SYS_RESOURCE; without it nothing is lost that was there before. */
static void
become_io_flusher (void)
{
#ifdef PR_SET_IO_FLUSHER
  if (prctl (PR_SET_IO_FLUSHER, 1, 0, 0, 0) == -1)
    nbdkit_debug ("PR_SET_IO_FLUSHER: %s", strerror (errno));
#endif
}

int
swap_after_fork (void)
{
  become_io_flusher ();
  if (!was_locked || is_locked ())
    return 0;
  if (mlockall (MCL_CURRENT | MCL_FUTURE) == -1) {
    nbdkit_error ("start: --swap: memory cannot be locked: %s",
                  strerror (errno));
    return -1;
  }
  return 0;
}
