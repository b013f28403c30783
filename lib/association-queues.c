/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections of an association.  The first ones are waited for, those
 * that come after a loss are not, and take no memory: addresses are kept,
 * queues begin anew.  The driver's.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/association-steps.h"

static int
remaining_ms (const struct association *association)
{
  uint64_t left_ms = association->deadline_ms > association->now_ms ?
    association->deadline_ms - association->now_ms : 0;

  return left_ms < INT_MAX ? (int) left_ms : INT_MAX;
}

/* --- RDMA ---------------------------------------------------------------- */

#if HAVE_RDMA

static struct rdma_queue_params
rdma_params (const struct association *association, uint16_t qid,
             uint16_t depth)
{
  return (struct rdma_queue_params) {
    .qid = qid,
    .depth = depth,
    .cntlid = qid > 0 ? association->cntlid : 0,
    .poll_us = association->params.options.poll_us,
  };
}

static struct transport_queue *
open_rdma (struct association *association, uint16_t qid, uint16_t depth,
           struct error *err)
{
  const struct rdma_queue_params rdma = rdma_params (association, qid, depth);

  return rdma_queue_create (&association->route.places[association->place],
                            association->uri, &rdma, err);
}

static int
renew_rdma (struct association *association,
            struct transport_queue *transport, uint16_t qid, uint16_t depth,
            struct error *err)
{
  const struct rdma_queue_params rdma = rdma_params (association, qid, depth);
  int r = rdma_queue_renew (transport,
                            &association->route.places[association->place],
                            &rdma);

  if (r < 0)
    error_set (err, -r, "connect: %s: RDMA: %s", association->uri,
               strerror (-r));
  return r;
}

#else

static struct transport_queue *
open_rdma (struct association *association, uint16_t qid, uint16_t depth,
           struct error *err)
{
  error_set (err, EPROTONOSUPPORT, "connect: %s: RDMA was left out of this "
             "build", association->uri);
  return NULL;
}

static int
renew_rdma (struct association *association,
            struct transport_queue *transport, uint16_t qid, uint16_t depth,
            struct error *err)
{
  assert (!"it was never made");
  return -EPROTONOSUPPORT;
}

#endif

/* --- TCP ---------------------------------------------------------------- */

static struct tcp_queue_params
tcp_params (const struct association *association, uint16_t qid,
            uint16_t depth)
{
  return (struct tcp_queue_params) {
    .qid = qid,
    .depth = depth,
    .hdr_digest = association->params.options.hdr_digest,
    .data_digest = association->params.options.data_digest,
  };
}

/* --- addresses ---------------------------------------------------------- */

int
association_look_up (struct association *association, struct error *err)
{
  const struct association_params *params = &association->params;

  if (association->route.nr > 0)
    return 0;
  return stream_resolve (&association->server, remaining_ms (association),
                         params->attempt ? params->attempt->fd : -1,
                         &association->route, err);
}

void
association_next_place (struct association *association)
{
  if (association->route.nr > 0)
    association->place = (association->place + 1) % association->route.nr;
}

/* --- the first ---------------------------------------------------------- */

static struct stream *
dial (struct association *association, uint16_t qid, struct error *err)
{
  const struct association_params *params = &association->params;
  int cancel_fd = params->attempt ? params->attempt->fd : -1;

  if (params->dial)
    return params->dial (params->opaque, qid, remaining_ms (association),
                         err);
  if (association_look_up (association, err) < 0)
    return NULL;
  return stream_connect_route (&association->route, &association->server,
                               remaining_ms (association), cancel_fd,
                               &association->place, err);
}

static struct transport_queue *
open_tcp (struct association *association, uint16_t qid, uint16_t depth,
          struct error *err)
{
  const struct tcp_queue_params tcp = tcp_params (association, qid, depth);
  struct stream *stream = dial (association, qid, err);
  struct transport_queue *transport;

  if (!stream)
    return NULL;
  transport = tcp_queue_create (stream, &tcp);
  if (!transport)
    error_set (err, ENOMEM, "connect: %s: out of memory", association->uri);
  return transport;
}

static struct queue *
create_on (struct association *association,
           struct transport_queue *transport, uint16_t qid, struct error *err)
{
  struct queue_params params;
  struct queue *queue;

