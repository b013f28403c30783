/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O commands (NVM Command Set 1.0 section 3): each becomes requests of the
 * engine.  On the queue's reactor.
 *
 * Discard and write zeroes may name terabytes.  They are done in steps, so
 * that no single request keeps an engine's worker for long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nvmeof/status.h"
#include "server/target/internal.h"

enum {
  STEP_BYTES = 1 << 26,
  COMPARE_BYTES = 1 << 16,      /* no more memory for each, beside its data */
  COMPARE_ALIGN = 4096,
};

static void
prepare_request (struct target_command *command, enum engine_op op,
                 unsigned flags, const struct byte_range *range)
{
  struct engine_request *request = &command->request;

  request->op = op;
  request->flags = flags;
  request->offset_bytes = range->offset_bytes;
  request->length_bytes = range->length_bytes;
  request->iov = NULL;
  request->iovcnt = 0;
  request->may_lend = false;
}

/* ENGINE_PENDING, or the result. */
static int
submit (struct target_command *command,
        void (*done) (struct engine_request *request, int result))
{
  struct engine_volume *volume =
    command->queue->controller->subsystem->volume;

  command->request.done = done;
  command->request.reactor = command->queue->reactor;
  return volume->ops->submit (volume, &command->request);
}

static struct target_command *
command_of (struct engine_request *request)
{
  return (void *) ((char *) request
                   - offsetof (struct target_command, request));
}

static void
finish (struct target_command *command, int result)
{
  command_complete (command, result < 0 ? status_from_errno (-result) : 0);
}

static void
simple_done (struct engine_request *request, int result)
{
  finish (command_of (request), result);
}

static void
simple_execute (struct target_command *command)
{
  struct engine_request *request = &command->request;
  int r;

  if (command->data_bytes > 0) {
    command->iov.iov_base = command->buffer;
    command->iov.iov_len = command->data_bytes;
    request->iov = &command->iov;
    request->iovcnt = 1;
  }
  request->lent = NULL;
  request->may_lend = command->may_borrow && request->op == ENGINE_READ;
  r = submit (command, simple_done);
  if (r == ENGINE_PENDING)
    return;
  command->lent = request->lent;
  finish (command, r);
}

/* --- in steps: Dataset Management and Write Zeroes ----------------------------- */

static void steps_done (struct engine_request *request, int result);

/* Dataset Management: the next range that is not empty. */
static bool
next_dsm_range (struct target_command *command, struct byte_range *range)
{
  const struct nvme_dsm_range *ranges = command->buffer;
  unsigned lba_shift = command->queue->controller->subsystem->lba_shift;

  while (command->range_index < command->nr_ranges) {
    const struct nvme_dsm_range *r = &ranges[command->range_index];

    range->offset_bytes = le64_to_cpu (r->slba) << lba_shift;
    range->length_bytes = (uint64_t) le32_to_cpu (r->nlb) << lba_shift;
    if (range->length_bytes > 0)
      return true;
    command->range_index++;
  }
  return false;
}

static bool
next_range (struct target_command *command, struct byte_range *range)
{
  struct command_namespace ns;
  uint16_t status;

  if (command->sqe.common.opcode == nvme_cmd_dsm)
    return next_dsm_range (command, range);
  if (command->range_index > 0)
    return false;
  subsystem_namespace (command->queue->controller->subsystem, &ns);
  status = command_check_write_zeroes (&command->sqe.rw, &ns, range);
  assert (status == 0);
  return true;
}

/* False when all is done. */
static bool
next_step (struct target_command *command)
{
  struct engine_request *request = &command->request;
  struct byte_range range;
  uint64_t left;

  if (!next_range (command, &range))
    return false;
  left = range.length_bytes - command->range_done_bytes;
  range.offset_bytes += command->range_done_bytes;
  if (left > STEP_BYTES) {
    range.length_bytes = STEP_BYTES;
    command->range_done_bytes += STEP_BYTES;
  }
  else {
    range.length_bytes = left;
    command->range_done_bytes = 0;
    command->range_index++;
  }
  prepare_request (command, request->op, request->flags, &range);
  return true;
}

