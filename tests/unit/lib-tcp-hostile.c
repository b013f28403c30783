/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's NVMe/TCP queue machine and a controller that damages data, breaks
 * the rules, is none, or makes noise.
 */
#include <stdlib.h>

#include "tests/unit/lib-tcp-fixture.h"

/* --- damage that costs one command -------------------------------------- */

static void
test_wrong_data_digest_fails_its_command (void **state)
{
  uint8_t data[512] = { 1 }, buf[512], buf2[512];
  struct transport_request a, b;

  start (2, 2, 4096);
  send_capsule (&a, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  send_capsule (&b, TRANSPORT_FROM_CONTROLLER, buf2, sizeof buf2);
  say_data (&wire, a.sqe.common.cid, 0, data, sizeof data,
            NVME_TCP_F_DATA_LAST);
  wire.in[wire.in_have - 1] ^= 1;
  say_rsp (&wire, a.sqe.common.cid, 0);
  say_data (&wire, b.sqe.common.cid, 0, data, sizeof data,
            NVME_TCP_F_DATA_LAST);
  say_rsp (&wire, b.sqe.common.cid, 0);
  assert_ptr_equal (drive (queue), &a);
  assert_ptr_equal (a.next_done, &b);
  assert_int_equal (nvme_cqe_status (&a.cqe), NVME_SC_DATA_XFER_ERROR);
  assert_int_equal (nvme_cqe_status (&b.cqe), 0);
  assert_int_equal (queue->error, 0);
  stop ();
}

static void
test_success_without_all_data_is_an_error (void **state)
{
  static uint8_t buf[8192];
  struct transport_request a, b, c;

  start (0, 0, 4096);
  queue->in_capsule_bytes = 0;
  send_capsule (&a, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  send_capsule (&b, TRANSPORT_TO_CONTROLLER, buf, sizeof buf);
  send_capsule (&c, TRANSPORT_TO_CONTROLLER, buf, sizeof buf);
  say_data (&wire, a.sqe.common.cid, 0, buf, 4096, 0);
  say_rsp (&wire, a.sqe.common.cid, 0);
  say_rsp (&wire, b.sqe.common.cid, 0);
  say_r2t (&wire, c.sqe.common.cid, 0, 0, 4096);
  assert_ptr_equal (drive (queue), &a);
  assert_ptr_equal (a.next_done, &b);
  say_rsp (&wire, c.sqe.common.cid, 0);
  assert_ptr_equal (drive (queue), &c);
  assert_int_equal (nvme_cqe_status (&a.cqe), NVME_SC_DATA_XFER_ERROR);
  assert_int_equal (nvme_cqe_status (&b.cqe), NVME_SC_DATA_XFER_ERROR);
  assert_int_equal (nvme_cqe_status (&c.cqe), NVME_SC_DATA_XFER_ERROR);
  stop ();
}

/* --- a controller that breaks the rules --------------------------------- */

/* The queue is dead, told why by TermReq with this FES, and has let its
 * requests go. */
static void
expect_fault (unsigned nr_requests, uint16_t fes)
{
  struct transport_request *done = drive (queue);
  union nvme_tcp_pdu pdu;
  uint32_t n;

  assert_int_equal (queue->error, EPROTO);
  assert_int_equal (queue->nr_in_flight, 0);
  for (; done; done = done->next_done, nr_requests--)
    assert_int_equal (done->error, EPROTO);
  assert_int_equal (nr_requests, 0);
  do
    hear (&wire, &pdu, &n);
  while (pdu.hdr.type != NVME_TCP_H2C_TERM);
  assert_int_equal (le16_to_cpu (pdu.term.fes), fes);
  assert_true (heard_all (&wire));
  assert_true (wire.shut);
  stop ();
}

#define HEADER NVME_TCP_FES_INVALID_HEADER

/* Neither is "success, do not retry" an error: of errors no data is expected. */
static void
test_success_in_other_words (void **state)
{
  static uint8_t buf[4096];
  struct transport_request a, b;

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  send_capsule (&b, TRANSPORT_NO_DATA, NULL, 0);
  say_rsp (&wire, a.sqe.common.cid, NVME_SC_DNR);
  say_rsp (&wire, b.sqe.common.cid, NVME_SC_MORE | NVME_SC_DNR);
  assert_ptr_equal (drive (queue), &a);
  assert_ptr_equal (a.next_done, &b);
  assert_int_equal (nvme_cqe_status (&a.cqe), NVME_SC_DATA_XFER_ERROR);
  assert_int_equal (nvme_cqe_status (&b.cqe), 0);
  stop ();
}

static void
test_unknown_types (void **state)
{
  struct transport_request a;

  for (unsigned type = 0; type < 256; type++) {
    uint8_t pdu[24] = { (uint8_t) type, 0, 24, 0, 24 };

    if (type == NVME_TCP_C2H_TERM || type == NVME_TCP_RSP ||
        type == NVME_TCP_C2H_DATA || type == NVME_TCP_R2T)
      continue;
    start (0, 0, 4096);
    send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
    say (&wire, pdu, sizeof pdu);
    expect_fault (1, type == NVME_TCP_ICRESP ? NVME_TCP_FES_SEQUENCE :
                  HEADER);
  }
}

static void
test_answers_to_nobody (void **state)
{
  struct transport_request a;
  uint16_t cid;

  /* every CID but the one in flight */
  for (uint32_t other = 0; other < 65536; other += 251) {
    start (0, 0, 4096);
    send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
    if (other == a.sqe.common.cid) {
      stop ();
      continue;
    }
    say_rsp (&wire, (uint16_t) other, 0);
    expect_fault (1, HEADER);
  }

  /* twice */
  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  cid = a.sqe.common.cid;
  say_rsp (&wire, cid, 0);
  assert_ptr_equal (drive (queue), &a);
  /* the slot is in use again, by its next generation */
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_not_equal (a.sqe.common.cid, cid);
  say_rsp (&wire, cid, 0);
  expect_fault (1, HEADER);
}

static void
test_answer_to_a_command_not_sent (void **state)
{
  struct transport_request a;

  start (0, 0, 4096);
  make (&a, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &a), 0);
  say_rsp (&wire, a.sqe.common.cid, 0);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  expect_fault (1, NVME_TCP_FES_SEQUENCE);
}

static void
test_data_out_of_place (void **state)
{
  static const struct {
    uint32_t offset, bytes;
    uint8_t flags;
    uint16_t fes;
  } bad[] = {
    { 0, 513, NVME_TCP_F_DATA_LAST, NVME_TCP_FES_RANGE },
    { 1, 511, NVME_TCP_F_DATA_LAST, NVME_TCP_FES_RANGE },
    { UINT32_MAX, 512, NVME_TCP_F_DATA_LAST, NVME_TCP_FES_RANGE },
    { 0, 512, 0, HEADER },
    { 0, 511, NVME_TCP_F_DATA_LAST, HEADER },
    /* SQ flow control is on: no SUCCESS */
    { 0, 512, NVME_TCP_F_DATA_LAST | NVME_TCP_F_DATA_SUCCESS, HEADER },
  };
  uint8_t data[1024] = { 0 };
  struct { uint8_t buf[512], after[64]; } place;
  struct transport_request a;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    memset (&place, 0x55, sizeof place);
    start (0, 0, 4096);
    send_capsule (&a, TRANSPORT_FROM_CONTROLLER, place.buf, 512);
    say_data (&wire, a.sqe.common.cid, bad[i].offset, data, bad[i].bytes,
              bad[i].flags);
    expect_fault (1, bad[i].fes);
    for (size_t k = 0; k < sizeof place.after; k++)
      assert_int_equal (place.after[k], 0x55);
  }
}

