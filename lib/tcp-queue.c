/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Life and completion of an NVMe/TCP queue.  Its data belongs to
 * whoever holds the shell's lock, and its parts named send_ and recv_ to the
 * thread between the begin and the end of a send or a receive.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tcp-queue.h"

static const bool tcp_legal[TCP_NR_STATES][TCP_NR_STATES] = {
  [TCP_NEW] = { [TCP_WAIT_ICRESP] = true, [TCP_DEAD] = true },
  [TCP_WAIT_ICRESP] = { [TCP_READY] = true, [TCP_DEAD] = true },
  [TCP_READY] = { [TCP_DEAD] = true },
};

void
tcp_set_state (struct tcp_queue *queue, enum tcp_state state)
{
  assert (tcp_legal[queue->state][state]);
  queue->state = state;
  queue->base.ready = state == TCP_READY;
}

/* --- completion --------------------------------------------------------- */

static bool
is_direct_read (const struct transport_request *request)
{
  return request->data == TRANSPORT_FROM_CONTROLLER &&
    request->iov.iov_len >= TCP_DIRECT_READ_BYTES;
}

void
tcp_complete (struct transport_queue *base, struct transport_request *request)
{
  assert (!request->tcp.queued);
  if (is_direct_read (request))
    tcp_queue_of (base)->nr_direct_reads--;
  transport_complete (base, request);
}

/* True when a successful answer cannot be believed: not all data moved. */
static bool
is_short (const struct transport_request *request)
{
  const struct tcp_request *tcp = &request->tcp;

  switch (request->data) {
  case TRANSPORT_FROM_CONTROLLER:
    return tcp->moved_bytes != request->iov.iov_len;
  case TRANSPORT_TO_CONTROLLER:
    return tcp->moved_bytes != request->iov.iov_len ||
      tcp->r2t_left_bytes > 0 || tcp->next_r2t_bytes > 0 ||
      (tcp->queued && !request->sending);
  default:
    return false;
  }
}

/* The CQE is here.  What is half sent has to be sent to its end. */
void
tcp_answer (struct tcp_queue *queue, struct transport_request *request,
            const struct nvme_cqe *cqe)
{
  struct tcp_request *tcp = &request->tcp;

  request->error = 0;
  request->cqe = *cqe;
  if (tcp->damaged || (nvme_cqe_status (cqe) == 0 && is_short (request)))
    request->cqe.status = cpu_to_le16 (NVME_SC_DATA_XFER_ERROR << 1);
  tcp->r2t_left_bytes = 0;
  tcp->next_r2t_bytes = 0;
  if (tcp->queued && !request->sending && tcp->unit_sent_bytes == 0)
    tcp_dequeue (queue, request);
  if (tcp->queued)
    request->state = REQUEST_ANSWERED;
  else
    tcp_complete (&queue->base, request);
}

static bool
tcp_unsent (const struct transport_queue *base,
            const struct transport_request *request)
{
  return request->sending || request->tcp.queued;
}

/* --- failure ------------------------------------------------------------ */

/* Let the requests of a dead queue go once no thread uses their memory. */
void
tcp_reap (struct tcp_queue *queue)
{
  if (queue->state != TCP_DEAD || queue->sending || queue->receiving)
    return;
  while (queue->send_first)
    tcp_dequeue (queue, queue->send_first);
  queue->reading = NULL;
  transport_lose_all (&queue->base, tcp_complete);
}

/* Commands that are reported as failed must not be executed afterwards, as
 * far as that is in our hands: what is still on its way is dropped.  An idle
 * queue, and an admin queue, which waits for events, ends in good order. */
static void
end_stream (struct tcp_queue *queue)
{
  if (queue->base.error == ESHUTDOWN &&
      (queue->base.qid == 0 || queue->base.nr_in_flight == 0))
    stream_shutdown (queue->stream);
  else
    stream_abort (queue->stream);
}

void
tcp_fail (struct transport_queue *base, int error, const char *reason)
{
  struct tcp_queue *queue = tcp_queue_of (base);

  if (queue->state == TCP_DEAD)
    return;
  base->error = error;
  snprintf (base->reason, sizeof base->reason, "%s", reason);
  base->want_pollout = false;
  tcp_set_state (queue, TCP_DEAD);
  if (queue->term_bytes == 0)
    end_stream (queue);
  tcp_reap (queue);
}

void
tcp_fault (struct tcp_queue *queue, const struct tcp_fault *fault)
{
  char reason[sizeof queue->base.reason];
  uint32_t n = queue->pdu_have_bytes;

  if (queue->state == TCP_DEAD)
    return;
  if (queue->state != TCP_READY) {
    tcp_fail (&queue->base, EPROTO, "not an NVMe/TCP server");
    return;
  }
  if (n > NVME_TCP_TERM_DATA_MAX)
    n = NVME_TCP_TERM_DATA_MAX;
  tcp_make_term (&queue->term.header, NVME_TCP_H2C_TERM, fault, n);
  memcpy (queue->term.data, queue->pdu.bytes, n);
  queue->term_bytes = sizeof queue->term.header + n;
  /* Not inside another PDU; send_end looks at what is being sent now. */
  if (!queue->sending && queue->send_first &&
      queue->send_first->tcp.unit_sent_bytes > 0)
    queue->term_bytes = 0;
  snprintf (reason, sizeof reason,
            "the server broke the protocol: PDU type %02xh: %s: %s",
            queue->pdu.hdr.type, fault->field, tcp_fes_name (fault->fes));
  tcp_fail (&queue->base, EPROTO, reason);
}

