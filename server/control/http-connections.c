/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which connections are idle.  libmicrohttpd closes what comes beyond its
 * limit at once, so that room is made before: shutting a socket down wakes
 * its thread, which ends it.  A descriptor is its connection's from STARTED to
 * CLOSED, and is used under the lock only.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "server/control/http-connections.h"

/* So many may be on their way out when the next one comes. */
#define SPARE 64u

struct http_connection {
  int fd;
  bool is_idle;                 /* and in the list */
  TAILQ_ENTRY (http_connection) link;
};

void
http_connections_init (struct http_connections *connections)
{
  pthread_mutex_init (&connections->lock, NULL);
  connections->nr = 0;
  TAILQ_INIT (&connections->idle);
}

static void
set_idle_locked (struct http_connections *connections,
                 struct http_connection *c, bool is_idle)
{
  if (c->is_idle == is_idle)
    return;
  c->is_idle = is_idle;
  if (is_idle)
    TAILQ_INSERT_TAIL (&connections->idle, c, link);
  else
    TAILQ_REMOVE (&connections->idle, c, link);
}

static void
make_room_locked (struct http_connections *connections)
{
  struct http_connection *c = TAILQ_FIRST (&connections->idle);

  if (!c)
    return;
  set_idle_locked (connections, c, false);
  shutdown (c->fd, SHUT_RDWR);
}

/* One that finds no memory is not known, and lives by its timeout. */
static struct http_connection *
new_connection (struct MHD_Connection *connection)
{
  struct http_connection *c = calloc (1, sizeof *c);

  if (c)
    c->fd = MHD_get_connection_info (connection,
                                     MHD_CONNECTION_INFO_CONNECTION_FD)
      ->connect_fd;
  return c;
}

void
http_connections_notify (void *opaque, struct MHD_Connection *connection,
                         void **context,
                         enum MHD_ConnectionNotificationCode code)
{
  struct http_connections *connections = opaque;
  struct http_connection *c;

  LOCK_SCOPE (&connections->lock);
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    if (++connections->nr > HTTP_CONNECTIONS_MAX - SPARE)
      make_room_locked (connections);
    *context = c = new_connection (connection);
    if (c)
      set_idle_locked (connections, c, true);
    return;
  }
  connections->nr--;
  c = *context;
  if (c)
    set_idle_locked (connections, c, false);
  free (c);
  *context = NULL;
}

static void
set_idle (struct http_connections *connections,
          struct MHD_Connection *connection, bool is_idle)
{
  LOCK_SCOPE (&connections->lock);
  struct http_connection *c =
    MHD_get_connection_info (connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
    ->socket_context;

  if (c)
    set_idle_locked (connections, c, is_idle);
}

void
http_connections_busy (struct http_connections *connections,
                       struct MHD_Connection *connection)
{
  set_idle (connections, connection, false);
}

void
http_connections_idle (struct http_connections *connections,
                       struct MHD_Connection *connection)
{
  set_idle (connections, connection, true);
}