static void
run_steps (struct target_command *command)
{
  int r = 0;

  while (r == 0 && next_step (command))
    r = submit (command, steps_done);
  if (r != ENGINE_PENDING)
    finish (command, r);
}

static void
steps_done (struct engine_request *request, int result)
{
  struct target_command *command = command_of (request);

  if (result < 0)
    finish (command, result);
  else if (command->queue->state == TARGET_QUEUE_DEAD)
    command_complete (command, NVME_SC_ABORT_QUEUE);
  else
    run_steps (command);
}

static void
dsm_execute (struct target_command *command)
{
  struct command_namespace ns;
  uint16_t status;

  subsystem_namespace (command->queue->controller->subsystem, &ns);
  status = command_check_dsm_ranges (command->buffer, command->nr_ranges,
                                     &ns);
  if (status)
    command_complete (command, status);
  /* Only "deallocate" (CDW11.AD) is more than a hint. */
  else if (!(le32_to_cpu (command->sqe.common.cdw11) & 1 << 2))
    command_complete (command, 0);
  else
    run_steps (command);
}

/* --- Compare -------------------------------------------------------------------- */

/* What is there is read, piece by piece, beside what the host sent. */

static void compare_done (struct engine_request *request, int result);

static void
finish_compare (struct target_command *command, uint16_t status)
{
  free (command->compared);
  command_complete (command, status);
}

static int
compare_piece (struct target_command *command)
{
  const struct engine_request *request = &command->request;
  struct byte_range range = {
    request->offset_bytes + request->length_bytes,
    command->data_bytes - command->range_done_bytes,
  };

  if (range.length_bytes > COMPARE_BYTES)
    range.length_bytes = COMPARE_BYTES;
  prepare_request (command, ENGINE_READ, 0, &range);
  command->iov.iov_base = command->compared;
  command->iov.iov_len = range.length_bytes;
  command->request.iov = &command->iov;
  command->request.iovcnt = 1;
  return submit (command, compare_done);
}

/* Of the piece that was read.  False: no more is to be done. */
static bool
compare_goes_on (struct target_command *command, int result)
{
  uint64_t bytes = command->request.length_bytes;
  const uint8_t *data = command->buffer;
  uint16_t status = result < 0 ? status_from_errno (-result) : 0;

  if (status == 0 && memcmp (data + command->range_done_bytes,
                             command->compared, bytes) != 0)
    status = STATUS_DNR (NVME_SCT_MEDIA << NVME_SCT_SHIFT
                         | NVME_SC_COMPARE_FAILED);
  command->range_done_bytes += bytes;
  if (status == 0 && command->queue->state == TARGET_QUEUE_DEAD)
    status = NVME_SC_ABORT_QUEUE;
  if (status == 0 && command->range_done_bytes < command->data_bytes)
    return true;
  finish_compare (command, status);
  return false;
}

static void
run_compare (struct target_command *command)
{
  int r;

  do
    r = compare_piece (command);
  while (r != ENGINE_PENDING && compare_goes_on (command, r));
}

static void
compare_done (struct engine_request *request, int result)
{
  struct target_command *command = command_of (request);

  if (compare_goes_on (command, result))
    run_compare (command);
}

static void
compare_execute (struct target_command *command)
{
  size_t bytes = (command->data_bytes + COMPARE_ALIGN - 1)
    / COMPARE_ALIGN * COMPARE_ALIGN;

  command->compared = aligned_alloc (COMPARE_ALIGN, bytes < COMPARE_BYTES
                                     ? bytes : COMPARE_BYTES);
  if (command->compared)
    run_compare (command);
  else
    command_complete (command, status_from_errno (ENOMEM));
}

/* --- parse --------------------------------------------------------------------- */

static unsigned
engine_flags (const struct nvme_rw_sqe *sqe)
{
  uint16_t control = le16_to_cpu (sqe->control);

  return (control & NVME_RW_CONTROL_FUA ? ENGINE_FUA : 0)
    | (sqe->opcode == nvme_cmd_write_zeroes
       && control & NVME_RW_CONTROL_DEAC ? ENGINE_UNMAP : 0);
}

