/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues: requests, their gate, who sends and who receives.  Part of
 * internal.h, which says who is above whom.
 */
#ifndef QBD_LIB_QUEUE_H
#define QBD_LIB_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/address.h"
#include "common/error.h"
#include "common/stream.h"
#include "lib/transport.h"

/* --- tcp-queue.c -------------------------------------------------------- */

struct tcp_queue_params {
  uint16_t qid;
  uint16_t depth;               /* slots */
  bool hdr_digest;
  bool data_digest;
};

/* Takes the stream, on failure too.  NULL: -ENOMEM. */
struct transport_queue *tcp_queue_create (struct stream *stream,
                                          const struct tcp_queue_params *p);
/* A queue that failed and was abandoned begins anew: no deeper than it was
 * made.  Nothing is allocated. */
void tcp_queue_renew (struct transport_queue *queue, struct stream *stream,
                      const struct tcp_queue_params *p);

/* --- rdma-queue.c, which a build may lack ------------------------------- */

/* What one command can carry. */
enum { RDMA_TRANSFER_MAX_BYTES = 1 << 20 };

struct rdma_queue_params {
  uint16_t qid;
  uint16_t depth;               /* slots */
  uint16_t cntlid;              /* I/O queues */
  uint32_t poll_us;             /* at most, before it sleeps */
};

/* Begins to connect, and waits for nothing.  uri: for messages. */
struct transport_queue *rdma_queue_create (const struct stream_place *server,
                                           const char *uri,
                                           const struct rdma_queue_params *,
                                           struct error *err);
/* A queue that failed and was abandoned begins anew: no deeper than it was
 * made.  0 or -errno; of memory it takes what the verbs take. */
int rdma_queue_renew (struct transport_queue *queue,
                      const struct stream_place *server,
                      const struct rdma_queue_params *params);

/* --- queue.c, queue-roles.c ------------------------------------------------ */

struct queue;

/* A command with the shell's part. */
struct request {
  struct transport_request transport;   /* first member */
  TAILQ_ENTRY (request) link;           /* in flight by due_ms, or backlog */
  uint64_t due_ms;
  uint64_t begun_ms;                    /* when it was submitted first */
  /* The caller's, constant from submit on.  fleeting: it belongs to this
   * connection, and ends with it, whatever the gate says.  changes: it changes
   * the volume. */
  bool fleeting;
  bool changes;
  /* the queue's */
  bool aborting;                /* its time is over, Abort is asked for */
  uint8_t aborts;               /* how many were done */
  /* [locked] transport.error is 0 with a CQE, or: ENOTCONN lost, ETIMEDOUT
   * this one was not answered in time, ESHUTDOWN interrupted, else the gate's
   * error. */
  void (*done) (struct request *request);
};

/* What requests wait for before they are submitted, all but fleeting ones. */
enum queue_gate {
  QUEUE_OPEN,                   /* a slot */
  QUEUE_READS,                  /* those that change the volume: an old
                                   controller's end */
  QUEUE_READS_ONLY,             /* nothing: those that change the volume end
                                   with an error */
  QUEUE_SHUT,                   /* a connection */
  QUEUE_FAILING,                /* nothing: they end with an error */
};

/* A synchronous caller, on its stack. */
struct waiter {
  TAILQ_ENTRY (waiter) link;    /* locked: sleepers */
  struct waiter *next_wake;     /* of the waker */
  bool asleep;                  /* locked: on the list of sleepers */
  bool finished;                /* locked */
  uint32_t wake_word;           /* of the waker: what to store */
  _Atomic uint32_t word;        /* futex */
};

/* An epoll instance that follows what a queue waits for. */
struct queue_watch {
  TAILQ_ENTRY (queue_watch) link;
  int epoll_fd;
  bool watching;                /* the owner's: between the two calls */
};

