/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listeners.  Here are those of sockets: reactor 0 accepts and hands
 * connections to the reactors in turn; it knows sockets and no PDUs.  Those
 * of RDMA are rdma-listener.c's.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "server/transport/internal.h"
#include "server/transport/transport.h"

enum {
  ACCEPTS_PER_TURN = 16,
  RETRY_MS = 100,               /* after the descriptors ran out */
  SILENT_S = 30,                /* then its kernel is asked, */
  ASK_AGAIN_S = 10,             /* again and again, */
  GONE_S = 60,                  /* and given up */
};

struct listener {
  struct target *target;                /* constant */
  struct reactor *const *reactors;      /* constant */
  unsigned nr_reactors;                 /* constant */
  struct address address;               /* constant */
  char uri[ADDRESS_TEXT_MAX];           /* constant */
  struct rdma_listener *rdma;           /* constant; NULL: a socket */
  uint8_t number;                       /* constant: the target's */
  bool started;                         /* the owner's */
  /* reactor 0's */
  struct reactor_watch watch;
  struct reactor_timer retry;
  bool paused;                          /* and said so */
  unsigned next_reactor;
};

/* --- addresses --------------------------------------------------------------------- */

void
transport_fill_address (struct address *address, enum address_family family,
                        const struct sockaddr *sa)
{
  const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) sa;
  struct sockaddr_in in = { .sin_family = AF_INET };
  socklen_t len = sa->sa_family == AF_INET6 ? sizeof *in6 : sizeof in;

  /* One socket may serve both families; the host used one. */
  if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED (&in6->sin6_addr)) {
    in.sin_port = in6->sin6_port;
    memcpy (&in.sin_addr, in6->sin6_addr.s6_addr + 12, sizeof in.sin_addr);
    sa = (const struct sockaddr *) &in;
    len = sizeof in;
  }
  address->family = family;
  if (getnameinfo (sa, len, address->host, sizeof address->host,
                   address->port, sizeof address->port,
                   NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    strcpy (address->host, "?");
    strcpy (address->port, "0");
  }
}

static void
fill_unix_peer (char *text, size_t text_bytes, const char *path, int fd)
{
  struct ucred cred = { 0 };
  socklen_t len = sizeof cred;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
    snprintf (text, text_bytes, "unix://%s#pid=%ld,uid=%ld", path,
              (long) cred.pid, (long) cred.uid);
  else
    snprintf (text, text_bytes, "unix://%s", path);
}

static void
fill_portal (struct target_portal *portal, const struct listener *listener,
             int fd, const struct sockaddr_storage *peer)
{
  struct sockaddr_storage local = { 0 };
  socklen_t local_len = sizeof local;
  struct address address = { 0 };

  portal->local = listener->address;
  portal->listener = listener->number;
  if (listener->address.family == ADDRESS_UNIX) {
    fill_unix_peer (portal->peer, sizeof portal->peer,
                    listener->address.path, fd);
    return;
  }
  if (getsockname (fd, (struct sockaddr *) &local, &local_len) == 0)
    transport_fill_address (&portal->local, ADDRESS_TCP,
                            (const struct sockaddr *) &local);
  transport_fill_address (&address, ADDRESS_TCP,
                          (const struct sockaddr *) peer);
  address_format (&address, portal->peer, sizeof portal->peer);
}

/* --- accept ------------------------------------------------------------------------ */

/* An accepted socket on its way to its reactor. */
struct handover {
  struct reactor_task task;
  struct target *target;
  struct reactor *reactor;
  struct stream *stream;
  struct handshake *handshake;
  struct target_portal portal;
};

static void
take_over (struct reactor_task *task)
{
  struct handover *handover = (struct handover *) task;

  struct tcp_connection *connection =
    tcp_connection_open (handover->target, handover->reactor,
                         handover->stream, &handover->portal);

  if (connection)
    tcp_connection_set_handshake (connection, handover->handshake);
  else
    handshake_drop (handover->handshake);
  transport_count (-1);
  free (handover);
}

/* A host that lost its power says no goodbye, and without a keep-alive
 * timeout nobody else would notice. */
static void
limit_silence (int fd)
{
  int one = 1, idle_s = SILENT_S, interval_s = ASK_AGAIN_S;
  int probes = (GONE_S - SILENT_S) / ASK_AGAIN_S;
  unsigned gone_ms = GONE_S * 1000;

  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_ms, sizeof gone_ms);
}

static void
hand_over (struct listener *listener, int fd,
           const struct sockaddr_storage *peer, struct handshake *handshake)
{
  struct handover *handover = malloc (sizeof *handover);
  struct stream *stream = handover ? stream_from_socket (fd) : NULL;

  if (stream == NULL) {
    log_error ("out of memory: connection refused");
    handshake_drop (handshake);
    free (handover);
    close (fd);
    return;
  }
  *handover = (struct handover) {
    .task.run = take_over,
    .target = listener->target,
    .reactor =
      listener->reactors[listener->next_reactor++ % listener->nr_reactors],
    .stream = stream,
    .handshake = handshake,
  };
  if (listener->address.family == ADDRESS_TCP)
    limit_silence (fd);
  fill_portal (&handover->portal, listener, fd, peer);
  transport_count (1);          /* until its own is counted */
  reactor_post (handover->reactor, &handover->task);
}

