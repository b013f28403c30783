/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending and receiving of an NVMe/RDMA queue: work requests out, completions
 * in.  A write's data are copied before its capsule is posted, and a read's
 * as soon as its response is here, both without the lock.  What a peer
 * can say in a completion is checked before it is used.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/clock.h"
#include "common/probe.h"
#include "lib/rdma-queue.h"

/* --- sending -------------------------------------------------------------- */

static bool
goes_in_capsule (const struct rdma_queue *queue,
                 const struct transport_request *request)
{
  /* The admin queue's capsules hold commands only. */
  return queue->base.qid > 0 && request->data == TRANSPORT_TO_CONTROLLER &&
    request->iov.iov_len <= queue->base.in_capsule_bytes;
}

/* Its command and its work request: only now the key is known. */
static void
prepare (struct rdma_queue *queue, struct transport_request *request)
{
  struct rdma_slot *slot = &queue->slots[request->slot];
  struct nvme_sqe *sqe = &request->sqe.common;
  uint32_t bytes = 0;

  if (slot->piece != BUDDY_NONE)
    bytes = (uint32_t) request->iov.iov_len;
  sqe->flags = (sqe->flags & (0xff ^ NVME_SQE_PSDT_MASK)) |
    NVME_SQE_PSDT_SGL;
  slot->sge[0] = (struct ibv_sge) {
    .addr = (uintptr_t) &queue->wire[request->slot].sqe,
    .length = sizeof queue->wire->sqe,
    .lkey = queue->wire_mr->lkey,
  };
  slot->wr = (struct ibv_send_wr) {
    .wr_id = (uint64_t) request->slot << 1 | 1,
    .sg_list = slot->sge,
    .num_sge = 1,
    .opcode = IBV_WR_SEND,
    .send_flags = IBV_SEND_SIGNALED,
  };
  if (bytes == 0)
    rdma_make_keyed (sqe, 0, 0, 0);
  else if (!goes_in_capsule (queue, request))
    rdma_make_keyed (sqe, (uintptr_t) queue->data + slot->piece, bytes,
                     queue->data_mr->rkey);
  else {
    rdma_make_in_capsule (sqe, bytes);
    slot->sge[1] = (struct ibv_sge) {
      .addr = (uintptr_t) queue->data + slot->piece,
      .length = bytes,
      .lkey = queue->data_mr->lkey,
    };
    slot->wr.num_sge = 2;
  }
}

bool
rdma_send_begin (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  struct transport_request *request;

  assert (!queue->sending);
  queue->nr_batch = 0;
  if (queue->state != RDMA_READY)
    return false;
  while ((request = queue->send_first) &&
         queue->nr_batch < RDMA_BATCH_REQUESTS) {
    queue->send_first = request->next_send;
    if (!queue->send_first)
      queue->send_last = &queue->send_first;
    prepare (queue, request);
    request->sending = true;
    queue->batch[queue->nr_batch++] = request;
  }
  queue->sending = queue->nr_batch > 0;
  return queue->sending;
}

int64_t
rdma_send (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  struct ibv_send_wr *bad = NULL;
  int r;

  for (unsigned i = 0; i < queue->nr_batch; i++) {
    struct transport_request *request = queue->batch[i];
    struct rdma_slot *slot = &queue->slots[request->slot];

    queue->wire[request->slot].sqe = request->sqe;
    if (request->data == TRANSPORT_TO_CONTROLLER && slot->piece != BUDDY_NONE)
      memcpy (queue->data + slot->piece, request->iov.iov_base,
              request->iov.iov_len);
    slot->wr.next = i + 1 < queue->nr_batch ?
      &queue->slots[queue->batch[i + 1]->slot].wr : NULL;
    atomic_store_explicit (&slot->posted,
                           request->sqe.common.cid | RDMA_POSTED,
                           memory_order_release);
  }
  r = ibv_post_send (queue->id->qp, &queue->slots[queue->batch[0]->slot].wr,
                     &bad);
  return r == 0 ? (int64_t) queue->nr_batch : -(r > 0 ? r : EIO);
}

bool
rdma_send_end (struct transport_queue *base, int64_t result)
{
  struct rdma_queue *queue = rdma_queue_of (base);

  assert (queue->sending);
  queue->sending = false;
  for (unsigned i = 0; i < queue->nr_batch; i++) {
    queue->batch[i]->sending = false;
    PROBE1 (client_sent, queue->batch[i]);
    if (queue->state != RDMA_DEAD)
      rdma_check_done (queue, queue->batch[i]);
  }
  /* There is room for as many as there are slots: this is no full wire. */
  if (result < 0 && queue->state != RDMA_DEAD)
    rdma_fail (base, (int) -result, strerror ((int) -result));
  rdma_reap (queue);
  return true;
}

