/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sending half of an NVMe/TCP queue: PDUs are built where their request
 * lives, and everything that waits goes out in one send.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/probe.h"
#include "lib/tcp-queue.h"
#include "nvmeof/digest.h"

/* --- the send list ------------------------------------------------------ */

void
tcp_enqueue (struct tcp_queue *queue, struct transport_request *request)
{
  assert (!request->tcp.queued);
  request->tcp.queued = true;
  request->next_send = NULL;
  *queue->send_last = request;
  queue->send_last = &request->next_send;
}

void
tcp_dequeue (struct tcp_queue *queue, struct transport_request *request)
{
  struct transport_request **p = &queue->send_first;

  assert (request->tcp.queued && !request->sending);
  while (*p != request)
    p = &(*p)->next_send;
  *p = request->next_send;
  if (queue->send_last == &request->next_send)
    queue->send_last = p;
  request->tcp.queued = false;
  PROBE1 (client_sent, request);
}

/* --- units: one PDU of a request ---------------------------------------- */

static uint32_t
unit_digest_bytes (const struct tcp_queue *queue,
                   const struct transport_request *request)
{
  return queue->agreed.ddgst && request->tcp.unit_data_bytes > 0 ?
    NVME_TCP_DIGEST_BYTES : 0;
}

static size_t
unit_bytes (const struct tcp_queue *queue,
            const struct transport_request *request)
{
  return (size_t) request->tcp.header_bytes + request->tcp.unit_data_bytes +
    unit_digest_bytes (queue, request);
}

static void
unit_start (struct transport_request *request, uint32_t offset_bytes,
            uint32_t data_bytes)
{
  request->tcp.unit_offset_bytes = offset_bytes;
  request->tcp.unit_data_bytes = data_bytes;
  request->tcp.unit_sent_bytes = 0;
  request->tcp.digest_ready = false;
}

/* The capsule's PDU header is made when the capsule is sent for the first
 * time: before ICResp it is not known which digests it carries. */
void
tcp_make_capsule (struct tcp_queue *queue, struct transport_request *request)
{
  struct nvme_sqe *sqe = &request->sqe.common;
  uint32_t bytes = (uint32_t) request->iov.iov_len;
  bool in_capsule = request->data == TRANSPORT_TO_CONTROLLER &&
    bytes <= queue->base.in_capsule_bytes;

  if (request->data == TRANSPORT_NO_DATA)
    bytes = 0;
  sqe->flags = (sqe->flags & (0xff ^ NVME_SQE_PSDT_MASK)) |
    NVME_SQE_PSDT_SGL;
  sqe->dptr = (struct nvme_sgl) {
    .length = cpu_to_le32 (bytes),
    .type = in_capsule ? NVME_SGL_DATA_OFFSET : NVME_SGL_TRANSPORT,
  };
  request->tcp.header_bytes = 0;
  unit_start (request, 0, in_capsule ? bytes : 0);
  request->tcp.moved_bytes = in_capsule ? bytes : 0;
}

static void
header_finish (struct tcp_queue *queue, struct transport_request *request,
               size_t hlen)
{
  if (queue->agreed.hdgst) {
    digest_header_put (request->tcp.header, hlen);
    hlen += NVME_TCP_DIGEST_BYTES;
  }
  request->tcp.header_bytes = (uint8_t) hlen;
}

static void
capsule_header (struct tcp_queue *queue, struct transport_request *request)
{
  struct nvme_tcp_cmd cmd;

  tcp_make_hdr (&cmd.hdr, NVME_TCP_CMD, 0, request->tcp.unit_data_bytes,
                &queue->agreed);
  cmd.sqe = request->sqe;
  memcpy (request->tcp.header, &cmd, sizeof cmd);
  header_finish (queue, request, sizeof cmd);
}

