/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datagrams of sd_notify(3), without libsystemd for a few lines.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/notify.h"

static void
notify (const char *state)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *path = getenv ("NOTIFY_SOCKET");
  CLEANUP_CLOSE int fd = -1;
  socklen_t bytes;
  size_t len;

  if (!path || !path[0])
    return;
  len = strlen (path);
  if ((path[0] != '/' && path[0] != '@') || len >= sizeof address.sun_path) {
    log_warning ("notify: %s: is no address of a Unix socket", path);
    return;
  }
  memcpy (address.sun_path, path, len);
  bytes = offsetof (struct sockaddr_un, sun_path) + len;
  if (path[0] == '@')
    address.sun_path[0] = '\0';         /* abstract: exactly these bytes */
  else
    bytes++;                            /* a NUL ends it */
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1
      || sendto (fd, state, strlen (state), MSG_NOSIGNAL,
                 (struct sockaddr *) &address, bytes) == -1)
    log_warning ("notify: %s: %s", path, strerror (errno));
}

void
notify_ready (void)
{
  notify ("READY=1");
}

void
notify_reloading (void)
{
  struct timespec ts;
  char state[64];

  clock_gettime (CLOCK_MONOTONIC, &ts);
  snprintf (state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
            (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000);
  notify (state);
}

void
notify_stopping (void)
{
  notify ("STOPPING=1");
}
