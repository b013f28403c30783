/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The range lock: 64 reader-writer locks, each for every 64th MiB of the
 * volume.  Any thread.  Writers are preferred, or a stream of whole-block
 * writes would starve a read-modify-write.
 */
#include <stdbool.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "plugin/range-lock.h"

#define NR_STRIPES RANGE_LOCK_STRIPES
#define STRIPE_BYTES (UINT64_C (1) << 20)

int
range_lock_init (struct range_lock *lock)
{
  pthread_rwlockattr_t attr;
  unsigned i;
  int err;

  err = pthread_rwlockattr_init (&attr);
  if (err)
    return err;
  pthread_rwlockattr_setkind_np (&attr,
                                 PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  for (i = 0; i < NR_STRIPES && err == 0; i++)
    err = pthread_rwlock_init (&lock->stripes[i], &attr);
  pthread_rwlockattr_destroy (&attr);
  TAILQ_INIT (&lock->waits);
  return err ? err : pthread_mutex_init (&lock->lock, NULL);
}

void
range_lock_destroy (struct range_lock *lock)
{
  for (unsigned i = 0; i < NR_STRIPES; i++)
    pthread_rwlock_destroy (&lock->stripes[i]);
  pthread_mutex_destroy (&lock->lock);
}

static range_lock_held
stripes_of (uint64_t offset, uint64_t count)
{
  uint64_t first = offset / STRIPE_BYTES, last;
  range_lock_held held = 0;

  if (count == 0)
    return 0;
  last = (offset + count - 1) / STRIPE_BYTES;
  if (last - first >= NR_STRIPES - 1)
    return ~UINT64_C (0);
  for (; first <= last; first++)
    held |= UINT64_C (1) << first % NR_STRIPES;
  return held;
}

/* --- who waits ---------------------------------------------------------- */

static void
begin_wait (struct range_lock *lock, struct range_wait *wait)
{
  LOCK_SCOPE (&lock->lock);

  wait->since_ms = clock_now_ms ();
  TAILQ_INSERT_TAIL (&lock->waits, wait, link);
}

static void
end_wait (struct range_lock *lock, struct range_wait *wait)
{
  LOCK_SCOPE (&lock->lock);

  TAILQ_REMOVE (&lock->waits, wait, link);
}

void
range_lock_each_wait (struct range_lock *lock,
                      void (*each) (void *opaque,
                                    const struct range_wait *wait),
                      void *opaque)
{
  const struct range_wait *wait;
  LOCK_SCOPE (&lock->lock);

  TAILQ_FOREACH (wait, &lock->waits, link)
    each (opaque, wait);
}

/* --- the lock ----------------------------------------------------------- */

/* Only who has to wait for a stripe is listed. */
static range_lock_held
take (struct range_lock *lock, int (*try) (pthread_rwlock_t *),
      int (*block) (pthread_rwlock_t *), struct range_wait *wait)
{
  range_lock_held held = stripes_of (wait->offset, wait->count), left;
  bool waited = false;

  for (left = held; left; left &= left - 1) {
    pthread_rwlock_t *stripe = &lock->stripes[__builtin_ctzll (left)];

    if (try (stripe) == 0)
      continue;
    if (!waited)
      begin_wait (lock, wait);
    waited = true;
    block (stripe);
  }
  if (waited)
    end_wait (lock, wait);
  return held;
}

range_lock_held
range_lock_shared (struct range_lock *lock, const char *op, uint64_t offset,
                   uint64_t count)
{
  struct range_wait wait = { .op = op, .offset = offset, .count = count };

  return take (lock, pthread_rwlock_tryrdlock, pthread_rwlock_rdlock, &wait);
}

range_lock_held
range_lock_alone (struct range_lock *lock, const char *op, uint64_t offset,
                  uint64_t count)
{
  struct range_wait wait = { .op = op, .offset = offset, .count = count };

  return take (lock, pthread_rwlock_trywrlock, pthread_rwlock_wrlock, &wait);
}

void
range_unlock (struct range_lock *lock, range_lock_held held)
{
  for (; held; held &= held - 1)
    pthread_rwlock_unlock (&lock->stripes[__builtin_ctzll (held)]);
}
