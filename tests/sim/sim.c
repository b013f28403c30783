/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Deterministic simulation: the real client and the real server in one
 * process and one thread, over a simulated network on a virtual clock.  A
 * seed determines everything; a failing seed replays exactly.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/sim/model.h"
#include "tests/sim/sim-client.h"
#include "tests/sim/sim-server.h"
#include "tests/sim/world.h"

#define MINUTE_US (60 * UINT64_C (1000000))

struct scenario {
  struct sim_network network;
  struct sim_client_params client;
  unsigned nr_reactors;
  unsigned depth, nr_requests;
  unsigned grow_after;          /* requests ended */
  uint32_t grown_blocks;
  unsigned cut_after;           /* requests ended; more than nr: no cut */
};

static bool verbose;

static void
choose_scenario (struct scenario *s)
{
  static const uint32_t delays_us[] = { 1, 50, 1000, 20000 };
  static const uint32_t windows[] = { 2048, 16384, 65536, 1 << 20 };

  s->network.delay_min_us = delays_us[world_chance (0, 3)];
  s->network.delay_max_us = s->network.delay_min_us
                            + (uint32_t) world_chance (0, 20000);
  s->network.window_bytes = windows[world_chance (0, 3)];
  s->network.pieces = world_chance (0, 3) > 0;
  s->client.nr_io_queues = (uint32_t) world_chance (1, 4);
  s->client.queue_size = (uint32_t) world_chance (2, 64);
  s->client.hdr_digest = world_once_in (3);
  s->client.data_digest = world_once_in (3);
  s->client.block_size = world_once_in (3) ? 4096 : 512;
  s->client.nr_blocks = (uint32_t) world_chance (64, 6144);
  if (s->client.block_size == 4096)
    s->client.nr_blocks = (uint32_t) world_chance (64, 768);
  s->nr_reactors = (unsigned) world_chance (1, 3);
  s->depth = (unsigned) world_chance (1, 32);
  s->nr_requests = (unsigned) world_chance (100, 600);
  s->cut_after = (unsigned) world_chance (s->nr_requests / 4,
                                          s->nr_requests);
  s->grow_after = (unsigned) world_chance (0, s->cut_after);
  s->grown_blocks = s->client.nr_blocks + (uint32_t) world_chance (1, 512);
}

/* Lets the world go on until ready (client), for limit_us at most. */
static bool
run_until (struct sim_client *client, bool (*ready) (struct sim_client *),
           uint64_t limit_us, const char *what)
{
  const uint64_t until_us = world_now_us () + limit_us;

  while (!ready (client)) {
    if (!sim_client_is_right (client))
      return false;
    if (!world_step (until_us)) {
      fprintf (stderr, "sim: %s: not within %llu simulated seconds\n", what,
               (unsigned long long) limit_us / 1000000);
      return false;
    }
  }
  return sim_client_is_right (client);
}

static unsigned load_until;     /* requests ended */

static bool
load_is_there (struct sim_client *client)
{
  return sim_client_nr_ended (client) >= load_until
         || sim_client_is_idle (client);
}

/* The volume grows under the load, and the client learns it. */
static bool
load_and_grow (struct sim_client *client, struct sim_server *server,
               const struct scenario *s)
{
  load_until = s->grow_after;
  if (!run_until (client, load_is_there, 60 * MINUTE_US, "load"))
    return false;
  sim_client_expect_growth (client, s->grown_blocks);
  sim_server_grow (server, (uint64_t) s->grown_blocks * s->client.block_size);
  return run_until (client, sim_client_has_grown, MINUTE_US, "new size");
}

/* A load; in the midst of it the volume grows, and all connections are
 * lost. */
static bool
load_and_cut (struct sim_server *server, struct model *model,
              const struct scenario *s)
{
  struct sim_client *client = sim_client_new (server, model, &s->client);
  bool right;

  right = run_until (client, sim_client_is_attached, MINUTE_US, "attach");
  if (right) {
    sim_client_load (client, s->depth, s->nr_requests);
    right = load_and_grow (client, server, s);
    load_until = s->cut_after;
    right = right && run_until (client, load_is_there, 60 * MINUTE_US, "load");
    sim_client_expect_loss (client);
    sim_server_cut (server);
    right = run_until (client, sim_client_is_idle, MINUTE_US,
                       "requests of a lost connection") && right;
  }
  if (right)
    sim_client_free (client);
  return right;
}

