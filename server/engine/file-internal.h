/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of engine `file` share.  A pool is a directory:
 *
 *   qbd-pool         the catalogue (file-catalogue.c)
 *   qbd-pool.owner, qbd-pool.lock     (file-lock.c)
 *   volumes/NAME.raw the volumes: sparse, the length is the size
 *
 *   file.c           the table of operations, volumes
 *   file-pool.c      pools: open, make, close
 *   file-unfinished.c  what interrupted changes left
 *   file-check.c     the catalogue compared with the files
 *   file-open.c      a volume's descriptors: page cache or not
 *   file-io.c        requests: one small machine each
 *   file-length.c    files that somebody cut
 *   file-sync.c      fdatasync, one at a time for a volume
 *   file-bounce.c    direct I/O with buffers that it does not take
 *   ranges.c         keeps requests that overlap apart
 *   sparse.c         where a file has data
 *
 * Lock order: ranges.lock and file_sync.lock are leaves.
 */
#ifndef QBD_ENGINE_FILE_INTERNAL_H
#define QBD_ENGINE_FILE_INTERNAL_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/queue.h>

#include "server/engine/engine.h"
#include "server/engine/file-catalogue.h"
#include "server/engine/file-lock.h"
#include "server/engine/ranges.h"

enum file_cache {
  FILE_CACHE_AUTO,              /* direct where the file system can */
  FILE_CACHE_DIRECT,
  FILE_CACHE_BUFFERED,
};

/* Belongs to the caller, who serialises pool_* and volume_*. */
struct file_pool {
  struct engine_pool pool;
  char *path;
  int dir_fd;
  int volumes_fd;
  struct file_lock lock;
  struct reactor *const *reactors;      /* which hold the locks */
  unsigned nr_reactors;
  struct catalogue *catalogue;
  enum file_cache cache;        /* as asked for */
  bool is_memory;               /* tmpfs: calls do not block */
  LIST_HEAD (, file_volume) volumes;    /* open */
};

/* Who waits for an fdatasync: file-sync.c. */
struct file_sync {
  pthread_mutex_t lock;
  struct engine_request *running;       /* lock: list; its first one's
                                           scratch is with the reactor */
  struct engine_request *waiting;       /* lock: list */
};

#define FILE_WHOLE UINT64_MAX

struct file_volume {
  struct engine_volume volume;
  int fd;                       /* constant after open */
  /* Another open file description, so that a write-back error that a FUA
   * write saw is still to be seen by the next fdatasync; in memory fd. */
  int fua_fd;                   /* constant after open */
  bool is_direct;               /* constant after open */
  bool is_memory;               /* constant after open */
  uint32_t offset_align;        /* bytes, direct I/O; constant after open */
  uint32_t memory_align;        /* bytes, direct I/O; constant after open */
  atomic_bool no_punch_hole;    /* the file system has it not */
  atomic_bool no_zero_range;
  _Atomic int sync_error;       /* errno of a failed sync; never cleared */
  /* What there is of a file that was cut: file-length.c.  FILE_WHOLE, and
   * never more than it was once. */
  _Atomic uint64_t cut_bytes;
  uint64_t map_bytes;           /* constant after open */
  _Atomic (uint8_t *) map;      /* file-loan.c; NULL until it is needed */
  struct ranges ranges;
  struct file_sync sync;
  LIST_ENTRY (file_volume) next;
};

/* What a request's machine does; each waits for the reactor's answer to
 * scratch.io but where it says otherwise. */
enum file_state {
  FILE_NEW,                     /* waits for its range, if for anything */
  FILE_READ,
  FILE_WRITE,
  FILE_PUNCH_HOLE,
  FILE_ZERO_RANGE,
  FILE_ZERO_WRITE,              /* zeroes, written */
  FILE_BOUNCE,                  /* waits for a worker thread */
  FILE_SYNC,                    /* waits for an fdatasync, perhaps
                                   another request's */
  FILE_OVER,
};

/* engine_request's scratch. */
struct file_request {
  struct reactor_file_io io;    /* first */
  struct range range;
  uint64_t todo_bytes;          /* from io.offset_bytes on */
  enum file_state state;
  int result;                   /* FILE_BOUNCE, FILE_SYNC: to be reported */
  union {
    struct reactor_work work;           /* FILE_BOUNCE */
    struct iovec tail;                  /* FILE_ZERO_WRITE */
    struct {
      struct reactor_task task;         /* FILE_NEW, FILE_SYNC */
      struct engine_request *next;      /* FILE_SYNC */
    };
  };
};
static_assert (sizeof (struct file_request) <=
               sizeof (((struct engine_request *) NULL)->scratch), "");

