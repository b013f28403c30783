/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an NVMe/RDMA queue comes to its connection: address, route, queue pair,
 * accept; each step an event of the connection manager.  The receiver's, who
 * leaves what is new in `news` for recv_end.
 *
 * What a device says by itself (ibv_get_async_event: it failed, a port has no
 * link) is not read: its descriptor is one of the whole process, where others
 * than this library may read it, and each event only once.  Nor is it needed: a
 * port without a link ends in retries that are exceeded, and a device that does
 * nothing any more in the timeout of a command, or of Keep Alive.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/locked-memory.h"
#include "common/thread-call.h"
#include "lib/rdma-queue.h"

static void
news_dead (struct rdma_queue *queue, int error, const char *fmt, ...)
  __attribute__ ((format (printf, 3, 4)));

static void
news_dead (struct rdma_queue *queue, int error, const char *fmt, ...)
{
  va_list args;

  if (queue->news.state == RDMA_DEAD)
    return;
  queue->news.state = RDMA_DEAD;
  /* Not every driver sets errno; a queue that died has one. */
  queue->news.error = error != 0 ? error : EIO;
  va_start (args, fmt);
  vsnprintf (queue->news.reason, sizeof queue->news.reason, fmt, args);
  va_end (args);
}

/* --- the queue pair and its memory ---------------------------------------- */

