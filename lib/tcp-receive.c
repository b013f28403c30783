/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving half of an NVMe/TCP queue: bytes to PDUs, wherever they are
 * cut.  One receive takes many small PDUs; the rest of a payload that has
 * begun goes straight to its place.  Every PDU passes nvmeof/tcp-check.h
 * before a field of it is used.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/tcp-queue.h"
#include "nvmeof/digest.h"

static void
fault (struct tcp_queue *queue, uint16_t fes, uint32_t fei, const char *field)
{
  const struct tcp_fault f = { .fes = fes, .fei = fei, .field = field };

  tcp_fault (queue, &f);
}

static void
expect_pdu (struct tcp_queue *queue)
{
  queue->pdu_have_bytes = 0;
  queue->pdu_need_bytes = sizeof (struct nvme_tcp_hdr);
  queue->reading = NULL;
  queue->data_left_bytes = 0;
  queue->digest_need_bytes = 0;
}

/* The command that a PDU is about, if it waits for one; else a fault. */
static struct transport_request *
find_waiting (struct tcp_queue *queue, uint16_t cid, uint32_t fei,
              const char *field)
{
  struct transport_request *request = transport_find (&queue->base, cid);

  if (!request || request->state != REQUEST_SUBMITTED) {
    fault (queue, NVME_TCP_FES_INVALID_HEADER, fei, field);
    return NULL;
  }
  /* Its capsule has not left yet: header_bytes is 0 until it is batched. */
  if (request->tcp.header_bytes == 0) {
    fault (queue, NVME_TCP_FES_SEQUENCE, 0, field);
    return NULL;
  }
  return request;
}

/* --- PDUs, each with a checked common header ---------------------------- */

static void
receive_icresp (struct tcp_queue *queue)
{
  const struct nvme_tcp_icresp *icresp = &queue->pdu.icresp;
  struct tcp_fault f;

  if (queue->state != TCP_WAIT_ICRESP) {
    fault (queue, NVME_TCP_FES_SEQUENCE, 0, "ICResp");
    return;
  }
  if (tcp_check_icresp (icresp, queue->digest_offered, &f) < 0) {
    char reason[sizeof queue->base.reason];

    snprintf (reason, sizeof reason, "ICResp: %s: %s", f.field,
              tcp_fes_name (f.fes));
    tcp_fail (&queue->base, EPROTO, reason);
    return;
  }
  queue->agreed.ic_done = true;
  queue->agreed.hdgst = icresp->digest & NVME_TCP_DIGEST_HEADER;
  queue->agreed.ddgst = icresp->digest & NVME_TCP_DIGEST_DATA;
  queue->maxh2cdata_bytes = le32_to_cpu (icresp->maxh2cdata);
  tcp_set_state (queue, TCP_READY);
  expect_pdu (queue);
}

static void
receive_term (struct tcp_queue *queue)
{
  char reason[sizeof queue->base.reason];
  uint16_t fes = le16_to_cpu (queue->pdu.term.fes);

  snprintf (reason, sizeof reason,
            "the server ended the connection: %s (offset %u)",
            tcp_fes_name (fes), le32_to_cpu (queue->pdu.term.fei));
  tcp_fail (&queue->base, EPROTO, reason);
}

static void
receive_rsp (struct tcp_queue *queue)
{
  struct nvme_cqe cqe = queue->pdu.rsp.cqe;
  struct transport_request *request =
    find_waiting (queue, cqe.cid, offsetof (struct nvme_tcp_rsp, cqe.cid),
                  "CID");

  if (!request)
    return;
  expect_pdu (queue);
  tcp_answer (queue, request, &cqe);
}

static void
receive_r2t (struct tcp_queue *queue)
{
  const struct nvme_tcp_r2t *r2t = &queue->pdu.r2t;
  struct transport_request *request =
    find_waiting (queue, r2t->cccid, offsetof (struct nvme_tcp_r2t, cccid),
                  "CCCID");
  struct tcp_request *tcp;
  struct tcp_fault f;
  uint32_t offset, bytes;

  if (!request)
    return;
  if (request->data != TRANSPORT_TO_CONTROLLER) {
    fault (queue, NVME_TCP_FES_INVALID_HEADER,
           offsetof (struct nvme_tcp_r2t, cccid), "CCCID");
    return;
  }
  tcp = &request->tcp;
  if (tcp_check_r2t (r2t, tcp->moved_bytes, (uint32_t) request->iov.iov_len,
                     &f) < 0) {
    tcp_fault (queue, &f);
    return;
  }
  offset = tcp->moved_bytes;
  bytes = le32_to_cpu (r2t->r2tl);
  /* One at a time (MAXR2T 0).  The one before is over for the peer when its
   * last byte is in a send that has not returned yet. */
  if (tcp->r2t_left_bytes > 0 || tcp->next_r2t_bytes > 0 ||
      (tcp->queued && !request->sending)) {
    fault (queue, NVME_TCP_FES_LIMIT, 0, "MAXR2T");
    return;
  }
  tcp->moved_bytes += bytes;
  if (tcp->queued) {
    tcp->next_ttag = r2t->ttag;
    tcp->next_r2t_bytes = bytes;
  } else {
    tcp_solicit (queue, request, r2t->ttag, offset, bytes);
  }
  expect_pdu (queue);
}