static void
test_data_for_the_wrong_command (void **state)
{
  uint8_t data[512] = { 0 };
  struct transport_request a;

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  say_data (&wire, a.sqe.common.cid, 0, data, sizeof data,
            NVME_TCP_F_DATA_LAST);
  expect_fault (1, HEADER);

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  say_data (&wire, a.sqe.common.cid, 0, data, sizeof data,
            NVME_TCP_F_DATA_LAST);
  expect_fault (1, HEADER);
}

static void
test_data_after_all_data (void **state)
{
  uint8_t data[512] = { 0 }, buf[512];
  struct transport_request a;

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  say_data (&wire, a.sqe.common.cid, 0, data, 512, NVME_TCP_F_DATA_LAST);
  say_data (&wire, a.sqe.common.cid, 512, data, 512, NVME_TCP_F_DATA_LAST);
  expect_fault (1, NVME_TCP_FES_RANGE);
}

static void
test_r2t_out_of_place (void **state)
{
  static const struct {
    uint32_t offset, bytes;
    uint16_t fes;
  } bad[] = {
    { 0, 8193, NVME_TCP_FES_RANGE },
    { 1, 100, NVME_TCP_FES_RANGE },
    { 4096, 4096, NVME_TCP_FES_RANGE },
    { 0, 0, HEADER },
    { 0, UINT32_MAX, NVME_TCP_FES_RANGE },
    { UINT32_MAX, 100, NVME_TCP_FES_RANGE },
  };
  static uint8_t data[8192];
  struct transport_request a;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    start (0, 0, 4096);
    queue->in_capsule_bytes = 0;
    send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
    say_r2t (&wire, a.sqe.common.cid, 0, bad[i].offset, bad[i].bytes);
    expect_fault (1, bad[i].fes);
  }

  /* for a read, and for a write that had all its data in the capsule */
  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_FROM_CONTROLLER, data, sizeof data);
  say_r2t (&wire, a.sqe.common.cid, 0, 0, 4096);
  expect_fault (1, HEADER);
  start (0, 0, 4096);
  queue->in_capsule_bytes = sizeof data;
  send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  say_r2t (&wire, a.sqe.common.cid, 0, 0, 4096);
  expect_fault (1, NVME_TCP_FES_SEQUENCE);
}

