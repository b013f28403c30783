/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real client in the simulated world: it is attached, driven, and opened
 * anew when it had to give up; and how long its requests wait is judged.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim-client-parts.h"
#include "tests/sim/world.h"

#define PATIENCE_SLACK_MS 2000
#define HOST_NQN "nqn.2014-08.org.nvmexpress:uuid:" \
                 "11111111-2222-4333-8444-555555555555"

static void drive (void *opaque);

void
sim_client_complain (struct sim_client *client, const char *what, int code)
{
  struct error why = { 0 };

  if (client->wrong)
    return;                     /* once is enough */
  client->wrong = true;
  fprintf (stderr, "sim: %llu ms: client: %s: %s\n",
           (unsigned long long) world_now_ms (), what, strerror (code));
  for (unsigned i = 0; i < client->params.nr_paths; i++) {
    if (client->associations[i] == NULL)
      continue;
    why.code = 0;
    association_get_state (client->associations[i], &why);
    if (why.code)
      fprintf (stderr, "sim: client: association: %s\n", why.message);
  }
}

/* --- how long requests wait ----------------------------------------------- */

const void *
sim_client_writer (const struct sim_client *client, unsigned life)
{
  return (const char *) client + life % sizeof *client;
}

static bool
is_live (const struct sim_client *client)
{
  struct error why;

  return paths_describe (client->paths, &why);
}

/* Connected again, all that can be waited for is an old controller's end. */
static uint32_t
patience_ms (const struct sim_client *client)
{
  const struct sim_client_params *params = &client->params;

  if (is_live (client))
    return params->fast_io_fail_tmo_ms;
  return params->ctrl_loss_tmo_ms < params->fast_io_fail_tmo_ms ?
    params->ctrl_loss_tmo_ms : params->fast_io_fail_tmo_ms;
}

bool
sim_client_may_fail (const struct sim_client *client)
{
  return client->loss_expected
         || client->params.ctrl_loss_tmo_ms != UINT32_MAX
         || client->params.fast_io_fail_tmo_ms != UINT32_MAX;
}

/* For too long, what began then. */
static bool
has_waited (const struct sim_client *client, uint64_t begun_ms)
{
  uint64_t since_ms = client->away_since_ms;

  if (begun_ms > since_ms)
    since_ms = begun_ms;
  if (client->thawed_ms > since_ms)
    since_ms = client->thawed_ms;
  return world_now_ms () > since_ms + patience_ms (client) + PATIENCE_SLACK_MS;
}

/* At libqbd's gate, that is: what the server has may take as long as the disk
 * does. */
static bool
any_is_held (const struct sim_client *client)
{
  struct qbd_inflight list[4 * DEPTH_MAX];      /* of each, its window */
  int nr = qbd_list_inflight (client->volume, list, 4 * DEPTH_MAX);

  for (int i = 0; i < nr && i < 4 * DEPTH_MAX; i++)
    if (strcmp (list[i].stage, "old-controller") == 0
        || strcmp (list[i].stage, "connection") == 0)
      return true;
  return false;
}

static bool
any_has_waited (const struct sim_client *client)
{
  if (is_live (client))
    return has_waited (client, 0) && any_is_held (client);
  /* That it is lost once more, the keeper sees in a moment. */
  if (client->paths->nr == 1 && client->associations[0]->re.lost_ms == 0)
    return false;
  for (unsigned i = 0; i < client->depth; i++)
    if (client->ops[i].state == OP_IN_FLIGHT
        && has_waited (client, client->ops[i].begun_ms))
      return true;
  return false;
}

/* Every one ends in time, when no path leads anywhere. */
static void
judge_patience (struct sim_client *client)
{
  if (is_live (client) && (client->paths->nr > 1
                           || client->associations[0]->re.changing
                           || patience_ms (client) == UINT32_MAX))
    client->away_since_ms = 0;
  else if (client->away_since_ms == 0)
    client->away_since_ms = world_now_ms ();
  if (client->away_since_ms == 0 || patience_ms (client) == UINT32_MAX)
    return;
  if (any_has_waited (client))
    sim_client_complain (client, "a request outlives its time limit",
                         ETIMEDOUT);
}

