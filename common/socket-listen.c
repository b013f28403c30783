/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/dir-lock.h"
#include "common/log.h"
#include "common/stream.h"

#define LOCK_WAIT_MS 2000
#define LOCK_RETRY_MS 20

static int
fail (struct error *err, int code, const struct address *address,
      const char *reason)
{
  char uri[ADDRESS_TEXT_MAX];

  return error_set (err, code, "listen: %s: %s",
                    address_format (address, uri, sizeof uri), reason);
}

/* Port 0: what the kernel picked. */
static int
learn_port (int fd, struct address *address)
{
  struct sockaddr_storage ss;
  socklen_t len = sizeof ss;
  in_port_t port;

  if (getsockname (fd, (struct sockaddr *) &ss, &len) < 0)
    return -errno;
  port = ss.ss_family == AF_INET6 ?
    ((struct sockaddr_in6 *) &ss)->sin6_port :
    ((struct sockaddr_in *) &ss)->sin_port;
  snprintf (address->port, sizeof address->port, "%u", ntohs (port));
  return 0;
}

/* A listening descriptor or -errno. */
static int
listen_inet (const struct addrinfo *ai, struct address *address)
{
  CLEANUP_CLOSE int fd = socket (ai->ai_family, ai->ai_socktype |
                                 SOCK_NONBLOCK | SOCK_CLOEXEC,
                                 ai->ai_protocol);
  int one = 1, r;

  if (fd < 0)
    return -errno;
  if (setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
    return -errno;
  /* [::] is IPv6 alone: 0.0.0.0 may be listed beside it. */
  if (ai->ai_family == AF_INET6 &&
      setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0)
    return -errno;
  if (bind (fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
      listen (fd, SOMAXCONN) < 0)
    return -errno;
  r = learn_port (fd, address);
  if (r < 0)
    return r;
  r = fd;
  fd = -1;
  return r;
}

static int
listen_tcp (struct address *address, struct error *err)
{
  const struct addrinfo hints = {
    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
    .ai_flags = AI_NUMERICSERV | AI_PASSIVE,
  };
  struct addrinfo *list;
  int r;

  r = getaddrinfo (address->host, address->port, &hints, &list);
  if (r == EAI_SYSTEM)
    return fail (err, errno, address, strerror (errno));
  if (r != 0)
    return fail (err, r == EAI_MEMORY ? ENOMEM : EADDRNOTAVAIL, address,
                 gai_strerror (r));
  r = listen_inet (list, address);
  freeaddrinfo (list);
  if (r < 0)
    return fail (err, -r, address, strerror (-r));
  return r;
}

/* Two servers that start at once must not take each other's socket, between
 * bind and listen, for a dead one.  The lock is on the directory, leaves
 * nothing behind and ends with the descriptor.  In a pool's directory the
 * pool's own lock keeps others out.  -1 where the directory may not be read:
 * then there is no lock.  Servers hold it for an instant, but whoever may read
 * the directory can take it: it is no reason not to start. */
static int
lock_directory (const char *path)
{
  char copy[sizeof (struct sockaddr_un)], *directory;
  int fd, tries;

  snprintf (copy, sizeof copy, "%s", path);
  directory = dirname (copy);
  fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || dir_lock_is_ours (fd))
    return fd;
  for (tries = LOCK_WAIT_MS / LOCK_RETRY_MS;
       flock (fd, LOCK_EX | LOCK_NB) < 0; --tries) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || tries == 0) {
      log_warning ("listen: unix://%s: the lock on %s cannot be had: %s: going "
                   "on without", path, directory,
                   errno == EWOULDBLOCK ? "another process keeps it"
                                        : strerror (errno));
      break;
    }
    poll (NULL, 0, LOCK_RETRY_MS);
  }
  return fd;
}

/* bind found something at the path.  0: it was a dead socket and is gone. */
static int
remove_dead (const struct address *address, const struct sockaddr_un *sun,
             struct error *err)
{
  CLEANUP_CLOSE int fd = -1;
  struct stat st;

  if (lstat (address->path, &st) < 0)
    return errno == ENOENT ? 0 : fail (err, errno, address, strerror (errno));
  if (!S_ISSOCK (st.st_mode))
    return fail (err, EEXIST, address,
                 "exists and is not a socket; remove it or choose another");
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return fail (err, errno, address, strerror (errno));
  /* EAGAIN: it is served, and busy. */
  if (connect (fd, (const struct sockaddr *) sun, sizeof *sun) == 0 ||
      errno == EAGAIN)
    return fail (err, EADDRINUSE, address,
                 "another process is serving this socket");
  if (errno != ECONNREFUSED && errno != ENOENT)
    return fail (err, errno, address, strerror (errno));
  if (unlink (address->path) < 0 && errno != ENOENT)
    return fail (err, errno, address, strerror (errno));
  return 0;
}

static int
listen_unix (const struct address *address, struct error *err)
{
  struct sockaddr_un sun = { .sun_family = AF_UNIX };
  CLEANUP_CLOSE int lock = lock_directory (address->path);
  CLEANUP_CLOSE int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
                                 SOCK_NONBLOCK, 0);
  int r;

  (void) lock;                  /* held to the end */
  if (fd < 0)
    return fail (err, errno, address, strerror (errno));
  memcpy (sun.sun_path, address->path, strlen (address->path) + 1);
  r = bind (fd, (struct sockaddr *) &sun, sizeof sun);
  if (r < 0 && errno == EADDRINUSE) {
    r = remove_dead (address, &sun, err);
    if (r < 0)
      return r;
    r = bind (fd, (struct sockaddr *) &sun, sizeof sun);
  }
  if (r < 0 || listen (fd, SOMAXCONN) < 0)
    return fail (err, errno, address, strerror (errno));
  r = fd;
  fd = -1;
  return r;
}

int
stream_listen (struct address *address, struct error *err)
{
  return address->family == ADDRESS_UNIX ? listen_unix (address, err)
                                         : listen_tcp (address, err);
}