/* MAXR2T 0: the second while the first one's data waits to be sent. */
static void
test_two_r2ts_at_once (void **state)
{
  static uint8_t data[16384];
  struct transport_request a;

  start (0, 0, 4096);
  queue->in_capsule_bytes = 0;
  send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  say_r2t (&wire, a.sqe.common.cid, 0, 0, 4096);
  say_r2t (&wire, a.sqe.common.cid, 1, 4096, 4096);
  expect_fault (1, NVME_TCP_FES_LIMIT);
}

static void
test_wrong_header_digest (void **state)
{
  struct transport_request a;

  start (1, 1, 4096);
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  say_rsp (&wire, a.sqe.common.cid, 0);
  wire.in[wire.in_have - 1] ^= 0x80;
  expect_fault (1, NVME_TCP_FES_HDGST);
}

/* A TermReq must not land inside a PDU that is half sent. */
static void
test_no_termreq_inside_a_pdu (void **state)
{
  static uint8_t data[4096];
  struct transport_request a, b;

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  make (&b, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  assert_int_equal (queue->ops->submit (queue, &b), 0);
  wire.room_bytes = 100;
  assert_true (queue->ops->send_begin (queue));
  queue->ops->send_end (queue, queue->ops->send (queue));
  say_rsp (&wire, 0x7fff, 0);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  assert_int_equal (queue->error, EPROTO);
  assert_true (wire.shut);
  assert_false (queue->ops->send_begin (queue));
  stop ();
}

static void
test_termreq_received (void **state)
{
  struct nvme_tcp_term term;
  struct tcp_fault fault = { .fes = NVME_TCP_FES_LIMIT, .field = "" };
  struct transport_request a;

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  tcp_make_term (&term, NVME_TCP_C2H_TERM, &fault, 0);
  say (&wire, &term, sizeof term);
  assert_ptr_equal (drive (queue), &a);
  assert_int_equal (a.error, EPROTO);
  assert_non_null (strstr (queue->reason, "Data Transfer Limit Exceeded"));
  assert_true (heard_all (&wire));      /* nobody is left to be told */
  stop ();
}

/* --- set-up ------------------------------------------------------------- */

static void
not_a_server (const char *text)
{
  const struct tcp_queue_params params = { .qid = 0, .depth = 2 };
  struct transport_request a;

  wire_init (&wire);
  queue = tcp_queue_create (&wire.stream, &params);
  make (&a, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &a), 0);
  say (&wire, text, strlen (text));
  assert_ptr_equal (drive (queue), &a);
  assert_int_equal (a.error, EPROTO);
  assert_string_equal (queue->reason, "not an NVMe/TCP server");
  stop ();
}

