/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the reactor and of what runs on it: one that runs, its turns, and
 * events that the test's own thread awaits.
 */
#ifndef QBD_REACTOR_FIXTURE_H
#define QBD_REACTOR_FIXTURE_H

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/eventfd.h>

#include <cmocka.h>

#include "server/reactor/reactor-internal.h"

static inline struct reactor *
start_reactor (void)
{
  struct reactor *reactor;
  struct error err;

  assert_int_equal (reactor_create (3, &reactor, &err), 0);
  assert_int_equal (reactor_start (reactor, &err), 0);
  return reactor;
}

/* An event that the test's thread awaits. */
static inline void
await (int event_fd)
{
  eventfd_t count;

  assert_int_equal (eventfd_read (event_fd, &count), 0);
}

struct turn {
  struct reactor *reactor;
  void (*fn) (void);
  struct reactor_task end;
  sem_t over;
};

static inline void
turn_is_over (struct reactor_task *task)
{
  sem_post (&((struct turn *) ((char *) task - offsetof (struct turn, end)))
              ->over);
}

static inline void
run_in_turn (void *opaque)
{
  struct turn *turn = opaque;

  turn->fn ();
  reactor_post (turn->reactor, &turn->end);
}

/* What is deferred in it, in turn, too, is done when this returns. */
static inline void
run_turn (struct reactor *reactor, void (*fn) (void))
{
  struct turn turn = {
    .reactor = reactor, .fn = fn, .end.run = turn_is_over,
  };

  sem_init (&turn.over, 0, 0);
  reactor_call (reactor, run_in_turn, &turn);
  sem_wait (&turn.over);
  sem_destroy (&turn.over);
}

#endif
