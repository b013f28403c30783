/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: requests.  Each becomes one asynchronous call of librbd,
 * a FUA write to an image with a cache two.  librbd's threads post the request
 * back to its reactor.
 *
 * Requests that overlap need no care: a block lies in one object, and an
 * object's operations are done one after the other.
 *
 * Without librbd's cache a write is done when all replicas have it on
 * stable storage, so there FUA asks for nothing more.
 *
 * ESHUTDOWN promises that nothing of a request will be done any more, as its
 * host then writes by way of another gateway, which may know less of the
 * blocklist than this one: an OSD that does not know it yet would take ours
 * later, over what is newer.  So what was given to librbd is answered when
 * librbd says that all of it is over, or when the OSDs refuse us all objects
 * that it is about (rbd-fenced.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "server/engine/rbd-internal.h"

int
ceph_errno (int64_t result)
{
  switch (-result) {
  case ENOSPC: case EDQUOT: return -ENOSPC;
  case EROFS: return -EROFS;
  case EPERM: case EACCES: return -EPERM;
  case ENOMEM: return -ENOMEM;
  /* EBLOCKLISTED: another gateway has fenced this one, and an OSD knows. */
  case ESHUTDOWN: return -ESHUTDOWN;
  }
  return -EIO;
}

static struct ceph_request *
scratch_of (struct engine_request *request)
{
  return (struct ceph_request *) &request->scratch;
}

static struct engine_request *
request_of (struct reactor_task *task)
{
  return (struct engine_request *)
    ((char *) task - offsetof (struct engine_request, scratch)
     - offsetof (struct ceph_request, task));
}

/* The image became smaller meanwhile: what is not there reads as zeroes. */
static void
zero_rest (const struct engine_request *request, uint64_t bytes)
{
  uint64_t start = 0;

  for (int i = 0; i < request->iovcnt; ++i) {
    const struct iovec *iov = &request->iov[i];
    uint64_t skip = bytes > start ? bytes - start : 0;

    if (skip < iov->iov_len)
      memset ((char *) iov->iov_base + skip, 0, iov->iov_len - skip);
    start += iov->iov_len;
  }
}

/* --- the end ---------------------------------------------------------- */

static int call (struct engine_request *request, bool flush);

/* That an image is lost was said when it was. */
static void
tell (struct engine_request *request, int result)
{
  if (result < 0 && !atomic_load (&ceph_volume (request->volume)->is_lost))
    engine_failed (request->volume, request, -result);
}

static void
over (struct reactor_task *task)
{
  struct engine_request *request = request_of (task);
  struct ceph_volume *v = ceph_volume (request->volume);
  struct ceph_request *scratch = scratch_of (request);
  ssize_t result = scratch->result;
  int r = 0;

  if (result < 0)
    r = ceph_errno (result);
  else if (request->op == ENGINE_READ
           && (uint64_t) result < request->length_bytes)
    zero_rest (request, (uint64_t) result);
  else if ((request->flags & ENGINE_FUA) && v->has_cache
           && !scratch->is_flush)
    r = call (request, true);
  /* A write may still come out of the cache that has taken it. */
  if (r == -ESHUTDOWN && scratch->is_flush && request->op != ENGINE_FLUSH)
    r = -EIO;
  if (r != ENGINE_PENDING) {
    tell (request, r);
    request->done (request, r);
  }
}

static void
answer (struct engine_request *request, ssize_t result)
{
  struct ceph_request *scratch = scratch_of (request);

  scratch->result = result;
  scratch->task.run = over;
  reactor_post (request->reactor, &scratch->task);
}

/* Whose request, if it waits still; and the call is nobody's any more. */
static struct engine_request *
take_request (struct ceph_call *call)
{
  struct ceph_volume *v = call->volume;
  LOCK_SCOPE (&v->lock);

  if (call->request)
    TAILQ_REMOVE (&v->calls, call, next);
  return call->request;
}

/* A thread of librbd's. */
static void
completed (rbd_completion_t completion, void *arg)
{
  struct ceph_call *call = arg;
  ssize_t result = rbd_aio_get_return_value (completion);
  struct engine_request *request = take_request (call);

  if (result == -ESHUTDOWN)
    ceph_pool_wake (call->volume->volume.pool);
  rbd_aio_release (completion);
  free (call);
  if (request)
    answer (request, result);
}

/* What an image that is lost answers. */
static int
gone (const struct ceph_volume *v)
{
  return atomic_load (&v->volume.pool->is_fenced) ? -ESHUTDOWN : -EIO;
}

/* librbd does not answer writes to an image that is not there, where nothing is
 * left that they could change; it has copies of their data.  It does answer
 * reads, and writes to their buffers until then. */
void
ceph_abandon (struct ceph_volume *v)
{
  struct ceph_call *call, *next;
  LOCK_SCOPE (&v->lock);

  for (call = TAILQ_FIRST (&v->calls); call; call = next) {
    next = TAILQ_NEXT (call, next);
    if (call->request->op == ENGINE_READ)
      continue;
    TAILQ_REMOVE (&v->calls, call, next);
    answer (call->request, gone (v));
    call->request = NULL;
  }
}

/* --- the beginning ---------------------------------------------------- */

/* Discard is the same as to write zeroes: librbd's own leaves parts of
 * objects as they are. */
static int
call_operation (rbd_image_t image, struct engine_request *request,
                rbd_completion_t completion)
{
  const struct iovec *iov = request->iov;
  uint64_t offset = request->offset_bytes;
  bool thick = request->op == ENGINE_WRITE_ZEROES
    && !(request->flags & ENGINE_UNMAP);

  switch (request->op) {
  case ENGINE_READ:
    if (request->iovcnt == 1)
      return rbd_aio_read (image, offset, iov->iov_len, iov->iov_base,
                           completion);
    return rbd_aio_readv (image, iov, request->iovcnt, offset, completion);
  case ENGINE_WRITE:
    if (request->iovcnt == 1)
      return rbd_aio_write (image, offset, iov->iov_len, iov->iov_base,
                            completion);
    return rbd_aio_writev (image, iov, request->iovcnt, offset, completion);
  case ENGINE_DISCARD:
  case ENGINE_WRITE_ZEROES:
    return rbd_aio_write_zeroes (image, offset, request->length_bytes,
                                 completion, thick ?
                                 RBD_WRITE_ZEROES_FLAG_THICK_PROVISION : 0,
                                 0);
  case ENGINE_FLUSH:
    break;
  }
  return rbd_aio_flush (image, completion);
}

/* False: the image is lost, and ceph_abandon may be over. */
static bool
keep (struct ceph_call *c)
{
  struct ceph_volume *v = c->volume;
  LOCK_SCOPE (&v->lock);

  if (atomic_load (&v->is_lost))
    return false;
  TAILQ_INSERT_TAIL (&v->calls, c, next);
  return true;
}

static int
call (struct engine_request *request, bool flush)
{
  struct ceph_volume *v = ceph_volume (request->volume);
  struct ceph_call *c = malloc (sizeof *c);
  rbd_completion_t completion;
  int r;

  if (!c)
    return -ENOMEM;
  *c = (struct ceph_call) { .volume = v, .request = request };
  scratch_of (request)->is_flush = flush;
  r = rbd_aio_create_completion (c, completed, &completion);
  if (r < 0) {
    free (c);
    return ceph_errno (r);
  }
  if (!keep (c)) {
    rbd_aio_release (completion);
    free (c);
    return gone (v);
  }
  r = flush ? rbd_aio_flush (v->image, completion)
            : call_operation (v->image, request, completion);
  if (r == 0)
    return ENGINE_PENDING;
  rbd_aio_release (completion);
  r = take_request (c) ? ceph_errno (r) : ENGINE_PENDING;
  free (c);
  return r;
}

int
ceph_submit (struct engine_volume *volume, struct engine_request *request)
{
  const struct ceph_volume *v = ceph_volume (volume);
  int r;

  request->volume = volume;
  if (atomic_load (&v->is_lost))
    return gone (v);
  if (request->op != ENGINE_READ && request->op != ENGINE_FLUSH
      && (volume->read_only || atomic_load (&v->refuses_writes)))
    return -EROFS;
  if (request->length_bytes == 0 && request->op != ENGINE_FLUSH)
    return 0;
  r = call (request, request->op == ENGINE_FLUSH);
  tell (request, r);
  return r;
}
