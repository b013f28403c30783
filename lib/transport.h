/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a transport's queue is to the volume client, for TCP and for verbs.
 *
 * A queue is a machine without threads, and the shell around it (queue.c,
 * queue-roles.c) has the lock.  Calls marked [locked] change the machine: one
 * at a time, no system call, no allocation.  Calls marked [wire] are the
 * system calls between them, without the lock: at most one thread is in send
 * and one in receive.
 *
 *             TCP                                verbs
 *  submit     capsule header into the request,   work request into the request,
 *             request onto the send list         chained behind the last one
 *  send_begin iovec of everything on the list    detach the chain
 *  send       sendmsg                            ibv_post_send
 *  send_end   advance by the bytes sent          put back from bad_wr on
 *  recv_begin where the next bytes go            -
 *  recv       recvmsg                            ibv_poll_cq into an array
 *  recv_end   parse PDUs, copy or place data,    each completion: SEND frees the
 *             R2T puts H2CData on the list       slot's half, RECV is the CQE;
 *                                                receive reposted, LOCAL_INV
 *                                                onto the chain if the peer
 *                                                did not invalidate
 *  wait_fd    the socket                         the completion channel; `arm`
 *             arm: nothing                       requests notification and
 *                                                drains channel events
 *
 * Setting a queue up needs round trips (TCP: ICReq and ICResp; verbs: address,
 * route, connection).  They are the machine's own business: commands may be
 * submitted from the first moment and go out when the transport is ready,
 * and a refusal fails them.
 *
 * Both kinds know the same hazard: the peer may answer before the local
 * side has learnt that its send is over (TCP: sendmsg has not returned;
 * verbs: no send completion yet).  A request is therefore done only when
 * both halves are, and its buffers are in use until then.  Registered
 * memory (verbs) belongs to the queue: submit bounces or registers.
 *
 * For the same reason a queue that failed lets its requests go only when no
 * thread is in send or recv any more: those two calls use the requests'
 * memory.  fail () wakes both, and the last of send_end and recv_end
 * completes everything, with the errno that killed the queue.
 */
#ifndef QBD_LIB_TRANSPORT_H
#define QBD_LIB_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "nvmeof/command.h"
#include "nvmeof/tcp-pdu.h"

struct transport_queue;

enum transport_data {
  TRANSPORT_NO_DATA,
  TRANSPORT_TO_CONTROLLER,
  TRANSPORT_FROM_CONTROLLER,
};

enum request_state {
  REQUEST_IDLE,         /* the caller's */
  REQUEST_SUBMITTED,    /* waits for its capsule to be sent and its CQE */
  REQUEST_ANSWERED,     /* CQE is here, waits for its send to be over */
  REQUEST_DONE,         /* on the completed list, waits for the shell */
};

/* What the TCP machine keeps in a request.  A unit is one PDU that is
 * being sent: the capsule, or one H2CData. */
struct tcp_request {
  uint8_t header_bytes;
  __le32 data_digest;
  uint32_t unit_offset_bytes;   /* its data, in the request's */
  uint32_t unit_data_bytes;
  uint32_t unit_sent_bytes;     /* of the PDU, digests included */
  uint32_t r2t_left_bytes;      /* solicited, in no unit yet */
  uint32_t moved_bytes;         /* received, or sent in finished units and
                                   solicited */
  uint16_t ttag;                /* of the R2T that is served, as on the wire */
  uint16_t next_ttag;           /* of the one that waits for our send */
  uint32_t next_r2t_bytes;      /* 0: none waits */
  bool queued;                  /* on the send list */
  bool digest_ready;            /* data_digest holds the unit's */
  bool damaged;                 /* received data failed its digest */
  /* capsule or H2CData header, and its digest */
  uint8_t header[sizeof (struct nvme_tcp_cmd) + NVME_TCP_DIGEST_BYTES];
};

/* One NVMe command.  Embedded in the caller's memory; in place until done. */
struct transport_request {
  /* the caller's, constant from submit on; submit sets cid and dptr */
  union nvme_command sqe;
  enum transport_data data;
  struct iovec iov;             /* caller's buffer, used in place */
  /* at completion */
  struct nvme_cqe cqe;          /* valid when error is 0 */
  int error;                    /* 0, or the errno that killed the queue */
  /* the machine's */
  enum request_state state;
  uint16_t slot;
  bool sending;                 /* its bytes are in a send under way */
  struct transport_request *next_send;  /* send list */
  struct transport_request *next_done;  /* completed list */
  union {
    struct tcp_request tcp;
  };
};

struct transport_ops {
  const char *name;
  const char *handshake;        /* what is not answered before it is ready */

  /* [locked] -EAGAIN: all slots are taken; other -errno: the queue is
   * dead.  The request is then still the caller's. */
  int (*submit) (struct transport_queue *queue,
                 struct transport_request *request);

