/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Volumes: opening and sharing, calls that become transfers, and transfers
 * that become commands.  Part of internal.h, which says who is above whom.
 */
#ifndef QBD_LIB_VOLUME_H
#define QBD_LIB_VOLUME_H

#include "lib/paths.h"

/* --- discover.c, discover-list.c ---------------------------------------- */

struct discovery_reader {
  /* What was told so far is void: the log has changed. */
  void (*restart) (void *opaque);
  /* 0, or -errno that ends it. */
  int (*entry) (void *opaque, const struct nvmf_disc_log_entry *entry);
  void *opaque;
};

/* Tells the reader the server's whole log.  Until deadline_ms at most.
 * *reached: it answered. */
int discover (const struct options *options, struct attempt *attempt,
              uint64_t deadline_ms, const struct discovery_reader *reader,
              bool *reached, struct error *err);

/* The NQN of POOL/VOL on the server.  Takes until deadline_ms at most. */
int discover_volume (const struct options *options,
                     struct attempt *attempt, uint64_t deadline_ms,
                     char nqn[NVMEOF_NQN_MAX + 1], bool *reached,
                     struct error *err);

/* --- registry.c --------------------------------------------------------- */

int registry_get (const struct options *options, bool shared,
                  struct attempt *attempt, struct paths **paths,
                  struct namespace **ns, struct error *err);
void registry_put (struct paths *paths);
void registry_wake (void);      /* an attempt was interrupted */
void registry_forget (void);    /* after fork, in the child */

/* --- transfer.c --------------------------------------------------------- */

enum io_op {
  IO_READ,
  IO_WRITE,
  IO_FLUSH,
  IO_DISCARD,
  IO_WRITE_ZEROES,
};

static inline bool
io_changes (enum io_op op)
{
  return op != IO_READ && op != IO_FLUSH;
}

struct transfer;

/* One command of a transfer. */
struct io_request {
  struct request request;               /* first member */
  struct transfer *transfer;
  struct nvme_dsm_range range;          /* DISCARD's data */
};

/* One call of the user, split into commands.  Locked by its queue. */
struct transfer {
  struct qbd_volume *volume;
  struct association *association;      /* the path that it takes */
  struct namespace *ns;                 /* of it; of a flush, what it covers */
  struct queue *queue;
  enum io_op op;
  unsigned flags;
  uint8_t *buf;
  uint64_t offset_bytes;        /* of the next command */
  uint64_t left_bytes;          /* in no command yet */
  bool flush_left;              /* FLUSH, or DISCARD with FUA: the Flush that
                                   ends it is not submitted yet */
  unsigned pending;             /* commands in flight */
  uint64_t covers;              /* of the Flush: durable_so_far */
  uint64_t covers_retained;     /* and retain_so_far; of several paths: of
                                   all their Flushes */
  uint64_t begun;               /* retain_begin */
  /* As the call was, to begin it again when a cache was lost in its midst. */
  uint8_t *whole_buf;
  uint64_t whole_offset_bytes, whole_bytes;
  unsigned losses;              /* durable_losses, at its beginning */
  bool moves;                   /* to another path, when none is pending */
  bool covering;                /* all of it is done; as a FLUSH now */
  bool entered;                 /* paths_enter */
  uint8_t flush_at;             /* FLUSH: the paths before have none left */
  int error;                    /* errno of the first that failed */
  uint16_t status;              /* its NVMe status, 0: none */
  void (*over) (struct transfer *transfer);     /* [locked] */
};

/* What a call asks for: 0, or a positive errno. */
int transfer_check (struct qbd_volume *volume, enum io_op op, uint64_t count,
                    uint64_t offset, unsigned flags);
void transfer_init (struct transfer *transfer, struct qbd_volume *volume,
                    enum io_op op, void *buf, uint64_t count,
                    uint64_t offset, unsigned flags);
/* Nothing to do: 0 bytes, or a flush without a write cache. */
bool transfer_is_empty (const struct transfer *transfer);
/* Choose the path.  0; -EAGAIN: there is none at the moment, but may be; else
 * an -errno for the caller. */
