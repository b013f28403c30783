/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which connections are idle, and whether there is room for one more.  One
 * makes room when its socket is shut down for reading: its thread answers the
 * request that came whole before, then ends it.  One that was just made is let
 * alone: its request is on its way.  A descriptor is its connection's from
 * STARTED to CLOSED, and is used under the lock only.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/control/http-connections.h"

#define SPARE 64u               /* on their way out when the next one comes */
#define SETTLE_MS 1000          /* idle for so long, at least, is who makes room */
#define REFUSE_AFTER_MS 3000    /* without room: less than qbd waits */
#define EXPECT_MS 10000         /* no thread for a connection: it was dropped */

struct http_connection {
  int fd;
  bool is_idle;                 /* and in the list */
  uint64_t idle_ms;             /* since when */
  bool is_shut;                 /* for reading */
  bool is_leaving;              /* at once, for nothing is under way on it */
  bool is_beyond;               /* one too many when it came */
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
  connections->stopping = connections->is_refusing = false;
  connections->expected_until_ms = connections->full_ms = 0;
  TAILQ_INIT (&connections->idle);
}

static void
set_idle_locked (struct http_connections *connections,
                 struct http_connection *c, bool is_idle)
{
  if (c->is_idle == is_idle)
    return;
  c->is_idle = is_idle;
  if (is_idle) {
    c->idle_ms = clock_now_ms ();
    TAILQ_INSERT_TAIL (&connections->idle, c, link);
  }
  else
    TAILQ_REMOVE (&connections->idle, c, link);
}

static void
set_leaving_locked (struct http_connections *connections,
                    struct http_connection *c, bool is_leaving)
{
  connections->nr_leaving += is_leaving;
  connections->nr_leaving -= c->is_leaving;
  c->is_leaving = is_leaving;
}

/* --- room ----------------------------------------------------------------- */

static unsigned
nr_accepted_locked (const struct http_connections *connections)
{
  return connections->nr + connections->nr_expected;
}

/* Before the last one is needed: many go at the same time.  Returns when the
 * next one may be made to go, UINT64_MAX: none. */
static uint64_t
make_room_locked (struct http_connections *connections, uint64_t now_ms)
{
  struct http_connection *c;

  while ((c = TAILQ_FIRST (&connections->idle))
         && nr_accepted_locked (connections) - connections->nr_leaving
         >= HTTP_CONNECTIONS_MAX - SPARE) {
    if (now_ms < c->idle_ms + SETTLE_MS)
      return c->idle_ms + SETTLE_MS;
    set_idle_locked (connections, c, false);
    set_leaving_locked (connections, c, true);
    c->is_shut = true;
    shutdown (c->fd, SHUT_RD);
  }
  return UINT64_MAX;
}

static void
wait_locked (struct http_connections *connections, uint64_t until_ms)
{
  const struct timespec end = clock_timespec (until_ms);

  if (until_ms == UINT64_MAX)
    pthread_cond_wait (&connections->changed, &connections->lock);
  else
    pthread_cond_timedwait (&connections->changed, &connections->lock, &end);
}

static void
note_room_locked (struct http_connections *connections)
{
  if (nr_accepted_locked (connections) >= HTTP_CONNECTIONS_MAX)
    return;
  connections->full_ms = 0;
  connections->is_refusing = false;
}

/* Said once until there is room again, however many come. */
static void
refuse_locked (struct http_connections *connections)
{
  if (!connections->is_refusing)
    log_warning ("control: %u requests are under way: others are refused",
                 HTTP_CONNECTIONS_MAX);
  connections->is_refusing = true;
}

/* May one more be accepted?  If not, *until_ms is when to look again. */
static bool
has_room_locked (struct http_connections *connections, uint64_t *until_ms)
{
  uint64_t now_ms = clock_now_ms (), due_ms;
  unsigned nr;

  /* The library begins one in a thread of its own, or, out of memory, drops it
   * without a word. */
  if (connections->nr_expected > 0
      && now_ms >= connections->expected_until_ms)
    connections->nr_expected = 0;
  *until_ms = make_room_locked (connections, now_ms);
  nr = nr_accepted_locked (connections);
  note_room_locked (connections);
  if (nr < HTTP_CONNECTIONS_MAX)
    return true;
  if (connections->full_ms == 0)
    connections->full_ms = now_ms;
  if (nr < HTTP_CONNECTIONS_MAX + HTTP_REFUSED_MAX) {
    due_ms = connections->full_ms + REFUSE_AFTER_MS;
    if (now_ms >= due_ms) {
      refuse_locked (connections);
      return true;
    }
    if (due_ms < *until_ms)
      *until_ms = due_ms;
  }
  if (connections->nr_expected > 0
      && connections->expected_until_ms < *until_ms)
    *until_ms = connections->expected_until_ms;
  return false;
}

bool
http_connections_wait_for_room (struct http_connections *connections)
{
  uint64_t until_ms;
  LOCK_SCOPE (&connections->lock);

  while (!connections->stopping
         && !has_room_locked (connections, &until_ms))
    wait_locked (connections, until_ms);
  return !connections->stopping;
}

void
http_connections_expect (struct http_connections *connections)
{
  LOCK_SCOPE (&connections->lock);
  connections->nr_expected++;
  connections->expected_until_ms = clock_now_ms () + EXPECT_MS;
}

void
http_connections_dropped (struct http_connections *connections)
{
  LOCK_SCOPE (&connections->lock);
  connections->nr_expected -= connections->nr_expected > 0;
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
    if (c) {
      c->is_beyond = connections->nr > HTTP_CONNECTIONS_MAX;
      set_idle_locked (connections, c, true);
    }
    return;
  }
  connections->nr--;
  note_room_locked (connections);
  c = *context;
  if (c) {
    set_idle_locked (connections, c, false);
    set_leaving_locked (connections, c, false);
  }
  free (c);
  *context = NULL;
}

static struct http_connection *
context_of (struct MHD_Connection *connection)
{
  return MHD_get_connection_info (connection,
                                  MHD_CONNECTION_INFO_SOCKET_CONTEXT)
    ->socket_context;
}

bool
http_connections_busy (struct http_connections *connections,
                       struct MHD_Connection *connection)
{
  struct http_connection *c = context_of (connection);
  LOCK_SCOPE (&connections->lock);

  if (!c)
    return true;
  /* Its request came before it was shut down: another one is to make room. */
  set_idle_locked (connections, c, false);
  set_leaving_locked (connections, c, false);
  pthread_cond_broadcast (&connections->changed);
  return !c->is_beyond || connections->nr <= HTTP_CONNECTIONS_MAX;
}

void
http_connections_idle (struct http_connections *connections,
                       struct MHD_Connection *connection)
{
  struct http_connection *c = context_of (connection);
  LOCK_SCOPE (&connections->lock);

  if (!c)
    return;
  if (c->is_shut)
    set_leaving_locked (connections, c, true);
  else
    set_idle_locked (connections, c, true);
  pthread_cond_broadcast (&connections->changed);
}
