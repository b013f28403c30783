/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the volume service share:
 *
 *   volumes-pools.c    pools come and go, and are found
 *   volumes.c          their volumes, and what can be asked about them
 *   volumes-change.c   create, resize, set, remove
 *   volumes-hosts.c    who may attach
 *   volumes-check.c    the check of a pool
 *   volumes-live.c     what others change in a pool
 */
#ifndef QBD_CONTROL_VOLUMES_INTERNAL_H
#define QBD_CONTROL_VOLUMES_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "server/control/volumes.h"

struct volume {
  TAILQ_ENTRY (volume) link;            /* pool->lock; sorted by name */
  char name[ENGINE_NAME_MAX];           /* constant */
  /* Both, or neither when the volume could not be opened: pool->lock. */
  struct engine_volume *engine;
  struct subsystem *subsystem;
  struct error failed;                  /* why there is neither */
  bool listed;                          /* pool->lock: by the engine, now */
  bool found;                           /* pool->lock: by the check that runs,
                                           and not repaired */
};

struct pool {
  struct volumes *service;              /* constant */
  char name[ENGINE_NAME_MAX];           /* constant */
  unsigned nr_references;               /* service->lock */
  pthread_mutex_t lock;                 /* held over slow calls */
  /* Changed under lock and service->lock: either is enough to read. */
  const struct engine_ops *ops;
  char *argument;
  char domain[ENGINE_UUID_TEXT];
  struct engine_pool *engine;           /* NULL: it was closed */
  /* Of the check that runs; total 0: none does. */
  _Atomic uint64_t check_done, check_total;
  TAILQ_HEAD (volume_list, volume) volumes;        /* pool->lock */
  unsigned nr_volumes;                  /* pool->lock */
  pthread_t keeper;             /* while it keeps; closing waits for it */
  pthread_cond_t kept;          /* with lock */
  bool keeping;                 /* lock */
  int last_look;                        /* the keeper's: 0, -errno */
};

struct volumes {
  struct target *target;                /* constant */
  struct reactor *const *reactors;      /* constant */
  unsigned nr_reactors;                 /* constant */
  pthread_mutex_t lock;                 /* a leaf; for an instant */
  unsigned nr_pools;                    /* lock; changed by one thread */
  struct pool *pools[VOLUMES_POOL_MAX]; /* lock; in the order of opening */
};

/* --- volumes-pools.c: a pool is used between enter and leave ------------ */

/* Finds the pool, refers to it and takes its lock.  NULL with err set
 * (-ENOENT) when there is none. */
struct pool *volumes_enter_pool (struct volumes *volumes, const char *what,
                                 const char *name, struct error *err);
/* Splits and checks POOL/VOL, and enters the pool.  vol holds
 * NVMEOF_NQN_MAX + 1 bytes. */
int volumes_enter (struct volumes *volumes, const char *what,
                   const char *name, struct pool **pool, char *vol,
                   struct error *err);
/* All pools, each referred to; returns how many. */
unsigned volumes_refer_pools (struct volumes *volumes,
                              struct pool *pools[VOLUMES_POOL_MAX]);
/* Takes the lock of a pool that is referred to.  NULL: it was closed, and the
 * reference is given up. */
struct pool *pool_enter (struct pool *pool);
void pool_leave (struct pool *pool);

static inline void
cleanup_pool (struct pool **pool)
{
  if (*pool)
    pool_leave (*pool);
}

/* Leaves the pool, if it was entered, at the end of the block. */
#define CLEANUP_POOL __attribute__ ((cleanup (cleanup_pool)))

/* --- volumes.c, inside a pool ------------------------------------------- */

/* Under the pool's lock, or the table's: what needs no question. */
struct pool_info pool_brief (const struct pool *pool);

/* NULL with err set (-ENOENT) when there is none. */
struct volume *pool_find_volume (struct pool *pool, const char *what,
                                 const char *vol, struct error *err);
/* A volume in the list that is not served yet; NULL for want of memory. */
struct volume *pool_insert_volume (struct pool *pool, const char *vol);
void pool_forget_volume (struct pool *pool, struct volume *volume);

/* Open the volume and make its subsystem.  On failure it is neither. */
int volume_serve (struct volumes *volumes, struct pool *pool,
                  struct volume *volume, struct error *err);
/* -EBUSY while a host is attached: the volume is served as before. */
int volume_unserve (struct volume *volume, const char *what,
                    struct error *err);
/* An error unless the volume is served. */
int volume_check_served (const struct volume *volume, const char *what,
                         const char *name, struct error *err);

/* --- volumes-live.c, inside a pool -------------------------------------- */

/* Compares with what the engine lists: new volumes are served, and those that
 * are gone no more.  How many are new, or -errno. */
int pool_refresh (struct pool *pool, struct error *err);
/* A thread that does it whenever the engine says so, until keeper_stop.  engine
 * is the pool's, which is no more: pool->engine is NULL. */
void keeper_start (struct pool *pool);
void keeper_stop (struct pool *pool, struct engine_pool *engine);

void volume_tell (struct pool *pool, struct volume *volume,
                  volumes_each_fn *each, void *opaque);

#endif
