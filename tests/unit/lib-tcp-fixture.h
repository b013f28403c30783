/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the client's NVMe/TCP queue machine: one machine on a wire
 * (lib-wire.h), its set-up and its end.  One thread.
 */
#ifndef QBD_TESTS_UNIT_LIB_TCP_FIXTURE_H
#define QBD_TESTS_UNIT_LIB_TCP_FIXTURE_H

#include "tests/unit/lib-wire.h"

enum { DEPTH = 8 };

static struct wire wire;
static struct transport_queue *queue;

static inline void
start (uint8_t offered, uint8_t digest, uint32_t maxh2cdata)
{
  const struct tcp_queue_params params = {
    .qid = 1, .depth = DEPTH,
    .hdr_digest = offered & NVME_TCP_DIGEST_HEADER,
    .data_digest = offered & NVME_TCP_DIGEST_DATA,
  };
  union nvme_tcp_pdu pdu;
  uint32_t bytes;

  wire_init (&wire);
  queue = tcp_queue_create (&wire.stream, &params);
  assert_non_null (queue);
  assert_null (drive (queue));
  hear (&wire, &pdu, &bytes);
  assert_int_equal (pdu.hdr.type, NVME_TCP_ICREQ);
  assert_int_equal (pdu.icreq.digest, offered);
  assert_int_equal (le32_to_cpu (pdu.icreq.maxr2t_0based), 0);
  assert_int_equal (pdu.icreq.hpda, 0);
  say_icresp (&wire, digest, maxh2cdata);
  assert_null (drive (queue));
  assert_int_equal (queue->ready, digest == (digest & offered));
}

static inline void
stop (void)
{
  (queue->ops->fail) (queue, ESHUTDOWN, "over");
  transport_completed (queue);
  assert_int_equal (queue->nr_in_flight, 0);
  queue->ops->destroy (queue);
  assert_true (wire.closed);
}

static inline void
make (struct transport_request *request, enum transport_data data,
      void *buf, size_t bytes)
{
  memset (request, 0, sizeof *request);
  request->sqe.common.opcode = data == TRANSPORT_TO_CONTROLLER ?
    nvme_cmd_write : nvme_cmd_read;
  request->data = data;
  request->iov = (struct iovec) { .iov_base = buf, .iov_len = bytes };
}

/* Submitted, sent, and heard as a capsule. */
static inline void
send_capsule (struct transport_request *request, enum transport_data data,
              void *buf, size_t bytes)
{
  union nvme_tcp_pdu pdu;
  uint32_t n;

  make (request, data, buf, bytes);
  assert_int_equal (queue->ops->submit (queue, request), 0);
  assert_null (drive (queue));
  hear (&wire, &pdu, &n);
  assert_int_equal (pdu.hdr.type, NVME_TCP_CMD);
  assert_int_equal (pdu.cmd.sqe.common.cid, request->sqe.common.cid);
  assert_int_equal (pdu.cmd.sqe.common.flags, NVME_SQE_PSDT_SGL);
}

static inline void
fill (uint8_t *p, size_t bytes, unsigned seed)
{
  for (size_t i = 0; i < bytes; i++)
    p[i] = (uint8_t) (i * 7 + (i >> 8) + seed);
}
#endif