/* --- the contract ------------------------------------------------------- */

static int
tcp_submit (struct transport_queue *base, struct transport_request *request)
{
  struct tcp_queue *queue = tcp_queue_of (base);

  if (queue->state == TCP_DEAD)
    return -base->error;
  if (transport_is_full (base))
    return -EAGAIN;
  assert (request->iov.iov_len <= UINT32_MAX);
  transport_take_slot (base, request);
  if (is_direct_read (request))
    queue->nr_direct_reads++;
  memset (&request->tcp, 0, offsetof (struct tcp_request, header));
  tcp_make_capsule (queue, request);
  tcp_enqueue (queue, request);
  return 0;
}

static int
tcp_wait_fd (struct transport_queue *base)
{
  const struct tcp_queue *queue = tcp_queue_of (base);

  return queue->stream ? queue->stream->fd : -1;
}

static bool
tcp_arm (struct transport_queue *base)
{
  return false;
}

static void
tcp_abandon (struct transport_queue *base)
{
  struct tcp_queue *queue = tcp_queue_of (base);

  stream_close (queue->stream);
  queue->stream = NULL;
  queue->term_bytes = 0;
}

static void
tcp_destroy (struct transport_queue *base)
{
  struct tcp_queue *queue = tcp_queue_of (base);

  if (!queue)
    return;
  assert (!queue->stream ||
          (base->nr_in_flight == 0 && !queue->sending && !queue->receiving));
  stream_close (queue->stream);
  free (queue->recv_buffer);
  free (base->slots);
  free (queue);
}

static const struct transport_ops tcp_ops = {
  .name = "tcp",
  .handshake = "the handshake (ICReq)",
  .submit = tcp_submit,
  .send_begin = tcp_send_begin,
  .send = tcp_send,
  .send_end = tcp_send_end,
  .recv_begin = tcp_recv_begin,
  .recv = tcp_recv,
  .recv_end = tcp_recv_end,
  .unsent = tcp_unsent,
  .fail = tcp_fail,
  .wait_fd = tcp_wait_fd,
  .arm = tcp_arm,
  .abandon = tcp_abandon,
  .destroy = tcp_destroy,
};

/* Everything but the memory, and the generations of its slots. */
static void
tcp_begin (struct tcp_queue *queue, struct stream *stream,
           const struct tcp_queue_params *p)
{
  struct transport_queue base = queue->base;
  uint8_t *recv_buffer = queue->recv_buffer;

  memset (queue, 0, sizeof *queue);
  queue->base = base;
  transport_begin (&queue->base, &tcp_ops, p->qid, p->depth);
  queue->recv_buffer = recv_buffer;
  queue->stream = stream;
  /* Fabrics commands may carry this much on any queue (TCP 1.0 3.3.2.2);
   * Identify tells what I/O commands may. */
  queue->base.in_capsule_bytes = NVMEOF_ADMIN_CAPSULE_DATA;
  queue->agreed = (struct tcp_agreed) {
    .peer = TCP_PEER_CONTROLLER,
    .plen_max = UINT32_MAX,     /* tcp_check_c2h_data bounds it */
  };
  queue->digest_offered =
    (p->hdr_digest ? NVME_TCP_DIGEST_HEADER : 0) |
    (p->data_digest ? NVME_TCP_DIGEST_DATA : 0);
  queue->send_last = &queue->send_first;
  queue->pdu_need_bytes = sizeof (struct nvme_tcp_hdr);
  tcp_make_icreq (queue);
}

struct transport_queue *
tcp_queue_create (struct stream *stream, const struct tcp_queue_params *p)
{
  struct tcp_queue *queue = calloc (1, sizeof *queue);

  if (!queue)
    goto err;
  queue->recv_buffer = malloc (TCP_RECEIVE_BUFFER_BYTES);
  if (!queue->recv_buffer ||
      !transport_alloc_slots (&queue->base, p->depth))
    goto err;
  tcp_begin (queue, stream, p);
  return &queue->base;

 err:
  if (queue) {
    free (queue->recv_buffer);
    free (queue->base.slots);
    free (queue);
  }
  stream_close (stream);
  return NULL;
}

void
tcp_queue_renew (struct transport_queue *base, struct stream *stream,
                 const struct tcp_queue_params *p)
{
  struct tcp_queue *queue = tcp_queue_of (base);

  assert (queue->state == TCP_DEAD && !queue->stream);
  assert (base->nr_in_flight == 0 && !queue->sending && !queue->receiving);
  tcp_begin (queue, stream, p);
}
