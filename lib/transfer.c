/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads, writes and the rest: one call becomes a transfer, a transfer becomes
 * commands no longer than the controller takes, a few of them in flight at a
 * time.  Who calls it and waits is in sync.c, who does not in aio.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/internal.h"
#include "nvmeof/status.h"

enum { DSM_DEALLOCATE = 1 << 2 };       /* AD */

/* --- limits ------------------------------------------------------------- */

static uint64_t
command_max_bytes (struct qbd_volume *volume, enum io_op op)
{
  const struct controller_info *controller = &volume->paths->controller;
  uint32_t block_bytes = volume->ns->info.block_bytes;
  uint64_t max = UINT64_C (65536) * block_bytes;

  switch (op) {
  case IO_WRITE_ZEROES:
    if (controller->zeroes_max_bytes != UINT32_MAX &&
        controller->zeroes_max_bytes < max)
      max = controller->zeroes_max_bytes;
    return max < block_bytes ? block_bytes : max - max % block_bytes;
  case IO_DISCARD:
    return (uint64_t) controller->dsm_max_blocks * block_bytes;
  default:
    return qbd_get_max_transfer (volume);
  }
}

int
transfer_check (struct qbd_volume *volume, enum io_op op, uint64_t count,
                uint64_t offset, unsigned flags)
{
  uint64_t size_bytes = qbd_get_size (volume);
  uint32_t block_bytes = qbd_get_block_size (volume);
  unsigned known = 0;

  if (op == IO_WRITE || op == IO_WRITE_ZEROES || op == IO_DISCARD)
    known |= QBD_FUA;
  if (op == IO_WRITE_ZEROES)
    known |= QBD_NO_UNMAP;
  if (paths_inherited (volume->paths))
    return ENOTCONN;
  if (flags & ~known)
    return EINVAL;
  if (op == IO_FLUSH)
    return 0;
  if (op != IO_READ && qbd_is_read_only (volume))
    return EROFS;
  if ((op == IO_DISCARD && !qbd_can_discard (volume)) ||
      (op == IO_WRITE_ZEROES && !qbd_can_write_zeroes (volume)))
    return EOPNOTSUPP;
  if (count % block_bytes != 0 || offset % block_bytes != 0)
    return EINVAL;
  if ((op == IO_READ || op == IO_WRITE) && count > UINT32_MAX)
    return EINVAL;
  if (offset > size_bytes || count > size_bytes - offset)
    return op == IO_READ ? EINVAL : ENOSPC;
  return 0;
}

/* --- commands ----------------------------------------------------------- */

static bool
has_cache (const struct qbd_volume *volume)
{
  return volume->paths->controller.volatile_cache;
}

static uint16_t
rw_control (const struct transfer *transfer)
{
  uint16_t control = 0;

  if (transfer->flags & QBD_FUA && has_cache (transfer->volume))
    control |= NVME_RW_CONTROL_FUA;
  if (transfer->op == IO_WRITE_ZEROES && !(transfer->flags & QBD_NO_UNMAP))
    control |= NVME_RW_CONTROL_DEAC;
  return control;
}

static void
make_rw (struct transfer *transfer, struct transport_request *request,
         uint64_t bytes)
{
  static const uint8_t opcodes[] = {
    [IO_READ] = nvme_cmd_read,
    [IO_WRITE] = nvme_cmd_write,
    [IO_WRITE_ZEROES] = nvme_cmd_write_zeroes,
  };
  uint32_t block_bytes = transfer->volume->ns->info.block_bytes;

  request->sqe.rw = (struct nvme_rw_sqe) {
    .opcode = opcodes[transfer->op],
    .slba = cpu_to_le64 (transfer->offset_bytes / block_bytes),
    .nlb_0based = cpu_to_le16 ((uint16_t) (bytes / block_bytes - 1)),
    .control = cpu_to_le16 (rw_control (transfer)),
  };
  if (transfer->op == IO_WRITE_ZEROES)
    return;
  request->data = transfer->op == IO_READ ? TRANSPORT_FROM_CONTROLLER :
    TRANSPORT_TO_CONTROLLER;
  request->iov = (struct iovec) { .iov_base = transfer->buf,
                                  .iov_len = bytes };
  transfer->buf += bytes;
}

