/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real server in the simulated world: reactors, target, TCP transport
 * and a ram pool with one volume.  Clients reach it through simulated links.
 */
#ifndef QBD_SIM_SERVER_H
#define QBD_SIM_SERVER_H

#include <stdint.h>

#include "tests/sim/sim-stream.h"

struct sim_server;

struct sim_server *sim_server_new (unsigned nr_reactors,
                                   const struct sim_network *network,
                                   uint32_t block_size, uint64_t size_bytes);
/* The volume's NQN. */
const char *sim_server_nqn (struct sim_server *server);
/* A new connection: the client's end.  The shape of association_params.dial,
 * opaque is the server. */
struct stream *sim_server_dial (void *opaque, uint16_t qid, int timeout_ms,
                                struct error *err);
/* The volume grows, and attached hosts are told. */
void sim_server_grow (struct sim_server *server, uint64_t size_bytes);
/* Cut every connection there is. */
void sim_server_cut (struct sim_server *server);
/* What the client's ends call when bytes came. */
void sim_server_on_ready (struct sim_server *server,
                          void (*ready) (void *opaque), void *opaque);
/* All clients have gone: true when the server let go of them, so that its
 * volume can be removed; it is then.  Call once. */
bool sim_server_retire (struct sim_server *server);
/* After world_end. */
void sim_server_free (struct sim_server *server);

#endif
