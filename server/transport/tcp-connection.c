/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a TCP connection, from the stream that a listener (or the
 * simulator) brings to the last hold.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/transport/internal.h"
#include "server/transport/tcp-internal.h"

/* --- how many there are -------------------------------------------------------- */

static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t count_zero = PTHREAD_COND_INITIALIZER;
static unsigned count;          /* locked */

void
transport_count (int change)
{
  LOCK_SCOPE (&count_lock);

  count += (unsigned) change;
  if (count == 0)
    pthread_cond_broadcast (&count_zero);
}

unsigned
transport_connections (void)
{
  LOCK_SCOPE (&count_lock);

  return count;
}

void
transport_drain (void)
{
  LOCK_SCOPE (&count_lock);

  /* target_drain reached those without a controller as well. */
  while (count > 0)
    pthread_cond_wait (&count_zero, &count_lock);
}

/* --- state --------------------------------------------------------------------- */

static const bool legal[TCP_NR_STATES][TCP_NR_STATES] = {
  [TCP_ICREQ] = {
    [TCP_READY] = true,
    [TCP_CLOSING] = true,
    [TCP_TERM] = true,
    [TCP_CLOSED] = true,
  },
  [TCP_READY] = {
    [TCP_CLOSING] = true,
    [TCP_TERM] = true,
    [TCP_CLOSED] = true,
  },
  [TCP_CLOSING] = {
    [TCP_CLOSED] = true,
  },
  [TCP_TERM] = {
    [TCP_CLOSED] = true,
  },
  [TCP_CLOSED] = { false },
};

static void
set_state (struct tcp_connection *connection, enum tcp_state state)
{
  assert (legal[connection->state][state]);
  connection->state = state;
}

static void
arm_limit (struct tcp_connection *connection, uint64_t ms)
{
  reactor_timer_arm (connection->reactor, &connection->limit,
                     reactor_now_ms (connection->reactor) + ms);
}

void
tcp_expect (struct tcp_connection *connection, uint32_t bytes)
{
  int least = (int) bytes;

  if (connection->watch.fd >= 0)
    setsockopt (connection->watch.fd, SOL_SOCKET, SO_RCVLOWAT, &least,
                sizeof least);
}

void
tcp_set_ready (struct tcp_connection *connection)
{
  set_state (connection, TCP_READY);
  tcp_expect (connection, 1);
  arm_limit (connection, limit_value (LIMIT_HANDSHAKE_MS));
}

void
tcp_hold (struct tcp_connection *connection)
{
  connection->holds++;
}

void
tcp_release (struct tcp_connection *connection)
{
  if (--connection->holds > 0)
    return;
  assert (connection->state == TCP_CLOSED);
  assert (TAILQ_EMPTY (&connection->requests));
  ration_put (connection->ration);
  tcp_pool_put (connection->pool);
  free (connection);
  transport_count (-1);
}

/* --- handshake ----------------------------------------------------------------- */

static void
handshake_lost (void *opaque, const char *reason)
{
  struct tcp_connection *connection = opaque;

  tcp_hold (connection);
  tcp_lost (connection, reason);
  tcp_release (connection);
}

void
tcp_connection_set_handshake (struct tcp_connection *connection,
                              struct handshake *handshake)
{
  connection->handshake = handshake;
  handshake_list (handshake, connection->reactor, connection->portal.peer,
                  handshake_lost, connection);
}

/* --- the end ------------------------------------------------------------------- */

static void
queue_drained (struct target_queue *queue)
{
  tcp_release ((struct tcp_connection *) queue);
}

/* Give up the requests that neither the target nor (partly) the wire has. */
static void
drop_requests (struct tcp_connection *connection)
{
  struct tcp_request *request, *next;

  for (request = TAILQ_FIRST (&connection->requests); request;
       request = next) {
    next = TAILQ_NEXT (request, in_connection);
    if (request->state == TCP_REQUEST_WAITING)
      tcp_buffer_cancel (request);
    if (request->state != TCP_REQUEST_EXECUTING && !request->out.queued)
      tcp_request_over (request);
  }
  connection->data_request = NULL;
  connection->data = NULL;
}

