/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a storage engine is to the server: one table of functions.
 *
 * Slow calls (pool_*, volume_*) may block, run never on a reactor, and are
 * serialised per pool by the caller (control/volumes.c).  allocated may block
 * too, but is serialised with nothing.  submit runs on a
 * reactor and never blocks.  An engine knows no NVMe: it sees bytes.
 *
 * A pool's identity (its domain UUID) and a volume's (UUID) are made once
 * and survive restarts; engine `ram` makes them anew.
 */
#ifndef QBD_ENGINE_H
#define QBD_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/error.h"
#include "nvmeof/command.h"
#include "server/engine/host-list.h"
#include "server/reactor/reactor.h"

#define ENGINE_NAME_MAX 200             /* bytes with the NUL */
#define ENGINE_UUID_TEXT 37             /* bytes with the NUL */
#define ENGINE_GATEWAYS_MAX 16
#define ENGINE_ERROR_KINDS 5
#define ENGINE_ASK_MAX 128              /* bytes with the NUL */

struct engine_ops;

/* An engine embeds these as the first member of its own structures. */
struct engine_pool {
  const struct engine_ops *ops;         /* constant after open */
  char name[ENGINE_NAME_MAX];           /* constant after open */
  char domain[ENGINE_UUID_TEXT];        /* constant after open */
  /* Where several servers (gateways) serve the pool at once: which of how
   * many this one is, at most ENGINE_GATEWAYS_MAX.  0 of 0: the only one. */
  unsigned gateway;                     /* constant after open */
  unsigned nr_gateways;                 /* constant after open */
  /* By another gateway, and for good: requests end in -ESHUTDOWN. */
  atomic_bool is_fenced;
  _Atomic uint64_t nr_fenced;           /* other gateways, by this one */
  /* What another gateway wants to have done (pool_ask_gateway): 0 when it is,
   * or -errno.  Never waits; any thread.  NULL: nobody uses the pool. */
  int (*_Atomic asked) (void *opaque, const char *text);
  void *asked_opaque;                   /* constant once asked is set */
};

struct engine_volume {
  const struct engine_ops *ops;         /* constant after open */
  struct engine_pool *pool;             /* constant after open */
  char name[ENGINE_NAME_MAX];           /* constant after open */
  char uuid[ENGINE_UUID_TEXT];          /* constant after open */
  uint32_t block_size;                  /* 512 or 4096, constant after open */
  bool read_only;                       /* constant after open */
  /* ENGINE_UNMAP, and DISCARD, are quick whatever their length: nothing is
   * written.  Constant after open. */
  bool unmaps;
  /* Another one than at an earlier open, if writes that were done before and
   * not flushed may be lost since.  Not 0; constant after open.  In between,
   * flushes that fail say it. */
  uint64_t epoch;
  _Atomic uint64_t size_bytes;          /* changes in volume_resize */
  _Atomic uint64_t told_ms[ENGINE_ERROR_KINDS]; /* engine_failed */
};

struct engine_pool_stat {
  uint64_t capacity_bytes;
  uint64_t free_bytes;
};

enum engine_op {
  ENGINE_READ,
  ENGINE_WRITE,
  ENGINE_FLUSH,
  ENGINE_DISCARD,               /* afterwards reads as zeroes */
  ENGINE_WRITE_ZEROES,
};

enum {
  ENGINE_FUA = 1 << 0,          /* WRITE, WRITE_ZEROES: stable before done */
  ENGINE_UNMAP = 1 << 1,        /* WRITE_ZEROES: may deallocate */
};

/* One request, embedded in the caller's command.  The range was checked
 * against size_bytes and is a multiple of block_size.  Buffers are aligned
 * to 4096 bytes where iov has a single element. */
struct engine_request {
  /* the caller's, constant until done */
  void (*done) (struct engine_request *request, int result);
  struct reactor *reactor;      /* submit and done run here */
  enum engine_op op;
  unsigned flags;
  uint64_t offset_bytes;
  uint64_t length_bytes;
  struct iovec *iov;            /* READ, WRITE: exactly length_bytes; the
                                   engine may change the elements */
  int iovcnt;
  bool may_lend;                /* READ */
  /* the engine's */
  struct engine_volume *volume;
  const uint8_t *lent;          /* at done: the data, instead of in iov, until
                                   end_loan; else NULL */
  union {
    struct reactor_file_io io;
    uint64_t words[24];
  } scratch;
};

