/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of a server with hostile hosts: it must serve the next one.
 */
#ifndef QBD_HOSTILE_FIXTURE_H
#define QBD_HOSTILE_FIXTURE_H

#include <string.h>

#include "tests/unit/server-fixture.h"

static struct server server;

static inline int
setup (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

static inline int
teardown (void **state)
{
  server_stop (&server);
  return 0;
}

/* The server lives on: a good host reads what it wrote. */
static inline void
assert_serves (void)
{
  static uint8_t out[8192], in[8192];
  struct host admin, io;
  union nvme_command sqe;

  host_attach (&admin, &io, &server, 0);
  memset (out, 0x5a, sizeof out);
  sqe.rw = host_rw (nvme_cmd_write, 8, sizeof out / 512);
  assert_int_equal (host_status (&io, &sqe, HOST_SOLICITED, out, sizeof out),
                    0);
  sqe.rw = host_rw (nvme_cmd_read, 8, sizeof in / 512);
  assert_int_equal (host_status (&io, &sqe, HOST_READ, in, sizeof in), 0);
  assert_memory_equal (in, out, sizeof in);
  host_close (&io);
  host_close (&admin);
}

static inline void
expect_fatal (struct host *host, uint16_t fes, uint32_t fei)
{
  host_expect_term (host, fes, fei);
  host_close (host);
  assert_serves ();
}

#endif
