/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of an RDMA connection, from the connection request that the
 * listener brings to the last hold.  What asks a device's firmware to make,
 * connect or destroy something takes its time, and is a worker's.
 *
 * Its queue pair is destroyed only when all its work requests have ended
 * (those of a queue pair in error end at once, as flushed) and every receive
 * that it consumed was seen: its number may soon be another connection's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "server/transport/internal.h"
#include "server/transport/rdma-internal.h"

/* --- state --------------------------------------------------------------------- */

static const bool legal[RDMA_NR_STATES][RDMA_NR_STATES] = {
  [RDMA_ACCEPTED] = {
    [RDMA_READY] = true,
    [RDMA_CLOSING] = true,
    [RDMA_FLUSHING] = true,
  },
  [RDMA_READY] = {
    [RDMA_CLOSING] = true,
    [RDMA_FLUSHING] = true,
  },
  [RDMA_CLOSING] = {
    [RDMA_FLUSHING] = true,
  },
  [RDMA_FLUSHING] = {
    [RDMA_DESTROYING] = true,
  },
  [RDMA_DESTROYING] = {
    [RDMA_CLOSED] = true,
  },
};

static void
set_state (struct rdma_connection *connection, enum rdma_state state)
{
  assert (legal[connection->state][state]);
  connection->state = state;
}

static void
arm_limit (struct rdma_connection *connection, uint64_t ms)
{
  reactor_timer_arm (connection->reactor, &connection->limit,
                     reactor_now_ms (connection->reactor) + ms);
}

void
rdma_set_ready (struct rdma_connection *connection)
{
  set_state (connection, RDMA_READY);
  arm_limit (connection, limit_value (LIMIT_HANDSHAKE_MS));
}

void
rdma_hold (struct rdma_connection *connection)
{
  connection->holds++;
}

bool
rdma_has_send_cq (const struct rdma_connection *connection)
{
  return connection->state < RDMA_DESTROYING;
}

void
rdma_release (struct rdma_connection *connection)
{
  if (--connection->holds > 0)
    return;
  assert (connection->state == RDMA_CLOSED);
  assert (TAILQ_EMPTY (&connection->requests) && !connection->quiet);
  ration_put (connection->ration);
  rdma_device_put (connection->device);
  free (connection);
  transport_count (-1);
}

/* --- the end ------------------------------------------------------------------- */

static void
queue_drained (struct target_queue *queue)
{
  rdma_release ((struct rdma_connection *) queue);
}

/* Give up the requests that neither the target nor the device has; or, when
 * the device has nothing any more, those too. */
static void
drop_requests (struct rdma_connection *connection, bool posted_too)
{
  struct rdma_request *request, *next;

  for (request = TAILQ_FIRST (&connection->requests); request;
       request = next) {
    next = TAILQ_NEXT (request, in_connection);
    if (request->state != RDMA_REQUEST_EXECUTING
        && (posted_too || request->unposted
            || request->state == RDMA_REQUEST_WAITING))
      rdma_request_over (request);
  }
}

/* Worker thread.  The reactor still takes notifications of the send queue that
 * came before: to destroy it waits for that. */
static void
destroy (struct reactor_work *work)
{
  struct rdma_connection *connection =
    (void *) ((char *) work - offsetof (struct rdma_connection, work));

  rdma_destroy_qp (connection->id);
  ibv_destroy_cq (connection->send_cq);
  rdma_device_keep_id (connection->device, connection->id,
                       connection->channel);
}

static void
destroyed (struct reactor_work *work)
{
  struct rdma_connection *connection =
    (void *) ((char *) work - offsetof (struct rdma_connection, work));

  set_state (connection, RDMA_CLOSED);
  connection->id = NULL;
  connection->send_cq = NULL;
  drop_requests (connection, true);
  target_queue_disconnected (&connection->queue, queue_drained);
  rdma_release (connection);
}

/* Never inside a function that polls.  The hold becomes the worker's.
 *
 * To poll once is less than InfiniBand advises for shared receives (10.3.1): to
 * wait for the event Last WQE Reached, and to drain the completion queue then,
 * or a receive that the device has taken for this queue pair and not completed
 * yet may be lost with it.  Nothing worse: a queue pair may be destroyed
 * without.  Soft-RoCE does not give the event; SPDK's target waits for it on
 * other devices, Linux's does since 6.11 (ib_drain_qp), for a minute at the
 * most.  Here a completion that is late brings its receive back all the same
 * (rdma-receive.c: of no connection), unless the driver takes it out of the
 * queue as it destroys the queue pair.  What is lost so, at most what was just
 * coming in, is back when the device's last connection ends. */
