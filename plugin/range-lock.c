/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The range lock: 64 reader-writer locks, each for every 64th MiB of the
 * volume.  Any thread.  Writers are preferred, or a stream of whole-block
 * writes would starve a read-modify-write.
 */
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
  return err;
}

void
range_lock_destroy (struct range_lock *lock)
{
  for (unsigned i = 0; i < NR_STRIPES; i++)
    pthread_rwlock_destroy (&lock->stripes[i]);
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

range_lock_held
range_lock_shared (struct range_lock *lock, uint64_t offset, uint64_t count)
{
  range_lock_held held = stripes_of (offset, count), left;

  for (left = held; left; left &= left - 1)
    pthread_rwlock_rdlock (&lock->stripes[__builtin_ctzll (left)]);
  return held;
}

range_lock_held
range_lock_alone (struct range_lock *lock, uint64_t offset, uint64_t count)
{
  range_lock_held held = stripes_of (offset, count), left;

  for (left = held; left; left &= left - 1)
    pthread_rwlock_wrlock (&lock->stripes[__builtin_ctzll (left)]);
  return held;
}

void
range_unlock (struct range_lock *lock, range_lock_held held)
{
  for (; held; held &= held - 1)
    pthread_rwlock_unlock (&lock->stripes[__builtin_ctzll (held)]);
}
