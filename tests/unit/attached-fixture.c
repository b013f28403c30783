/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server, and a host that is attached to it: one of each in a process.
 */
#include "tests/unit/attached-fixture.h"

struct server server;
struct host admin, io;

int
setup_with (const struct server_options *options, uint8_t digests)
{
  server_start (&server, options);
  host_attach (&admin, &io, &server, digests);
  return 0;
}

int
setup (void **state)
{
  return setup_with (&(struct server_options) { 0 }, 0);
}

int
setup_4096 (void **state)
{
  return setup_with (&(struct server_options) { .block_size = 4096 }, 0);
}

int
setup_read_only (void **state)
{
  return setup_with (&(struct server_options) { .read_only = true }, 0);
}

int
setup_digests (void **state)
{
  return setup_with (&(struct server_options) { 0 },
                     NVME_TCP_DIGEST_HEADER | NVME_TCP_DIGEST_DATA);
}

int
teardown (void **state)
{
  host_close (&io);
  host_close (&admin);
  server_stop (&server);
  return 0;
}

int
setup_bare (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

int
teardown_bare (void **state)
{
  server_stop (&server);
  return 0;
}
