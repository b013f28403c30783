/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real server in the simulated world: reactors, target and TCP transport
 * over a simulated disk with one volume.  Clients reach it through simulated
 * links.  The machine it runs on outlives its processes.
 */
#ifndef QBD_SIM_SERVER_H
#define QBD_SIM_SERVER_H

#include <stdint.h>

#include <nvme/types.h>

#include "tests/sim/sim-stream.h"

struct sim_server;

struct sim_server *sim_server_new (unsigned nr_reactors,
                                   const struct sim_network *network,
                                   uint32_t block_size, uint32_t nr_blocks,
                                   uint32_t most_blocks);
/* The volume's NQN. */
const char *sim_server_nqn (struct sim_server *server);

/* Where a client is in the network: what its ends call when bytes came.  One
 * for each client, and constant while it has links. */
struct sim_port {
  struct sim_server *server;
  unsigned path;                /* its number, for faults */
  void (*ready) (void *opaque);
  void *opaque;
};

/* A new connection: the client's end.  The shape of association_params.dial,
 * opaque is the port.  NULL while no process listens. */
struct stream *sim_server_dial (void *opaque, uint16_t qid, int timeout_ms,
                                struct error *err);

/* --- what happens to it ------------------------------------------------------ */

/* The volume grows, to no more than most_blocks; attached hosts are told. */
void sim_server_grow (struct sim_server *server, uint32_t nr_blocks);
/* What a path is good for, from now on; hosts are told. */
void sim_server_set_ana (struct sim_server *server, unsigned path,
                         enum nvme_ana_state state);
/* Every connection there is ends: of one path, or of all (ALL_PATHS). */
#define ALL_PATHS UINT32_MAX
void sim_server_cut (struct sim_server *server, unsigned path);
/* What is under way on the connections that there are takes until then; the
 * rest of the network is well. */
void sim_server_stall (struct sim_server *server, unsigned path,
                       uint64_t longest_us);
/* And nothing else gets through either. */
void sim_server_part (struct sim_server *server, unsigned path,
                      uint64_t until_us);
/* The process is stopped. */
void sim_server_freeze (struct sim_server *server, uint64_t until_us);
/* SIGKILL; with the machine's power, or not. */
void sim_server_kill (struct sim_server *server, bool power);
/* SIGTERM. */
void sim_server_stop (struct sim_server *server);
/* Another process, as soon as there is none. */
void sim_server_start (struct sim_server *server);
bool sim_server_can_start (struct sim_server *server);

/* All clients have gone: true when the server let go of them, so that its
 * volume can be removed; it is then.  Call once. */
bool sim_server_retire (struct sim_server *server);
/* After world_end. */
void sim_server_free (struct sim_server *server);

#endif