static void
make_discard (struct transfer *transfer, struct io_request *io,
              uint64_t bytes)
{
  struct transport_request *request = &io->request.transport;
  uint32_t block_bytes = transfer->volume->ns->info.block_bytes;

  io->range = (struct nvme_dsm_range) {
    .nlb = cpu_to_le32 ((uint32_t) (bytes / block_bytes)),
    .slba = cpu_to_le64 (transfer->offset_bytes / block_bytes),
  };
  request->sqe.common = (struct nvme_sqe) {
    .opcode = nvme_cmd_dsm,
    .cdw11 = cpu_to_le32 (DSM_DEALLOCATE),      /* cdw10: 1 range, 0-based */
  };
  request->data = TRANSPORT_TO_CONTROLLER;
  request->iov = (struct iovec) { .iov_base = &io->range,
                                  .iov_len = sizeof io->range };
}

static void
make_command (struct transfer *transfer, struct io_request *io,
              uint64_t bytes)
{
  struct transport_request *request = &io->request.transport;

  io->request.fleeting = false;
  io->request.changes = bytes > 0 && transfer->op != IO_READ;
  request->data = TRANSPORT_NO_DATA;
  request->iov = (struct iovec) { 0 };
  if (bytes == 0) {
    request->sqe.common = (struct nvme_sqe) { .opcode = nvme_cmd_flush };
    transfer->flush_left = false;
    transfer->covers = durable_so_far (transfer->ns);
    if (transfer->ns->retain && transfer->volume->paths->nr == 1)
      transfer->covers_retained = retain_so_far (transfer->ns->retain);
  } else if (transfer->op == IO_DISCARD) {
    make_discard (transfer, io, bytes);
  } else {
    make_rw (transfer, request, bytes);
  }
  request->sqe.common.nsid = cpu_to_le32 (transfer->volume->ns->nsid);
  transfer->offset_bytes += bytes;
  transfer->left_bytes -= bytes;
}

/* --- a transfer --------------------------------------------------------- */

/* Dataset Management has no FUA.  Without a volatile cache what is done is
 * stable. */
static bool
wants_flush (const struct transfer *transfer)
{
  return has_cache (transfer->volume) &&
    (transfer->op == IO_FLUSH ||
     (transfer->op == IO_DISCARD && transfer->flags & QBD_FUA &&
      transfer->whole_bytes > 0));
}

void
transfer_init (struct transfer *transfer, struct qbd_volume *volume,
               enum io_op op, void *buf, uint64_t count, uint64_t offset,
               unsigned flags)
{
  *transfer = (struct transfer) {
    .volume = volume,
    .op = op,
    .flags = flags,
    .buf = buf,
    .offset_bytes = offset,
    .left_bytes = op == IO_FLUSH ? 0 : count,
    .whole_buf = buf,
    .whole_offset_bytes = offset,
    .whole_bytes = op == IO_FLUSH ? 0 : count,
    .losses = paths_losses (volume->paths, volume->ns),
  };
  transfer->flush_left = wants_flush (transfer);
  if (volume->ns->retain && io_changes (op))
    transfer->begun = retain_begin (volume->ns->retain);
}

bool
transfer_is_empty (const struct transfer *transfer)
{
  return transfer->left_bytes == 0 && !transfer->flush_left;
}

/* A command can be submitted now: a flush waits for all before it. */
bool
transfer_has_next (const struct transfer *transfer)
{
  return transfer->left_bytes > 0 ||
    (transfer->flush_left && transfer->pending == 0);
}

static void
transfer_stop (struct transfer *transfer)
{
  transfer->left_bytes = 0;
  transfer->flush_left = false;
}

