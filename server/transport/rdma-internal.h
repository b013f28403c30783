/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the RDMA transport: what its files share.
 *
 *   listener --> rdma-listener.c --> connection, device   (CONNECT_REQUEST)
 *   receive CQ --> rdma-receive.c --> target_command_prepare, _execute
 *   send CQ    <-> rdma-send.c    <-- ops->complete
 *
 * A device, here, is what one reactor has of an RDMA device: a protection
 * domain, registered memory, a shared receive queue with its completion
 * queue, and the connections.  Everything belongs to that reactor; only the
 * list of devices is locked.
 *
 * A connection is held (counted) by its life until the target has drained its
 * queue, and by each of its functions that runs.
 */
#ifndef QBD_RDMA_INTERNAL_H
#define QBD_RDMA_INTERNAL_H

#include <errno.h>
#include <fcntl.h>
#include <sys/queue.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "common/buddy.h"
#include "nvmeof/rdma.h"
#include "server/transport/internal.h"
#include "server/transport/rations.h"

enum {
  RDMA_IN_CAPSULE_BYTES = 4096,         /* I/O queues; IOCCSZ says so */
  RDMA_ENTRIES_MAX = 256,               /* of a host's queue, at least */
  RDMA_DEVICE_SLOTS_MIN = 128,          /* shared receives */
  RDMA_DEVICE_SLOTS_MAX = 1024,
  RDMA_DEVICE_DATA_MIN_BYTES = 2 << 20,
  RDMA_DEVICE_DATA_MAX_BYTES = 32 << 20,
  RDMA_TURN_COMPLETIONS = 512,          /* of one queue in one turn */
  RDMA_BATCH = 8,               /* requests that do not wait for the turn's
                                   end to be posted */
  RDMA_HELD_EACH = 2,           /* held requests for each shared receive */
  RDMA_QUIET_SLOTS = 4,         /* one of so many shared receives may be
                                   taken before ends are told */
  RDMA_CLOSE_LIMIT_MS = 2000,           /* responses of one that ends */
  RDMA_LINGER_MS = 1000,                /* an admin queue that ends */
  RDMA_FLUSH_LIMIT_MS = 5000,           /* work requests of one that ended */
  RDMA_STALL_LOOK_MS = 5000,    /* and at sends whose end nothing told */
  RDMA_QP_BUCKETS = 64,
};

/* --- requests ------------------------------------------------------------- */

enum rdma_request_state {
  RDMA_REQUEST_POSTED,          /* waits in the shared receive queue; or,
                                   without a receive, is free */
  RDMA_REQUEST_WAITING,         /* waits for a buffer */
  RDMA_REQUEST_READING,         /* waits for its RDMA READ, or to be posted */
  RDMA_REQUEST_EXECUTING,       /* the target has it; waits for complete */
  RDMA_REQUEST_ANSWERING,       /* waits for its SEND, or to be posted */
};
enum { RDMA_REQUEST_NR_STATES = RDMA_REQUEST_ANSWERING + 1 };

/* What of a request the device reads and writes. */
struct rdma_capsules {
  union nvme_command sqe;
  struct nvme_cqe cqe;
  uint8_t padding[48];          /* to a multiple of cache lines */
};
static_assert (sizeof (struct rdma_capsules) == 128, "");

struct rdma_work {
  struct ibv_send_wr wr;
  struct ibv_sge sge;
};

struct rdma_request {
  struct target_command command;        /* first member */
  struct rdma_device *device;           /* constant */
  struct rdma_connection *connection;   /* unless POSTED */
  enum rdma_request_state state;
  struct rdma_data data;        /* what the SGL said */
  struct rdma_capsules *capsules;       /* constant; registered */
  uint8_t *in_capsule;          /* constant; registered, 4096-aligned; for
                                   all data that fit.  NULL: it is one of the
                                   device's that have no receive */
  uint32_t buffer_offset;       /* in the device's data; BUDDY_NONE */
  struct rdma_work work[2];     /* READ; or WRITE, and SEND */
  bool unposted;                /* on the connection's list `unposted` */
  bool posted;                  /* on its list `posted` */
  bool answered;                /* its SEND was posted */
  TAILQ_ENTRY (rdma_request) in_connection;
  TAILQ_ENTRY (rdma_request) in_list;   /* waiting, unposted, posted or,
                                           without a receive, free */
};

