/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libqbd - attach a volume over NVMe over Fabrics from user space.
 *
 * A volume is one NVMe namespace.  All offsets and counts are bytes, and
 * must be multiples of qbd_get_block_size unless a function says otherwise.
 *
 * Errors: a function that fails returns -1 (or NULL) and sets errno;
 * qbd_errmsg() is then a sentence "what: object: reason", kept per thread.
 *
 * Threads: a volume may be used by any number of threads at once.  A
 * configuration belongs to one thread at a time, but for
 * qbd_config_interrupt.
 *
 * fork: a volume belongs to the process that opened it.  In the child every
 * call on it fails with ENOTCONN, and qbd_close only frees it, unknown to the
 * server; what the child opens is its own.  QBD_OPEN_PROBE makes a volume
 * that leaves no thread behind.  Over RDMA, the child of a process that has
 * opened a volume can open none: its system refuses descriptors of RDMA
 * devices that another process opened.
 */
#ifndef LIBQBD_H
#define LIBQBD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qbd_config;
struct qbd_volume;

/* The last error of this thread: never NULL, valid until the thread's next
 * call into libqbd. */
const char *qbd_errmsg (void);

/* "MAJOR.MINOR.PATCH", constant. */
const char *qbd_version (void);

/*
 * Configuration: the same keys as the parameters of the nbdkit plugin.
 *
 *   volume           POOL/VOL on a qbd-server, found by discovery
 *   nqn              instead of volume: any NVMe subsystem, by its name
 *   nsid             with nqn: the namespace, default the only one
 *   server           tcp://HOST[:PORT], rdma://HOST[:PORT], unix:///PATH, or
 *                    a bare HOST[:PORT]; default $QBD_SERVER, else
 *                    tcp://127.0.0.1:4420
 *                    Set again, it adds a path to the same volume, up to 8
 *   policy           which of several paths a request takes: failover (the
 *                    first that is there, the default), round-robin or
 *                    queue-depth (the fewest commands in flight)
 *   transport        tcp, rdma, or auto: RDMA where it works, else TCP, to the
 *                    same host and port; default what server says
 *   poll_us          microseconds that a synchronous call looks for its answer
 *                    before it sleeps, 0..1000, default 0
 *   hostnqn, hostid  default /etc/nvme/hostnqn, /etc/nvme/hostid, else
 *                    derived from the machine id
 *   nr_io_queues     connections for I/O, 1..64, default 1
 *   queue_size       entries of each I/O queue, 2..1024, default 128; one
 *                    less are in flight
 *   keep_alive_tmo   seconds, 0 switches keep-alive off, default 5
 *   connect_tmo      seconds for attaching as a whole, default 10
 *   io_tmo           seconds until a command is aborted, default 30
 *   ctrl_loss_tmo    seconds for which requests wait for a lost server; or
 *                    "forever"; 0: not at all.  Default 600
 *   fast_io_fail_tmo seconds after which they fail until it is back; or
 *                    "off", the default
 *   reconnect_delay  seconds, the longest pause between tries to connect,
 *                    1..3600, default 2
 *   retain           memory for writes that were completed and not flushed,
 *                    as 64M; a server that lost its cache gets them again.
 *                    64K..64G, or "off", the default
 *   hdr_digest, data_digest   booleans, default off: CRC32C on the wire
 */
struct qbd_config *qbd_config_new (void);
struct qbd_config *qbd_config_copy (const struct qbd_config *config);
void qbd_config_free (struct qbd_config *config);

/* EINVAL: the key is unknown (the message names the nearest known one), the
 * value is out of range, or volume and nqn are both given. */
int qbd_config_set (struct qbd_config *config,
                    const char *key, const char *value);

/* How qbd_open would attach: "tcp", "unix", "rdma" or "auto".  NULL: the
 * address in $QBD_SERVER is wrong, or contradicts the key transport. */
const char *qbd_config_transport (const struct qbd_config *config);

/* Whether the key retain gives memory: 1 or 0. */
int qbd_config_retains (const struct qbd_config *config);

/* For a process that is about to end: every qbd_open and qbd_discover with this
 * configuration or a copy of it, under way or later, ends promptly with
 * ESHUTDOWN.  A volume whose association such an open would share may be
 * interrupted with it.  Any thread; cannot be undone. */
void qbd_config_interrupt (struct qbd_config *config);

/* For a log: of volumes that are opened afterwards with this configuration or
 * a copy of it, notice is called with a line when connections are lost, when
 * they are there again, and when they are given up.  In a thread of libqbd's or
 * of a caller's: it must not call libqbd, and what it waits for, requests wait
 * for.  NULL, the default: nobody is told. */
void qbd_config_set_notice (struct qbd_config *config,
                            void (*notice) (void *opaque,
                                            const char *message),
                            void *opaque);

/* The known keys, NULL terminated, constant. */
const char *const *qbd_config_keys (void);

/*
 * What the server's discovery log says: the subsystems that this host may
 * attach, one entry for each way to each.
 */
