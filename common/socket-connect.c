/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connecting.  All but stream_connect_begin blocks its caller: never on a
 * reactor.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/resolve.h"
#include "common/stream.h"

static int
left_ms (uint64_t deadline_ms)
{
  uint64_t now_ms = clock_now_ms ();

  return now_ms >= deadline_ms ? 0 : (int) (deadline_ms - now_ms);
}

/* A loopback client whose own ephemeral port is the one it asks for is
 * connected to itself (simultaneous open) when the server is not there, and
 * keeps its port from it.  The port is known before there is a connection. */
static bool
is_self (int fd, const struct sockaddr *sa, socklen_t sa_bytes)
{
  struct sockaddr_storage local;
  socklen_t bytes = sizeof local;

  return sa->sa_family != AF_UNIX &&
         getsockname (fd, (struct sockaddr *) &local, &bytes) == 0 &&
         bytes == sa_bytes && memcmp (&local, sa, bytes) == 0;
}

/* When this process is killed, the kernel would go on sending what it had not
 * sent yet, perhaps for minutes, and a write could take effect over those of
 * the next process.  So it is dropped, unless the connection is closed in good
 * order (socket_shutdown). */
static void
end_with_process (int fd)
{
  const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

  setsockopt (fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* 0 or -errno. */
static int
wait_connected (int fd, uint64_t deadline_ms, int cancel_fd)
{
  struct pollfd pfds[2] = { { .fd = fd, .events = POLLOUT },
                            { .fd = cancel_fd, .events = POLLIN } };
  int error, r;
  socklen_t len = sizeof error;

  do
    r = poll (pfds, 2, left_ms (deadline_ms));
  while (r < 0 && errno == EINTR);
  if (r < 0)
    return -errno;
  if (r == 0)
    return -ETIMEDOUT;
  if (pfds[1].revents)
    return -ESHUTDOWN;
  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
    return -errno;
  return -error;
}

/* A descriptor that is connected or on the way, or -errno. */
static int
begin_connect (const struct sockaddr *sa, socklen_t sa_bytes)
{
  CLEANUP_CLOSE int fd = socket (sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
                                 SOCK_CLOEXEC, 0);
  int r;

  if (fd < 0)
    return -errno;
  /* After EINTR the kernel goes on connecting, as after EINPROGRESS. */
  if (connect (fd, sa, sa_bytes) < 0 && errno != EINPROGRESS &&
      errno != EINTR)
    return -errno;
  if (is_self (fd, sa, sa_bytes))
    return -ECONNREFUSED;
  end_with_process (fd);
  r = fd;
  fd = -1;
  return r;
}

/* A connected descriptor or -errno. */
static int
connect_inet (const struct stream_place *place, uint64_t deadline_ms,
              int cancel_fd)
{
  CLEANUP_CLOSE int fd =
    begin_connect ((const struct sockaddr *) &place->sa, place->sa_bytes);
  int r;

  if (fd < 0)
    return fd;
  r = wait_connected (fd, deadline_ms, cancel_fd);
  if (r < 0)
    return r;
  r = fd;
  fd = -1;
  return r;
}

enum { UNIX_TURN_MS = 200 };

static bool
is_readable (int fd)
{
  struct pollfd pfd = { .fd = fd, .events = POLLIN };

  return fd >= 0 && poll (&pfd, 1, 0) > 0;
}

/* A connected descriptor or -errno.  A non-blocking connect of a Unix socket
 * fails at once when the backlog is full, and nothing tells when there is
 * room: so the socket blocks, and its send timeout is the deadline, or when
 * to look at cancel_fd. */
static int
connect_unix (const char *path, uint64_t deadline_ms, int cancel_fd)
{
  struct sockaddr_un sun = { .sun_family = AF_UNIX };
  const struct timeval forever = { 0, 0 };
  CLEANUP_CLOSE int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int r;

  if (fd < 0)
    return -errno;
  memcpy (sun.sun_path, path, strlen (path) + 1);
  for (;;) {
    bool last = cancel_fd < 0 || left_ms (deadline_ms) <= UNIX_TURN_MS;
    int ms = last ? left_ms (deadline_ms) : UNIX_TURN_MS;
    struct timeval tv = {
      .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000
    };

    if (is_readable (cancel_fd))
      return -ESHUTDOWN;

    if (ms == 0)
      tv.tv_usec = 1;           /* 0 would be for ever */
    if (setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0)
      return -errno;
    if (connect (fd, (struct sockaddr *) &sun, sizeof sun) == 0)
      break;
    if (errno == EAGAIN && last)
      return -ETIMEDOUT;
    if (errno != EINTR && errno != EAGAIN)
      return -errno;
    if (ms == 0)
      return -ETIMEDOUT;
  }
  if (setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever) < 0)
    return -errno;
  r = fd;
  fd = -1;
  return r;
}

/* The errno that a failed look-up stands for. */
static int
errno_of_gai (int gai)
{
  switch (gai) {
  case EAI_SYSTEM: return errno;
  case EAI_MEMORY: return ENOMEM;
  default: return EHOSTUNREACH;
  }
}

static const char *
reason_of (int error)
{
  return error == ESHUTDOWN ? "interrupted" : strerror (error);
}

static int
resolve_host (const struct address *address, const char *uri,
             uint64_t deadline_ms, int cancel_fd, struct stream_route *route,
             struct error *err)
{
  struct addrinfo *list, *ai;
  int r = resolve (address->host, address->port, deadline_ms, cancel_fd,
                   &list);

  if (r != 0) {
    int code = errno_of_gai (r);

    return error_set (err, code, "connect: %s: %s", uri,
                      r == EAI_SYSTEM ? reason_of (code) : gai_strerror (r));
  }
  for (ai = list; ai && route->nr < STREAM_PLACES_MAX; ai = ai->ai_next) {
    struct stream_place *place = &route->places[route->nr++];

    memcpy (&place->sa, ai->ai_addr, ai->ai_addrlen);
    place->sa_bytes = ai->ai_addrlen;
  }
  freeaddrinfo (list);
  return 0;
}

int
stream_resolve (const struct address *address, int timeout_ms, int cancel_fd,
                struct stream_route *route, struct error *err)
{
  uint64_t deadline_ms = clock_now_ms () + (uint64_t) timeout_ms;
  struct sockaddr_un *sun = (struct sockaddr_un *) &route->places[0].sa;
  char uri[ADDRESS_TEXT_MAX];

  address_format (address, uri, sizeof uri);
  memset (route, 0, sizeof *route);
  if (address->family != ADDRESS_UNIX)
    return resolve_host (address, uri, deadline_ms, cancel_fd, route, err);
  sun->sun_family = AF_UNIX;
  memcpy (sun->sun_path, address->path, strlen (address->path) + 1);
  route->places[0].sa_bytes = sizeof *sun;
  route->nr = 1;
  return 0;
}

/* A descriptor, with which of the places it is, or -errno. */
static int
connect_any (const struct stream_route *route, uint64_t deadline_ms,
             int cancel_fd, unsigned *which)
{
  int r = -EHOSTUNREACH, first = 0;

  for (unsigned i = 0; i < route->nr; i++) {
    /* An address that swallows packets leaves the others their share. */
    uint64_t share_ms = (uint64_t) left_ms (deadline_ms) / (route->nr - i);

    *which = i;
    r = connect_inet (&route->places[i], clock_now_ms () + share_ms,
                      cancel_fd);
    if (r >= 0)
      return r;
    if (r == -ESHUTDOWN)
      return r;
    /* The resolver's first choice has the reason that matters; an address
     * family that this machine lacks has none. */
    if (first == 0 || first == -EAFNOSUPPORT || first == -ENETUNREACH ||
        first == -EADDRNOTAVAIL)
      first = r;
  }
  return first ? first : r;
}

struct stream *
stream_connect_route (const struct stream_route *route,
                      const struct address *address, int timeout_ms,
                      int cancel_fd, unsigned *which, struct error *err)
{
  uint64_t deadline_ms = clock_now_ms () + (uint64_t) timeout_ms;
  char uri[ADDRESS_TEXT_MAX];
  struct stream *stream;
  int fd;

  *which = 0;
  if (address->family == ADDRESS_TCP)
    fd = connect_any (route, deadline_ms, cancel_fd, which);
  else
    fd = connect_unix (address->path, deadline_ms, cancel_fd);
  stream = fd >= 0 ? stream_from_socket (fd) : NULL;
  if (stream)
    return stream;
  address_format (address, uri, sizeof uri);
  if (fd < 0)
    error_set (err, -fd, "connect: %s: %s", uri, reason_of (-fd));
  else {
    close (fd);
    error_set (err, ENOMEM, "connect: %s: %s", uri, strerror (ENOMEM));
  }
  return NULL;
}

int
stream_connect_begin (const struct stream_place *place,
                      struct stream *stream)
{
  int fd = begin_connect ((const struct sockaddr *) &place->sa,
                          place->sa_bytes);

  if (fd < 0)
    return fd;
  stream_init_socket (stream, fd);
  return 0;
}

struct stream *
stream_connect (const struct address *address, int timeout_ms,
                struct error *err)
{
  return stream_connect_until (address, timeout_ms, -1, err);
}

struct stream *
stream_connect_until (const struct address *address, int timeout_ms,
                      int cancel_fd, struct error *err)
{
  uint64_t deadline_ms = clock_now_ms () + (uint64_t) timeout_ms;
  struct stream_route route;
  unsigned which;

  if (stream_resolve (address, timeout_ms, cancel_fd, &route, err) < 0)
    return NULL;
  return stream_connect_route (&route, address, left_ms (deadline_ms),
                               cancel_fd, &which, err);
}
