/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking for events before the loop sleeps: it saves the time that waking
 * up takes, and costs a processor.  So it is done by option, while events come
 * soon, and while requests come one at a time: many that come together are
 * served with less when the loop sleeps meanwhile.
 */
#include <sched.h>

#include "common/clock.h"
#include "server/reactor/reactor-internal.h"

/* So many turns with one request show that a crowd is gone.  Many, since a
 * crowd may also come one by one for a while. */
#define QUIET_TURNS 1000

void
reactor_set_poll (struct reactor *reactor, unsigned poll_us)
{
  reactor->poll.spin = spin_init (poll_us);
}

void
reactor_request_begins (struct reactor *reactor)
{
  struct poll_state *poll = &reactor->poll;

  poll->begun++;
  poll->nr_requests++;
  if (poll->begun > 1 || poll->nr_requests > 1)
    poll->crowded = QUIET_TURNS;
}

void
reactor_request_ends (struct reactor *reactor)
{
  reactor->poll.nr_requests--;
}

void
poll_turn_ends (struct reactor *reactor)
{
  struct poll_state *poll = &reactor->poll;

  if (poll->begun == 1 && poll->crowded > 0)
    poll->crowded--;
  poll->begun = 0;
}

static bool
has_something (struct reactor *reactor)
{
  reactor->nr_events = epoll_wait (reactor->epoll_fd, reactor->events,
                                   REACTOR_EVENTS_MAX, 0);
  if (reactor->nr_events < 0)
    reactor->nr_events = 0;
  return reactor->nr_events > 0 || mailbox_has (&reactor->mailbox) ||
         reactor->files.backend->has_done (reactor);
}

bool
poll_spin (struct reactor *reactor)
{
  struct poll_state *poll = &reactor->poll;
  uint64_t end_ns;

  if (poll->spin.now_us == 0 || poll->crowded > 0)
    return false;
  end_ns = spin_begin (&poll->spin, clock_now_ns ());
  do {
    if (has_something (reactor)) {
      spin_found (&poll->spin);
      return true;
    }
    sched_yield ();
  }
  while (clock_now_ns () < end_ns);
  return false;
}

int
poll_sleep (struct reactor *reactor, int timeout_ms)
{
  struct poll_state *poll = &reactor->poll;
  uint64_t before_ns;
  int n;

  if (poll->spin.limit_us == 0 || timeout_ms == 0)
    return epoll_wait (reactor->epoll_fd, reactor->events,
                       REACTOR_EVENTS_MAX, timeout_ms);
  before_ns = clock_now_ns ();
  n = epoll_wait (reactor->epoll_fd, reactor->events, REACTOR_EVENTS_MAX,
                  timeout_ms);
  spin_slept (&poll->spin, clock_now_ns () - before_ns);
  return n;
}