/* --- size ----------------------------------------------------------------- */

static void
check_size (struct sim_client *client)
{
  struct sim_client_params *params = &client->params;
  const uint64_t have = qbd_get_size (client->volume);

  if (have == (uint64_t) params->nr_blocks * params->block_size)
    return;
  if (have != (uint64_t) client->grown_blocks * params->block_size)
    sim_client_complain (client, "the volume has another size", EPROTO);
  world_note (have);
  if (client->read_all_next == params->nr_blocks)       /* not reading all */
    client->read_all_next = client->grown_blocks;
  params->nr_blocks = client->grown_blocks;
}

/* --- driving -------------------------------------------------------------- */

static void
make_path (struct sim_client *client, unsigned i)
{
  struct association_params params = client->wanted;
  struct error err = { 0 };
  int r = 0;

  params.opaque = &client->ports[i];
  params.seed += i;
  params.cache = client->params.caches ? (uint64_t) i << 32 : 0;
  client->ports[i].path = i;
  client->associations[i] = association_create (&params, &err);
  if (client->associations[i] == NULL) {
    sim_client_complain (client, err.message, err.code);
    abort ();
  }
  if (!client->params.absent || i + 1 < client->params.nr_paths)
    r = association_start (client->associations[i], world_now_ms ());
  if (r < 0 && client->lives == 0)
    sim_client_complain (client, "association_start", -r);
}

static void
make_paths (struct sim_client *client)
{
  struct error err = { 0 };

  client->paths = paths_create (&client->wanted.options, &err);
  if (client->paths == NULL) {
    sim_client_complain (client, err.message, err.code);
    abort ();
  }
  for (unsigned i = 0; i < client->params.nr_paths; i++)
    make_path (client, i);
}

static void
free_paths (struct sim_client *client)
{
  if (client->volume)
    volume_free (client->volume);
  client->volume = NULL;
  for (unsigned i = 0; i < client->params.nr_paths; i++) {
    if (client->paths && client->paths->nr == 0)
      association_free (client->associations[i]);
    client->associations[i] = NULL;
  }
  paths_free (client->paths);
  client->paths = NULL;
}

/* What was retained is gone with it, and a loss of power shows. */
static void
forget_retained (struct sim_client *client)
{
  if (client->cache_lost)
    model_power_lost (client->model, client->params.blocks_each > 1);
  client->cache_lost = false;
}

/* No path is left, and requests are: opened anew, it begins anew. */
static void
reopen (struct sim_client *client)
{
  if (!client->params.reopens || !sim_client_is_dead (client)
      || client->in_flight + client->waiting > 0 || client->map.under_way
      || client->left == 0)
    return;
  world_note (client->lives);
  free_paths (client);
  forget_retained (client);
  client->lives++;
  client->reopen_ms = world_now_ms () + 100;
  client->tick_ms = client->reopen_ms;
  client->at_risk = client->power_lost = false;
  client->changed_at = client->flushed_at = client->away_since_ms = 0;
}

/* All are there; or it is wrong. */
static bool
attach (struct sim_client *client, uint64_t now_ms)
{
  unsigned nr = client->params.nr_paths, live = 0;
  struct error err = { 0 };

  if (client->params.absent)
    nr--;
  client->tick_ms = UINT64_MAX;
  for (unsigned i = 0; i < nr; i++) {
    struct association *association = client->associations[i];
    uint64_t next_ms;

    if (association_get_state (association, &err) != ASSOCIATION_LIVE)
      association_drive (association, now_ms);
    switch (association_get_state (association, &err)) {
    case ASSOCIATION_LIVE:
    case ASSOCIATION_DOWN:      /* it was, and will be again */
      live++;
      break;
    case ASSOCIATION_FAILED: case ASSOCIATION_LOST:
      if (client->lives == 0)
        sim_client_complain (client, err.message, err.code);
      free_paths (client);
      client->reopen_ms = client->tick_ms = now_ms + 500;
      return false;
    default:
      break;
    }
    next_ms = association_next_ms (association);
    if (next_ms < client->tick_ms)
      client->tick_ms = next_ms;
  }
  return live == nr;
}

