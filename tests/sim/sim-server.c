/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real server in the simulated world.
 *
 * A process that is killed lives on as its own ghost, until its connections
 * have ended and its memory can be freed: its links are cut and its mount is
 * dead, so that nobody hears of it and nothing it does has an effect.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/engine.h"
#include "server/target/target.h"
#include "server/transport/transport.h"
#include "tests/sim/sim-disk.h"
#include "tests/sim/sim-reactor.h"
#include "tests/sim/sim-server.h"
#include "tests/sim/world.h"

#define REACTORS_MAX 4
#define PATHS 8

struct process {
  struct sim_server *server;
  struct reactor *reactors[REACTORS_MAX];
  struct target *target;
  struct sim_mount *mount;
  struct subsystem *subsystem;
  struct target_portal portals[PATHS];
  char nqn[256];
  bool killed;
  struct process *next;
};

struct connection {
  struct process *process;
  struct reactor *reactor;
  struct tcp_connection *tcp;   /* NULL: not accepted yet */
  unsigned path;                /* the port's, which may be gone */
  struct sim_link *link;
  struct stream *stream;
  struct connection *next;
};

struct sim_server {
  struct sim_network network;
  unsigned nr_reactors;
  uint32_t block_size;
  struct sim_disk *disk;
  struct process *now;          /* NULL: none listens */
  struct process *processes;    /* all, ghosts too */
  struct connection *connections;
  uint64_t parted_until_us[PATHS], frozen_until_us;
  enum nvme_ana_state ana[PATHS];
};

static void
die (const struct error *err)
{
  fprintf (stderr, "sim: server: %s\n", err->message);
  abort ();
}

/* --- processes ------------------------------------------------------------------ */

/* One for each path, by which its hosts come. */
static void
make_portals (struct process *process, struct error *err)
{
  for (unsigned i = 0; i < PATHS; i++) {
    struct target_portal *portal = &process->portals[i];

    if (address_parse ("sim", "tcp://simulated:4420", &portal->local, err) < 0)
      die (err);
    snprintf (portal->peer, sizeof portal->peer, "tcp://client");
    portal->listener = target_add_listener (process->target);
    if (process->server->ana[i])
      target_set_ana (process->target, portal->listener,
                      process->server->ana[i]);
  }
}

void
sim_server_start (struct sim_server *server)
{
  struct process *process = calloc (1, sizeof *process);
  struct host_list hosts = { 0 };
  struct error err = { 0 };
  unsigned i;

  if (process == NULL)
    abort ();
  process->server = server;
  process->mount = sim_disk_mount (server->disk);
  for (i = 0; i < server->nr_reactors; i++)
    if (reactor_create (i, &process->reactors[i], &err) < 0)
      die (&err);
  if (target_create (&process->target, &err) < 0
      || subsystem_add (process->target, sim_mount_volume (process->mount),
                        &hosts, &process->subsystem, &err) < 0)
    die (&err);
  target_allow_any_host (process->target, true);
  make_portals (process, &err);
  snprintf (process->nqn, sizeof process->nqn, "%s",
            subsystem_nqn (process->subsystem));
  process->next = server->processes;
  server->processes = server->now = process;
}

struct sim_server *
sim_server_new (unsigned nr_reactors, const struct sim_network *network,
                uint32_t block_size, uint32_t nr_blocks, uint32_t most_blocks)
{
  struct sim_server *server = calloc (1, sizeof *server);

  if (server == NULL || nr_reactors > REACTORS_MAX)
    abort ();
  server->network = *network;
  server->nr_reactors = nr_reactors;
  server->block_size = block_size;
  server->disk = sim_disk_new (block_size, nr_blocks, most_blocks);
  sim_server_start (server);
  return server;
}

const char *
sim_server_nqn (struct sim_server *server)
{
  return server->processes->nqn;
}

/* --- connections -------------------------------------------------------------- */

static void
open_on_reactor (void *arg)
{
  struct connection *connection = arg;
  struct process *process = connection->process;

  connection->tcp = tcp_connection_open (process->target,
                                         connection->reactor,
                                         connection->stream,
                                         &process->portals[connection->path]);
  if (connection->tcp == NULL)
    abort ();
  tcp_connection_ready (connection->tcp);
}

static void
ready_on_reactor (void *arg)
{
  struct connection *connection = arg;

  if (sim_end_is_open (connection->stream))
    tcp_connection_ready (connection->tcp);
}

/* What is not accepted yet is looked at when it is. */
static void
server_end_ready (void *opaque)
{
  struct connection *connection = opaque;

  if (connection->tcp)
    sim_reactor_call_later (connection->reactor, ready_on_reactor,
                            connection);
}

static void
client_end_ready (void *opaque)
{
  struct sim_port *port = opaque;

  if (port->ready)
    port->ready (port->opaque);
}

struct stream *
sim_server_dial (void *opaque, uint16_t qid, int timeout_ms,
                 struct error *err)
{
  struct sim_port *port = opaque;
  struct sim_server *server = port->server;
  struct process *process = server->now;
  struct connection *connection;
  struct stream *ends[2];

