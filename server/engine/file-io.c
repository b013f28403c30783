/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of engine `file`.  Each one locks its range, does one thing with the
 * file in as many steps as that takes, syncs if it must, and is over.  It
 * lives on its reactor; nothing is allocated.
 *
 * What cannot block is done inline: anything on tmpfs but fallocate, and
 * reads of what the page cache has (RWF_NOWAIT).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include <sys/uio.h>

#include "common/log.h"
#include "server/engine/file-internal.h"

/* fallocate of a huge range can take minutes: it is done in steps. */
#define FALLOCATE_STEP_BYTES (UINT64_C (1) << 30)

/* Zeroes are written up to this many at a time, from one buffer. */
#define ZEROES_BYTES (64u * 1024)
#define ZEROES_IOVS 16

static uint8_t zeroes[ZEROES_BYTES] __attribute__ ((aligned (4096)));
#define Z { zeroes, ZEROES_BYTES }
static const struct iovec zeroes_iov[ZEROES_IOVS] = {
  Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z,
};
#undef Z

/* --- states and ends -------------------------------------------------- */

void
file_set_state (struct file_request *scratch, enum file_state state)
{
  static const unsigned from[] = {
    [FILE_NEW] = 0,
    [FILE_READ] = 1 << FILE_NEW,
    [FILE_WRITE] = 1 << FILE_NEW,
    [FILE_PUNCH_HOLE] = 1 << FILE_NEW,
    [FILE_ZERO_RANGE] = 1 << FILE_NEW | 1 << FILE_PUNCH_HOLE,
    [FILE_ZERO_WRITE] = 1 << FILE_NEW | 1 << FILE_PUNCH_HOLE |
                        1 << FILE_ZERO_RANGE,
    [FILE_BOUNCE] = 1 << FILE_READ | 1 << FILE_WRITE,
    [FILE_SYNC] = 1 << FILE_NEW | 1 << FILE_WRITE | 1 << FILE_PUNCH_HOLE |
                  1 << FILE_ZERO_RANGE | 1 << FILE_ZERO_WRITE,
    [FILE_OVER] = 1 << FILE_READ | 1 << FILE_WRITE | 1 << FILE_PUNCH_HOLE |
                  1 << FILE_ZERO_RANGE | 1 << FILE_ZERO_WRITE |
                  1 << FILE_BOUNCE | 1 << FILE_SYNC,
  };

  assert (from[state] & 1u << scratch->state);
  scratch->state = state;
}

int
file_errno (int64_t result)
{
  switch (-result) {
  case ENOSPC: case EDQUOT: case EFBIG: return -ENOSPC;
  case EROFS: return -EROFS;
  case EPERM: case EACCES: return -EPERM;
  case ENOMEM: return -ENOMEM;
  }
  return -EIO;
}

void
file_sync_failed (struct file_volume *v, int error)
{
  int none = 0;

  if (!atomic_compare_exchange_strong (&v->sync_error, &none, -error))
    return;
  log_error ("flush: %s/%s: %s: what was written since the last flush may be "
             "lost; every flush fails until the server is restarted",
             v->volume.pool->name, v->volume.name, strerror (-error));
  file_epoch_ends (v);
}

/* file_sync_failed and file-length.c told of the others. */
static void
tell (struct engine_request *request, int result)
{
  struct file_volume *v = file_volume (request->volume);

  if (result < 0 && -result != atomic_load (&v->sync_error)
      && (result != -EIO || atomic_load (&v->cut_bytes) == FILE_WHOLE))
    engine_failed (&v->volume, request, -result);
}

void
file_finish (struct engine_request *request, int result)
{
  struct file_request *scratch = file_scratch (request);

  tell (request, result);
  file_set_state (scratch, FILE_OVER);
  if (request->op != ENGINE_FLUSH)
    ranges_unlock (&file_volume (request->volume)->ranges, &scratch->range);
  request->done (request, result);
}

static bool
is_sync_error (int64_t result)
{
  return result != -ENOSPC && result != -EDQUOT && result != -EFBIG;
}