static void
transfer_fail (struct transfer *transfer, int error, uint16_t status)
{
  if (transfer->error == 0) {
    transfer->error = error;
    transfer->status = status;
  }
  transfer_stop (transfer);
}

/* A command succeeded: what does that mean for flushes?  0 or an errno. */
static int
account (struct transfer *transfer, const struct request *request)
{
  const struct nvme_rw_sqe *sqe = &request->transport.sqe.rw;
  struct paths *paths = transfer->volume->paths;
  struct namespace *ns = transfer->ns;

  if (!has_cache (transfer->volume))
    return 0;
  if (sqe->opcode == nvme_cmd_flush) {
    if (!durable_flushed (ns, transfer->covers) ||
        paths_have_lost (paths, ns))
      return EIO;
    if (ns->retain && paths->nr == 1)
      retain_flushed (ns->retain, transfer->covers_retained);
    return 0;
  }
  if (request->changes &&
      (sqe->opcode == nvme_cmd_dsm ||
       !(le16_to_cpu (sqe->control) & NVME_RW_CONTROL_FUA)))
    durable_changed (ns);
  if (request->changes && paths->nr > 1)
    paths_changed (transfer->association);
  return 0;
}

static unsigned
losses (const struct transfer *transfer)
{
  return paths_losses (transfer->volume->paths, transfer->volume->ns);
}

/* All of it is done, but a first part of it in a cache that was lost before
 * the last.  The caller was not told yet, and his data is still there. */
static bool
has_to_begin_again (const struct transfer *transfer)
{
  return transfer->pending == 0 && transfer->error == 0 &&
    transfer->left_bytes == 0 && transfer->whole_bytes > 0 &&
    transfer->op != IO_READ &&
    !transfer->moves && transfer->losses != losses (transfer);
}

/* All of it is done, and stable only in that it is kept here.  False: there is
 * no room, and a Flush has to make it stable, and room. */
static bool
keep (struct transfer *transfer, const struct request *request)
{
  const struct nvme_rw_sqe *sqe = &request->transport.sqe.rw;
  struct namespace *ns = transfer->ns;
  bool write = transfer->op == IO_WRITE;

  if (!ns->retain || transfer->pending > 0 || transfer->error != 0 ||
      transfer->left_bytes > 0 || !request->changes || transfer->moves ||
      paths_have_lost (transfer->volume->paths, ns))
    return true;
  return retain_keep (ns->retain, transfer->begun, sqe->opcode,
                      transfer->op == IO_DISCARD ? 0 : rw_control (transfer),
                      write ? transfer->whole_buf : NULL,
                      transfer->whole_offset_bytes, transfer->whole_bytes,
                      transfer->flags & QBD_FUA);
}

static void
begin_again (struct transfer *transfer)
{
  transfer->buf = transfer->whole_buf;
  transfer->offset_bytes = transfer->whole_offset_bytes;
  transfer->left_bytes = transfer->whole_bytes;
  transfer->flush_left = wants_flush (transfer);
  transfer->covering = false;
  if (transfer->op != IO_FLUSH)
    transfer->losses = losses (transfer);
}

/* --- another path ------------------------------------------------------- */

bool
transfer_moves (const struct transfer *transfer)
{
  return transfer->moves && transfer->error == 0;
}

void
transfer_begin_again (struct transfer *transfer)
{
  transfer->moves = false;
  if (transfer->covering && transfer->losses == losses (transfer))
    transfer->flush_left = true;
  else
    begin_again (transfer);
}

static void
enter (struct transfer *transfer)
{
  paths_enter (transfer->volume->paths);
  transfer->entered = true;
}

/* It has no command in flight: its path is nothing to it any more. */
static void
leave (struct transfer *transfer)
{
  if (transfer->entered)
    paths_leave (transfer->volume->paths);
  transfer->entered = false;
}

/* Its path is no path any more.  What was in flight may still take effect
 * there: the mark is made before anybody can send it again. */
