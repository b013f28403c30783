/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output: RDMA READ of a write's data, RDMA WRITE of a read's, and SEND of
 * the response.  What a turn brings for a connection is posted together, at its
 * end or as soon as it is a batch: to post is a system call with some drivers,
 * and makes all of them begin at once.  A work request that finds no room in
 * the send queue waits longer: the host can have its answer, and send the next
 * command, before our completion has come.
 *
 * Signalled are a READ, and the last work request of each post.  Those of a
 * queue pair complete in order: when one is over, so are all before it.
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "server/transport/rdma-internal.h"

/* --- which ends are told ------------------------------------------------------ */

/* The end of an answer gives back its buffer and its shared receive, which
 * whoever needs them can look for.  To be told of each would wake the reactor
 * twice for a command.  So a connection's ends are looked for whenever a turn
 * has posted for it, and by its stall timer, and are told only while something
 * waits for one of them.  (Errors are told always, where the driver can:
 * Soft-RoCE cannot.)
 *
 * Who is told has asked first and looked then, so that no end is between the
 * two; who is not, and has work requests in flight, is on the device's list. */

static bool
is_short (const struct rdma_device *device)
{
  return device->nr_starved > 0
    || device->nr_taken > device->nr_slots / RDMA_QUIET_SLOTS;
}

static bool
is_in_flight (const struct rdma_connection *connection)
{
  return connection->send_room < connection->send_size;
}

/* After posting: what is unposted then has found no room. */
static bool
is_awaited (const struct rdma_connection *connection)
{
  return connection->nr_reads > 0
    || connection->asked.qid == 0       /* what holds events is short, too */
    || !TAILQ_EMPTY (&connection->unposted)
    || connection->state > RDMA_READY
    || is_short (connection->device);
}

static void
set_quiet (struct rdma_connection *connection, bool quiet)
{
  struct rdma_device *device = connection->device;

  if (quiet == connection->quiet)
    return;
  connection->quiet = quiet;
  if (quiet)
    TAILQ_INSERT_TAIL (&device->quiet, connection, in_quiet);
  else
    TAILQ_REMOVE (&device->quiet, connection, in_quiet);
}

static void
look_later (struct rdma_connection *connection)
{
  if (connection->look_deferred)
    return;
  connection->look_deferred = true;
  rdma_hold (connection);
  reactor_defer (connection->reactor, &connection->look);
}

void
rdma_await_sends (struct rdma_connection *connection)
{
  if (connection->told || !is_in_flight (connection))
    return;
  connection->told = true;
  set_quiet (connection, false);
  ibv_req_notify_cq (connection->send_cq, 0);
  look_later (connection);
}

void
rdma_await_quiet (struct rdma_device *device)
{
  struct rdma_connection *connection;

  if (!is_short (device))
    return;
  while ((connection = TAILQ_FIRST (&device->quiet)) != NULL) {
    set_quiet (connection, false);
    look_later (connection);
  }
}

/* What is in flight has changed, or what waits for it. */
static void
settle (struct rdma_connection *connection)
{
  if (is_awaited (connection))
    rdma_await_sends (connection);
  set_quiet (connection, is_in_flight (connection) && !connection->told);
}

/* --- posting ---------------------------------------------------------------- */

/* wr_id: the request's number, and whether its completion matters. */
static uint64_t
wr_id (const struct rdma_request *request, bool ends)
{
  return (uint64_t) (request - request->device->requests) << 1 | ends;
}

static unsigned
nr_work_requests (const struct rdma_request *request)
{
  return request->state == RDMA_REQUEST_ANSWERING
    && request->command.result_bytes > 0 ? 2 : 1;
}

static struct ibv_sge
data_sge (const struct rdma_request *request, uint32_t bytes)
{
  return (struct ibv_sge) {
    .addr = (uintptr_t) request->command.buffer,
    .length = bytes,
    .lkey = request->device->mr->lkey,
  };
}

/* Returns the work request: its only one. */
static struct ibv_send_wr *
make_read (struct rdma_request *request)
{
  struct rdma_work *work = request->work;

  work->sge = data_sge (request, request->command.data_bytes);
  work->wr = (struct ibv_send_wr) {
    .wr_id = wr_id (request, true),
    .sg_list = &work->sge,
    .num_sge = 1,
    .opcode = IBV_WR_RDMA_READ,
    .send_flags = IBV_SEND_SIGNALED,
    .wr.rdma = { .remote_addr = request->data.addr,
                 .rkey = request->data.rkey },
  };
  return &work->wr;
}

