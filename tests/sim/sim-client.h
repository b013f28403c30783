/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real client in the simulated world: an association and a volume over
 * simulated links, driven by events, and a load that a model judges.
 */
#ifndef QBD_SIM_CLIENT_H
#define QBD_SIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/volume-model.h"
#include "tests/sim/sim-server.h"

struct sim_client;

struct sim_client_params {
  uint32_t nr_io_queues;
  uint32_t queue_size;
  bool hdr_digest, data_digest;
  uint32_t block_size, nr_blocks;       /* as requests count */
  uint32_t blocks_each;         /* in a block of the volume: with more than one,
                                   requests go through the plugin's code for
                                   those that do not fit */
  bool reconnects;
  unsigned nr_paths;
  bool absent;                  /* the last of several is not there at first */
  unsigned policy;              /* enum options_policy */
  uint64_t seed;                /* of its pauses */
  bool foreign;                 /* the server is taken for one */
  bool unfenced, forgetful, epochless, disorderly, hasty;
  bool caches;                  /* each path seems to have one of its own */
  uint64_t retain_bytes;        /* then no loss of power is noticed */
  bool flushes;                 /* and discards: else it reads and writes */
  uint32_t io_tmo_ms;
  /* With one of them, a request may fail, and no later than that. */
  uint32_t ctrl_loss_tmo_ms, fast_io_fail_tmo_ms;       /* UINT32_MAX: off */
  bool reopens;                 /* what it had to give up */
};

/* Begins to attach.  Drive the world until sim_client_is_attached. */
struct sim_client *sim_client_new (struct sim_server *server,
                                   struct model *model,
                                   const struct sim_client_params *params);
bool sim_client_is_attached (struct sim_client *client);

/* Random requests, depth in flight, nr in all. */
void sim_client_load (struct sim_client *client, unsigned depth,
                      unsigned nr);
/* The volume will have so many blocks: until the client knows, the old number
 * is right as well.  Then requests go to the new ones, too. */
void sim_client_expect_growth (struct sim_client *client, uint32_t nr_blocks);
bool sim_client_has_grown (struct sim_client *client);
/* From now on a request may fail, but it must end. */
void sim_client_expect_loss (struct sim_client *client);
/* It takes the connections of a path for lost, whatever they are. */
void sim_client_lose (struct sim_client *client, unsigned path);
/* The server's machine lost its power: what was not flushed may be gone, and a
 * flush must not hide that. */
void sim_client_power_lost (struct sim_client *client);
/* Its process is stopped. */
void sim_client_freeze (struct sim_client *client, uint64_t until_us);
/* Reads the whole volume. */
void sim_client_read_all (struct sim_client *client);
/* Its association was given up, and is not made anew. */
bool sim_client_is_dead (struct sim_client *client);
/* Nothing is in flight and nothing is left to submit. */
bool sim_client_is_idle (struct sim_client *client);
unsigned sim_client_nr_ended (struct sim_client *client);
/* False once something happened that must not. */
bool sim_client_is_right (struct sim_client *client);

/* Idle. */
void sim_client_free (struct sim_client *client);

#endif