/* The request's change is made: make it stable if that is wanted, too. */
static int
changed (struct engine_request *request, bool is_stable)
{
  struct file_volume *v = file_volume (request->volume);

  if (!(request->flags & ENGINE_FUA) || is_stable || v->is_memory)
    return 0;
  file_set_state (file_scratch (request), FILE_SYNC);
  file_sync_join (request);
  return ENGINE_PENDING;
}

/* --- steps ------------------------------------------------------------ */

static bool
is_write_through (const struct file_volume *v,
                  const struct engine_request *request)
{
  return v->is_direct && (request->flags & ENGINE_FUA);
}

static void
prepare_falloc (struct reactor_file_io *io, uint64_t todo_bytes, int mode)
{
  io->op = REACTOR_FALLOCATE;
  io->mode = mode | FALLOC_FL_KEEP_SIZE;
  io->length_bytes = todo_bytes < FALLOCATE_STEP_BYTES
    ? todo_bytes : FALLOCATE_STEP_BYTES;
}

static void
prepare_zeroes (struct file_request *scratch)
{
  struct reactor_file_io *io = &scratch->io;
  uint64_t n = scratch->todo_bytes / ZEROES_BYTES;

  io->op = REACTOR_WRITEV;
  io->rw_flags = 0;
  if (n > 0) {
    io->iov = zeroes_iov;
    io->iovcnt = n < ZEROES_IOVS ? (int) n : ZEROES_IOVS;
  }
  else {
    scratch->tail = (struct iovec) { zeroes, scratch->todo_bytes };
    io->iov = &scratch->tail;
    io->iovcnt = 1;
  }
}

/* Hands the state's next step to the reactor. */
static int
submit_step (struct engine_request *request)
{
  struct file_volume *v = file_volume (request->volume);
  struct file_request *scratch = file_scratch (request);
  struct reactor_file_io *io = &scratch->io;

  switch (scratch->state) {
  case FILE_READ:
    io->op = REACTOR_READV;
    break;
  case FILE_WRITE:
    io->op = REACTOR_WRITEV;
    io->fd = is_write_through (v, request) ? v->fua_fd : v->fd;
    io->rw_flags = is_write_through (v, request) ? RWF_DSYNC : 0;
    break;
  case FILE_PUNCH_HOLE:
    prepare_falloc (io, scratch->todo_bytes, FALLOC_FL_PUNCH_HOLE);
    break;
  case FILE_ZERO_RANGE:
    prepare_falloc (io, scratch->todo_bytes, FALLOC_FL_ZERO_RANGE);
    break;
  case FILE_ZERO_WRITE:
    prepare_zeroes (scratch);
    break;
  default:
    assert (false);
  }
  reactor_file_submit (request->reactor, io);
  return ENGINE_PENDING;
}

/* Reads and writes: so many bytes are over. */
static void
advance_iov (struct file_request *scratch, struct engine_request *request,
             size_t bytes)
{
  struct iovec *iov = request->iov + request->iovcnt - scratch->io.iovcnt;

  scratch->io.offset_bytes += bytes;
  scratch->todo_bytes -= bytes;
  while (bytes > 0 && bytes >= iov->iov_len) {
    bytes -= iov->iov_len;
    iov++;
    scratch->io.iovcnt--;
  }
  if (bytes > 0) {
    iov->iov_base = (char *) iov->iov_base + bytes;
    iov->iov_len -= bytes;
  }
  scratch->io.iov = iov;
}

static int
read_over (struct engine_request *request, int64_t result)
{
  struct file_request *scratch = file_scratch (request);

  if (result < 0)
    return file_errno (result);
  if (result == 0) {
    file_ended_at (file_volume (request->volume), scratch->io.offset_bytes);
    return -EIO;
  }
  advance_iov (scratch, request, (size_t) result);
  return scratch->todo_bytes == 0 ? 0 : submit_step (request);
}

static int
write_over (struct engine_request *request, int64_t result)
{
  struct file_volume *v = file_volume (request->volume);
  struct file_request *scratch = file_scratch (request);
  bool write_through = is_write_through (v, request);

  if (result < 0) {
    /* Which of the two it was, the write or its sync, nobody says. */
    if (write_through && is_sync_error (result))
      file_sync_failed (v, file_errno (result));
    return file_errno (result);
  }
  if (result == 0)
    return -EIO;
  advance_iov (scratch, request, (size_t) result);
  return scratch->todo_bytes == 0 ? changed (request, write_through)
                                  : submit_step (request);
}

