/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's listeners and connections.  Transport and target meet in
 * target.h; main and control only start and stop listeners.
 */
#ifndef QBD_SERVER_TRANSPORT_H
#define QBD_SERVER_TRANSPORT_H

#include "common/address.h"
#include "common/error.h"
#include "common/stream.h"
#include "server/reactor/reactor.h"
#include "server/target/target.h"

struct listener;

/* Bind and listen: address gets its real port.  No connection is accepted
 * before listener_start. */
int listener_open (struct target *target, struct address *address,
                   struct reactor *const *reactors, unsigned nr_reactors,
                   struct listener **listener, struct error *err);
/* Accept on reactor 0, hand connections to the reactors in turn. */
void listener_start (struct listener *listener);
/* Stop accepting; connections live on.  Removes a Unix socket's file. */
void listener_close (struct listener *listener);

/* A connection over any stream, on this reactor; it owns the stream.  When
 * the stream has a descriptor, the reactor watches it; otherwise (simulator)
 * its owner calls tcp_connection_ready whenever bytes came or there is room. */
struct tcp_connection;
struct tcp_connection *tcp_connection_open (struct target *target,
                                            struct reactor *reactor,
                                            struct stream *stream,
                                            const struct target_portal *portal);
void tcp_connection_ready (struct tcp_connection *connection);

/* After every listener was closed and target_drain: closes the connections
 * that belong to no controller (yet), and waits until none of any kind is
 * left.  Any thread but a reactor's; its caller bounds the time. */
void transport_drain (void);

/* Connections that still exist, over all reactors: any thread. */
unsigned transport_connections (void);

#endif
