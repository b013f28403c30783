/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps a read-modify-write of a part of a block apart from every write that
 * overlaps it.  Whole-block changes share a range; a read-modify-write has
 * it alone.  The ranges are stripes of the volume, so nothing is allocated,
 * and the locks of a request are taken in one order.
 */
#ifndef QBD_PLUGIN_RANGE_LOCK_H
#define QBD_PLUGIN_RANGE_LOCK_H

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#define RANGE_LOCK_STRIPES 64

/* Who waits for a range: on his stack. */
struct range_wait {
  TAILQ_ENTRY (range_wait) link;
  const char *op;               /* "write", "write-zeroes", "discard" */
  uint64_t offset, count;       /* bytes */
  uint64_t since_ms;            /* clock_now_ms */
};

/* Of one volume. */
struct range_lock {
  pthread_rwlock_t stripes[RANGE_LOCK_STRIPES];
  pthread_mutex_t lock;         /* waits; a leaf, for an instant */
  TAILQ_HEAD (, range_wait) waits;
};

/* What a lock call holds: a bit per stripe. */
typedef uint64_t range_lock_held;

int range_lock_init (struct range_lock *lock);  /* 0 or an errno */
void range_lock_destroy (struct range_lock *lock);
/* op is constant, and for those who ask what waits. */
range_lock_held range_lock_shared (struct range_lock *lock, const char *op,
                                   uint64_t offset, uint64_t count);
range_lock_held range_lock_alone (struct range_lock *lock, const char *op,
                                  uint64_t offset, uint64_t count);
void range_unlock (struct range_lock *lock, range_lock_held held);
/* Under its lock: each only copies. */
void range_lock_each_wait (struct range_lock *lock,
                           void (*each) (void *opaque,
                                         const struct range_wait *wait),
                           void *opaque);

#endif