static void
close_now (struct tcp_connection *connection)
{
  if (connection->state == TCP_CLOSED)
    return;
  set_state (connection, TCP_CLOSED);
  handshake_over (&connection->handshake);
  reactor_timer_disarm (connection->reactor, &connection->limit);
  reactor_timer_disarm (connection->reactor, &connection->stall);
  if (connection->watch.fd >= 0)
    reactor_watch_remove (connection->reactor, &connection->watch);
  stream_close (connection->stream);
  connection->stream = NULL;
  tcp_drop_output (connection);
  drop_requests (connection);
  target_queue_disconnected (&connection->queue, queue_drained);
}

void
tcp_lost (struct tcp_connection *connection, const char *reason)
{
  target_queue_fail (&connection->queue, reason);
  close_now (connection);
}

void
tcp_closed (struct tcp_connection *connection, const char *reason)
{
  target_queue_closed (&connection->queue, reason);
  close_now (connection);
}

void
tcp_check_closed (struct tcp_connection *connection)
{
  bool over =
    connection->state == TCP_CLOSING ? TAILQ_EMPTY (&connection->requests)
    : connection->state == TCP_TERM && connection->ended;

  if (over && TAILQ_EMPTY (&connection->output))
    close_now (connection);
}

void
tcp_fatal (struct tcp_connection *connection, const struct tcp_fault *fault)
{
  log_warning ("%s: bad PDU, type %02xh: %s: %s", connection->portal.peer,
               connection->pdu.hdr.type, fault->field,
               tcp_fes_name (fault->fes));
  set_state (connection, TCP_TERM);
  target_queue_fail (&connection->queue, "its host broke the protocol");
  tcp_drop_output (connection);
  drop_requests (connection);
  tcp_send_term (connection, fault);
  arm_limit (connection, TCP_CLOSE_LIMIT_MS);
}

static void
limit_expired (struct reactor_timer *timer)
{
  struct tcp_connection *connection =
    (void *) ((char *) timer - offsetof (struct tcp_connection, limit));
  const char *peer = connection->portal.peer;

  tcp_hold (connection);
  switch (connection->state) {
  case TCP_ICREQ:
    limit_reached (LIMIT_HANDSHAKE_MS, peer, "no ICReq: closed");
    tcp_lost (connection, "no ICReq");
    break;
  case TCP_READY:
    if (connection->queue.state == TARGET_QUEUE_NEW) {
      limit_reached (LIMIT_HANDSHAKE_MS, peer, "no Connect: closed");
      tcp_lost (connection, "no Connect");
    }
    else if (connection->queue.state == TARGET_QUEUE_CONNECTING)
      arm_limit (connection, limit_value (LIMIT_HANDSHAKE_MS));
    break;
  case TCP_CLOSING:
  case TCP_TERM:
    close_now (connection);
    break;
  case TCP_CLOSED:
    assert (!"disarmed");
  }
  tcp_release (connection);
}

/* --- a host that does not do its part ------------------------------------------- */

static bool
waits_for_data (const struct tcp_connection *connection)
{
  const struct tcp_request *request;

  TAILQ_FOREACH (request, &connection->requests, in_connection)
    if (request->state == TCP_REQUEST_SOLICITED && !request->out.queued)
      return true;
  return false;
}

/* When the host will have been idle for too long, and in what; 0: nothing is
 * its turn. */
static uint64_t
stall_due_ms (const struct tcp_connection *connection, const char **what)
{
  uint64_t since_ms = UINT64_MAX;

  if (!TAILQ_EMPTY (&connection->output)) {
    since_ms = connection->sent_ms;
    *what = "no byte of its responses was taken: closed";
  }
  if (waits_for_data (connection) && connection->data_ms < since_ms) {
    since_ms = connection->data_ms;
    *what = "no byte of the data it was asked for: closed";
  }
  if (tcp_is_mid_pdu (connection) && connection->pdu_ms < since_ms) {
    since_ms = connection->pdu_ms;
    *what = "a PDU did not go on: closed";
  }
  return since_ms == UINT64_MAX ? 0 : since_ms + limit_value (LIMIT_STALL_MS);
}

