/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of engine `rbd` share.  A pool is a Ceph pool (or a namespace
 * of one), a volume is an RBD image or a snapshot of one.  Nothing is kept on
 * this machine:
 *
 *   object qbd_pool          the pool's identity, and the last fence
 *   objects qbd_gateway.N    a lease for each server that runs, and where it
 *                            is asked by others
 *   image metadata qbd.*     what an image does not say of itself
 *
 *   rbd.c             the table of operations, volumes
 *   rbd-cluster.c     the argument, and the way to the cluster
 *   rbd-pool.c        pools: open, close, what is in them
 *   rbd-open.c        an image is opened
 *   rbd-metadata.c    an image's metadata
 *   rbd-io.c          requests
 *   rbd-live.c        what others change
 *   rbd-gateway.c     which of the pool's servers this is
 *   rbd-ask.c         what servers ask one another; one that is silent is
 *                     fenced
 *   rbd-fenced.c      what is in flight when this server is fenced
 *   rbd-learn.c       which fences this server knows
 *   rbd-extents.c     what is allocated
 *
 * Lock order: ceph_volume.lock and ceph_pool.lock are leaves.
 *
 * Names that begin with rbd_ and rados_ are the libraries'.  Their threads
 * call back; what runs there only posts.
 */
#ifndef QBD_ENGINE_RBD_INTERNAL_H
#define QBD_ENGINE_RBD_INTERNAL_H

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#include <rados/librados.h>
#include <rbd/librbd.h>
#include <sys/queue.h>

#include "server/engine/engine.h"

/* How long a start waits for the cluster, unless ceph.conf has another
 * "client mount timeout" than Ceph's own default of five minutes. */
#define CEPH_TIMEOUT_S 15

#define CEPH_POOL_OBJECT "qbd_pool"

/* An image's object, before its ID; not of Ceph's first format. */
#define CEPH_HEADER "rbd_header."

/* How long other gateways keep off an image that one removes, shrinks or sets
 * read-only; and how long that one waits for them.  One whose host is just
 * going looks again after CEPH_POLL_S. */
#define CEPH_LEAVING_S 30
#define CEPH_REMOVE_S (CEPH_POLL_S + 2)

/* A server that was killed is remembered for so long. */
#define CEPH_LEASE_S 30

/* A server that does not answer another for so long is fenced; which ends by
 * itself when nothing of it can be left. */
#define CEPH_SILENT_S 5
#define CEPH_BLOCKLIST_S (7 * 24 * 3600)

/* As a rule the cluster's map is there sooner. */
#define CEPH_LEARN_MS 1000

/* Of all volumes whose writes are stable when they are done. */
#define CEPH_STABLE_EPOCH 1

#define CEPH_ADDRESS_MAX 256            /* bytes with the NUL */
#define CEPH_HEADER_MAX (ENGINE_NAME_MAX + 16)  /* bytes with the NUL */
#define CEPH_PREFIX_MAX 128             /* of data objects, with the NUL */

/* How often a pool's list of images is looked at: nobody tells. */
#define CEPH_POLL_S 5

/* An image so young may be unfinished: in any case, or when somebody else than
 * a gateway has it open. */
#define CEPH_NEW_S 3
#define CEPH_YOUNG_S 60

/* Belongs to the caller, who serialises pool_* and volume_*, but for what is
 * under lock. */
struct ceph_pool {
  struct engine_pool pool;
  char *ceph_name;              /* the Ceph pool's */
  char *namespace;              /* or NULL */
  rados_t cluster;
  rados_ioctx_t io;
  unsigned timeout_s;
  atomic_bool is_suspect;       /* perhaps all of it is gone */
  bool is_stuck;                /* librbd never lets go of an image */
  atomic_bool is_kept;          /* somebody waits for changes */
  bool is_unfinished;           /* an image was, at the last look: lock */
  char made[ENGINE_NAME_MAX];   /* the image that we made just now */
  char finished[CEPH_HEADER_MAX];       /* the header of the one that we closed
                                           last */
  LIST_HEAD (, ceph_volume) volumes;    /* open */
  pthread_mutex_t lock;
  pthread_cond_t woken;                 /* with lock; monotonic */
  bool wake;                            /* lock */
  char lease[ENGINE_UUID_TEXT];         /* whose it is; constant after open */
  char address[CEPH_ADDRESS_MAX];       /* how the cluster knows us; constant
                                           after open */
  /* pool_open's, then pool_wait's thread's, then pool_close's */
  bool has_lease;
  bool is_watching;
  uint64_t watch;               /* of our lease's object */
  atomic_bool watch_lost;
  /* The last fence that our map has; what the thread waits for. */
  char known[ENGINE_UUID_TEXT];         /* lock */
  char learning[ENGINE_UUID_TEXT];      /* lock; constant while is_learning */
  bool has_learner, is_learning;        /* lock */
  pthread_t learner;                    /* lock */
  pthread_cond_t learnt;                /* with lock; monotonic */
  /* By number: the address that we fenced last. */
  char fenced[ENGINE_GATEWAYS_MAX][CEPH_ADDRESS_MAX];   /* lock */
};

