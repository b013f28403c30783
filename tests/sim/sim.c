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
#include "common/volume-model.h"
#include "lib/internal.h"
#include "tests/sim/sim-call.h"
#include "tests/sim/sim-client.h"
#include "tests/sim/sim-server.h"
#include "tests/sim/world.h"

#define SECOND_US UINT64_C (1000000)
#define MINUTE_US (60 * SECOND_US)
#define CLIENTS_MAX 3
#define SOON_MS 3000            /* before the server gives a client up */

struct scenario {
  struct sim_network network;
  struct sim_client_params client;
  unsigned nr_reactors;
  unsigned nr_clients;
  unsigned depth, nr_requests;
  unsigned grow_after;          /* requests ended */
  uint32_t grown_blocks;
  unsigned cut_after;           /* requests ended; more than nr: no cut */
  unsigned nr_faults;           /* 0: cut, and nobody connects again */
};

static bool verbose;
static bool giving_up;          /* that is all that happens */
static bool without_fence, without_path_fence, without_left_behind,
  without_epoch, without_order, without_drain;

static void
choose_network (struct sim_network *network)
{
  static const uint32_t delays_us[] = { 1, 50, 1000, 20000 };
  static const uint32_t windows[] = { 2048, 16384, 65536, 1 << 20 };

  network->delay_min_us = delays_us[world_chance (0, 3)];
  network->delay_max_us = network->delay_min_us
                          + (uint32_t) world_chance (0, 20000);
  network->window_bytes = windows[world_chance (0, 3)];
  if (giving_up) {
    network->delay_min_us = 50;
    if (network->delay_max_us < network->delay_min_us)
      network->delay_max_us = network->delay_min_us;
    network->window_bytes = 65536;
  }
  network->pieces = world_chance (0, 3) > 0;
}

/* Each byte takes many events there. */
static bool
is_narrow (const struct scenario *s)
{
  return s->network.window_bytes < 16384;
}

/* Requests of one process need not fit blocks; between processes that is not
 * promised. */
static void
choose_blocks_each (struct scenario *s)
{
  s->client.blocks_each = 1;
  if (s->nr_clients > 1 || world_once_in (2))
    return;
  s->client.blocks_each = s->client.block_size == 4096 ? 8 : 4;
  s->client.block_size /= s->client.blocks_each;
  s->client.nr_blocks *= s->client.blocks_each;
  s->grown_blocks *= s->client.blocks_each;
}

/* Where a network is quick enough for them. */
static void
choose_limits (struct scenario *s)
{
  bool quick = s->network.delay_min_us <= 1000
               && s->network.window_bytes >= 65536;

  s->client.io_tmo_ms = 600000;  /* the slowest links need minutes */
  s->client.ctrl_loss_tmo_ms = s->client.fast_io_fail_tmo_ms = UINT32_MAX;
  if (s->nr_faults == 0 || !quick)
    return;
  if (world_once_in (2))
    s->client.io_tmo_ms = (uint32_t) world_chance (10000, 30000);
  if (world_once_in (4))
    s->client.fast_io_fail_tmo_ms = (uint32_t) world_chance (0, 20000);
  if (world_once_in (4))
    s->client.ctrl_loss_tmo_ms = (uint32_t) world_chance (1000, 20000);
  if (giving_up)
    s->client.ctrl_loss_tmo_ms = (uint32_t) world_chance (1000, SOON_MS);
}

/* All is in the rings, whatever came over what, and the cache is lost again
 * and again. */
static void
choose_no_flush (struct scenario *s)
{
  s->client.flushes = false;
  s->client.retain_bytes = 2 << 20;
  s->client.nr_blocks = (uint32_t) world_chance (8, 32);
  s->client.nr_io_queues = (uint32_t) world_chance (2, 4);
  s->client.queue_size = (uint32_t) world_chance (8, 64);
  s->depth = (unsigned) world_chance (8, 32);
}