static void
move (struct transfer *transfer, const struct request *request)
{
  if (request->changes && request->transport.error != 0)
    transfer->association->path.unfenced = true;
  transfer->moves = true;
  transfer_stop (transfer);
}

/* What is retained now is stable when all paths are flushed. */
static void
begin_flush (struct transfer *transfer)
{
  struct retain *retain = transfer->volume->ns->retain;
  unsigned now = losses (transfer);

  if (!retain || (transfer->flush_at > 0 && transfer->losses == now))
    return;
  transfer->flush_at = 0;
  transfer->covers_retained = retain_so_far (retain);
  if (!transfer->covering)
    transfer->losses = now;
}

/* Each path that has taken changes is flushed, one after the other. */
static int
route_flush (struct transfer *transfer)
{
  struct paths *paths = transfer->volume->paths;

  begin_flush (transfer);
  for (; transfer->flush_at < paths->nr; transfer->flush_at++) {
    struct association *dirty = paths->association[transfer->flush_at];

    transfer->ns = &dirty->namespaces[0];
    if (!durable_is_dirty (transfer->ns))
      continue;
    transfer->association = paths_pick_flush (paths, dirty);
    if (transfer->association)
      return 0;
    if (paths->replay.retain || !paths_pick (paths, false))
      return -EAGAIN;
    /* Its cache is out of reach. */
    durable_lose (transfer->ns);
    return -EIO;
  }
  transfer->association = paths_pick (paths, false);
  if (!transfer->association)
    return -EAGAIN;
  transfer->ns = &transfer->association->namespaces[0];
  return 0;
}

static int
route_over_several (struct transfer *transfer)
{
  struct paths *paths = transfer->volume->paths;
  bool changes = io_changes (transfer->op);
  int r = -paths_error (paths, changes);

  if (r < 0)
    return r;
  if (transfer->op == IO_FLUSH || transfer->covering) {
    r = route_flush (transfer);
    return paths->replay.suspended ? -EAGAIN : r;
  }
  transfer->association = paths_pick (paths, changes);
  if (!transfer->association)
    return -EAGAIN;
  transfer->ns = &transfer->association->namespaces[0];
  return 0;
}

int
transfer_route (struct transfer *transfer)
{
  struct paths *paths = transfer->volume->paths;
  int r;

  if (paths->nr == 1) {
    transfer->association = paths->association[0];
    transfer->ns = transfer->volume->ns;
    return 0;
  }
  enter (transfer);
  r = route_over_several (transfer);
  if (r < 0)
    leave (transfer);
  return r;
}

/* --- the end of a command ----------------------------------------------- */

/* All paths are flushed.  What was retained meanwhile was sent again over one
 * that may have been flushed before: then they are flushed once more; or what
 * the Flush was to make stable is done once more. */
static void
all_flushed (struct transfer *transfer)
{
  struct retain *retain = transfer->volume->ns->retain;

  if (!retain)
    return;
  if (transfer->losses == losses (transfer))
    retain_flushed (retain, transfer->covers_retained);
  else
    transfer->moves = true;
}

/* A flush of the path is over: is there another one? */
static void
next_flush (struct transfer *transfer)
{
  struct paths *paths = transfer->volume->paths;

  if (transfer->error != 0 || transfer->moves)
    return;
  if (transfer->flush_at < paths->nr)
    transfer->flush_at++;
  while (transfer->flush_at < paths->nr &&
         !durable_is_dirty (&paths->association[transfer->flush_at]
                            ->namespaces[0]))
    transfer->flush_at++;
  transfer->moves = transfer->flush_at < paths->nr;
  if (!transfer->moves)
    all_flushed (transfer);
}

/* All of it is done, but stable and kept only when all paths are flushed. */
static void
flush_all (struct transfer *transfer)
{
  if (transfer->volume->paths->replay.retain && transfer->flush_left &&
      transfer->pending == 0 && transfer->left_bytes == 0) {
    transfer->flush_left = false;
    transfer->flush_at = 0;
    transfer->covering = transfer->moves = true;
  }
}