static struct ibv_send_wr *
make_send (struct rdma_request *request)
{
  struct rdma_work *work = &request->work[1];
  bool invalidate = request->data.invalidate && request->data.bytes > 0
    && request->device->invalidates;

  request->capsules->cqe = request->command.cqe;
  work->sge = (struct ibv_sge) {
    .addr = (uintptr_t) &request->capsules->cqe,
    .length = sizeof request->capsules->cqe,
    .lkey = request->device->mr->lkey,
  };
  work->wr = (struct ibv_send_wr) {
    .wr_id = wr_id (request, true),
    .sg_list = &work->sge,
    .num_sge = 1,
    .opcode = invalidate ? IBV_WR_SEND_WITH_INV : IBV_WR_SEND,
    .send_flags = request->connection->inlines ? IBV_SEND_INLINE : 0,
  };
  if (invalidate)
    work->wr.invalidate_rkey = request->data.rkey;
  return &work->wr;
}

/* Returns the first work request; *last is the last one. */
static struct ibv_send_wr *
make_response (struct rdma_request *request, struct ibv_send_wr **last)
{
  struct rdma_work *work = request->work;

  *last = make_send (request);
  if (request->command.result_bytes == 0)
    return *last;
  work->sge = data_sge (request, request->command.result_bytes);
  work->wr = (struct ibv_send_wr) {
    .wr_id = wr_id (request, false),
    .sg_list = &work->sge,
    .num_sge = 1,
    .opcode = IBV_WR_RDMA_WRITE,
    .next = *last,
    .wr.rdma = { .remote_addr = request->data.addr,
                 .rkey = request->data.rkey },
  };
  return &work->wr;
}

static void
take_off (struct rdma_request *request)
{
  TAILQ_REMOVE (&request->connection->unposted, request, in_list);
  request->connection->nr_unposted--;
  request->unposted = false;
}

static void
take_off_posted (struct rdma_request *request)
{
  TAILQ_REMOVE (&request->connection->posted, request, in_list);
  request->posted = false;
}

static void
count_read (const struct rdma_request *request, int change)
{
  if (request->state == RDMA_REQUEST_READING)
    request->connection->nr_reads += (unsigned) change;
}

/* From the first work request that was not taken on, no completion comes, nor
 * may one come of those before it, as the last one was to tell of all.  With none
 * named, all were taken: they are flushed. */
static void
posting_failed (struct rdma_connection *connection, struct ibv_send_wr *bad,
                int error)
{
  struct rdma_device *device = connection->device;
  bool untold = bad != NULL;

  log_error ("%s: post: %s", connection->portal.peer, strerror (error));
  for (; bad; bad = bad->next) {
    struct rdma_request *request = &device->requests[bad->wr_id >> 1];

    if (!(bad->wr_id & 1))
      continue;                 /* its SEND follows */
    connection->send_room += nr_work_requests (request);
    count_read (request, -1);
    rdma_request_over (request);
  }
  rdma_lost (connection, "its device takes no work requests");
  if (untold)
    rdma_post_end (connection);
}

/* Puts its work requests where the chain ends; returns the last of them. */
static struct ibv_send_wr *
chain (struct rdma_request *request, struct ibv_send_wr **end)
{
  struct rdma_connection *connection = request->connection;
  struct ibv_send_wr *last;

  take_off (request);
  request->posted = true;
  TAILQ_INSERT_TAIL (&connection->posted, request, in_list);

  connection->send_room -= nr_work_requests (request);
  count_read (request, 1);
  if (request->state == RDMA_REQUEST_READING)
    *end = last = make_read (request);
  else {
    request->answered = true;
    connection->nr_unanswered--;
    *end = make_response (request, &last);
  }
  return last;
}

void
rdma_post_all (struct rdma_connection *connection)
{
  struct ibv_send_wr *first = NULL, *last = NULL, *bad = NULL;
  struct rdma_request *request;
  bool idle = connection->send_room == connection->send_size;
  int r;

  while ((request = TAILQ_FIRST (&connection->unposted)) != NULL
         && connection->send_room >= nr_work_requests (request))
    last = chain (request, last ? &last->next : &first);
  if (last == NULL)
    return;
  last->send_flags |= IBV_SEND_SIGNALED;
  if (idle)
    connection->progress_ms = reactor_now_ms (connection->reactor);
  rdma_watch_stall (connection);
  r = ibv_post_send (connection->id->qp, first, &bad);
  if (r != 0)
    posting_failed (connection, bad, r);
}