struct ceph_volume {
  struct engine_volume volume;
  rbd_image_t image;            /* constant after open */
  /* librbd's cache is on, against our will: a write that is done is not
   * stable before a flush.  Constant after open. */
  bool has_cache;
  bool was_set_read_only;       /* constant after open */
  bool was_non_primary;         /* constant after open */
  uint64_t snapshot;            /* its ID; constant after open */
  bool is_snapshot;             /* constant after open */
  char *header;                 /* the image's object; constant after open */
  uint64_t watch;               /* librbd's; constant after open */
  /* Its objects; NULL where nobody asks for them. */
  char *objects;                /* their names' beginning */
  uint64_t object_bytes;
  int64_t objects_pool;
  rados_ioctx_t objects_io;     /* or NULL: who asks for them */
  atomic_bool is_asking;
  struct host_list hosts;       /* as last seen */
  atomic_bool changed;          /* the watch saw something */
  atomic_bool refuses_writes;   /* others made it read-only */
  bool is_stale;                /* others made it read-only, or writable, or
                                   want it for themselves */
  atomic_bool is_lost;          /* the image, or the snapshot, is gone */
  pthread_mutex_t lock;
  TAILQ_HEAD (, ceph_call) calls;       /* lock; librbd has them */
  LIST_ENTRY (ceph_volume) next;
};

/* What librbd has of a request: it is librbd's alone once the image is lost,
 * and the request was answered without it. */
struct ceph_call {
  struct ceph_volume *volume;
  struct engine_request *request;       /* lock; NULL: answered */
  TAILQ_ENTRY (ceph_call) next;         /* lock */
};

/* engine_request's scratch. */
struct ceph_request {
  struct reactor_task task;
  ssize_t result;               /* librbd's */
  bool is_flush;                /* what is in flight is a flush */
};
static_assert (sizeof (struct ceph_request) <=
               sizeof (((struct engine_request *) NULL)->scratch), "");

static inline struct ceph_pool *
ceph_pool (struct engine_pool *pool)
{
  return (struct ceph_pool *) pool;
}

static inline struct ceph_volume *
ceph_volume (struct engine_volume *volume)
{
  return (struct ceph_volume *) volume;
}

/* --- rbd-open.c ------------------------------------------------------- */

/* By volume.name; fills the rest.  -errno. */
int ceph_open_image (struct ceph_volume *volume);

/* How many, of users' own making; *snapshots is for ceph_free_snapshots.  Or
 * -errno. */
int ceph_list_snapshots (rbd_image_t image, rbd_snap_info_t **snapshots);
void ceph_free_snapshots (rbd_snap_info_t *snapshots);

/* Somebody else than this server has it open: 1, 0 or -errno. */
int ceph_is_shared (struct ceph_pool *pool, rbd_image_t image);

/* --- rbd-cluster.c ---------------------------------------------------- */

void ceph_pool_paths (const char *argument, engine_path_fn *each,
                      void *opaque);
int ceph_pool_check_argument (const char *name, const char *argument,
                              struct error *err);
/* Fills ceph_name, namespace, cluster and io; on failure all that is
 * filled is ceph_disconnect's. */
int ceph_connect (struct ceph_pool *pool, const char *argument,
                  struct error *err);
void ceph_disconnect (struct ceph_pool *pool);
/* Reads an object of the pool, with a bound in time: nothing of the pool was
 * ever read before.  Bytes, or -ENOENT with err left alone. */
int ceph_first_read (struct ceph_pool *pool, const char *object, char *buffer,
                     size_t bytes, struct error *err);

/* --- rbd-pool.c ------------------------------------------------------- */

int ceph_pool_open (const char *name, const char *argument,
                    struct reactor *const *reactors, unsigned nr_reactors,
                    struct engine_pool **pool, struct error *err);
void ceph_pool_close (struct engine_pool *pool);
int ceph_pool_stat (struct engine_pool *pool, struct engine_pool_stat *stat,
                    struct error *err);
int ceph_volume_each (struct engine_pool *pool,
                      int (*each) (void *opaque, const char *name),
                      void *opaque, struct error *err);

