/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the queues of all transports have in common: a slot for each command in
 * flight, the CID that tells it and its number of use, and the list of what
 * is done.  All of it belongs to whoever holds the shell's lock.  Nothing here
 * knows how a command travels.
 */
#include <assert.h>
#include <stdlib.h>

#include "lib/options.h"
#include "lib/transport.h"

static_assert (QUEUE_SIZE_MAX <= 1 << TRANSPORT_SLOT_BITS, "");

bool
transport_alloc_slots (struct transport_queue *queue, uint16_t nr_slots)
{
  assert (nr_slots <= QUEUE_SIZE_MAX);
  queue->slots = calloc (nr_slots, sizeof *queue->slots);
  queue->nr_slots = nr_slots;
  return queue->slots != NULL;
}

void
transport_begin (struct transport_queue *queue, const struct transport_ops *ops,
                 uint16_t qid, uint16_t depth)
{
  assert (depth >= 1 && depth <= queue->nr_slots);
  *queue = (struct transport_queue) {
    .ops = ops,
    .qid = qid,
    .depth = depth,
    .slots = queue->slots,
    .nr_slots = queue->nr_slots,
  };
  for (uint16_t i = 0; i < depth; i++)
    queue->slots[i].next_free = i + 1;
  queue->done_last = &queue->done_first;
}

struct transport_request *
transport_find (const struct transport_queue *queue, uint16_t cid)
{
  uint16_t slot = transport_slot_of (cid);

  if (slot >= queue->depth || cid != transport_cid (queue, slot))
    return NULL;
  return queue->slots[slot].request;
}

void
transport_take_slot (struct transport_queue *queue,
                     struct transport_request *request)
{
  struct transport_slot *slot = &queue->slots[queue->free_slot];

  assert (!transport_is_full (queue));
  request->slot = queue->free_slot;
  queue->free_slot = slot->next_free;
  slot->request = request;
  slot->generation =
    (slot->generation + 1) & ((1 << (16 - TRANSPORT_SLOT_BITS)) - 1);
  queue->nr_in_flight++;
  request->sqe.common.cid = transport_cid (queue, request->slot);
  request->state = REQUEST_SUBMITTED;
  request->sending = false;
  request->error = 0;
}

void
transport_complete (struct transport_queue *queue,
                    struct transport_request *request)
{
  struct transport_slot *slot = &queue->slots[request->slot];

  assert (slot->request == request && !request->sending);
  slot->request = NULL;
  slot->next_free = queue->free_slot;
  queue->free_slot = request->slot;
  queue->nr_in_flight--;
  request->state = REQUEST_DONE;
  request->next_done = NULL;
  *queue->done_last = request;
  queue->done_last = &request->next_done;
}

struct transport_request *
transport_completed (struct transport_queue *queue)
{
  struct transport_request *first = queue->done_first;

  queue->done_first = NULL;
  queue->done_last = &queue->done_first;
  return first;
}

void
transport_lose_all (struct transport_queue *queue,
                    void (*complete) (struct transport_queue *queue,
                                      struct transport_request *request))
{
  for (uint16_t i = 0; i < queue->depth; i++) {
    struct transport_request *request = queue->slots[i].request;

    if (!request)
      continue;
    if (request->state != REQUEST_ANSWERED)
      request->error = queue->error;
    complete (queue, request);
  }
}
