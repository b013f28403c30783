/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of every command: parsed to a handler, executed, completed.  On
 * its queue's reactor.
 */
#include "common/probe.h"
#include "server/target/counters.h"
#include "server/target/internal.h"

static uint16_t
parse (struct target_command *command, uint32_t sgl_bytes, bool in_capsule)
{
  const struct nvme_sqe *sqe = &command->sqe.common;
  const struct target_queue *queue = command->queue;
  uint16_t status;

  if (queue->state == TARGET_QUEUE_DEAD)
    return NVME_SC_ABORT_QUEUE;
  if ((status = command_check_flags (sqe)) != 0)
    return status;
  if (sqe->opcode == nvme_admin_fabrics)
    status = fabrics_parse (command);
  else if (queue->state != TARGET_QUEUE_LIVE)
    status = STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  else if (queue->qid == 0)
    status = admin_parse (command);
  else
    status = io_parse (command, sgl_bytes);
  if (status)
    return status;

  if (sgl_bytes != command->data_bytes)
    return STATUS_DNR (NVME_SC_SGL_INVALID_DATA);
  if (in_capsule && sgl_bytes > 0 && command->data != TARGET_DATA_FROM_HOST)
    return STATUS_DNR (NVME_SC_SGL_INVALID_TYPE);
  return 0;
}

static void
advance_sqhd (struct target_queue *queue)
{
  if (queue->sqsize > 0)
    queue->sqhd = (queue->sqhd + 1u) % queue->sqsize;
}

static void
fill_cqe (struct target_command *command, uint16_t status)
{
  const struct target_queue *queue = command->queue;

  command->cqe.sqhd = cpu_to_le16 (queue->sqflow_disabled
                                   ? 0xffff : queue->sqhd);
  command->cqe.sqid = cpu_to_le16 (0);
  command->cqe.cid = command->sqe.common.cid;
  command->cqe.status = cpu_to_le16 ((uint16_t) (status << 1));
  command->result_bytes =
    status == 0 && command->data == TARGET_DATA_TO_HOST
    ? command->data_bytes : 0;
}

uint16_t
target_command_prepare (struct target_command *command, uint32_t sgl_bytes,
                        bool in_capsule)
{
  struct target_queue *queue = command->queue;
  uint16_t status;

  command->data = TARGET_DATA_NONE;
  command->data_bytes = 0;
  command->buffer = NULL;
  command->handler = NULL;
  command->executing = false;
  command->may_borrow = false;
  command->lent = NULL;
  command->cqe.value = cpu_to_le64 (0);
  command->received_ms = reactor_now_ms (queue->reactor);
  command->stage_since_ms = command->received_ms;
  queue_count_inflight (queue, 1);
  advance_sqhd (queue);
  status = parse (command, sgl_bytes, in_capsule);
  PROBE5 (server_receive, command, command->sqe.common.opcode, queue->qid,
          command->sqe.common.cid, le64_to_cpu (command->sqe.rw.slba));
  if (status) {
    command->data = TARGET_DATA_NONE;
    fill_cqe (command, status);
  }
  return status;
}

void
target_command_execute (struct target_command *command)
{
  struct target_queue *queue = command->queue;

  assert (command->handler);
  assert ((command->buffer != NULL) == (command->data_bytes > 0));
  command->executing = true;
  queue->nr_executing++;
  reactor_request_begins (queue->reactor);
  counters_start (command);
  PROBE2 (server_execute, command, command->data_bytes);
  if (queue->state == TARGET_QUEUE_DEAD)
    command_complete (command, NVME_SC_ABORT_QUEUE);
  else
    command->handler (command);
}

void
target_command_fail (struct target_command *command, uint16_t status)
{
  assert (!command->executing);
  fill_cqe (command, status);
  command->queue->ops->complete (command);
}

/* The engine has nothing more of it. */
static void
execution_over (struct target_queue *queue)
{
  queue->nr_executing--;
  queue_check_drained (queue);
}

void
command_complete (struct target_command *command, uint16_t status)
{
  struct target_queue *queue = command->queue;

  fill_cqe (command, status);
  PROBE2 (server_complete, command, status);
  if (command->executing) {
    command->executing = false;
    counters_finish (command, status);
    reactor_request_ends (queue->reactor);
    if (command->lent == NULL)
      execution_over (queue);
  }
  queue->ops->complete (command);
}

int
target_command_return (struct target_command *command, uint32_t from_bytes)
{
  struct engine_request *request = &command->request;
  int r;

  assert (command->lent != NULL && !command->executing);
  r = request->volume->ops->end_loan (request->volume, request, from_bytes);
  command->lent = NULL;
  execution_over (command->queue);
  return r;
}

void
command_hold (struct target_command *command)
{
  assert (command->executing);
  command->executing = false;
  reactor_request_ends (command->queue->reactor);
  command->queue->nr_executing--;
}