/* The next H2CData of what an R2T solicited. */
static void
h2c_data_header (struct tcp_queue *queue, struct transport_request *request,
                 uint32_t offset_bytes)
{
  struct tcp_request *tcp = &request->tcp;
  uint32_t bytes = tcp->r2t_left_bytes;
  struct nvme_tcp_data data = { 0 };

  if (bytes > queue->maxh2cdata_bytes)
    bytes = queue->maxh2cdata_bytes;
  tcp->r2t_left_bytes -= bytes;
  unit_start (request, offset_bytes, bytes);
  tcp_make_hdr (&data.hdr, NVME_TCP_H2C_DATA,
                tcp->r2t_left_bytes == 0 ? NVME_TCP_F_DATA_LAST : 0, bytes,
                &queue->agreed);
  data.cccid = request->sqe.common.cid;
  data.ttag = tcp->ttag;
  data.datao = cpu_to_le32 (offset_bytes);
  data.datal = cpu_to_le32 (bytes);
  memcpy (tcp->header, &data, sizeof data);
  header_finish (queue, request, sizeof data);
}

/* Checked: bytes fit in the request, and nothing else is solicited. */
void
tcp_solicit (struct tcp_queue *queue, struct transport_request *request,
             uint16_t ttag, uint32_t offset_bytes, uint32_t bytes)
{
  request->tcp.ttag = ttag;
  request->tcp.r2t_left_bytes = bytes;
  h2c_data_header (queue, request, offset_bytes);
  tcp_enqueue (queue, request);
}

/* A PDU is out, and off the list. */
static void
unit_end (struct tcp_queue *queue, struct transport_request *request)
{
  struct tcp_request *tcp = &request->tcp;
  uint32_t end = tcp->unit_offset_bytes + tcp->unit_data_bytes;
  uint32_t bytes = tcp->next_r2t_bytes;

  if (request->state == REQUEST_ANSWERED) {
    tcp_complete (&queue->base, request);
  } else if (tcp->r2t_left_bytes > 0) {
    h2c_data_header (queue, request, end);
    tcp_enqueue (queue, request);
  } else if (bytes > 0) {
    tcp->next_r2t_bytes = 0;
    tcp_solicit (queue, request, tcp->next_ttag, tcp->moved_bytes - bytes,
                 bytes);
  }
}

/* --- a send ------------------------------------------------------------- */

static void
batch_add (struct tcp_queue *queue, const void *base, size_t bytes)
{
  queue->send_iov[queue->send_iovcnt++] = (struct iovec) {
    .iov_base = (void *) (uintptr_t) base,
    .iov_len = bytes,
  };
  queue->send_bytes += bytes;
}

/* What is left of one piece of a unit; skip counts down the bytes sent. */
static void
batch_add_rest (struct tcp_queue *queue, const void *base, size_t bytes,
                size_t *skip)
{
  size_t n = *skip < bytes ? *skip : bytes;

  *skip -= n;
  if (n < bytes)
    batch_add (queue, (const uint8_t *) base + n, bytes - n);
}

static void
batch_request (struct tcp_queue *queue, struct transport_request *request)
{
  struct tcp_request *tcp = &request->tcp;
  size_t skip = tcp->unit_sent_bytes;

  if (tcp->header_bytes == 0)
    capsule_header (queue, request);
  batch_add_rest (queue, tcp->header, tcp->header_bytes, &skip);
  if (tcp->unit_data_bytes > 0)
    batch_add_rest (queue,
                    (uint8_t *) request->iov.iov_base
                    + tcp->unit_offset_bytes, tcp->unit_data_bytes, &skip);
  batch_add_rest (queue, &tcp->data_digest,
                  unit_digest_bytes (queue, request), &skip);
  request->sending = true;
  queue->batch[queue->nr_batch++] = request;
}