struct qbd_discovered {
  const char *nqn;              /* for the key nqn */
  const char *name;             /* POOL/VOL, for the key volume; NULL: it is
                                   no qbd-server's */
  const char *transport;        /* "tcp", "unix", "rdma"; "fc", "loop", "?"
                                   cannot be attached */
  const char *address;          /* tcp://HOST:PORT, unix:///PATH, ... */
};

/* Calls each in the order of the log, in this thread; the strings are valid
 * inside it.  Of config, volume, nqn and nsid do not matter.  Takes at most
 * connect_tmo.  Errors as for qbd_open. */
int qbd_discover (const struct qbd_config *config,
                  void (*each) (void *opaque,
                                const struct qbd_discovered *discovered),
                  void *opaque);

enum {
  QBD_OPEN_READONLY = 1 << 0,   /* writes fail with EROFS */
  QBD_OPEN_PROBE = 1 << 1,      /* no keep-alive thread: open, ask, close */
};

/* Attach (NVMe-oF: Connect, enable, Identify, I/O queues).  Blocks for at
 * most connect_tmo.  Volumes opened with an equal configuration share one
 * association, counted by reference; QBD_OPEN_PROBE never shares.
 *
 * ENOENT no such volume or namespace; ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH
 * no server; EPROTO the peer does not speak NVMe/TCP; EACCES the host is not
 * allowed; EINVAL the configuration lacks a volume, or nsid has to choose. */
struct qbd_volume *qbd_open (const struct qbd_config *config, unsigned flags);

/* Waits for asynchronous requests in flight, whose done() runs inside.  No
 * other call on the volume may be under way in any thread: synchronous ones,
 * qbd_aio_poll and qbd_interrupt have returned before.  NULL is allowed. */
void qbd_close (struct qbd_volume *volume);

/* Bytes; as it is now, where the server tells of changes. */
uint64_t qbd_get_size (struct qbd_volume *volume);
uint32_t qbd_get_block_size (struct qbd_volume *volume);  /* bytes, LBA size */
uint32_t qbd_get_preferred_size (struct qbd_volume *volume); /* bytes */
uint32_t qbd_get_max_transfer (struct qbd_volume *volume); /* bytes, MDTS */
const char *qbd_get_nqn (struct qbd_volume *volume);
const char *qbd_get_transport (struct qbd_volume *volume); /* "tcp", "unix",
                                                              "rdma" */
/* With the key transport=auto: why it is not RDMA, in a sentence; else NULL. */
const char *qbd_get_fallback (struct qbd_volume *volume);
int qbd_is_read_only (struct qbd_volume *volume);
/* The namespace says that its media are (Identify CNS 08h, NSFEAT.RMEDIA). */
int qbd_is_rotational (struct qbd_volume *volume);
int qbd_can_discard (struct qbd_volume *volume);
int qbd_can_write_zeroes (struct qbd_volume *volume);
/* qbd_write_zeroes without QBD_NO_UNMAP is quick, however long the range: the
 * namespace deallocates instead (DLFEAT: Write Zeroes with DEAC, and
 * deallocated blocks read as zeroes). */
int qbd_can_fast_zero (struct qbd_volume *volume);
/* The controller has Get LBA Status (OACS). */
int qbd_can_block_status (struct qbd_volume *volume);

/*
 * Where a request hangs: what the volume's association has in flight for it,
 * through any handle, as the commands that requests were split into.
 */
struct qbd_inflight {
  const char *op;               /* "read", "write", "flush", "discard",
                                   "write-zeroes"; of those that wait for a
                                   path also "block-status"; constant */
  /* What it waits for; constant.
   *   path             one that is connected, accessible (ANA), and may be
   *                    used; since it began to wait, whole, and of no queue
   *   slot             one of queue_size, that others have
   *   connection       the server, which is lost, and is being connected to
   *   old-controller   the end of what an earlier connection left
   *   send             to be sent
   *   wire             the answer: the network, or the server
   *   abort            the end of an Abort, as io_tmo was over */
  const char *stage;
  const char *volume;           /* as it was opened; until qbd_close */
  const char *path;             /* the server's address; until qbd_close */
  uint64_t offset, count;       /* bytes; 0 of a flush */
  uint64_t age_ms;              /* since it was submitted */
  uint16_t qid, cid;            /* of its last try; the server's list has them,
                                   too */
};

/* Fills list with up to max of them, those of each connection that have waited
 * longest at the front, and returns how many there are.  Any thread, at any
 * time; waits for no I/O and allocates nothing.  -1: ENOTCONN, after fork. */
int qbd_list_inflight (struct qbd_volume *volume, struct qbd_inflight *list,
                       unsigned max);

/* For a process that is about to end: every request of the volume's
 * association, in flight or later, through any handle, ends promptly with
 * ESHUTDOWN.  Any thread, any number of times; cannot be undone. */
void qbd_interrupt (struct qbd_volume *volume);

/* 0 while the association lives, or is being connected again.  -1 with errno
 * ENOTCONN and the reason once it is lost for good: every later request fails
 * at once.  -1 with errno EIO once flushes fail because the server lost its
 * cache: see qbd_flush. */
