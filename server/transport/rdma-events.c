/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an RDMA device says by itself: that it, a port or a queue of it failed.
 * A device has one descriptor for that in a process; each reactor with
 * connections of it watches it, and whoever takes an event says it.
 *
 * It is for the log only.  What follows for the connections they hear by
 * other ways, whether a device says anything or not: work requests end with
 * errors, the connection manager tells that a device was removed, and time
 * limits judge one that does nothing any more (Keep Alive, stall_ms).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "server/transport/rdma-internal.h"

static void
say (const char *name, const struct ibv_async_event *event)
{
  switch (event->event_type) {
  case IBV_EVENT_PORT_ERR:
    log_warning ("RDMA device %s: port %d has no link", name,
                 event->element.port_num);
    break;
  case IBV_EVENT_PORT_ACTIVE:
    log_info ("RDMA device %s: port %d has a link", name,
              event->element.port_num);
    break;
  case IBV_EVENT_DEVICE_FATAL:
  case IBV_EVENT_CQ_ERR:
  case IBV_EVENT_SRQ_ERR:
  case IBV_EVENT_QP_FATAL:
    log_error ("RDMA device %s: %s", name,
               ibv_event_type_str (event->event_type));
    break;
  default:
    break;
  }
}

static void
events_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct rdma_device *device =
    (void *) ((char *) watch - offsetof (struct rdma_device, events));
  struct ibv_async_event event;

  while (ibv_get_async_event (device->verbs, &event) == 0) {
    say (ibv_get_device_name (device->verbs->device), &event);
    /* To destroy what an event is about waits for this. */
    ibv_ack_async_event (&event);
  }
}

int
rdma_events_start (struct rdma_device *device)
{
  int fd = device->verbs->async_fd;
  int r = rdma_set_nonblocking (fd);

  if (r < 0)
    return r;
  device->events.ready = events_ready;
  device->events.fd = fd;
  r = reactor_watch_add (device->reactor, &device->events,
                         EPOLLIN | EPOLLET);
  if (r < 0)
    device->events.fd = -1;
  return r;
}

void
rdma_events_stop (struct rdma_device *device)
{
  if (device->events.fd >= 0)
    reactor_watch_remove (device->reactor, &device->events);
}