static void
run_end (struct reactor_task *task)
{
  struct rdma_connection *connection =
    (void *) ((char *) task - offsetof (struct rdma_connection, end));

  /* The queue pair is in error: no more of its capsules come. */
  while (rdma_poll_receives (connection->device))
    ;
  set_state (connection, RDMA_DESTROYING);
  reactor_timer_disarm (connection->reactor, &connection->limit);
  reactor_timer_disarm (connection->reactor, &connection->stall);
  reactor_watch_remove (connection->reactor, &connection->watch);
  LIST_REMOVE (connection, in_bucket);
  connection->work.work = destroy;
  connection->work.done = destroyed;
  reactor_work_submit (connection->reactor, &connection->work);
}

void
rdma_post_end (struct rdma_connection *connection)
{
  if (connection->accepting)
    connection->end_waits = true;
  if (connection->end_posted || connection->accepting)
    return;
  connection->end_posted = true;
  rdma_hold (connection);
  reactor_post (connection->reactor, &connection->end);
}

static void
start_flush (struct rdma_connection *connection)
{
  struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };

  if (connection->state >= RDMA_FLUSHING)
    return;
  set_state (connection, RDMA_FLUSHING);
  handshake_over (&connection->handshake);
  drop_requests (connection, false);
  /* The device may be gone: then this fails, and so does all that follows. */
  ibv_modify_qp (connection->id->qp, &attr, IBV_QP_STATE);
  rdma_disconnect (connection->id);
  rdma_await_sends (connection);
  arm_limit (connection, RDMA_FLUSH_LIMIT_MS);
  rdma_check_closed (connection);
}

void
rdma_lost (struct rdma_connection *connection, const char *reason)
{
  if (connection->state >= RDMA_FLUSHING)
    return;
  rdma_hold (connection);
  target_queue_fail (&connection->queue, reason);
  start_flush (connection);
  rdma_release (connection);
}

static void
handshake_lost (void *connection, const char *reason)
{
  rdma_lost (connection, reason);
}

void
rdma_fatal (struct rdma_connection *connection, const char *what)
{
  log_warning ("%s: %s: closed", connection->portal.peer, what);
  rdma_lost (connection, "its host broke the protocol");
}

void
rdma_check_closed (struct rdma_connection *connection)
{
  if (connection->state == RDMA_CLOSING && connection->queue.qid > 0
      && TAILQ_EMPTY (&connection->requests))
    start_flush (connection);
  else if (connection->state == RDMA_FLUSHING
           && connection->send_room == connection->send_size)
    rdma_post_end (connection);
}

/* --- time limits ---------------------------------------------------------------- */

static void
limit_expired (struct reactor_timer *timer)
{
  struct rdma_connection *connection =
    (void *) ((char *) timer - offsetof (struct rdma_connection, limit));
  const char *peer = connection->portal.peer;

  switch (connection->state) {
  case RDMA_ACCEPTED:
    limit_reached (LIMIT_HANDSHAKE_MS, peer, "not established: closed");
    rdma_lost (connection, "it was not established");
    break;
  case RDMA_READY:
    if (connection->queue.state == TARGET_QUEUE_NEW) {
      limit_reached (LIMIT_HANDSHAKE_MS, peer, "no Connect: closed");
      rdma_lost (connection, "no Connect");
    }
    else if (connection->queue.state == TARGET_QUEUE_CONNECTING)
      arm_limit (connection, limit_value (LIMIT_HANDSHAKE_MS));
    break;
  case RDMA_CLOSING:
    start_flush (connection);
    break;
  case RDMA_FLUSHING:
    rdma_post_end (connection);
    break;
  case RDMA_DESTROYING:
  case RDMA_CLOSED:
    assert (!"disarmed");
  }
}

/* A host that posts no receives would hold our buffers for ever: the retries
 * for that case have no end. */
static void
stall_expired (struct reactor_timer *timer)
{
  struct rdma_connection *connection =
    (void *) ((char *) timer - offsetof (struct rdma_connection, stall));
  uint64_t now_ms = reactor_now_ms (connection->reactor);

  connection->stall_armed = false;
  rdma_poll_sends (connection);
  if (connection->send_room == connection->send_size)
    return;
  if (now_ms < connection->progress_ms + limit_value (LIMIT_STALL_MS)) {
    rdma_watch_stall (connection);
    rdma_await_sends (connection);
    return;
  }
  if (connection->state < RDMA_FLUSHING)
    limit_reached (LIMIT_STALL_MS, connection->portal.peer,
                   "took none of its responses: closed");
  rdma_lost (connection, "its host stalled");
}

