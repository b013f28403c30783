/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a volume has in flight, for who asks where a request hangs.  A queue's
 * lock is held over no system call, so that this answers whatever hangs; and
 * what the requests keep for it are plain stores under that lock.
 */
#include <errno.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/internal.h"
#include "lib/queue-internal.h"
#include "nvmeof/command-describe.h"

struct walk {
  const struct qbd_volume *volume;
  const struct association *association;
  struct queue *queue;
  uint64_t now_ms;
  struct qbd_inflight *list;
  unsigned nr, nr_max, total;
};

/* --- what a request waits for ----------------------------------------------- */

static const char *
gate_stage_locked (const struct queue *queue)
{
  return queue_is_down_locked (queue) ? "connection" : "old-controller";
}

static const char *
wire_stage_locked (const struct queue *queue, const struct request *request)
{
  if (request->aborting)
    return "abort";
  return queue->transport->ops->unsent (queue->transport,
                                        &request->transport) ?
    "send" : "wire";
}

/* --- the list ----------------------------------------------------------------- */

static void
fill_locked (const struct walk *walk, const struct request *request,
             const char *stage, struct qbd_inflight *place)
{
  const union nvme_command *sqe = &request->transport.sqe;
  struct command_description description;
  const struct nvme_dsm_range *range = NULL;

  if (sqe->common.opcode == nvme_cmd_dsm)
    range = request->transport.iov.iov_base;
  command_describe (sqe, false, walk->volume->ns->info.block_bytes, range,
                    &description);
  *place = (struct qbd_inflight) {
    .op = description.op,
    .stage = stage,
    .volume = options_name (&walk->volume->paths->options),
    .path = walk->association->uri,
    .offset = description.offset_bytes,
    .count = description.length_bytes,
    .age_ms = walk->now_ms > request->begun_ms ?
      walk->now_ms - request->begun_ms : 0,
    .qid = walk->queue->transport->qid,
    .cid = sqe->common.cid,
  };
}

/* Not those of other namespaces. */
static void
add_locked (struct walk *walk, const struct request *request,
            const char *stage)
{
  uint32_t nsid = le32_to_cpu (request->transport.sqe.common.nsid);

  if (request->fleeting || nsid != walk->volume->ns->nsid)
    return;
  if (walk->nr < walk->nr_max)
    fill_locked (walk, request, stage, &walk->list[walk->nr++]);
  walk->total++;
}

static void
add_queue (struct walk *walk, struct queue *queue)
{
  const struct request *request;

  walk->queue = queue;
  queue_lock (queue);
  TAILQ_FOREACH (request, &queue->waiting, link)
    add_locked (walk, request, gate_stage_locked (queue));
  TAILQ_FOREACH (request, &queue->in_flight, link)
    add_locked (walk, request, wire_stage_locked (queue, request));
  TAILQ_FOREACH (request, &queue->backlog, link)
    add_locked (walk, request, "slot");
  queue_unlock (queue);
}

/* Those that no queue has, as there is no path to take. */
static void
add_waiter_locked (struct walk *walk, const struct path_waiter *waiter)
{
  static const char *const ops[] = {
    [IO_READ] = "read", [IO_WRITE] = "write", [IO_FLUSH] = "flush",
    [IO_DISCARD] = "discard", [IO_WRITE_ZEROES] = "write-zeroes",
  };
  const struct transfer *transfer = waiter->transfer;

  walk->total++;
  if (walk->nr == walk->nr_max)
    return;
  walk->list[walk->nr++] = (struct qbd_inflight) {
    .op = transfer ? ops[transfer->op] : "block-status",
    .stage = "path",
    .volume = options_name (&walk->volume->paths->options),
    .path = "",
    .offset = transfer ? transfer->whole_offset_bytes : 0,
    .count = transfer ? transfer->whole_bytes : 0,
    .age_ms = waiter->since_ms != 0 && walk->now_ms > waiter->since_ms ?
      walk->now_ms - waiter->since_ms : 0,
  };
}

static void
add_waiters (struct walk *walk)
{
  struct paths *paths = walk->volume->paths;
  const struct path_waiter *waiter;

  LOCK_SCOPE (&paths->lock);
  TAILQ_FOREACH (waiter, &paths->waiters, link)
    add_waiter_locked (walk, waiter);
}

int
qbd_list_inflight (struct qbd_volume *volume, struct qbd_inflight *list,
                   unsigned max)
{
  struct walk walk = {
    .volume = volume, .now_ms = clock_now_ms (), .list = list, .nr_max = max,
  };

  if (paths_inherited (volume->paths))
    return volume_fail (volume, "list requests", ENOTCONN, 0);
  add_waiters (&walk);
  for (unsigned i = 0; i < volume->paths->nr; i++) {
    walk.association = volume->paths->association[i];
    for (uint32_t j = 0; j < walk.association->nr_io; j++)
      add_queue (&walk, walk.association->io[j]);
  }
  return (int) walk.total;
}