  /* [locked] True when there is something to send; then send and send_end
   * follow. */
  bool (*send_begin) (struct transport_queue *queue);
  /* [wire] Bytes or posts done, or -errno; -EAGAIN: the wire is full. */
  int64_t (*send) (struct transport_queue *queue);
  /* [locked] With what send returned.  False: the wire is full, and
   * want_pollout is set. */
  bool (*send_end) (struct transport_queue *queue, int64_t result);

  /* [locked] Then recv and recv_end follow. */
  void (*recv_begin) (struct transport_queue *queue);
  /* [wire] Bytes or completions, 0 at the peer's end, -errno. */
  int64_t (*recv) (struct transport_queue *queue);
  /* [locked] With what recv returned, or with -EAGAIN when recv was not
   * called after all.  True when another recv may find more at once. */
  bool (*recv_end) (struct transport_queue *queue, int64_t result);

  /* [locked] Of one that is not DONE: is there something to be sent for it, or
   * is a send of it under way? */
  bool (*unsent) (const struct transport_queue *queue,
                  const struct transport_request *request);

  /* [locked] End the queue with a positive errno and, for people, why.  No
   * more answers are taken.  The first cause stays. */
  void (*fail) (struct transport_queue *queue, int error, const char *reason);

  /* The descriptor to poll.  -1 in the simulator. */
  int (*wait_fd) (struct transport_queue *queue);
  /* [wire, the receiver] Before polling: true when recv has something
   * already. */
  bool (*arm) (struct transport_queue *queue);

  /* [no lock] Of one that failed, with no request left and no thread inside: is
   * what it still has to be let go now, though nobody begins anew?  (Verbs: its
   * device was removed.)  NULL: never. */
  bool (*is_wanted_back) (struct transport_queue *queue);

  /* [no lock] Close the descriptors.  Either after fork, in the child: the
   * wire, and what was in flight, is the parent's, and destroy follows.  Or of
   * a queue that failed, with no request left and no thread inside: destroy
   * follows, or the transport's own function that begins anew in the same
   * memory. */
  void (*abandon) (struct transport_queue *queue);

  /* No request is left, no thread is inside; or it was abandoned. */
  void (*destroy) (struct transport_queue *queue);
};

enum { TRANSPORT_SLOT_BITS = 10 };      /* of a CID; the rest is generation */

/* Of a command in flight. */
struct transport_slot {
  struct transport_request *request;    /* NULL: free */
  uint16_t next_free;
  uint8_t generation;           /* tells an answer to an earlier command apart */
};

/* First member of each transport's own queue. */
struct transport_queue {
  const struct transport_ops *ops;      /* constant after open */
  uint16_t qid;                         /* constant after open */
  uint16_t depth;                       /* slots in use, constant after open */
  uint16_t nr_slots;                    /* made, constant */
  struct transport_slot *slots;         /* locked */
  uint16_t free_slot;                   /* locked: the next, depth: none */
  struct transport_request *done_first; /* locked: transport_completed's */
  struct transport_request **done_last;
  uint32_t in_capsule_bytes;            /* locked: set after Identify */
  bool sqflow_disabled;                 /* locked: set after Connect */
  bool want_pollout;                    /* locked: a send was cut short */
  bool ready;                           /* locked: transport is set up */
  unsigned nr_in_flight;                /* locked: slots taken */
  int error;                            /* locked: 0 while it lives */
  char reason[160];                     /* locked: for people, with error */
};

static inline uint16_t
transport_slot_of (uint16_t cid)
{
  return cid & ((1 << TRANSPORT_SLOT_BITS) - 1);
}

/* Of the command that has the slot, or had it last. */
static inline uint16_t
transport_cid (const struct transport_queue *queue, uint16_t slot)
{
  return (uint16_t) (queue->slots[slot].generation << TRANSPORT_SLOT_BITS
                     | slot);
}

static inline bool
transport_is_full (const struct transport_queue *queue)
{
  return queue->free_slot == queue->depth;
}

/* transport.c: for the shell.  The requests that became DONE since the last
 * call, linked by next_done.  [locked] */
struct transport_request *transport_completed (struct transport_queue *queue);

/* transport.c: for the transports.  Slots are made once, for connections of
 * this depth at most, and freed by destroy.  False: out of memory. */
bool transport_alloc_slots (struct transport_queue *queue, uint16_t nr_slots);
/* A new connection: nothing stays but the slots and their generations. */
void transport_begin (struct transport_queue *queue,
                      const struct transport_ops *ops, uint16_t qid,
                      uint16_t depth);
/* [locked] The request in flight that a peer names, or NULL. */
struct transport_request *transport_find (const struct transport_queue *queue,
                                          uint16_t cid);
/* [locked] SUBMITTED, with its CID.  Not when the queue is full. */
void transport_take_slot (struct transport_queue *queue,
                          struct transport_request *request);
/* [locked] DONE. */
void transport_complete (struct transport_queue *queue,
                         struct transport_request *request);
/* [locked] Complete all of a dead queue, with its error.  One that was answered
 * keeps its answer: only its send was missing. */
void transport_lose_all (struct transport_queue *queue,
                         void (*complete) (struct transport_queue *queue,
                                           struct transport_request *request));

#endif