/* Fallocate and written zeroes: on to the next step. */
static int
step_over (struct engine_request *request, uint64_t bytes)
{
  struct file_request *scratch = file_scratch (request);

  scratch->io.offset_bytes += bytes;
  scratch->todo_bytes -= bytes;
  return scratch->todo_bytes == 0 ? changed (request, false)
                                  : submit_step (request);
}

static int
fallocate_over (struct engine_request *request, int64_t result)
{
  struct file_volume *v = file_volume (request->volume);
  struct file_request *scratch = file_scratch (request);

  if (result == -EOPNOTSUPP || result == -ENOSYS) {
    if (scratch->state == FILE_PUNCH_HOLE) {
      atomic_store (&v->no_punch_hole, true);
      file_set_state (scratch, FILE_ZERO_RANGE);
    }
    else {
      atomic_store (&v->no_zero_range, true);
      file_set_state (scratch, FILE_ZERO_WRITE);
    }
    return submit_step (request);
  }
  if (result < 0)
    return file_errno (result);
  return step_over (request, scratch->io.length_bytes);
}

static void
io_done (struct reactor_file_io *io, int64_t result)
{
  struct file_request *scratch = (struct file_request *) io;
  struct engine_request *request = file_request_of (scratch);
  int r = -EIO;

  if (result == -EINTR || result == -EAGAIN)
    r = submit_step (request);
  else
    switch (scratch->state) {
    case FILE_READ:
      r = read_over (request, result);
      break;
    case FILE_WRITE:
      r = write_over (request, result);
      break;
    case FILE_PUNCH_HOLE:
    case FILE_ZERO_RANGE:
      r = fallocate_over (request, result);
      break;
    case FILE_ZERO_WRITE:
      r = result < 0 ? file_errno (result) :
          result == 0 ? -EIO : step_over (request, (uint64_t) result);
      break;
    default:
      assert (false);
    }
  if (r != ENGINE_PENDING)
    file_finish (request, r);
}

/* --- what can be done at once ----------------------------------------- */

/* tmpfs: neither reads nor writes wait for a device. */
static int
transfer_memory (struct engine_request *request)
{
  struct file_volume *v = file_volume (request->volume);
  struct file_request *scratch = file_scratch (request);
  struct reactor_file_io *io = &scratch->io;
  ssize_t n;

  while (scratch->todo_bytes > 0) {
    if (request->op == ENGINE_READ)
      n = preadv (v->fd, io->iov, io->iovcnt, (off_t) io->offset_bytes);
    else
      n = pwritev (v->fd, io->iov, io->iovcnt, (off_t) io->offset_bytes);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return file_errno (-errno);
    if (n == 0) {
      if (request->op == ENGINE_READ)
        file_ended_at (v, io->offset_bytes);
      return -EIO;
    }
    advance_iov (scratch, request, (size_t) n);
  }
  return 0;
}

/* What the page cache has. */
static void
read_cached (struct engine_request *request)
{
  struct file_request *scratch = file_scratch (request);
  ssize_t n;

  n = preadv2 (scratch->io.fd, scratch->io.iov, scratch->io.iovcnt,
               (off_t) scratch->io.offset_bytes, RWF_NOWAIT);
  if (n > 0)
    advance_iov (scratch, request, (size_t) n);
}

/* --- the beginning ---------------------------------------------------- */

static int
begin_transfer (struct engine_request *request)
{
  struct file_volume *v = file_volume (request->volume);
  struct file_request *scratch = file_scratch (request);

  file_set_state (scratch, request->op == ENGINE_READ ? FILE_READ
                                                      : FILE_WRITE);
  if (v->is_memory)
    return file_lend (v, request) ? 0 : transfer_memory (request);
  if (v->is_direct) {
    if (!file_is_aligned (v, request)) {
      file_set_state (scratch, FILE_BOUNCE);
      file_bounce (request);
      return ENGINE_PENDING;
    }
  }
  else if (request->op == ENGINE_READ) {
    read_cached (request);
    if (scratch->todo_bytes == 0)
      return 0;
  }
  return submit_step (request);
}

