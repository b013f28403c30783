/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: which of the servers that serve a pool this is.  Each holds a
 * lock on one of a few objects, which ends by itself unless it is renewed, so a
 * server that was killed needs nobody to clean up behind it.  Blocks.
 *
 * The object also has its address, for as long as something that it sent may
 * be under way: until it gave the number back.  Who takes a number from a
 * server that did not, and does not answer, fences that one first.  So there is
 * never more than one server behind a number that can change the pool.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uuid/uuid.h>

#include "common/log.h"
#include "server/engine/rbd-internal.h"

/* Stored: never change one. */
#define LOCK_NAME "qbd"
#define KEY_ADDRESS "qbd.address"

void
ceph_gateway_object (unsigned gateway, char name[32])
{
  snprintf (name, 32, "qbd_gateway.%u", gateway);
}

int
ceph_get_holder (struct ceph_pool *pool, unsigned gateway,
                 char address[CEPH_ADDRESS_MAX])
{
  char object[32];
  int r;

  ceph_gateway_object (gateway, object);
  r = rados_getxattr (pool->io, object, KEY_ADDRESS, address,
                      CEPH_ADDRESS_MAX - 1);
  if (r == -ENODATA || r == -ENOENT)
    r = 0;
  if (r < 0)
    return r;
  address[r] = '\0';
  return 0;
}

static int
lock (struct ceph_pool *pool, unsigned gateway, uint8_t flags)
{
  struct timeval duration = { .tv_sec = CEPH_LEASE_S };
  char object[32];

  ceph_gateway_object (gateway, object);
  return rados_lock_exclusive (pool->io, object, LOCK_NAME, pool->lease, "",
                               &duration, flags);
}

static void
unlock (struct ceph_pool *pool, unsigned gateway)
{
  char object[32];

  ceph_gateway_object (gateway, object);
  rados_unlock (pool->io, object, LOCK_NAME, pool->lease);
}

/* Over this one's, which was read before: -EBUSY when somebody else was faster,
 * as our lock may have run out meanwhile. */
static int
store_address (struct ceph_pool *pool, unsigned gateway, const char *over)
{
  rados_write_op_t op = rados_create_write_op ();
  char object[32];
  int r;

  ceph_gateway_object (gateway, object);
  rados_write_op_cmpxattr (op, KEY_ADDRESS, LIBRADOS_CMPXATTR_OP_EQ, over,
                           strlen (over));
  rados_write_op_setxattr (op, KEY_ADDRESS, pool->address,
                           strlen (pool->address));
  r = rados_write_op_operate (op, pool->io, object, NULL, 0);
  rados_release_write_op (op);
  return r == -ECANCELED ? -EBUSY : r;
}

static int
know_fences (struct ceph_pool *pool)
{
  int r = ceph_know_fences (pool, pool->timeout_s * 1000);

  return r == -EBUSY ? -ETIMEDOUT : r;
}

/* One whose lease ran out may be busy with what takes long, and its hosts do
 * not notice: it keeps its number.  -EBUSY */
static int
become (struct ceph_pool *pool, unsigned gateway)
{
  char holder[CEPH_ADDRESS_MAX];
  int r = ceph_get_holder (pool, gateway, holder);

  if (r == 0 && holder[0]) {
    r = ceph_gateway_lives (pool, gateway);
    if (r >= 0)
      r = r > 0 ? -EBUSY : ceph_fence (pool, gateway, holder);
  }
  /* Those who had it before may have fenced others. */
  if (r == 0)
    r = know_fences (pool);
  if (r == 0)
    r = store_address (pool, gateway, holder);
  if (r < 0) {
    unlock (pool, gateway);
    return r;
  }
  pool->pool.gateway = gateway;
  pool->has_lease = true;
  return 0;
}