TAILQ_HEAD (rdma_request_list, rdma_request);

/* --- what a reactor has of a device: rdma-device.c ---------------------------- */

struct rdma_device {
  struct reactor *reactor;      /* constant */
  struct ibv_context *verbs;    /* constant; librdmacm's */
  LIST_ENTRY (rdma_device) in_devices;  /* locked */
  _Atomic unsigned users;       /* to 0, and up from it: locked */

  struct ibv_pd *pd;
  struct ibv_comp_channel *channel;
  struct ibv_cq *receive_cq;
  unsigned nr_events;           /* of receive_cq, not acknowledged: that takes
                                   a lock, and only its end waits for it */
  struct ibv_srq *srq;
  bool invalidates;             /* SEND WITH INV can be relied on */
  int max_reads;                /* of one connection, in flight */
  int max_send_wr;

  /* registered memory */
  uint8_t *memory;
  size_t memory_bytes;
  struct ibv_mr *mr;
  uint8_t *data;                /* in memory */
  uint32_t data_bytes;
  uint32_t taken_bytes;         /* of them */
  bool full;                    /* the first of `starved` waits for room, and
                                   all others behind it */
  struct buddy *buddy;
  /* By controller: a host that died with its queues full keeps nobody else from
   * being served, and no other path of its own. */
  struct ration_list rations;
  unsigned nr_slots;
  unsigned nr_taken;            /* of them, by a command */
  /* Those with a receive, then RDMA_HELD_EACH times as many without: for
   * commands that are held, and keep no receive meanwhile. */
  struct rdma_request *requests;
  struct rdma_request_list free_held;
  struct ibv_recv_wr *receives; /* one each, and two sges */
  struct ibv_sge *sges;
  struct ibv_recv_wr *repost;   /* to be posted at the end of the turn */

  struct reactor_watch watch;   /* channel */
  struct reactor_watch events;  /* verbs->async_fd */
  struct reactor_task again;    /* posted: a turn's budget was used up */
  bool again_posted;
  struct reactor_task flush;    /* deferred: repost */
  bool flush_deferred;
  struct reactor_task grant;    /* deferred: a buffer came back */
  bool grant_deferred;
  struct reactor_work end;      /* nobody has it any more */
  bool removed;                 /* the reactor's, then the worker's */
  struct rdma_cm_id *id;        /* locked; of a connection that ended */
  struct rdma_event_channel *id_channel;        /* locked; its */
  LIST_HEAD (, rdma_connection) by_qp[RDMA_QP_BUCKETS];
  /* connections with requests that wait for a buffer, in turn */
  TAILQ_HEAD (, rdma_connection) starved;
  unsigned nr_starved;
  /* rdma-send.c: connections with work requests in flight whose end nothing
   * tells */
  TAILQ_HEAD (, rdma_connection) quiet;
};

/* -errno of verbs that failed.  Not every driver sets it. */
static inline int
rdma_verbs_error (void)
{
  return errno != 0 ? -errno : -EIO;
}

/* For what is watched edge-triggered.  0 or -errno. */
static inline int
rdma_set_nonblocking (int fd)
{
  int flags = fcntl (fd, F_GETFL);

  return flags < 0 || fcntl (fd, F_SETFL, flags | O_NONBLOCK) < 0 ?
    -errno : 0;
}

/* What all reactors together need, at the least, of locked memory; and why
 * that cannot be had.  At the start. */
int rdma_memory_check (unsigned nr_reactors, const char *uri,
                       struct error *err);
/* Worker thread: makes one unless there is one.  -errno with what failed. */
int rdma_device_get (struct reactor *reactor, struct ibv_context *verbs,
                     struct rdma_device **device, const char **what);
/* Before anything else is asked of librdmacm.  Versions before 52 sort the
 * devices by the difference of the addresses of their structures, cut to an int.
 * Where that overflows they may lose all of them as one comes or goes, and the
 * next call waits for its own lock for ever.  So the first ones are looked at in
 * a thread, on whose heap they are near to those that come later. */
