/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a transport's queue is to the volume client, for TCP and for verbs.
 *
 * A queue is a machine without threads, and the shell around it
 * (queue.c) has the lock.  Calls marked [locked] change the machine: one at
 * a time, no system call, no allocation.  Calls marked [wire] are the system
 * calls between them, without the lock: at most one thread is in send and one
 * in receive.
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
 *                                                repost, invalidate
 *  wait_fd    the socket                         the completion channel; `arm`
 *             arm: nothing                       requests notification and
 *                                                drains channel events
 *
 * Both kinds know the same hazard: the peer may answer before the local
 * side has learnt that its send is over (TCP: sendmsg has not returned;
 * verbs: no send completion yet).  A request is therefore done only when
 * both halves are, and its buffers are in use until then.  Registered
 * memory (verbs) belongs to the queue: submit bounces or registers.
 *
 * A failed queue fails all its requests in one recv_end or fail call, with
 * the errno that killed it, and refuses new ones.
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

/* One NVMe command.  Embedded in the caller's memory; in place until done. */
struct transport_request {
  /* the caller's, constant from submit on; submit sets cid and dptr */
  union nvme_command sqe;
  enum transport_data data;
  struct iovec iov;             /* caller's buffer, used in place */
  /* at completion */
  struct nvme_cqe cqe;          /* valid when error is 0 */
  int error;                    /* 0, or the errno that killed the queue */
  /* called by the shell, without the lock, after the state is DONE */
  void (*done) (struct transport_request *request);
  /* the machine's */
  enum request_state state;
  struct transport_request *next;       /* send list or completed list */
  uint16_t slot;
  bool sending;                 /* its bytes are in a send under way */
  union {
    struct {
      uint8_t header[NVME_TCP_HLEN_MAX];  /* PDU header, header digest */
      __le32 data_digest;
      uint32_t moved_bytes;     /* read: received; write: solicited */
      uint32_t r2t_left_bytes;
      uint16_t ttag;            /* as on the wire */
    } tcp;
  };
};

struct transport_ops {
  const char *name;

  /* [locked] -EAGAIN: all slots are taken; -errno: the queue is dead. */
  int (*submit) (struct transport_queue *queue,
                 struct transport_request *request);

  /* [locked] True when there is something to send. */
  bool (*send_begin) (struct transport_queue *queue);
  /* [wire] Bytes or posts done, or -errno; -EAGAIN: the wire is full. */
  int64_t (*send) (struct transport_queue *queue);
  /* [locked] With what send returned. */
  void (*send_end) (struct transport_queue *queue, int64_t result);

  /* [locked] */
  void (*recv_begin) (struct transport_queue *queue);
  /* [wire] */
  int64_t (*recv) (struct transport_queue *queue);
  /* [locked] Returns the list of requests that became DONE. */
  struct transport_request *(*recv_end) (struct transport_queue *queue,
                                         int64_t result);

  /* [locked] End the queue: no more answers will be taken, what was
   * submitted becomes DONE with this errno as soon as no send uses it. */
  struct transport_request *(*fail) (struct transport_queue *queue,
                                     int error);

  /* The descriptor to poll, and for what (POLLIN, POLLOUT when a send was
   * cut short).  -1 in the simulator. */
  int (*wait_fd) (struct transport_queue *queue);
  /* [wire, the receiver] Before polling: true when recv has something
   * already. */
  bool (*arm) (struct transport_queue *queue);

  /* Any thread: makes a poll on wait_fd, send and recv return at once. */
  void (*shutdown) (struct transport_queue *queue);
  void (*destroy) (struct transport_queue *queue);      /* no request left */
};

/* First member of each transport's own queue. */
struct transport_queue {
  const struct transport_ops *ops;      /* constant after open */
  uint16_t qid;                         /* constant after open */
  uint16_t depth;                       /* slots, constant after open */
  uint32_t in_capsule_bytes;            /* set after Identify */
  bool sqflow_disabled;                 /* set by Connect's request */
  bool want_pollout;                    /* locked: a send was cut short */
};

#endif