void
rdma_watch_stall (struct rdma_connection *connection)
{
  if (connection->stall_armed)
    return;
  connection->stall_armed = true;
  reactor_timer_arm (connection->reactor, &connection->stall,
                     reactor_now_ms (connection->reactor)
                     + RDMA_STALL_LOOK_MS);
}

/* --- the target's side ----------------------------------------------------------- */

static void
ops_complete (struct target_command *command)
{
  struct rdma_request *request = (struct rdma_request *) command;
  struct rdma_connection *connection = request->connection;

  rdma_hold (connection);
  if (connection->queue.state == TARGET_QUEUE_LIVE)
    handshake_over (&connection->handshake);
  if (connection->state < RDMA_FLUSHING)
    rdma_post_response (request);
  else
    rdma_request_over (request);
  rdma_check_closed (connection);
  rdma_release (connection);
}

/* Linux ends its I/O queues first, then writes CC on the admin queue; when
 * that queue was gone by then, it would wait for the answer for a minute. */
static void
ops_close (struct target_queue *queue)
{
  struct rdma_connection *connection = (struct rdma_connection *) queue;

  if (connection->state >= RDMA_CLOSING)
    return;
  rdma_hold (connection);
  rdma_post_all (connection);
  if (connection->state >= RDMA_CLOSING) {      /* lost by that */
    rdma_release (connection);
    return;
  }
  set_state (connection, RDMA_CLOSING);
  drop_requests (connection, false);
  rdma_await_sends (connection);
  arm_limit (connection,
             queue->qid > 0 ? RDMA_CLOSE_LIMIT_MS : RDMA_LINGER_MS);
  rdma_check_closed (connection);
  rdma_release (connection);
}

static void
ops_each_command (struct target_queue *queue,
                  void (*each) (void *opaque,
                                const struct target_command *command,
                                enum target_stage stage),
                  void *opaque)
{
  static const enum target_stage stages[RDMA_REQUEST_NR_STATES] = {
    [RDMA_REQUEST_POSTED] = TARGET_STAGE_RESPONSE,
    [RDMA_REQUEST_WAITING] = TARGET_STAGE_BUFFER,
    [RDMA_REQUEST_READING] = TARGET_STAGE_DATA,
    [RDMA_REQUEST_EXECUTING] = TARGET_STAGE_ENGINE,
    [RDMA_REQUEST_ANSWERING] = TARGET_STAGE_RESPONSE,
  };
  struct rdma_connection *connection = (struct rdma_connection *) queue;
  const struct rdma_request *request;

  /* Where no end is told, an answer is taken to have arrived. */
  TAILQ_FOREACH (request, &connection->requests, in_connection)
    if (!request->answered || connection->told)
      each (opaque, &request->command, stages[request->state]);
}

static const struct target_transport_ops rdma_target_ops = {
  .trtype = NVMF_TRTYPE_RDMA,
  .in_capsule_bytes = RDMA_IN_CAPSULE_BYTES,
  /* SGLs (bits 1:0), keyed descriptors, offsets in the capsule. */
  .sgls = 1 << 0 | NVME_CTRL_SGLS_KEYED | NVME_CTRL_SGLS_OFFSET,
  .complete = ops_complete,
  .close = ops_close,
  .each_command = ops_each_command,
};

/* --- the connection manager's side ------------------------------------------------- */

static void
handle_event (struct rdma_connection *connection,
              enum rdma_cm_event_type type)
{
  switch (type) {
  case RDMA_CM_EVENT_ESTABLISHED:
    if (connection->state == RDMA_ACCEPTED)
      rdma_set_ready (connection);
    break;
  case RDMA_CM_EVENT_DISCONNECTED:
    rdma_lost (connection, "its host closed a connection");
    break;
  case RDMA_CM_EVENT_DEVICE_REMOVAL:
    log_warning ("%s: the RDMA device was removed", connection->portal.peer);
    connection->device->removed = true;
    rdma_lost (connection, "the RDMA device was removed");
    /* Its work requests may never end. */
    if (connection->state == RDMA_FLUSHING)
      rdma_post_end (connection);
    break;
  case RDMA_CM_EVENT_CONNECT_ERROR:
  case RDMA_CM_EVENT_UNREACHABLE:
  case RDMA_CM_EVENT_REJECTED:
    rdma_lost (connection, "it was not established");
    break;
  default:
    break;
  }
}

