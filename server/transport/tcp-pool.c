/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the connections of one reactor share: the receive buffer, requests
 * and data buffers.  All grow with the requests in flight and are given back
 * above a watermark.
 *
 * Large buffers are rationed, per connection, subsystem and reactor: a
 * request waits for its buffer before the host is asked for data or the
 * engine for a read, so that a slow or hostile peer costs a bounded amount of
 * memory, and parsing never stops for it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "server/transport/tcp-internal.h"

enum { NR_CLASSES = 5, ALIGNMENT = 4096 };

static const uint32_t class_bytes[NR_CLASSES] = {
  4096, 16384, 65536, 262144, TARGET_MAX_TRANSFER,
};

static const uint64_t connection_large_max_bytes = 16 << 20;
static const uint64_t pool_free_max_bytes = 16 << 20;
enum { POOL_FREE_REQUESTS_MAX = 512 };

/* A free buffer holds the list in its first bytes. */
struct buffer {
  SLIST_ENTRY (buffer) next;
};

struct tcp_pool {
  struct reactor *reactor;      /* constant */
  LIST_ENTRY (tcp_pool) in_pools;       /* locked */
  unsigned users;               /* locked */
  uint8_t *receive_buffer;      /* constant */

  TAILQ_HEAD (, tcp_request) requests;
  unsigned nr_free_requests;
  SLIST_HEAD (, buffer) buffers[NR_CLASSES];
  uint64_t free_bytes;

  uint64_t large_bytes;
  struct ration_list rations;   /* by subsystem; or NULL: none yet */
  TAILQ_HEAD (, tcp_connection) starved;
  struct reactor_task grant;
  bool grant_posted;
};

/* --- life ------------------------------------------------------------------------ */

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD (, tcp_pool) pools = LIST_HEAD_INITIALIZER (pools);

static void grant_buffers (struct reactor_task *task);

static struct tcp_pool *
pool_create (struct reactor *reactor)
{
  struct tcp_pool *pool = calloc (1, sizeof *pool);

  if (pool == NULL)
    return NULL;
  pool->reactor = reactor;
  pool->receive_buffer = malloc (TCP_RECEIVE_BUFFER_BYTES);
  if (pool->receive_buffer == NULL) {
    free (pool);
    return NULL;
  }
  TAILQ_INIT (&pool->requests);
  TAILQ_INIT (&pool->starved);
  LIST_INIT (&pool->rations);
  for (unsigned i = 0; i < NR_CLASSES; i++)
    SLIST_INIT (&pool->buffers[i]);
  pool->grant.run = grant_buffers;
  return pool;
}

static void
pool_free (struct tcp_pool *pool)
{
  struct tcp_request *request;
  struct buffer *buffer;

  assert (TAILQ_EMPTY (&pool->starved) && pool->large_bytes == 0
          && LIST_EMPTY (&pool->rations));
  while ((request = TAILQ_FIRST (&pool->requests)) != NULL) {
    TAILQ_REMOVE (&pool->requests, request, in_connection);
    free (request);
  }
  for (unsigned i = 0; i < NR_CLASSES; i++)
    while ((buffer = SLIST_FIRST (&pool->buffers[i])) != NULL) {
      SLIST_REMOVE_HEAD (&pool->buffers[i], next);
      free (buffer);
    }
  free (pool->receive_buffer);
  free (pool);
}

struct tcp_pool *
tcp_pool_get (struct reactor *reactor)
{
  LOCK_SCOPE (&pools_lock);
  struct tcp_pool *pool;

  LIST_FOREACH (pool, &pools, in_pools)
    if (pool->reactor == reactor)
      break;
  if (pool == NULL) {
    if ((pool = pool_create (reactor)) == NULL)
      return NULL;
    LIST_INSERT_HEAD (&pools, pool, in_pools);
  }
  pool->users++;
  return pool;
}

void
tcp_pool_put (struct tcp_pool *pool)
{
  bool last;

  pthread_mutex_lock (&pools_lock);
  last = --pool->users == 0;
  if (last)
    LIST_REMOVE (pool, in_pools);
  pthread_mutex_unlock (&pools_lock);
  if (last)
    pool_free (pool);
}

uint8_t *
tcp_pool_receive_buffer (struct tcp_pool *pool)
{
  return pool->receive_buffer;
}

/* --- data buffers ------------------------------------------------------------------ */