int qbd_check (struct qbd_volume *volume);

enum {
  QBD_FUA = 1 << 0,        /* on stable storage before completion */
  QBD_NO_UNMAP = 1 << 1,   /* write_zeroes: keep the blocks allocated */
};

/*
 * Synchronous I/O.  Any count up to UINT32_MAX is split at MDTS.  Unaligned
 * ranges are EINVAL, ranges beyond the end are EINVAL for reads and ENOSPC
 * for writes.  Nothing is allocated.
 *
 * A request waits while a lost association is connected again, and is then
 * carried out.
 *
 * EIO, ENOSPC, EROFS, EPERM: as the server's storage said.  EIO also: the
 * association was lost for longer than ctrl_loss_tmo or fast_io_fail_tmo.
 * Without these (ctrl_loss_tmo 0): ENOTCONN, it is lost; ETIMEDOUT, no answer
 * in io_tmo.
 */
int qbd_pread (struct qbd_volume *volume, void *buf, size_t count,
               uint64_t offset, unsigned flags);
int qbd_pwrite (struct qbd_volume *volume, const void *buf, size_t count,
                uint64_t offset, unsigned flags);
/* Everything that was completed before this call is on stable storage when
 * it returns 0, whichever thread or handle of this association wrote it.
 * EIO: it is not, or may not be, as the server lost its cache (its machine was
 * started anew, say) while there were changes that no flush had covered.  Then
 * every later flush fails, too, until all handles of the association are
 * closed.  With the key retain the changes are made again instead, before
 * anything else, and this happens only when the server refuses them. */
int qbd_flush (struct qbd_volume *volume);
/* The blocks read as zeroes or as before; space may be freed.  QBD_FUA: a
 * Flush follows. */
int qbd_discard (struct qbd_volume *volume, uint64_t count,
                 uint64_t offset, unsigned flags);
int qbd_write_zeroes (struct qbd_volume *volume, uint64_t count,
                      uint64_t offset, unsigned flags);

enum {
  QBD_HOLE = 1 << 0,       /* deallocated: takes no space */
  QBD_ZERO = 1 << 1,       /* and reads as zeroes */
};

enum {
  QBD_ONE_EXTENT = 1 << 0, /* the first extent, or a part of it, will do */
};

/*
 * Which parts of a range are allocated (Get LBA Status).  Calls extent, in
 * this thread, for consecutive parts from offset on, in order and without
 * gaps; status is 0 (data) or QBD_HOLE, with QBD_ZERO where the namespace
 * says how deallocated blocks read.  Neighbours may have the same status.
 * Perhaps not up to the end of the range, but always at least once.  A part
 * is as it was at some moment during the call.
 *
 * It uses no I/O queue, and waits for no I/O.  A callback that returns other
 * than 0 ends it: -1 with the errno that the callback left.
 *
 * EOPNOTSUPP: the controller cannot tell; take everything for data.  EPROTO:
 * its answer makes no sense.  EINVAL: count is 0, the range is unaligned or
 * ends beyond the volume.  Else as for I/O.
 */
int qbd_block_status (struct qbd_volume *volume, uint64_t count,
                      uint64_t offset, unsigned flags,
                      int (*extent) (void *opaque, uint64_t offset,
                                     uint64_t count, unsigned status),
                      void *opaque);

/*
 * Asynchronous I/O.  A request is memory of the caller, zeroed or reused,
 * that stays in place, with its buffer, until done() was called for it.
 * done() runs inside qbd_aio_poll, in that thread; error is 0 or an errno.
 * It may submit again.  Submitting never blocks and never calls done().
 */
struct qbd_aio {
  void (*done) (struct qbd_aio *aio, int error);
  void *opaque;
  /* libqbd's own */
  void *reserved[68];
};

/* -1/EAGAIN: the volume's queue is full; poll first. */
int qbd_aio_pread (struct qbd_volume *volume, struct qbd_aio *aio, void *buf,
                   size_t count, uint64_t offset, unsigned flags);
int qbd_aio_pwrite (struct qbd_volume *volume, struct qbd_aio *aio,
                    const void *buf, size_t count, uint64_t offset,
                    unsigned flags);
int qbd_aio_flush (struct qbd_volume *volume, struct qbd_aio *aio);
int qbd_aio_discard (struct qbd_volume *volume, struct qbd_aio *aio,
                     uint64_t count, uint64_t offset, unsigned flags);
int qbd_aio_write_zeroes (struct qbd_volume *volume, struct qbd_aio *aio,
                          uint64_t count, uint64_t offset, unsigned flags);

/* A descriptor that polls readable (POLLIN) when qbd_aio_poll has work.
 * It belongs to the volume. */
int qbd_aio_fd (struct qbd_volume *volume);

/* Send, receive, call done().  Waits up to timeout_ms (0: not at all, -1:
 * for ever) for the first completion, and not at all when nothing is in
 * flight.  Returns how many were called, -1 when the process has no descriptor
 * left, or after fork.  A lost association is reported through done(). */
int qbd_aio_poll (struct qbd_volume *volume, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* LIBQBD_H */