static void
make_volume (struct sim_client *client, uint64_t now_ms)
{
  struct error err = { 0 };

  if (client->params.absent
      && association_prepare (client->associations
                              [client->params.nr_paths - 1],
                              client->associations[0], &err) < 0)
    sim_client_complain (client, err.message, err.code);
  for (unsigned i = 0; i < client->params.nr_paths; i++) {
    paths_add (client->paths, client->associations[i]);
    paths_look (client->associations[i], now_ms);
  }
  if (paths_retain (client->paths, &err) < 0)
    sim_client_complain (client, err.message, err.code);
  client->volume = volume_create (client->paths,
                                  &client->associations[0]->namespaces[0],
                                  0, &err);
  if (client->volume == NULL)
    sim_client_complain (client, err.message, err.code);
  client->blocks.volume = client->volume;
  client->blocks.lock = &client->range_lock;
  if (client->lives > 0)
    model_writer_gone (client->model,
                       sim_client_writer (client, client->lives - 1));
}

static void
tick_all (struct sim_client *client, uint64_t now_ms)
{
  client->tick_ms = UINT64_MAX;
  for (unsigned i = 0; i < client->params.nr_paths; i++) {
    uint64_t tick_ms = keeper_tick (client->associations[i], now_ms);

    if (tick_ms < client->tick_ms)
      client->tick_ms = tick_ms;
  }
}

static void
drive (void *opaque)
{
  struct sim_client *client = opaque;
  const uint64_t now_ms = world_now_ms ();

  if (world_now_us () < client->frozen_until_us)
    return;                     /* the clock source comes when it is over */
  if (client->volume == NULL) {
    if (now_ms < client->reopen_ms)
      return;
    if (client->paths == NULL)
      make_paths (client);
    if (attach (client, now_ms))
      make_volume (client, now_ms);
    return;
  }
  check_size (client);
  sim_client_submit (client);
  while (volume_pump (client->volume, now_ms) > 0)
    sim_client_submit (client);
  tick_all (client, now_ms);
  while (volume_pump (client->volume, now_ms) > 0)
    sim_client_submit (client);
  sim_client_ask_map (client);
  judge_patience (client);
  reopen (client);
}

static uint64_t
next_due_us (void *opaque)
{
  struct sim_client *client = opaque;
  uint64_t due_ms;

  if (world_now_us () < client->frozen_until_us)
    return client->frozen_until_us;
  due_ms = client->tick_ms;
  /* Also when the pause is over this very moment: nobody else comes. */
  if (client->left + client->waiting > 0 && client->in_flight == 0
      && client->volume && client->pause_until_ms < due_ms)
    due_ms = client->pause_until_ms;
  if (due_ms >= UINT64_MAX / 1000)
    return UINT64_MAX;
  /* Not in this instant again: time must pass. */
  if (due_ms <= world_now_ms ())
    return world_now_us () + 1000;
  return due_ms * 1000;
}