static unsigned
class_of (uint32_t bytes)
{
  unsigned i = 0;

  assert (bytes > 0 && bytes <= TARGET_MAX_TRANSFER);
  while (class_bytes[i] < bytes)
    i++;
  return i;
}

static bool
is_large (uint32_t bytes)
{
  return bytes > TCP_IN_CAPSULE_BYTES;
}

static void *
take_buffer (struct tcp_pool *pool, uint32_t bytes)
{
  unsigned class = class_of (bytes);
  struct buffer *buffer = SLIST_FIRST (&pool->buffers[class]);

  if (buffer) {
    SLIST_REMOVE_HEAD (&pool->buffers[class], next);
    pool->free_bytes -= class_bytes[class];
    return buffer;
  }
  return aligned_alloc (ALIGNMENT, class_bytes[class]);
}

static void
give_buffer (struct tcp_pool *pool, void *memory, uint32_t bytes)
{
  unsigned class = class_of (bytes);
  struct buffer *buffer = memory;

  if (pool->free_bytes + class_bytes[class] > pool_free_max_bytes) {
    free (memory);
    return;
  }
  SLIST_INSERT_HEAD (&pool->buffers[class], buffer, next);
  pool->free_bytes += class_bytes[class];
}

static bool
ration_left (const struct tcp_connection *connection, uint32_t bytes)
{
  uint64_t cost = class_bytes[class_of (bytes)];

  if (connection->large_bytes + cost > connection_large_max_bytes)
    return false;
  return ration_has_room (connection->ration, cost,
                          connection->pool->large_bytes,
                          (uint64_t) limit_value (LIMIT_BUFFERS_MIB) << 20);
}

static void
account_large (struct tcp_connection *connection, int64_t bytes)
{
  connection->large_bytes += (uint64_t) bytes;
  connection->ration->bytes += (uint64_t) bytes;
  connection->pool->large_bytes += (uint64_t) bytes;
}

/* Else a host with a deep queue has its commands executed one after the
 * other while the others of the reactor wait. */
static bool
turn_left (const struct tcp_connection *connection)
{
  return connection->turn_large_bytes < TCP_TURN_BYTES;
}

static int
get_now (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;
  uint32_t bytes = request->command.data_bytes;

  request->command.buffer = take_buffer (connection->pool, bytes);
  if (request->command.buffer == NULL)
    return -ENOMEM;
  if (is_large (bytes)) {
    account_large (connection, class_bytes[class_of (bytes)]);
    connection->turn_large_bytes += class_bytes[class_of (bytes)];
  }
  return 0;
}

/* In a next turn, when those whom epoll named have had theirs. */
static void
post_grant (struct tcp_pool *pool)
{
  if (pool->grant_posted)
    return;
  pool->grant_posted = true;
  tcp_pool_get (pool->reactor); /* the task holds the pool */
  reactor_post (pool->reactor, &pool->grant);
}

int
tcp_buffer_get (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;
  uint32_t bytes = request->command.data_bytes;

  if (!is_large (bytes))
    return get_now (request);
  if (connection->ration == NULL) {
    connection->ration =
      ration_get (&connection->pool->rations,
                  target_queue_subsystem (&connection->queue));
    if (connection->ration == NULL)
      return -ENOMEM;
  }
  if (TAILQ_EMPTY (&connection->waiting) && ration_left (connection, bytes)) {
    if (turn_left (connection))
      return get_now (request);
    post_grant (connection->pool);
  }
  if (TAILQ_EMPTY (&connection->waiting))
    TAILQ_INSERT_TAIL (&connection->pool->starved, connection, in_starved);
  TAILQ_INSERT_TAIL (&connection->waiting, request, in_waiting);
  tcp_request_set_state (request, TCP_REQUEST_WAITING);
  return -EAGAIN;
}

void
tcp_buffer_cancel (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;

  TAILQ_REMOVE (&connection->waiting, request, in_waiting);
  if (TAILQ_EMPTY (&connection->waiting))
    TAILQ_REMOVE (&connection->pool->starved, connection, in_starved);
}

/* True when it could have had more in another turn. */
static bool
grant_connection (struct tcp_connection *connection)
{
  struct tcp_request *request;
  bool more = false;

  tcp_hold (connection);
  connection->turn_large_bytes = 0;
  while ((request = TAILQ_FIRST (&connection->waiting)) != NULL
         && ration_left (connection, request->command.data_bytes)) {
    more = !turn_left (connection);
    if (more)
      break;
    tcp_buffer_cancel (request);
    tcp_request_granted (request, get_now (request));
  }
  tcp_release (connection);
  return more;
}

