/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client: requests by chance, over a link that may be lost, and what came of
 * them.  Its chance depends on the seed and its number only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/torture.h"
#include "common/cleanup.h"
#include "common/random.h"

#define POLL_MS 50
#define BUFFER_ALIGN 4096
#define HOT_BLOCKS 64           /* where half of the requests go */
#define FORGET_EVERY 256        /* requests */
#define RELINK_TMO_MS 10000     /* for a target that takes no connection, */
#define RESTART_TMO_MS 30000    /* and for one that was restarted */
#define RELINK_PAUSE_US 20000

struct op {
  struct target_op target;      /* first member */
  struct client *client;
  enum {
    OP_IDLE,
    OP_WAITS,                   /* to be sent, perhaps again */
    OP_SENT,
  } state;
  uint64_t at;                  /* the model's; UINT64_MAX: idle [locked] */
  uint64_t sequence;            /* the history's */
  struct event event;
};

struct client {
  struct client *next;          /* [locked] */
  struct torture *torture;
  unsigned nr;
  pthread_t thread;
  uint64_t random;
  uint64_t left;                /* requests to begin */
  struct link *link;
  uintptr_t writer;             /* the model's: a link of NBD, or all of it */
  uint64_t lost_ms;             /* when there was a link last */
  struct op *ops;
  uint8_t *memory;
  atomic_uint nr_used;          /* ops not idle */
  atomic_bool idle;
  struct error err;
};

/* --- what is asked -------------------------------------------------------- */

/* Blocks that a trim may leave as anything are no good to judge by, and when
 * its connection was lost remain so: not in the hot ones. */
static uint32_t
first_to_trim (const struct torture *torture)
{
  return torture->target.trim_zeroes ? 0 : HOT_BLOCKS;
}

static enum target_kind
kind_of (const struct torture *torture, uint32_t percent)
{
  const struct target *target = &torture->target;
  bool can_trim = target->can_trim
    && torture->nr_blocks >= first_to_trim (torture) + torture->blocks_each;

  if (percent < 40)
    return TARGET_READ;
  if (percent < 86)
    return TARGET_WRITE;
  if (percent < 94)
    return target->can_zero ? TARGET_ZERO : TARGET_WRITE;
  if (percent < 98)
    return can_trim ? TARGET_TRIM : TARGET_WRITE;
  return target->can_flush ? TARGET_FLUSH : TARGET_READ;
}

/* Draws as often for each, so that a seed is the same sequence anywhere. */
static void
choose (struct client *client, struct op *op)
{
  const struct torture *torture = client->torture;
  uint64_t *random = &client->random;
  uint32_t percent = random_below (random, 100);
  bool fua = random_below (random, 16) == 0;
  bool hot = random_below (random, 2) == 0;
  uint32_t count = 1 + random_below (random, torture->blocks_each);
  enum target_kind kind = kind_of (torture, percent);
  uint32_t first = kind == TARGET_TRIM ? first_to_trim (torture) : 0;
  uint32_t end = hot && first == 0 && torture->nr_blocks > HOT_BLOCKS
    ? HOT_BLOCKS : torture->nr_blocks;
  uint32_t block = first + random_below (random, end - first - count + 1);

  fua &= target_kind_changes (kind) && torture->target.can_fua;
  op->event = (struct event) {
    .kind = EVENT_OP, .client = client->nr, .op = kind, .fua = fua,
    .block = kind == TARGET_FLUSH ? 0 : block,
    .count = kind == TARGET_FLUSH ? 0 : count,
  };
  op->target.kind = kind;
  op->target.fua = fua;
  op->target.offset_bytes = (uint64_t) op->event.block
    * torture->target.block_size;
  op->target.count_bytes = (size_t) op->event.count
    * torture->target.block_size;
}

/* --- what the model is told ----------------------------------------------- */

/* [locked] */
static uint64_t
oldest_at (const struct torture *torture)
{
  uint64_t at = UINT64_MAX;

  for (struct client *client = torture->clients; client; client = client->next)
    for (unsigned i = 0; i < torture->depth; i++)
      if (client->ops[i].at < at)
        at = client->ops[i].at;
  return at;
}