static void
receive_data_header (struct tcp_queue *queue)
{
  const struct nvme_tcp_data *data = &queue->pdu.data;
  struct transport_request *request =
    find_waiting (queue, data->cccid, offsetof (struct nvme_tcp_data, cccid),
                  "CCCID");
  struct tcp_expect expect;
  struct tcp_fault f;

  if (!request)
    return;
  if (request->data != TRANSPORT_FROM_CONTROLLER) {
    fault (queue, NVME_TCP_FES_INVALID_HEADER,
           offsetof (struct nvme_tcp_data, cccid), "CCCID");
    return;
  }
  expect = (struct tcp_expect) {
    .cccid = data->cccid,
    .datao = request->tcp.moved_bytes,
    .left = (uint32_t) request->iov.iov_len - request->tcp.moved_bytes,
    .pdu_max = UINT32_MAX,
  };
  if (tcp_check_c2h_data (data, &queue->agreed, &expect,
                          queue->base.sqflow_disabled, &f) < 0) {
    tcp_fault (queue, &f);
    return;
  }
  queue->reading = request;
  queue->data_left_bytes = tcp_data_bytes (&data->hdr, &queue->agreed);
  queue->data_crc = digest_begin ();
  queue->digest_have_bytes = 0;
  queue->digest_need_bytes = queue->agreed.ddgst ? NVME_TCP_DIGEST_BYTES : 0;
}

/* The last byte of a C2HData PDU, digest included, is here. */
static void
data_end (struct tcp_queue *queue)
{
  struct transport_request *request = queue->reading;
  bool success = queue->pdu.hdr.flags & NVME_TCP_F_DATA_SUCCESS;
  struct nvme_cqe cqe = { .sqhd = cpu_to_le16 (UINT16_MAX) };

  if (queue->digest_need_bytes > 0) {
    __le32 digest = digest_end (queue->data_crc);

    if (memcmp (&digest, queue->digest, sizeof digest) != 0)
      request->tcp.damaged = true;
  }
  expect_pdu (queue);
  if (success) {
    cqe.cid = request->sqe.common.cid;
    tcp_answer (queue, request, &cqe);
  }
}

static void
receive_header (struct tcp_queue *queue)
{
  const struct nvme_tcp_hdr *hdr = &queue->pdu.hdr;

  if (queue->agreed.hdgst && hdr->type != NVME_TCP_C2H_TERM &&
      !digest_header_good (queue->pdu.bytes, hdr->hlen)) {
    fault (queue, NVME_TCP_FES_HDGST, 0, "HDGST");
    return;
  }
  switch (hdr->type) {
  case NVME_TCP_ICRESP:
    receive_icresp (queue);
    break;
  case NVME_TCP_C2H_TERM:
    receive_term (queue);
    break;
  case NVME_TCP_RSP:
    receive_rsp (queue);
    break;
  case NVME_TCP_C2H_DATA:
    receive_data_header (queue);
    break;
  case NVME_TCP_R2T:
    receive_r2t (queue);
    break;
  default:                      /* tcp_check_header lets no other pass */
    fault (queue, NVME_TCP_FES_INVALID_HEADER, 0, "PDU-Type");
    break;
  }
}

/* --- bytes -------------------------------------------------------------- */

static size_t
take_header (struct tcp_queue *queue, const uint8_t *p, size_t bytes)
{
  size_t n = queue->pdu_need_bytes - queue->pdu_have_bytes;
  struct tcp_fault f;

  if (n > bytes)
    n = bytes;
  memcpy (queue->pdu.bytes + queue->pdu_have_bytes, p, n);
  queue->pdu_have_bytes += (uint32_t) n;
  if (queue->pdu_have_bytes < queue->pdu_need_bytes)
    return n;
  if (queue->pdu_need_bytes > sizeof (struct nvme_tcp_hdr)) {
    receive_header (queue);
    return n;
  }
  if (tcp_check_header (&queue->pdu.hdr, &queue->agreed, &f) < 0) {
    tcp_fault (queue, &f);
    return n;
  }
  queue->pdu_need_bytes = tcp_header_bytes (&queue->pdu.hdr, &queue->agreed);
  assert (queue->pdu_need_bytes > sizeof (struct nvme_tcp_hdr) &&
          queue->pdu_need_bytes <= sizeof queue->pdu);
  return n;
}