static int
watch (struct rdma_queue *queue, int fd)
{
  struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

  return epoll_ctl (queue->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ?
    -errno : 0;
}

static void
set_nonblocking (int fd)
{
  int flags = fcntl (fd, F_GETFL);

  if (flags >= 0)
    fcntl (fd, F_SETFL, flags | O_NONBLOCK);
}

static int
register_memory (struct rdma_queue *queue)
{
  uint64_t limit_bytes;

  queue->wire_mr = ibv_reg_mr (queue->pd, queue->wire, queue->wire_bytes,
                               IBV_ACCESS_LOCAL_WRITE);
  if (queue->wire_mr)
    queue->data_mr = ibv_reg_mr (queue->pd, queue->data, queue->data_bytes,
                                 IBV_ACCESS_LOCAL_WRITE |
                                 IBV_ACCESS_REMOTE_READ |
                                 IBV_ACCESS_REMOTE_WRITE);
  if (queue->data_mr)
    return 0;
  limit_bytes = errno == ENOMEM ? locked_memory_limit () : UINT64_MAX;
  if (limit_bytes < UINT64_MAX)
    news_dead (queue, ENOMEM, "not enough locked memory: this connection "
               "takes %u KiB, the limit (ulimit -l) for all is %lu KiB",
               queue->data_bytes / 1024, (unsigned long) limit_bytes / 1024);
  else
    news_dead (queue, errno, "cannot register memory: %s", strerror (errno));
  return -1;
}

static int
post_receives (struct rdma_queue *queue)
{
  struct ibv_recv_wr *bad;
  uint16_t n = queue->base.depth;

  for (uint16_t i = 0; i < n; i++) {
    queue->receive_sges[i] = (struct ibv_sge) {
      .addr = (uintptr_t) &queue->wire[i].cqe,
      .length = sizeof queue->wire[i].cqe,
      .lkey = queue->wire_mr->lkey,
    };
    queue->receives[i] = (struct ibv_recv_wr) {
      .wr_id = (uint64_t) i << 1,
      .sg_list = &queue->receive_sges[i],
      .num_sge = 1,
      .next = i + 1 < n ? &queue->receives[i + 1] : NULL,
    };
  }
  return ibv_post_recv (queue->id->qp, queue->receives, &bad);
}

static int
make_queue_pair (struct rdma_queue *queue)
{
  struct ibv_context *verbs = queue->id->verbs;
  uint16_t depth = queue->base.depth;
  struct ibv_qp_init_attr attr = {
    .qp_type = IBV_QPT_RC,
    .cap = { .max_send_wr = depth, .max_recv_wr = depth,
             .max_send_sge = 2, .max_recv_sge = 1 },
  };

  queue->pd = ibv_alloc_pd (verbs);
  queue->channel = ibv_create_comp_channel (verbs);
  if (!queue->pd || !queue->channel || watch (queue, queue->channel->fd) < 0) {
    news_dead (queue, errno, "RDMA device: %s", strerror (errno));
    return -1;
  }
  set_nonblocking (queue->channel->fd);
  if (register_memory (queue) < 0)
    return -1;
  queue->cq = ibv_create_cq (verbs, 2 * depth, NULL, queue->channel, 0);
  attr.send_cq = attr.recv_cq = queue->cq;
  if (!queue->cq || rdma_create_qp (queue->id, queue->pd, &attr) != 0) {
    news_dead (queue, errno, "queue pair: %s", strerror (errno));
    return -1;
  }
  if (post_receives (queue) != 0) {
    news_dead (queue, EIO, "cannot post receives");
    return -1;
  }
  return 0;
}

/* --- steps ------------------------------------------------------------------ */

static void
address_resolved (struct rdma_queue *queue)
{
  if (make_queue_pair (queue) < 0)
    return;
  if (rdma_resolve_route (queue->id, RDMA_RESOLVE_MS) != 0)
    news_dead (queue, errno, "no route: %s", strerror (errno));
  else
    queue->news.state = RDMA_ROUTE;
}

static void
route_resolved (struct rdma_queue *queue)
{
  const struct nvme_rdma_cm_request request =
    rdma_make_request (queue->base.qid, queue->base.depth,
                       queue->params.cntlid);
  struct rdma_conn_param param = {
    .private_data = &request,
    .private_data_len = sizeof request,
    .initiator_depth = 1,
    .flow_control = 1,
    .retry_count = 6,           /* 7, the most, has no end in Soft-RoCE */
    .rnr_retry_count = 7,
  };
  struct ibv_device_attr attr;

  /* The READs of the server that the device can answer at a time. */
  param.responder_resources = 1;
  if (ibv_query_device (queue->id->verbs, &attr) == 0 &&
      attr.max_qp_rd_atom > 1)
    param.responder_resources = attr.max_qp_rd_atom < UINT8_MAX ?
      (uint8_t) attr.max_qp_rd_atom : UINT8_MAX;
  if (rdma_connect (queue->id, &param) != 0)
    news_dead (queue, errno, "%s", strerror (errno));
  else
    queue->news.state = RDMA_CONNECTING;
}

static void
established (struct rdma_queue *queue, const struct rdma_cm_event *event)
{
  const struct rdma_conn_param *conn = &event->param.conn;
  uint16_t limit = queue->base.depth;
  const char *fault;

  if (rdma_check_accept (conn->private_data, conn->private_data_len, &limit,
                         &fault) < 0) {
    news_dead (queue, EPROTO, "not an NVMe/RDMA server: %s", fault);
    return;
  }
  queue->news.state = RDMA_READY;
  queue->news.limit = limit;
}

static void
rejected (struct rdma_queue *queue, const struct rdma_cm_event *event)
{
  enum { NO_SUCH_SERVICE = 8, BY_CONSUMER = 28 };     /* of InfiniBand's CM */
  uint16_t sts = rdma_reject_status (event->param.conn.private_data,
                                     event->param.conn.private_data_len);

  if (event->status == BY_CONSUMER && sts != 0)
    news_dead (queue, sts == NVME_RDMA_CM_NO_RSC ? EAGAIN : ECONNREFUSED,
               "the server refused the connection: %s",
               rdma_cm_status_name (sts));
  else if (event->status == BY_CONSUMER)
    news_dead (queue, ECONNREFUSED, "the server refused the connection");
  else
    news_dead (queue, ECONNREFUSED, "%s%s", strerror (ECONNREFUSED),
               event->status == NO_SUCH_SERVICE ?
               ": no RDMA server listens there" : "");
}

/* librdmacm keeps a device open that is in use no more, and some drivers
 * (Soft-RoCE's) hold up whoever removes it until it is closed.  As it lists
 * its devices it notices which are gone, and closes them with their last
 * connection. */
static void
forget_removed (void)
{
  struct ibv_context **list = rdma_get_devices (NULL);

  if (list)
    rdma_free_devices (list);
}

static void
take_event (struct rdma_queue *queue, const struct rdma_cm_event *event)
{
  switch (event->event) {
  case RDMA_CM_EVENT_ADDR_RESOLVED:
    address_resolved (queue);
    break;
  case RDMA_CM_EVENT_ROUTE_RESOLVED:
    route_resolved (queue);
    break;
  case RDMA_CM_EVENT_ESTABLISHED:
    established (queue, event);
    break;
  case RDMA_CM_EVENT_REJECTED:
    rejected (queue, event);
    break;
  case RDMA_CM_EVENT_ADDR_ERROR:
  case RDMA_CM_EVENT_ROUTE_ERROR:
  case RDMA_CM_EVENT_UNREACHABLE:
  case RDMA_CM_EVENT_CONNECT_ERROR:
    news_dead (queue, EHOSTUNREACH, "unreachable by RDMA: %s",
               strerror (event->status < 0 ? -event->status : EHOSTUNREACH));
    /* It may have gone between two tries, when nothing of ours was on it. */
    if (event->status == -ENODEV)
      forget_removed ();
    break;
  case RDMA_CM_EVENT_DISCONNECTED:
    news_dead (queue, ECONNRESET, "the server closed the connection");
    break;
  case RDMA_CM_EVENT_DEVICE_REMOVAL:
    news_dead (queue, ENODEV, "the RDMA device was removed");
    forget_removed ();
    break;
  default:
    break;
  }
}

bool
rdma_connect_step (struct rdma_queue *queue)
{
  struct rdma_cm_event *event;

  if (rdma_get_cm_event (queue->cm, &event) != 0)
    return false;
  take_event (queue, event);
  rdma_ack_cm_event (event);
  return true;
}

/* --- begin, end --------------------------------------------------------------- */

/* It looks what devices there are, and opens none. */
static void
first_look (void)
{
  struct rdma_event_channel *channel = rdma_create_event_channel ();

  if (channel)
    rdma_destroy_event_channel (channel);
}

/* librdmacm before version 52 sorts the devices by the difference of the
 * addresses of their structures, cut to an int.  Where that overflows it may
 * lose all of them as one comes or goes, and the next call waits for its own lock
 * for ever.  The first ones must not be on the program's first heap then, which
 * is far away from those of threads, where later ones will be. */
static void
look_in_thread (void)
{
  thread_call (first_look);
}

int
rdma_connect_begin (struct rdma_queue *queue)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct sockaddr *server = (struct sockaddr *) &queue->server;

  pthread_once (&once, look_in_thread);
  queue->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  queue->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (queue->epoll_fd < 0 || queue->wake_fd < 0)
    return -errno;
  queue->cm = rdma_create_event_channel ();
  if (!queue->cm)
    return -errno;
  set_nonblocking (queue->cm->fd);
  if (watch (queue, queue->wake_fd) < 0 || watch (queue, queue->cm->fd) < 0)
    return -errno;
  if (rdma_create_id (queue->cm, &queue->id, NULL, RDMA_PS_TCP) != 0)
    return -errno;
  if (rdma_resolve_addr (queue->id, NULL, server, RDMA_RESOLVE_MS) != 0)
    return -errno;
  return 0;
}