static void
begin (struct client *client, struct op *op)
{
  struct torture *torture = client->torture;
  struct event *event = &op->event;
  LOCK_SCOPE (&torture->lock);

  switch (event->op) {
  case TARGET_READ:
    op->at = model_read_begins (torture->model);
    break;
  case TARGET_WRITE: case TARGET_ZERO:
    event->number = model_write_begins (torture->model,
                                        (void *) client->writer,
                                        event->block, event->count,
                                        event->op == TARGET_ZERO, &op->at);
    break;
  case TARGET_TRIM:
    event->number = model_trim_begins (torture->model,
                                       (void *) client->writer, event->block,
                                       event->count,
                                       torture->target.trim_zeroes, &op->at);
    break;
  case TARGET_FLUSH:
    op->at = model_flush_begins (torture->model);
    break;
  }
  event->start_ns = torture_now_ns (torture);
  op->sequence = history_add (torture->history, event);
  if (event->op == TARGET_WRITE)
    model_fill (torture->model, event->number, event->block, event->count,
                op->target.data);
  if (++torture->nr_begun % FORGET_EVERY == 0)
    model_forget (torture->model, oldest_at (torture),
                  torture->volatile_cache);
}

/* [locked] */
static void
succeeded (struct client *client, struct op *op)
{
  struct torture *torture = client->torture;
  const struct event *event = &op->event;

  torture->nr_ops[event->op]++;
  switch (event->op) {
  case TARGET_READ:
    torture->blocks_judged += event->count;
    history_judge (torture->history, torture->model, event, op->at,
                   op->target.data);
    break;
  case TARGET_WRITE: case TARGET_ZERO: case TARGET_TRIM:
    model_write_ends (torture->model, event->block, event->count, op->at,
                      event->fua);
    break;
  case TARGET_FLUSH:
    model_flush_ends (torture->model, (void *) client->writer, op->at);
    break;
  }
}

static void
finish (struct op *op, int error)
{
  struct client *client = op->client;
  struct torture *torture = client->torture;

  pthread_mutex_lock (&torture->lock);
  op->event.end_ns = torture_now_ns (torture);
  op->event.error = error;
  history_end (torture->history, op->sequence, op->event.end_ns, error);
  if (error == 0)
    succeeded (client, op);
  else if (error == ENOTCONN)
    torture->nr_unknown++;
  else
    torture->nr_failed++;
  op->at = UINT64_MAX;
  pthread_mutex_unlock (&torture->lock);
  op->state = OP_IDLE;
  atomic_fetch_sub (&client->nr_used, 1);
}

/* What a lost connection leaves: sent again, or nobody knows. */
static void
lost (struct op *op)
{
  struct torture *torture = op->client->torture;

  if (!torture->resend) {
    finish (op, ENOTCONN);
    return;
  }
  op->state = OP_WAITS;
  pthread_mutex_lock (&torture->lock);
  torture->nr_resent++;
  history_again (torture->history, op->sequence);
  pthread_mutex_unlock (&torture->lock);
}

static void
op_done (struct target_op *target, int error)
{
  struct op *op = (struct op *) target;

  if (error == ENOTCONN)
    lost (op);
  else
    finish (op, error);
}

/* --- the link ------------------------------------------------------------- */

static void
drop_link (struct client *client)
{
  const struct torture *torture = client->torture;

  torture->target.ops->close (client->link);
  client->link = NULL;
  client->lost_ms = clock_now_ms ();
  for (unsigned i = 0; i < torture->depth; i++)
    if (client->ops[i].state == OP_SENT)
      lost (&client->ops[i]);
}

static bool
has_link (struct client *client)
{
  struct torture *torture = client->torture;

  if (client->link)
    return true;
  client->link = torture->target.ops->open
    (&torture->target, proxy_socket (torture->proxy, client->nr),
     torture->depth, &client->err);
  if (client->link == NULL) {   /* there is nothing to wait for */
    if (atomic_load (&torture->restarting))
      client->lost_ms = clock_now_ms ();
    usleep (RELINK_PAUSE_US);
    return false;
  }
  client->err.code = 0;
  /* A flush over one says nothing of another that was lost. */
  client->writer += TORTURE_CLIENTS_MAX;
  pthread_mutex_lock (&torture->lock);
  torture->nr_links++;
  pthread_mutex_unlock (&torture->lock);
  return true;
}

