/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server posts to an RDMA connection's send queue: what a turn brings
 * goes out together and in order, as far as there is room, and what the device
 * does not take is given up.  An end is told only while something waits for it.
 * The queue pair is one by hand; all happens on one reactor.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/target/internal.h"
#include "server/transport/rdma-internal.h"
#include "tests/unit/reactor-fixture.h"

enum { NR_REQUESTS = 16, SEND_SIZE = 8 * 2 };

static struct reactor *reactor;
static struct rdma_connection connection;
static struct rdma_device device;
static struct rdma_request requests[NR_REQUESTS];
static struct rdma_capsules capsules[NR_REQUESTS];
static unsigned nr_lost, nr_ended, nr_over;

/* The device's side: what was posted, by how many calls; and the work request
 * that it does not take. */
static struct posted {
  uint64_t wr_id;
  enum ibv_wr_opcode opcode;
  bool signalled;
} posted[64];
static unsigned nr_posted, nr_calls;
static unsigned refused = UINT_MAX;
static struct ibv_wc completions[NR_REQUESTS];
static int nr_completions;
/* What it was asked to tell; and whether nobody looked since. */
static enum { NOTHING, ERRORS, ENDS } asked;
static unsigned nr_asked;
static bool looked;

static int
post_send (struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
  nr_calls++;
  for (; wr; wr = wr->next) {
    if (nr_posted == refused) {
      *bad = wr;
      return ENOMEM;
    }
    posted[nr_posted++] = (struct posted) {
      wr->wr_id, wr->opcode, wr->send_flags & IBV_SEND_SIGNALED,
    };
  }
  return 0;
}

static int
poll_cq (struct ibv_cq *cq, int n, struct ibv_wc *wc)
{
  int found = nr_completions;

  memcpy (wc, completions, (size_t) found * sizeof *wc);
  nr_completions = 0;
  looked = true;
  return found;
}

static int
req_notify_cq (struct ibv_cq *cq, int solicited_only)
{
  asked = solicited_only ? ERRORS : ENDS;
  nr_asked++;
  looked = false;
  return 0;
}

static struct ibv_context verbs = {
  .ops = { .post_send = post_send, .poll_cq = poll_cq,
           .req_notify_cq = req_notify_cq },
};
static struct ibv_qp qp = { .context = &verbs };
static struct ibv_cq cq = { .context = &verbs };
static struct ibv_mr mr = { .lkey = 1 };
static struct rdma_cm_id id = { .qp = &qp };

/* --- what rdma-send.c knows of others ---------------------------------------- */

void
rdma_hold (struct rdma_connection *its)
{
  its->holds++;
}

void
rdma_release (struct rdma_connection *its)
{
  assert_true (its->holds > 0);
  its->holds--;
}

bool
rdma_has_send_cq (const struct rdma_connection *its)
{
  return its->state < RDMA_DESTROYING;
}

void
rdma_lost (struct rdma_connection *its, const char *reason)
{
  its->state = RDMA_FLUSHING;
  nr_lost++;
}

void
rdma_check_closed (struct rdma_connection *its)
{
}

void
rdma_post_end (struct rdma_connection *its)
{
  assert_int_equal (its->state, RDMA_FLUSHING);
  nr_ended++;
}

void
rdma_watch_stall (struct rdma_connection *its)
{
}

void
rdma_request_set_state (struct rdma_request *request,
                        enum rdma_request_state state)
{
  request->state = state;
}

void
rdma_request_repost (struct rdma_request *request)
{
  assert_null (request->connection);
}

void
rdma_buffer_cancel (struct rdma_request *request)
{
}

void
rdma_buffer_give (struct rdma_request *request)
{
}

void
target_command_execute (struct target_command *command)
{
  rdma_post_response ((struct rdma_request *) command);
}

void
target_command_done (struct target_command *command)
{
  nr_over++;
}

/* --- on the reactor ------------------------------------------------------------- */

static struct rdma_request *
executing (unsigned i)
{
  struct rdma_request *request = &requests[i];

  request->connection = &connection;
  request->state = RDMA_REQUEST_EXECUTING;
  request->answered = false;
  TAILQ_INSERT_TAIL (&connection.requests, request, in_connection);
  connection.nr_unanswered++;
  device.nr_taken++;
  return request;
}

static void
answer (unsigned i, uint32_t result_bytes)
{
  struct rdma_request *request = executing (i);

  request->command.result_bytes = result_bytes;
  rdma_post_response (request);
}

static void
read_data (unsigned i)
{
  struct rdma_request *request = executing (i);

  request->command.data_bytes = 4096;
  request->state = RDMA_REQUEST_READING;
  rdma_post_read (request);
}

/* And then looked, so that no end was between the two. */
static void
is_asked (int what)
{
  assert_int_equal (asked, what);
  assert_true (what == NOTHING || looked);
}

