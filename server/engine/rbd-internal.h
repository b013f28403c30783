/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of engine `rbd` share.  A pool is a Ceph pool (or a namespace
 * of one), a volume is an RBD image or a snapshot of one.  Nothing is kept on
 * this machine:
 *
 *   object qbd_pool          the pool's identity
 *   image metadata qbd.*     what an image does not say of itself
 *
 *   rbd.c             the table of operations, volumes
 *   rbd-cluster.c     the argument, and the way to the cluster
 *   rbd-pool.c        pools: open, close, what is in them
 *   rbd-metadata.c    an image's metadata
 *   rbd-io.c          requests
 *   rbd-extents.c     what is allocated
 *
 * Names that begin with rbd_ and rados_ are the libraries'.  Their threads
 * call back; what runs there only posts.
 */
#ifndef QBD_ENGINE_RBD_INTERNAL_H
#define QBD_ENGINE_RBD_INTERNAL_H

#include <assert.h>
#include <stddef.h>

#include <rados/librados.h>
#include <rbd/librbd.h>
#include <sys/queue.h>

#include "server/engine/engine.h"

/* How long a start waits for the cluster. */
#define CEPH_TIMEOUT_S 15

/* Belongs to the caller, who serialises pool_* and volume_*. */
struct ceph_pool {
  struct engine_pool pool;
  char *ceph_name;              /* the Ceph pool's */
  char *namespace;              /* or NULL */
  rados_t cluster;
  rados_ioctx_t io;
  LIST_HEAD (, ceph_volume) volumes;    /* open */
};

struct ceph_volume {
  struct engine_volume volume;
  rbd_image_t image;            /* constant after open */
  /* librbd's cache is on, against our will: a write that is done is not
   * stable before a flush.  Constant after open. */
  bool has_cache;
  bool is_snapshot;             /* constant after open */
  LIST_ENTRY (ceph_volume) next;
};

/* engine_request's scratch. */
struct ceph_request {
  struct reactor_task task;
  ssize_t result;               /* librbd's */
  bool is_flush;                /* what is in flight is a flush */
};
static_assert (sizeof (struct ceph_request) <=
               sizeof (((struct engine_request *) NULL)->scratch), "");

static inline struct ceph_pool *
ceph_pool (struct engine_pool *pool)
{
  return (struct ceph_pool *) pool;
}

static inline struct ceph_volume *
ceph_volume (struct engine_volume *volume)
{
  return (struct ceph_volume *) volume;
}

/* --- rbd-cluster.c ---------------------------------------------------- */

/* Fills ceph_name, namespace, cluster and io; on failure all that is
 * filled is ceph_disconnect's. */
int ceph_connect (struct ceph_pool *pool, const char *argument,
                  struct error *err);
void ceph_disconnect (struct ceph_pool *pool);
/* Reads an object of the pool, with a bound in time: nothing of the pool was
 * ever read before.  Bytes, or -ENOENT with err left alone. */
int ceph_first_read (struct ceph_pool *pool, const char *object, char *buffer,
                     size_t bytes, struct error *err);

/* --- rbd-pool.c ------------------------------------------------------- */

int ceph_pool_open (const char *name, const char *argument,
                    struct reactor *const *reactors, unsigned nr_reactors,
                    struct engine_pool **pool, struct error *err);
void ceph_pool_close (struct engine_pool *pool);
int ceph_pool_stat (struct engine_pool *pool, struct engine_pool_stat *stat,
                    struct error *err);
int ceph_volume_each (struct engine_pool *pool,
                      int (*each) (void *opaque, const char *name),
                      void *opaque, struct error *err);

/* --- rbd-metadata.c: of an open image --------------------------------- */

struct ceph_settings {
  uint32_t block_size;
  bool read_only;
};

/* What is not there has its default. */
int ceph_get_settings (rbd_image_t image, struct ceph_settings *settings);
int ceph_set_block_size (rbd_image_t image, uint32_t block_size);
int ceph_set_read_only (rbd_image_t image, bool read_only);

int ceph_get_hosts (struct engine_volume *volume, struct host_list *hosts,
                    struct error *err);
int ceph_set_hosts (struct engine_volume *volume,
                    const struct host_list *hosts, struct error *err);

/* --- rbd-io.c --------------------------------------------------------- */

int ceph_submit (struct engine_volume *volume,
                 struct engine_request *request);
/* What a caller sees: ENOSPC, EROFS, EPERM, ENOMEM, else EIO. */
int ceph_errno (int64_t result);

/* --- rbd-extents.c ---------------------------------------------------- */

int ceph_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                    uint64_t length_bytes, struct engine_extent *extents,
                    unsigned nr_max);
int ceph_volume_allocated (struct engine_volume *volume,
                           uint64_t *allocated_bytes, struct error *err);

#endif