static void
choose_scenario (struct scenario *s)
{
  choose_network (&s->network);
  s->client.nr_io_queues = (uint32_t) world_chance (1, 4);
  s->client.queue_size = (uint32_t) world_chance (2, 64);
  s->client.hdr_digest = world_once_in (3);
  s->client.data_digest = world_once_in (3);
  s->client.flushes = true;
  s->client.block_size = world_once_in (3) ? 4096 : 512;
  s->client.nr_blocks = (uint32_t) world_chance (64, 6144);
  if (s->client.block_size == 4096)
    s->client.nr_blocks = (uint32_t) world_chance (64, 768);
  if (is_narrow (s))
    s->client.nr_blocks = (uint32_t) world_chance (16, 64);
  s->nr_reactors = (unsigned) world_chance (1, 3);
  s->depth = (unsigned) world_chance (1, 32);
  s->nr_requests = (unsigned) world_chance (100, is_narrow (s) ? 150 : 600);
  s->cut_after = (unsigned) world_chance (s->nr_requests / 4,
                                          s->nr_requests);
  s->nr_clients = 1;
  s->nr_faults = 0;
  s->client.nr_paths = 1;
  if (world_once_in (4))
    goto size;
  s->nr_faults = (unsigned) world_chance (1, 6);
  s->nr_clients = (unsigned) world_chance (1, CLIENTS_MAX);
  s->nr_requests /= s->nr_clients;
  s->client.reconnects = true;
  s->client.foreign = world_once_in (4);
  s->client.nr_paths = world_once_in (2) ? 1 :
    (unsigned) world_chance (2, 4);
  s->client.absent = s->client.nr_paths > 1 && world_once_in (4);
  s->client.policy = (unsigned) world_chance (0, 2);
  s->client.unfenced = without_fence && s->client.nr_paths == 1;
  if (without_path_fence)
    s->client.unfenced = s->client.nr_paths > 1;
  /* One writer only can say what is newer. */
  if (s->nr_clients == 1 && world_once_in (2))
    s->client.retain_bytes = world_chance (1, 64) * 4096;
  /* As servers that have a cache each: what a lost path took is sent again
   * over those that are there, in the midst of what they have in flight. */
  s->client.caches = s->client.nr_paths > 1 && s->client.retain_bytes > 0
                     && world_once_in (2);
  s->client.hasty = without_drain;
  s->client.forgetful = without_left_behind;
  s->client.epochless = without_epoch;
  s->client.disorderly = without_order;
  /* Few blocks: that writes meet is what this is about. */
  if (world_once_in (2))
    s->client.nr_blocks = (uint32_t) world_chance (8, 64);
  if (s->client.retain_bytes > 0 && world_once_in (2))
    choose_no_flush (s);

 size:
  s->grow_after = (unsigned) world_chance (0, s->cut_after);
  s->grown_blocks = s->client.nr_blocks
                    + (uint32_t) world_chance (1, is_narrow (s) ? 64 : 512);
  choose_blocks_each (s);
  choose_limits (s);
}

/* --- a world ---------------------------------------------------------------- */

/* What is going on in this seed. */
static struct {
  const struct scenario *s;
  struct sim_server *server;
  struct model *model;
  struct sim_client *clients[CLIENTS_MAX];
  unsigned nr_clients;
  unsigned nr_faults;           /* to come */
} now;

static bool
all_right (void)
{
  for (unsigned i = 0; i < now.nr_clients; i++)
    if (!sim_client_is_right (now.clients[i]))
      return false;
  return true;
}

static bool
all (bool (*is) (struct sim_client *client))
{
  for (unsigned i = 0; i < now.nr_clients; i++)
    if (!is (now.clients[i]))
      return false;
  return true;
}

/* Lets the world go on until all clients are so, for limit_us at most. */
static bool
run_until (bool (*are) (struct sim_client *), uint64_t limit_us,
           const char *what)
{
  const uint64_t until_us = world_now_us () + limit_us;

  while (!all (are)) {
    if (!all_right ())
      return false;
    if (!world_step (until_us)) {
      fprintf (stderr, "sim: %s: not within %llu simulated seconds\n", what,
               (unsigned long long) limit_us / 1000000);
      return false;
    }
  }
  return all_right ();
}

static void
make_clients (unsigned nr, uint32_t nr_blocks)
{
  struct sim_client_params params = now.s->client;

  params.nr_blocks = nr_blocks;
  for (now.nr_clients = 0; now.nr_clients < nr; now.nr_clients++) {
    params.seed = world_chance (1, UINT64_MAX);
    params.reopens = giving_up || params.seed % 2;
    now.clients[now.nr_clients] = sim_client_new (now.server, now.model, &params);
  }
}