static uint16_t
parse_read (struct target_command *command,
            const struct command_namespace *ns)
{
  struct byte_range range;
  uint16_t status = command_check_read (&command->sqe.rw, ns,
                                        TARGET_MAX_TRANSFER, &range);

  if (status)
    return status;
  prepare_request (command, ENGINE_READ, 0, &range);
  command->data = TARGET_DATA_TO_HOST;
  command->data_bytes = (uint32_t) range.length_bytes;
  command->handler = simple_execute;
  return 0;
}

static uint16_t
parse_write (struct target_command *command,
             const struct command_namespace *ns)
{
  struct byte_range range;
  uint16_t status = command_check_write (&command->sqe.rw, ns,
                                         TARGET_MAX_TRANSFER, &range);

  if (status)
    return status;
  prepare_request (command, ENGINE_WRITE, engine_flags (&command->sqe.rw),
                   &range);
  command->data = TARGET_DATA_FROM_HOST;
  command->data_bytes = (uint32_t) range.length_bytes;
  command->handler = simple_execute;
  return 0;
}

static uint16_t
parse_compare (struct target_command *command,
               const struct command_namespace *ns)
{
  uint16_t status = parse_read (command, ns);

  if (status)
    return status;
  command->request.length_bytes = 0;    /* of what was compared last */
  command->range_done_bytes = 0;
  command->data = TARGET_DATA_FROM_HOST;
  command->handler = compare_execute;
  return 0;
}

static uint16_t
parse_write_zeroes (struct target_command *command,
                    const struct command_namespace *ns)
{
  struct byte_range range;
  uint16_t status = command_check_write_zeroes (&command->sqe.rw, ns, &range);

  if (status)
    return status;
  prepare_request (command, ENGINE_WRITE_ZEROES,
                   engine_flags (&command->sqe.rw), &range);
  command->range_index = 0;
  command->range_done_bytes = 0;
  command->handler = run_steps;
  return 0;
}

static uint16_t
parse_dsm (struct target_command *command,
           const struct command_namespace *ns, uint32_t sgl_bytes)
{
  const struct byte_range none = { 0, 0 };
  uint16_t status = command_check_dsm (&command->sqe.common, ns, sgl_bytes,
                                       &command->nr_ranges);

  if (status)
    return status;
  prepare_request (command, ENGINE_DISCARD, 0, &none);
  command->range_index = 0;
  command->range_done_bytes = 0;
  command->data = TARGET_DATA_FROM_HOST;
  command->data_bytes = sgl_bytes;
  command->handler = dsm_execute;
  return 0;
}

static uint16_t
parse_flush (struct target_command *command,
             const struct command_namespace *ns)
{
  const struct byte_range none = { 0, 0 };
  uint16_t status = command_check_flush (&command->sqe.common, ns);

  if (status)
    return status;
  prepare_request (command, ENGINE_FLUSH, 0, &none);
  command->handler = simple_execute;
  return 0;
}

uint16_t
io_parse (struct target_command *command, uint32_t sgl_bytes)
{
  uint16_t status = ana_check (command->queue);
  struct command_namespace ns;

  if (status)
    return status;
  subsystem_namespace (command->queue->controller->subsystem, &ns);
  switch (command->sqe.common.opcode) {
  case nvme_cmd_read:
    return parse_read (command, &ns);
  case nvme_cmd_write:
    return parse_write (command, &ns);
  case nvme_cmd_compare:
    return parse_compare (command, &ns);
  case nvme_cmd_flush:
    return parse_flush (command, &ns);
  case nvme_cmd_write_zeroes:
    return parse_write_zeroes (command, &ns);
  case nvme_cmd_dsm:
    return parse_dsm (command, &ns, sgl_bytes);
  default:
    return STATUS_DNR (NVME_SC_INVALID_OPCODE);
  }
}
