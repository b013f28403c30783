/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening for RDMA connections: reactor 0 reads connection requests,
 * checks their private data, gives each its own event channel, and hands
 * them to the reactors in turn.  When the device of the address is removed, a
 * worker tries again and again to listen, until there is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/transport/internal.h"
#include "server/transport/rdma-internal.h"

enum {
  BACKLOG = 128,
  RETRY_MS = 1000,              /* while the address has no device */
};

struct rdma_listener {
  struct target *target;                /* constant */
  struct reactor *const *reactors;      /* constant */
  unsigned nr_reactors;                 /* constant */
  uint8_t number;                       /* constant */
  char uri[ADDRESS_TEXT_MAX];           /* constant */
  struct sockaddr_storage bound;        /* constant; with the real port */
  /* These two are the worker's while it is busy. */
  struct rdma_event_channel *channel;
  struct rdma_cm_id *id;
  /* reactor 0's */
  struct reactor_watch watch;
  struct reactor_timer retry;
  struct reactor_work work;
  int result;                           /* the worker's */
  bool stopped;
  unsigned next_reactor;

  pthread_mutex_t lock;
  pthread_cond_t idle;
  bool busy;                            /* lock: the worker has it */
};

/* --- again, when the device has gone ------------------------------------------------ */

static struct rdma_event_channel *
nonblocking_channel (void)
{
  struct rdma_event_channel *channel = rdma_create_event_channel ();

  if (channel != NULL)
    rdma_set_nonblocking (channel->fd);
  return channel;
}

static void
close_channel (struct rdma_listener *listener)
{
  if (listener->id)
    rdma_destroy_id (listener->id);
  if (listener->channel)
    rdma_destroy_event_channel (listener->channel);
  listener->id = NULL;
  listener->channel = NULL;
}

static int
open_channel (struct rdma_listener *listener)
{
  listener->channel = nonblocking_channel ();
  if (listener->channel == NULL
      || rdma_create_id (listener->channel, &listener->id, NULL,
                         RDMA_PS_TCP) != 0)
    return -errno;
  return 0;
}

/* Worker thread. */
static void
try_to_listen (struct reactor_work *work)
{
  struct rdma_listener *listener =
    (void *) ((char *) work - offsetof (struct rdma_listener, work));
  int r;

  close_channel (listener);
  rdma_forget_removed ();
  r = open_channel (listener);
  if (r == 0
      && (rdma_bind_addr (listener->id,
                          (struct sockaddr *) &listener->bound) != 0
          || rdma_listen (listener->id, BACKLOG) != 0))
    r = -errno;
  listener->result = r;
}

static bool
serves_again (struct rdma_listener *listener)
{
  if (listener->result < 0)
    return false;
  listener->watch.fd = listener->channel->fd;
  if (!rdma_listener_start (listener)) {
    listener->watch.fd = -1;
    return false;
  }
  log_info ("listen: %s: there is an RDMA device again", listener->uri);
  return true;
}

static void
tried_to_listen (struct reactor_work *work)
{
  struct rdma_listener *listener =
    (void *) ((char *) work - offsetof (struct rdma_listener, work));
  struct reactor *reactor = listener->reactors[0];

  if (!listener->stopped && !serves_again (listener))
    reactor_timer_arm (reactor, &listener->retry,
                       reactor_now_ms (reactor) + RETRY_MS);
  /* From here on it may be gone. */
  LOCK_SCOPE (&listener->lock);
  listener->busy = false;
  pthread_cond_signal (&listener->idle);
}

static void
listen_again (struct rdma_listener *listener)
{
  pthread_mutex_lock (&listener->lock);
  listener->busy = true;
  pthread_mutex_unlock (&listener->lock);
  listener->work.work = try_to_listen;
  listener->work.done = tried_to_listen;
  reactor_work_submit (listener->reactors[0], &listener->work);
}

static void
retry_expired (struct reactor_timer *timer)
{
  listen_again ((void *) ((char *) timer
                          - offsetof (struct rdma_listener, retry)));
}

/* --- connection requests -------------------------------------------------------- */

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

/* A host may have what CAP.MQES will tell it. */
static uint16_t
entries_max (void)
{
  unsigned limit = limit_value (LIMIT_QUEUE_SIZE);

  return (uint16_t) (limit > RDMA_ENTRIES_MAX ? limit : RDMA_ENTRIES_MAX);
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
                              entries_max (), &incoming->asked);
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
  incoming->portal.listener = listener->number;
  transport_count (1);
  if (sts) {
    rdma_incoming_refuse (incoming, sts);
    return;
  }
  incoming->handshake =
    handshake_begin (rdma_get_peer_addr (id), listener->uri);
  if (incoming->handshake)
    reactor_post (incoming->reactor, &incoming->task);
  else
    rdma_incoming_reject (incoming, NVME_RDMA_CM_NO_RSC);
}

static void
channel_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct rdma_listener *listener =
    (void *) ((char *) watch - offsetof (struct rdma_listener, watch));
  struct rdma_cm_event *event;
  bool removed = false;

  while (rdma_get_cm_event (listener->channel, &event) == 0) {
    if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
      connect_request (listener, event);
      continue;
    }
    removed |= event->event == RDMA_CM_EVENT_DEVICE_REMOVAL;
    rdma_ack_cm_event (event);
  }
  if (!removed)
    return;
  log_error ("listen: %s: the RDMA device was removed: no host can connect "
             "here until the address has one again", listener->uri);
  reactor_watch_remove (listener->reactors[0], watch);
  watch->fd = -1;
  listen_again (listener);
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
  memcpy (&listener->bound, rdma_get_local_addr (listener->id),
          sizeof listener->bound);
  snprintf (address->port, sizeof address->port, "%u",
            ntohs ((wire_force uint16_t) rdma_get_src_port (listener->id)));
  address_format (address, listener->uri, sizeof listener->uri);
  return 0;
}

int
rdma_listener_open (struct target *target, uint8_t number,
                    struct address *address,
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
  listener->number = number;
  address_format (address, listener->uri, sizeof listener->uri);
  listener->watch.ready = channel_ready;
  listener->retry.expired = retry_expired;
  pthread_mutex_init (&listener->lock, NULL);
  pthread_cond_init (&listener->idle, NULL);
  r = rdma_memory_check (nr_reactors, listener->uri, err);
  if (r < 0)
    goto err;
  rdma_first_look ();
  r = open_channel (listener);
  if (r < 0) {
    error_set (err, -r, "listen: %s: RDMA: %s", listener->uri, strerror (-r));
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

bool
rdma_listener_start (struct rdma_listener *listener)
{
  int r = reactor_watch_add (listener->reactors[0], &listener->watch,
                             EPOLLIN | EPOLLET);

  if (r < 0)
    log_error ("listen: %s: cannot be watched: %s", listener->uri,
               strerror (-r));
  return r == 0;
}

void
rdma_listener_stop (struct rdma_listener *listener)
{
  struct reactor *reactor = listener->reactors[0];

  listener->stopped = true;
  reactor_timer_disarm (reactor, &listener->retry);
  reactor_watch_remove (reactor, &listener->watch);
}

void
rdma_listener_close (struct rdma_listener *listener)
{
  if (listener == NULL)
    return;
  pthread_mutex_lock (&listener->lock);
  while (listener->busy)
    pthread_cond_wait (&listener->idle, &listener->lock);
  pthread_mutex_unlock (&listener->lock);
  pthread_cond_destroy (&listener->idle);
  pthread_mutex_destroy (&listener->lock);
  close_channel (listener);
  free (listener);
}