static bool
gives_up (const struct client *client)
{
  uint64_t tmo_ms = client->torture->restart_command ? RESTART_TMO_MS
    : RELINK_TMO_MS;

  return client->link == NULL && clock_now_ms () - client->lost_ms > tmo_ms;
}

/* --- the thread ----------------------------------------------------------- */

/* -ENOTCONN: the link is lost. */
static int
submit_all (struct client *client)
{
  struct torture *torture = client->torture;
  int r = 0;

  for (unsigned i = 0; i < torture->depth && r == 0; i++) {
    struct op *op = &client->ops[i];

    if (op->state == OP_IDLE && client->left > 0
        && !atomic_load (&torture->over)) {
      client->left--;
      choose (client, op);
      begin (client, op);
      op->state = OP_WAITS;
      atomic_fetch_add (&client->nr_used, 1);
    }
    if (op->state != OP_WAITS)
      continue;
    op->state = OP_SENT;
    r = torture->target.ops->submit (client->link, &op->target);
    if (r < 0)
      op->state = OP_WAITS;
  }
  return r == -EAGAIN ? 0 : r;
}

static bool
has_work (struct client *client)
{
  return atomic_load (&client->nr_used) > 0
         || (client->left > 0 && !atomic_load (&client->torture->over));
}

static void *
run (void *opaque)
{
  struct client *client = opaque;
  const struct target_ops *ops = client->torture->target.ops;

  client->lost_ms = clock_now_ms ();
  while (has_work (client) && !gives_up (client)) {
    if (!has_link (client))
      continue;
    if (submit_all (client) < 0 || ops->poll (client->link, POLL_MS) < 0)
      drop_link (client);
  }
  if (!gives_up (client))
    client->err.code = 0;
  if (client->link)
    ops->close (client->link);
  atomic_store (&client->idle, true);
  return NULL;
}

static int
allocate (struct client *client)
{
  const struct torture *torture = client->torture;
  size_t stride = ((size_t) torture->blocks_each * torture->target.block_size
                   + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;

  client->ops = calloc (torture->depth, sizeof *client->ops);
  client->memory = aligned_alloc (BUFFER_ALIGN, stride * torture->depth);
  if (client->ops == NULL || client->memory == NULL)
    return -ENOMEM;
  for (unsigned i = 0; i < torture->depth; i++)
    client->ops[i] = (struct op) {
      .client = client, .at = UINT64_MAX,
      .target = { .done = op_done, .data = client->memory + i * stride },
    };
  return 0;
}

struct client *
client_start (struct torture *torture, unsigned nr, struct error *err)
{
  struct client *client = calloc (1, sizeof *client);
  int r = client ? 0 : -ENOMEM;

  if (r == 0) {
    client->torture = torture;
    client->nr = nr;
    client->random = torture->seed ^ (uint64_t) (nr + 1) << 32;
    client->left = torture->ops_each ? torture->ops_each : UINT64_MAX;
    client->writer = nr;
    r = allocate (client);
  }
  if (r == 0) {
    pthread_mutex_lock (&torture->lock);
    client->next = torture->clients;
    torture->clients = client;
    pthread_mutex_unlock (&torture->lock);
    r = -pthread_create (&client->thread, NULL, run, client);
  }
  if (r == 0)
    return client;
  error_set (err, -r, "torture: client: %s", strerror (-r));
  return NULL;
}

void
client_free (struct client *client)
{
  free (client->ops);
  free (client->memory);
  free (client);
}

bool
client_is_idle (struct client *client)
{
  return atomic_load (&client->idle);
}

unsigned
client_nr_waiting (struct client *client)
{
  return atomic_load (&client->nr_used);
}

int
client_join (struct client *client, struct error *err)
{
  pthread_join (client->thread, NULL);
  if (client->err.code == 0)
    return 0;
  *err = client->err;
  return -err->code;
}
