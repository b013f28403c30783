/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server as a whole, from start to end.  One thread at a time.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "server/control/control.h"
#include "server/control/volumes.h"
#include "server/listeners.h"
#include "server/reactor/reactor.h"
#include "server/server.h"
#include "server/target/target.h"
#include "server/transport/transport.h"

struct server {
  const struct options *options;
  unsigned nr_reactors;                 /* made so far */
  struct reactor *reactors[OPTIONS_REACTORS_MAX];
  struct target *target;
  struct volumes *volumes;
  struct listeners *listeners;
  struct api_server api;
  struct control *control;
};

static int
create_reactors (struct server *server, struct error *err)
{
  int r;

  while (server->nr_reactors < server->options->nr_reactors) {
    r = reactor_create (server->nr_reactors,
                        &server->reactors[server->nr_reactors], err);
    if (r < 0)
      return r;
    reactor_set_poll (server->reactors[server->nr_reactors],
                      server->options->poll_us);
    server->nr_reactors++;
  }
  return 0;
}

static int
open_pools (struct server *server, struct error *err)
{
  const struct options *options = server->options;
  int r;

  r = volumes_new (server->target, server->reactors, server->nr_reactors,
                   &server->volumes, err);
  if (r < 0)
    return r;
  for (unsigned i = 0; i < options->nr_pools; ++i) {
    r = volumes_open_pool (server->volumes, options->pools[i].engine,
                           options->pools[i].name, options->pools[i].argument,
                           err);
    if (r < 0)
      return r;
  }
  return 0;
}

static int
open_listeners (struct server *server, struct error *err)
{
  const struct options *options = server->options;
  int r;

  r = listeners_new (server->target, server->reactors, server->nr_reactors,
                     &server->listeners, err);
  if (r == 0)
    r = listeners_prepare (server->listeners, options->listen, options->ana,
                           options->nr_listen, err);
  return r;
}

/* Whoever serves other machines wants to know why they see nothing. */
static void
log_masking (const struct options *options)
{
  if (options->allow_any_host)
    return;
  for (unsigned i = 0; i < options->nr_listen; ++i)
    if (!address_is_local (&options->listen[i])) {
      log_info ("listen: volumes without a list of hosts (qbd host) are for "
                "those that come in on a Unix socket or a loopback "
                "address only; --allow-any-host changes it");
      return;
    }
}

void
server_set_limits (const struct options *options)
{
  for (unsigned i = 0; i < LIMIT_NR; ++i)
    limit_set ((enum limit) i, options->limits[i]);
}

void
server_set_masking (struct server *server, const struct options *options)
{
  target_allow_any_host (server->target, options->allow_any_host);
  log_masking (options);
}

static int
run (struct server *server, struct error *err)
{
  int r;

  for (unsigned i = 0; i < server->nr_reactors; ++i) {
    r = reactor_start (server->reactors[i], err);
    if (r < 0)
      return r;
  }
  listeners_commit (server->listeners);
  return 0;
}

static void
each_listener (void *opaque,
               void (*each) (void *opaque, const struct address *,
                             const char *ana),
               void *each_opaque)
{
  struct server *server = opaque;

  listeners_each (server->listeners, each, each_opaque);
}

static int
open_control (struct server *server, struct error *err)
{
  server->api = (struct api_server) {
    .volumes = server->volumes,
    .server = server,
    .each_listener = each_listener,
    .nr_reactors = server->nr_reactors,
    .file_backend = reactor_file_backend (server->reactors[0]),
    .connections = transport_connections,
  };
  return control_start (&server->api, server->options->control,
                        &server->control, err);
}

int
server_start (const struct options *options, struct server **server,
              struct error *err)
{
  struct server *s;
  int r;

  s = calloc (1, sizeof *s);
  if (!s)
    return error_set (err, ENOMEM, "start: server: out of memory");
  s->options = options;
  server_set_limits (options);
  r = create_reactors (s, err);
  if (r == 0)
    r = target_create (&s->target, err);
  if (r == 0)
    server_set_masking (s, options);
  if (r == 0)
    r = open_pools (s, err);
  if (r == 0)
    r = open_listeners (s, err);
  if (r == 0)
    r = run (s, err);
  if (r == 0)
    r = open_control (s, err);
  if (r < 0) {
    server_stop (s);
    return r;
  }
  *server = s;
  return 0;
}

void
server_stop (struct server *server)
{
  struct error err;

  control_stop (server->control);
  if (server->listeners) {
    listeners_free (server->listeners);
    target_drain (server->target);
    transport_drain ();
  }
  if (volumes_free (server->volumes, &err) < 0) {
    /* Without a connection nobody can be attached. */
    log_error ("%s", err.message);
    abort ();
  }
  /* The rings hold the pools' locks until they end. */
  for (unsigned i = 0; i < server->nr_reactors; ++i)
    reactor_destroy (server->reactors[i]);
  if (server->target)
    target_destroy (server->target);
  free (server);
}

struct volumes *
server_volumes (struct server *server)
{
  return server->volumes;
}

struct listeners *
server_listeners (struct server *server)
{
  return server->listeners;
}
