/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream: ordered bytes both ways, never blocking.  NVMe/TCP runs over it
 * on both sides, so that a socket, TLS over a socket and the simulator's
 * network are one thing to the protocol.
 *
 * One thread may send while another receives; two threads never do the same
 * at once.  shutdown and abort may be called by any thread at any time and
 * make the other two return; close only by the last user.
 */
#ifndef QBD_STREAM_H
#define QBD_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/address.h"
#include "common/error.h"

struct stream;

struct stream_ops {
  /* Bytes moved; -EAGAIN: nothing now, the descriptor will tell; other
   * -errno: the stream is dead.  receive returns 0 at the peer's end. */
  ssize_t (*receive) (struct stream *stream, struct iovec *iov, int iovcnt);
  ssize_t (*send) (struct stream *stream, struct iovec *iov, int iovcnt);
  void (*shutdown) (struct stream *stream);
  /* As shutdown, and what has not reached the peer yet will not: TCP drops
   * its queue and resets.  What a Unix socket was given is at the peer. */
  void (*abort) (struct stream *stream);
  void (*close) (struct stream *stream);   /* frees the stream, if it was
                                              allocated */
};

struct stream {
  const struct stream_ops *ops;
  int fd;               /* pollable; -1 in the simulator */
};

static inline ssize_t
stream_receive (struct stream *stream, struct iovec *iov, int iovcnt)
{
  return stream->ops->receive (stream, iov, iovcnt);
}

static inline ssize_t
stream_send (struct stream *stream, struct iovec *iov, int iovcnt)
{
  return stream->ops->send (stream, iov, iovcnt);
}

static inline void
stream_shutdown (struct stream *stream)
{
  stream->ops->shutdown (stream);
}

static inline void
stream_abort (struct stream *stream)
{
  stream->ops->abort (stream);
}

static inline void
stream_close (struct stream *stream)
{
  if (stream)
    stream->ops->close (stream);
}

/* Sockets.  The descriptor becomes non-blocking, close-on-exec and, on TCP,
 * no-delay; within a machine TCP does not pace, and a Unix socket has room for
 * more.  The stream owns fd; NULL only for want of memory (fd is then still the
 * caller's). */
struct stream *stream_from_socket (int fd);
/* The same in the caller's memory, which is his again after close. */
void stream_init_socket (struct stream *stream, int fd);

/* Blocks for at most timeout_ms; tries each address a name has.  NULL with
 * err set ("connect: URI: reason"). */
struct stream *stream_connect (const struct address *address,
                               int timeout_ms, struct error *err);
/* The same, and given up (ESHUTDOWN) when the descriptor cancel_fd is
 * readable; -1: never. */
struct stream *stream_connect_until (const struct address *address,
                                     int timeout_ms, int cancel_fd,
                                     struct error *err);

/* Where an address leads.  Looking up a name may take long, and allocates:
 * who connects again keeps the answer. */
enum { STREAM_PLACES_MAX = 8 };
struct stream_place {
  struct sockaddr_storage sa;
  socklen_t sa_bytes;
};
struct stream_route {
  unsigned nr;                  /* at least 1 */
  struct stream_place places[STREAM_PLACES_MAX];
};
int stream_resolve (const struct address *address, int timeout_ms,
                    int cancel_fd, struct stream_route *route,
                    struct error *err);
/* As stream_connect_until, to an address that was looked up.  *which: the
 * place that it is connected to. */
struct stream *stream_connect_route (const struct stream_route *route,
                                     const struct address *address,
                                     int timeout_ms, int cancel_fd,
                                     unsigned *which, struct error *err);
/* Neither blocks nor allocates: 0, and the stream is on its way (nothing can
 * be sent and received before it is there, and its failure comes with the
 * first of those); or -errno. */
int stream_connect_begin (const struct stream_place *place,
                          struct stream *stream);

/* A listening socket, non-blocking, or -errno with err set ("listen: URI:
 * reason").  TCP: SO_REUSEADDR, the first address of the name; port "0" picks
 * one and address->port is set to it.  Unix: a socket file that nobody serves
 * is replaced; one that is served is -EADDRINUSE, a path that is no socket
 * -EEXIST. */
int stream_listen (struct address *address, struct error *err);

#endif