bool
rdma_take_removal (struct rdma_queue *queue)
{
  struct rdma_cm_event *event;
  bool removed = false;

  while (queue->cm && rdma_get_cm_event (queue->cm, &event) == 0) {
    removed |= event->event == RDMA_CM_EVENT_DEVICE_REMOVAL;
    rdma_ack_cm_event (event);
  }
  if (removed)
    forget_removed ();
  return removed;
}

void
rdma_connection_free (struct rdma_queue *queue)
{
  rdma_take_removal (queue);
  if (queue->id && queue->id->qp)
    rdma_destroy_qp (queue->id);
  if (queue->cq)
    ibv_destroy_cq (queue->cq);
  if (queue->channel)
    ibv_destroy_comp_channel (queue->channel);
  if (queue->wire_mr)
    ibv_dereg_mr (queue->wire_mr);
  if (queue->data_mr)
    ibv_dereg_mr (queue->data_mr);
  if (queue->pd)
    ibv_dealloc_pd (queue->pd);
  if (queue->id)
    rdma_destroy_id (queue->id);
  if (queue->cm)
    rdma_destroy_event_channel (queue->cm);
  queue->cq = NULL;
  queue->channel = NULL;
  queue->wire_mr = queue->data_mr = NULL;
  queue->pd = NULL;
  queue->id = NULL;
  queue->cm = NULL;
}
