/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe at start.  Where RDMA may be used a child does it: libraries keep
 * the RDMA device open that a process has used, and nbdkit, which forks
 * after get_ready, could not use it any more (the kernel takes commands for
 * a device only from the process that opened it).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "plugin/probe.h"

static int
in_child (int (*ask) (void))
{
  pid_t pid = fork (), r;
  int status;

  if (pid == -1) {
    nbdkit_error ("start: fork: %s", strerror (errno));
    return -1;
  }
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    _exit (ask () == 0 ? 0 : 1);
  }
  do
    r = waitpid (pid, &status, 0);
  while (r == -1 && errno == EINTR);
  if (r == -1 || !WIFEXITED (status)) {
    nbdkit_error ("start: the process that tried the server died");
    return -1;
  }
  return WEXITSTATUS (status) == 0 ? 0 : -1;
}

int
probe (const struct qbd_config *config, int (*ask) (void))
{
  const char *transport = qbd_config_transport (config);

  if (transport == NULL) {
    nbdkit_error ("%s", qbd_errmsg ());
    return -1;
  }
  return strcmp (transport, "rdma") == 0 || strcmp (transport, "auto") == 0 ?
    in_child (ask) : ask ();
}
