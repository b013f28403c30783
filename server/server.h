/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server as a whole: reactors, target, pools, listeners and the control
 * socket, in the order in which they need each other.
 *
 *   start   reactors made -> pools opened (locks taken) -> listeners bound
 *           -> reactors run -> listeners accept -> control socket: ready
 *   stop    the other way round, and hosts are drained in between
 *
 * Unix sockets are bound after the pools' locks are held, so that a dead
 * server's are replaced by its successor and by nobody else.
 */
#ifndef QBD_SERVER_H
#define QBD_SERVER_H

#include "common/error.h"
#include "server/options.h"

struct server;
struct volumes;
struct listeners;

/* options are complete and stay in place. */
int server_start (const struct options *options, struct server **server,
                  struct error *err);

/* What a reload changes, by one thread. */
struct volumes *server_volumes (struct server *server);
struct listeners *server_listeners (struct server *server);
void server_set_limits (const struct options *options);
/* Whether volumes without a list are for any host. */
void server_set_masking (struct server *server,
                         const struct options *options);

/* Ends every connection, awaits what is in flight, and frees.  It takes as
 * long as the storage does: the caller bounds the time. */
void server_stop (struct server *server);

#endif