static void
is_posted (unsigned number, unsigned request, bool ends,
           enum ibv_wr_opcode opcode)
{
  assert_true (number < nr_posted);
  assert_int_equal (posted[number].wr_id, request << 1 | ends);
  assert_int_equal (posted[number].opcode, opcode);
}

/* --- cases ------------------------------------------------------------------------ */

static void
three_in_a_turn (void)
{
  answer (0, 4096);
  read_data (1);
  answer (2, 0);
  assert_int_equal (nr_calls, 0);
  assert_int_equal (connection.nr_unanswered, 3);
}

static void
test_together (void **state)
{
  run_turn (reactor, three_in_a_turn);
  assert_int_equal (nr_calls, 1);
  assert_int_equal (nr_posted, 4);
  is_posted (0, 0, false, IBV_WR_RDMA_WRITE);
  is_posted (1, 0, true, IBV_WR_SEND);
  is_posted (2, 1, true, IBV_WR_RDMA_READ);
  is_posted (3, 2, true, IBV_WR_SEND);
  assert_false (posted[0].signalled || posted[1].signalled);
  assert_true (posted[2].signalled && posted[3].signalled);
  assert_int_equal (connection.send_room, SEND_SIZE - 4);
  assert_int_equal (connection.nr_unanswered, 1);
}

static void
a_batch (void)
{
  for (unsigned i = 0; i < RDMA_BATCH; i++) {
    assert_int_equal (nr_calls, 0);
    answer (i, 0);
  }
  assert_int_equal (nr_calls, 1);
  answer (RDMA_BATCH, 0);
  assert_int_equal (nr_calls, 1);
}

static void
test_batch (void **state)
{
  run_turn (reactor, a_batch);
  assert_int_equal (nr_calls, 2);
  assert_int_equal (nr_posted, RDMA_BATCH + 1);
}

static void
more_than_there_is_room (void)
{
  connection.send_room = 3;
  answer (0, 512);
  answer (1, 512);
}

static void
ends (unsigned i)
{
  completions[nr_completions++] = (struct ibv_wc) {
    .wr_id = i << 1 | 1, .status = IBV_WC_SUCCESS,
  };
}

static void
first_is_over (void)
{
  ends (0);
  rdma_sends_told (&connection);
}

static void
test_room (void **state)
{
  run_turn (reactor, more_than_there_is_room);
  assert_int_equal (nr_posted, 2);
  assert_int_equal (connection.send_room, 1);
  is_asked (ENDS);
  run_turn (reactor, first_is_over);
  assert_int_equal (nr_over, 1);
  assert_int_equal (nr_posted, 4);
  is_posted (3, 1, true, IBV_WR_SEND);
  assert_int_equal (connection.send_room, 1);
  assert_int_equal (asked, ERRORS);
}

/* The WRITE of the first is taken, its SEND is not, nor what follows. */
static void
test_refused (void **state)
{
  refused = 1;
  run_turn (reactor, three_in_a_turn);
  assert_int_equal (nr_posted, 1);
  assert_int_equal (nr_lost, 1);
  assert_int_equal (nr_over, 3);
  assert_true (TAILQ_EMPTY (&connection.requests));
  assert_int_equal (connection.nr_unanswered, 0);
  /* A WRITE's own completion gives nothing back. */
  assert_int_equal (connection.send_room, SEND_SIZE);
}

/* The first is taken, and its end not told, as the last one is not taken. */
static void
test_refused_later (void **state)
{
  refused = 2;
  run_turn (reactor, three_in_a_turn);
  assert_int_equal (nr_posted, 2);
  assert_false (posted[1].signalled);
  assert_int_equal (nr_over, 2);
  assert_int_equal (nr_lost, 1);
  assert_int_equal (nr_ended, 1);
}

static void
lost_in_the_same_turn (void)
{
  answer (0, 0);
  connection.state = RDMA_FLUSHING;
}

static void
test_lost (void **state)
{
  run_turn (reactor, lost_in_the_same_turn);
  assert_int_equal (nr_calls, 0);
  assert_int_equal (nr_lost, 0);
}

/* --- ends that nothing waits for ------------------------------------------------- */

static void
one_answer (void)
{
  answer (0, 4096);
}

static void
another_answer (void)
{
  ends (0);
  answer (1, 4096);
}

static void
last_is_looked_for (void)
{
  ends (1);
  rdma_poll_sends (&connection);
}

/* Not told; found when the connection posts again. */
static void
test_quiet (void **state)
{
  run_turn (reactor, one_answer);
  is_asked (NOTHING);
  assert_ptr_equal (TAILQ_FIRST (&device.quiet), &connection);
  run_turn (reactor, another_answer);
  is_asked (NOTHING);
  assert_int_equal (nr_over, 1);
  assert_ptr_equal (TAILQ_FIRST (&device.quiet), &connection);
  run_turn (reactor, last_is_looked_for);
  assert_int_equal (nr_over, 2);
  assert_true (TAILQ_EMPTY (&device.quiet));
}

