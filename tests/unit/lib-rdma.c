/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's NVMe/RDMA queue machine, an adapter by hand, and a server that
 * breaks the rules: what it says costs the connection and no memory of the
 * caller's; and whatever ends a connection, at whichever step, all that was
 * made for it is destroyed, in order.
 */
#include <errno.h>
#include <string.h>

#include "lib/internal.h"
#include "lib/rdma-queue.h"
#include "tests/unit/rdma-adapter.h"

enum { DEPTH = 8 };

static struct rdma_queue_params params = { .qid = 1, .depth = DEPTH };
static const struct stream_place server = { .sa.ss_family = AF_INET };
static struct nvme_rdma_cm_accept accepts;
static struct transport_queue *queue;

/* --- driving it ------------------------------------------------------------ */

static struct transport_request *
hear (void)
{
  bool more;

  do {
    (queue->ops->recv_begin) (queue);
    more = (queue->ops->recv_end) (queue, (queue->ops->recv) (queue));
  } while (more);
  return transport_completed (queue);
}

static void
create (void)
{
  struct error err;

  queue = rdma_queue_create (&server, "rdma://127.0.0.1", &params, &err);
  assert_non_null (queue);
}

/* The steps to a connection; after the last it is ready. */
enum { NR_STEPS = 3 };

static void
step (unsigned i)
{
  static const enum rdma_cm_event_type events[NR_STEPS] = {
    RDMA_CM_EVENT_ADDR_RESOLVED, RDMA_CM_EVENT_ROUTE_RESOLVED,
    RDMA_CM_EVENT_ESTABLISHED,
  };

  accepts = rdma_make_accept (DEPTH);
  adapter_event (events[i], 0, &accepts, sizeof accepts);
  assert_null (hear ());
}

static void
connect_it (void)
{
  for (unsigned i = 0; i < NR_STEPS; i++)
    step (i);
  assert_int_equal (queue->error, 0);
  assert_true (queue->ready);
}

static void
expect_let_go (void)
{
  static const struct adapter_objects none;

  assert_memory_equal (&adapter_objects, &none, sizeof none);
}

static void
stop (void)
{
  (queue->ops->fail) (queue, ESHUTDOWN, "over");
  transport_completed (queue);
  assert_int_equal (queue->nr_in_flight, 0);
  queue->ops->destroy (queue);
  expect_let_go ();
}

static void
submit (struct transport_request *request, enum transport_data data,
        void *buf, size_t bytes)
{
  *request = (struct transport_request) {
    .data = data, .iov = { .iov_base = buf, .iov_len = bytes },
  };
  assert_int_equal (queue->ops->submit (queue, request), 0);
}

static int64_t
begin_send (void)
{
  assert_true (queue->ops->send_begin (queue));
  return (queue->ops->send) (queue);
}

static void
send_all (void)
{
  (queue->ops->send_end) (queue, begin_send ());
}

/* --- as it should be ---------------------------------------------------------- */

static void
test_read_and_write (void **state)
{
  uint8_t in[512] = { 0 }, out[512], expected[512];
  struct transport_request read, write;

  memset (out, 7, sizeof out);
  memset (expected, 9, sizeof expected);
  create ();
  connect_it ();
  submit (&read, TRANSPORT_FROM_CONTROLLER, in, sizeof in);
  submit (&write, TRANSPORT_TO_CONTROLLER, out, sizeof out);
  send_all ();

  memset (adapter_data (adapter_posted ()), 9, sizeof in);
  adapter_answer (read.sqe.common.cid, 0);
  assert_null (hear ());        /* its send may not be over */
  adapter_sent (IBV_WC_SUCCESS);
  assert_ptr_equal (hear (), &read);
  assert_memory_equal (in, expected, sizeof in);

  assert_memory_equal (adapter_data (adapter_posted ()), out, sizeof out);
  adapter_sent (IBV_WC_SUCCESS);
  assert_null (hear ());
  adapter_answer (write.sqe.common.cid, NVME_SC_LBA_RANGE);
  assert_ptr_equal (hear (), &write);
  assert_int_equal (nvme_cqe_status (&write.cqe), NVME_SC_LBA_RANGE);
  assert_int_equal (queue->error, 0);
  stop ();
}

