/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's NVMe/TCP queue machine, fed by hand: what it sends, what it makes
 * of answers however they are cut, and answers that come before a send is over.
 */
#include "tests/unit/lib-tcp-fixture.h"

/* --- what works --------------------------------------------------------- */

static void
test_commands_wait_for_icresp (void **state)
{
  const struct tcp_queue_params params = { .qid = 0, .depth = 2 };
  struct transport_request request;
  union nvme_tcp_pdu pdu;
  uint32_t bytes;

  wire_init (&wire);
  queue = tcp_queue_create (&wire.stream, &params);
  make (&request, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &request), 0);
  assert_null (drive (queue));
  hear (&wire, &pdu, &bytes);
  assert_true (heard_all (&wire));
  say_icresp (&wire, 0, 8192);
  assert_null (drive (queue));
  hear (&wire, &pdu, &bytes);
  assert_int_equal (pdu.hdr.type, NVME_TCP_CMD);
  assert_int_equal (pdu.cmd.sqe.common.dptr.type, NVME_SGL_TRANSPORT);
  say_rsp (&wire, request.sqe.common.cid, 0);
  assert_ptr_equal (drive (queue), &request);
  assert_int_equal (request.error, 0);
  assert_int_equal (request.state, REQUEST_DONE);
  stop ();
}

/* A read in two pieces and a small one that ends with SUCCESS, cut at every
 * length, with every combination of digests. */