struct sim_client *
sim_client_new (struct sim_server *server, struct model *model,
                const struct sim_client_params *params)
{
  struct association_params a = {
    .dial = sim_server_dial,
    .reconnects = params->reconnects,
    .several = params->nr_paths > 1,
    .seed = params->seed,
    .foreign = params->foreign,
    .unfenced = params->unfenced,
    .forgetful = params->forgetful,
    .epochless = params->epochless,
    .disorderly = params->disorderly,
    .hasty = params->hasty,
  };
  struct sim_client *client = calloc (1, sizeof *client);

  if (client == NULL)
    abort ();
  if (range_lock_init (&client->range_lock) != 0)
    abort ();
  client->model = model;
  client->params = *params;
  client->read_all_next = client->grown_blocks = params->nr_blocks;
  for (unsigned i = 0; i < params->nr_paths; i++)
    client->ports[i] = (struct sim_port) {
      .server = server, .ready = drive, .opaque = client,
    };
  a.options = (struct options) {
    .nr_io_queues = params->nr_io_queues,
    .queue_size = params->queue_size,
    .keep_alive_tmo_ms = 5000,
    .connect_tmo_ms = 10000,
    .io_tmo_ms = params->io_tmo_ms,
    .ctrl_loss_tmo_ms = params->ctrl_loss_tmo_ms,
    .fast_io_fail_tmo_ms = params->fast_io_fail_tmo_ms,
    .reconnect_delay_ms = 2000,
    .retain_bytes = params->retain_bytes,
    .policy = params->policy,
    .nr_servers = params->nr_paths,
    .hdr_digest = params->hdr_digest,
    .data_digest = params->data_digest,
    .hostnqn = HOST_NQN,
    .hostid = { 0x11, 0x22, 0x33 },
  };
  snprintf (a.subnqn, sizeof a.subnqn, "%s", sim_server_nqn (server));
  client->clock = (struct world_source) {
    .next_due_us = next_due_us, .run = drive, .opaque = client,
  };
  world_add_source (&client->clock);
  client->wanted = a;
  make_paths (client);
  world_after (0, drive, client);
  return client;
}

/* --- what the scenario asks ----------------------------------------------- */

bool
sim_client_is_attached (struct sim_client *client)
{
  return client->volume != NULL;
}

void
sim_client_load (struct sim_client *client, unsigned depth, unsigned nr)
{
  assert (depth <= DEPTH_MAX);
  client->depth = depth;
  client->left = nr;
  client->map.left = 1 + nr / 4;
  world_after (0, drive, client);
}

void
sim_client_expect_growth (struct sim_client *client, uint32_t nr_blocks)
{
  client->grown_blocks = nr_blocks;
}

bool
sim_client_has_grown (struct sim_client *client)
{
  return client->params.nr_blocks == client->grown_blocks
         || sim_client_is_dead (client);
}

bool
sim_client_is_dead (struct sim_client *client)
{
  for (unsigned i = 0; i < client->params.nr_paths; i++)
    if (client->associations[i] == NULL || !client->associations[i]->dead)
      return false;
  return true;
}

void
sim_client_expect_loss (struct sim_client *client)
{
  client->loss_expected = true;
}

void
sim_client_lose (struct sim_client *client, unsigned path)
{
  if (client->associations[path])
    association_lose (client->associations[path], ETIMEDOUT, "by chance");
  world_after (0, drive, client);
}

void
sim_client_power_lost (struct sim_client *client)
{
  if (client->params.retain_bytes > 0) {
    client->cache_lost = true;
    if (client->lives > 0)      /* the last one's is not retained */
      model_power_lost (client->model, client->params.blocks_each > 1);
    return;
  }
  client->power_lost = true;
  if (client->changed_at <= client->flushed_at)
    return;
  client->at_risk = true;
  client->at_risk_since = model_flush_begins (client->model);
}

void
sim_client_freeze (struct sim_client *client, uint64_t until_us)
{
  client->frozen_until_us = until_us;
  client->thawed_ms = until_us / 1000;
}

void
sim_client_read_all (struct sim_client *client)
{
  client->read_all_next = 0;
  sim_client_load (client, 8, (client->params.nr_blocks + 63) / 64);
}

bool
sim_client_is_idle (struct sim_client *client)
{
  return client->in_flight == 0 && client->waiting == 0 && client->left == 0
         && !client->map.asked && client->map.left == 0;
}

unsigned
sim_client_nr_ended (struct sim_client *client)
{
  return client->ended;
}

bool
sim_client_is_right (struct sim_client *client)
{
  return !client->wrong;
}

void
sim_client_free (struct sim_client *client)
{
  assert (client->in_flight == 0);
  if (sim_client_is_dead (client))
    forget_retained (client);
  free_paths (client);
  range_lock_destroy (&client->range_lock);
  world_remove_source (&client->clock);
  free (client);
}
