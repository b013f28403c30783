/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections whose hosts have not named themselves yet, all of them and by
 * address.  Past a limit the oldest goes, so that a flood takes room from
 * itself: who means it needs its place for a moment only.
 *
 * Reactor 0 begins them, each connection's reactor ends them; the lock is for
 * the lists.  It knows addresses, and no PDUs.
 */
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/hash.h"
#include "common/log.h"
#include "server/transport/internal.h"

enum {
  NR_BUCKETS = 1024,
  KEY_BYTES = 8,
};

TAILQ_HEAD (handshake_list, handshake);

/* Who has an IPv6 address has a /64 of them.  All on Unix sockets are one. */
struct handshake_peer {
  LIST_ENTRY (handshake_peer) in_bucket;
  uint8_t key[KEY_BYTES];
  unsigned nr;
  struct handshake_list listed;         /* the oldest first */
};

struct handshake {
  struct handshake_peer *peer;          /* locked */
  bool listed, ending;                  /* locked */
  TAILQ_ENTRY (handshake) by_age, of_peer;      /* locked; when listed */
  /* its reactor's, from handshake_list on */
  struct reactor *reactor;
  const char *name;
  void (*lost) (void *connection, const char *reason);
  void *connection;                     /* NULL: over before `end` ran */
  struct reactor_task end;              /* posted: make room */
  enum limit limit;                     /* constant then: why */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD (, handshake_peer) buckets[NR_BUCKETS];        /* locked */
static struct handshake_list all = TAILQ_HEAD_INITIALIZER (all);
static unsigned nr_all;                 /* locked */

/* --- peers ------------------------------------------------------------------------- */

static void
make_key (uint8_t key[KEY_BYTES], const struct sockaddr *sa)
{
  const struct sockaddr_in *in = (const struct sockaddr_in *) sa;
  const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) sa;

  memset (key, 0, KEY_BYTES);
  if (sa->sa_family == AF_INET)
    memcpy (key, &in->sin_addr, sizeof in->sin_addr);
  else if (sa->sa_family == AF_INET6
           && IN6_IS_ADDR_V4MAPPED (&in6->sin6_addr))
    memcpy (key, in6->sin6_addr.s6_addr + 12, sizeof in->sin_addr);
  else if (sa->sa_family == AF_INET6)
    memcpy (key, in6->sin6_addr.s6_addr, KEY_BYTES);
}

static unsigned
bucket_of (const uint8_t key[KEY_BYTES])
{
  return hash_bytes (key, KEY_BYTES) % NR_BUCKETS;
}

static struct handshake_peer *
locked_get_peer (const struct sockaddr *sa)
{
  struct handshake_peer *peer;
  uint8_t key[KEY_BYTES];
  unsigned bucket;

  make_key (key, sa);
  bucket = bucket_of (key);
  LIST_FOREACH (peer, &buckets[bucket], in_bucket)
    if (memcmp (peer->key, key, KEY_BYTES) == 0)
      break;
  if (peer == NULL) {
    if ((peer = calloc (1, sizeof *peer)) == NULL)
      return NULL;
    memcpy (peer->key, key, KEY_BYTES);
    TAILQ_INIT (&peer->listed);
    LIST_INSERT_HEAD (&buckets[bucket], peer, in_bucket);
  }
  peer->nr++;
  nr_all++;
  return peer;
}

static void
locked_put_peer (struct handshake_peer *peer)
{
  nr_all--;
  if (--peer->nr > 0)
    return;
  assert (TAILQ_EMPTY (&peer->listed));
  LIST_REMOVE (peer, in_bucket);
  free (peer);
}

/* --- room -------------------------------------------------------------------------- */

static void
locked_unlist (struct handshake *handshake)
{
  struct handshake_peer *peer = handshake->peer;

  TAILQ_REMOVE (&all, handshake, by_age);
  TAILQ_REMOVE (&peer->listed, handshake, of_peer);
  handshake->listed = false;
  handshake->peer = NULL;
  locked_put_peer (peer);
}

/* The oldest of the list goes.  False: all are new ones that their reactors
 * have not seen yet. */
