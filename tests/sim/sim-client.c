/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real client in the simulated world.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/internal.h"
#include "nvmeof/status.h"
#include "plugin/blocks.h"
#include "tests/sim/fiber.h"
#include "tests/sim/sim-call.h"
#include "tests/sim/sim-client.h"
#include "tests/sim/world.h"

#define DEPTH_MAX 64
#define PATIENCE_SLACK_MS 2000
#define HOST_NQN "nqn.2014-08.org.nvmexpress:uuid:" \
                 "11111111-2222-4333-8444-555555555555"

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

static void drive (void *opaque);

static void
complain (struct sim_client *client, const char *what, int code)
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

/* --- how long requests wait --------------------------------------------------------- */

/* Who writes in this life, to the model. */
static const void *
writer (const struct sim_client *client, unsigned life)
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

static bool
may_fail (const struct sim_client *client)
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
    complain (client, "a request outlives its time limit", ETIMEDOUT);
}

/* --- the load ------------------------------------------------------------------- */

/* What a flush did before power was lost counts, also when its answer comes
 * later; and of several paths each is flushed for itself: there only the data
 * tell. */
static void
flush_over (struct sim_client *client, const struct op *op)
{
  if (client->at_risk && client->params.nr_paths == 1) {
    if (op->at > client->at_risk_since)
      complain (client, "flush succeeded over a loss of power", EIO);
    client->at_risk = false;
  }
  model_flush_ends (client->model, writer (client, client->lives), op->at);
  if (op->at > client->flushed_at)
    client->flushed_at = op->at;
}

static void
op_over (struct qbd_aio *aio, int error)
{
  struct op *op = aio->opaque;
  struct sim_client *client = op->client;

  world_note (((uint64_t) op->kind << 48) ^ ((uint64_t) op->block << 16)
              ^ (uint64_t) error);
  if (error && !client->loss_expected)
    client->pause_until_ms = world_now_ms () + 200;
  if (error && !client->loss_expected
      && !(error == EIO && may_fail (client))
      && !(op->kind == IO_FLUSH && error == EIO && client->power_lost))
    complain (client, "request failed", error);
  if (error == 0)
    switch (op->kind) {
    case IO_READ:
      if (!model_read_ends (client->model, op->block, op->count, op->at,
                            op->data))
        client->wrong = true;
      break;
    case IO_WRITE: case IO_DISCARD: case IO_WRITE_ZEROES:
      model_write_ends (client->model, op->block, op->count, op->at,
                        op->flags & QBD_FUA);
      if (!(op->flags & QBD_FUA))
        client->changed_at = model_flush_begins (client->model);
      break;
    case IO_FLUSH:
      flush_over (client, op);
      break;
    }
  free (op->data);
  op->data = NULL;
  op->state = OP_NONE;
  client->in_flight--;
  client->ended++;
}

static enum io_op
choose_kind (const struct sim_client *client)
{
  uint64_t dice = world_chance (0, client->params.flushes ? 99 : 83);

  if (dice < 42)
    return IO_READ;
  if (dice < 84)
    return IO_WRITE;
  if (dice < 92)
    return IO_FLUSH;
  return dice < 96 ? IO_DISCARD : IO_WRITE_ZEROES;
}

static uint32_t
choose_count (uint32_t nr_blocks)
{
  uint64_t most = 8;

  if (world_once_in (8))
    most = nr_blocks < 512 ? nr_blocks : 512;
  if (world_once_in (64))
    most = nr_blocks;
  return (uint32_t) world_chance (1, most);
}

/* A range of whole blocks of the volume. */
static void
choose_whole (struct sim_client *client, uint32_t *block, uint32_t *count)
{
  const uint32_t each = client->params.blocks_each;
  const uint32_t nr = client->params.nr_blocks / each;

  *count = choose_count (nr);
  *block = (uint32_t) world_chance (0, nr - *count) * each;
  *count *= each;
}

static void
prepare_op (struct sim_client *client, struct op *op)
{
  size_t bytes;

  if (client->read_all_next < client->params.nr_blocks) {
    op->kind = IO_READ;
    op->block = client->read_all_next;
    op->count = client->params.nr_blocks - op->block;
    if (op->count > 64)
      op->count = 64;
    client->read_all_next += op->count;
  }
  else {
    op->kind = choose_kind (client);
    op->count = op->kind == IO_FLUSH ? 0
                : choose_count (client->params.nr_blocks);
    op->block = (uint32_t) world_chance (0, client->params.nr_blocks
                                            - op->count);
    if (op->kind == IO_DISCARD && client->params.blocks_each > 1)
      choose_whole (client, &op->block, &op->count);
  }
  bytes = (size_t) op->count * client->params.block_size;
  if (op->kind == IO_READ || op->kind == IO_WRITE) {
    op->data = malloc (bytes);
    if (op->data == NULL)
      abort ();
  }
}