void rdma_first_look (void);
/* Worker thread: after a device was removed, have librdmacm close it when it is
 * not in use any more.  Until then some drivers (Soft-RoCE's) hold up whoever
 * removes it.  When it was the machine's last one that takes another one. */
void rdma_forget_removed (void);
/* The reactor: watch the channel and what the device says by itself; once,
 * idempotent. */
int rdma_device_start (struct rdma_device *device);
/* Any thread, from a connection that ends: librdmacm may close the verbs with
 * the last id, so that one of them is destroyed after all that is ours. */
void rdma_device_keep_id (struct rdma_device *device, struct rdma_cm_id *id,
                          struct rdma_event_channel *channel);
/* The reactor: for a task of it that waits, or a function of it that runs. */
void rdma_device_hold (struct rdma_device *device);
void rdma_device_put (struct rdma_device *device);

struct rdma_connection *rdma_device_find (struct rdma_device *device,
                                          uint32_t qp_num);

void rdma_request_set_state (struct rdma_request *request,
                             enum rdma_request_state state);
/* Back to the shared receive queue or, without a receive, to the device. */
void rdma_request_repost (struct rdma_request *request);

/* --- rdma-events.c ------------------------------------------------------------- */

/* The reactor.  0 or -errno. */
int rdma_events_start (struct rdma_device *device);
void rdma_events_stop (struct rdma_device *device);

/* --- rdma-buffers.c ------------------------------------------------------------ */

/* A buffer for the command.  0, or -EAGAIN: the request waits for one, in
 * state WAITING, and rdma_request_granted is called later.  -ENOMEM. */
int rdma_buffer_get (struct rdma_request *request);
void rdma_buffer_cancel (struct rdma_request *request);
/* If it has one. */
void rdma_buffer_give (struct rdma_request *request);
/* The device's task `grant`. */
void rdma_grant_buffers (struct reactor_task *task);

/* --- connections: rdma-connection.c ----------------------------------------- */

enum rdma_state {
  RDMA_ACCEPTED,                /* waits for ESTABLISHED, for a limited time */
  RDMA_READY,                   /* waits for capsules; Connect within a time
                                   limit */
  RDMA_CLOSING,                 /* waits for the commands in flight and for
                                   their responses, limited; an I/O queue takes
                                   no others, an admin queue refuses them
                                   and waits for the host to disconnect */
  RDMA_FLUSHING,                /* disconnected; waits for its work requests to
                                   end, limited */
  RDMA_DESTROYING,              /* waits for the worker that destroys its queue
                                   pair */
  RDMA_CLOSED,                  /* the queue pair is gone; waits for the
                                   target */
};
enum { RDMA_NR_STATES = RDMA_CLOSED + 1 };

struct rdma_connection {
  struct target_queue queue;            /* first member */
  struct reactor *reactor;              /* constant */
  struct rdma_device *device;           /* constant */
  struct target_portal portal;          /* constant */
  struct rdma_asked asked;            /* constant; of the private data */
  enum rdma_state state;
  unsigned holds;
  struct handshake *handshake;  /* NULL: over */
  struct rdma_event_channel *channel;   /* the id's own */
  struct rdma_cm_id *id;                /* and QP; the worker's, then NULL,
                                           from DESTROYING on */
  struct ibv_cq *send_cq;               /* as id */
  uint32_t qp_num;                      /* constant */
  /* the worker's, first to accept, then to destroy */
  struct reactor_work work;
  uint8_t reads;                        /* constant */
  int accepted;                         /* the worker's result */
  LIST_ENTRY (rdma_connection) in_bucket;
  struct reactor_watch watch;           /* channel */
  struct reactor_timer limit;
  struct reactor_timer stall;
  bool stall_armed;
  struct reactor_task end;      /* posted: FLUSHING is over */
  bool end_posted;
  bool accepting;               /* the worker has it */
  bool end_waits;               /* for that */

  struct rdma_request_list requests;    /* all in flight */
  unsigned nr_unanswered;       /* commands that the host waits for */
  /* rdma-buffers.c: requests that wait for a buffer */
  struct rdma_request_list waiting;
  TAILQ_ENTRY (rdma_connection) in_starved;
  struct ration *ration;        /* NULL: needed no buffer yet */

