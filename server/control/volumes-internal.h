/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two halves of the volume service share: volumes.c finds, lists,
 * opens and closes; volumes-change.c creates, resizes and removes.
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
};

struct pool {
  char *argument;                       /* constant */
  struct engine_pool *engine;           /* constant */
  pthread_mutex_t lock;                 /* held over slow calls */
  TAILQ_HEAD (volume_list, volume) volumes;        /* pool->lock */
  unsigned nr_volumes;                  /* pool->lock */
};

struct volumes {
  struct target *target;                /* constant */
  struct reactor *const *reactors;      /* constant */
  unsigned nr_reactors;                 /* constant */
  unsigned nr_pools;                    /* constant after start */
  struct pool pools[VOLUMES_POOL_MAX];
};

/* Split and check POOL/VOL, and find the pool.  vol holds
 * NVMEOF_NQN_MAX + 1 bytes.  -ENOENT: there is no such pool. */
int volumes_find_pool (struct volumes *volumes, const char *what,
                       const char *name, struct pool **pool, char *vol,
                       struct error *err);

struct pool *volumes_pool (struct volumes *volumes, const char *what,
                           const char *name, struct error *err);

/* The rest is under pool->lock. */

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

void volume_tell (struct pool *pool, struct volume *volume,
                  volumes_each_fn *each, void *opaque);

#endif
