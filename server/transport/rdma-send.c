/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output: RDMA READ of a write's data, RDMA WRITE of a read's, and SEND of
 * the response.  A work request that finds no room in the send queue waits:
 * the host can have its answer, and send the next command, before our
 * completion has come.
 *
 * Every request posts one signalled work request at a time: READ, or SEND,
 * which a WRITE precedes that is over when the SEND is (work requests of a
 * queue pair complete in order).
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "server/transport/rdma-internal.h"

/* --- posting ---------------------------------------------------------------- */

/* wr_id: the request's number, and whether its completion matters. */
static uint64_t
wr_id (const struct rdma_request *request, bool ends)
{
  return (uint64_t) (request - request->device->requests) << 1 | ends;
}

static unsigned
nr_work_requests (const struct rdma_request *request)
{
  return request->state == RDMA_REQUEST_ANSWERING
    && request->command.result_bytes > 0 ? 2 : 1;
}

static struct ibv_sge
data_sge (const struct rdma_request *request, uint32_t bytes)
{
  return (struct ibv_sge) {
    .addr = (uintptr_t) request->command.buffer,
    .length = bytes,
    .lkey = request->device->mr->lkey,
  };
}

static int
post_read (struct rdma_request *request)
{
  struct ibv_sge sge = data_sge (request, request->command.data_bytes);
  struct ibv_send_wr *bad, read = {
    .wr_id = wr_id (request, true),
    .sg_list = &sge,
    .num_sge = 1,
    .opcode = IBV_WR_RDMA_READ,
    .send_flags = IBV_SEND_SIGNALED,
    .wr.rdma = { .remote_addr = request->data.addr,
                 .rkey = request->data.rkey },
  };

  return ibv_post_send (request->connection->id->qp, &read, &bad);
}

static int
post_response (struct rdma_request *request)
{
  struct target_command *command = &request->command;
  struct ibv_sge data = data_sge (request, command->result_bytes);
  struct ibv_sge cqe = {
    .addr = (uintptr_t) &request->capsules->cqe,
    .length = sizeof request->capsules->cqe,
    .lkey = request->device->mr->lkey,
  };
  struct ibv_send_wr *bad, send = {
    .wr_id = wr_id (request, true),
    .sg_list = &cqe,
    .num_sge = 1,
    .opcode = IBV_WR_SEND,
    .send_flags = IBV_SEND_SIGNALED,
  }, write = {
    .wr_id = wr_id (request, false),
    .sg_list = &data,
    .num_sge = 1,
    .opcode = IBV_WR_RDMA_WRITE,
    .next = &send,
    .wr.rdma = { .remote_addr = request->data.addr,
                 .rkey = request->data.rkey },
  };

  if (request->data.invalidate && request->data.bytes > 0
      && request->device->invalidates) {
    send.opcode = IBV_WR_SEND_WITH_INV;
    send.invalidate_rkey = request->data.rkey;
  }
  request->capsules->cqe = command->cqe;
  return ibv_post_send (request->connection->id->qp,
                        command->result_bytes > 0 ? &write : &send, &bad);
}

static void
post_now (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;
  int r;

  if (connection->send_room == connection->send_size)
    connection->progress_ms = reactor_now_ms (connection->reactor);
  connection->send_room -= nr_work_requests (request);
  if (request->state == RDMA_REQUEST_READING)
    r = post_read (request);
  else {
    request->answered = true;
    connection->nr_unanswered--;
    r = post_response (request);
  }
  rdma_watch_stall (connection);
  if (r == 0)
    return;
  /* It was not taken, and no completion will come for it. */
  log_error ("%s: post: %s", connection->portal.peer, strerror (r));
  connection->send_room += nr_work_requests (request);
  rdma_request_over (request);
  rdma_lost (connection, "its device takes no work requests");
}

static void
post (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;

  if (TAILQ_EMPTY (&connection->unposted)
      && connection->send_room >= nr_work_requests (request)) {
    post_now (request);
    return;
  }
  request->unposted = true;
  TAILQ_INSERT_TAIL (&connection->unposted, request, in_list);
}

static void
take_off (struct rdma_request *request)
{
  TAILQ_REMOVE (&request->connection->unposted, request, in_list);
  request->unposted = false;
}

static void
post_waiting (struct rdma_connection *connection)
{
  struct rdma_request *request;

  while ((request = TAILQ_FIRST (&connection->unposted)) != NULL
         && connection->send_room >= nr_work_requests (request)) {
    take_off (request);
    post_now (request);
  }
}

void
rdma_post_read (struct rdma_request *request)
{
  post (request);
}

void
rdma_post_response (struct rdma_request *request)
{
  rdma_request_set_state (request, RDMA_REQUEST_ANSWERING);
  post (request);
}

/* --- the end of a request ------------------------------------------------------- */

void
rdma_request_over (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;

  if (request->unposted)
    take_off (request);
  if (request->state == RDMA_REQUEST_WAITING)
    rdma_buffer_cancel (request);
  if (!request->answered)
    connection->nr_unanswered--;
  TAILQ_REMOVE (&connection->requests, request, in_connection);
  rdma_request_set_state (request, RDMA_REQUEST_POSTED);
  target_command_done (&request->command);
  rdma_buffer_give (request);
  request->connection = NULL;
  rdma_request_repost (request);
}

/* --- completions ------------------------------------------------------------------ */

static void
handle_end (struct rdma_request *request, bool good)
{
  struct rdma_connection *connection = request->connection;

  connection->send_room += nr_work_requests (request);
  if (request->state == RDMA_REQUEST_READING && good
      && connection->state == RDMA_READY) {
    target_queue_heard (&connection->queue);
    rdma_request_set_state (request, RDMA_REQUEST_EXECUTING);
    target_command_execute (&request->command);
  }
  else
    rdma_request_over (request);
}

static void
handle_error (struct rdma_connection *connection, const struct ibv_wc *wc)
{
  if (connection->state != RDMA_FLUSHING && connection->state != RDMA_CLOSED
      && wc->status != IBV_WC_WR_FLUSH_ERR)
    log_warning ("%s: %s", connection->portal.peer,
                 ibv_wc_status_str (wc->status));
  rdma_lost (connection, "a connection of its host broke");
}

void
rdma_poll_sends (struct rdma_connection *connection)
{
  struct rdma_device *device = connection->device;
  struct ibv_wc wc[32];
  int n;

  rdma_hold (connection);
  do {
    n = ibv_poll_cq (connection->send_cq, 32, wc);
    for (int i = 0; i < n; i++) {
      bool good = wc[i].status == IBV_WC_SUCCESS;

      connection->progress_ms = reactor_now_ms (connection->reactor);
      if (wc[i].wr_id & 1)
        handle_end (&device->requests[wc[i].wr_id >> 1], good);
      if (!good)
        handle_error (connection, &wc[i]);
    }
    if (connection->state < RDMA_FLUSHING)
      post_waiting (connection);
  } while (n > 0);
  rdma_check_closed (connection);
  rdma_release (connection);
}
