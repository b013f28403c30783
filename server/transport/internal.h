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

/* The place of one of these; freed when it is given back. */
struct handshake;

/* A connection came: takes a place for it, for which perhaps the oldest one
 * has to go.  NULL: it is refused. */
struct handshake *handshake_begin (const struct sockaddr *sa,
                                   const char *listener_uri);
/* It is gone before it was listed. */
void handshake_drop (struct handshake *handshake);
/* On its reactor: from here on it may have to go.  Then lost is called there,
 * and calls handshake_over.  name is the peer's, for the log, and constant. */
void handshake_list (struct handshake *handshake, struct reactor *reactor,
                     const char *name,
                     void (*lost) (void *connection, const char *reason),
                     void *connection);
/* On its reactor: it passed Connect or is gone.  NULL is allowed, and left
 * behind. */
void handshake_over (struct handshake **handshake);

/* tcp-connection.c: it counts among those from here on. */
void tcp_connection_set_handshake (struct tcp_connection *connection,
                                   struct handshake *handshake);

/* --- rdma-listener.c, which a build may lack --------------------------------- */

struct rdma_listener;

/* number: the target's. */
int rdma_listener_open (struct target *target, uint8_t number,
                        struct address *address,
                        struct reactor *const *reactors, unsigned nr_reactors,
                        struct rdma_listener **listener, struct error *err);
/* These two on reactor 0.  False: it cannot be watched, and says so. */
bool rdma_listener_start (struct rdma_listener *listener);
void rdma_listener_stop (struct rdma_listener *listener);
void rdma_listener_close (struct rdma_listener *listener);

#endif
