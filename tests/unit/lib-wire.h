/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller by hand, for tests of the client's queue machine: a stream in
 * memory, PDUs written into it one by one, and what the machine sent read
 * back.  One thread.
 */
#ifndef QBD_TESTS_UNIT_LIB_WIRE_H
#define QBD_TESTS_UNIT_LIB_WIRE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lib/tcp-queue.h"
#include "nvmeof/digest.h"

enum { WIRE_BYTES = 1 << 18 };

struct wire {
  struct stream stream;         /* first member */
  uint8_t in[WIRE_BYTES];       /* to the machine */
  size_t in_have, in_at;
  size_t chunk_bytes;           /* of one receive; 0: no limit */
  bool eof;
  uint8_t out[WIRE_BYTES];      /* from the machine */
  size_t out_have, out_at;
  size_t room_bytes;            /* of one send; SIZE_MAX: no limit */
  bool shut, aborted, closed;
  /* There is nothing to receive: perhaps it knows something. */
  void (*hungry) (struct wire *wire);
  struct tcp_agreed agreed;
};

static ssize_t
wire_receive (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct wire *wire = (struct wire *) stream;
  size_t left, done = 0;

  if (wire->hungry && !wire->shut && wire->in_have == wire->in_at)
    wire->hungry (wire);
  left = wire->in_have - wire->in_at;
  if (wire->shut)
    return 0;
  if (left == 0)
    return wire->eof ? 0 : -EAGAIN;
  if (wire->chunk_bytes && left > wire->chunk_bytes)
    left = wire->chunk_bytes;
  for (int i = 0; i < iovcnt && left > 0; i++) {
    size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

    memcpy (iov[i].iov_base, wire->in + wire->in_at, n);
    wire->in_at += n;
    left -= n;
    done += n;
  }
  return (ssize_t) done;
}

static ssize_t
wire_send (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct wire *wire = (struct wire *) stream;
  size_t room = wire->room_bytes, done = 0;

  if (wire->shut)
    return -EPIPE;
  if (room == 0)
    return -EAGAIN;
  for (int i = 0; i < iovcnt && room > 0; i++) {
    size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;

    assert_true (wire->out_have + n <= sizeof wire->out);
    memcpy (wire->out + wire->out_have, iov[i].iov_base, n);
    wire->out_have += n;
    room -= n;
    done += n;
  }
  return (ssize_t) done;
}

static void
wire_shutdown (struct stream *stream)
{
  ((struct wire *) stream)->shut = true;
}

static void
wire_abort (struct stream *stream)
{
  struct wire *wire = (struct wire *) stream;

  wire->shut = wire->aborted = true;
}

static void
wire_close (struct stream *stream)
{
  ((struct wire *) stream)->closed = true;
}

static const struct stream_ops wire_ops = {
  .receive = wire_receive,
  .send = wire_send,
  .shutdown = wire_shutdown,
  .abort = wire_abort,
  .close = wire_close,
};

static inline void
wire_init (struct wire *wire)
{
  memset (wire, 0, sizeof *wire);
  wire->stream = (struct stream) { .ops = &wire_ops, .fd = -1 };
  wire->room_bytes = SIZE_MAX;
  wire->agreed = (struct tcp_agreed) { .peer = TCP_PEER_HOST,
                                       .plen_max = UINT32_MAX };
}

/* --- what the controller says ------------------------------------------- */

static inline void
say (struct wire *wire, const void *p, size_t bytes)
{
  assert_true (wire->in_have + bytes <= sizeof wire->in);
  memcpy (wire->in + wire->in_have, p, bytes);
  wire->in_have += bytes;
}

static inline void
say_header (struct wire *wire, void *pdu, size_t hlen)
{
  uint8_t buf[NVME_TCP_HLEN_MAX + NVME_TCP_DIGEST_BYTES];

  memcpy (buf, pdu, hlen);
  if (wire->agreed.hdgst)
    digest_header_put (buf, hlen);
  say (wire, buf, hlen + (wire->agreed.hdgst ? NVME_TCP_DIGEST_BYTES : 0));
}