/* What comes after a command that is over, if there is something to come. */
static void
judge_rest (struct transfer *transfer, const struct request *request)
{
  bool several = transfer->volume->paths->nr > 1;

  if (several && (transfer->op == IO_FLUSH || transfer->covering)) {
    next_flush (transfer);
    return;
  }
  if (has_to_begin_again (transfer))
    begin_again (transfer);
  else if (!keep (transfer, request))
    transfer->flush_left = true;
  if (several)
    flush_all (transfer);
}

/* A flush over another path than the one that took the changes, which has
 * another cache behind it since it was chosen. */
static bool
covers_too_little (const struct transfer *transfer,
                   const struct request *request)
{
  return transfer->volume->paths->nr > 1 &&
    request->transport.sqe.common.opcode == nvme_cmd_flush &&
    !durable_same_epoch (transfer->ns, &transfer->association->namespaces[0]);
}

/* Over one of several paths. */
static void
got_through (struct association *association)
{
  if (association->path.refused) {      /* hardly ever: it is not written to */
    association->path.refused = false;
    keeper_wake ();             /* before it is refused again */
  }
}

/* 0, or an errno that ends the transfer. */
static int
judge (struct transfer *transfer, struct request *request, uint16_t *status)
{
  struct paths *paths = transfer->volume->paths;

  *status = 0;
  if (request->transport.error == 0) {
    *status = nvme_cqe_status (&request->transport.cqe);
    if (!status_is_path (*status))
      got_through (transfer->association);
    if (*status == 0 && covers_too_little (transfer, request)) {
      move (transfer, request);
      return 0;
    }
    if (*status == 0)
      return account (transfer, request);
    if (paths->nr == 1 || !status_is_path (*status))
      return status_to_errno (*status);
    paths_doubt (transfer->association);
  } else if (paths->interrupted) {
    return ESHUTDOWN;
  } else if (paths->nr == 1) {
    return request->transport.error;
  }
  move (transfer, request);
  return 0;
}

/* [locked] A command of a transfer is over. */
static void
transfer_done (struct request *request)
{
  struct io_request *io = (struct io_request *) request;
  struct transfer *transfer = io->transfer;
  uint16_t status;
  int error = judge (transfer, request, &status);

  transfer->pending--;
  paths_count (transfer->volume->paths, transfer->association, -1);
  if (error != 0)
    transfer_fail (transfer, error, status);
  judge_rest (transfer, request);
  if (transfer_has_next (transfer))
    transfer_next_locked (transfer, io, true);
  if (transfer->pending == 0) {
    leave (transfer);
    transfer->over (transfer);
  }
}

static void
not_submitted (struct transfer *transfer, int r)
{
  struct paths *paths = transfer->volume->paths;

  if (paths->interrupted || paths->nr == 1) {
    transfer_fail (transfer, paths->interrupted ? ESHUTDOWN : -r, 0);
    return;
  }
  paths_doubt (transfer->association);
  transfer->moves = true;
  transfer_stop (transfer);
}

int
transfer_next_locked (struct transfer *transfer, struct io_request *io,
                      bool backlog)
{
  struct transfer before = *transfer;
  uint64_t bytes = command_max_bytes (transfer->volume, transfer->op);
  int r;

  if (bytes > transfer->left_bytes)
    bytes = transfer->left_bytes;
  io->transfer = transfer;
  io->request.done = transfer_done;
  make_command (transfer, io, bytes);
  r = queue_submit_locked (transfer->queue, &io->request, backlog);
  if (r == -EAGAIN)
    *transfer = before;
  else if (r < 0)
    not_submitted (transfer, r);
  if (r < 0 && transfer->pending == 0)
    leave (transfer);
  if (r == 0) {
    transfer->pending++;
    paths_count (transfer->volume->paths, transfer->association, 1);
  }
  return r;
}