  if (process == NULL) {
    error_set (err, ECONNREFUSED, "connect: sim: refused");
    return NULL;
  }
  connection = calloc (1, sizeof *connection);
  if (connection == NULL)
    abort ();
  connection->process = process;
  connection->path = port->path;
  connection->link = sim_link_open (&server->network, ends);
  connection->reactor =
    process->reactors[world_chance (0, server->nr_reactors - 1)];
  connection->stream = ends[1];
  connection->next = server->connections;
  server->connections = connection;
  sim_link_on_ready (ends[0], client_end_ready, port);
  sim_link_on_ready (ends[1], server_end_ready, connection);
  if (world_now_us () < server->parted_until_us[port->path])
    sim_link_stall (connection->link, server->parted_until_us[port->path]);
  sim_reactor_call_later (connection->reactor, open_on_reactor, connection);
  return ends[0];
}

/* --- what happens to it --------------------------------------------------------- */

void
sim_server_grow (struct sim_server *server, uint32_t nr_blocks)
{
  sim_disk_grow (server->disk, nr_blocks);
  if (server->now == NULL)
    return;                     /* the next one sees it */
  sim_mount_volume (server->now->mount)->size_bytes =
    (uint64_t) nr_blocks * server->block_size;
  subsystem_resized (server->now->subsystem);
}

static bool
is_on (const struct connection *connection, unsigned path)
{
  return path == ALL_PATHS || connection->path == path;
}

void
sim_server_set_ana (struct sim_server *server, unsigned path,
                    enum nvme_ana_state state)
{
  server->ana[path] = state;
  if (server->now)
    target_set_ana (server->now->target, server->now->portals[path].listener,
                    state);
}

void
sim_server_cut (struct sim_server *server, unsigned path)
{
  struct connection *connection;

  for (connection = server->connections; connection;
       connection = connection->next)
    if (is_on (connection, path))
      sim_link_cut (connection->link);
}

void
sim_server_stall (struct sim_server *server, unsigned path,
                  uint64_t longest_us)
{
  struct connection *connection;

  for (connection = server->connections; connection;
       connection = connection->next)
    if (is_on (connection, path) && world_chance (0, 3) > 0)
      sim_link_stall (connection->link,
                      world_now_us () + world_chance (0, longest_us));
}

void
sim_server_part (struct sim_server *server, unsigned path, uint64_t until_us)
{
  struct connection *connection;

  for (unsigned i = 0; i < PATHS; i++)
    if (path == ALL_PATHS || path == i)
      server->parted_until_us[i] = until_us;
  for (connection = server->connections; connection;
       connection = connection->next)
    if (is_on (connection, path))
      sim_link_stall (connection->link, until_us);
}

void
sim_server_freeze (struct sim_server *server, uint64_t until_us)
{
  for (unsigned i = 0; server->now && i < server->nr_reactors; i++)
    sim_reactor_freeze (server->now->reactors[i], until_us);
}

static void
end_process (struct sim_server *server, bool drain)
{
  struct process *process = server->now;
  struct connection *connection;

  if (process == NULL)
    return;
  server->now = NULL;
  process->killed = !drain;
  target_drain (process->target);
  for (connection = server->connections; connection && !drain;
       connection = connection->next)
    if (connection->process == process)
      sim_link_cut (connection->link);
}

void
sim_server_kill (struct sim_server *server, bool power)
{
  if (server->now)
    sim_mount_kill (server->now->mount);
  end_process (server, false);
  if (power)
    sim_disk_lose_power (server->disk);
}

/* It serves what it has, and its successor waits for that: the pool's lock. */
void
sim_server_stop (struct sim_server *server)
{
  end_process (server, true);
}

static void
each_nothing (void *opaque, const struct subsystem_host *host)
{
}

/* One that was stopped keeps the pool's lock until it is over. */
bool
sim_server_can_start (struct sim_server *server)
{
  const struct process *process;

  if (server->now)
    return false;
  for (process = server->processes; process; process = process->next)
    if (!sim_mount_is_over (process->mount)
        || (!process->killed
            && subsystem_each_host (process->subsystem, each_nothing, NULL)
               > 0))
      return false;
  return true;
}

/* --- the end ------------------------------------------------------------------ */

bool
sim_server_retire (struct sim_server *server)
{
  struct process *process;
  struct connection *connection;
  struct error err = { 0 };

  if (transport_connections () != 0) {
    fprintf (stderr, "sim: server: %u connections are left\n",
             transport_connections ());
    return false;
  }
  for (process = server->processes; process; process = process->next) {
    if (subsystem_remove (process->subsystem, "stop", &err) < 0) {
      fprintf (stderr, "sim: server: %s\n", err.message);
      return false;
    }
    sim_mount_free (process->mount);
    target_destroy (process->target);
  }
  for (connection = server->connections; connection;
       connection = connection->next)
    sim_link_release (connection->link);
  return true;
}

void
sim_server_free (struct sim_server *server)
{
  struct process *process, *next;
  struct connection *connection, *after;

  for (process = server->processes; process; process = next) {
    next = process->next;
    for (unsigned i = 0; i < server->nr_reactors; i++)
      reactor_destroy (process->reactors[i]);
    free (process);
  }
  for (connection = server->connections; connection; connection = after) {
    after = connection->next;
    free (connection);
  }
  sim_disk_free (server->disk);
  free (server);
}