static void
begin_op (struct sim_client *client, struct op *op)
{
  uint64_t number;

  switch (op->kind) {
  case IO_READ:
    op->at = model_read_begins (client->model);
    break;
  case IO_WRITE:
    number = model_write_begins (client->model,
                                 writer (client, client->lives), op->block,
                                 op->count, false, &op->at);
    model_fill (client->model, number, op->block, op->count, op->data);
    break;
  case IO_DISCARD: case IO_WRITE_ZEROES:
    model_write_begins (client->model, writer (client, client->lives),
                        op->block, op->count, true, &op->at);
    break;
  case IO_FLUSH:
    op->at = model_flush_begins (client->model);
    break;
  }
}

static int
run_call (struct sim_client *client, struct op *op)
{
  const uint32_t bytes = op->count * client->params.block_size;
  const uint64_t offset = (uint64_t) op->block * client->params.block_size;

  switch (op->kind) {
  case IO_READ:
    return blocks_read (&client->blocks, op->data, bytes, offset);
  case IO_WRITE:
    return blocks_write (&client->blocks, op->data, bytes, offset, op->flags);
  case IO_DISCARD:
    return blocks_trim (&client->blocks, bytes, offset, op->flags);
  case IO_WRITE_ZEROES:
    return blocks_zero (&client->blocks, bytes, offset, op->flags);
  case IO_FLUSH:
    return sim_flush (client->volume);
  }
  abort ();
}

/* In a fiber. */
static void
run_op (void *arg)
{
  struct op *op = arg;
  int r = run_call (op->client, op);

  op_over (&op->aio, r == 0 ? 0 : errno);
}

/* False: the queue is full, the operation stays for later. */
static bool
submit_op (struct sim_client *client, struct op *op)
{
  const uint32_t block_size = client->params.block_size;
  int r;

  op->begun_ms = world_now_ms ();
  if (client->params.blocks_each > 1) {
    op->state = OP_IN_FLIGHT;
    client->in_flight++;
    fiber_start (run_op, op);
    return true;
  }
  r = aio_submit (client->volume, &op->aio, op->kind, op->data,
                  (uint64_t) op->count * block_size,
                  (uint64_t) op->block * block_size, op->flags,
                  world_now_ms ());
  if (r == -EAGAIN) {
    if (client->in_flight == 0)
      complain (client, "queue full without a request in flight", EAGAIN);
    return false;
  }
  op->state = OP_IN_FLIGHT;
  client->in_flight++;
  if (r < 0)
    op_over (&op->aio, -r);
  return true;
}

static void
make_op (struct sim_client *client, struct op *op)
{
  memset (&op->aio, 0, sizeof op->aio);
  op->aio.done = op_over;
  op->aio.opaque = op;
  op->client = client;
  op->flags = 0;
  prepare_op (client, op);
  begin_op (client, op);
  if (op->kind == IO_WRITE && client->params.flushes && world_once_in (5))
    op->flags = QBD_FUA;
  if (op->kind == IO_WRITE_ZEROES && world_once_in (2))
    op->flags = QBD_NO_UNMAP;
  op->state = OP_WAITS;
  client->left--;
  client->waiting++;
}

static void
submit_what_fits (struct sim_client *client)
{
  unsigned i;

  while (sim_call_try_again ())
    ;
  if (world_now_ms () < client->pause_until_ms)
    return;
  for (i = 0; i < client->depth; i++) {
    struct op *op = &client->ops[i];

    if (op->state == OP_NONE && client->left > 0)
      make_op (client, op);
    if (op->state == OP_WAITS) {
      if (!submit_op (client, op))
        return;
      client->waiting--;
    }
  }
}

/* --- block status ----------------------------------------------------------------- */

/* What is called a hole of zeroes must be legal as zeroes. */
static int
map_extent (void *opaque, uint64_t offset, uint64_t count, unsigned status)
{
  static const uint8_t zeroes[4096];
  struct sim_client *client = opaque;
  const uint32_t block_size = client->params.block_size;
  uint64_t i;

  world_note (offset ^ (count << 20) ^ status);
  if (offset != client->map.next_bytes || count == 0)
    complain (client, "block status: a gap between extents", EPROTO);
  client->map.next_bytes = offset + count;
  if (status != 0 && status != (QBD_HOLE | QBD_ZERO))
    complain (client, "block status: neither data nor zeroes", EPROTO);
  for (i = offset; status != 0 && i < offset + count; i += block_size)
    if (!model_read_ends (client->model, (uint32_t) (i / block_size), 1,
                          client->map.at, zeroes))
      client->wrong = true;
  return 0;
}

/* [the admin queue is locked] */
static void
map_done (struct request *request)
{
  struct sim_client *client = (struct sim_client *)
    ((char *) request - offsetof (struct sim_client, map.request));

  client->map.answered = true;
  paths_leave (client->paths);
}

/* A question that got no answer is not asked again. */
static bool
gives_up (const struct sim_client *client)
{
  return client->paths->nr == 1 || paths_error (client->paths, false) != 0;
}

/* Over the only path, or one of several: when there is none, it is asked
 * later. */
