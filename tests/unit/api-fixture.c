/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server of the management API's tests.
 */
#include "tests/unit/api-fixture.h"

struct reactor *reactor;
struct target *target;
struct api_server server;

static void
one_listener (void *opaque,
              void (*each) (void *opaque, const struct address *,
                            const char *ana),
              void *each_opaque)
{
  static const struct address listener = {
    .family = ADDRESS_TCP, .host = "127.0.0.1", .port = "4420",
  };

  each (each_opaque, &listener, "optimized");
}

static unsigned
no_connections (void)
{
  return 0;
}

int
api_start (struct error *err)
{
  if (reactor_create (0, &reactor, err) < 0
      || target_create (&target, err) < 0
      || volumes_new (target, &reactor, 1, &server.volumes, err) < 0
      || volumes_open_pool (server.volumes, &engine_ram, "demo", "", err) < 0
      || reactor_start (reactor, err) < 0)
    return -err->code;
  server.each_listener = one_listener;
  server.nr_reactors = 1;
  server.file_backend = reactor_file_backend (reactor);
  server.connections = no_connections;
  return 0;
}

int
api_stop (struct error *err)
{
  if (volumes_free (server.volumes, err) < 0)
    return -err->code;
  reactor_destroy (reactor);
  target_destroy (target);
  return 0;
}
