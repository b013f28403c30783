/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams over sockets, TCP and Unix.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/stream.h"

enum { UNIX_SEND_BYTES = 2 << 20 };     /* twice what one command may carry */

static struct msghdr
message_of (struct iovec *iov, int iovcnt)
{
  /* More elements than the kernel takes: the rest is a partial transfer,
   * which every caller handles anyway. */
  return (struct msghdr) {
    .msg_iov = iov,
    .msg_iovlen = (size_t) (iovcnt > IOV_MAX ? IOV_MAX : iovcnt),
  };
}

static ssize_t
socket_receive (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct msghdr msg = message_of (iov, iovcnt);
  ssize_t n;

  do
    n = recvmsg (stream->fd, &msg, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

static ssize_t
socket_send (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct msghdr msg = message_of (iov, iovcnt);
  ssize_t n;

  do
    n = sendmsg (stream->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

/* In good order: what was sent arrives, also from a client's socket, which
 * would drop it (socket-connect.c). */
static void
socket_shutdown (struct stream *stream)
{
  const struct linger off = { .l_onoff = 0 };

  setsockopt (stream->fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
  shutdown (stream->fd, SHUT_RDWR);
}

/* Disconnecting drops the queue and sends RST, atomically with respect to a
 * sendmsg of another thread: it is over, or finds a socket that is closed.
 * Not for Unix sockets, and kernels refuse it while a thread sleeps in the
 * socket; then shutdown ends it, and closing it resets. */
static void
socket_abort (struct stream *stream)
{
  const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
  const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
  struct sockaddr_storage own;
  socklen_t bytes = sizeof own;

  if (getsockname (stream->fd, (struct sockaddr *) &own, &bytes) == 0 &&
      own.ss_family != AF_UNIX) {
    setsockopt (stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    connect (stream->fd, &nobody, sizeof nobody);
  }
  shutdown (stream->fd, SHUT_RDWR);
}

static void
socket_close (struct stream *stream)
{
  close (stream->fd);
  stream->fd = -1;
}

static void
socket_close_and_free (struct stream *stream)
{
  socket_close (stream);
  free (stream);
}

#define SOCKET_OPS              \
  .receive = socket_receive,    \
  .send = socket_send,          \
  .shutdown = socket_shutdown,  \
  .abort = socket_abort

static const struct stream_ops socket_ops = {
  SOCKET_OPS, .close = socket_close,
};
static const struct stream_ops own_socket_ops = {
  SOCKET_OPS, .close = socket_close_and_free,
};

static bool
is_same_host (const struct sockaddr_storage *a,
              const struct sockaddr_storage *b)
{
  if (a->ss_family != b->ss_family)
    return false;
  switch (a->ss_family) {
  case AF_INET:
    return memcmp (&((const struct sockaddr_in *) a)->sin_addr,
                   &((const struct sockaddr_in *) b)->sin_addr,
                   sizeof (struct in_addr)) == 0;
  case AF_INET6:
    return memcmp (&((const struct sockaddr_in6 *) a)->sin6_addr,
                   &((const struct sockaddr_in6 *) b)->sin6_addr,
                   sizeof (struct in6_addr)) == 0;
  default:
    return false;
  }
}

/* TCP's buffers grow when they are used, a Unix socket's do not: data of 1 MiB
 * would go out in pieces of 200 KiB, each after a sleep.  The kernel allows as
 * much of it as the administrator does (net.core.wmem_max), and more to who
 * administers the network; who gave sockets more (net.core.wmem_default) keeps
 * it.  It tells twice what it is told. */
static void
make_room (int fd)
{
  const int bytes = UNIX_SEND_BYTES;
  struct sockaddr_storage own;
  socklen_t own_bytes = sizeof own, has_bytes = sizeof bytes;
  int has;

  if (getsockname (fd, (struct sockaddr *) &own, &own_bytes) == 0 &&
      own.ss_family == AF_UNIX &&
      getsockopt (fd, SOL_SOCKET, SO_SNDBUF, &has, &has_bytes) == 0 &&
      has < 2 * bytes &&
      setsockopt (fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/* Within a machine no packet is lost, and congestion control that paces
 * (bbr) only makes its sends wait.  Reno does not, and every kernel has it,
 * for everybody.  On a network the choice is the administrator's. */
static void
stop_pacing (int fd)
{
  struct sockaddr_storage own, peer;
  socklen_t own_bytes = sizeof own, peer_bytes = sizeof peer;

  if (getsockname (fd, (struct sockaddr *) &own, &own_bytes) == 0 &&
      getpeername (fd, (struct sockaddr *) &peer, &peer_bytes) == 0 &&
      is_same_host (&own, &peer))
    setsockopt (fd, IPPROTO_TCP, TCP_CONGESTION, "reno", sizeof "reno" - 1);
}

void
stream_init_socket (struct stream *stream, int fd)
{
  int flags, one = 1;

  flags = fcntl (fd, F_GETFL);
  if (flags >= 0 && !(flags & O_NONBLOCK))
    fcntl (fd, F_SETFL, flags | O_NONBLOCK);
  flags = fcntl (fd, F_GETFD);
  if (flags >= 0 && !(flags & FD_CLOEXEC))
    fcntl (fd, F_SETFD, flags | FD_CLOEXEC);
  /* Refused by a Unix socket, which never delays. */
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  stop_pacing (fd);
  make_room (fd);
  *stream = (struct stream) { .ops = &socket_ops, .fd = fd };
}

struct stream *
stream_from_socket (int fd)
{
  struct stream *stream = malloc (sizeof *stream);

  if (!stream)
    return NULL;
  stream_init_socket (stream, fd);
  stream->ops = &own_socket_ops;
  return stream;
}