static void
channel_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct rdma_connection *connection =
    (void *) ((char *) watch - offsetof (struct rdma_connection, watch));
  struct rdma_cm_event *event;
  enum rdma_cm_event_type type;

  rdma_hold (connection);
  while (rdma_get_cm_event (connection->channel, &event) == 0) {
    type = event->event;
    rdma_ack_cm_event (event);
    handle_event (connection, type);
  }
  rdma_release (connection);
}

/* --- open -------------------------------------------------------------------------- */

static void
incoming_free (struct rdma_incoming *incoming)
{
  if (incoming->id->qp)
    rdma_destroy_qp (incoming->id);
  if (incoming->send_cq)
    ibv_destroy_cq (incoming->send_cq);
  if (incoming->device) {
    rdma_device_keep_id (incoming->device, incoming->id, incoming->channel);
    rdma_device_put (incoming->device);
  }
  else {
    rdma_destroy_id (incoming->id);
    rdma_destroy_event_channel (incoming->channel);
  }
  if (incoming->handshake)
    handshake_drop (incoming->handshake);
  free (incoming);
  transport_count (-1);
}

/* What the connection manager does by itself when the id is destroyed, but that
 * may be much later: rdma_device_keep_id. */
static void
reject (struct rdma_cm_id *id, uint16_t sts)
{
  const struct nvme_rdma_cm_reject data = rdma_make_reject (sts);

  rdma_reject (id, &data, sizeof data);
}

void
rdma_incoming_reject (struct rdma_incoming *incoming, uint16_t sts)
{
  reject (incoming->id, sts);
  incoming_free (incoming);
}

void
rdma_incoming_refuse (struct rdma_incoming *incoming, uint16_t sts)
{
  log_warning ("%s: connection refused: %s", incoming->portal.peer,
               rdma_cm_status_name (sts));
  rdma_incoming_reject (incoming, sts);
}

/* Worker thread: what takes the device's firmware its time. */
static void
prepare (struct reactor_work *work)
{
  struct rdma_incoming *incoming =
    (void *) ((char *) work - offsetof (struct rdma_incoming, work));
  struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC };
  struct rdma_device *device;

  incoming->result = rdma_device_get (incoming->reactor, incoming->id->verbs,
                                      &device, &incoming->what);
  if (incoming->result < 0)
    return;
  incoming->device = device;
  /* READ or WRITE with SEND for each command, and those whose answer has
   * arrived before its completion. */
  incoming->send_size = 2u * incoming->asked.depth + 16;
  if (incoming->send_size > (unsigned) device->max_send_wr)
    incoming->send_size = (unsigned) device->max_send_wr;
  incoming->what = "completion queue";
  incoming->send_cq = ibv_create_cq (incoming->id->verbs,
                                     (int) incoming->send_size,
                                     incoming->connection, device->channel,
                                     0);
  if (incoming->send_cq == NULL
      || ibv_req_notify_cq (incoming->send_cq, 1) != 0) {
    incoming->result = rdma_verbs_error ();
    return;
  }
  incoming->what = "queue pair";
  attr.send_cq = incoming->send_cq;
  attr.recv_cq = device->receive_cq;
  attr.srq = device->srq;
  attr.cap.max_send_wr = incoming->send_size;
  attr.cap.max_send_sge = 1;
  attr.cap.max_inline_data = sizeof (struct nvme_cqe);
  if (rdma_create_qp (incoming->id, device->pd, &attr) != 0) {
    attr.cap.max_inline_data = 0;       /* not every device has that */
    if (rdma_create_qp (incoming->id, device->pd, &attr) != 0)
      incoming->result = rdma_verbs_error ();
  }
  incoming->inlines = attr.cap.max_inline_data >= sizeof (struct nvme_cqe);
}

/* Worker thread. */
static void
accept_it (struct reactor_work *work)
{
  struct rdma_connection *connection =
    (void *) ((char *) work - offsetof (struct rdma_connection, work));
  const struct nvme_rdma_cm_accept accept =
    rdma_make_accept (connection->asked.entries);
  struct rdma_conn_param param = {
    .private_data = &accept,
    .private_data_len = sizeof accept,
    .initiator_depth = connection->reads,
    .rnr_retry_count = 7,       /* the shared receives may be used up */
    .flow_control = 1,
  };

  if (rdma_accept (connection->id, &param) == 0)
    return;
  connection->accepted = -errno;
  reject (connection->id, NVME_RDMA_CM_NO_RSC);
}