/* What events are held in comes back with the end of their answer. */
static void
test_admin_told (void **state)
{
  connection.asked.qid = 0;
  run_turn (reactor, one_answer);
  is_asked (ENDS);
  assert_true (TAILQ_EMPTY (&device.quiet));
}

static void
one_read (void)
{
  read_data (0);
}

/* What it is read for goes on when it is told; its answer is quiet again. */
static void
test_read_told (void **state)
{
  run_turn (reactor, one_read);
  is_asked (ENDS);
  run_turn (reactor, first_is_over);
  assert_int_equal (asked, ERRORS);
  assert_int_equal (nr_asked, 2);
  assert_int_equal (nr_over, 0);
  is_posted (1, 0, true, IBV_WR_SEND);
  assert_int_equal (connection.nr_reads, 0);
  assert_ptr_equal (TAILQ_FIRST (&device.quiet), &connection);
}

static void
a_buffer_is_waited_for (void)
{
  device.nr_starved = 1;
  rdma_await_quiet (&device);
  rdma_await_quiet (&device);
}

static void
one_ends_and_a_buffer_is_waited_for (void)
{
  ends (0);
  a_buffer_is_waited_for ();
}

/* What has ended is found, and nothing asked for. */
static void
test_short_ended (void **state)
{
  run_turn (reactor, one_answer);
  run_turn (reactor, one_ends_and_a_buffer_is_waited_for);
  assert_int_equal (nr_over, 1);
  is_asked (NOTHING);
  assert_true (TAILQ_EMPTY (&device.quiet));
}

/* What has not is told, and so is what is posted meanwhile. */
static void
test_short (void **state)
{
  run_turn (reactor, one_answer);
  run_turn (reactor, a_buffer_is_waited_for);
  is_asked (ENDS);
  assert_true (TAILQ_EMPTY (&device.quiet));
  run_turn (reactor, first_is_over);
  assert_int_equal (nr_over, 1);
  assert_int_equal (asked, ERRORS);
  run_turn (reactor, one_answer);
  is_asked (ENDS);
}

static void
three_answers (void)
{
  for (unsigned i = 0; i < 3; i++)
    answer (i, 0);
}

static void
last_of_three_is_looked_for (void)
{
  ends (2);
  rdma_poll_sends (&connection);
}

/* The last one's end is that of all. */
static void
test_ends_together (void **state)
{
  run_turn (reactor, three_answers);
  assert_int_equal (nr_posted, 3);
  assert_false (posted[0].signalled || posted[1].signalled);
  assert_true (posted[2].signalled);
  run_turn (reactor, last_of_three_is_looked_for);
  assert_int_equal (nr_over, 3);
  assert_int_equal (connection.send_room, SEND_SIZE);
}

static void
test_few_receives (void **state)
{
  device.nr_slots = 2 * RDMA_QUIET_SLOTS;
  run_turn (reactor, three_answers);
  is_asked (ENDS);
  assert_true (TAILQ_EMPTY (&device.quiet));
}

static void
it_closes (void)
{
  connection.state = RDMA_CLOSING;
  rdma_await_sends (&connection);
}

static void
test_closing (void **state)
{
  run_turn (reactor, one_answer);
  run_turn (reactor, it_closes);
  is_asked (ENDS);
  assert_true (TAILQ_EMPTY (&device.quiet));
}

static int
set_up (void **state)
{
  struct error err;

  memset (&connection, 0, sizeof connection);
  memset (requests, 0, sizeof requests);
  nr_lost = nr_ended = nr_over = nr_posted = nr_calls = 0;
  nr_completions = 0;
  nr_asked = 0;
  asked = NOTHING;
  refused = UINT_MAX;
  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  assert_int_equal (reactor_start (reactor, &err), 0);
  memset (&device, 0, sizeof device);
  TAILQ_INIT (&device.quiet);
  device.nr_slots = RDMA_DEVICE_SLOTS_MIN;
  device.mr = &mr;
  device.requests = requests;
  for (unsigned i = 0; i < NR_REQUESTS; i++) {
    requests[i].device = &device;
    requests[i].capsules = &capsules[i];
  }
  connection.reactor = reactor;
  connection.asked.qid = 1;
  connection.device = &device;
  connection.id = &id;
  connection.send_cq = &cq;
  connection.state = RDMA_READY;
  connection.send_size = connection.send_room = SEND_SIZE;
  connection.look.run = rdma_run_look;
  TAILQ_INIT (&connection.requests);
  TAILQ_INIT (&connection.unposted);
  TAILQ_INIT (&connection.posted);
  return 0;
}

static int
tear_down (void **state)
{
  reactor_destroy (reactor);
  assert_int_equal (connection.holds, 0);
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_together, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_batch, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_room, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_refused, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_refused_later, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_lost, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_quiet, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_admin_told, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_read_told, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_short_ended, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_short, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_ends_together, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_few_receives, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_closing, set_up, tear_down),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
