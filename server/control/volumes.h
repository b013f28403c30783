/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: pools, their volumes, and the subsystem of each.
 * The one place where create, remove and resize are ordered between engine
 * and target, for main at start and for the control API.
 *
 * Threads: any but a reactor's; every function may block.  Each pool
 * has a lock, which is held over the engine's slow calls and over target.h's
 * subsystem_*; pools do not wait for each other.  Pools come and go while the
 * control API runs, by one thread (start, then reload, then stop): the table
 * of pools has a lock of its own, which is never held over a call.  Lock
 * order: a pool's, then the target's or the table's.
 *
 * Errors name the operation as users do: "create: demo/disk: reason".
 */
#ifndef QBD_CONTROL_VOLUMES_H
#define QBD_CONTROL_VOLUMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "server/engine/engine.h"
#include "server/target/target.h"

#define VOLUMES_POOL_MAX 64
#define VOLUMES_BLOCK_SIZE_DEFAULT 512

struct volumes;

int volumes_new (struct target *target, struct reactor *const *reactors,
                 unsigned nr_reactors, struct volumes **volumes,
                 struct error *err);

/* Open the pool, which takes its lock, and every volume in it.  A volume that
 * cannot be opened does not keep the others from being served: it is logged
 * and stays listed as failed.  No pool has this name. */
int volumes_open_pool (struct volumes *volumes,
                       const struct engine_ops *engine, const char *name,
                       const char *argument, struct error *err);

enum volumes_pool_match {
  VOLUMES_POOL_ABSENT,          /* there is none of this name */
  VOLUMES_POOL_SAME,
  VOLUMES_POOL_OTHER,           /* another engine or argument */
};
enum volumes_pool_match
volumes_match_pool (struct volumes *volumes, const struct engine_ops *engine,
                    const char *name, const char *argument);

/* Another engine or argument (checked by the engine) for a pool, which is
 * closed and opened: -EBUSY as for volumes_close_pool.  After an error the pool is as it was, unless it
 * cannot be opened again: that is logged, and there is no such pool any
 * more. */
int volumes_change_pool (struct volumes *volumes, const char *what,
                         const struct engine_ops *engine, const char *name,
                         const char *argument, struct error *err);

/* Close a pool; its volumes are gone for hosts.  what is the operation, for
 * messages.  -EBUSY while a host is attached to one of them: then all of it
 * is served as before.  Waits for operations that use the pool. */
int volumes_close_pool (struct volumes *volumes, const char *what,
                        const char *name, struct error *err);

/* After target_drain, when no connection is left: closes everything.  -EBUSY:
 * a host is attached still; what it uses was left open. */
int volumes_free (struct volumes *volumes, struct error *err);

/* --- pools --- */

struct pool_info {
  const char *name;             /* these pointers: until each returns */
  const char *engine;
  const char *argument;
  const char *domain;
  bool has_gateways;            /* else the next three are 0 */
  unsigned gateway;             /* which one this server is */
  bool is_fenced;               /* by another one */
  uint64_t nr_fenced;           /* other ones, by this server */
  bool stat_valid;              /* else capacity and free are not known */
  struct engine_pool_stat stat;
  unsigned nr_volumes;
};

/* Cheap: waits for no pool and does not fill space and number of volumes.  each
 * runs under the lock of the table: it only copies. */
void volumes_each_pool (struct volumes *volumes,
                        void (*each) (void *opaque, const struct pool_info *),
                        void *opaque);
/* With space and number of volumes. */
void volumes_stat_pools (struct volumes *volumes,
                         void (*each) (void *opaque,
                                       const struct pool_info *),
                         void *opaque);

/* The engine's check of one pool, under its lock.  repair: volumes that
 * failed to open are tried once more, too. */
int volumes_check (struct volumes *volumes, const char *pool, bool repair,
                   engine_found_fn *found, void *opaque,
                   unsigned *nr_volumes, struct error *err);
/* How far the check of a pool is; waits for nobody.  total 0: none runs. */
int volumes_check_progress (struct volumes *volumes, const char *pool,
                            uint64_t *done, uint64_t *total,
                            struct error *err);

/* --- volumes: name is POOL/VOL --- */

struct volume_info {
  const char *pool;             /* these pointers: until each returns */
  const char *name;
  const char *failed;           /* why it is not served, or NULL: then the
                                   rest is filled */
  const char *uuid;
  const char *nqn;
  char serial[SUBSYSTEM_SERIAL_BYTES + 1];
  const struct host_list *hosts;        /* NULL: not known */
  uint64_t size_bytes;
  bool allocated_valid;         /* else allocated_bytes is not known */
  uint64_t allocated_bytes;
  uint32_t block_size;
  bool read_only;
  bool is_fenced;               /* by another gateway, with its pool */
  struct subsystem *subsystem;  /* for subsystem_each_host, _stats */
};

typedef void volumes_each_fn (void *opaque, const struct volume_info *);

/* each is called under the pool's lock: it only copies. */
int volumes_create (struct volumes *volumes, const char *name,
                    int64_t size_bytes, int64_t block_size,
                    volumes_each_fn *each, void *opaque, struct error *err);
int volumes_info (struct volumes *volumes, const char *name,
                  volumes_each_fn *each, void *opaque, struct error *err);
int volumes_resize (struct volumes *volumes, const char *name,
                    int64_t size_bytes, bool shrink,
                    volumes_each_fn *each, void *opaque, struct error *err);
/* Only while no host is attached. */
int volumes_set_read_only (struct volumes *volumes, const char *name,
                           bool read_only, volumes_each_fn *each,
                           void *opaque, struct error *err);
/* force: attached hosts are ended first, which takes up to
 * VOLUMES_FENCE_S. */
#define VOLUMES_FENCE_S 10
int volumes_remove (struct volumes *volumes, const char *name, bool force,
                    struct error *err);
/* host is a host's NQN or HOST_ANY.  -EEXIST, -ENOENT; -EBUSY when an
 * attached host would not be allowed any more, unless force ends it. */
int volumes_add_host (struct volumes *volumes, const char *name,
                      const char *host, bool force, volumes_each_fn *each,
                      void *opaque, struct error *err);
int volumes_remove_host (struct volumes *volumes, const char *name,
                         const char *host, bool force, volumes_each_fn *each,
                         void *opaque, struct error *err);
/* Afterwards there is no list, as for a new volume.  -ENOENT: there was none;
 * -EBUSY as above. */
int volumes_forget_hosts (struct volumes *volumes, const char *name,
                          bool force, volumes_each_fn *each, void *opaque,
                          struct error *err);
/* All of one pool, or of all pools (NULL), in name order within a pool. */
int volumes_list (struct volumes *volumes, const char *pool,
                  volumes_each_fn *each, void *opaque, struct error *err);

#endif