static void
post (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;

  request->unposted = true;
  TAILQ_INSERT_TAIL (&connection->unposted, request, in_list);
  look_later (connection);
  if (++connection->nr_unposted >= RDMA_BATCH)
    rdma_post_all (connection);
}

/* The turn is over. */
void
rdma_run_look (struct reactor_task *task)
{
  struct rdma_connection *connection =
    (void *) ((char *) task - offsetof (struct rdma_connection, look));

  connection->look_deferred = false;
  if (connection->state < RDMA_FLUSHING)
    rdma_post_all (connection);
  if (rdma_has_send_cq (connection))
    rdma_poll_sends (connection);
  rdma_release (connection);
}

void
rdma_post_read (struct rdma_request *request)
{
  post (request);
}

void
rdma_post_response (struct rdma_request *request)
{
  rdma_request_set_state (request, RDMA_REQUEST_ANSWERING);
  post (request);
}

/* --- the end of a request ------------------------------------------------------- */

void
rdma_request_over (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;

  if (request->unposted)
    take_off (request);
  if (request->posted)
    take_off_posted (request);
  if (request->state == RDMA_REQUEST_WAITING)
    rdma_buffer_cancel (request);
  if (!request->answered)
    connection->nr_unanswered--;
  TAILQ_REMOVE (&connection->requests, request, in_connection);
  if (request->in_capsule)
    request->device->nr_taken--;
  rdma_request_set_state (request, RDMA_REQUEST_POSTED);
  target_command_done (&request->command);
  rdma_buffer_give (request);
  request->connection = NULL;
  rdma_request_repost (request);
}

/* --- completions ------------------------------------------------------------------ */

static void
handle_end (struct rdma_request *request, bool good)
{
  struct rdma_connection *connection = request->connection;

  take_off_posted (request);
  connection->send_room += nr_work_requests (request);
  count_read (request, -1);
  if (request->state == RDMA_REQUEST_READING && good
      && connection->state == RDMA_READY) {
    target_queue_heard (&connection->queue);
    rdma_request_set_state (request, RDMA_REQUEST_EXECUTING);
    target_command_execute (&request->command);
  }
  else
    rdma_request_over (request);
}

/* Of the last work request of `last`: the others are over, too. */
static void
handle_ends (struct rdma_request *last, bool good)
{
  struct rdma_connection *connection = last->connection;
  struct rdma_request *request;

  assert (last->posted);
  do {
    request = TAILQ_FIRST (&connection->posted);
    handle_end (request, good || request != last);
  } while (request != last);
}

static void
handle_error (struct rdma_connection *connection, const struct ibv_wc *wc)
{
  if (connection->state != RDMA_FLUSHING && connection->state != RDMA_CLOSED
      && wc->status != IBV_WC_WR_FLUSH_ERR)
    log_warning ("%s: %s", connection->portal.peer,
                 ibv_wc_status_str (wc->status));
  rdma_lost (connection, "a connection of its host broke");
}

void
rdma_poll_sends (struct rdma_connection *connection)
{
  struct rdma_device *device = connection->device;
  struct ibv_wc wc[32];
  int n;

  rdma_hold (connection);
  do {
    n = ibv_poll_cq (connection->send_cq, 32, wc);
    for (int i = 0; i < n; i++) {
      bool good = wc[i].status == IBV_WC_SUCCESS;

      connection->progress_ms = reactor_now_ms (connection->reactor);
      if (wc[i].wr_id & 1)
        handle_ends (&device->requests[wc[i].wr_id >> 1], good);
      if (!good)
        handle_error (connection, &wc[i]);
    }
    if (connection->state < RDMA_FLUSHING)
      rdma_post_all (connection);
  } while (n == 32);
  settle (connection);
  rdma_check_closed (connection);
  rdma_release (connection);
}

void
rdma_sends_told (struct rdma_connection *connection)
{
  connection->told = false;
  rdma_poll_sends (connection);
  if (connection->told)
    return;
  ibv_req_notify_cq (connection->send_cq, 1);
  if (is_in_flight (connection))
    look_later (connection);    /* an error may have come in between */
}