static void
free_clients (void)
{
  while (now.nr_clients > 0)
    sim_client_free (now.clients[--now.nr_clients]);
}

/* --- faults ----------------------------------------------------------------- */

/* Up to most_us, and short ones more often. */
static uint64_t
while_us (uint64_t most_us)
{
  return world_chance (0, world_once_in (3) ? most_us : most_us / 10);
}

static void
start_again (void *arg)
{
  if (sim_server_can_start (now.server))
    sim_server_start (now.server);
  else
    world_after (SECOND_US / 10, start_again, NULL);
}

static void
say (const char *what)
{
  world_note ((uint64_t) what[0]);
  if (verbose)
    printf ("%llu ms: %s\n", (unsigned long long) world_now_ms (), what);
}

static void
lose_power (void)
{
  sim_server_kill (now.server, true);
  /* Who retains what was not flushed loses nothing. */
  if (now.s->client.retain_bytes == 0)
    model_power_lost (now.model, now.s->client.blocks_each > 1);
  for (unsigned i = 0; i < now.nr_clients; i++)
    sim_client_power_lost (now.clients[i]);
}

static void
end_server (void)
{
  if (!now.s->client.flushes
      || world_once_in (now.s->client.retain_bytes > 0 ? 2 : 4)) {
    say ("power is lost");
    lose_power ();
  }
  else if (world_once_in (3)) {
    say ("the server is stopped");
    sim_server_stop (now.server);
  }
  else {
    say ("the server is killed");
    sim_server_kill (now.server, false);
  }
  world_after (while_us (20 * SECOND_US), start_again, NULL);
}

/* One path, more often than all of them. */
static unsigned
choose_path (void)
{
  if (now.s->client.nr_paths == 1 || world_once_in (4))
    return ALL_PATHS;
  return (unsigned) world_chance (0, now.s->client.nr_paths - 1);
}

/* The server does not know that, and has not even read all commands. */
static void
lose_stalled (unsigned path)
{
  struct sim_client *client =
    now.clients[world_chance (0, now.nr_clients - 1)];

  sim_server_stall (now.server, path, 5 * SECOND_US);
  for (unsigned i = 0; i < now.s->client.nr_paths; i++)
    if (path == ALL_PATHS || path == i)
      sim_client_lose (client, i);
}

/* It gives up meanwhile, and its commands arrive when it is there again. */
static void
lose_for_good (void)
{
  say ("connections stall, and a client gives up");
  sim_server_part (now.server, ALL_PATHS, world_now_us () + 1000 *
                   (uint64_t) now.s->client.ctrl_loss_tmo_ms + SECOND_US / 2);
  lose_stalled (ALL_PATHS);
}

static void
set_optimized (void *arg)
{
  sim_server_set_ana (now.server, (unsigned) (uintptr_t) arg,
                      NVME_ANA_STATE_OPTIMIZED);
}

/* For a while. */
static void
change_ana (unsigned path)
{
  if (path == ALL_PATHS)
    path = (unsigned) world_chance (0, now.s->client.nr_paths - 1);
  sim_server_set_ana (now.server, path,
                      world_once_in (3) ? NVME_ANA_STATE_NONOPTIMIZED :
                      NVME_ANA_STATE_INACCESSIBLE);
  world_after (while_us (20 * SECOND_US), set_optimized,
               (void *) (uintptr_t) path);
}

static void
do_fault (void)
{
  const uint64_t now_us = world_now_us ();
  const unsigned path = choose_path ();

  if (giving_up) {
    lose_for_good ();
    return;
  }
  if (now.s->client.nr_paths > 1
      && world_once_in (now.s->client.caches ? 2 : 8)) {
    say ("a path has another ANA state");
    change_ana (path);
    return;
  }
  switch (world_chance (0, now.s->client.flushes ? 6 : 12)) {
  case 0:
    say ("connections are cut");
    sim_server_cut (now.server, path);
    break;
  case 1:
    say ("connections stall");
    sim_server_stall (now.server, path, 30 * SECOND_US);
    break;
  case 2:
    say ("connections stall, and a client makes new ones");
    lose_stalled (path);
    break;
  case 3:
    say ("the network parts");
    sim_server_part (now.server, path, now_us + while_us (20 * SECOND_US));
    break;
  case 4:
    say ("the server freezes");
    sim_server_freeze (now.server, now_us + while_us (15 * SECOND_US));
    break;
  case 5:
    say ("a client freezes");
    sim_client_freeze (now.clients[world_chance (0, now.nr_clients - 1)],
                       now_us + while_us (15 * SECOND_US));
    break;
  default:
    end_server ();
    break;
  }
}

