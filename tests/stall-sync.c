/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into qbd-server, a disk that stands still: fdatasync waits while
 * there are two FIFOs in the directory that QBD_TEST_STALL names.  It opens
 * "stalled" to write, which whoever waits for the stall reads, and then reads
 * "go-on" until that is closed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
open_fifo (const char *name, int flags)
{
  const char *dir = getenv ("QBD_TEST_STALL");
  char path[PATH_MAX];

  if (!dir)
    return -1;
  snprintf (path, sizeof path, "%s/%s", dir, name);
  return open (path, flags | O_CLOEXEC);
}

int
fdatasync (int fd)
{
  int (*next) (int) = (int (*) (int)) dlsym (RTLD_NEXT, "fdatasync");
  int stalled = open_fifo ("stalled", O_WRONLY), go_on;
  char byte;

  if (stalled >= 0) {
    close (stalled);
    go_on = open_fifo ("go-on", O_RDONLY);
    while (read (go_on, &byte, 1) > 0)
      ;
    close (go_on);
  }
  return next (fd);
}