/* --- receiving: without the lock --------------------------------------------- */

void
rdma_recv_begin (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);

  assert (!queue->receiving);
  queue->receiving = true;
  queue->nr_waited_for = base->nr_in_flight;
}

/* A read's data to its place, by its first answer.  A CID that is not in flight,
 * or answered, is recv_end's business. */
static void
copy_data (struct rdma_queue *queue, const struct nvme_cqe *cqe)
{
  uint16_t index = transport_slot_of (cqe->cid);
  const struct transport_request *request;
  struct rdma_slot *slot = &queue->slots[index];

  if (index >= queue->base.depth ||
      atomic_load_explicit (&slot->posted, memory_order_acquire) !=
      (cqe->cid | RDMA_POSTED))
    return;
  /* Nobody else writes it before recv_end. */
  atomic_store_explicit (&slot->posted,
                         cqe->cid | RDMA_POSTED | RDMA_ANSWERED,
                         memory_order_relaxed);
  if (nvme_cqe_status (cqe) != 0)
    return;
  request = queue->base.slots[index].request;
  if (request->data == TRANSPORT_FROM_CONTROLLER && slot->piece != BUDDY_NONE)
    memcpy (request->iov.iov_base, queue->data + slot->piece,
            request->iov.iov_len);
}

static void
take_receive (struct rdma_queue *queue, struct rdma_completion *completion,
              struct ibv_recv_wr ***repost)
{
  struct ibv_recv_wr *wr = &queue->receives[completion->index];

  completion->cqe = queue->wire[completion->index].cqe;
  if (completion->bytes == sizeof completion->cqe)
    copy_data (queue, &completion->cqe);
  **repost = wr;
  *repost = &wr->next;
}

/* True when there are completions. */
static bool
poll (struct rdma_queue *queue)
{
  struct ibv_wc wc[RDMA_BATCH_COMPLETIONS];
  struct ibv_recv_wr *first = NULL, **last = &first, *bad;
  int n;

  if (queue->nr_completions > 0)
    return true;
  n = ibv_poll_cq (queue->cq, RDMA_BATCH_COMPLETIONS, wc);
  for (int i = 0; i < n; i++) {
    struct rdma_completion *completion = &queue->completions[i];

    *completion = (struct rdma_completion) {
      .index = (uint16_t) (wc[i].wr_id >> 1),
      .receive = !(wc[i].wr_id & 1),
      .status = wc[i].status,
    };
    if (!completion->receive || wc[i].status != IBV_WC_SUCCESS)
      continue;
    completion->bytes = wc[i].byte_len;
    completion->flags = wc[i].wc_flags;
    take_receive (queue, completion, &last);
  }
  if (n > 0)
    queue->nr_completions = (unsigned) n;
  *last = NULL;
  /* What cannot be posted is missed by the server's next answer only. */
  if (first)
    ibv_post_recv (queue->id->qp, first, &bad);
  return queue->nr_completions > 0;
}

static void
take_notification (struct rdma_queue *queue)
{
  struct ibv_cq *cq;
  void *context;

  if (ibv_get_cq_event (queue->channel, &cq, &context) != 0)
    return;
  ibv_ack_cq_events (cq, 1);
  queue->armed = false;
}

/* Have whoever waits for the descriptor told of the next completion.  True
 * when there are some already. */
static bool
ask_for_notification (struct rdma_queue *queue)
{
  if (queue->armed)
    return false;
  queue->armed = ibv_req_notify_cq (queue->cq, 0) == 0;
  return poll (queue);
}

static bool
look_at_descriptors (struct rdma_queue *queue)
{
  struct epoll_event events[3];
  int n = epoll_wait (queue->epoll_fd, events, 3, 0);
  bool stepped = false;

  for (int i = 0; i < n; i++)
    if (events[i].data.fd == queue->cm->fd)
      stepped = rdma_connect_step (queue);
    else if (queue->channel && events[i].data.fd == queue->channel->fd)
      take_notification (queue);
  return stepped;
}

int64_t
rdma_recv (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  bool stepped = false;

  if (queue->slept) {
    queue->slept = false;
    take_notification (queue);
    if (queue->spin.limit_us > 0)
      spin_slept (&queue->spin, clock_now_ns () - queue->slept_ns);
  }
  if (!queue->cq || !poll (queue)) {
    stepped = look_at_descriptors (queue);
    if (queue->cq)
      ask_for_notification (queue);
  }
  if (queue->nr_completions > 0 || stepped)
    return (int64_t) queue->nr_completions + stepped;
  return -EAGAIN;
}

