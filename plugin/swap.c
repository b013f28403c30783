/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory locks, the I/O flusher, and the share of the kernel's reserve.
 *
 * nbdkit --swap locks its memory (mlockall) and then, unless it was told to
 * stay in the foreground, forks: the child, which is the one that serves, has
 * no locks.  They are taken again, where there were some just before the fork.
 *
 * What a socket sends takes pages.  When all others wait for swap, only the
 * kernel's reserve (vm.min_free_kbytes) has some, and a part of it is for
 * tasks of real-time priority alone (rt_task in gfp_to_alloc_flags of the
 * kernel's mm/page_alloc.c).
 *
 * Main thread only; nbdkit forks before it has others, which inherit all of
 * this.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

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

/* It serves all the same, and better than without the rest. */
static void
refused (const char *what, int err)
{
  nbdkit_error ("start: --swap: %s: %s: the machine may stand still when it "
                "is short of memory", what, strerror (err));
}

/* The kernel must not, for memory that it needs on the way of a request, wait
 * for that request.  Needs CAP_SYS_RESOURCE. */
static void
become_io_flusher (bool asked)
{
#ifdef PR_SET_IO_FLUSHER
  if (prctl (PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0)
    return;
#else
  errno = ENOSYS;
#endif
  if (asked)
    refused ("I/O flusher (CAP_SYS_RESOURCE)", errno);
  else
    nbdkit_debug ("PR_SET_IO_FLUSHER: %s", strerror (errno));
}

bool
swap_is_real_time (void)
{
  int policy = sched_getscheduler (0) & ~SCHED_RESET_ON_FORK;

  return policy == SCHED_RR || policy == SCHED_FIFO;
}

/* The least there is, unless somebody chose another. */
static void
become_real_time (void)
{
  const struct sched_param least = {
    .sched_priority = sched_get_priority_min (SCHED_RR),
  };

  if (!swap_is_real_time () &&
      sched_setscheduler (0, SCHED_RR, &least) == -1)
    refused ("real-time priority (CAP_SYS_NICE)", errno);
}

/* Killed for want of memory, it would take all that is swapped with it. */
static void
become_unkillable (void)
{
  int fd = open ("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

  if (fd == -1 || write (fd, "-1000", 5) == -1)
    refused ("oom_score_adj (CAP_SYS_RESOURCE)", errno);
  if (fd != -1)
    close (fd);
}

int
swap_after_fork (void)
{
  bool locked = is_locked (), asked = was_locked || locked;

  become_io_flusher (asked);
  if (!asked)
    return 0;
  become_real_time ();
  become_unkillable ();
  if (!locked && mlockall (MCL_CURRENT | MCL_FUTURE) == -1) {
    nbdkit_error ("start: --swap: memory cannot be locked: %s",
                  strerror (errno));
    return -1;
  }
  return 0;
}