/* The range is locked.  0 or -errno: over, but still locked. */
static int
begin (struct engine_request *request)
{
  struct file_volume *v = file_volume (request->volume);
  struct file_request *scratch = file_scratch (request);
  bool unmap = request->op == ENGINE_DISCARD ||
               (request->flags & ENGINE_UNMAP);

  switch (request->op) {
  case ENGINE_READ:
  case ENGINE_WRITE:
    return begin_transfer (request);
  default:
    break;
  }
  if (unmap && !atomic_load (&v->no_punch_hole))
    file_set_state (scratch, FILE_PUNCH_HOLE);
  else if (!atomic_load (&v->no_zero_range))
    file_set_state (scratch, FILE_ZERO_RANGE);
  else
    file_set_state (scratch, FILE_ZERO_WRITE);
  return submit_step (request);
}

/* The range became free, maybe by another reactor's doing. */
static void
begin_later (struct reactor_task *task)
{
  struct file_request *scratch = (struct file_request *)
    ((char *) task - offsetof (struct file_request, task));
  struct engine_request *request = file_request_of (scratch);
  int r;

  request->may_lend = false;
  r = begin (request);
  if (r != ENGINE_PENDING)
    file_finish (request, r);
}

static void
range_granted (struct range *range)
{
  struct file_request *scratch = (struct file_request *)
    ((char *) range - offsetof (struct file_request, range));
  struct engine_request *request = file_request_of (scratch);

  scratch->task.run = begin_later;
  reactor_post (request->reactor, &scratch->task);
}

static int
submit_flush (struct file_volume *v, struct engine_request *request)
{
  int error = atomic_load (&v->sync_error);

  if (error != 0)
    return -error;
  if (!file_is_whole (v))
    return -EIO;
  if (v->is_memory)
    return 0;
  file_set_state (file_scratch (request), FILE_SYNC);
  file_sync_join (request);
  return ENGINE_PENDING;
}

/* file-length.c has the reasons. */
static bool
is_cut_off (struct file_volume *v, const struct engine_request *request)
{
  uint64_t end_bytes = request->offset_bytes + request->length_bytes;
  uint64_t cut_bytes = atomic_load_explicit (&v->cut_bytes,
                                             memory_order_relaxed);

  if (request->op == ENGINE_READ)
    return end_bytes > cut_bytes;
  /* A change of the last block would give the file its length back, and all
   * between would be zeroes. */
  return cut_bytes != FILE_WHOLE
    || (end_bytes == atomic_load_explicit (&v->volume.size_bytes,
                                           memory_order_relaxed)
        && !file_is_whole (v));
}

int
file_submit (struct engine_volume *volume, struct engine_request *request)
{
  struct file_volume *v = file_volume (volume);
  struct file_request *scratch = file_scratch (request);
  int error, r;

  request->volume = volume;
  request->lent = NULL;
  scratch->state = FILE_NEW;
  if (request->op == ENGINE_FLUSH)
    return submit_flush (v, request);
  if (request->op != ENGINE_READ && volume->read_only)
    return -EROFS;
  if (is_cut_off (v, request))
    return -EIO;
  error = request->flags & ENGINE_FUA ? atomic_load (&v->sync_error) : 0;
  if (error != 0)
    return -error;
  if (request->length_bytes == 0)
    return 0;

  scratch->io = (struct reactor_file_io) {
    .done = io_done,
    .fd = v->fd,
    .iov = request->iov,
    .iovcnt = request->iovcnt,
    .offset_bytes = request->offset_bytes,
  };
  scratch->todo_bytes = request->length_bytes;
  scratch->range.start_bytes = request->offset_bytes;
  scratch->range.end_bytes = request->offset_bytes + request->length_bytes;
  scratch->range.exclusive = request->op != ENGINE_READ;
  scratch->range.granted = range_granted;
  if (!ranges_lock (&v->ranges, &scratch->range))
    return ENGINE_PENDING;
  r = begin (request);
  if (r != ENGINE_PENDING) {
    tell (request, r);
    if (!request->lent)
      ranges_unlock (&v->ranges, &scratch->range);
  }
  return r;
}
