/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer of the RDMA connection manager that says what it is told to, and
 * prints what it hears: for cases of refusal.
 *
 *   rdma-peer connect HOST PORT READS DATA
 *       connects as one that answers so many READs at a time, with DATA
 *       (hexadecimal) as private data: "accepted", "rejected DATA"
 *   rdma-peer stay HOST PORT READS DATA
 *       the same, and then says nothing until the connection ends
 *   rdma-peer listen HOST PORT accept|reject|silent DATA
 *       treats every connection request like that, until it is killed
 */
#include <err.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rdma/rdma_cma.h>

enum { RESOLVE_MS = 5000 };

struct data {
  uint8_t bytes[196];
  uint8_t n;
};

static struct rdma_event_channel *channel;

static struct data
parse (const char *hex)
{
  struct data data = { .n = (uint8_t) (strlen (hex) / 2) };

  if (data.n > sizeof data.bytes)
    errx (2, "too long: %s", hex);
  for (unsigned i = 0; i < data.n; i++)
    if (sscanf (hex + 2 * i, "%2hhx", &data.bytes[i]) != 1)
      errx (2, "not hexadecimal: %s", hex);
  return data;
}

static struct sockaddr *
look_up (const char *host, const char *port)
{
  struct addrinfo hints = {
    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    .ai_socktype = SOCK_STREAM,
  };
  struct addrinfo *list;
  int r = getaddrinfo (host, port, &hints, &list);

  if (r != 0)
    errx (2, "%s: %s", host, gai_strerror (r));
  return list->ai_addr;         /* for as long as the process lives */
}

static struct rdma_cm_event *
next_event (void)
{
  struct rdma_cm_event *event;

  if (rdma_get_cm_event (channel, &event) != 0)
    err (1, "rdma_get_cm_event");
  return event;
}

static void
expect (enum rdma_cm_event_type type)
{
  struct rdma_cm_event *event = next_event ();

  if (event->event != type)
    errx (1, "%s: %d", rdma_event_str (event->event), event->status);
  rdma_ack_cm_event (event);
}

static void
make_queue_pair (struct rdma_cm_id *id)
{
  struct ibv_qp_init_attr attr = {
    .qp_type = IBV_QPT_RC,
    .cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1,
             .max_recv_sge = 1 },
  };

  attr.send_cq = attr.recv_cq = ibv_create_cq (id->verbs, 2, NULL, NULL, 0);
  if (!attr.send_cq || rdma_create_qp (id, NULL, &attr) != 0)
    err (1, "queue pair");
}

static struct rdma_conn_param
parameters (const struct data *data, uint8_t reads)
{
  return (struct rdma_conn_param) {
    .private_data = data->bytes,
    .private_data_len = data->n,
    .responder_resources = reads,
    .initiator_depth = 1,
    .retry_count = 7,
    .rnr_retry_count = 7,
  };
}

/* True when it was accepted. */
static bool
connect_as_told (struct rdma_cm_id *id, struct sockaddr *address,
                 uint8_t reads, const struct data *data)
{
  struct rdma_conn_param param = parameters (data, reads);
  struct rdma_cm_event *event;

  if (rdma_resolve_addr (id, NULL, address, RESOLVE_MS) != 0)
    err (1, "rdma_resolve_addr");
  expect (RDMA_CM_EVENT_ADDR_RESOLVED);
  if (rdma_resolve_route (id, RESOLVE_MS) != 0)
    err (1, "rdma_resolve_route");
  expect (RDMA_CM_EVENT_ROUTE_RESOLVED);
  make_queue_pair (id);
  if (rdma_connect (id, &param) != 0)
    err (1, "rdma_connect");
  event = next_event ();
  if (event->event == RDMA_CM_EVENT_ESTABLISHED) {
    puts ("accepted");
    rdma_ack_cm_event (event);
    return true;
  }
  if (event->event == RDMA_CM_EVENT_REJECTED) {
    const uint8_t *said = event->param.conn.private_data;

    printf ("rejected ");
    for (unsigned i = 0; i < 4 && i < event->param.conn.private_data_len; i++)
      printf ("%02x", said[i]);
    puts ("");
  }
  else
    errx (1, "%s: %d", rdma_event_str (event->event), event->status);
  return false;
}

static void
answer_as_told (struct rdma_cm_id *id, const char *how,
                const struct data *data)
{
  struct rdma_conn_param param = parameters (data, 1);

  if (strcmp (how, "reject") == 0)
    rdma_reject (id, data->bytes, data->n);
  else if (strcmp (how, "accept") == 0) {
    make_queue_pair (id);
    if (rdma_accept (id, &param) != 0)
      err (1, "rdma_accept");
  }
}

static void
listen_as_told (struct rdma_cm_id *id, struct sockaddr *address,
                const char *how, const struct data *data)
{
  if (rdma_bind_addr (id, address) != 0 || rdma_listen (id, 8) != 0)
    err (1, "rdma_listen");
  puts ("listening");
  for (;;) {
    struct rdma_cm_event *event = next_event ();

    puts (rdma_event_str (event->event));
    if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST)
      answer_as_told (event->id, how, data);
    rdma_ack_cm_event (event);
  }
}

int
main (int argc, char **argv)
{
  struct rdma_cm_id *id;
  struct data data;

  if (argc != 6)
    errx (2, "usage: rdma-peer connect|stay HOST PORT READS DATA, "
          "rdma-peer listen HOST PORT accept|reject|silent DATA");
  setvbuf (stdout, NULL, _IOLBF, 0);
  data = parse (argv[5]);
  channel = rdma_create_event_channel ();
  if (!channel || rdma_create_id (channel, &id, NULL, RDMA_PS_TCP) != 0)
    err (1, "RDMA");
  if (strcmp (argv[1], "listen") == 0)
    listen_as_told (id, look_up (argv[2], argv[3]), argv[4], &data);
  if (connect_as_told (id, look_up (argv[2], argv[3]),
                       (uint8_t) atoi (argv[4]), &data)
      && strcmp (argv[1], "stay") == 0)
    puts (rdma_event_str (next_event ()->event));
  return 0;
}
