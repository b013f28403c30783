/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: which fences this server knows.  An OSD that has not heard of
 * one takes what the fenced server sent, unless what came before that is of
 * somebody whose map has the fence.  So nobody says that a controller has ended
 * before its own map has all fences, whoever made them: the pool remembers the
 * last one.  Only one that is not known yet takes the monitors.
 *
 * librados waits for them without a bound: in a thread of its own, which is
 * there while it waits.  The end of the pool leaves one behind that is stuck.
 */
#include <errno.h>
#include <string.h>

#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread-start.h"
#include "server/engine/rbd-internal.h"

/* Stored, at CEPH_POOL_OBJECT: never change it. */
#define KEY_FENCE "qbd.fence"

int
ceph_note_fence (struct ceph_pool *pool)
{
  rados_write_op_t op = rados_create_write_op ();
  char text[ENGINE_UUID_TEXT];
  uuid_t uuid;
  int r;

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, text);
  rados_write_op_assert_exists (op);
  rados_write_op_setxattr (op, KEY_FENCE, text, strlen (text));
  r = rados_write_op_operate (op, pool->io, CEPH_POOL_OBJECT, NULL, 0);
  rados_release_write_op (op);
  return r;
}

/* Empty: there was none. */
static int
find_last (struct ceph_pool *pool, char last[ENGINE_UUID_TEXT])
{
  int r = rados_getxattr (pool->io, CEPH_POOL_OBJECT, KEY_FENCE, last,
                          ENGINE_UUID_TEXT - 1);

  if (r == -ENODATA)
    r = 0;
  if (r < 0)
    return r;
  last[r] = '\0';
  return 0;
}

static void *
learn (void *arg)
{
  struct ceph_pool *pool = arg;
  int r = rados_wait_for_latest_osdmap (pool->cluster);
  LOCK_SCOPE (&pool->lock);

  if (r == 0)
    strcpy (pool->known, pool->learning);
  pool->is_learning = false;
  pthread_cond_broadcast (&pool->learnt);
  return NULL;
}

static int
locked_start (struct ceph_pool *pool, const char *last)
{
  int r;

  if (pool->has_learner)
    pthread_join (pool->learner, NULL);
  strcpy (pool->learning, last);
  r = thread_start (&pool->learner, "rbd-learn", learn, pool);
  pool->has_learner = pool->is_learning = r == 0;
  return r;
}

static void
locked_wait (struct ceph_pool *pool, unsigned wait_ms)
{
  const struct timespec limit = clock_timespec (clock_now_ms () + wait_ms);
  int r = 0;

  while (pool->is_learning && r == 0)
    r = pthread_cond_timedwait (&pool->learnt, &pool->lock, &limit);
}

/* What is learnt was read before the wait for it began, and each fence is
 * noted when it is there.  Who finds that thread at work does not wait. */
int
ceph_know_fences (struct ceph_pool *pool, unsigned wait_ms)
{
  char last[ENGINE_UUID_TEXT];
  int r = find_last (pool, last);

  if (r < 0)
    return r;
  LOCK_SCOPE (&pool->lock);
  if (strcmp (pool->known, last) == 0)
    return 0;
  if (pool->is_learning)
    return -EBUSY;
  r = locked_start (pool, last);
  if (r < 0)
    return r;
  locked_wait (pool, wait_ms);
  if (strcmp (pool->known, last) == 0)
    return 0;
  log_warning ("pool: %s: rbd: a gateway was fenced, and this one, which does "
               "not know that, waits for the monitors", pool->pool.name);
  return -EBUSY;
}

bool
ceph_learn_exit (struct ceph_pool *pool)
{
  LOCK_SCOPE (&pool->lock);

  if (pool->is_learning)
    return false;
  if (pool->has_learner)
    pthread_join (pool->learner, NULL);
  pool->has_learner = false;
  return true;
}