/* n bytes of data are in place and in the running digest. */
static void
data_advance (struct tcp_queue *queue, size_t n)
{
  queue->reading->tcp.moved_bytes += (uint32_t) n;
  queue->data_left_bytes -= (uint32_t) n;
  if (queue->data_left_bytes == 0 && queue->digest_need_bytes == 0)
    data_end (queue);
}

static uint8_t *
data_place (const struct tcp_queue *queue)
{
  return (uint8_t *) queue->reading->iov.iov_base +
    queue->reading->tcp.moved_bytes;
}

static size_t
take_data (struct tcp_queue *queue, const uint8_t *p, size_t bytes)
{
  size_t n = queue->data_left_bytes < bytes ? queue->data_left_bytes : bytes;

  memcpy (data_place (queue), p, n);
  if (queue->agreed.ddgst)
    queue->data_crc = digest_feed (queue->data_crc, p, n);
  data_advance (queue, n);
  return n;
}

static size_t
take_digest (struct tcp_queue *queue, const uint8_t *p, size_t bytes)
{
  size_t n = queue->digest_need_bytes - queue->digest_have_bytes;

  if (n > bytes)
    n = bytes;
  memcpy (queue->digest + queue->digest_have_bytes, p, n);
  queue->digest_have_bytes += (uint32_t) n;
  if (queue->digest_have_bytes == queue->digest_need_bytes)
    data_end (queue);
  return n;
}

static void
parse (struct tcp_queue *queue, const uint8_t *p, size_t bytes)
{
  while (bytes > 0 && queue->state != TCP_DEAD) {
    size_t n;

    if (!queue->reading)
      n = take_header (queue, p, bytes);
    else if (queue->data_left_bytes > 0)
      n = take_data (queue, p, bytes);
    else
      n = take_digest (queue, p, bytes);
    p += n;
    bytes -= n;
  }
}

/* --- the contract ------------------------------------------------------- */

void
tcp_recv_begin (struct transport_queue *base)
{
  struct tcp_queue *queue = tcp_queue_of (base);
  size_t room = queue->nr_direct_reads > 0 ? TCP_RECEIVE_SHORT_BYTES :
    TCP_RECEIVE_BUFFER_BYTES;

  assert (!queue->receiving);
  queue->receiving = true;
  queue->recv_iovcnt = 0;
  queue->recv_direct_bytes = queue->reading ? queue->data_left_bytes : 0;
  if (queue->recv_direct_bytes > 0)
    queue->recv_iov[queue->recv_iovcnt++] = (struct iovec) {
      .iov_base = data_place (queue),
      .iov_len = queue->recv_direct_bytes,
    };
  queue->recv_iov[queue->recv_iovcnt++] = (struct iovec) {
    .iov_base = queue->recv_buffer,
    .iov_len = room,
  };
  queue->recv_bytes = queue->recv_direct_bytes + room;
}

int64_t
tcp_recv (struct transport_queue *base)
{
  struct tcp_queue *queue = tcp_queue_of (base);
  const uint8_t *direct = queue->recv_iov[0].iov_base;
  ssize_t n = stream_receive (queue->stream, queue->recv_iov,
                              queue->recv_iovcnt);

  /* The digest of what the kernel placed, without the lock. */
  if (n > 0 && queue->recv_direct_bytes > 0 && queue->agreed.ddgst)
    queue->data_crc =
      digest_feed (queue->data_crc, direct,
                   (size_t) n < queue->recv_direct_bytes ?
                   (size_t) n : queue->recv_direct_bytes);
  return n;
}

bool
tcp_recv_end (struct transport_queue *base, int64_t result)
{
  struct tcp_queue *queue = tcp_queue_of (base);
  size_t bytes = result > 0 ? (size_t) result : 0;
  size_t direct = queue->recv_direct_bytes;

  assert (queue->receiving);
  queue->receiving = false;
  if (queue->state == TCP_DEAD) {
    tcp_reap (queue);
    return false;
  }
  if (result == -EAGAIN)
    return false;
  if (result <= 0) {
    tcp_fail (base, result == 0 ? ECONNRESET : (int) -result,
              result == 0 ? "the server closed the connection" :
              strerror ((int) -result));
    return false;
  }
  if (direct > bytes)
    direct = bytes;
  if (direct > 0)
    data_advance (queue, direct);
  parse (queue, queue->recv_buffer, bytes - direct);
  return bytes == queue->recv_bytes;
}
