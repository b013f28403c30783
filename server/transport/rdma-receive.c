/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Input: receive completions to capsules to commands.  What a host says is
 * checked by the completion's own fields, nvmeof/rdma.h (the SGL) and
 * target_command_prepare (the command).  The receives are shared, so that a
 * completion finds its connection by the number of its queue pair.
 */
#include <errno.h>

#include "common/log.h"
#include "server/transport/rdma-internal.h"

/* --- requests ------------------------------------------------------------- */

static void
execute (struct rdma_request *request)
{
  rdma_request_set_state (request, RDMA_REQUEST_EXECUTING);
  target_command_execute (&request->command);
}

static void
proceed (struct rdma_request *request)
{
  if (request->command.data == TARGET_DATA_TO_HOST)
    execute (request);
  else {
    rdma_request_set_state (request, RDMA_REQUEST_READING);
    rdma_post_read (request);
  }
}

void
rdma_request_granted (struct rdma_request *request)
{
  rdma_hold (request->connection);
  proceed (request);
  rdma_release (request->connection);
}

static void
refuse (struct rdma_request *request, uint16_t status)
{
  rdma_request_set_state (request, RDMA_REQUEST_EXECUTING);
  target_command_fail (&request->command, status);
}

static void
begin_with_buffer (struct rdma_request *request)
{
  int r = rdma_buffer_get (request);

  if (r == 0)
    proceed (request);
  else if (r == -ENOMEM)
    refuse (request, NVME_SC_INTERNAL);
}

/* Asynchronous Event Requests are held for as long as their controller lives:
 * in requests that take no receive from the others. */
static bool
may_be_held (const struct rdma_connection *connection,
             const struct rdma_request *request)
{
  return connection->asked.qid == 0
    && request->capsules->sqe.common.opcode == nvme_admin_async_event;
}

/* The capsule is in the request. */
static void
begin (struct rdma_request *request, uint32_t capsule_bytes)
{
  struct target_command *command = &request->command;
  struct rdma_data data = { 0 };
  uint16_t bad, status;

  command->queue = &request->connection->queue;
  command->sqe = request->capsules->sqe;
  bad = rdma_check_capsule (&command->sqe.common, capsule_bytes,
                            RDMA_IN_CAPSULE_BYTES, &data);
  request->data = data;
  status = target_command_prepare (command, data.bytes,
                                   data.in_capsule && data.bytes > 0);
  if (bad)
    refuse (request, bad);
  else if (status)
    rdma_post_response (request);
  else if (request->in_capsule && may_be_held (request->connection, request))
    refuse (request, STATUS_DNR (STATUS_SPECIFIC (NVME_SC_ASYNC_LIMIT)));
  else if (command->data_bytes == 0)
    execute (request);
  else if (command->data_bytes > RDMA_IN_CAPSULE_BYTES)
    begin_with_buffer (request);
  else {
    /* There is room, even where the data are not in it. */
    command->buffer = request->in_capsule;
    if (data.in_capsule)
      execute (request);
    else
      proceed (request);
  }
}

/* --- completions -------------------------------------------------------------- */

/* Before Connect is over, 1; then SQSIZE and some slack.  What is answered
 * does not count although its SEND may not be over: the host may have the
 * answer already. */
static bool
exceeds_queue (const struct rdma_connection *connection)
{
  return connection->nr_unanswered >= target_queue_limit (&connection->queue);
}

/* What the private data said must be what Connect said. */
static bool
connect_differs (const struct rdma_connection *connection)
{
  const struct target_queue *queue = &connection->queue;

  return queue->state == TARGET_QUEUE_LIVE
    && queue->qid != connection->asked.qid;
}

static const char *
check_receive (const struct rdma_connection *connection,
               const struct ibv_wc *wc)
{
  if (wc->status != IBV_WC_SUCCESS)
    return ibv_wc_status_str (wc->status);
  if (wc->opcode != IBV_WC_RECV || wc->wc_flags & IBV_WC_WITH_IMM)
    return "a capsule with immediate data";
  if (wc->byte_len < sizeof (struct nvme_sqe))
    return "a capsule shorter than a command";
  if (exceeds_queue (connection))
    return "more commands in flight than its queue holds";
  if (connect_differs (connection))
    return "Connect for another QID than its private data";
  return NULL;
}

static bool
takes_capsules (const struct rdma_connection *connection)
{
  return connection->state == RDMA_ACCEPTED
    || connection->state == RDMA_READY
    || (connection->state == RDMA_CLOSING && connection->queue.qid == 0);
}

/* The same command without the receive, where there is one left. */
static struct rdma_request *
move_to_held (struct rdma_request *request)
{
  struct rdma_device *device = request->device;
  struct rdma_request *held = TAILQ_FIRST (&device->free_held);

  if (held == NULL)
    return request;
  TAILQ_REMOVE (&device->free_held, held, in_list);
  held->capsules->sqe = request->capsules->sqe;
  rdma_request_repost (request);
  return held;
}

static void
take (struct rdma_request *request, struct rdma_connection *connection,
      uint32_t capsule_bytes)
{
  struct rdma_device *device = request->device;

  if (may_be_held (connection, request))
    request = move_to_held (request);
  request->connection = connection;
  request->answered = false;
  TAILQ_INSERT_TAIL (&connection->requests, request, in_connection);
  connection->nr_unanswered++;
  if (request->in_capsule) {
    device->nr_taken++;
    rdma_await_quiet (device);
  }
  begin (request, capsule_bytes);
}

static void
handle_receive (struct rdma_device *device, const struct ibv_wc *wc)
{
  struct rdma_request *request = &device->requests[wc->wr_id];
  struct rdma_connection *connection =
    rdma_device_find (device, wc->qp_num);
  const char *fault;

  assert (request->state == RDMA_REQUEST_POSTED);
  /* The queue pair is in error, or gone: it says so by other ways. */
  if (connection == NULL || !takes_capsules (connection)
      || wc->status == IBV_WC_WR_FLUSH_ERR) {
    rdma_request_repost (request);
    return;
  }
  rdma_hold (connection);
  fault = check_receive (connection, wc);
  if (fault) {
    rdma_request_repost (request);
    rdma_fatal (connection, fault);
  }
  else {
    /* The host may be faster than its ESTABLISHED event. */
    if (connection->state == RDMA_ACCEPTED)
      rdma_set_ready (connection);
    target_queue_heard (&connection->queue);
    take (request, connection, wc->byte_len);
  }
  rdma_release (connection);
}

bool
rdma_poll_receives (struct rdma_device *device)
{
  struct ibv_wc wc[32];
  int n, turn = 0;

  do {
    n = ibv_poll_cq (device->receive_cq, 32, wc);
    for (int i = 0; i < n; i++)
      handle_receive (device, &wc[i]);
    turn += n;
  } while (n == 32 && turn < RDMA_TURN_COMPLETIONS);
  return n == 32;
}
