/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output: PDUs are built in the memory of what they belong to and chained;
 * what one turn of the reactor produced leaves in few system calls.  Each
 * request has at most one PDU chain queued, so that output is bounded by the
 * commands in flight.
 */
#include <errno.h>
#include <string.h>

#include "nvmeof/digest.h"
#include "server/transport/tcp-internal.h"

enum { FLUSH_IOV = 128 };

/* --- the chain ------------------------------------------------------------------- */

static void
out_begin (struct tcp_out *out)
{
  assert (!out->queued);
  out->iov_first = out->iov_end = 0;
}

static void
out_add (struct tcp_out *out, void *base, size_t bytes)
{
  assert (out->iov_end < sizeof out->iov / sizeof out->iov[0]);
  out->iov[out->iov_end++] = (struct iovec) { base, bytes };
}

static void
queue_out (struct tcp_connection *connection, struct tcp_out *out)
{
  out->queued = true;
  if (TAILQ_EMPTY (&connection->output))
    connection->sent_ms = reactor_now_ms (connection->reactor);
  tcp_watch_stall (connection);
  TAILQ_INSERT_TAIL (&connection->output, out, link);
  connection->nr_output++;
  if (connection->flush_deferred)
    return;
  connection->flush_deferred = true;
  tcp_hold (connection);
  reactor_defer (connection->reactor, &connection->flush);
}

static void
unqueue_out (struct tcp_connection *connection, struct tcp_out *out)
{
  TAILQ_REMOVE (&connection->output, out, link);
  connection->nr_output--;
  out->queued = false;
}

void
tcp_request_over (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;

  if (request->command.lent != NULL) {
    target_command_return (&request->command, request->command.data_bytes);
    connection->borrower = NULL;
  }
  tcp_request_set_state (request, TCP_REQUEST_FREE);
  target_command_done (&request->command);
  tcp_request_put (request);
}

static void
out_sent (struct tcp_connection *connection, struct tcp_out *out)
{
  struct tcp_request *request = out->request;

  unqueue_out (connection, out);
  if (request == NULL)
    return;
  /* An R2T's request lives on, unless the connection ends. */
  if (request->state == TCP_REQUEST_ANSWERING
      || connection->state != TCP_READY)
    tcp_request_over (request);
  else
    connection->data_ms = reactor_now_ms (connection->reactor);
}

static void
advance (struct tcp_connection *connection, size_t bytes)
{
  struct tcp_out *out;

  while (bytes > 0) {
    struct iovec *iov;

    out = TAILQ_FIRST (&connection->output);
    iov = &out->iov[out->iov_first];
    if (bytes < iov->iov_len) {
      iov->iov_base = (uint8_t *) iov->iov_base + bytes;
      iov->iov_len -= bytes;
      return;
    }
    bytes -= iov->iov_len;
    if (++out->iov_first == out->iov_end)
      out_sent (connection, out);
  }
}

/* Somewhat more than a turn's share, at the most. */
static int
gather (const struct tcp_connection *connection, struct iovec *iov)
{
  const struct tcp_out *out;
  size_t bytes = 0;
  int n = 0;

  TAILQ_FOREACH (out, &connection->output, link)
    for (unsigned i = out->iov_first; i < out->iov_end; i++) {
      if (n == FLUSH_IOV || bytes >= TCP_TURN_BYTES)
        return n;
      bytes += out->iov[i].iov_len;
      iov[n++] = out->iov[i];
    }
  return n;
}

/* The socket would take more, but it is the others' turn. */
static void
flush_later (struct tcp_connection *connection)
{
  if (connection->flush_deferred)
    return;
  connection->flush_deferred = true;
  tcp_hold (connection);
  reactor_post (connection->reactor, &connection->flush);
}

void
tcp_flush (struct tcp_connection *connection)
{
  struct iovec iov[FLUSH_IOV];
  size_t turn = 0;
  ssize_t n;

  tcp_hold (connection);
  while (connection->state != TCP_CLOSED
         && !TAILQ_EMPTY (&connection->output)) {
    if (turn >= TCP_TURN_BYTES) {
      flush_later (connection);
      break;
    }
    n = stream_send (connection->stream, iov, gather (connection, iov));
    if (n == -EAGAIN || (n == -EFAULT && connection->borrower != NULL))
      break;                    /* end_loan looks what is there */
    if (n < 0) {
      tcp_closed (connection, "a connection of its host broke");
      break;
    }
    connection->sent_ms = reactor_now_ms (connection->reactor);
    turn += (size_t) n;
    advance (connection, (size_t) n);
  }
  tcp_watch_room (connection);
  tcp_check_closed (connection);
  tcp_release (connection);
}

/* Many commands that came together: the host goes on with the first answers
 * while the server works on the rest. */
void
tcp_flush_early (struct tcp_connection *connection)
{
  if (connection->nr_output >= TCP_FLUSH_PDUS && !connection->wants_room)
    tcp_flush (connection);
}

/* A PDU of which the peer has a part must be completed, or what follows
 * makes no sense to it. */
static bool
is_partial (const struct tcp_out *out, const uint8_t *first_byte)
{
  return out->iov_first > 0 || out->iov[0].iov_base != first_byte;
}

static const uint8_t *
first_byte_of (const struct tcp_connection *connection,
               const struct tcp_out *out)
{
  if (out->request)
    return out->request->head;
  return out == &connection->icresp_out
    ? (const uint8_t *) &connection->icresp
    : (const uint8_t *) &connection->term;
}