/* A new association finds what the model allows, and leaves. */
static bool
read_back (struct sim_server *server, struct model *model,
           const struct scenario *s)
{
  struct sim_client_params params = s->client;
  struct sim_client *client;
  bool right;

  params.nr_blocks = s->grown_blocks;
  client = sim_client_new (server, model, &params);
  right = run_until (client, sim_client_is_attached, MINUTE_US,
                     "attach again");
  if (right) {
    sim_client_read_all (client);
    right = run_until (client, sim_client_is_idle, 60 * MINUTE_US,
                       "read all");
  }
  if (right)
    sim_client_free (client);
  return right;
}

static bool
run_seed (uint64_t seed, uint64_t *fingerprint)
{
  struct scenario s;
  struct sim_server *server;
  struct model *model;
  uint64_t until_us;
  bool right;

  world_begin (seed);
  choose_scenario (&s);
  if (verbose)
    printf ("seed %llu: delay %u..%u us, window %u, %u queues of %u, "
            "digests %d %d, %u blocks of %u, depth %u, %u blocks after %u, "
            "cut after %u of %u\n",
            (unsigned long long) seed, s.network.delay_min_us,
            s.network.delay_max_us, s.network.window_bytes,
            s.client.nr_io_queues, s.client.queue_size, s.client.hdr_digest,
            s.client.data_digest, s.client.nr_blocks, s.client.block_size,
            s.depth, s.grown_blocks, s.grow_after, s.cut_after,
            s.nr_requests);
  model = model_new (s.client.block_size, s.grown_blocks);
  server = sim_server_new (s.nr_reactors, &s.network, s.client.block_size,
                           (uint64_t) s.client.nr_blocks
                           * s.client.block_size);
  right = load_and_cut (server, model, &s) && read_back (server, model, &s);
  if (right) {
    /* Whatever is still under way arrives; then nothing may be left. */
    until_us = world_now_us () + 5 * MINUTE_US;
    while (world_step (until_us))
      ;
    right = sim_server_retire (server);
  }
  *fingerprint = world_fingerprint ();
  model_free (model);
  world_end ();
  if (right)
    sim_server_free (server);
  return right;
}

static void
usage (FILE *to)
{
  fprintf (to,
           "Usage: sim [--seed N | --seeds N [--from N]] [--twice] [-v]\n"
           "Run client and server in a simulated world.\n\n"
           "  --seed N     this seed only\n"
           "  --seeds N    so many seeds (100)\n"
           "  --from N     beginning with this one (1)\n"
           "  --twice      each twice: both runs must be the same\n"
           "  -v           say what each seed does\n");
}

int
main (int argc, char *argv[])
{
  static const struct option options[] = {
    { "seed", required_argument, NULL, 's' },
    { "seeds", required_argument, NULL, 'n' },
    { "from", required_argument, NULL, 'f' },
    { "twice", no_argument, NULL, 't' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
  };
  unsigned long long from = 1, nr = 100, seed;
  uint64_t fingerprint, again;
  bool twice = false;
  int c;

  while ((c = getopt_long (argc, argv, "v", options, NULL)) != -1)
    switch (c) {
    case 's': from = strtoull (optarg, NULL, 0); nr = 1; break;
    case 'n': nr = strtoull (optarg, NULL, 0); break;
    case 'f': from = strtoull (optarg, NULL, 0); break;
    case 't': twice = true; break;
    case 'v': verbose = true; break;
    case 'h': usage (stdout); return 0;
    default: usage (stderr); return 2;
    }
  log_open ("sim", verbose ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);

  for (seed = from; seed < from + nr; seed++) {
    if (!run_seed (seed, &fingerprint)
        || (twice && !run_seed (seed, &again))) {
      fprintf (stderr, "sim: seed %llu failed: replay with --seed %llu -v\n",
               seed, seed);
      return 1;
    }
    if (twice && fingerprint != again) {
      fprintf (stderr, "sim: seed %llu: two runs differ\n", seed);
      return 1;
    }
  }
  printf ("sim: %llu seeds passed\n", nr);
  return 0;
}
