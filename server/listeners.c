/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The set of listeners.  Its lock is for who reads beside the one thread that
 * changes it, which so needs none to read, and is never held over a call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <nvme/types.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/listeners.h"
#include "server/transport/transport.h"

#define ENTRIES_MAX (2 * LISTENERS_MAX)

struct entry {
  struct address asked;
  struct address has;           /* with the real port, once it is bound */
  struct listener *listener;    /* NULL: left to replace, or closed by it */
  uint8_t number;               /* the target's */
  bool wanted;
  bool started;
  uint8_t asked_ana;            /* enum nvme_ana_state */
  uint8_t has_ana;              /* since commit */
};

struct listeners {
  struct target *target;                /* constant */
  struct reactor *const *reactors;      /* constant */
  unsigned nr_reactors;                 /* constant */
  pthread_mutex_t lock;
  unsigned nr;                          /* lock */
  struct entry entries[ENTRIES_MAX];    /* lock; old and new ones */
};

int
listeners_new (struct target *target, struct reactor *const *reactors,
               unsigned nr_reactors, struct listeners **listeners,
               struct error *err)
{
  *listeners = calloc (1, sizeof **listeners);
  if (!*listeners)
    return error_set (err, ENOMEM, "listen: out of memory");
  (*listeners)->target = target;
  (*listeners)->reactors = reactors;
  (*listeners)->nr_reactors = nr_reactors;
  pthread_mutex_init (&(*listeners)->lock, NULL);
  return 0;
}

void
listeners_free (struct listeners *listeners)
{
  if (!listeners)
    return;
  for (unsigned i = 0; i < listeners->nr; ++i)
    listener_close (listeners->entries[i].listener);
  pthread_mutex_destroy (&listeners->lock);
  free (listeners);
}

static bool
same_address (const struct address *a, const struct address *b)
{
  char text_a[ADDRESS_TEXT_MAX], text_b[ADDRESS_TEXT_MAX];

  address_format (a, text_a, sizeof text_a);
  address_format (b, text_b, sizeof text_b);
  return strcmp (text_a, text_b) == 0;
}

/* Or a name, which may stand for any address. */
static bool
is_wildcard (const struct address *address)
{
  struct in6_addr ipv6;
  struct in_addr ipv4;

  if (inet_pton (AF_INET6, address->host, &ipv6) == 1)
    return IN6_IS_ADDR_UNSPECIFIED (&ipv6);
  if (inet_pton (AF_INET, address->host, &ipv4) == 1)
    return ipv4.s_addr == htonl (INADDR_ANY);
  return true;
}

/* One of them may keep the other from being bound. */
static bool
overlap (const struct address *a, const struct address *b)
{
  return a->family == b->family && a->family != ADDRESS_UNIX
    && strcmp (a->port, b->port) == 0
    && (strcmp (a->host, b->host) == 0 || is_wildcard (a)
        || is_wildcard (b));
}

/* --- entries ------------------------------------------------------------ */

static bool
add (struct listeners *listeners, const struct address *asked, uint8_t ana)
{
  uint8_t number;

  if (listeners->nr == ENTRIES_MAX)
    return false;
  number = target_add_listener (listeners->target);
  LOCK_SCOPE (&listeners->lock);
  listeners->entries[listeners->nr++] = (struct entry) {
    .asked = *asked, .has = *asked, .wanted = true, .asked_ana = ana,
    .has_ana = NVME_ANA_STATE_OPTIMIZED, .number = number,
  };
  return true;
}

/* Its listener is closed. */
static void
drop (struct listeners *listeners, unsigned i)
{
  target_remove_listener (listeners->target, listeners->entries[i].number);
  LOCK_SCOPE (&listeners->lock);
  listeners->nr--;
  memmove (&listeners->entries[i], &listeners->entries[i + 1],
           (listeners->nr - i) * sizeof listeners->entries[0]);
}

static int
bind_entry (struct listeners *listeners, struct entry *entry,
            struct error *err)
{
  struct address has = entry->has;
  struct listener *listener;
  int r;

  r = listener_open (listeners->target, entry->number, &has,
                     listeners->reactors, listeners->nr_reactors, &listener,
                     err);
  if (r < 0)
    return r;
  LOCK_SCOPE (&listeners->lock);
  entry->has = has;
  entry->listener = listener;
  return 0;
}

/* --- prepare ------------------------------------------------------------ */

/* The same address may be wanted twice (any port): then it is served twice. */
static bool
want (struct listeners *listeners, const struct address *asked, uint8_t ana)
{
  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (!entry->wanted && same_address (&entry->asked, asked)) {
      entry->wanted = true;
      entry->asked_ana = ana;
      return true;
    }
  }
  return add (listeners, asked, ana);
}