static inline void
say_icresp (struct wire *wire, uint8_t digest, uint32_t maxh2cdata)
{
  struct nvme_tcp_icresp icresp = {
    .hdr = { .type = NVME_TCP_ICRESP, .hlen = sizeof icresp,
             .plen = cpu_to_le32 (sizeof icresp) },
    .digest = digest,
    .maxh2cdata = cpu_to_le32 (maxh2cdata),
  };

  say (wire, &icresp, sizeof icresp);
  wire->agreed.ic_done = true;
  wire->agreed.hdgst = digest & NVME_TCP_DIGEST_HEADER;
  wire->agreed.ddgst = digest & NVME_TCP_DIGEST_DATA;
}

static inline void
say_rsp (struct wire *wire, uint16_t cid, uint16_t status)
{
  struct nvme_tcp_rsp rsp = {
    .cqe = { .cid = cid, .status = cpu_to_le16 ((uint16_t) (status << 1)) },
  };

  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &wire->agreed);
  say_header (wire, &rsp, sizeof rsp);
}

static inline void
say_data (struct wire *wire, uint16_t cid, uint32_t offset, const void *data,
          uint32_t bytes, uint8_t flags)
{
  struct nvme_tcp_data pdu = {
    .cccid = cid, .datao = cpu_to_le32 (offset), .datal = cpu_to_le32 (bytes),
  };
  __le32 digest;

  tcp_make_hdr (&pdu.hdr, NVME_TCP_C2H_DATA, flags, bytes, &wire->agreed);
  say_header (wire, &pdu, sizeof pdu);
  say (wire, data, bytes);
  digest = digest_end (digest_feed (digest_begin (), data, bytes));
  if (wire->agreed.ddgst)
    say (wire, &digest, sizeof digest);
}

static inline void
say_r2t (struct wire *wire, uint16_t cid, uint16_t ttag, uint32_t offset,
         uint32_t bytes)
{
  struct nvme_tcp_r2t pdu = {
    .cccid = cid, .ttag = ttag, .r2to = cpu_to_le32 (offset),
    .r2tl = cpu_to_le32 (bytes),
  };

  tcp_make_hdr (&pdu.hdr, NVME_TCP_R2T, 0, 0, &wire->agreed);
  say_header (wire, &pdu, sizeof pdu);
}

/* --- what the machine sent ---------------------------------------------- */

/* The next whole PDU, checked: header, digests.  Points to its data. */
static inline const uint8_t *
hear (struct wire *wire, union nvme_tcp_pdu *pdu, uint32_t *data_bytes)
{
  const uint8_t *p = wire->out + wire->out_at;
  struct tcp_fault fault;
  uint32_t hlen;

  assert_true (wire->out_have - wire->out_at >= sizeof pdu->hdr);
  memset (pdu, 0, sizeof *pdu);
  memcpy (&pdu->hdr, p, sizeof pdu->hdr);
  assert_int_equal (tcp_check_header (&pdu->hdr, &wire->agreed, &fault), 0);
  hlen = tcp_header_bytes (&pdu->hdr, &wire->agreed);
  assert_true (wire->out_have - wire->out_at >= le32_to_cpu (pdu->hdr.plen));
  memcpy (pdu->bytes, p, hlen);
  wire->out_at += le32_to_cpu (pdu->hdr.plen);
  if (pdu->hdr.flags & NVME_TCP_F_HDGST)
    assert_true (digest_header_good (p, pdu->hdr.hlen));
  *data_bytes = tcp_data_bytes (&pdu->hdr, &wire->agreed);
  if (pdu->hdr.flags & NVME_TCP_F_DDGST) {
    __le32 digest = digest_end (digest_feed (digest_begin (), p + hlen,
                                             *data_bytes));

    assert_memory_equal (p + hlen + *data_bytes, &digest, sizeof digest);
  }
  return p + hlen;
}

static inline bool
heard_all (const struct wire *wire)
{
  return wire->out_at == wire->out_have;
}

/* --- driving ------------------------------------------------------------ */

/* Send and receive until nothing moves.  Returns what was completed. */
static inline struct transport_request *
drive (struct transport_queue *queue)
{
  struct transport_request *first = NULL, **last = &first;
  bool progress = true;

  while (progress) {
    int64_t n;

    progress = false;
    if (queue->ops->send_begin (queue)) {
      n = queue->ops->send (queue);
      queue->ops->send_end (queue, n);
      progress |= n > 0;
    }
    if (!queue->error) {
      queue->ops->recv_begin (queue);
      n = queue->ops->recv (queue);
      queue->ops->recv_end (queue, n);
      progress |= n > 0;
    }
    *last = transport_completed (queue);
    while (*last)
      last = &(*last)->next_done;
  }
  return first;
}

#endif