/* Level-triggered, so that a connection that cannot be taken for want of
 * descriptors would be reported for ever: look away for a while. */
static void
pause_accepting (struct listener *listener, int error)
{
  struct reactor *reactor = listener->reactors[0];
  bool files = error == EMFILE || error == ENFILE;

  if (!listener->paused)
    log_warning ("accept: %s: %s%s", listener->uri, strerror (error),
                 files ? "; raise the limit on open files" : "");
  listener->paused = true;
  reactor_watch_remove (reactor, &listener->watch);
  reactor_timer_arm (reactor, &listener->retry,
                     reactor_now_ms (reactor) + RETRY_MS);
}

static void
watch_or_retry (struct listener *listener)
{
  int r = reactor_watch_add (listener->reactors[0], &listener->watch,
                             EPOLLIN);

  if (r < 0)
    pause_accepting (listener, -r);
}

static void
retry_expired (struct reactor_timer *timer)
{
  watch_or_retry ((void *) ((char *) timer
                            - offsetof (struct listener, retry)));
}

/* Cheap for who is refused: nothing was asked of its socket yet. */
static void
accepted (struct listener *listener, int fd,
          const struct sockaddr_storage *peer)
{
  struct handshake *handshake =
    handshake_begin ((const struct sockaddr *) peer, listener->uri);

  if (handshake)
    hand_over (listener, fd, peer, handshake);
  else
    close (fd);
}

static void
accept_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct listener *listener =
    (void *) ((char *) watch - offsetof (struct listener, watch));

  for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
    struct sockaddr_storage peer = { 0 };
    socklen_t peer_len = sizeof peer;
    int fd = accept4 (watch->fd, (struct sockaddr *) &peer, &peer_len,
                      SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
      listener->paused = false;
      accepted (listener, fd, &peer);
    }
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
             || errno == ENOMEM) {
      pause_accepting (listener, errno);
      return;
    }
    else if (errno == EAGAIN)
      return;
    /* Else the peer gave up before it was accepted. */
  }
}

/* --- life -------------------------------------------------------------------------- */

static int
open_rdma (struct listener *listener, struct address *address,
           struct error *err)
{
#if HAVE_RDMA
  return rdma_listener_open (listener->target, listener->number, address,
                             listener->reactors, listener->nr_reactors,
                             &listener->rdma, err);
#else
  char text[ADDRESS_TEXT_MAX];

  return error_set (err, EPROTONOSUPPORT, "listen: %s: RDMA was left out of "
                    "this build", address_format (address, text, sizeof text));
#endif
}

int
listener_open (struct target *target, uint8_t number,
               struct address *address, struct reactor *const *reactors,
               unsigned nr_reactors, struct listener **result,
               struct error *err)
{
  struct listener *listener = calloc (1, sizeof *listener);
  int r;

  if (listener == NULL)
    return error_set (err, ENOMEM, "listen: out of memory");
  listener->target = target;
  listener->reactors = reactors;
  listener->nr_reactors = nr_reactors;
  listener->number = number;
  if (address->family == ADDRESS_RDMA)
    r = open_rdma (listener, address, err);
  else
    r = listener->watch.fd = stream_listen (address, err);
  if (r < 0) {
    free (listener);
    return r;
  }
  listener->address = *address;
  address_format (address, listener->uri, sizeof listener->uri);
  listener->watch.ready = accept_ready;
  listener->retry.expired = retry_expired;
  *result = listener;
  return 0;
}

static void
start_accepting (void *arg)
{
  struct listener *listener = arg;

#if HAVE_RDMA
  if (listener->rdma) {
    rdma_listener_start (listener->rdma);
    return;
  }
#endif
  watch_or_retry (listener);
}

void
listener_start (struct listener *listener)
{
  listener->started = true;
  reactor_call (listener->reactors[0], start_accepting, listener);
}

static void
stop_accepting (void *arg)
{
  struct listener *listener = arg;
  struct reactor *reactor = listener->reactors[0];

#if HAVE_RDMA
  if (listener->rdma) {
    rdma_listener_stop (listener->rdma);
    return;
  }
#endif
  reactor_timer_disarm (reactor, &listener->retry);
  reactor_watch_remove (reactor, &listener->watch);
}

void
listener_close (struct listener *listener)
{
  if (listener == NULL)
    return;
  if (listener->started)
    reactor_call (listener->reactors[0], stop_accepting, listener);
#if HAVE_RDMA
  if (listener->rdma) {
    rdma_listener_close (listener->rdma);
    free (listener);
    return;
  }
#endif
  /* First the name: once the socket is closed, it may be another server's. */
  if (listener->address.family == ADDRESS_UNIX)
    unlink (listener->address.path);
  close (listener->watch.fd);
  free (listener);
}