static void
grant_buffers (struct reactor_task *task)
{
  struct tcp_pool *pool =
    (void *) ((char *) task - offsetof (struct tcp_pool, grant));
  struct tcp_connection *connection;
  bool more = false;
  unsigned n = 0;

  pool->grant_posted = false;
  TAILQ_FOREACH (connection, &pool->starved, in_starved)
    n++;
  /* Each once, and who still waits goes to the end: no one is favoured. */
  while (n-- > 0 && (connection = TAILQ_FIRST (&pool->starved)) != NULL) {
    TAILQ_REMOVE (&pool->starved, connection, in_starved);
    TAILQ_INSERT_TAIL (&pool->starved, connection, in_starved);
    more |= grant_connection (connection);
  }
  if (more)
    post_grant (pool);
  tcp_pool_put (pool);
}

static void
return_buffer (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;
  struct tcp_pool *pool = connection->pool;
  uint32_t bytes = request->command.data_bytes;

  if (request->command.buffer == NULL)
    return;
  give_buffer (pool, request->command.buffer, bytes);
  request->command.buffer = NULL;
  if (!is_large (bytes))
    return;
  account_large (connection, -(int64_t) class_bytes[class_of (bytes)]);
  if (!TAILQ_EMPTY (&pool->starved))
    post_grant (pool);
}

/* --- requests ---------------------------------------------------------------------- */

static const bool legal[TCP_REQUEST_NR_STATES][TCP_REQUEST_NR_STATES] = {
  [TCP_REQUEST_FREE] = {
    [TCP_REQUEST_CAPSULE] = true,
    [TCP_REQUEST_WAITING] = true,
    [TCP_REQUEST_SOLICITED] = true,
    [TCP_REQUEST_EXECUTING] = true,
    [TCP_REQUEST_ANSWERING] = true,
  },
  [TCP_REQUEST_CAPSULE] = {
    [TCP_REQUEST_FREE] = true,
    [TCP_REQUEST_EXECUTING] = true,
    [TCP_REQUEST_ANSWERING] = true,
  },
  [TCP_REQUEST_WAITING] = {
    [TCP_REQUEST_FREE] = true,
    [TCP_REQUEST_SOLICITED] = true,
    [TCP_REQUEST_EXECUTING] = true,
    [TCP_REQUEST_ANSWERING] = true,
  },
  [TCP_REQUEST_SOLICITED] = {
    [TCP_REQUEST_FREE] = true,
    [TCP_REQUEST_EXECUTING] = true,
    [TCP_REQUEST_ANSWERING] = true,
  },
  [TCP_REQUEST_EXECUTING] = {
    [TCP_REQUEST_FREE] = true,
    [TCP_REQUEST_ANSWERING] = true,
  },
  [TCP_REQUEST_ANSWERING] = {
    [TCP_REQUEST_FREE] = true,
  },
};

void
tcp_request_set_state (struct tcp_request *request,
                       enum tcp_request_state state)
{
  assert (legal[request->state][state]);
  request->state = state;
  request->command.stage_since_ms =
    reactor_now_ms (request->connection->reactor);
}

struct tcp_request *
tcp_request_get (struct tcp_connection *connection)
{
  struct tcp_pool *pool = connection->pool;
  struct tcp_request *request = TAILQ_FIRST (&pool->requests);

  if (request) {
    TAILQ_REMOVE (&pool->requests, request, in_connection);
    pool->nr_free_requests--;
  }
  else if ((request = calloc (1, sizeof *request)) == NULL)
    return NULL;
  request->connection = connection;
  request->state = TCP_REQUEST_FREE;
  request->status = 0;
  request->refused = false;
  request->received_bytes = 0;
  request->out.request = request;
  request->out.queued = false;
  TAILQ_INSERT_TAIL (&connection->requests, request, in_connection);
  return request;
}

void
tcp_request_put (struct tcp_request *request)
{
  struct tcp_connection *connection = request->connection;
  struct tcp_pool *pool = connection->pool;

  assert (!request->out.queued);
  return_buffer (request);
  TAILQ_REMOVE (&connection->requests, request, in_connection);
  request->connection = NULL;
  if (pool->nr_free_requests >= POOL_FREE_REQUESTS_MAX) {
    free (request);
    return;
  }
  TAILQ_INSERT_HEAD (&pool->requests, request, in_connection);
  pool->nr_free_requests++;
}
