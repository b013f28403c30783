/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening for RDMA connections: reactor 0 reads connection requests,
 * checks their private data, gives each its own event channel, and hands
 * them to the reactors in turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "server/transport/internal.h"
#include "server/transport/rdma-internal.h"

enum { BACKLOG = 128 };

struct rdma_listener {
  struct target *target;                /* constant */
  struct reactor *const *reactors;      /* constant */
  unsigned nr_reactors;                 /* constant */
  char uri[ADDRESS_TEXT_MAX];           /* constant */
  struct rdma_event_channel *channel;
  struct rdma_cm_id *id;
  /* reactor 0's */
  struct reactor_watch watch;
  unsigned next_reactor;
};

/* --- connection requests -------------------------------------------------------- */

static struct rdma_event_channel *
nonblocking_channel (void)
{
  struct rdma_event_channel *channel = rdma_create_event_channel ();
  int flags;

  if (channel == NULL)
    return NULL;
  flags = fcntl (channel->fd, F_GETFL);
  fcntl (channel->fd, F_SETFL, flags | O_NONBLOCK);
  return channel;
}

static void
fill_portal (struct target_portal *portal, struct rdma_cm_id *id)
{
  struct address peer = { 0 };

  transport_fill_address (&portal->local, ADDRESS_RDMA,
                          rdma_get_local_addr (id));
  transport_fill_address (&peer, ADDRESS_RDMA, rdma_get_peer_addr (id));
  address_format (&peer, portal->peer, sizeof portal->peer);
}

static void
take_over (struct reactor_task *task)
{
  rdma_connection_open ((struct rdma_incoming *)
                        ((char *) task - offsetof (struct rdma_incoming,
                                                   task)));
}

/* Its event is acknowledged. */
static void
drop (struct rdma_cm_id *id, const char *what, int error)
{
  log_error ("connection refused: %s: %s", what, strerror (error));
  rdma_reject (id, NULL, 0);
  rdma_destroy_id (id);
}

static void
connect_request (struct rdma_listener *listener, struct rdma_cm_event *event)
{
  struct rdma_incoming *incoming = calloc (1, sizeof *incoming);
  struct rdma_cm_id *id = event->id;
  uint16_t sts = 0;

  if (incoming) {
    sts = rdma_check_request (event->param.conn.private_data,
                              event->param.conn.private_data_len,
                              RDMA_ENTRIES_MAX, &incoming->asked);
    incoming->initiator_depth = event->param.conn.initiator_depth;
    /* Without READs of ours no large write is possible. */
    if (sts == 0 && incoming->initiator_depth == 0)
      sts = NVME_RDMA_CM_INVALID_IRD;
    incoming->channel = nonblocking_channel ();
  }
  rdma_ack_cm_event (event);
  if (incoming == NULL || incoming->channel == NULL
      || rdma_migrate_id (id, incoming->channel) != 0) {
    drop (id, "event channel", errno);
    if (incoming && incoming->channel)
      rdma_destroy_event_channel (incoming->channel);
    free (incoming);
    return;
  }
  incoming->id = id;
  incoming->target = listener->target;
  incoming->reactor =
    listener->reactors[listener->next_reactor++ % listener->nr_reactors];
  incoming->task.run = take_over;
  fill_portal (&incoming->portal, id);
  transport_count (1);
  if (sts)
    rdma_incoming_refuse (incoming, sts);
  else
    reactor_post (incoming->reactor, &incoming->task);
}

static void
channel_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct rdma_listener *listener =
    (void *) ((char *) watch - offsetof (struct rdma_listener, watch));
  struct rdma_cm_event *event;

  while (rdma_get_cm_event (listener->channel, &event) == 0) {
    if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
      connect_request (listener, event);
      continue;
    }
    if (event->event == RDMA_CM_EVENT_DEVICE_REMOVAL)
      log_error ("listen: %s: the RDMA device was removed: no more hosts can "
                 "connect here until the server is started again",
                 listener->uri);
    rdma_ack_cm_event (event);
  }
}

/* --- life -------------------------------------------------------------------------- */

static int
bind_and_listen (struct rdma_listener *listener, struct address *address,
                 struct error *err)
{
  const struct addrinfo hints = {
    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
    .ai_flags = AI_NUMERICSERV | AI_PASSIVE,
  };
  struct addrinfo *list;
  int r = getaddrinfo (address->host, address->port, &hints, &list);

  if (r != 0)
    return error_set (err, EADDRNOTAVAIL, "listen: %s: %s", listener->uri,
                      gai_strerror (r));
  r = rdma_bind_addr (listener->id, list->ai_addr);
  freeaddrinfo (list);
  if (r != 0)
    return error_set (err, errno, "listen: %s: %s", listener->uri,
                      errno == ENODEV || errno == EADDRNOTAVAIL
                      ? "no RDMA device has this address"
                      : strerror (errno));
  if (rdma_listen (listener->id, BACKLOG) != 0)
    return error_set (err, errno, "listen: %s: %s", listener->uri,
                      strerror (errno));
  snprintf (address->port, sizeof address->port, "%u",
            ntohs ((wire_force uint16_t) rdma_get_src_port (listener->id)));
  address_format (address, listener->uri, sizeof listener->uri);
  return 0;
}

int
rdma_listener_open (struct target *target, struct address *address,
                    struct reactor *const *reactors, unsigned nr_reactors,
                    struct rdma_listener **result, struct error *err)
{
  struct rdma_listener *listener = calloc (1, sizeof *listener);
  int r;

  if (listener == NULL)
    return error_set (err, ENOMEM, "listen: out of memory");
  listener->target = target;
  listener->reactors = reactors;
  listener->nr_reactors = nr_reactors;
  address_format (address, listener->uri, sizeof listener->uri);
  listener->watch.ready = channel_ready;
  r = rdma_memory_check (nr_reactors, listener->uri, err);
  if (r < 0)
    goto err;
  listener->channel = nonblocking_channel ();
  if (listener->channel == NULL
      || rdma_create_id (listener->channel, &listener->id, NULL,
                         RDMA_PS_TCP) != 0) {
    r = error_set (err, errno, "listen: %s: RDMA: %s", listener->uri,
                   strerror (errno));
    goto err;
  }
  r = bind_and_listen (listener, address, err);
  if (r < 0)
    goto err;
  listener->watch.fd = listener->channel->fd;
  *result = listener;
  return 0;

 err:
  rdma_listener_close (listener);
  return r;
}

void
rdma_listener_start (struct rdma_listener *listener)
{
  int r = reactor_watch_add (listener->reactors[0], &listener->watch,
                             EPOLLIN | EPOLLET);

  if (r < 0)
    log_error ("listen: %s: cannot be watched: %s", listener->uri,
               strerror (-r));
}

void
rdma_listener_stop (struct rdma_listener *listener)
{
  reactor_watch_remove (listener->reactors[0], &listener->watch);
}

void
rdma_listener_close (struct rdma_listener *listener)
{
  if (listener == NULL)
    return;
  if (listener->id)
    rdma_destroy_id (listener->id);
  if (listener->channel)
    rdma_destroy_event_channel (listener->channel);
  free (listener);
}
