/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which connections are idle, and whether there is room for one more.  One
 * makes room when its socket is shut down for reading: its thread answers the
 * request that may have come just before, then ends it.  A descriptor is its
 * connection's from STARTED to CLOSED, and is used under the lock only.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "server/control/http-connections.h"

#define EXPECT_S 10
#define SPARE 64u               /* on their way out when the next one comes */

struct http_connection {
  int fd;
  bool is_idle;                 /* and in the list */
  bool is_leaving;
  TAILQ_ENTRY (http_connection) link;
};

void
http_connections_init (struct http_connections *connections)
{
  pthread_condattr_t attr;

  pthread_mutex_init (&connections->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&connections->changed, &attr);
  pthread_condattr_destroy (&attr);
  connections->nr = connections->nr_leaving = connections->nr_expected = 0;
  connections->stopping = false;
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

/* --- room ----------------------------------------------------------------- */

/* Before the last one is needed: so many go at the same time. */
static void
make_room_locked (struct http_connections *connections)
{
  struct http_connection *c = TAILQ_FIRST (&connections->idle);
  unsigned nr = connections->nr + connections->nr_expected;

  if (!c || nr - connections->nr_leaving < HTTP_CONNECTIONS_MAX - SPARE)
    return;
  set_idle_locked (connections, c, false);
  c->is_leaving = true;
  connections->nr_leaving++;
  shutdown (c->fd, SHUT_RD);
}

/* The library begins one in a thread of its own, or, out of memory, drops it
 * without a word: then it is expected no longer. */
static void
wait_locked (struct http_connections *connections)
{
  uint64_t end_ns = clock_now_ns () + EXPECT_S * UINT64_C (1000000000);
  const struct timespec end = {
    .tv_sec = (time_t) (end_ns / 1000000000),
    .tv_nsec = (long) (end_ns % 1000000000),
  };

  if (connections->nr_expected == 0)
    pthread_cond_wait (&connections->changed, &connections->lock);
  else if (pthread_cond_timedwait (&connections->changed, &connections->lock,
                                   &end) != 0)
    connections->nr_expected = 0;
}

bool
http_connections_wait_for_room (struct http_connections *connections)
{
  LOCK_SCOPE (&connections->lock);
  make_room_locked (connections);
  while (connections->nr + connections->nr_expected >= HTTP_CONNECTIONS_MAX
         && !connections->stopping) {
    wait_locked (connections);
    make_room_locked (connections);
  }
  return !connections->stopping;
}

void
http_connections_expect (struct http_connections *connections)
{
  LOCK_SCOPE (&connections->lock);
  connections->nr_expected++;
}

void
http_connections_stop (struct http_connections *connections)
{
  LOCK_SCOPE (&connections->lock);
  connections->stopping = true;
  pthread_cond_broadcast (&connections->changed);
}

/* --- what the library says -------------------------------------------------- */

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
  pthread_cond_broadcast (&connections->changed);
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    connections->nr++;
    connections->nr_expected -= connections->nr_expected > 0;
    *context = c = new_connection (connection);
    if (c)
      set_idle_locked (connections, c, true);
    return;
  }
  connections->nr--;
  c = *context;
  if (c) {
    set_idle_locked (connections, c, false);
    connections->nr_leaving -= c->is_leaving;
  }
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

  if (!c)
    return;
  /* A request had come before it was shut down: another one is to make room. */
  connections->nr_leaving -= c->is_leaving;
  c->is_leaving = false;
  set_idle_locked (connections, c, is_idle);
  pthread_cond_broadcast (&connections->changed);
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