#define ENGINE_PENDING 1

/* Something that a check of a pool found wrong. */
struct engine_finding {
  const char *object;           /* a volume or a file; until found returns */
  const char *text;             /* what is wrong, and what helps */
  bool repaired;
};
typedef void engine_found_fn (void *opaque,
                              const struct engine_finding *finding);

struct engine_check {
  bool repair;                  /* also set right what loses nothing */
  engine_found_fn *found;
  /* How much was looked at, of how much. */
  void (*progress) (void *opaque, uint64_t done, uint64_t total);
  void *opaque;
};

/* What changed of an open volume by others' doing. */
enum {
  ENGINE_CHANGED_SIZE = 1 << 0,         /* size_bytes has it */
  ENGINE_CHANGED_HOSTS = 1 << 1,
  ENGINE_CHANGED_ALL = 1 << 2,  /* it is no more what was opened: requests
                                   fail until it is opened anew */
  ENGINE_CHANGED_FENCED = 1 << 3,       /* the pool's is_fenced; once */
};

struct engine_extent {
  uint64_t offset_bytes;
  uint64_t length_bytes;
};

/* Only called back: path is gone afterwards. */
typedef void engine_path_fn (void *opaque, const char *path, bool writes);

struct engine_ops {
  const char *name;             /* the scheme in --pool NAME=SCHEME:ARGUMENT */

  /* What can be said of an argument without opening the pool, and at any
   * time: its syntax, and what it names on this machine. */
  int (*pool_check_argument) (const char *name, const char *argument,
                              struct error *err);
  /* What opening it will open by name, beneath: calls each.  NULL: nothing. */
  void (*pool_paths) (const char *argument, engine_path_fn *each,
                      void *opaque);
  bool connects;                /* pools are on other machines: TCP, and what
                                   its library reads in /etc */
  /* Open an existing pool, or make one of an empty directory; take its lock.
   * reactors are those that will submit: none of them started yet, or all
   * running.  The array stays in place until the pool is closed. */
  int (*pool_open) (const char *name, const char *argument,
                    struct reactor *const *reactors, unsigned nr_reactors,
                    struct engine_pool **pool, struct error *err);
  /* All volumes are closed and all requests done. */
  void (*pool_close) (struct engine_pool *pool);
  int (*pool_stat) (struct engine_pool *pool, struct engine_pool_stat *stat,
                    struct error *err);

  /* Compares what the pool says of its volumes with what is there.  Open
   * volumes serve meanwhile; a repair may change the size of one.  Findings
   * are no error.  NULL: there is nothing to compare. */
  int (*pool_check) (struct engine_pool *pool,
                     const struct engine_check *check, struct error *err);

  /* Pools that others change, too; NULL elsewhere.  Waits until it may have
   * changed, or pool_wake is called, now or since the last wait.  One thread,
   * beside all other calls but pool_close. */
  void (*pool_wait) (struct engine_pool *pool);
  void (*pool_wake) (struct engine_pool *pool);         /* any thread */
  /* What changed since it was opened or asked last: ENGINE_CHANGED_*, or
   * -errno. */
  int (*volume_refresh) (struct engine_volume *volume, struct error *err);

  /* Where there are several gateways.  Has another one do what the text says
   * (asked), and returns its answer.  One that does not answer is fenced:
   * nothing that it has sent, or will, changes the pool after this returned
   * 0.  -EPERM: it may not be; other errors are of the moment.  Blocks;
   * any thread. */
  int (*pool_ask_gateway) (struct engine_pool *pool, unsigned gateway,
                           const char *text);