/* The host's first capsules, and its end, may have been here before. */
static void
accepted (struct reactor_work *work)
{
  struct rdma_connection *connection =
    (void *) ((char *) work - offsetof (struct rdma_connection, work));

  connection->accepting = false;
  if (connection->end_waits)
    rdma_post_end (connection);
  if (connection->accepted < 0 && connection->state < RDMA_FLUSHING) {
    log_warning ("%s: accept: %s", connection->portal.peer,
                 strerror (-connection->accepted));
    rdma_lost (connection, "it could not be accepted");
  }
  rdma_release (connection);
}

static void
connection_init (struct rdma_connection *connection,
                 struct rdma_incoming *incoming)
{
  connection->reactor = incoming->reactor;
  connection->device = incoming->device;
  connection->portal = incoming->portal;
  connection->asked = incoming->asked;
  connection->state = RDMA_ACCEPTED;
  connection->holds = 1;
  connection->channel = incoming->channel;
  connection->id = incoming->id;
  connection->send_cq = incoming->send_cq;
  connection->send_size = connection->send_room = incoming->send_size;
  connection->inlines = incoming->inlines;
  connection->qp_num = incoming->id->qp->qp_num;
  connection->reads = incoming->initiator_depth;
  if (connection->reads > incoming->device->max_reads)
    connection->reads = (uint8_t) incoming->device->max_reads;
  connection->work.work = accept_it;
  connection->work.done = accepted;
  connection->watch.ready = channel_ready;
  connection->watch.fd = incoming->channel->fd;
  connection->limit.expired = limit_expired;
  connection->stall.expired = stall_expired;
  connection->end.run = run_end;
  connection->look.run = rdma_run_look;
  TAILQ_INIT (&connection->requests);
  TAILQ_INIT (&connection->waiting);
  TAILQ_INIT (&connection->unposted);
  TAILQ_INIT (&connection->posted);
}

static void
prepared (struct reactor_work *work)
{
  struct rdma_incoming *incoming =
    (void *) ((char *) work - offsetof (struct rdma_incoming, work));
  struct rdma_connection *connection = incoming->connection;
  int r = incoming->result;

  if (r == 0) {
    incoming->what = "completion channel";
    r = rdma_device_start (incoming->device);
  }
  if (r < 0) {
    log_error ("%s: %s: %s", incoming->portal.peer, incoming->what,
               strerror (-r));
    free (connection);
    rdma_incoming_refuse (incoming, NVME_RDMA_CM_NO_RSC);
    return;
  }
  connection_init (connection, incoming);
  target_queue_init (&connection->queue, incoming->target,
                     connection->reactor, &rdma_target_ops,
                     &connection->portal);
  /* Before accept: the first capsule may come at once. */
  LIST_INSERT_HEAD (&connection->device->by_qp
                    [connection->qp_num % RDMA_QP_BUCKETS],
                    connection, in_bucket);
  arm_limit (connection, limit_value (LIMIT_HANDSHAKE_MS));
  connection->handshake = incoming->handshake;
  handshake_list (connection->handshake, connection->reactor,
                  connection->portal.peer, handshake_lost, connection);
  free (incoming);
  rdma_hold (connection);
  r = reactor_watch_add (connection->reactor, &connection->watch,
                         EPOLLIN | EPOLLET);
  if (r < 0) {
    log_error ("%s: cannot be watched: %s", connection->portal.peer,
               strerror (-r));
    reject (connection->id, NVME_RDMA_CM_NO_RSC);
    rdma_lost (connection, "it could not be accepted");
    rdma_release (connection);
    return;
  }
  connection->accepting = true;
  reactor_work_submit (connection->reactor, &connection->work);
}

void
rdma_connection_open (struct rdma_incoming *incoming)
{
  incoming->connection = calloc (1, sizeof *incoming->connection);
  if (incoming->connection == NULL) {
    rdma_incoming_refuse (incoming, NVME_RDMA_CM_NO_RSC);
    return;
  }
  incoming->work.work = prepare;
  incoming->work.done = prepared;
  reactor_work_submit (incoming->reactor, &incoming->work);
}
