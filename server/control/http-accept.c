/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that accepts connections to the control socket and hands them to
 * libmicrohttpd when there is room.  It knows no HTTP.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/thread-start.h"
#include "server/control/http-accept.h"

#define PAUSE_MS 100

struct http_acceptor {
  const char *path;             /* constant, as all but paused */
  int listen_fd;
  int stop_fd;
  struct MHD_Daemon *daemon;
  struct http_connections *connections;
  pthread_t thread;
  bool paused;                  /* and said so; the thread's */
};

/* False: all is to stop. */
static bool
wait_for (const struct http_acceptor *acceptor, int fd, int timeout_ms)
{
  struct pollfd fds[] = {
    { .fd = fd, .events = POLLIN },
    { .fd = acceptor->stop_fd, .events = POLLIN },
  };

  while (poll (fds, 2, timeout_ms) == -1 && errno == EINTR)
    ;
  return fds[1].revents == 0;
}

/* Out of descriptors, perhaps: whoever waits goes on waiting. */
static void
not_accepted (struct http_acceptor *acceptor, int error)
{
  if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
    return;
  if (!acceptor->paused)
    log_warning ("accept: %s: %s%s", acceptor->path, strerror (error),
                 error == EMFILE || error == ENFILE
                 ? "; raise the limit on open files" : "");
  acceptor->paused = true;
  wait_for (acceptor, -1, PAUSE_MS);
}

static void *
run (void *arg)
{
  struct http_acceptor *acceptor = arg;

  /* One that is idle makes room when there is somebody who wants it. */
  while (wait_for (acceptor, acceptor->listen_fd, -1)
         && http_connections_wait_for_room (acceptor->connections)) {
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof peer;
    int fd = accept4 (acceptor->listen_fd, (struct sockaddr *) &peer,
                      &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd == -1) {
      not_accepted (acceptor, errno);
      continue;
    }
    acceptor->paused = false;
    http_connections_expect (acceptor->connections);
    if (MHD_add_connection (acceptor->daemon, fd, (struct sockaddr *) &peer,
                            peer_bytes) != MHD_YES)
      http_connections_dropped (acceptor->connections);
  }
  return NULL;
}

int
http_acceptor_start (int fd, const char *path, struct MHD_Daemon *daemon,
                     struct http_connections *connections,
                     struct http_acceptor **acceptor, struct error *err)
{
  struct http_acceptor *a = calloc (1, sizeof *a);
  int r;

  if (!a)
    return error_set (err, ENOMEM, "control: %s: out of memory", path);
  *a = (struct http_acceptor) {
    .path = path,
    .listen_fd = fd,
    .stop_fd = eventfd (0, EFD_CLOEXEC),
    .daemon = daemon,
    .connections = connections,
  };
  r = a->stop_fd == -1 ? -errno
    : thread_start (&a->thread, "control", run, a);
  if (r < 0) {
    if (a->stop_fd != -1)
      close (a->stop_fd);
    free (a);
    return error_set (err, -r, "control: %s: %s", path, strerror (-r));
  }
  *acceptor = a;
  return 0;
}

void
http_acceptor_stop (struct http_acceptor *acceptor)
{
  if (!acceptor)
    return;
  eventfd_write (acceptor->stop_fd, 1);
  http_connections_stop (acceptor->connections);
  pthread_join (acceptor->thread, NULL);
  close (acceptor->stop_fd);
  free (acceptor);
}