/* Not with many requests in flight: they complete together when one sleeps
 * meanwhile. */
static bool
spin (struct rdma_queue *queue)
{
  uint64_t end_ns;

  if (queue->spin.now_us == 0 || queue->nr_waited_for > RDMA_SPIN_REQUESTS)
    return false;
  end_ns = spin_begin (&queue->spin, clock_now_ns ());
  do
    if (poll (queue)) {
      spin_found (&queue->spin);
      return true;
    }
  while (clock_now_ns () < end_ns);
  return false;
}

bool
rdma_arm (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);

  if (!queue->cq)
    return false;
  if (poll (queue) || spin (queue) || ask_for_notification (queue))
    return true;
  queue->slept = true;
  if (queue->spin.limit_us > 0)
    queue->slept_ns = clock_now_ns ();
  return false;
}

/* --- receiving: with the lock -------------------------------------------------- */

static void
broke (struct rdma_queue *queue, const char *what)
{
  char reason[sizeof queue->base.reason];

  snprintf (reason, sizeof reason, "the server broke the protocol: %s", what);
  rdma_fail (&queue->base, EPROTO, reason);
}

static void
take_response (struct rdma_queue *queue,
               const struct rdma_completion *completion)
{
  uint16_t cid = completion->cqe.cid;
  struct transport_request *request = transport_find (&queue->base, cid);

  if (completion->bytes != sizeof completion->cqe) {
    broke (queue, "a response that is no CQE");
    return;
  }
  if (completion->flags & (IBV_WC_WITH_IMM | IBV_WC_WITH_INV)) {
    broke (queue, "immediate data, or a key invalidated that it was not "
           "asked to");
    return;
  }
  if (!request || request->state != REQUEST_SUBMITTED ||
      !(atomic_load_explicit (&queue->slots[request->slot].posted,
                              memory_order_relaxed) & RDMA_POSTED)) {
    broke (queue, "a response to no command");
    return;
  }
  rdma_answer (queue, request, &completion->cqe);
}

static void
take_sent (struct rdma_queue *queue, uint16_t index)
{
  struct transport_request *request = queue->base.slots[index].request;

  queue->slots[index].sent = true;
  if (request)
    rdma_check_done (queue, request);
}

static void
take_failed (struct rdma_queue *queue,
             const struct rdma_completion *completion)
{
  char reason[sizeof queue->base.reason];

  switch (completion->status) {
  case IBV_WC_RETRY_EXC_ERR:
  case IBV_WC_RNR_RETRY_EXC_ERR:
    rdma_fail (&queue->base, EHOSTUNREACH,
               "the server does not acknowledge what is sent to it");
    break;
  case IBV_WC_WR_FLUSH_ERR:
    rdma_fail (&queue->base, ECONNRESET, "the connection broke");
    break;
  default:
    snprintf (reason, sizeof reason, "%s: %s",
              completion->receive ? "receive" : "send",
              ibv_wc_status_str (completion->status));
    rdma_fail (&queue->base, EIO, reason);
  }
}

static void
take_news (struct rdma_queue *queue)
{
  switch (queue->news.state) {
  case RDMA_DEAD:
    rdma_fail (&queue->base, queue->news.error, queue->news.reason);
    break;
  case RDMA_READY:
    if (queue->state == RDMA_CONNECTING)
      queue->limit = queue->news.limit;
    /* fall through */
  case RDMA_ROUTE:
  case RDMA_CONNECTING:
    if (queue->state != queue->news.state)
      rdma_set_state (queue, queue->news.state);
    break;
  default:
    break;
  }
}

bool
rdma_recv_end (struct transport_queue *base, int64_t result)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  unsigned n = queue->nr_completions;

  assert (queue->receiving);
  queue->receiving = false;
  queue->nr_completions = 0;
  if (queue->state == RDMA_DEAD) {
    rdma_reap (queue);
    return false;
  }
  for (unsigned i = 0; i < n && queue->state != RDMA_DEAD; i++) {
    const struct rdma_completion *completion = &queue->completions[i];

    if (completion->status != IBV_WC_SUCCESS)
      take_failed (queue, completion);
    else if (completion->receive)
      take_response (queue, completion);
    else
      take_sent (queue, completion->index);
  }
  if (queue->state != RDMA_DEAD)
    take_news (queue);
  return result > 0 && queue->state != RDMA_DEAD;
}
