/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real server in the simulated world.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/engine.h"
#include "server/target/target.h"
#include "server/transport/transport.h"
#include "tests/sim/sim-server.h"
#include "tests/sim/world.h"

#define REACTORS_MAX 4
#define LINKS_MAX 256

struct sim_connection {
  struct reactor *reactor;
  struct tcp_connection *tcp;
  struct sim_server *server;
  struct stream *stream;
};

struct sim_server {
  struct sim_network network;
  struct reactor *reactors[REACTORS_MAX];
  unsigned nr_reactors;
  struct target *target;
  struct engine_pool *pool;
  struct engine_volume *volume;
  struct subsystem *subsystem;
  struct target_portal portal;
  struct sim_link *links[LINKS_MAX];
  struct sim_connection connections[LINKS_MAX];
  unsigned nr_links;
  void (*ready) (void *opaque);
  void *opaque;
};

static void
die (const struct error *err)
{
  fprintf (stderr, "sim: server: %s\n", err->message);
  abort ();
}

struct sim_server *
sim_server_new (unsigned nr_reactors, const struct sim_network *network,
                uint32_t block_size, uint64_t size_bytes)
{
  struct sim_server *server = calloc (1, sizeof *server);
  struct host_list hosts = { 0 };
  struct error err = { 0 };
  unsigned i;

  if (server == NULL || nr_reactors > REACTORS_MAX)
    abort ();
  server->network = *network;
  server->nr_reactors = nr_reactors;
  for (i = 0; i < nr_reactors; i++)
    if (reactor_create (i, &server->reactors[i], &err) < 0)
      die (&err);
  if (target_create (&server->target, &err) < 0
      || engine_ram.pool_open ("sim", "", server->reactors, nr_reactors,
                               &server->pool, &err) < 0
      || engine_ram.volume_create (server->pool, "disk", size_bytes,
                                   block_size, &err) < 0
      || engine_ram.volume_open (server->pool, "disk", &server->volume,
                                 &err) < 0
      || subsystem_add (server->target, server->volume, &hosts,
                        &server->subsystem, &err) < 0
      || address_parse ("sim", "tcp://simulated:4420", &server->portal.local,
                        &err) < 0)
    die (&err);
  target_allow_any_host (server->target, true);
  snprintf (server->portal.peer, sizeof server->portal.peer, "tcp://client");
  return server;
}

const char *
sim_server_nqn (struct sim_server *server)
{
  return subsystem_nqn (server->subsystem);
}

/* --- connections -------------------------------------------------------------- */

static void
open_on_reactor (void *arg)
{
  struct sim_connection *connection = arg;

  connection->tcp = tcp_connection_open (connection->server->target,
                                         connection->reactor,
                                         connection->stream,
                                         &connection->server->portal);
}

static void
ready_on_reactor (void *arg)
{
  struct sim_connection *connection = arg;

  tcp_connection_ready (connection->tcp);
}

static void
server_end_ready (void *opaque)
{
  struct sim_connection *connection = opaque;

  reactor_call (connection->reactor, ready_on_reactor, connection);
}

static void
client_end_ready (void *opaque)
{
  struct sim_server *server = opaque;

  if (server->ready)
    server->ready (server->opaque);
}

struct stream *
sim_server_dial (void *opaque, uint16_t qid, int timeout_ms,
                 struct error *err)
{
  struct sim_server *server = opaque;
  struct sim_connection *connection;
  struct stream *ends[2];

  if (server->nr_links == LINKS_MAX)
    abort ();
  connection = &server->connections[server->nr_links];
  server->links[server->nr_links++] = sim_link_open (&server->network, ends);
  connection->server = server;
  connection->reactor =
    server->reactors[world_chance (0, server->nr_reactors - 1)];
  connection->stream = ends[1];
  sim_link_on_ready (ends[0], client_end_ready, server);
  sim_link_on_ready (ends[1], server_end_ready, connection);
  reactor_call (connection->reactor, open_on_reactor, connection);
  if (connection->tcp == NULL)
    abort ();
  return ends[0];
}

void
sim_server_grow (struct sim_server *server, uint64_t size_bytes)
{
  struct error err;

  if (engine_ram.volume_resize (server->volume, size_bytes, &err) < 0)
    die (&err);
  subsystem_resized (server->subsystem);
}

void
sim_server_cut (struct sim_server *server)
{
  unsigned i;

  for (i = 0; i < server->nr_links; i++)
    sim_link_cut (server->links[i]);
}

void
sim_server_on_ready (struct sim_server *server, void (*ready) (void *opaque),
                     void *opaque)
{
  server->ready = ready;
  server->opaque = opaque;
}

/* --- the end ------------------------------------------------------------------ */

bool
sim_server_retire (struct sim_server *server)
{
  struct error err = { 0 };
  unsigned i;

  if (transport_connections () != 0) {
    fprintf (stderr, "sim: server: %u connections are left\n",
             transport_connections ());
    return false;
  }
  if (subsystem_remove (server->subsystem, "stop", &err) < 0) {
    fprintf (stderr, "sim: server: %s\n", err.message);
    return false;
  }
  engine_ram.volume_close (server->volume);
  engine_ram.pool_close (server->pool);
  target_destroy (server->target);
  for (i = 0; i < server->nr_links; i++)
    sim_link_release (server->links[i]);
  return true;
}

void
sim_server_free (struct sim_server *server)
{
  unsigned i;

  for (i = 0; i < server->nr_reactors; i++)
    reactor_destroy (server->reactors[i]);
  free (server);
}