static void
test_reads_however_cut (void **state)
{
  static uint8_t data[6000], buf[6000], small[512];
  struct transport_request a, b;

  fill (data, sizeof data, 1);
  for (uint8_t digest = 0; digest < 4; digest++)
    for (size_t chunk = 1; chunk < 200; chunk++) {
      start (3, digest, 4096);
      queue->sqflow_disabled = true;
      memset (buf, 0, sizeof buf);
      memset (small, 0, sizeof small);
      send_capsule (&a, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
      send_capsule (&b, TRANSPORT_FROM_CONTROLLER, small, sizeof small);
      wire.chunk_bytes = chunk;
      say_data (&wire, a.sqe.common.cid, 0, data, 4000, 0);
      say_data (&wire, b.sqe.common.cid, 0, data, 512,
                NVME_TCP_F_DATA_LAST | NVME_TCP_F_DATA_SUCCESS);
      say_data (&wire, a.sqe.common.cid, 4000, data + 4000, 2000,
                NVME_TCP_F_DATA_LAST);
      say_rsp (&wire, a.sqe.common.cid, 0);
      assert_ptr_equal (drive (queue), &b);
      assert_ptr_equal (b.next_done, &a);
      assert_int_equal (a.error, 0);
      assert_int_equal (nvme_cqe_status (&a.cqe), 0);
      assert_int_equal (nvme_cqe_status (&b.cqe), 0);
      assert_memory_equal (buf, data, sizeof buf);
      assert_memory_equal (small, data, sizeof small);
      stop ();
    }
}

static void
test_long_read_is_placed_directly (void **state)
{
  static uint8_t data[100000], buf[100000];
  struct tcp_queue *tcp;
  struct transport_request a;

  start (0, 0, 4096);
  tcp = tcp_queue_of (queue);
  fill (data, sizeof data, 2);
  send_capsule (&a, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  say_data (&wire, a.sqe.common.cid, 0, data, sizeof data,
            NVME_TCP_F_DATA_LAST);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  /* The head of it came with the header; the rest has its place. */
  queue->ops->recv_begin (queue);
  assert_int_equal (tcp->recv_iovcnt, 2);
  assert_ptr_equal (tcp->recv_iov[0].iov_base, buf + a.tcp.moved_bytes);
  assert_int_equal (tcp->recv_iov[0].iov_len,
                    sizeof buf - a.tcp.moved_bytes);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  say_rsp (&wire, a.sqe.common.cid, 0);
  assert_ptr_equal (drive (queue), &a);
  assert_memory_equal (buf, data, sizeof buf);
  stop ();
}

static void
test_write_in_capsule (void **state)
{
  uint8_t data[4096];
  struct transport_request a;
  union nvme_tcp_pdu pdu;
  const uint8_t *p;
  uint32_t n;

  fill (data, sizeof data, 3);
  for (uint8_t digest = 0; digest < 4; digest++) {
    start (3, digest, 4096);
    queue->in_capsule_bytes = sizeof data;
    make (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
    assert_int_equal (queue->ops->submit (queue, &a), 0);
    assert_null (drive (queue));
    p = hear (&wire, &pdu, &n);
    assert_int_equal (n, sizeof data);
    assert_int_equal (pdu.cmd.sqe.common.dptr.type, NVME_SGL_DATA_OFFSET);
    assert_int_equal (le32_to_cpu (pdu.cmd.sqe.common.dptr.length), n);
    assert_memory_equal (p, data, n);
    say_rsp (&wire, a.sqe.common.cid, 0);
    assert_ptr_equal (drive (queue), &a);
    assert_int_equal (nvme_cqe_status (&a.cqe), 0);
    stop ();
  }
}

/* Solicited in two R2Ts, sent in PDUs of MAXH2CDATA, through a wire that
 * takes `room` bytes at a time. */
static void
write_by_r2t (uint8_t digest, size_t room)
{
  static uint8_t data[20000], got[20000];
  struct transport_request a;
  union nvme_tcp_pdu pdu;
  uint32_t n, at = 0;
  const uint8_t *p;

  fill (data, sizeof data, 4);
  start (3, digest, 4096);
  queue->in_capsule_bytes = 4096;
  send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  assert_int_equal (a.sqe.common.dptr.type, NVME_SGL_TRANSPORT);
  wire.room_bytes = room;
  say_r2t (&wire, a.sqe.common.cid, 7, 0, 10000);
  assert_null (drive (queue));
  say_r2t (&wire, a.sqe.common.cid, 9, 10000, 10000);
  assert_null (drive (queue));
  while (at < sizeof data) {
    p = hear (&wire, &pdu, &n);
    assert_int_equal (pdu.hdr.type, NVME_TCP_H2C_DATA);
    assert_int_equal (pdu.data.cccid, a.sqe.common.cid);
    assert_int_equal (pdu.data.ttag, at < 10000 ? 7 : 9);
    assert_int_equal (le32_to_cpu (pdu.data.datao), at);
    assert_int_equal (le32_to_cpu (pdu.data.datal), n);
    assert_true (n <= 4096);
    memcpy (got + at, p, n);
    at += n;
    assert_int_equal (!!(pdu.hdr.flags & NVME_TCP_F_DATA_LAST),
                      at == 10000 || at == 20000);
  }
  assert_memory_equal (got, data, sizeof data);
  assert_true (heard_all (&wire));
  say_rsp (&wire, a.sqe.common.cid, 0);
  assert_ptr_equal (drive (queue), &a);
  assert_int_equal (nvme_cqe_status (&a.cqe), 0);
  stop ();
}

static void
test_write_by_r2t (void **state)
{
  for (uint8_t digest = 0; digest < 4; digest++) {
    write_by_r2t (digest, SIZE_MAX);
    for (size_t room = 1; room < 40; room++)
      write_by_r2t (digest, room);
    write_by_r2t (digest, 4097);
  }
}

static void
test_full_wire_wants_pollout (void **state)
{
  struct transport_request a;

  start (0, 0, 4096);
  wire.room_bytes = 0;
  make (&a, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &a), 0);
  assert_true (queue->ops->send_begin (queue));
  assert_false (queue->ops->send_end (queue, queue->ops->send (queue)));
  assert_true (queue->want_pollout);
  wire.room_bytes = SIZE_MAX;
  assert_true (queue->ops->send_begin (queue));
  assert_true (queue->ops->send_end (queue, queue->ops->send (queue)));
  assert_false (queue->want_pollout);
  stop ();
}

static void
test_all_slots_taken (void **state)
{
  struct transport_request a[DEPTH + 1];
  struct transport_request *done;

  start (0, 0, 4096);
  for (unsigned i = 0; i < DEPTH; i++)
    send_capsule (&a[i], TRANSPORT_NO_DATA, NULL, 0);
  make (&a[DEPTH], TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &a[DEPTH]), -EAGAIN);
  say_rsp (&wire, a[3].sqe.common.cid, 0x281);
  done = drive (queue);
  assert_ptr_equal (done, &a[3]);
  assert_null (done->next_done);
  assert_int_equal (nvme_cqe_status (&a[3].cqe), 0x281);
  assert_int_equal (queue->ops->submit (queue, &a[DEPTH]), 0);
  stop ();
  assert_int_equal (a[0].error, ESHUTDOWN);
}

/* --- the answer comes before the send is over --------------------------- */

static void
test_answer_while_sending (void **state)
{
  struct transport_request a;
  int64_t sent;

  start (0, 0, 4096);
  make (&a, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &a), 0);
  assert_true (queue->ops->send_begin (queue));
  sent = queue->ops->send (queue);
  say_rsp (&wire, a.sqe.common.cid, 0);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  assert_null (transport_completed (queue));
  assert_int_equal (a.state, REQUEST_ANSWERED);
  queue->ops->send_end (queue, sent);
  assert_ptr_equal (transport_completed (queue), &a);
  stop ();
}

