/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which blocks are allocated: Get LBA Status on the admin queue, so that it
 * never waits behind data.  A question is asked in rounds, each a command
 * whose answer says something about the beginning of what is left; the
 * memory for an answer belongs to the question.
 *
 * The simulator asks with the block_status_ functions of internal.h, as
 * qbd_block_status does.
 */
#include <errno.h>

#include "lib/internal.h"
#include "nvmeof/status.h"

/* One call asks so many times: a target that answers in driblets gets a
 * partial result out, and does not keep its caller for ever. */
enum { ROUNDS_MAX = 16 };

int
block_status_init (struct block_status *status, struct qbd_volume *volume,
                   uint64_t count, uint64_t offset, unsigned flags,
                   block_status_extent extent, void *opaque)
{
  uint64_t size_bytes = qbd_get_size (volume);
  uint32_t block_bytes = qbd_get_block_size (volume);

  if (paths_inherited (volume->paths))
    return ENOTCONN;
  if (flags & ~(unsigned) QBD_ONE_EXTENT || count == 0 ||
      count % block_bytes != 0 || offset % block_bytes != 0 ||
      offset > size_bytes || count > size_bytes - offset)
    return EINVAL;
  if (!qbd_can_block_status (volume))
    return EOPNOTSUPP;
  status->volume = volume;
  status->next_lba = offset / block_bytes;
  status->end_lba = (offset + count) / block_bytes;
  status->bytes = flags & QBD_ONE_EXTENT ? LBA_STATUS_BYTES (1)
                                         : sizeof status->answer;
  status->extent = extent;
  status->opaque = opaque;
  status->fault = NULL;
  return 0;
}

union nvme_command
block_status_ask (const struct block_status *status)
{
  uint64_t blocks = status->end_lba - status->next_lba;
  uint32_t rl = blocks <= LBA_STATUS_RL_MAX ? (uint32_t) blocks : 0;

  return (union nvme_command) { .common = {
      .opcode = nvme_admin_get_lba_status,
      .nsid = cpu_to_le32 (status->volume->ns->nsid),
      .cdw10 = cpu_to_le32 ((uint32_t) status->next_lba),
      .cdw11 = cpu_to_le32 ((uint32_t) (status->next_lba >> 32)),
      .cdw12 = cpu_to_le32 (status->bytes / 4 - 1),
      .cdw13 = cpu_to_le32 ((uint32_t) LBA_STATUS_ATYPE_ALLOCATED << 24 | rl),
    } };
}

/* The user's callback, in bytes.  0, or -errno as the callback has it. */
static int
report (struct block_status *status, uint64_t start, uint64_t end,
        unsigned is)
{
  uint32_t block_bytes = qbd_get_block_size (status->volume);

  if (start == end)
    return 0;
  if (status->extent (status->opaque, start * block_bytes,
                      (end - start) * block_bytes, is) == 0)
    return 0;
  return errno > 0 ? -errno : -EINVAL;
}

static int
report_answer (struct block_status *status,
               const struct lba_status_answer *answer)
{
  unsigned hole = QBD_HOLE |
    (status->volume->ns->info.deallocated_zero ? QBD_ZERO : 0);
  uint64_t at = status->next_lba, start, end;
  int r;

  for (uint32_t i = 0; i < answer->nr; i++) {
    lba_status_extent (answer, i, &start, &end);
    r = report (status, at, start, hole);
    if (r == 0)
      r = report (status, start, end, 0);
    if (r < 0)
      return r;
    at = end;
  }
  return report (status, at, answer->known_end, hole);
}

int
block_status_answered (struct block_status *status, uint16_t sc)
{
  struct lba_status_answer answer;
  int r;

  /* Controllers have the command, and not this action type. */
  if ((sc & 0x7ff) == NVME_SC_INVALID_FIELD ||
      (sc & 0x7ff) == NVME_SC_INVALID_OPCODE)
    return -EOPNOTSUPP;
  if (sc != 0) {
    status->fault = status_name (sc);
    return -status_to_errno (sc);
  }
  if (lba_status_check (&status->answer.list, status->bytes,
                        status->next_lba, status->end_lba, &answer,
                        &status->fault) < 0)
    return -EPROTO;
  r = report_answer (status, &answer);
  if (r < 0)
    return r;
  status->next_lba = answer.known_end;
  return status->next_lba < status->end_lba;
}

/* --- synchronous -------------------------------------------------------- */

/* The path to ask over, waited for, and entered.  NULL: there will be none in
 * time. */
static struct association *
await_path (struct paths *paths)
{
  struct association *association;

  if (paths->nr == 1)
    return paths->association[0];
  while (paths_error (paths, false) == 0) {
    paths_enter (paths);
    association = paths_pick (paths, false);
    if (association)
      return association;
    paths_leave (paths);
    paths_await (paths, NULL, false);
  }
  return NULL;
}

/* As block_status_answered. */
static int
ask (struct block_status *status)
{
  struct paths *paths = status->volume->paths;
  struct association *association;

  while ((association = await_path (paths))) {
    union nvme_command sqe = block_status_ask (status);
    uint16_t sc;
    int r = association_call (association, &sqe, TRANSPORT_FROM_CONTROLLER,
                              &status->answer, status->bytes, false, &sc,
                              NULL);

    paths_leave (paths);
    if (paths->interrupted && r < 0)
      return -ESHUTDOWN;
    if (paths->nr == 1 || (r == 0 && !status_is_path (sc)))
      return r < 0 ? r : block_status_answered (status, sc);
    paths_doubt (association);
  }
  return -paths_error (paths, false);
}

static int
block_status_fail (struct qbd_volume *volume, int error, const char *fault)
{
  const char *name = options_name (&volume->paths->options);
  struct error err;

  if (!fault)
    return volume_fail (volume, "block status", error, 0);
  error_set (&err, error, "block status: %s: %s", name, fault);
  return error_publish (&err);
}

int
qbd_block_status (struct qbd_volume *volume, uint64_t count, uint64_t offset,
                  unsigned flags, block_status_extent extent, void *opaque)
{
  struct block_status status;
  unsigned rounds = 0;
  int r;

  status.fault = NULL;
  r = -block_status_init (&status, volume, count, offset, flags, extent,
                          opaque);
  if (r == 0)
    do
      r = ask (&status);
    while (r > 0 && !(flags & QBD_ONE_EXTENT) && ++rounds < ROUNDS_MAX);
  if (r < 0)
    return block_status_fail (volume, -r, status.fault);
  return 0;
}
