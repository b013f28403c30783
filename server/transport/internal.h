/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all transports of the server share.
 */
#ifndef QBD_TRANSPORT_INTERNAL_H
#define QBD_TRANSPORT_INTERNAL_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "server/transport/transport.h"

/* A connection came (+1), or is gone with all its memory (-1): any thread. */
void transport_count (int change);

/* A socket address as a numeric one of this family. */
void transport_fill_address (struct address *address,
                             enum address_family family,
                             const struct sockaddr *sa);

/* --- handshakes.c: connections between accept and Connect ------------------ */

struct handshake_peer;

/* Embedded in a connection. */
struct handshake {
  struct reactor_task end;      /* posted: make room.  The caller's run */
  struct reactor *reactor;
  enum limit limit;             /* constant once end is posted: why */
  struct handshake_peer *peer;  /* locked */
  bool listed, ending;          /* locked */
  TAILQ_ENTRY (handshake) by_age, of_peer;      /* locked */
};

/* A connection came: takes a place for it, for which perhaps the oldest one
 * has to go.  NULL: it is refused. */
struct handshake_peer *handshake_begin (const struct sockaddr *sa,
                                        const char *listener_uri);
/* It is gone before it had a handshake. */
void handshake_drop (struct handshake_peer *peer);
/* From here on it may be told to go: end is posted to its reactor. */
void handshake_list (struct handshake *handshake,
                     struct handshake_peer *peer, struct reactor *reactor,
                     void (*end) (struct reactor_task *task));
/* It passed Connect or is gone; once, on its reactor, unless end has run.
 * True: end is on its way, and its memory is awaited until then. */
bool handshake_over (struct handshake *handshake);

/* tcp-connection.c: it counts among those from here on. */
void tcp_connection_set_handshake (struct tcp_connection *connection,
                                   struct handshake_peer *peer);

/* --- rdma-listener.c, which a build may lack --------------------------------- */

struct rdma_listener;

int rdma_listener_open (struct target *target, struct address *address,
                        struct reactor *const *reactors, unsigned nr_reactors,
                        struct rdma_listener **listener, struct error *err);
/* These two on reactor 0.  False: it cannot be watched, and says so. */
bool rdma_listener_start (struct rdma_listener *listener);
void rdma_listener_stop (struct rdma_listener *listener);
void rdma_listener_close (struct rdma_listener *listener);

#endif