static void
stall_expired (struct reactor_timer *timer)
{
  struct tcp_connection *connection =
    (void *) ((char *) timer - offsetof (struct tcp_connection, stall));
  const char *what = NULL;
  uint64_t due_ms;

  connection->stall_armed = false;
  tcp_hold (connection);
  /* A socket tells of room only when there is much of it. */
  tcp_flush (connection);
  due_ms = connection->state == TCP_READY
    ? stall_due_ms (connection, &what) : 0;
  if (due_ms > reactor_now_ms (connection->reactor)) {
    connection->stall_armed = true;
    reactor_timer_arm (connection->reactor, &connection->stall, due_ms);
  }
  else if (due_ms > 0) {
    limit_reached (LIMIT_STALL_MS, connection->portal.peer, what);
    tcp_lost (connection, "its host stalled");
  }
  tcp_release (connection);
}

void
tcp_watch_stall (struct tcp_connection *connection)
{
  if (connection->stall_armed)
    return;
  connection->stall_armed = true;
  reactor_timer_arm (connection->reactor, &connection->stall,
                     reactor_now_ms (connection->reactor)
                     + limit_value (LIMIT_STALL_MS));
}

/* --- the target's side ----------------------------------------------------------- */

static void
ops_complete (struct target_command *command)
{
  struct tcp_request *request = (struct tcp_request *) command;
  struct tcp_connection *connection = request->connection;

  tcp_hold (connection);
  if (connection->queue.state == TARGET_QUEUE_LIVE)
    handshake_over (&connection->handshake);
  if (connection->state != TCP_READY && connection->state != TCP_CLOSING)
    tcp_request_over (request);
  else if (command->lent != NULL)
    tcp_send_lent (request);
  else
    tcp_send_response (request);
  tcp_release (connection);
}

static void
ops_close (struct target_queue *queue)
{
  struct tcp_connection *connection = (struct tcp_connection *) queue;

  if (connection->state != TCP_ICREQ && connection->state != TCP_READY)
    return;
  tcp_hold (connection);
  set_state (connection, TCP_CLOSING);
  drop_requests (connection);
  arm_limit (connection, TCP_CLOSE_LIMIT_MS);
  tcp_check_closed (connection);
  tcp_release (connection);
}

static void
ops_each_command (struct target_queue *queue,
                  void (*each) (void *opaque,
                                const struct target_command *command,
                                enum target_stage stage),
                  void *opaque)
{
  static const enum target_stage stages[TCP_REQUEST_NR_STATES] = {
    [TCP_REQUEST_FREE] = TARGET_STAGE_RESPONSE,
    [TCP_REQUEST_CAPSULE] = TARGET_STAGE_CAPSULE,
    [TCP_REQUEST_WAITING] = TARGET_STAGE_BUFFER,
    [TCP_REQUEST_SOLICITED] = TARGET_STAGE_DATA,
    [TCP_REQUEST_EXECUTING] = TARGET_STAGE_ENGINE,
    [TCP_REQUEST_ANSWERING] = TARGET_STAGE_RESPONSE,
  };
  struct tcp_connection *connection = (struct tcp_connection *) queue;
  const struct tcp_request *request;

  TAILQ_FOREACH (request, &connection->requests, in_connection)
    each (opaque, &request->command, stages[request->state]);
}

static const struct target_transport_ops tcp_target_ops = {
  .trtype = NVMF_TRTYPE_TCP,
  .in_capsule_bytes = TCP_IN_CAPSULE_BYTES,
  /* SGLs (bits 1:0), offsets in the capsule, transport descriptors. */
  .sgls = 1 << 0 | NVME_CTRL_SGLS_OFFSET | NVME_CTRL_SGLS_TPORT,
  .complete = ops_complete,
  .close = ops_close,
  .each_command = ops_each_command,
};

/* --- the reactor's side ------------------------------------------------------------ */

