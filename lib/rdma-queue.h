/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe/RDMA queue as a machine over verbs: shared by rdma-queue.c (life,
 * slots, completion), rdma-connect.c (the connection manager) and
 * rdma-transfer.c (sending and receiving).  transport.h says who may call
 * what.
 *
 *   submit --> send list --> chain of work requests --> ibv_post_send
 *                                                           |
 *   completed <-- both of: its SEND is over, its CQE is here <-- ibv_poll_cq
 *
 * The device never touches a caller's memory: data go through pieces of
 * memory that was registered when the queue was made (rdma-queue.c says why).
 * So a queue that failed can let its requests go at once.
 */
#ifndef QBD_LIB_RDMA_QUEUE_H
#define QBD_LIB_RDMA_QUEUE_H

#include <stdatomic.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "common/buddy.h"
#include "common/spin.h"
#include "lib/internal.h"
#include "nvmeof/rdma.h"

enum {
  RDMA_BATCH_REQUESTS = 64,             /* work requests of one post */
  RDMA_BATCH_COMPLETIONS = 64,
  RDMA_ADMIN_DATA_BYTES = 512 << 10,
  RDMA_IO_DATA_BYTES = 8 << 20,
  RDMA_IO_DATA_MIN_BYTES = 1 << 20,     /* one command of full length */
  RDMA_RESOLVE_MS = 2000,               /* an address, a route */
  RDMA_SPIN_REQUESTS = 4,               /* in flight, at most, to poll for */
};

enum rdma_state {
  RDMA_ADDRESS,         /* waits for the address to be resolved */
  RDMA_ROUTE,           /* waits for the route to it */
  RDMA_CONNECTING,      /* waits for the server to accept */
  RDMA_READY,           /* commands flow */
  RDMA_DEAD,            /* waits until no thread sends or receives */
  RDMA_NR_STATES
};

/* A command and its response, where the device reads and writes them. */
struct rdma_wire {
  union nvme_command sqe;
  struct nvme_cqe cqe;
  uint8_t padding[48];
};
static_assert (sizeof (struct rdma_wire) == 128, "");

/* What a command has beside its transport_slot. */
struct rdma_slot {
  uint32_t piece;               /* its data's offset; BUDDY_NONE */
  bool sent;                    /* its SEND is over */
  /* Its CID and POSTED, from its post on: the receiver may copy its data
   * without the lock.  With its first answer ANSWERED as well: the sender may
   * complete it then, and its data are not touched again.  0 otherwise. */
  _Atomic uint32_t posted;
  struct ibv_send_wr wr;
  struct ibv_sge sge[2];
};
enum { RDMA_POSTED = 1 << 16, RDMA_ANSWERED = 1 << 17 };

/* What the receiver has found, for recv_end. */
struct rdma_completion {
  uint16_t index;               /* of the slot, or of the receive */
  bool receive;
  enum ibv_wc_status status;
  unsigned flags;
  uint32_t bytes;
  struct nvme_cqe cqe;
};

struct rdma_queue {
  struct transport_queue base;          /* first member */
  enum rdma_state state;                /* one setter: rdma_set_state */
  struct rdma_queue_params params;      /* constant after begin */
  struct sockaddr_storage server;       /* constant after begin */
  uint16_t limit;                       /* of slots, as the server has it */
  pid_t pid;                            /* that the verbs belong to */

  /* Constant after create. */
  int epoll_fd;                         /* of these three: */
  int wake_fd;                          /*   readable once it failed */
  struct rdma_event_channel *cm;        /*   abandoned: NULL */
  struct ibv_comp_channel *channel;     /*   the connecting thread's, then */
  struct rdma_slot *slots;
  struct ibv_recv_wr *receives;         /* one each, and one sge */
  struct ibv_sge *receive_sges;
  struct rdma_wire *wire;               /* registered, one each */
  size_t wire_bytes;
  uint8_t *data;                        /* registered, for the server too */
  uint32_t data_bytes;
  struct buddy *buddy;                  /* locked: pieces of data */

  /* Of one connection: the receiver's until READY, constant then. */
  struct rdma_cm_id *id;
  struct ibv_pd *pd;
  struct ibv_mr *wire_mr;
  struct ibv_mr *data_mr;
  struct ibv_cq *cq;

  /* locked */
  struct transport_request *send_first; /* the send list */
  struct transport_request **send_last;
  bool sending;
  bool receiving;

  /* The sender's, between send_begin and send_end. */
  struct transport_request *batch[RDMA_BATCH_REQUESTS];
  unsigned nr_batch;

  /* The receiver's, between recv_begin and recv_end. */
  struct rdma_completion completions[RDMA_BATCH_COMPLETIONS];
  unsigned nr_completions;
  bool armed;                           /* a notification is asked for */
  bool slept;                           /* and perhaps it came */
  unsigned nr_waited_for;               /* requests in flight */
  struct spin spin;
  uint64_t slept_ns;                    /* since when */
  struct {
    enum rdma_state state;              /* READY, DEAD; else nothing */
    int error;
    uint16_t limit;
    char reason[sizeof ((struct transport_queue *) 0)->reason];
  } news;                               /* of the connection manager */
};

static inline struct rdma_queue *
rdma_queue_of (struct transport_queue *queue)
{
  return (struct rdma_queue *) queue;
}

/* rdma-queue.c */
void rdma_set_state (struct rdma_queue *queue, enum rdma_state state);
void rdma_answer (struct rdma_queue *queue, struct transport_request *request,
                  const struct nvme_cqe *cqe);
/* Complete it if it was both sent and answered. */
void rdma_check_done (struct rdma_queue *queue,
                      struct transport_request *request);
void rdma_fail (struct transport_queue *queue, int error, const char *reason);
void rdma_reap (struct rdma_queue *queue);

/* rdma-connect.c */
/* 0 or -errno. */
int rdma_connect_begin (struct rdma_queue *queue);
/* The receiver: take one event of the connection manager and what follows
 * from it.  True when there was one. */
bool rdma_connect_step (struct rdma_queue *queue);
/* Of a queue that failed, whose events nobody reads: was its device removed? */
bool rdma_take_removal (struct rdma_queue *queue);
/* Everything that rdma_connect_begin and _step made. */
void rdma_connection_free (struct rdma_queue *queue);

/* rdma-transfer.c */
bool rdma_send_begin (struct transport_queue *queue);
int64_t rdma_send (struct transport_queue *queue);
bool rdma_send_end (struct transport_queue *queue, int64_t result);
void rdma_recv_begin (struct transport_queue *queue);
int64_t rdma_recv (struct transport_queue *queue);
bool rdma_recv_end (struct transport_queue *queue, int64_t result);
bool rdma_arm (struct transport_queue *queue);

#endif