/* 0, -EBUSY when there are enough others, or -errno. */
static int
take (struct ceph_pool *pool)
{
  int r = -EBUSY;

  for (unsigned i = 0; i < ENGINE_GATEWAYS_MAX && r == -EBUSY; i++) {
    r = lock (pool, i, 0);
    if (r == 0)
      r = become (pool, i);
  }
  return r;
}

static int
find_address (struct ceph_pool *pool)
{
  char *address;
  int r = rados_getaddrs (pool->cluster, &address);

  if (r < 0)
    return r;
  r = snprintf (pool->address, sizeof pool->address, "%s", address);
  rados_buffer_free (address);
  return r < (int) sizeof pool->address ? 0 : -ENAMETOOLONG;
}

int
ceph_take_lease (struct ceph_pool *pool, struct error *err)
{
  uuid_t uuid;
  int r;

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, pool->lease);
  pool->pool.nr_gateways = ENGINE_GATEWAYS_MAX;
  r = find_address (pool);
  if (r == 0)
    r = take (pool);
  if (r == -EBUSY)
    return error_set (err, EBUSY, "pool: %s: rbd: Ceph pool %s: %d servers "
                      "serve it, or did in the last %d s: that is the most",
                      pool->pool.name, pool->ceph_name, ENGINE_GATEWAYS_MAX,
                      CEPH_LEASE_S);
  if (r == 0)
    r = ceph_listen (pool);
  if (r < 0)
    return error_set (err, -r, "pool: %s: rbd: Ceph pool %s: lock of a "
                      "gateway: %s", pool->pool.name, pool->ceph_name,
                      strerror (-r));
  return 0;
}

/* Somebody removed our object.  Renewing made it anew: then it gets our address
 * again, as who asks is told that nobody has the number until then.  Or our
 * lock is another's.  Who has looked at us, and takes another number, gives it
 * back.  Who has the number is asked for our controllers from now on.  So
 * nothing of them may be carried out any more: then we are as any other that
 * was fenced. */
static int
lost_lease (struct ceph_pool *pool, bool is_locked)
{
  char holder[CEPH_ADDRESS_MAX];
  unsigned gateway = pool->pool.gateway;
  int r = ceph_get_holder (pool, gateway, holder);

  if (r < 0 || strcmp (holder, pool->address) == 0)
    return r;
  if (holder[0] == '\0')
    return is_locked ? store_address (pool, gateway, "") : 0;
  log_error ("pool: %s: rbd: another server (%s) is gateway %u: this one has "
             "itself fenced", pool->pool.name, holder, gateway);
  snprintf (holder, sizeof holder, "%s", pool->address);
  r = rados_blocklist_add (pool->cluster, holder, CEPH_BLOCKLIST_S);
  if (r == 0)
    r = rados_wait_for_latest_osdmap (pool->cluster);
  ceph_pool_wake (&pool->pool);
  return r;
}

/* Nobody takes our number without having us fenced: then that is what is
 * heard here, sooner or later.  Who removes our object ends our watch. */
void
ceph_renew_lease (struct ceph_pool *pool)
{
  int r;

  if (atomic_load (&pool->pool.is_fenced))
    return;
  r = lock (pool, pool->pool.gateway, LIBRADOS_LOCK_FLAG_MAY_RENEW);
  if (r == -EBUSY || (r == 0 && atomic_load (&pool->watch_lost)))
    r = lost_lease (pool, r == 0);
  if (r == 0 && atomic_load (&pool->watch_lost))
    r = ceph_listen (pool);
  if (r < 0 && r != -ESHUTDOWN)
    log_error ("pool: %s: rbd: lock of a gateway: %s", pool->pool.name,
               strerror (-r));
}

void
ceph_give_lease (struct ceph_pool *pool)
{
  char object[32];

  ceph_stop_listening (pool);
  if (!pool->has_lease || atomic_load (&pool->pool.is_fenced))
    return;
  ceph_gateway_object (pool->pool.gateway, object);
  rados_rmxattr (pool->io, object, KEY_ADDRESS);
  unlock (pool, pool->pool.gateway);
}