void
tcp_connection_ready (struct tcp_connection *connection)
{
  tcp_hold (connection);
  /* Who closed wants no answers: what it sent before is not executed. */
  if (connection->peer_gone && connection->state == TCP_READY)
    target_queue_closed (&connection->queue, "its host closed a connection");
  if (connection->state != TCP_CLOSED)
    tcp_flush (connection);
  tcp_receive (connection);
  tcp_release (connection);
}

static void
watch_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct tcp_connection *connection =
    (void *) ((char *) watch - offsetof (struct tcp_connection, watch));

  if (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
    connection->peer_gone = true;
  tcp_connection_ready (connection);
}

static void
run_again (struct reactor_task *task)
{
  struct tcp_connection *connection =
    (void *) ((char *) task - offsetof (struct tcp_connection, again));

  connection->again_posted = false;
  tcp_receive (connection);
  tcp_release (connection);
}

void
tcp_again (struct tcp_connection *connection)
{
  if (connection->again_posted)
    return;
  connection->again_posted = true;
  tcp_hold (connection);
  reactor_post (connection->reactor, &connection->again);
}

static void
run_flush (struct reactor_task *task)
{
  struct tcp_connection *connection =
    (void *) ((char *) task - offsetof (struct tcp_connection, flush));

  connection->flush_deferred = false;
  tcp_flush (connection);
  tcp_release (connection);
}

enum { WATCH_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLET };

/* Not all the time: a Unix socket tells of room whenever its peer reads. */
void
tcp_watch_room (struct tcp_connection *connection)
{
  bool wants = !TAILQ_EMPTY (&connection->output);

  if (connection->state == TCP_CLOSED || connection->watch.fd < 0
      || wants == connection->wants_room)
    return;
  connection->wants_room = wants;
  reactor_watch_change (connection->reactor, &connection->watch,
                        WATCH_EVENTS | (wants ? EPOLLOUT : 0));
}

/* --- open -------------------------------------------------------------------------- */

static struct tcp_connection *
create (struct reactor *reactor, struct stream *stream,
        const struct target_portal *portal)
{
  struct tcp_connection *connection = calloc (1, sizeof *connection);

  if (connection == NULL)
    return NULL;
  connection->pool = tcp_pool_get (reactor);
  if (connection->pool == NULL) {
    free (connection);
    return NULL;
  }
  connection->reactor = reactor;
  connection->stream = stream;
  connection->portal = *portal;
  connection->state = TCP_ICREQ;
  connection->holds = 1;
  connection->watch.ready = watch_ready;
  connection->watch.fd = -1;
  connection->limit.expired = limit_expired;
  connection->stall.expired = stall_expired;
  connection->again.run = run_again;
  connection->flush.run = run_flush;
  connection->agreed.peer = TCP_PEER_HOST;
  connection->agreed.plen_max = sizeof (struct nvme_tcp_data)
    + TCP_MAXH2CDATA_BYTES + 2 * NVME_TCP_DIGEST_BYTES;
  TAILQ_INIT (&connection->requests);
  TAILQ_INIT (&connection->waiting);
  TAILQ_INIT (&connection->output);
  return connection;
}

struct tcp_connection *
tcp_connection_open (struct target *target, struct reactor *reactor,
                     struct stream *stream,
                     const struct target_portal *portal)
{
  struct tcp_connection *connection = create (reactor, stream, portal);

  if (connection == NULL) {
    log_error ("%s: out of memory: connection refused", portal->peer);
    stream_close (stream);
    return NULL;
  }
  transport_count (1);
  target_queue_init (&connection->queue, target, reactor, &tcp_target_ops,
                     &connection->portal);
  arm_limit (connection, limit_value (LIMIT_HANDSHAKE_MS));
  if (stream->fd >= 0) {
    int r;

    connection->watch.fd = stream->fd;
    r = reactor_watch_add (reactor, &connection->watch,
                           WATCH_EVENTS);
    if (r < 0) {
      log_error ("%s: cannot be watched: errno %d", portal->peer, -r);
      connection->watch.fd = -1;
      tcp_lost (connection, "it cannot be watched");
      return NULL;
    }
    tcp_expect (connection, sizeof (struct nvme_tcp_hdr));
  }
  return connection;
}
