/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load of the simulated client: random requests, and what the model is told
 * of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/fiber.h"
#include "tests/sim/sim-call.h"
#include "tests/sim/sim-client-parts.h"
#include "tests/sim/world.h"

/* What a flush did before power was lost counts, also when its answer comes
 * later; and of several paths each is flushed for itself: there only the data
 * tell. */
static void
flush_over (struct sim_client *client, const struct op *op)
{
  if (client->at_risk && client->params.nr_paths == 1) {
    if (op->at > client->at_risk_since)
      sim_client_complain (client, "flush succeeded over a loss of power", EIO);
    client->at_risk = false;
  }
  model_flush_ends (client->model, sim_client_writer (client, client->lives),
                    op->at);
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
      && !(error == EIO && sim_client_may_fail (client))
      && !(op->kind == IO_FLUSH && error == EIO && client->power_lost))
    sim_client_complain (client, "request failed", error);
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
void
sim_client_choose_whole (struct sim_client *client, uint32_t *block,
                         uint32_t *count)
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
      sim_client_choose_whole (client, &op->block, &op->count);
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
                                 sim_client_writer (client, client->lives),
                                 op->block, op->count, false, &op->at);
    model_fill (client->model, number, op->block, op->count, op->data);
    break;
  case IO_DISCARD: case IO_WRITE_ZEROES:
    model_write_begins (client->model,
                        sim_client_writer (client, client->lives),
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
      sim_client_complain (client, "queue full without a request in flight",
                           EAGAIN);
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

void
sim_client_submit (struct sim_client *client)
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
