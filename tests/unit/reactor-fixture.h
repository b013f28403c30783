/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the reactor: one that runs, and events that the test's own thread
 * awaits.
 */
#ifndef QBD_REACTOR_FIXTURE_H
#define QBD_REACTOR_FIXTURE_H

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

#endif