static bool
locked_make_room (struct handshake_list *list, enum limit limit)
{
  struct handshake *oldest = TAILQ_FIRST (list);

  if (oldest == NULL)
    return false;
  locked_unlist (oldest);
  oldest->limit = limit;
  oldest->ending = true;
  reactor_post (oldest->reactor, &oldest->end);
  return true;
}

/* With this one counted: LIMIT_NR, or the limit that leaves no room. */
static enum limit
locked_find_room (struct handshake_peer *peer)
{
  unsigned of_peer = limit_value (LIMIT_HANDSHAKES_PER_ADDRESS);
  unsigned of_all = limit_value (LIMIT_HANDSHAKES);

  while (peer->nr > of_peer)
    if (!locked_make_room (&peer->listed, LIMIT_HANDSHAKES_PER_ADDRESS))
      return LIMIT_HANDSHAKES_PER_ADDRESS;
  while (nr_all > of_all)
    if (!locked_make_room (&all, LIMIT_HANDSHAKES))
      return LIMIT_HANDSHAKES;
  return LIMIT_NR;
}

static void
log_refused (const struct sockaddr *sa, enum limit limit,
             const char *listener_uri)
{
  struct address address = { 0 };
  char text[ADDRESS_TEXT_MAX];

  if (sa->sa_family == AF_INET || sa->sa_family == AF_INET6) {
    transport_fill_address (&address, ADDRESS_TCP, sa);
    address_format (&address, text, sizeof text);
    limit_reached (limit, text, "refused");
  }
  else
    limit_reached (limit, listener_uri, "connection refused");
}

struct handshake *
handshake_begin (const struct sockaddr *sa, const char *listener_uri)
{
  struct handshake *handshake = calloc (1, sizeof *handshake);
  struct handshake_peer *peer = NULL;
  enum limit full = LIMIT_NR;

  if (handshake) {
    LOCK_SCOPE (&lock);
    peer = locked_get_peer (sa);
    if (peer && (full = locked_find_room (peer)) < LIMIT_NR) {
      locked_put_peer (peer);
      peer = NULL;
    }
    handshake->peer = peer;
  }
  if (peer)
    return handshake;
  free (handshake);
  if (full < LIMIT_NR)
    log_refused (sa, full, listener_uri);
  else
    log_error ("%s: out of memory: connection refused", listener_uri);
  return NULL;
}

void
handshake_drop (struct handshake *handshake)
{
  {
    LOCK_SCOPE (&lock);
    locked_put_peer (handshake->peer);
  }
  free (handshake);
}

/* A newer one needs its place; unless Connect was faster. */
static void
make_room (struct reactor_task *task)
{
  struct handshake *handshake =
    (void *) ((char *) task - offsetof (struct handshake, end));

  if (handshake->connection) {
    limit_reached (handshake->limit, handshake->name,
                   "no Connect yet: closed for a newer one");
    handshake->lost (handshake->connection, "it made room for a newer one");
    assert (handshake->connection == NULL);
  }
  free (handshake);
}

void
handshake_list (struct handshake *handshake, struct reactor *reactor,
                const char *name,
                void (*lost) (void *connection, const char *reason),
                void *connection)
{
  struct handshake_peer *peer = handshake->peer;

  handshake->reactor = reactor;
  handshake->name = name;
  handshake->lost = lost;
  handshake->connection = connection;
  handshake->end.run = make_room;
  LOCK_SCOPE (&lock);
  handshake->listed = true;
  TAILQ_INSERT_TAIL (&all, handshake, by_age);
  TAILQ_INSERT_TAIL (&peer->listed, handshake, of_peer);
}

/* True: make_room is on its way, or runs. */
static bool
unlist (struct handshake *handshake)
{
  LOCK_SCOPE (&lock);

  if (handshake->listed)
    locked_unlist (handshake);
  return handshake->ending;
}

void
handshake_over (struct handshake **place)
{
  struct handshake *handshake = *place;

  if (handshake == NULL)
    return;
  *place = NULL;
  if (unlist (handshake))
    handshake->connection = NULL;
  else
    free (handshake);
}
