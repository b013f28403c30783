/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's listeners and connections.  Transport and target meet in
 * target.h; main and control only start and stop listeners.
 *
 * How each transport fills target.h's contract:
 *
 *                   TCP                            verbs
 *  target_queue     a stream                       a queue pair
 *  target_command   in a request of the reactor's  in a request of the
 *                   pool                           device's shared receive
 *                                                  queue, with its capsule
 *  queue_init       after accept                   on CONNECT_REQUEST: QID and
 *                                                  HSQSIZE of the private data
 *                                                  are kept, and QID compared
 *                                                  with Connect's, once LIVE
 *  queue_heard      each receive                   each receive completion
 *  queue_limit      before a request is taken      before prepare: the capsule
 *                                                  is in an SRQ buffer already,
 *                                                  which is reposted
 *  prepare          SGL 5Ah (transport) or 01h     SGL keyed (its 24-bit
 *                   (in the capsule)               length), or 01h
 *  its 0            buffer, then R2T               registered buffer, then
 *                                                  RDMA READ of addr, rkey
 *  execute          last H2CData is here           READ completion
 *  fail             data digest wrong              READ failed
 *  complete         C2HData and response, or only  RDMA WRITE of result_bytes
 *                   C2HData with SUCCESS           chained to SEND, or SEND
 *                                                  WITH INV of rkey where the
 *                                                  descriptor asks for it
 *  done             all of it was sent             SEND completion (a WRITE
 *                                                  before it is then over);
 *                                                  repost to the SRQ
 *  ops->close       flush, then close              drain the send queue, then
 *                                                  rdma_disconnect; an admin
 *                                                  queue refuses commands for a
 *                                                  while, as Linux sends some
 *  disconnected     stream closed                  DISCONNECTED; READs and SENDs
 *                                                  in flight end as flushed
 *                                                  work and lead to done
 *  buffers          aligned memory of the pool     pieces of a region that is
 *                                                  registered with the device
 *  in the ops       SGLS 21, 20; 16 KiB            SGLS 2 (keyed), 20; what the
 *                                                  SRQ's buffers hold
 *
 * Both: a command's buffer belongs to the transport and stays in place until
 * complete (and until done when data are sent from it), even when the
 * connection is long gone: the engine may be writing from it.
 */
#ifndef QBD_SERVER_TRANSPORT_H
#define QBD_SERVER_TRANSPORT_H

#include "common/address.h"
#include "common/error.h"
#include "common/stream.h"
#include "server/reactor/reactor.h"
#include "server/target/target.h"

struct listener;

/* Bind and listen: address gets its real port.  number: the target's.  No
 * connection is accepted before listener_start. */
int listener_open (struct target *target, uint8_t number,
                   struct address *address, struct reactor *const *reactors,
                   unsigned nr_reactors, struct listener **listener,
                   struct error *err);
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