static void
map_submit (struct sim_client *client)
{
  struct paths *paths = client->paths;
  struct association *association = paths->association[0];
  struct transport_request *t = &client->map.request.transport;
  struct queue *admin;
  int r = -ENOTCONN;

  client->map.asked = true;
  client->map.answered = false;
  paths_enter (paths);
  if (paths->nr > 1)
    association = paths_pick (paths, false);
  if (association == NULL) {
    paths_leave (paths);
    client->map.asked = !gives_up (client);
    return;
  }
  client->map.over = association;
  admin = association->admin;
  client->map.at = model_read_begins (client->model);
  memset (&client->map.request, 0, sizeof client->map.request);
  client->map.request.done = map_done;
  t->sqe = block_status_ask (&client->map.status);
  t->data = TRANSPORT_FROM_CONTROLLER;
  t->iov = (struct iovec) { &client->map.status.answer,
                            client->map.status.bytes };
  queue_lock (admin);
  queue_set_now_locked (admin, world_now_ms ());
  r = queue_submit_locked (admin, &client->map.request, true);
  queue_unlock (admin);
  queue_flush_sends (admin);
  client->map.under_way = r == 0;
  if (r < 0)
    paths_leave (paths);
  if (r < 0 && gives_up (client)) {
    client->map.asked = false;
    if (!may_fail (client))
      complain (client, "block status", -r);
  }
}

static void
map_ask (struct sim_client *client)
{
  const uint32_t block_size = client->params.block_size;
  uint32_t count, block;
  int error;

  choose_whole (client, &block, &count);
  client->map.left--;
  client->map.next_bytes = (uint64_t) block * block_size;
  error = block_status_init (&client->map.status, client->volume,
                             (uint64_t) count * block_size,
                             client->map.next_bytes,
                             world_once_in (4) ? QBD_ONE_EXTENT : 0,
                             map_extent, client);
  if (error != 0)
    complain (client, "block status", error);
  else
    map_submit (client);
}

/* Once more, over another path? */
static bool
map_moves (struct sim_client *client)
{
  const struct transport_request *answer = &client->map.request.transport;

  if (gives_up (client))
    return false;
  if (answer->error == 0 && status_is_path (nvme_cqe_status (&answer->cqe)))
    paths_doubt (client->map.over);
  else if (answer->error == 0)
    return false;
  return true;
}

static void
map_drive (struct sim_client *client)
{
  int r;

  if (client->map.asked && !client->map.under_way)
    map_submit (client);
  if (client->map.answered) {
    client->map.answered = client->map.under_way = false;
    if (map_moves (client))
      return;
    client->map.asked = false;
    if (client->map.request.transport.error != 0)
      r = -client->map.request.transport.error;
    else
      r = block_status_answered (&client->map.status,
                                 nvme_cqe_status (&client->map.request
                                                  .transport.cqe));
    if (r < 0 && !may_fail (client))
      complain (client, "block status", -r);
    if (r > 0)
      map_submit (client);
  }
  while (!client->map.asked && client->map.left > 0)
    map_ask (client);
}

/* --- size ------------------------------------------------------------------------- */

static void
check_size (struct sim_client *client)
{
  struct sim_client_params *params = &client->params;
  const uint64_t have = qbd_get_size (client->volume);

  if (have == (uint64_t) params->nr_blocks * params->block_size)
    return;
  if (have != (uint64_t) client->grown_blocks * params->block_size)
    complain (client, "the volume has another size", EPROTO);
  world_note (have);
  if (client->read_all_next == params->nr_blocks)       /* not reading all */
    client->read_all_next = client->grown_blocks;
  params->nr_blocks = client->grown_blocks;
}

/* --- driving ---------------------------------------------------------------------- */

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
    complain (client, err.message, err.code);
    abort ();
  }
  if (!client->params.absent || i + 1 < client->params.nr_paths)
    r = association_start (client->associations[i], world_now_ms ());
  if (r < 0 && client->lives == 0)
    complain (client, "association_start", -r);
}

static void
make_paths (struct sim_client *client)
{
  struct error err = { 0 };

  client->paths = paths_create (&client->wanted.options, &err);
  if (client->paths == NULL) {
    complain (client, err.message, err.code);
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
        complain (client, err.message, err.code);
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
    complain (client, err.message, err.code);
  for (unsigned i = 0; i < client->params.nr_paths; i++) {
    paths_add (client->paths, client->associations[i]);
    paths_look (client->associations[i], now_ms);
  }
  if (paths_retain (client->paths, &err) < 0)
    complain (client, err.message, err.code);
  client->volume = volume_create (client->paths,
                                  &client->associations[0]->namespaces[0],
                                  0, &err);
  if (client->volume == NULL)
    complain (client, err.message, err.code);
  client->blocks.volume = client->volume;
  client->blocks.lock = &client->range_lock;
  if (client->lives > 0)
    model_writer_gone (client->model, writer (client, client->lives - 1));
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
  submit_what_fits (client);
  while (volume_pump (client->volume, now_ms) > 0)
    submit_what_fits (client);
  tick_all (client, now_ms);
  while (volume_pump (client->volume, now_ms) > 0)
    submit_what_fits (client);
  map_drive (client);
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

/* --- what the scenario asks ---------------------------------------------------------- */

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