/* --- a server that breaks the rules ---------------------------------------------- */

/* Who sends may let a request go as soon as it is answered, and its buffer is
 * the caller's then. */
static void
second_answer (uint16_t first_status)
{
  uint8_t buf[512] = { 0 }, expected[512];
  struct transport_request request;
  int64_t sent;
  void *data;

  create ();
  connect_it ();
  submit (&request, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  sent = begin_send ();
  data = adapter_data (adapter_posted ());
  memset (data, 1, sizeof buf);
  adapter_answer (request.sqe.common.cid, first_status);
  adapter_sent (IBV_WC_SUCCESS);
  assert_null (hear ());        /* it is being sent */
  memcpy (expected, buf, sizeof buf);
  assert_int_equal (buf[0], first_status == 0);

  memset (data, 2, sizeof buf);
  adapter_answer (request.sqe.common.cid, 0);
  assert_null (hear ());
  assert_memory_equal (buf, expected, sizeof buf);
  assert_int_equal (queue->error, EPROTO);
  (queue->ops->send_end) (queue, sent);
  assert_ptr_equal (transport_completed (queue), &request);
  assert_int_equal (request.error, 0);
  assert_int_equal (nvme_cqe_status (&request.cqe), first_status);
  stop ();
}

static void
test_second_answer (void **state)
{
  second_answer (0);
  second_answer (NVME_SC_LBA_RANGE);
}

/* One request is in flight; `say` ends the connection and it. */
static void
ends_with (int error, void (*say) (uint16_t cid))
{
  uint8_t buf[512] = { 0 }, zeroes[512] = { 0 };
  struct transport_request request;

  create ();
  connect_it ();
  submit (&request, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  send_all ();
  memset (adapter_data (adapter_posted ()), 1, sizeof buf);
  say (request.sqe.common.cid);
  assert_ptr_equal (hear (), &request);
  assert_int_equal (queue->error, error);
  assert_int_equal (request.error, error);
  assert_memory_equal (buf, zeroes, sizeof buf);
  stop ();
}

static void
say_unknown_slot (uint16_t cid)
{
  adapter_answer ((uint16_t) (cid + 1), 0);
}

static void
say_slot_beyond_all (uint16_t cid)
{
  adapter_answer ((uint16_t) (cid | ((1 << TRANSPORT_SLOT_BITS) - 1)), 0);
}

static void
say_other_generation (uint16_t cid)
{
  adapter_answer ((uint16_t) (cid + (1 << TRANSPORT_SLOT_BITS)), 0);
}

static void
say_short (uint16_t cid)
{
  const struct nvme_cqe cqe = { .cid = cid };

  adapter_message (&cqe, sizeof cqe - 1, 0);
}

static void
say_nothing (uint16_t cid)
{
  adapter_message (&cid, 0, 0);
}

static void
lose_send (uint16_t cid)
{
  adapter_sent (IBV_WC_RETRY_EXC_ERR);
}

static void
lose_for_receives (uint16_t cid)
{
  adapter_sent (IBV_WC_RNR_RETRY_EXC_ERR);
}

static void
flush (uint16_t cid)
{
  adapter_receive_fails (IBV_WC_WR_FLUSH_ERR);
}

static void
overflow_receive (uint16_t cid)
{
  adapter_receive_fails (IBV_WC_LOC_LEN_ERR);
}

static void
disconnect (uint16_t cid)
{
  adapter_event (RDMA_CM_EVENT_DISCONNECTED, 0, NULL, 0);
}

static void
test_ends_connection (void **state)
{
  ends_with (EPROTO, say_unknown_slot);
  ends_with (EPROTO, say_slot_beyond_all);
  ends_with (EPROTO, say_other_generation);
  ends_with (EPROTO, say_short);
  ends_with (EPROTO, say_nothing);
  ends_with (EHOSTUNREACH, lose_send);
  ends_with (EHOSTUNREACH, lose_for_receives);
  ends_with (ECONNRESET, flush);
  ends_with (EIO, overflow_receive);
  ends_with (ECONNRESET, disconnect);
}

/* It may overtake the completion of a send; not what was not sent. */
static void
test_answer_before_command (void **state)
{
  uint8_t buf[512] = { 0 };
  struct transport_request request;

  create ();
  connect_it ();
  submit (&request, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
  adapter_answer (request.sqe.common.cid, 0);
  assert_ptr_equal (hear (), &request);
  assert_int_equal (request.error, EPROTO);
  stop ();
}

static void
test_flags (void **state)
{
  static const unsigned flags[] = { IBV_WC_WITH_IMM, IBV_WC_WITH_INV };

  for (unsigned i = 0; i < 2; i++) {
    uint8_t buf[512] = { 0 };
    struct transport_request request;
    struct nvme_cqe cqe = { 0 };

    create ();
    connect_it ();
    submit (&request, TRANSPORT_FROM_CONTROLLER, buf, sizeof buf);
    send_all ();
    cqe.cid = request.sqe.common.cid;
    adapter_message (&cqe, sizeof cqe, flags[i]);
    assert_ptr_equal (hear (), &request);
    assert_int_equal (request.error, EPROTO);
    stop ();
  }
}

/* --- looking before sleeping ------------------------------------------------------ */

enum { LOOKS = 1000, LONG_US = 60000000 };

/* The answer to one of so many requests comes while the receiver looks for it;
 * false: it would have gone to sleep before. */
static bool
finds_late (uint32_t poll_us, unsigned nr_requests)
{
  static uint8_t bufs[DEPTH][512];
  static struct transport_request requests[DEPTH];
  bool found;

  params.poll_us = poll_us;
  create ();
  connect_it ();
  for (unsigned i = 0; i < nr_requests; i++)
    submit (&requests[i], TRANSPORT_FROM_CONTROLLER, bufs[i], sizeof bufs[i]);
  send_all ();
  adapter_sent (IBV_WC_SUCCESS);
  adapter_answer (requests[0].sqe.common.cid, 0);
  (queue->ops->recv_begin) (queue);
  adapter_late = LOOKS;
  found = (queue->ops->arm) (queue);
  adapter_late = 0;
  (queue->ops->recv_end) (queue, (queue->ops->recv) (queue));
  assert_ptr_equal (transport_completed (queue), &requests[0]);
  stop ();
  params.poll_us = 0;
  return found;
}

static void
test_poll (void **state)
{
  assert_false (finds_late (0, 1));
  assert_true (finds_late (LONG_US, 1));
  assert_true (finds_late (LONG_US, RDMA_SPIN_REQUESTS));
  assert_false (finds_late (LONG_US, RDMA_SPIN_REQUESTS + 1));
}

/* As the option says. */
static void
test_poll_by_option (void **state)
{
  struct association_params asked = {
    .options = { .poll_us = 7, .connect_tmo_ms = 10000 },
  };
  struct association *association;
  struct error err;

  assert_int_equal (address_parse ("server", "rdma://127.0.0.1",
                                   &asked.options.server, &err), 0);
  association = association_create (&asked, &err);
  assert_non_null (association);
  association->route.places[0] = server;
  association->route.nr = 1;
  assert_int_equal (association_start (association, 0), 0);
  queue = queue_transport (association->admin);
  assert_int_equal (rdma_queue_of (queue)->spin.limit_us, 7);
  association_free (association);
  expect_let_go ();
}

/* --- the end, at each step -------------------------------------------------------- */

/* After so many steps; then it begins anew in the same memory. */
static void
end_after (unsigned nr_steps, enum rdma_cm_event_type type, int error)
{
  create ();
  for (unsigned i = 0; i < nr_steps; i++)
    step (i);
  adapter_event (type, 0, NULL, 0);
  assert_null (hear ());
  assert_int_equal (queue->error, error);
  queue->ops->abandon (queue);
  expect_let_go ();
  assert_int_equal (rdma_queue_renew (queue, &server, &params), 0);
  connect_it ();
  stop ();
}

static void
test_end_at_each_step (void **state)
{
  for (unsigned i = 0; i <= NR_STEPS; i++) {
    unsigned looks = adapter_looks;

    end_after (i, RDMA_CM_EVENT_DEVICE_REMOVAL, ENODEV);
    assert_int_equal (adapter_looks, looks + 1);
    end_after (i, RDMA_CM_EVENT_DISCONNECTED, ECONNRESET);
    end_after (i, RDMA_CM_EVENT_UNREACHABLE, EHOSTUNREACH);
    end_after (i, RDMA_CM_EVENT_REJECTED, ECONNREFUSED);
  }
}

/* Nobody reads events between two tries, or after the last one. */
static void
test_removed_when_dead (void **state)
{
  unsigned looks = adapter_looks;

  create ();
  connect_it ();
  (queue->ops->fail) (queue, ETIMEDOUT, "silent");
  assert_false (queue->ops->is_wanted_back (queue));
  adapter_event (RDMA_CM_EVENT_DISCONNECTED, 0, NULL, 0);
  assert_false (queue->ops->is_wanted_back (queue));
  adapter_event (RDMA_CM_EVENT_DEVICE_REMOVAL, 0, NULL, 0);
  assert_true (queue->ops->is_wanted_back (queue));
  assert_int_equal (adapter_looks, looks + 1);
  queue->ops->abandon (queue);
  assert_false (queue->ops->is_wanted_back (queue));
  expect_let_go ();
  stop ();

  create ();
  connect_it ();
  (queue->ops->fail) (queue, ETIMEDOUT, "silent");
  adapter_event (RDMA_CM_EVENT_DEVICE_REMOVAL, 0, NULL, 0);
  stop ();
  assert_int_equal (adapter_looks, looks + 2);
}

/* What the verbs make, they may refuse. */
static void
test_refused_by_device (void **state)
{
  static const struct {
    const char *function;
    unsigned after;             /* so many steps */
  } cases[] = {
    { "ibv_alloc_pd", 0 },
    { "ibv_create_comp_channel", 0 },
    { "ibv_reg_mr", 0 },
    { "ibv_create_cq", 0 },
    { "rdma_create_qp", 0 },
    { "rdma_resolve_route", 0 },
    { "rdma_connect", 1 },
  };
  static const char *at_once[] = {
    "rdma_create_event_channel", "rdma_create_id", "rdma_resolve_addr",
  };

  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    create ();
    for (unsigned j = 0; j < cases[i].after; j++)
      step (j);
    adapter_fails = cases[i].function;
    step (cases[i].after);
    assert_null (adapter_fails);
    assert_int_equal (queue->error, ENODEV);
    stop ();
  }
  /* Not every driver says why. */
  create ();
  adapter_fails = "ibv_create_cq";
  adapter_errno = 0;
  step (0);
  adapter_errno = ENODEV;
  assert_int_equal (queue->error, EIO);
  stop ();

  create ();
  (queue->ops->fail) (queue, ESHUTDOWN, "over");
  for (unsigned i = 0; i < sizeof at_once / sizeof at_once[0]; i++) {
    queue->ops->abandon (queue);
    adapter_fails = at_once[i];
    assert_int_equal (rdma_queue_renew (queue, &server, &params), -ENODEV);
    expect_let_go ();
  }
  stop ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_read_and_write),
    cmocka_unit_test (test_second_answer),
    cmocka_unit_test (test_ends_connection),
    cmocka_unit_test (test_answer_before_command),
    cmocka_unit_test (test_flags),
    cmocka_unit_test (test_poll),
    cmocka_unit_test (test_poll_by_option),
    cmocka_unit_test (test_end_at_each_step),
    cmocka_unit_test (test_removed_when_dead),
    cmocka_unit_test (test_refused_by_device),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
