/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks on byte ranges of a volume, granted in the order of asking, never
 * blocking: who must wait is told later.  They keep requests that overlap from
 * mixing inside a block: a device is only atomic by its own sectors, and a
 * copy out of the page cache not even by those.
 *
 * Any thread.  Nothing is allocated: a struct range is part of the request.
 */
#ifndef QBD_ENGINE_RANGES_H
#define QBD_ENGINE_RANGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sys/queue.h>

/* Ranges are counted by the buckets they touch, so that who meets nobody in
 * any bucket needs not look at the others. */
#define RANGES_BUCKET_BYTES (64u * 1024)
#define RANGES_BUCKETS 512u
/* A range that touches more than these buckets is counted once, as wide; so is
 * one whose bucket is full: each volume has these counters, used or not. */
#define RANGES_WIDE 32u

struct range {
  /* the caller's */
  uint64_t start_bytes, end_bytes;
  bool exclusive;               /* else shared with its likes */
  /* It was refused before and now has its lock.  Any thread; under a lock of
   * ranges.c, so it may only pass the word. */
  void (*granted) (struct range *range);
  /* ranges.c's */
  bool is_wide;
  bool has_waiters;             /* somebody behind counts it */
  unsigned nr_blockers;         /* how many before it must end first */
  TAILQ_ENTRY (range) next;
};

struct ranges {
  pthread_mutex_t lock;
  TAILQ_HEAD (range_list, range) list;  /* lock; in the order of asking */
  unsigned nr_wide;                     /* lock */
  uint16_t shared[RANGES_BUCKETS];      /* lock */
  uint16_t exclusive[RANGES_BUCKETS];   /* lock */
};

void ranges_init (struct ranges *ranges);
void ranges_exit (struct ranges *ranges);

/* True: it is locked.  False: granted will be called. */
bool ranges_lock (struct ranges *ranges, struct range *range);
void ranges_unlock (struct ranges *ranges, struct range *range);

#endif
