/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe/TCP queue as a machine over a stream: shared by tcp-queue.c (life,
 * slots, completion), tcp-send.c and tcp-receive.c.  It knows no thread, no
 * clock and no lock: transport.h says who may call what.
 *
 *   submit --> send list --> batch (iovec) --> stream
 *                 ^                               |
 *                 R2T                             v
 *   completed <-- RSP, C2HData <-- PDU parser <-- receive buffer, or the
 *                                                 caller's own
 */
#ifndef QBD_LIB_TCP_QUEUE_H
#define QBD_LIB_TCP_QUEUE_H

#include "common/stream.h"
#include "lib/internal.h"
#include "nvmeof/tcp-check.h"

enum {
  TCP_BATCH_REQUESTS = 64,              /* PDUs of one send */
  TCP_RECEIVE_BUFFER_BYTES = 65536,
  /* A read this long is placed by the kernel: the receive buffer is then
   * kept short, so that little of it is copied. */
  TCP_DIRECT_READ_BYTES = 16384,
  TCP_RECEIVE_SHORT_BYTES = 4096,
};

enum tcp_state {
  TCP_NEW,              /* waits until ICReq is sent */
  TCP_WAIT_ICRESP,      /* waits for ICResp */
  TCP_READY,            /* commands flow */
  TCP_DEAD,             /* waits until no thread sends or receives */
  TCP_NR_STATES
};

struct tcp_queue {
  struct transport_queue base;          /* first member */
  struct stream *stream;
  enum tcp_state state;                 /* one setter: tcp_set_state */
  struct tcp_agreed agreed;
  uint8_t digest_offered;
  uint32_t maxh2cdata_bytes;

  unsigned nr_direct_reads;             /* in flight, TCP_DIRECT_READ_BYTES up */

  /* Sending.  The first nr_batch requests of the list are in the batch. */
  struct transport_request *send_first;
  struct transport_request **send_last;
  bool sending;
  struct iovec send_iov[3 * TCP_BATCH_REQUESTS];
  int send_iovcnt;
  size_t send_bytes;                    /* sum of the batch */
  struct transport_request *batch[TCP_BATCH_REQUESTS];
  unsigned nr_batch;
  struct nvme_tcp_icreq icreq;
  uint32_t icreq_sent_bytes;
  struct {
    struct nvme_tcp_term header;
    uint8_t data[NVME_TCP_TERM_DATA_MAX];
  } __attribute__ ((packed)) term;
  size_t term_bytes;                    /* 0: none to send */

  /* Receiving. */
  bool receiving;
  struct iovec recv_iov[2];
  int recv_iovcnt;
  size_t recv_direct_bytes;             /* of recv_iov, the caller's part */
  size_t recv_bytes;                    /* of recv_iov together */
  uint8_t *recv_buffer;
  union nvme_tcp_pdu pdu;
  uint32_t pdu_have_bytes;
  uint32_t pdu_need_bytes;
  struct transport_request *reading;    /* its data comes next */
  uint32_t data_left_bytes;             /* of the PDU */
  uint32_t data_crc;
  uint8_t digest[NVME_TCP_DIGEST_BYTES];
  uint32_t digest_have_bytes;
  uint32_t digest_need_bytes;           /* 4 while one is expected */
};

static inline struct tcp_queue *
tcp_queue_of (struct transport_queue *queue)
{
  return (struct tcp_queue *) queue;
}

/* tcp-queue.c */
void tcp_set_state (struct tcp_queue *queue, enum tcp_state state);
void tcp_answer (struct tcp_queue *queue, struct transport_request *request,
                 const struct nvme_cqe *cqe);
void tcp_complete (struct transport_queue *queue,
                   struct transport_request *request);
void tcp_fail (struct transport_queue *queue, int error, const char *reason);
/* A PDU broke the rules: TermReq, then the end. */
void tcp_fault (struct tcp_queue *queue, const struct tcp_fault *fault);
void tcp_reap (struct tcp_queue *queue);

/* tcp-send.c */
void tcp_enqueue (struct tcp_queue *queue, struct transport_request *request);
void tcp_dequeue (struct tcp_queue *queue, struct transport_request *request);
void tcp_make_capsule (struct tcp_queue *queue,
                       struct transport_request *request);
void tcp_make_icreq (struct tcp_queue *queue);
void tcp_solicit (struct tcp_queue *queue, struct transport_request *request,
                  uint16_t ttag, uint32_t offset_bytes, uint32_t bytes);
bool tcp_send_begin (struct transport_queue *queue);
int64_t tcp_send (struct transport_queue *queue);
bool tcp_send_end (struct transport_queue *queue, int64_t result);

/* tcp-receive.c */
void tcp_recv_begin (struct transport_queue *queue);
int64_t tcp_recv (struct transport_queue *queue);
bool tcp_recv_end (struct transport_queue *queue, int64_t result);

#endif
