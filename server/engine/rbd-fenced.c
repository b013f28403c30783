/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: what a server has in flight that finds itself fenced.  librbd
 * does not answer all of it: a write that waits for the exclusive lock, which
 * another has, may wait for ever.  Only the OSDs know whether it can still be
 * carried out, so they are asked for each object that it is about.  One that
 * refuses us has the map with the blocklist for the object's whole placement
 * group, and so has whoever serves that later: whatever of ours is on its way
 * there, or librbd sends yet, is refused, too.  When all have refused, all is
 * given up as not done.
 *
 * Asked by the keeper, who asks again when one did not know yet; answered in
 * threads of librados's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "server/engine/rbd-internal.h"

/* What is about more than these is left to librbd. */
#define ASKED_OBJECTS_MAX 4096

struct question {
  struct ceph_volume *volume;   /* one that is lost is never freed */
  atomic_uint nr_open;          /* objects, and who asks */
  atomic_bool is_unsure;        /* an OSD did not refuse us */
};

/* The numbers of a request's objects. */
struct objects {
  uint64_t first, nr;
};

/* Objects that do not hold the image's bytes in their order are not asked for,
 * nor where writes go elsewhere first, which may begin while it is open. */
int
ceph_know_objects (struct ceph_volume *v)
{
  uint64_t features, stripes;
  char prefix[CEPH_PREFIX_MAX], *objects = NULL;
  rbd_image_info_t info;
  int r;

  if (v->is_snapshot || v->has_cache
      || strncmp (v->header, CEPH_HEADER, strlen (CEPH_HEADER)) != 0)
    return 0;
  r = rbd_get_block_name_prefix (v->image, prefix, sizeof prefix);
  if (r == 0)
    r = rbd_stat (v->image, &info, sizeof info);
  if (r == 0)
    r = rbd_get_features (v->image, &features);
  if (r == 0)
    r = rbd_get_stripe_count (v->image, &stripes);
  if (r < 0)                    /* as it was, then */
    return r;
  if (stripes <= 1 && !(features & RBD_FEATURE_JOURNALING)) {
    objects = strdup (prefix);
    if (!objects)
      return -ENOMEM;
  }
  free (v->objects);
  v->objects = objects;
  v->objects_pool = rbd_get_data_pool_id (v->image);
  v->object_bytes = info.obj_size;
  return 0;
}

/* --- the answers ------------------------------------------------------ */

static void
close_one (struct question *question)
{
  struct ceph_volume *v = question->volume;

  if (atomic_fetch_sub (&question->nr_open, 1) > 1)
    return;
  if (!atomic_load (&question->is_unsure))
    ceph_abandon (v);
  free (question);
  atomic_store (&v->is_asking, false);
}

/* A thread of librados's. */
static void
answered (rados_completion_t completion, void *arg)
{
  struct question *question = arg;

  if (rados_aio_get_return_value (completion) != -ESHUTDOWN)
    atomic_store (&question->is_unsure, true);
  rados_aio_release (completion);
  close_one (question);
}

/* --- the questions ---------------------------------------------------- */

/* In order with writes: whoever carries them out is asked, and no replica. */
static int
stat_object (rados_ioctx_t io, const char *name,
             rados_completion_t completion)
{
  rados_read_op_t op = rados_create_read_op ();
  int r;

  rados_read_op_stat (op, NULL, NULL, NULL);
  r = rados_aio_read_op_operate (op, io, completion, name,
                                 LIBRADOS_OPERATION_ORDER_READS_WRITES);
  rados_release_read_op (op);
  return r;
}

static int
ask_for (struct question *question, uint64_t object)
{
  struct ceph_volume *v = question->volume;
  rados_completion_t completion;
  char name[CEPH_PREFIX_MAX + 32];
  int r;

  snprintf (name, sizeof name, "%s.%016" PRIx64, v->objects, object);
  r = rados_aio_create_completion2 (question, answered, &completion);
  if (r < 0)
    return r;
  atomic_fetch_add (&question->nr_open, 1);
  r = stat_object (v->objects_io, name, completion);
  if (r < 0) {
    atomic_fetch_sub (&question->nr_open, 1);
    rados_aio_release (completion);
  }
  return r;
}

static struct objects
objects_of (const struct ceph_volume *v, const struct engine_request *request)
{
  struct objects objects = { request->offset_bytes / v->object_bytes, 0 };

  if (request->length_bytes > 0)
    objects.nr = (request->offset_bytes + request->length_bytes - 1)
      / v->object_bytes - objects.first + 1;
  return objects;
}

/* Of all that librbd has, but for reads: *list, to be freed.  Returns how
 * many, or -errno. */
static int
list_objects (struct ceph_volume *v, struct objects **list)
{
  LOCK_SCOPE (&v->lock);
  struct ceph_call *call;
  uint64_t total = 0;
  int nr = 0;

  TAILQ_FOREACH (call, &v->calls, next)
    if (call->request->op != ENGINE_READ) {
      total += objects_of (v, call->request).nr;
      nr++;
    }
  if (total > ASKED_OBJECTS_MAX)
    return -E2BIG;
  *list = calloc ((size_t) nr + 1, sizeof **list);
  if (!*list)
    return -ENOMEM;
  nr = 0;
  TAILQ_FOREACH (call, &v->calls, next)
    if (call->request->op != ENGINE_READ)
      (*list)[nr++] = objects_of (v, call->request);
  return nr;
}

static int
ask (struct ceph_volume *v, const struct objects *list, int nr)
{
  struct question *question = calloc (1, sizeof *question);
  int r = 0;

  if (!question)
    return -ENOMEM;
  question->volume = v;
  atomic_init (&question->nr_open, 1);
  for (int i = 0; i < nr; i++)
    for (uint64_t n = 0; n < list[i].nr && r == 0; n++)
      r = ask_for (question, list[i].first + n);
  if (r < 0)
    atomic_store (&question->is_unsure, true);
  close_one (question);
  return 0;
}

/* Namespaces have objects of their own. */
static int
open_objects (struct ceph_volume *v)
{
  struct ceph_pool *pool = ceph_pool (v->volume.pool);
  int r;

  if (v->objects_io)
    return 0;
  r = rados_ioctx_create2 (pool->cluster, v->objects_pool, &v->objects_io);
  if (r < 0) {
    v->objects_io = NULL;
    return r;
  }
  if (pool->namespace)
    rados_ioctx_set_namespace (v->objects_io, pool->namespace);
  return 0;
}

void
ceph_ask_osds (struct ceph_volume *v)
{
  CLEANUP_FREE struct objects *list = NULL;
  int nr;

  assert (atomic_load (&v->is_lost));   /* nothing is added to it */
  if (!v->objects || atomic_exchange (&v->is_asking, true))
    return;
  nr = list_objects (v, &list);
  if (nr <= 0 || open_objects (v) < 0 || ask (v, list, nr) < 0)
    atomic_store (&v->is_asking, false);
}