  /* rdma-send.c */
  unsigned send_room;           /* work requests that can be posted */
  unsigned send_size;           /* constant: of them all */
  bool inlines;                 /* constant: a CQE fits into a work request */
  struct rdma_request_list unposted;    /* requests that wait for the turn's
                                           end, or for room */
  unsigned nr_unposted;
  struct rdma_request_list posted;      /* in that order; whose end was not
                                           seen yet */
  unsigned nr_reads;            /* RDMA READs in flight */
  bool told;                    /* its device tells when a send ends */
  bool quiet;                   /* on its device's list */
  TAILQ_ENTRY (rdma_connection) in_quiet;
  struct reactor_task look;     /* deferred: what has ended, and unposted */
  bool look_deferred;
  uint64_t progress_ms;         /* the last completion that was seen, or post
                                   to none */
};

void rdma_hold (struct rdma_connection *connection);
void rdma_release (struct rdma_connection *connection);
/* The send queue is the reactor's, and no worker destroys it. */
bool rdma_has_send_cq (const struct rdma_connection *connection);

/* It is established: the time for Connect begins. */
void rdma_set_ready (struct rdma_connection *connection);
/* The connection is of no use any more.  reason is constant. */
void rdma_lost (struct rdma_connection *connection, const char *reason);
/* The host broke the protocol. */
void rdma_fatal (struct rdma_connection *connection, const char *what);
/* A work request is posted: see that it ends. */
void rdma_watch_stall (struct rdma_connection *connection);
/* Its queue pair is destroyed, and with it what was posted: no completion is
 * awaited. */
void rdma_post_end (struct rdma_connection *connection);
/* A request or a work request ended: perhaps it waited for that. */
void rdma_check_closed (struct rdma_connection *connection);

/* From the listener: a connection request whose id is on `channel`, which is
 * the id's own; both belong to the connection from then on. */
struct rdma_incoming {
  struct reactor_task task;
  struct reactor_work work;
  struct target *target;
  struct reactor *reactor;
  struct rdma_event_channel *channel;
  struct rdma_cm_id *id;
  struct target_portal portal;
  struct handshake *handshake;  /* NULL: refused, or the connection has it */
  struct rdma_asked asked;
  uint8_t initiator_depth;      /* of the host's event, as the verbs say */
  struct rdma_connection *connection;   /* not initialised yet */
  /* the worker's results */
  int result;
  const char *what;             /* failed */
  struct rdma_device *device;
  struct ibv_cq *send_cq;
  unsigned send_size;
  bool inlines;
};

/* On its reactor; it frees incoming. */
void rdma_connection_open (struct rdma_incoming *incoming);
/* Both free it, too; the former without a line of log. */
void rdma_incoming_reject (struct rdma_incoming *incoming, uint16_t sts);
void rdma_incoming_refuse (struct rdma_incoming *incoming, uint16_t sts);

/* --- rdma-receive.c ----------------------------------------------------------- */

/* True when a turn's budget was used up. */
bool rdma_poll_receives (struct rdma_device *device);
void rdma_request_granted (struct rdma_request *request);

/* --- rdma-send.c ---------------------------------------------------------------- */

/* RDMA READ of the command's data. */
void rdma_post_read (struct rdma_request *request);
/* RDMA WRITE of what it reads, and SEND of its CQE. */
void rdma_post_response (struct rdma_request *request);
/* What waits, as far as there is room: now, and not at the turn's end.  The
 * caller holds the connection, which may be lost by it. */
void rdma_post_all (struct rdma_connection *connection);
/* The connection's task `look`. */
void rdma_run_look (struct reactor_task *task);
void rdma_poll_sends (struct rdma_connection *connection);
/* The device has told that a send ended, and does not tell it again. */
void rdma_sends_told (struct rdma_connection *connection);
/* Something waits for a work request to end: at the turn's end its ends are
 * looked for, and told from then on as long as that is so. */
void rdma_await_sends (struct rdma_connection *connection);
/* The same for all connections of a device that is short of buffers or shared
 * receives; of no other. */
void rdma_await_quiet (struct rdma_device *device);
/* The request has answered or is given up. */
void rdma_request_over (struct rdma_request *request);

#endif