void
tcp_drop_output (struct tcp_connection *connection)
{
  struct tcp_out *out, *next;

  for (out = TAILQ_FIRST (&connection->output); out; out = next) {
    next = TAILQ_NEXT (out, link);
    if (connection->state != TCP_CLOSED
        && is_partial (out, first_byte_of (connection, out)))
      continue;
    unqueue_out (connection, out);
  }
}

/* --- PDUs ------------------------------------------------------------------------ */

void
tcp_send_icresp (struct tcp_connection *connection)
{
  struct nvme_tcp_icresp *icresp = &connection->icresp;

  memset (icresp, 0, sizeof *icresp);
  tcp_make_hdr (&icresp->hdr, NVME_TCP_ICRESP, 0, 0, &connection->agreed);
  icresp->digest = (connection->agreed.hdgst ? NVME_TCP_DIGEST_HEADER : 0)
    | (connection->agreed.ddgst ? NVME_TCP_DIGEST_DATA : 0);
  icresp->maxh2cdata = cpu_to_le32 (TCP_MAXH2CDATA_BYTES);
  out_begin (&connection->icresp_out);
  out_add (&connection->icresp_out, icresp, sizeof *icresp);
  queue_out (connection, &connection->icresp_out);
}

void
tcp_send_term (struct tcp_connection *connection,
               const struct tcp_fault *fault)
{
  uint32_t bytes = connection->have_bytes;

  /* The header at fault follows, as far as it came. */
  if (bytes > NVME_TCP_TERM_DATA_MAX)
    bytes = NVME_TCP_TERM_DATA_MAX;
  tcp_make_term (&connection->term.term, NVME_TCP_C2H_TERM, fault, bytes);
  memcpy (connection->term.pdu, &connection->pdu, bytes);
  out_begin (&connection->term_out);
  out_add (&connection->term_out, &connection->term,
           sizeof connection->term.term + bytes);
  queue_out (connection, &connection->term_out);
}

/* Adds the header digest; returns the bytes to send. */
static size_t
finish_head (const struct tcp_connection *connection, void *hdr, size_t hlen)
{
  if (!connection->agreed.hdgst)
    return hlen;
  digest_header_put (hdr, hlen);
  return hlen + NVME_TCP_DIGEST_BYTES;
}

void
tcp_send_r2t (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;
  struct nvme_tcp_r2t r2t = {
    .cccid = request->command.sqe.common.cid,
    .ttag = request->ttag,
    .r2tl = cpu_to_le32 (request->command.data_bytes),
  };

  tcp_make_hdr (&r2t.hdr, NVME_TCP_R2T, 0, 0, &connection->agreed);
  memcpy (request->head, &r2t, sizeof r2t);
  out_begin (&request->out);
  out_add (&request->out, request->head,
           finish_head (connection, request->head, sizeof r2t));
  queue_out (connection, &request->out);
}

static size_t
make_response (const struct tcp_request *request, uint8_t *to)
{
  const struct tcp_connection *connection = request->connection;
  struct nvme_tcp_rsp rsp = { .cqe = request->command.cqe };

  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &connection->agreed);
  memcpy (to, &rsp, sizeof rsp);
  return finish_head (connection, to, sizeof rsp);
}

/* C2HData with all the data, and the response unless its flag SUCCESS says
 * the same. */
static void
add_data (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;
  struct target_command *command = &request->command;
  bool success = connection->queue.sqflow_disabled
    && le64_to_cpu (command->cqe.value) == 0;
  struct nvme_tcp_data data = {
    .cccid = command->sqe.common.cid,
    .datal = cpu_to_le32 (command->result_bytes),
  };
  uint8_t *tail = request->tail;

  tcp_make_hdr (&data.hdr, NVME_TCP_C2H_DATA, NVME_TCP_F_DATA_LAST
                | (success ? NVME_TCP_F_DATA_SUCCESS : 0),
                command->result_bytes, &connection->agreed);
  memcpy (request->head, &data, sizeof data);
  out_add (&request->out, request->head,
           finish_head (connection, request->head, sizeof data));
  out_add (&request->out, command->lent ? (void *) (uintptr_t) command->lent
           : command->buffer, command->result_bytes);
  if (connection->agreed.ddgst) {
    __le32 digest = digest_end (digest_feed (digest_begin (),
                                             command->buffer,
                                             command->result_bytes));

    memcpy (tail, &digest, sizeof digest);
    tail += sizeof digest;
  }
  if (!success)
    tail += make_response (request, tail);
  if (tail > request->tail)
    out_add (&request->out, request->tail, (size_t) (tail - request->tail));
}

void
tcp_send_response (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;

  tcp_request_set_state (request, TCP_REQUEST_ANSWERING);
  out_begin (&request->out);
  if (request->command.result_bytes > 0)
    add_data (request);
  else
    out_add (&request->out, request->head,
             make_response (request, request->head));
  queue_out (connection, &request->out);
}

/* What was not sent at once is copied, or others would wait for this host. */
static void
end_loan (struct tcp_connection *connection, struct tcp_request *request)
{
  struct target_command *command = &request->command;
  struct iovec *data = &request->out.iov[1];
  uint32_t sent_bytes = 0;

  if (request->out.iov_first > 1)
    sent_bytes = command->result_bytes;
  else if (request->out.iov_first == 1)
    sent_bytes = (uint32_t) ((const uint8_t *) data->iov_base
                             - command->lent);
  data->iov_base = (uint8_t *) command->buffer + sent_bytes;
  connection->borrower = NULL;
  if (target_command_return (command, sent_bytes) < 0)
    tcp_lost (connection, "data that were to be sent are gone");
}

void
tcp_send_lent (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;

  tcp_send_response (request);
  connection->borrower = request;
  tcp_flush (connection);
  if (connection->borrower != NULL)
    end_loan (connection, request);
}