  association_queue_params (association, &params);
  if (association->server.family == ADDRESS_RDMA || qid == 0)
    params.poll_us = 0;         /* verbs poll for themselves */
  queue = queue_create (transport, &params);
  if (!queue)
    error_set (err, ENOMEM, "connect: %s: out of memory", association->uri);
  return queue;
}

static struct queue *
create (struct association *association, uint16_t qid, uint16_t depth,
        struct error *err)
{
  struct transport_queue *transport;

  if (association->server.family == ADDRESS_RDMA)
    transport = open_rdma (association, qid, depth, err);
  else
    transport = open_tcp (association, qid, depth, err);
  return transport ? create_on (association, transport, qid, err) : NULL;
}

/* --- the others --------------------------------------------------------- */

struct renewal {
  struct association *association;
  uint16_t qid, depth;
  struct error *err;
};

static struct stream *
dial_again (struct association *association, uint16_t qid, struct error *err)
{
  const struct association_params *params = &association->params;
  struct stream *stream = &association->sockets[qid];
  int r;

  if (params->dial)
    return params->dial (params->opaque, qid, 0, err);
  if (association->route.nr == 0) {
    error_set (err, EHOSTUNREACH, "connect: %s: its name was not found",
               association->uri);
    return NULL;
  }
  r = stream_connect_begin (&association->route.places[association->place],
                            stream);
  if (r == 0)
    return stream;
  error_set (err, -r, "connect: %s: %s", association->uri, strerror (-r));
  return NULL;
}

static int
renew_tcp (struct transport_queue *transport, const struct renewal *renewal)
{
  const struct tcp_queue_params tcp =
    tcp_params (renewal->association, renewal->qid, renewal->depth);
  struct stream *stream = dial_again (renewal->association, renewal->qid,
                                      renewal->err);

  if (!stream)
    return -renewal->err->code;
  tcp_queue_renew (transport, stream, &tcp);
  return 0;
}

static int
renew (struct transport_queue *transport, void *opaque)
{
  const struct renewal *renewal = opaque;

  if (renewal->association->server.family == ADDRESS_RDMA)
    return renew_rdma (renewal->association, transport, renewal->qid,
                       renewal->depth, renewal->err);
  return renew_tcp (transport, renewal);
}

int
association_open_queue (struct association *association,
                        struct queue **queue, uint16_t qid, uint16_t depth,
                        struct error *err)
{
  struct renewal renewal = { association, qid, depth, err };

  if (*queue)
    return queue_renew (*queue, renew, &renewal);
  *queue = create (association, qid, depth, err);
  return *queue ? 0 : -err->code;
}

/* --- before the first --------------------------------------------------- */

static ssize_t
nowhere (struct stream *stream, struct iovec *iov, int iovcnt)
{
  return -ENOTCONN;
}

static void
nothing (struct stream *stream)
{
}

static const struct stream_ops no_stream = {
  .receive = nowhere,
  .send = nowhere,
  .shutdown = nothing,
  .abort = nothing,
  .close = nothing,
};

static struct transport_queue *
prepare_tcp (struct association *association, uint16_t qid, uint16_t depth,
             struct error *err)
{
  const struct tcp_queue_params tcp = tcp_params (association, qid, depth);
  struct stream *stream = &association->sockets[qid];
  struct transport_queue *transport;

  *stream = (struct stream) { .ops = &no_stream, .fd = -1 };
  transport = tcp_queue_create (stream, &tcp);
  if (!transport)
    error_set (err, ENOMEM, "connect: %s: out of memory", association->uri);
  return transport;
}

static int
prepare (struct association *association, struct queue **queue, uint16_t qid,
         uint16_t depth, struct error *err)
{
  struct transport_queue *transport;

  if (association->server.family == ADDRESS_RDMA)
    transport = open_rdma (association, qid, depth, err);
  else
    transport = prepare_tcp (association, qid, depth, err);
  if (!transport)
    return -err->code;
  *queue = create_on (association, transport, qid, err);
  if (!*queue)
    return -err->code;
  queue_shut (*queue, ENOTCONN, "not connected yet");
  return 0;
}

int
association_prepare_queues (struct association *association, uint32_t nr_io,
                            struct error *err)
{
  if (prepare (association, &association->admin, 0, ADMIN_SLOTS, err) < 0)
    return -err->code;
  for (uint32_t i = 0; i < nr_io; i++) {
    if (prepare (association, &association->io[i], (uint16_t) (i + 1),
                 association->io_slots, err) < 0)
      return -err->code;
    association->nr_io++;
  }
  return 0;
}