struct queue_params {
  uint32_t timeout_ms;          /* io_tmo */
  /* What was in flight on a connection that is lost waits for the next, in
   * any order; the gate says for how long. */
  bool keeps;
  /* The receiver looks for an answer for at most so long before it sleeps,
   * while one request at a time is in flight.  0: never. */
  uint32_t poll_us;
  /* With keeps, and there are other paths: what would wait for the next
   * connection ends with ENOTCONN. */
  bool hands_back;
  /* Both without a lock, by the thread that saw it: once for a connection,
   * that it died; and with keeps, that a command should be aborted
   * (queue_take_overdue). */
  void (*lost) (void *opaque, struct queue *queue);
  void (*overdue) (void *opaque, struct queue *queue);
  void *opaque;
};

/* Takes the transport, on failure too. */
struct queue *queue_create (struct transport_queue *transport,
                            const struct queue_params *params);
void queue_destroy (struct queue *queue);       /* failed or idle */
/* After fork, in the child: queue_destroy may follow, and nothing else. */
void queue_abandon (struct queue *queue);

void queue_lock (struct queue *queue);
void queue_unlock (struct queue *queue);

/* [locked] -EAGAIN: no slot (backlog false); -errno: dead. */
int queue_submit_locked (struct queue *queue, struct request *request,
                         bool backlog);
/* [locked] For a command whose answer may take for ever: an Asynchronous
 * Event Request.  With backlog. */
int queue_submit_untimed_locked (struct queue *queue,
                                 struct request *request);
/* [locked], unlocks.  Returns when waiter_finish_locked was called. */
void queue_wait_locked_unlock (struct queue *queue, struct waiter *waiter);
void waiter_finish_locked (struct queue *queue, struct waiter *waiter);

/* [locked] Time as the next submissions see it. */
void queue_set_now_locked (struct queue *queue, uint64_t now_ms);

/* Send and receive what can be without waiting; judge timeouts. */
void queue_pump (struct queue *queue, uint64_t now_ms);
/* Send only: submissions go out. */
void queue_flush_sends (struct queue *queue);

/* POLLIN, and POLLOUT where a send was cut short; -1: no descriptor. */
int queue_poll_fd (struct queue *queue, short *events);
/* From now on the instance polls readable when there is something to receive,
 * or room for what was cut short.  Not for a dead queue.  -errno: out of
 * memory. */
int queue_watch (struct queue *queue, struct queue_watch *watch,
                 int epoll_fd);
/* Does nothing when it is not watched. */
void queue_unwatch (struct queue *queue, struct queue_watch *watch);
uint64_t queue_next_due_ms (struct queue *queue);       /* UINT64_MAX: none */
uint64_t queue_received (struct queue *queue);          /* a counter */
bool queue_driven (struct queue *queue);        /* someone waits in receive */
void queue_fail (struct queue *queue, int error, const char *reason);
/* The connection ends, if there is one, and the gate is shut: unless it was
 * failing. */
void queue_shut (struct queue *queue, int error, const char *reason);
/* The connection ends, if there is one, and every request, now and later,
 * with gate_error. */
void queue_end (struct queue *queue, int error, const char *reason,
                int gate_error);
/* Does not open the gate of a queue that is dead.  error is for
 * QUEUE_FAILING; what waits ends with it. */
void queue_set_gate (struct queue *queue, enum queue_gate gate, int error);
/* The connection is over and no thread is inside any more. */
bool queue_is_idle (struct queue *queue);
/* [idle] Close its descriptors, and free what the transport has of devices. */
void queue_let_go (struct queue *queue);
/* Of one that is idle: is what it has to be let go?  (Its device was removed.) */
bool queue_is_wanted_back (struct queue *queue);
/* [idle] Another connection: renew (transport, opaque), under the lock, lets
 * the transport begin anew; -errno: it could not, and it stays dead.  The
 * gate stays as it is. */
int queue_renew (struct queue *queue,
                 int (*renew) (struct transport_queue *transport,
                               void *opaque),
                 void *opaque);
/* A command whose time is over and that nobody has aborted yet. */
bool queue_take_overdue (struct queue *queue, uint16_t *cid);
int queue_error (struct queue *queue, char *reason, size_t reason_bytes);
struct transport_queue *queue_transport (struct queue *queue);

#endif
