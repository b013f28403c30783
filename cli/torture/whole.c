/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Before the clients come and after they have gone: one request at a time, in
 * the main thread, and not through the proxy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/torture.h"
#include "cli/transfer.h"

#define BUFFER_ALIGN 4096
#define ANSWER_TMO_MS 60000
#define OPEN_TMO_MS 30000       /* after a restart */
#define OPEN_PAUSE_US 50000

static void
one_done (struct target_op *op, int error)
{
  *(int *) op->opaque = error;
}

/* 0 or -errno.  After ETIMEDOUT it still is under way. */
static int
one (struct torture *torture, struct link *link, struct target_op *op)
{
  uint64_t until_ms = clock_now_ms () + ANSWER_TMO_MS;
  int *error = &torture->whole_error, r;

  *error = -1;
  op->done = one_done;
  op->opaque = error;
  r = torture->target.ops->submit (link, op);
  while (r >= 0 && *error == -1 && clock_now_ms () < until_ms)
    r = torture->target.ops->poll (link, 1000);
  if (*error != -1)
    return -*error;
  return r < 0 ? r : -ETIMEDOUT;
}

static struct link *
open_direct (const struct torture *torture, struct error *err)
{
  uint64_t until_ms = clock_now_ms () + OPEN_TMO_MS;
  struct link *link;

  while ((link = torture->target.ops->open (&torture->target, NULL, 1, err))
         == NULL && clock_now_ms () < until_ms)
    usleep (OPEN_PAUSE_US);     /* there is nothing to wait for */
  return link;
}

/* In pieces of blocks_each blocks; kind FLUSH and TRIM: just one. */
static int
all (struct torture *torture, enum target_kind kind,
     void (*read) (struct torture *torture, const struct event *event,
                   uint64_t at, const uint8_t *data), struct error *err)
{
  const uint32_t block_size = torture->target.block_size;
  size_t bytes = (size_t) torture->blocks_each * block_size;
  struct target_op op = { .kind = kind };
  struct link *link = open_direct (torture, err);
  struct event event = { .op = kind, .client = torture->nr_clients };
  int r = 0;

  torture->whole_error = -1;
  if (link == NULL)
    return -err->code;
  op.data = aligned_alloc (BUFFER_ALIGN, (bytes + BUFFER_ALIGN - 1)
                           / BUFFER_ALIGN * BUFFER_ALIGN);
  if (op.data == NULL)
    r = -ENOMEM;
  else
    memset (op.data, 0, bytes);
  while (r == 0 && event.block < torture->nr_blocks
         && !(target_kind_changes (kind) && transfer_interrupted ())) {
    uint32_t left = torture->nr_blocks - event.block;
    uint64_t at = model_read_begins (torture->model);

    event.count = left < torture->blocks_each ? left : torture->blocks_each;
    event.start_ns = torture_now_ns (torture);
    op.offset_bytes = (uint64_t) event.block * block_size;
    op.count_bytes = kind == TARGET_FLUSH ? 0
      : (size_t) event.count * block_size;
    r = one (torture, link, &op);
    event.end_ns = torture_now_ns (torture);
    if (r == 0 && read)
      read (torture, &event, at, op.data);
    event.block = kind == TARGET_FLUSH || kind == TARGET_TRIM
      ? torture->nr_blocks : event.block + event.count;
  }
  torture->target.ops->close (link);
  free (op.data);
  if (r < 0)
    error_set (err, -r, "torture: %.200s: %s", torture->target.uri,
               strerror (-r));
  return r;
}

static void
judge (struct torture *torture, const struct event *event, uint64_t at,
       const uint8_t *data)
{
  torture->nr_ops[TARGET_READ]++;
  torture->blocks_judged += event->count;
  history_judge (torture->history, torture->model, event, at, data);
}

/* What ended `all` is the device's answer. */
static bool
was_answered (const struct torture *torture)
{
  int error = torture->whole_error;

  return error > 0 && error != ENOTCONN && error != ETIMEDOUT;
}

/* *refused: the device's error, for which no client uses it.  What was not
 * answered may be carried out yet, over all that comes later: that is the end
 * of the run. */
static int
try (struct torture *torture, enum target_kind kind, bool *can, int *refused,
     struct error *err)
{
  int r = *can ? all (torture, kind, NULL, err) : 0;

  if (r == 0 || !was_answered (torture))
    return r;
  *can = false;
  *refused = -r;
  return 0;
}

int
whole_clear (struct torture *torture, struct error *err)
{
  struct target *target = &torture->target;
  int r;

  r = try (torture, TARGET_TRIM, &target->can_trim, &torture->trim_error, err);
  if (r == 0)
    r = all (torture, TARGET_WRITE, NULL, err);
  if (r == 0)
    r = try (torture, TARGET_ZERO, &target->can_zero, &torture->zero_error,
             err);
  if (r == 0 && target->can_flush)
    r = all (torture, TARGET_FLUSH, NULL, err);
  if (r == 0 && transfer_interrupted ())
    return error_set (err, EINTR, "torture: interrupted");
  return r;
}

int
whole_flush (struct torture *torture, struct error *err)
{
  uint64_t at = model_flush_begins (torture->model);
  int r;

  if (!torture->target.can_flush)
    return 0;
  r = all (torture, TARGET_FLUSH, NULL, err);
  if (r == 0)
    model_flush_ends (torture->model, torture, at);
  return r;
}

int
whole_read (struct torture *torture, struct error *err)
{
  return all (torture, TARGET_READ, judge, err);
}
