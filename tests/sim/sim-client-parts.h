/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the parts of the simulated client: sim-client.c drives it and judges
 * how long requests wait, sim-client-load.c makes the requests, and
 * sim-client-map.c asks for block status.
 */
#ifndef QBD_SIM_CLIENT_PARTS_H
#define QBD_SIM_CLIENT_PARTS_H

#include "lib/internal.h"
#include "plugin/blocks.h"
#include "tests/sim/sim-client.h"
#include "tests/sim/world.h"

#define DEPTH_MAX 64

struct op {
  struct qbd_aio aio;
  struct sim_client *client;
  enum io_op kind;
  uint32_t block, count;
  uint64_t at;                  /* model's beginning of it */
  uint64_t begun_ms;            /* in flight */
  uint8_t *data;
  unsigned flags;               /* QBD_* */
  enum {
    OP_NONE,
    OP_WAITS,                   /* for room in the queue */
    OP_IN_FLIGHT,
  } state;
};

struct sim_client {
  struct sim_port ports[PATHS_MAX];     /* one for each path */
  struct model *model;
  struct sim_client_params params;
  struct association *associations[PATHS_MAX];
  struct paths *paths;          /* theirs, when they are there */
  struct qbd_volume *volume;
  struct range_lock range_lock;
  struct blocks blocks;         /* where requests need not fit */
  struct world_source clock;
  uint64_t tick_ms;
  uint64_t frozen_until_us;
  uint64_t changed_at, flushed_at;      /* model's, of what succeeded last */
  bool power_lost;
  bool at_risk;                 /* and there was something to lose */
  uint64_t at_risk_since;       /* model's */
  struct op ops[DEPTH_MAX];
  unsigned depth, in_flight, waiting, left, ended;
  uint32_t read_all_next;       /* block; nr_blocks: not reading all */
  struct {                      /* one question at a time, beside the ops */
    struct block_status status;
    struct association *over;
    struct request request;
    uint64_t at;                /* model's beginning of this round */
    uint64_t next_bytes;        /* where the next extent must begin */
    unsigned left;              /* questions */
    bool asked, under_way, answered;
  } map;
  uint32_t grown_blocks;        /* what nr_blocks becomes; or the same */
  bool loss_expected;
  uint64_t away_since_ms;       /* 0: it is not */
  uint64_t thawed_ms;
  uint64_t pause_until_ms;      /* after a request that failed */
  struct association_params wanted;     /* of its paths */
  unsigned lives;               /* how often it was opened anew */
  uint64_t reopen_ms;           /* no sooner */
  bool cache_lost;              /* what was retained may be needed */
  bool wrong;
};

/* sim-client.c */
/* Something happened that must not. */
void sim_client_complain (struct sim_client *client, const char *what,
                          int code);
/* Who writes in this life, to the model. */
const void *sim_client_writer (const struct sim_client *client,
                               unsigned life);
/* A request, without anything being wrong. */
bool sim_client_may_fail (const struct sim_client *client);

/* sim-client-load.c */
void sim_client_submit (struct sim_client *client);
/* A range of whole blocks of the volume. */
void sim_client_choose_whole (struct sim_client *client, uint32_t *block,
                              uint32_t *count);

/* sim-client-map.c */
void sim_client_ask_map (struct sim_client *client);

#endif
