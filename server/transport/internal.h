/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all transports of the server share.
 */
#ifndef QBD_TRANSPORT_INTERNAL_H
#define QBD_TRANSPORT_INTERNAL_H

#include <sys/socket.h>

#include "server/transport/transport.h"

/* A connection came (+1), or is gone with all its memory (-1): any thread. */
void transport_count (int change);

/* A socket address as a numeric one of this family. */
void transport_fill_address (struct address *address,
                             enum address_family family,
                             const struct sockaddr *sa);

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