static bool
is_in_the_way (const struct entry *entry, const struct entry *of)
{
  return !entry->wanted && overlap (&entry->has, &of->asked);
}

static bool
waits_for_leaving (const struct listeners *listeners,
                   const struct entry *entry)
{
  for (unsigned i = 0; i < listeners->nr; ++i)
    if (is_in_the_way (&listeners->entries[i], entry))
      return true;
  return false;
}

int
listeners_prepare (struct listeners *listeners, const struct address *wanted,
                   const uint8_t *ana, unsigned nr_wanted, struct error *err)
{
  int r;

  for (unsigned i = 0; i < listeners->nr; ++i)
    listeners->entries[i].wanted = false;
  for (unsigned i = 0; i < nr_wanted; ++i)
    if (!want (listeners, &wanted[i], ana[i])) {
      listeners_rollback (listeners);
      return error_set (err, E2BIG, "listen: more than %d addresses",
                        ENTRIES_MAX);
    }
  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (entry->listener)
      continue;
    r = bind_entry (listeners, entry, err);
    if (r < 0
        && !(r == -EADDRINUSE && waits_for_leaving (listeners, entry))) {
      listeners_rollback (listeners);
      return r;
    }
  }
  return 0;
}

/* What replace closed.  Somebody else may have been faster. */
static void
reopen (struct listeners *listeners)
{
  struct error err;

  for (unsigned i = listeners->nr; i-- > 0; ) {
    struct entry *entry = &listeners->entries[i];

    if (entry->listener)
      continue;
    if (bind_entry (listeners, entry, &err) == 0)
      listener_start (entry->listener);
    else {
      log_error ("%s; it was served before, and is no more", err.message);
      drop (listeners, i);
    }
  }
}

void
listeners_rollback (struct listeners *listeners)
{
  for (unsigned i = listeners->nr; i-- > 0; ) {
    struct entry *entry = &listeners->entries[i];

    entry->wanted = true;
    if (entry->started)
      continue;
    listener_close (entry->listener);
    drop (listeners, i);
  }
  reopen (listeners);
}

/* --- replace ------------------------------------------------------------ */

static void
close_in_the_way (struct listeners *listeners, const struct entry *of)
{
  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (!is_in_the_way (entry, of))
      continue;
    listener_close (entry->listener);
    entry->listener = NULL;
  }
}

int
listeners_replace (struct listeners *listeners, struct error *err)
{
  int r;

  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (entry->listener || !entry->wanted)
      continue;
    close_in_the_way (listeners, entry);
    r = bind_entry (listeners, entry, err);
    if (r < 0) {
      listeners_rollback (listeners);
      return r;
    }
  }
  return 0;
}

/* --- commit ------------------------------------------------------------- */

static void
close_unwanted (struct listeners *listeners)
{
  char text[ADDRESS_TEXT_MAX];

  for (unsigned i = listeners->nr; i-- > 0; ) {
    struct entry *entry = &listeners->entries[i];

    if (entry->wanted)
      continue;
    listener_close (entry->listener);
    log_info ("listen: %s: closed",
              address_format (&entry->has, text, sizeof text));
    drop (listeners, i);
  }
}

static void
start (struct listeners *listeners)
{
  char text[ADDRESS_TEXT_MAX];

  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (entry->started)
      continue;
    listener_start (entry->listener);
    pthread_mutex_lock (&listeners->lock);
    entry->started = true;
    pthread_mutex_unlock (&listeners->lock);
    log_info ("listen: %s",
              address_format (&entry->has, text, sizeof text));
  }
}

static const char *
ana_name (const struct entry *entry)
{
  return target_ana_names[entry->has_ana - NVME_ANA_STATE_OPTIMIZED];
}

static void
set_ana (struct listeners *listeners)
{
  char text[ADDRESS_TEXT_MAX];

  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (entry->asked_ana == entry->has_ana)
      continue;
    target_set_ana (listeners->target, entry->number, entry->asked_ana);
    pthread_mutex_lock (&listeners->lock);
    entry->has_ana = entry->asked_ana;
    pthread_mutex_unlock (&listeners->lock);
    log_info ("listen: %s: %s",
              address_format (&entry->has, text, sizeof text),
              ana_name (entry));
  }
}

void
listeners_commit (struct listeners *listeners)
{
  close_unwanted (listeners);
  set_ana (listeners);
  start (listeners);
}

/* --- questions ---------------------------------------------------------- */

void
listeners_each (struct listeners *listeners,
                void (*each) (void *opaque, const struct address *,
                              const char *ana),
                void *opaque)
{
  LOCK_SCOPE (&listeners->lock);

  for (unsigned i = 0; i < listeners->nr; ++i)
    if (listeners->entries[i].started)
      each (opaque, &listeners->entries[i].has,
            ana_name (&listeners->entries[i]));
}