static void
test_r2t_while_sending (void **state)
{
  static uint8_t data[8192];
  struct transport_request a;
  union nvme_tcp_pdu pdu;
  uint32_t n;
  int64_t sent;

  start (0, 0, 65536);
  queue->in_capsule_bytes = 0;
  make (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  assert_int_equal (queue->ops->submit (queue, &a), 0);
  assert_true (queue->ops->send_begin (queue));
  sent = queue->ops->send (queue);
  hear (&wire, &pdu, &n);
  say_r2t (&wire, a.sqe.common.cid, 1, 0, sizeof data);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  queue->ops->send_end (queue, sent);
  assert_null (drive (queue));
  hear (&wire, &pdu, &n);
  assert_int_equal (pdu.hdr.type, NVME_TCP_H2C_DATA);
  assert_int_equal (n, sizeof data);
  say_rsp (&wire, a.sqe.common.cid, 0);
  assert_ptr_equal (drive (queue), &a);
  assert_int_equal (nvme_cqe_status (&a.cqe), 0);
  stop ();
}

/* An error may come before all data went out; what is half sent must be sent
 * to its end, and no further. */
static void
test_error_in_the_middle_of_a_write (void **state)
{
  static uint8_t data[20000];
  struct transport_request a;
  union nvme_tcp_pdu pdu;
  uint32_t n;

  start (0, 0, 4096);
  queue->in_capsule_bytes = 0;
  send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  say_r2t (&wire, a.sqe.common.cid, 1, 0, sizeof data);
  wire.room_bytes = 100;
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  assert_true (queue->ops->send_begin (queue));
  queue->ops->send_end (queue, queue->ops->send (queue));
  say_rsp (&wire, a.sqe.common.cid, NVME_SC_CAP_EXCEEDED);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  assert_null (transport_completed (queue));
  wire.room_bytes = SIZE_MAX;
  assert_ptr_equal (drive (queue), &a);
  assert_int_equal (nvme_cqe_status (&a.cqe), NVME_SC_CAP_EXCEEDED);
  hear (&wire, &pdu, &n);
  assert_int_equal (n, 4096);
  assert_true (heard_all (&wire));
  assert_int_equal (queue->error, 0);
  stop ();
}

/* An error while solicited data waits to be sent: it stays unsent, because
 * the command is over for the controller. */
static void
test_error_before_solicited_data (void **state)
{
  static uint8_t data[8192];
  struct transport_request a;

  start (0, 0, 4096);
  queue->in_capsule_bytes = 0;
  send_capsule (&a, TRANSPORT_TO_CONTROLLER, data, sizeof data);
  say_r2t (&wire, a.sqe.common.cid, 1, 0, sizeof data);
  say_rsp (&wire, a.sqe.common.cid, NVME_SC_CAP_EXCEEDED);
  queue->ops->recv_begin (queue);
  queue->ops->recv_end (queue, queue->ops->recv (queue));
  assert_ptr_equal (transport_completed (queue), &a);
  assert_int_equal (nvme_cqe_status (&a.cqe), NVME_SC_CAP_EXCEEDED);
  assert_null (drive (queue));
  assert_true (heard_all (&wire));
  stop ();
}

static void
test_failure_waits_for_send_and_receive (void **state)
{
  struct transport_request a;
  int64_t sent;

  start (0, 0, 4096);
  make (&a, TRANSPORT_NO_DATA, NULL, 0);
  assert_int_equal (queue->ops->submit (queue, &a), 0);
  assert_true (queue->ops->send_begin (queue));
  queue->ops->recv_begin (queue);
  (queue->ops->fail) (queue, ETIMEDOUT, "late");
  assert_true (wire.aborted);
  assert_null (transport_completed (queue));
  sent = queue->ops->send (queue);
  queue->ops->send_end (queue, sent);
  assert_null (transport_completed (queue));
  queue->ops->recv_end (queue, -EAGAIN);
  assert_ptr_equal (transport_completed (queue), &a);
  assert_int_equal (a.error, ETIMEDOUT);
  assert_int_equal (queue->ops->submit (queue, &a), -ETIMEDOUT);
  stop ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_commands_wait_for_icresp),
    cmocka_unit_test (test_reads_however_cut),
    cmocka_unit_test (test_long_read_is_placed_directly),
    cmocka_unit_test (test_write_in_capsule),
    cmocka_unit_test (test_write_by_r2t),
    cmocka_unit_test (test_full_wire_wants_pollout),
    cmocka_unit_test (test_all_slots_taken),
    cmocka_unit_test (test_answer_while_sending),
    cmocka_unit_test (test_r2t_while_sending),
    cmocka_unit_test (test_error_in_the_middle_of_a_write),
    cmocka_unit_test (test_error_before_solicited_data),
    cmocka_unit_test (test_failure_waits_for_send_and_receive),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