static inline struct file_pool *
file_pool (struct engine_pool *pool)
{
  return (struct file_pool *) pool;
}

static inline struct file_volume *
file_volume (struct engine_volume *volume)
{
  return (struct file_volume *) volume;
}

static inline struct file_request *
file_scratch (struct engine_request *request)
{
  return (struct file_request *) &request->scratch;
}

static inline struct engine_request *
file_request_of (struct file_request *scratch)
{
  return (struct engine_request *)
    ((char *) scratch - offsetof (struct engine_request, scratch));
}

/* --- file-pool.c ------------------------------------------------------ */

void file_pool_paths (const char *argument, engine_path_fn *each,
                      void *opaque);
int file_pool_check_argument (const char *name, const char *argument,
                              struct error *err);
int file_pool_open (const char *name, const char *argument,
                    struct reactor *const *reactors, unsigned nr_reactors,
                    struct engine_pool **pool, struct error *err);
void file_pool_close (struct engine_pool *pool);

/* volumes/NAME.raw; path holds FILE_NAME_BYTES. */
#define FILE_NAME_BYTES (ENGINE_NAME_MAX + 4)
void file_name_of (const char *volume, char file[FILE_NAME_BYTES]);

/* The size of the volume that a file of this length is. */
static inline uint64_t
file_whole_blocks (uint64_t length_bytes, uint32_t block_size)
{
  return length_bytes - length_bytes % block_size;
}

/* Removes a volume's file, which may be missing.  On failure it is there. */
int file_unlink (struct file_pool *pool, const char *name);

/* --- file-unfinished.c ------------------------------------------------ */

/* failed: why it is there still; NULL: it was removed. */
typedef void file_unfinished_fn (void *opaque, const char *name,
                                 const struct error *failed);
int file_remove_unfinished (struct file_pool *pool,
                            file_unfinished_fn *removed, void *opaque,
                            struct error *err);

/* --- file-open.c ------------------------------------------------------ */

/* What block sizes fit, before a volume is made. */
int file_check_block_size (struct file_pool *pool, const char *name,
                           uint32_t block_size, struct error *err);
/* Fills the descriptors and how they are used.  An error if there is less than
 * size_bytes, which was there before; 0: not known. */
int file_open_volume (struct file_volume *volume, uint64_t size_bytes,
                      struct error *err);
void file_close_volume (struct file_volume *volume);

/* --- file-loan.c ------------------------------------------------------- */

/* The range is locked.  True: lent is set, and the lock is the loan's. */
bool file_lend (struct file_volume *v, struct engine_request *request);
int file_end_loan (struct engine_volume *volume,
                   struct engine_request *request, uint64_t from_bytes);
/* Before the volume is closed. */
void file_unmap (struct file_volume *v);

/* --- file-io.c -------------------------------------------------------- */

int file_submit (struct engine_volume *volume,
                 struct engine_request *request);
void file_set_state (struct file_request *scratch, enum file_state state);
/* The last thing that happens to a request that is pending. */
void file_finish (struct engine_request *request, int result);
/* What a caller sees: ENOSPC, EROFS, EPERM, ENOMEM, else EIO. */
int file_errno (int64_t result);

/* --- file-length.c ---------------------------------------------------- */

/* The file is as long as the volume, and was whenever somebody looked. */
bool file_is_whole (struct file_volume *volume);
/* A read inside the volume met the end of the file. */
void file_ended_at (struct file_volume *volume, uint64_t offset_bytes);

/* file-check.c: engine.h's. */
int file_pool_check (struct engine_pool *pool,
                     const struct engine_check *check, struct error *err);
/* Remember that a sync failed. */
void file_sync_failed (struct file_volume *volume, int error);

/* file-epoch.c */
void file_epoch_read (struct file_volume *volume);
/* What was not flushed may be lost: the next open is to see it. */
void file_epoch_ends (struct file_volume *volume);

/* --- file-sync.c ------------------------------------------------------ */

void file_sync_init (struct file_sync *sync);
void file_sync_exit (struct file_sync *sync);
/* The request waits for an fdatasync that begins after this call. */
void file_sync_join (struct engine_request *request);

/* --- file-bounce.c ---------------------------------------------------- */

bool file_is_aligned (const struct file_volume *volume,
                      const struct engine_request *request);
void file_bounce (struct engine_request *request);

#endif