bool
tcp_send_begin (struct transport_queue *base)
{
  struct tcp_queue *queue = tcp_queue_of (base);
  struct transport_request *request = queue->send_first;

  assert (!queue->sending);
  queue->send_iovcnt = 0;
  queue->send_bytes = 0;
  queue->nr_batch = 0;
  switch (queue->state) {
  case TCP_NEW:
    batch_add (queue, (uint8_t *) &queue->icreq + queue->icreq_sent_bytes,
               sizeof queue->icreq - queue->icreq_sent_bytes);
    break;
  case TCP_READY:
    for (; request && queue->nr_batch < TCP_BATCH_REQUESTS;
         request = request->next_send)
      batch_request (queue, request);
    break;
  case TCP_DEAD:
    if (queue->term_bytes > 0)
      batch_add (queue, &queue->term, queue->term_bytes);
    break;
  default:
    break;
  }
  queue->sending = queue->send_iovcnt > 0;
  return queue->sending;
}

static void
compute_digest (struct transport_request *request)
{
  struct tcp_request *tcp = &request->tcp;
  const uint8_t *data = request->iov.iov_base;

  tcp->data_digest =
    digest_end (digest_feed (digest_begin (), data + tcp->unit_offset_bytes,
                             tcp->unit_data_bytes));
  tcp->digest_ready = true;
}

int64_t
tcp_send (struct transport_queue *base)
{
  struct tcp_queue *queue = tcp_queue_of (base);

  for (unsigned i = 0; i < queue->nr_batch && queue->agreed.ddgst; i++)
    if (queue->batch[i]->tcp.unit_data_bytes > 0 &&
        !queue->batch[i]->tcp.digest_ready)
      compute_digest (queue->batch[i]);
  return stream_send (queue->stream, queue->send_iov, queue->send_iovcnt);
}

static void
batch_advance (struct tcp_queue *queue, size_t sent)
{
  for (unsigned i = 0; i < queue->nr_batch; i++) {
    struct transport_request *request = queue->batch[i];
    size_t left = unit_bytes (queue, request) - request->tcp.unit_sent_bytes;
    size_t n = sent < left ? sent : left;

    assert (request->tcp.queued);
    request->sending = false;
    request->tcp.unit_sent_bytes += (uint32_t) n;
    sent -= n;
    if (n == left && queue->state != TCP_DEAD) {
      tcp_dequeue (queue, request);
      unit_end (queue, request);
    }
  }
}

static void
icreq_advance (struct tcp_queue *queue, size_t sent)
{
  queue->icreq_sent_bytes += (uint32_t) sent;
  if (queue->icreq_sent_bytes == sizeof queue->icreq)
    tcp_set_state (queue, TCP_WAIT_ICRESP);
}

bool
tcp_send_end (struct transport_queue *base, int64_t result)
{
  struct tcp_queue *queue = tcp_queue_of (base);
  size_t sent = result > 0 ? (size_t) result : 0;
  bool was_batch = queue->nr_batch > 0;

  assert (queue->sending);
  queue->sending = false;
  batch_advance (queue, sent);
  if (queue->state == TCP_DEAD) {
    bool whole = sent == queue->send_bytes;

    /* A TermReq is sent once, unless it would land inside another PDU. */
    if (queue->term_bytes > 0 && !(was_batch && whole)) {
      queue->term_bytes = 0;
      if (whole)
        stream_shutdown (queue->stream);
      else
        stream_abort (queue->stream);
    }
    tcp_reap (queue);
    return true;
  }
  if (result < 0 && result != -EAGAIN) {
    tcp_fail (base, (int) -result, strerror ((int) -result));
    return true;
  }
  if (queue->state == TCP_NEW)
    icreq_advance (queue, sent);
  base->want_pollout = sent < queue->send_bytes;
  return !base->want_pollout;
}

void
tcp_make_icreq (struct tcp_queue *queue)
{
  queue->icreq.hdr = (struct nvme_tcp_hdr) {
    .type = NVME_TCP_ICREQ,
    .hlen = sizeof queue->icreq,
    .plen = cpu_to_le32 (sizeof queue->icreq),
  };
  queue->icreq.digest = queue->digest_offered;
}