static void
fault_comes (void *arg)
{
  do_fault ();
  if (--now.nr_faults > 0)
    world_after (while_us (5 * SECOND_US), fault_comes, NULL);
}

static bool
faults_are_over (struct sim_client *client)
{
  return now.nr_faults == 0;
}

/* --- stories ---------------------------------------------------------------- */

static unsigned load_until;     /* requests ended */

static bool
load_is_there (struct sim_client *client)
{
  return sim_client_nr_ended (client) >= load_until
         || sim_client_is_idle (client);
}

/* What clients have to find out. */
static void
grow (void)
{
  for (unsigned i = 0; i < now.nr_clients; i++)
    sim_client_expect_growth (now.clients[i], now.s->grown_blocks);
  sim_server_grow (now.server,
                   now.s->grown_blocks / now.s->client.blocks_each);
}

/* A load; in the midst of it the volume grows, and all connections are
 * lost. */
static bool
load_and_cut (void)
{
  sim_client_load (now.clients[0], now.s->depth, now.s->nr_requests);
  load_until = now.s->grow_after;
  if (!run_until (load_is_there, 60 * MINUTE_US, "load"))
    return false;
  grow ();
  if (!run_until (sim_client_has_grown, MINUTE_US, "new size"))
    return false;
  load_until = now.s->cut_after;
  if (!run_until (load_is_there, 60 * MINUTE_US, "load"))
    return false;
  sim_client_expect_loss (now.clients[0]);
  sim_server_cut (now.server, ALL_PATHS);
  return run_until (sim_client_is_idle, MINUTE_US,
                    "requests of a lost connection");
}

/* Whose requests failed has not waited for the server. */
static void
let_server_come_back (void)
{
  const uint64_t until_us = world_now_us () + 2 * MINUTE_US;

  if (now.s->client.ctrl_loss_tmo_ms == UINT32_MAX
      && now.s->client.fast_io_fail_tmo_ms == UINT32_MAX)
    return;
  while (world_step (until_us))
    ;
}

/* A load, and all kinds of things happen; the clients notice nothing. */
static bool
load_and_survive (void)
{
  now.nr_faults = now.s->nr_faults;
  for (unsigned i = 0; i < now.nr_clients; i++)
    sim_client_load (now.clients[i], now.s->depth, now.s->nr_requests);
  world_after (while_us (3 * SECOND_US), fault_comes, NULL);
  load_until = now.s->grow_after / now.nr_clients;
  if (!run_until (load_is_there, 60 * MINUTE_US, "load"))
    return false;
  grow ();
  if (!run_until (faults_are_over, 60 * MINUTE_US, "faults")
      || !run_until (sim_client_is_idle, 60 * MINUTE_US, "load"))
    return false;
  let_server_come_back ();
  return run_until (sim_client_has_grown, 10 * MINUTE_US, "new size");
}

static bool
read_all (void)
{
  for (unsigned i = 0; i < now.nr_clients; i++)
    sim_client_read_all (now.clients[i]);
  return run_until (sim_client_is_idle, 60 * MINUTE_US, "read all");
}

/* A new association finds what the model allows, and leaves.  A path that
 * nobody needed may still be parted from the server. */
static bool
attach_and_read (void)
{
  bool right;

  sim_server_part (now.server, ALL_PATHS, world_now_us ());
  make_clients (1, now.s->grown_blocks);
  right = run_until (sim_client_is_attached, MINUTE_US, "attach again")
          && read_all ();
  if (right)
    free_clients ();
  return right;
}

static bool
run_story (void)
{
  bool right;

  make_clients (now.s->nr_clients, now.s->client.nr_blocks);
  right = run_until (sim_client_is_attached, MINUTE_US, "attach");
  if (right && now.s->nr_faults == 0)
    right = load_and_cut ();
  else if (right)
    right = load_and_survive () && read_all ();
  if (right)
    free_clients ();
  return right && attach_and_read ();
}