  /* Calls each (opaque, name) for every volume, in name order, until it
   * returns non-zero, and returns that. */
  int (*volume_each) (struct engine_pool *pool,
                      int (*each) (void *opaque, const char *name),
                      void *opaque, struct error *err);
  /* size_bytes is a multiple of block_size.  -EEXIST, -ENOSPC, -EFBIG. */
  int (*volume_create) (struct engine_pool *pool, const char *name,
                        uint64_t size_bytes, uint32_t block_size,
                        struct error *err);
  int (*volume_remove) (struct engine_pool *pool, const char *name,
                        struct error *err);      /* not open.  -ENOENT */
  /* -EAGAIN: it is just being made, by others; pool_wait returns soon. */
  int (*volume_open) (struct engine_pool *pool, const char *name,
                      struct engine_volume **volume, struct error *err);
  void (*volume_close) (struct engine_volume *volume);
  /* Durable when it returns.  The caller lets no request run when it shrinks.
   * -EBUSY: others use what would be cut off. */
  int (*volume_resize) (struct engine_volume *volume, uint64_t size_bytes,
                        struct error *err);
  int (*volume_allocated) (struct engine_volume *volume,
                           uint64_t *allocated_bytes, struct error *err);

  /* From the next open on.  Not open; -ENOENT, -EBUSY. */
  int (*volume_set_read_only) (struct engine_pool *pool, const char *name,
                               bool read_only, struct error *err);

  /* The hosts that may attach it.  hosts is empty before; what was set is
   * durable, the whole list at once. */
  int (*volume_get_hosts) (struct engine_volume *volume,
                           struct host_list *hosts, struct error *err);
  int (*volume_set_hosts) (struct engine_volume *volume,
                           const struct host_list *hosts, struct error *err);
  /* As volume_get_hosts, but looks whether others have set it just now.
   * NULL: nobody else does. */
  int (*volume_read_hosts) (struct engine_volume *volume,
                            struct host_list *hosts, struct error *err);

  /* Returns 0 or -errno when it is over already (done is then not called),
   * or ENGINE_PENDING.  -ESHUTDOWN: nothing of it will be done any more, and
   * another gateway may do it.  Also for requests that overlap: the result is
   * then either order, never a mix within a block.  FLUSH covers everything
   * that was done before it was submitted, on any reactor.  An fdatasync error
   * is sticky: every later FLUSH and FUA fails with it. */
  int (*submit) (struct engine_volume *volume,
                 struct engine_request *request);

  /* NULL in engines that do not lend.  After a READ that was over inside
   * submit, with success, and has lent; on the same reactor, and soon:
   * nobody can change this range meanwhile.  The data are for system calls to
   * read, and may be gone: then they fail, and so does what follows here, but
   * a program that looks would be killed.  From from_bytes on the data are
   * put into iov's buffer, which was not touched.  0 or -errno. */
  int (*end_loan) (struct engine_volume *volume,
                   struct engine_request *request, uint64_t from_bytes);

  /* The allocated parts of a range that is inside size_bytes and a multiple of
   * block_size: in order, not empty, whole blocks, with gaps between them.
   * Returns how many, or -errno.  At most nr_max; when it is nr_max there may
   * be more behind the last one.  What is in no extent reads as zeroes, in
   * so far as no request that runs meanwhile changes it.  May block: never on
   * a reactor; any thread else, also beside requests and other calls. */
  int (*allocated) (struct engine_volume *volume, uint64_t offset_bytes,
                    uint64_t length_bytes, struct engine_extent *extents,
                    unsigned nr_max);

  /* Snapshots will need: quiesce (no request is running until resumed) and
   * a hook that is told of each changed block range before the change. */
};

/* For pool_open: bytes for an engine's own structure, zeroes but for what is
 * known.  To be freed with free; NULL: err says why. */
void *engine_pool_new (size_t bytes, const struct engine_ops *ops,
                       const char *name, struct error *err);

/* One that never was. */
uint64_t engine_new_epoch (void);

/* Engines say so of each request that fails with an errno: it is logged, but
 * not every time.  Not where they said more themselves. */
void engine_failed (struct engine_volume *volume,
                    const struct engine_request *request, int error);

/* NULL terminated; --without-rbd leaves the last one out. */
extern const struct engine_ops *const engines[];

extern const struct engine_ops engine_file;
extern const struct engine_ops engine_ram;
extern const struct engine_ops engine_rbd;

#endif
