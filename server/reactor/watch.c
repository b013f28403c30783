/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors in the reactor's epoll set.
 */
#include <assert.h>
#include <errno.h>

#include "server/reactor/reactor-internal.h"

int
reactor_watch_add (struct reactor *reactor, struct reactor_watch *watch,
                   uint32_t epoll_events)
{
  struct epoll_event event = { .events = epoll_events, .data.ptr = watch };

  if (epoll_ctl (reactor->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
    return -errno;
  return 0;
}

void
reactor_watch_change (struct reactor *reactor, struct reactor_watch *watch,
                      uint32_t epoll_events)
{
  struct epoll_event event = { .events = epoll_events, .data.ptr = watch };
  int r = epoll_ctl (reactor->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);

  /* A change of what is in the set takes no memory. */
  assert (r == 0);
  (void) r;
}

void
reactor_watch_remove (struct reactor *reactor, struct reactor_watch *watch)
{
  int i;

  epoll_ctl (reactor->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
  for (i = reactor->next_event; i < reactor->nr_events; ++i)
    if (reactor->events[i].data.ptr == watch)
      reactor->events[i].data.ptr = NULL;
}
