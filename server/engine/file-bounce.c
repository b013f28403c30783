/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Direct I/O takes only buffers of some alignment.  Requests of several
 * elements may have others; a worker thread copies those through a buffer that
 * it allocates.  Mixing in the page cache instead would be wrong: neighbours
 * in one page would see old bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sys/uio.h>

#include "server/engine/file-internal.h"

#define BOUNCE_BYTES (1024u * 1024)
#define BOUNCE_ALIGN 4096

bool
file_is_aligned (const struct file_volume *v,
                 const struct engine_request *request)
{
  int i;

  for (i = 0; i < request->iovcnt; ++i)
    if ((uintptr_t) request->iov[i].iov_base % v->memory_align != 0 ||
        request->iov[i].iov_len % v->offset_align != 0)
      return false;
  return true;
}

/* Between buffer and elements; the elements shrink by what was copied. */
static void
copy (struct engine_request *request, char *buffer, size_t bytes)
{
  struct iovec *iov = (struct iovec *) file_scratch (request)->io.iov;

  while (bytes > 0) {
    size_t n = iov->iov_len < bytes ? iov->iov_len : bytes;

    if (request->op == ENGINE_READ)
      memcpy (iov->iov_base, buffer, n);
    else
      memcpy (buffer, iov->iov_base, n);
    iov->iov_base = (char *) iov->iov_base + n;
    iov->iov_len -= n;
    buffer += n;
    bytes -= n;
    if (iov->iov_len == 0)
      iov++;
  }
  file_scratch (request)->io.iov = iov;
}

static int64_t
call (struct file_volume *v, const struct engine_request *request,
      char *buffer, size_t bytes, uint64_t offset)
{
  struct iovec iov = { buffer, bytes };
  bool fua = request->flags & ENGINE_FUA;
  ssize_t n;

  do
    n = request->op == ENGINE_READ
      ? preadv (v->fd, &iov, 1, (off_t) offset)
      : pwritev2 (fua ? v->fua_fd : v->fd, &iov, 1, (off_t) offset,
                  fua ? RWF_DSYNC : 0);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

/* All of one piece. */
static int
transfer (struct file_volume *v, const struct engine_request *request,
          char *buffer, size_t bytes, uint64_t offset)
{
  int64_t n;

  while (bytes > 0) {
    n = call (v, request, buffer, bytes, offset);
    if (n < 0) {
      if (request->op == ENGINE_WRITE && (request->flags & ENGINE_FUA) &&
          n != -ENOSPC && n != -EDQUOT && n != -EFBIG)
        file_sync_failed (v, file_errno (n));
      return file_errno (n);
    }
    if (n == 0) {
      if (request->op == ENGINE_READ)
        file_ended_at (v, offset);
      return -EIO;
    }
    buffer += n;
    offset += (uint64_t) n;
    bytes -= (size_t) n;
  }
  return 0;
}

static void
bounce_work (struct reactor_work *work)
{
  struct file_request *scratch = (struct file_request *)
    ((char *) work - offsetof (struct file_request, work));
  struct engine_request *request = file_request_of (scratch);
  struct file_volume *v = file_volume (request->volume);
  uint64_t offset = request->offset_bytes;
  uint64_t end = offset + request->length_bytes;
  size_t room = request->length_bytes < BOUNCE_BYTES
    ? request->length_bytes : BOUNCE_BYTES;
  void *buffer = NULL;

  scratch->result = -posix_memalign (&buffer, BOUNCE_ALIGN, room);
  if (scratch->result < 0)
    return;
  while (scratch->result == 0 && offset < end) {
    size_t n = end - offset < room ? end - offset : room;

    if (request->op == ENGINE_WRITE)
      copy (request, buffer, n);
    scratch->result = transfer (v, request, buffer, n, offset);
    if (request->op == ENGINE_READ && scratch->result == 0)
      copy (request, buffer, n);
    offset += n;
  }
  free (buffer);
}

static void
bounce_done (struct reactor_work *work)
{
  struct file_request *scratch = (struct file_request *)
    ((char *) work - offsetof (struct file_request, work));

  file_finish (file_request_of (scratch), scratch->result);
}

void
file_bounce (struct engine_request *request)
{
  struct file_request *scratch = file_scratch (request);

  scratch->work.work = bounce_work;
  scratch->work.done = bounce_done;
  reactor_work_submit (request->reactor, &scratch->work);
}
