/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: which of the servers that serve a pool this is.  Each holds a
 * lock on one of a few objects, which ends by itself unless it is renewed, so a
 * server that was killed needs nobody to clean up behind it.  Blocks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uuid/uuid.h>

#include "common/log.h"
#include "server/engine/rbd-internal.h"

#define LOCK_NAME "qbd"

static int
lock (struct ceph_pool *pool, unsigned gateway, uint8_t flags)
{
  struct timeval duration = { .tv_sec = CEPH_LEASE_S };
  char object[32];

  snprintf (object, sizeof object, "qbd_gateway.%u", gateway);
  return rados_lock_exclusive (pool->io, object, LOCK_NAME, pool->lease, "",
                               &duration, flags);
}

/* 0, -EBUSY when there are enough others, or -errno. */
static int
take (struct ceph_pool *pool)
{
  int r = -EBUSY;

  for (unsigned i = 0; i < ENGINE_GATEWAYS_MAX && r == -EBUSY; i++) {
    r = lock (pool, i, 0);
    if (r == 0) {
      atomic_store (&pool->pool.gateway, i);
      pool->has_lease = true;
    }
  }
  return r;
}

int
ceph_take_lease (struct ceph_pool *pool, struct error *err)
{
  uuid_t uuid;
  int r;

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, pool->lease);
  pool->pool.nr_gateways = ENGINE_GATEWAYS_MAX;
  r = take (pool);
  if (r == -EBUSY)
    return error_set (err, EBUSY, "pool: %s: rbd: Ceph pool %s: %d servers "
                      "serve it, or did in the last %d s: that is the most",
                      pool->pool.name, pool->ceph_name, ENGINE_GATEWAYS_MAX,
                      CEPH_LEASE_S);
  if (r < 0)
    return error_set (err, -r, "pool: %s: rbd: Ceph pool %s: lock of a "
                      "gateway: %s", pool->pool.name, pool->ceph_name,
                      strerror (-r));
  return 0;
}

/* Hosts keep the controllers that they have. */
void
ceph_renew_lease (struct ceph_pool *pool)
{
  int r = -EBUSY;

  if (atomic_load (&pool->is_fenced))
    return;
  if (pool->has_lease)
    r = lock (pool, atomic_load (&pool->pool.gateway),
              LIBRADOS_LOCK_FLAG_MAY_RENEW);
  if (r == -EBUSY) {
    pool->has_lease = false;
    r = take (pool);
    if (r == 0)
      log_warning ("pool: %s: rbd: the cluster was out of reach, and another "
                   "server took our number: we are gateway %u now",
                   pool->pool.name, atomic_load (&pool->pool.gateway));
  }
  if (r < 0)
    log_error ("pool: %s: rbd: lock of a gateway: %s", pool->pool.name,
               strerror (-r));
}

void
ceph_give_lease (struct ceph_pool *pool)
{
  char object[32];

  if (!pool->has_lease || atomic_load (&pool->is_fenced))
    return;
  snprintf (object, sizeof object, "qbd_gateway.%u",
            atomic_load (&pool->pool.gateway));
  rados_unlock (pool->io, object, LOCK_NAME, pool->lease);
}
