/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server does with the receives that an RDMA device's connections
 * share: an Asynchronous Event Request, which is held for as long as its
 * controller lives, keeps none of them from the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/target/internal.h"
#include "server/transport/rdma-internal.h"

enum { NR_SLOTS = 2, NR_HELD = 1 };

static struct rdma_device device;
static struct rdma_connection connection;
static struct rdma_request requests[NR_SLOTS + NR_HELD];
static struct rdma_capsules capsules[NR_SLOTS + NR_HELD];
static uint8_t in_capsule[NR_SLOTS][RDMA_IN_CAPSULE_BYTES];
static struct ibv_wc completion;
static bool completed;

static struct rdma_request *executed, *refused, *reposted;
static uint16_t refused_status;

static int
poll_cq (struct ibv_cq *cq, int n, struct ibv_wc *wc)
{
  if (!completed)
    return 0;
  completed = false;
  *wc = completion;
  return 1;
}

static struct ibv_context verbs = { .ops.poll_cq = poll_cq };
static struct ibv_cq cq = { .context = &verbs };

/* --- what rdma-receive.c knows of others ------------------------------------- */

struct rdma_connection *
rdma_device_find (struct rdma_device *its, uint32_t qp_num)
{
  return &connection;
}

void
rdma_hold (struct rdma_connection *its)
{
}

void
rdma_release (struct rdma_connection *its)
{
}

void
rdma_fatal (struct rdma_connection *its, const char *reason)
{
  fail_msg ("%s", reason);
}

void
rdma_set_ready (struct rdma_connection *its)
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
  assert_non_null (request->in_capsule);
  assert_null (reposted);
  reposted = request;
}

int
rdma_buffer_get (struct rdma_request *request)
{
  fail ();
  return -ENOMEM;
}

void
rdma_post_read (struct rdma_request *request)
{
  fail ();
}

void
rdma_post_response (struct rdma_request *request)
{
  fail ();
}

void
rdma_await_quiet (struct rdma_device *its)
{
}

unsigned
target_queue_limit (const struct target_queue *queue)
{
  return 8;
}

uint16_t
target_command_prepare (struct target_command *command, uint32_t sgl_bytes,
                        bool has_data)
{
  return 0;
}

void
target_command_execute (struct target_command *command)
{
  executed = (struct rdma_request *) command;
}

void
target_command_fail (struct target_command *command, uint16_t status)
{
  refused = (struct rdma_request *) command;
  refused_status = status;
}

/* --- cases ------------------------------------------------------------------------ */

static int
set_up (void **state)
{
  device = (struct rdma_device) { .receive_cq = &cq, .requests = requests };
  TAILQ_INIT (&device.free_held);
  connection = (struct rdma_connection) { .state = RDMA_READY,
                                          .device = &device };
  TAILQ_INIT (&connection.requests);
  for (unsigned i = 0; i < NR_SLOTS + NR_HELD; i++)
    requests[i] = (struct rdma_request) {
      .device = &device, .capsules = &capsules[i],
      .in_capsule = i < NR_SLOTS ? in_capsule[i] : NULL,
    };
  for (unsigned i = NR_SLOTS; i < NR_SLOTS + NR_HELD; i++)
    TAILQ_INSERT_TAIL (&device.free_held, &requests[i], in_list);
  return 0;
}

static void
receive (unsigned slot, uint8_t opcode, uint16_t cid)
{
  union nvme_command *sqe = &capsules[slot].sqe;

  memset (sqe, 0, sizeof *sqe);
  sqe->common.opcode = opcode;
  sqe->common.cid = cid;
  rdma_make_keyed (&sqe->common, 0, 0, 0);
  completion = (struct ibv_wc) { .wr_id = slot, .opcode = IBV_WC_RECV,
                                 .byte_len = sizeof *sqe };
  completed = true;
  executed = refused = reposted = NULL;
  assert_false (rdma_poll_receives (&device));
}

static void
test_held (void **state)
{
  receive (0, nvme_admin_async_event, 7);
  assert_ptr_equal (executed, &requests[NR_SLOTS]);
  assert_int_equal (executed->command.sqe.common.cid, 7);
  assert_ptr_equal (executed->connection, &connection);
  assert_ptr_equal (reposted, &requests[0]);
  assert_int_equal (device.nr_taken, 0);

  receive (1, nvme_admin_keep_alive, 8);
  assert_ptr_equal (executed, &requests[1]);
  assert_null (reposted);
  assert_int_equal (device.nr_taken, 1);

  /* There is no further place. */
  receive (0, nvme_admin_async_event, 9);
  assert_null (executed);
  assert_ptr_equal (refused, &requests[0]);
  assert_int_equal (refused_status, STATUS_DNR (STATUS_SPECIFIC
                                                (NVME_SC_ASYNC_LIMIT)));
  assert_int_equal (device.nr_taken, 2);
}

/* Of an I/O queue it is another command. */
static void
test_io_queue (void **state)
{
  connection.asked.qid = 1;
  receive (0, nvme_admin_async_event, 7);
  assert_ptr_equal (executed, &requests[0]);
  assert_null (reposted);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (test_held, set_up),
    cmocka_unit_test_setup (test_io_queue, set_up),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