int transfer_route (struct transfer *transfer);
/* It is over, and moves: to be routed once more. */
bool transfer_moves (const struct transfer *transfer);
void transfer_begin_again (struct transfer *transfer);
/* [locked] */
bool transfer_has_next (const struct transfer *transfer);
/* [locked] Submit the next command on this request.  -errno: the transfer is
 * over, if none is pending. */
int transfer_next_locked (struct transfer *transfer,
                          struct io_request *request, bool backlog);

/* --- block-status.c ----------------------------------------------------- */

/* As the argument of qbd_block_status. */
typedef int (*block_status_extent) (void *opaque, uint64_t offset,
                                    uint64_t count, unsigned status);

/* A question about [next_lba, end_lba), asked in rounds. */
struct block_status {
  struct qbd_volume *volume;
  uint64_t next_lba, end_lba;   /* not answered yet */
  uint32_t bytes;               /* room for an answer */
  block_status_extent extent;
  void *opaque;
  const char *fault;            /* what is wrong with the answer, or NULL */
  union {
    struct nvme_lba_status list;
    uint8_t page[4096];
  } answer;
};

/* 0 or a positive errno. */
int block_status_init (struct block_status *status,
                       struct qbd_volume *volume, uint64_t count,
                       uint64_t offset, unsigned flags,
                       block_status_extent extent, void *opaque);
/* The next admin command; its data goes to status->answer, status->bytes. */
union nvme_command block_status_ask (const struct block_status *status);
/* Its NVMe status came.  Calls extent for all that is known now.  1: there is
 * more to ask, 0: that was all, -errno. */
int block_status_answered (struct block_status *status, uint16_t sc);

/* --- volume.c ----------------------------------------------------------- */

struct aio;
TAILQ_HEAD (aio_list, aio);

struct qbd_volume {
  struct paths *paths;                  /* constant after open */
  struct namespace *ns;                 /* of the first one; constant after
                                           open */
  unsigned flags;                       /* QBD_OPEN_*, constant after open */
  _Atomic unsigned next_queue;          /* aio: round-robin */

  /* The descriptors are made under fds_lock, before a queue's. */
  pthread_mutex_t fds_lock;
  _Atomic int epoll_fd;                 /* -1, then constant */

  pthread_mutex_t aio_lock;             /* all below */
  struct aio_list aio_done;
  unsigned aio_in_flight;               /* submitted, done() not called */
  unsigned aio_waiting;                 /* threads that sleep on epoll_fd */
  unsigned aio_pumping;                 /* threads that will look at aio_done */
  bool aio_signalled;                   /* the eventfd is readable */
  bool aio_fd_given;                    /* the user polls by himself */
  int event_fd;                         /* -1, then constant */
  unsigned nr_queues;                   /* I/O queues of all paths; constant */
  struct queue_watch aio_watch[];       /* of each */
};

/* Of all paths', by number. */
struct queue *volume_queue (const struct qbd_volume *volume, unsigned i);

/* Takes a reference that the caller has. */
struct qbd_volume *volume_create (struct paths *paths, struct namespace *ns,
                                  unsigned flags, struct error *err);
/* Not the paths.  No request in flight. */
void volume_free (struct qbd_volume *volume);
/* The thread's message for a failed call; returns -1. */
int volume_fail (struct qbd_volume *volume, const char *what, int error,
                 uint16_t status);

/* --- aio.c -------------------------------------------------------------- */

int aio_submit (struct qbd_volume *volume, struct qbd_aio *aio,
                enum io_op op, void *buf, uint64_t count, uint64_t offset,
                unsigned flags, uint64_t now_ms);
/* Send, receive, call done(), without waiting.  Returns how many. */
int volume_pump (struct qbd_volume *volume, uint64_t now_ms);
/* Returns when none is in flight. */
void aio_drain (struct qbd_volume *volume);
void aio_close_fds (struct qbd_volume *volume);

#endif
