/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Input: bytes to PDUs to commands.  Headers are collected in the
 * connection, data go to the request's buffer: small ones by way of the
 * reactor's receive buffer, large ones at once.  Everything that a peer says
 * is checked by nvmeof/tcp-check.h (the connection's errors) and
 * target_command_prepare (the command's).
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "nvmeof/digest.h"
#include "server/transport/tcp-internal.h"

static void
next_pdu (struct tcp_connection *connection)
{
  connection->phase = TCP_PHASE_HEADER;
  connection->have_bytes = 0;
  connection->header_bytes = 0;
  connection->data_request = NULL;
  connection->data = NULL;
}

/* Data of bytes follow, to p, or nowhere when that is NULL. */
static void
expect_data (struct tcp_connection *connection, struct tcp_request *request,
             uint8_t *p, uint32_t bytes)
{
  connection->phase = TCP_PHASE_DATA;
  connection->data_request = request;
  connection->data = p;
  connection->data_left_bytes = bytes;
  connection->data_digest = digest_begin ();
}

/* --- requests ---------------------------------------------------------------------- */

/* A digest has to look at the data; and what the socket has no room for is
 * copied anyway. */
static void
execute (struct tcp_request *request)
{
  const struct tcp_connection *connection = request->connection;

  request->command.may_borrow = !connection->agreed.ddgst
    && TAILQ_EMPTY (&connection->output);
  tcp_request_set_state (request, TCP_REQUEST_EXECUTING);
  target_command_execute (&request->command);
}

static void
fail (struct tcp_request *request, uint16_t status)
{
  tcp_request_set_state (request, TCP_REQUEST_EXECUTING);
  target_command_fail (&request->command, status);
}

/* A tag that no other request has whose data are still to come. */
static uint16_t
new_ttag (struct tcp_connection *connection)
{
  const struct tcp_request *request;
  uint16_t ttag;

  do {
    ttag = ++connection->last_ttag;
    TAILQ_FOREACH (request, &connection->requests, in_connection)
      if (request->state == TCP_REQUEST_SOLICITED && request->ttag == ttag)
        break;
  } while (request);
  return ttag;
}

/* It has its buffer: ask for the data, or for the command's result. */
static void
proceed (struct tcp_request *request)
{
  if (request->command.data == TARGET_DATA_TO_HOST) {
    execute (request);
    return;
  }
  request->ttag = new_ttag (request->connection);
  tcp_request_set_state (request, TCP_REQUEST_SOLICITED);
  tcp_send_r2t (request);
}

void
tcp_request_granted (struct tcp_request *request, int result)
{
  if (result < 0)
    fail (request, NVME_SC_INTERNAL);
  else
    proceed (request);
}

/* --- command capsules -------------------------------------------------------------- */

static uint32_t
in_capsule_max (const struct tcp_connection *connection)
{
  return connection->queue.qid > 0
    ? TCP_IN_CAPSULE_BYTES : NVMEOF_ADMIN_CAPSULE_DATA;
}

/* A command whose data, if any, are not in the capsule. */
static void
begin_without_data (struct tcp_request *request, uint16_t status)
{
  uint8_t type = request->command.sqe.common.dptr.type;
  int r;

  if (status) {
    tcp_send_response (request);
    return;
  }
  /* SPDK's host says 00h for 5Ah. */
  if (type != NVME_SGL_TRANSPORT && type != NVME_SGL_DATA_OFFSET
      && type != 0) {
    fail (request, NVME_SC_SGL_INVALID_TYPE | NVME_SC_DNR);
    return;
  }
  if (request->command.data_bytes == 0) {
    execute (request);
    return;
  }
  r = tcp_buffer_get (request);
  if (r != -EAGAIN)
    tcp_request_granted (request, r);
}

/* The capsule's data are to be received, and thrown away when the command
 * cannot use them. */
static void
begin_in_capsule (struct tcp_request *request, uint16_t status,
                  uint32_t bytes)
{
  tcp_request_set_state (request, TCP_REQUEST_CAPSULE);
  request->refused = status != 0;
  if (status == 0 && tcp_buffer_get (request) < 0)
    request->status = NVME_SC_INTERNAL;
  expect_data (request->connection, request, request->command.buffer, bytes);
}

static void
handle_capsule (struct tcp_connection *connection)
{
  const struct nvme_tcp_cmd *pdu = &connection->pdu.cmd;
  uint32_t bytes = tcp_data_bytes (&pdu->hdr, &connection->agreed);
  struct target_queue *queue = &connection->queue;
  struct tcp_request *request;
  struct tcp_fault fault;
  uint16_t status;

  if (tcp_check_cmd (pdu, &connection->agreed, in_capsule_max (connection),
                     &fault) < 0) {
    tcp_fatal (connection, &fault);
    return;
  }
  if (queue->nr_inflight >= target_queue_limit (queue)) {
    fault = (struct tcp_fault) {
      .fes = NVME_TCP_FES_SEQUENCE, .field = "commands in flight",
    };
    tcp_fatal (connection, &fault);
    return;
  }
  if ((request = tcp_request_get (connection)) == NULL) {
    log_error ("%s: out of memory: closed", connection->portal.peer);
    tcp_lost (connection, "the server is out of memory");
    return;
  }
  request->command.queue = queue;
  request->command.sqe = pdu->sqe;
  status = target_command_prepare (&request->command, le32_to_cpu
                                   (pdu->sqe.common.dptr.length), bytes > 0);
  if (bytes > 0)
    begin_in_capsule (request, status, bytes);
  else {
    next_pdu (connection);
    begin_without_data (request, status);
  }
}

/* --- data of a write ----------------------------------------------------------------- */

static struct tcp_request *
find_solicited (struct tcp_connection *connection, uint16_t ttag)
{
  struct tcp_request *request;

  TAILQ_FOREACH (request, &connection->requests, in_connection)
    if (request->state == TCP_REQUEST_SOLICITED && request->ttag == ttag
        && !request->out.queued)        /* its R2T is out */
      break;
  return request;
}

static void
handle_h2c_data (struct tcp_connection *connection)
{
  const struct nvme_tcp_data *pdu = &connection->pdu.data;
  struct tcp_request *request = find_solicited (connection, pdu->ttag);
  struct tcp_fault fault = {
    .fes = NVME_TCP_FES_INVALID_HEADER,
    .fei = offsetof (struct nvme_tcp_data, ttag),
    .field = "ttag",
  };
  struct tcp_expect expect;

  if (request == NULL) {
    tcp_fatal (connection, &fault);
    return;
  }
  expect = (struct tcp_expect) {
    .cccid = request->command.sqe.common.cid,
    .ttag = request->ttag,
    .datao = request->received_bytes,
    .left = request->command.data_bytes - request->received_bytes,
    .pdu_max = TCP_MAXH2CDATA_BYTES,
  };
  if (tcp_check_h2c_data (pdu, &connection->agreed, &expect, &fault) < 0) {
    tcp_fatal (connection, &fault);
    return;
  }
  expect_data (connection, request, (uint8_t *) request->command.buffer
               + request->received_bytes, le32_to_cpu (pdu->datal));
}

/* All data of a PDU are here, and good or not. */
static void
finish_data (struct tcp_connection *connection, bool good)
{
  struct tcp_request *request = connection->data_request;

  if (request == NULL) {        /* given up meanwhile, or none */
    next_pdu (connection);
    return;
  }
  if (!good && !request->refused)
    request->status = NVME_SC_TRAN_TPORT_ERROR;
  if (request->state == TCP_REQUEST_SOLICITED) {
    request->received_bytes += le32_to_cpu (connection->pdu.data.datal);
    if (request->received_bytes < request->command.data_bytes) {
      next_pdu (connection);
      return;
    }
  }
  next_pdu (connection);
  if (request->refused)
    tcp_send_response (request);
  else if (request->status)
    fail (request, request->status);
  else
    execute (request);
}

/* --- the other PDUs ------------------------------------------------------------------- */

static void
handle_icreq (struct tcp_connection *connection)
{
  const struct nvme_tcp_icreq *icreq = &connection->pdu.icreq;
  struct tcp_fault fault;

  if (tcp_check_icreq (icreq, &fault) < 0) {
    tcp_fatal (connection, &fault);
    return;
  }
  connection->agreed.hdgst = icreq->digest & NVME_TCP_DIGEST_HEADER;
  connection->agreed.ddgst = icreq->digest & NVME_TCP_DIGEST_DATA;
  connection->agreed.ic_done = true;
  next_pdu (connection);
  tcp_send_icresp (connection);
  tcp_set_ready (connection);
}

static void
handle_term (struct tcp_connection *connection)
{
  const struct nvme_tcp_term *term = &connection->pdu.term;

  log_warning ("%s: its host ended the connection: %s, offset %u",
               connection->portal.peer, tcp_fes_name (le16_to_cpu (term->fes)),
               le32_to_cpu (term->fei));
  tcp_lost (connection, "its host sent a TermReq");
}

static void
handle_pdu (struct tcp_connection *connection)
{
  const struct nvme_tcp_hdr *hdr = &connection->pdu.hdr;
  const struct tcp_fault digest_fault = {
    .fes = NVME_TCP_FES_HDGST, .field = "header digest",
  };

  if (connection->header_bytes > hdr->hlen
      && !digest_header_good (hdr, hdr->hlen)) {
    tcp_fatal (connection, &digest_fault);
    return;
  }
  switch (hdr->type) {
  case NVME_TCP_ICREQ:
    handle_icreq (connection);
    break;
  case NVME_TCP_CMD:
    handle_capsule (connection);
    break;
  case NVME_TCP_H2C_DATA:
    handle_h2c_data (connection);
    break;
  case NVME_TCP_H2C_TERM:
    handle_term (connection);
    break;
  default:
    assert (!"checked");
  }
}

/* --- bytes ----------------------------------------------------------------------------- */

static bool
parsing (const struct tcp_connection *connection)
{
  return connection->state == TCP_ICREQ || connection->state == TCP_READY;
}

/* Each of these takes bytes and returns how many. */

/* Of what is to be known of a PDU next. */
static uint32_t
header_wanted (const struct tcp_connection *connection)
{
  return connection->header_bytes ? connection->header_bytes
    : (uint32_t) sizeof (struct nvme_tcp_hdr);
}

static size_t
take_header (struct tcp_connection *connection, const uint8_t *p, size_t n)
{
  uint32_t want = header_wanted (connection);
  struct tcp_fault fault;

  if (connection->have_bytes == 0)
    connection->pdu_ms = reactor_now_ms (connection->reactor);
  if (n > want - connection->have_bytes)
    n = want - connection->have_bytes;
  memcpy (connection->pdu.bytes + connection->have_bytes, p, n);
  connection->have_bytes += (uint32_t) n;
  if (connection->have_bytes < want)
    return n;
  if (connection->header_bytes > 0)
    handle_pdu (connection);
  else if (tcp_check_header (&connection->pdu.hdr, &connection->agreed,
                             &fault) < 0)
    tcp_fatal (connection, &fault);
  else
    connection->header_bytes = tcp_header_bytes (&connection->pdu.hdr,
                                                 &connection->agreed);
  return n;
}

/* p is where the data are, already in place or not. */
static void
account_data (struct tcp_connection *connection, const uint8_t *p, size_t n)
{
  if (connection->agreed.ddgst)
    connection->data_digest = digest_feed (connection->data_digest, p, n);
  if (connection->data)
    connection->data += n;
  connection->data_left_bytes -= (uint32_t) n;
  connection->pdu_ms = reactor_now_ms (connection->reactor);
  if (connection->data_request
      && connection->data_request->state == TCP_REQUEST_SOLICITED)
    connection->data_ms = reactor_now_ms (connection->reactor);
  if (connection->data_left_bytes > 0)
    return;
  if (connection->agreed.ddgst) {
    connection->phase = TCP_PHASE_DIGEST;
    connection->have_bytes = 0;
  }
  else
    finish_data (connection, true);
}

static size_t
take_data (struct tcp_connection *connection, const uint8_t *p, size_t n)
{
  if (n > connection->data_left_bytes)
    n = connection->data_left_bytes;
  if (connection->data)
    memcpy (connection->data, p, n);
  account_data (connection, p, n);
  return n;
}

static size_t
take_digest (struct tcp_connection *connection, const uint8_t *p, size_t n)
{
  __le32 digest;

  if (n > NVME_TCP_DIGEST_BYTES - connection->have_bytes)
    n = NVME_TCP_DIGEST_BYTES - connection->have_bytes;
  memcpy (connection->digest + connection->have_bytes, p, n);
  connection->have_bytes += (uint32_t) n;
  if (connection->have_bytes == NVME_TCP_DIGEST_BYTES) {
    digest = digest_end (connection->data_digest);
    finish_data (connection, memcmp (&digest, connection->digest,
                                     sizeof digest) == 0);
  }
  return n;
}

static void
parse (struct tcp_connection *connection, const uint8_t *p, size_t n)
{
  while (n > 0 && parsing (connection)) {
    size_t taken = 0;

    switch (connection->phase) {
    case TCP_PHASE_HEADER:
      taken = take_header (connection, p, n);
      break;
    case TCP_PHASE_DATA:
      taken = take_data (connection, p, n);
      break;
    case TCP_PHASE_DIGEST:
      taken = take_digest (connection, p, n);
      break;
    }
    p += taken;
    n -= taken;
    tcp_flush_early (connection);
  }
}

/* One receive: large data directly, the rest by way of the buffer.  False
 * when there is nothing more now. */
static bool
receive_once (struct tcp_connection *connection, size_t *received)
{
  uint8_t *buffer = tcp_pool_receive_buffer (connection->pool);
  size_t direct = 0, room = TCP_RECEIVE_BUFFER_BYTES;
  struct iovec iov[2];
  int iovcnt = 0;
  ssize_t n;

  if (parsing (connection) && connection->phase == TCP_PHASE_DATA
      && connection->data
      && connection->data_left_bytes >= TCP_DIRECT_BYTES) {
    direct = connection->data_left_bytes;
    iov[iovcnt++] = (struct iovec) { connection->data, direct };
    room += direct;
  }
  iov[iovcnt++] = (struct iovec) { buffer, TCP_RECEIVE_BUFFER_BYTES };
  n = stream_receive (connection->stream, iov, iovcnt);
  if (n == -EAGAIN)
    return false;
  if (n <= 0) {
    /* A TermReq on its way out is not cut off by who only stopped sending. */
    if (n == 0 && connection->state == TCP_TERM) {
      connection->ended = true;
      tcp_check_closed (connection);
    }
    else
      tcp_closed (connection, n == 0 ? "its host closed a connection"
                  : "a connection of its host broke");
    return false;
  }
  target_queue_heard (&connection->queue);
  *received = (size_t) n;
  if (direct > (size_t) n)
    direct = (size_t) n;
  if (direct > 0)
    account_data (connection, connection->data, direct);
  if ((size_t) n > direct)
    parse (connection, buffer, (size_t) n - direct);
  /* A socket that gave less than it could is empty: the next bytes or the
   * end are a new event. */
  return (size_t) n == room || connection->peer_gone
    || connection->watch.fd < 0;
}

void
tcp_receive (struct tcp_connection *connection)
{
  size_t turn = 0, n = 0;

  connection->turn_large_bytes = 0;

  while (parsing (connection)
         || (connection->state == TCP_TERM && !connection->ended)) {
    if (turn >= TCP_TURN_BYTES) {
      tcp_again (connection);
      return;
    }
    if (!receive_once (connection, &n))
      break;
    turn += n;
  }
  if (connection->state == TCP_ICREQ)
    tcp_expect (connection,
                header_wanted (connection) - connection->have_bytes);
  if (connection->state == TCP_READY && tcp_is_mid_pdu (connection))
    tcp_watch_stall (connection);
}