/* --- rbd-metadata.c: of an open image --------------------------------- */

struct ceph_settings {
  uint32_t block_size;
  bool read_only;
  bool leaving;                 /* a gateway wants it for itself */
  bool non_primary;             /* rbd-mirror fills it: it is nobody else's to
                                   write */
};

/* What is not there has its default. */
int ceph_get_settings (rbd_image_t image, struct ceph_settings *settings);
int ceph_set_block_size (rbd_image_t image, uint32_t block_size);
int ceph_set_read_only (rbd_image_t image, bool read_only);
/* Ends by itself after CEPH_LEAVING_S. */
int ceph_set_leaving (rbd_image_t image, bool leaving);

/* hosts is not set before. */
int ceph_get_hosts (rbd_image_t image, struct host_list *hosts);
int ceph_set_hosts (rbd_image_t image, const struct host_list *hosts);

/* --- rbd-io.c --------------------------------------------------------- */

int ceph_submit (struct engine_volume *volume,
                 struct engine_request *request);
/* The image is lost, or no OSD will do it: answers what waits for librbd. */
void ceph_abandon (struct ceph_volume *volume);
/* What a caller sees: ENOSPC, EROFS, EPERM, ENOMEM, ESHUTDOWN, else EIO. */
int ceph_errno (int64_t result);

/* --- rbd-live.c ------------------------------------------------------- */

void ceph_live_init (struct ceph_pool *pool);
void ceph_live_exit (struct ceph_pool *pool);
void ceph_pool_wait (struct engine_pool *pool);
void ceph_pool_wake (struct engine_pool *pool);

/* Of an open image; -errno. */
int ceph_watch (struct ceph_volume *volume);
void ceph_unwatch (struct ceph_volume *volume);
/* It may have changed; any thread. */
void ceph_look_again (struct ceph_volume *volume);
int ceph_volume_refresh (struct engine_volume *volume, struct error *err);

/* --- rbd-gateway.c ---------------------------------------------------- */

/* Fills pool.gateway.  Who had that number before, did not give it back, and
 * does not answer, is fenced. */
int ceph_take_lease (struct ceph_pool *pool, struct error *err);
/* At least every CEPH_LEASE_S / 2. */
void ceph_renew_lease (struct ceph_pool *pool);
/* Nothing of ours is in flight. */
void ceph_give_lease (struct ceph_pool *pool);
/* The address of who has, or had, the number; empty: it was given back. */
int ceph_get_holder (struct ceph_pool *pool, unsigned gateway,
                     char address[CEPH_ADDRESS_MAX]);
void ceph_gateway_object (unsigned gateway, char name[32]);

/* --- rbd-ask.c -------------------------------------------------------- */

/* Others can ask this server, from now on; anew when the watch was lost. */
int ceph_listen (struct ceph_pool *pool);
void ceph_stop_listening (struct ceph_pool *pool);
int ceph_ask_gateway (struct engine_pool *pool, unsigned gateway,
                      const char *text);
/* Whoever has the number answers: 1, 0, or -errno when that cannot be told. */
int ceph_gateway_lives (struct ceph_pool *pool, unsigned gateway);
/* When it returns 0, and the fence is known (ceph_know_fences), what we send is
 * not followed by anything that comes from there. */
int ceph_fence (struct ceph_pool *pool, unsigned gateway,
                const char *address);

/* --- rbd-learn.c ------------------------------------------------------ */

/* Somebody was put on the blocklist just now. */
int ceph_note_fence (struct ceph_pool *pool);
/* 0: our map has all fences that were noted; -EBUSY: not yet; or -errno.  Waits
 * for the monitors for so long at the most. */
int ceph_know_fences (struct ceph_pool *pool, unsigned wait_ms);
/* False: a thread is in librados still. */
bool ceph_learn_exit (struct ceph_pool *pool);

/* --- rbd-fenced.c ----------------------------------------------------- */

/* Of an open image: when it is opened, and when it has changed. */
int ceph_know_objects (struct ceph_volume *volume);
/* Of a volume that is lost as this server is fenced: gives up what is in
 * flight, as soon as the OSDs refuse it.  Now and then; never waits for
 * them. */
void ceph_ask_osds (struct ceph_volume *volume);

/* --- rbd-extents.c ---------------------------------------------------- */

int ceph_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                    uint64_t length_bytes, struct engine_extent *extents,
                    unsigned nr_max);
int ceph_volume_allocated (struct engine_volume *volume,
                           uint64_t *allocated_bytes, struct error *err);

#endif