static void
describe (uint64_t seed, const struct scenario *s)
{
  printf ("seed %llu: delay %u..%u us, window %u, %u queues of %u, "
          "digests %d %d, %u blocks of %u (%u each), depth %u, "
          "%u blocks after %u, ",
          (unsigned long long) seed, s->network.delay_min_us,
          s->network.delay_max_us, s->network.window_bytes,
          s->client.nr_io_queues, s->client.queue_size, s->client.hdr_digest,
          s->client.data_digest, s->client.nr_blocks, s->client.block_size,
          s->client.blocks_each, s->depth, s->grown_blocks, s->grow_after);
  if (s->nr_faults == 0)
    printf ("cut after %u of %u\n", s->cut_after, s->nr_requests);
  else
    printf ("%u faults in %u times %u, %u paths%s%s, retain %llu%s\n",
            s->nr_faults, s->nr_clients, s->nr_requests, s->client.nr_paths,
            s->client.absent ? " (one absent)" : "",
            s->client.caches ? " with a cache each" : "",
            (unsigned long long) s->client.retain_bytes,
            s->client.foreign ? ", foreign" : "");
}

static bool
run_seed (uint64_t seed, uint64_t *fingerprint)
{
  struct scenario s = { 0 };
  uint64_t until_us;
  bool right;

  world_begin (seed);
  left_behind_forget ();
  choose_scenario (&s);
  if (verbose)
    describe (seed, &s);
  memset (&now, 0, sizeof now);
  now.s = &s;
  now.model = model_new (s.client.block_size, s.grown_blocks);
  now.server = sim_server_new (s.nr_reactors, &s.network,
                               s.client.block_size * s.client.blocks_each,
                               s.client.nr_blocks / s.client.blocks_each,
                               s.grown_blocks / s.client.blocks_each);
  right = run_story ();
  if (right) {
    /* Whatever is still under way arrives; then nothing may be left. */
    until_us = world_now_us () + 5 * MINUTE_US;
    while (world_step (until_us))
      ;
    right = sim_server_retire (now.server);
  }
  *fingerprint = world_fingerprint ();
  model_free (now.model);
  world_end ();
  if (right)
    sim_server_free (now.server);
  return right;
}

static void
usage (FILE *to)
{
  fprintf (to,
           "Usage: sim [--seed N | --seeds N [--from N]] [--twice] "
           "[--giving-up] [-v]\n"
           "Run client and server in a simulated world.\n\n"
           "  --seed N     this seed only\n"
           "  --seeds N    so many seeds (100)\n"
           "  --from N     beginning with this one (1)\n"
           "  --twice      each twice: both runs must be the same\n"
           "  --giving-up  clients lose their server for so long that they give\n"
           "               up, and open the volume anew\n"
           "  --without fence|path-fence|left-behind|epoch|order|drain|range-lock\n"
           "               without what must be there: it should be noticed\n"
           "  -v           say what each seed does\n");
}

static bool
switch_off (const char *what)
{
  if (strcmp (what, "fence") == 0)
    without_fence = true;
  else if (strcmp (what, "path-fence") == 0)
    without_path_fence = true;
  else if (strcmp (what, "left-behind") == 0)
    without_left_behind = true;
  else if (strcmp (what, "epoch") == 0)
    without_epoch = true;
  else if (strcmp (what, "order") == 0)
    without_order = true;
  else if (strcmp (what, "drain") == 0)
    without_drain = true;
  else if (strcmp (what, "range-lock") == 0)
    sim_call_without_locks ();
  else
    return false;
  return true;
}

int
main (int argc, char *argv[])
{
  static const struct option options[] = {
    { "seed", required_argument, NULL, 's' },
    { "seeds", required_argument, NULL, 'n' },
    { "from", required_argument, NULL, 'f' },
    { "twice", no_argument, NULL, 't' },
    { "giving-up", no_argument, NULL, 'g' },
    { "without", required_argument, NULL, 'w' },
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
    case 'g': giving_up = true; break;
    case 'w':
      if (!switch_off (optarg)) {
        usage (stderr);
        return 2;
      }
      break;
    case 'v': verbose = true; break;
    case 'h': usage (stdout); return 0;
    default: usage (stderr); return 2;
    }
  setvbuf (stdout, NULL, _IOLBF, 0);
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