static void
test_something_else_listens (void **state)
{
  not_a_server ("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
  not_a_server ("HTTP/1.1 400 Bad Request\r\n");
  not_a_server ("NBDMAGICIHAVEOPT\0\3");
  not_a_server ("220 mail.example.com ESMTP\r\n");
}

static void
test_icresp_refused (void **state)
{
  static const struct { uint8_t digest; uint32_t maxh2cdata; } bad[] = {
    { 1, 8192 }, { 2, 8192 }, { 4, 8192 }, { 0, 0 }, { 0, 4095 },
    { 0, 4098 }, { 0, 2048 },
  };
  const struct tcp_queue_params params = { .qid = 0, .depth = 2 };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    wire_init (&wire);
    queue = tcp_queue_create (&wire.stream, &params);
    assert_null (drive (queue));
    say_icresp (&wire, bad[i].digest, bad[i].maxh2cdata);
    drive (queue);
    assert_int_equal (queue->error, EPROTO);
    assert_non_null (strstr (queue->reason, "ICResp"));
    stop ();
  }
}

static void
test_the_end_of_the_stream (void **state)
{
  struct transport_request a;

  start (0, 0, 4096);
  send_capsule (&a, TRANSPORT_NO_DATA, NULL, 0);
  wire.eof = true;
  assert_ptr_equal (drive (queue), &a);
  assert_int_equal (a.error, ECONNRESET);
  stop ();
}

/* --- noise -------------------------------------------------------------- */

/* A good conversation with a few bytes changed: the machine may do whatever
 * the rules allow, but it must stay in its buffers and let all go. */
static void
test_random_damage (void **state)
{
  static uint8_t data[8192], buf[4][8192];
  struct transport_request a[4];

  for (unsigned seed = 0; seed < 20000; seed++) {
    uint8_t digest;
    size_t begin;

    srandom (seed);
    digest = (uint8_t) (random () & 3);
    start (3, digest, 4096);
    queue->sqflow_disabled = random () & 1;
    queue->in_capsule_bytes = random () & 1 ? 8192 : 0;
    for (unsigned i = 0; i < 4; i++)
      send_capsule (&a[i], (enum transport_data) (random () % 3), buf[i],
                    sizeof buf[i]);
    begin = wire.in_have;
    for (unsigned i = 0; i < 8; i++) {
      uint16_t cid = a[random () % 4].sqe.common.cid;

      switch (random () % 3) {
      case 0:
        say_data (&wire, cid, 4096 * (random () & 1), data, 4096,
                  (uint8_t) (random () & 12));
        break;
      case 1:
        say_r2t (&wire, cid, 0, 4096 * (random () & 1), 4096);
        break;
      default:
        say_rsp (&wire, cid, (uint16_t) (random () & 1));
        break;
      }
    }
    for (unsigned i = random () % 3; i > 0; i--)
      wire.in[begin + (size_t) random () % (wire.in_have - begin)] ^=
        (uint8_t) (1 << random () % 8);
    wire.chunk_bytes = (size_t) random () % 5000;
    wire.room_bytes = 1 + (size_t) random () % 9000;
    drive (queue);
    stop ();
    for (unsigned i = 0; i < 4; i++)
      assert_int_equal (a[i].state, REQUEST_DONE);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_wrong_data_digest_fails_its_command),
    cmocka_unit_test (test_success_without_all_data_is_an_error),
    cmocka_unit_test (test_success_in_other_words),
    cmocka_unit_test (test_unknown_types),
    cmocka_unit_test (test_answers_to_nobody),
    cmocka_unit_test (test_answer_to_a_command_not_sent),
    cmocka_unit_test (test_data_out_of_place),
    cmocka_unit_test (test_data_for_the_wrong_command),
    cmocka_unit_test (test_data_after_all_data),
    cmocka_unit_test (test_r2t_out_of_place),
    cmocka_unit_test (test_two_r2ts_at_once),
    cmocka_unit_test (test_wrong_header_digest),
    cmocka_unit_test (test_no_termreq_inside_a_pdu),
    cmocka_unit_test (test_termreq_received),
    cmocka_unit_test (test_something_else_listens),
    cmocka_unit_test (test_icresp_refused),
    cmocka_unit_test (test_the_end_of_the_stream),
    cmocka_unit_test (test_random_damage),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
