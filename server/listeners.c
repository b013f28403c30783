/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The set of listeners.  Its lock is for who reads beside the one thread that
 * changes it, which so needs none to read, and is never held over a call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/listeners.h"
#include "server/transport/transport.h"

#define ENTRIES_MAX (2 * LISTENERS_MAX)

struct entry {
  struct address asked;
  struct address has;           /* with the real port, once it is bound */
  struct listener *listener;    /* NULL: left to commit */
  bool wanted;
  bool started;
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

/* --- entries ------------------------------------------------------------ */

static bool
add (struct listeners *listeners, const struct address *asked)
{
  LOCK_SCOPE (&listeners->lock);

  if (listeners->nr == ENTRIES_MAX)
    return false;
  listeners->entries[listeners->nr++] = (struct entry) {
    .asked = *asked, .has = *asked, .wanted = true,
  };
  return true;
}

/* Its listener is closed. */
static void
drop (struct listeners *listeners, unsigned i)
{
  LOCK_SCOPE (&listeners->lock);

  listeners->nr--;
  memmove (&listeners->entries[i], &listeners->entries[i + 1],
           (listeners->nr - i) * sizeof listeners->entries[0]);
}

static int
bind_entry (struct listeners *listeners, struct entry *entry,
            struct error *err)
{
  struct address has = entry->asked;
  struct listener *listener;
  int r;

  r = listener_open (listeners->target, &has, listeners->reactors,
                     listeners->nr_reactors, &listener, err);
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
want (struct listeners *listeners, const struct address *asked)
{
  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (!entry->wanted && same_address (&entry->asked, asked)) {
      entry->wanted = true;
      return true;
    }
  }
  return add (listeners, asked);
}

static bool
some_leave (const struct listeners *listeners)
{
  for (unsigned i = 0; i < listeners->nr; ++i)
    if (!listeners->entries[i].wanted)
      return true;
  return false;
}

int
listeners_prepare (struct listeners *listeners, const struct address *wanted,
                   unsigned nr_wanted, struct error *err)
{
  int r;

  for (unsigned i = 0; i < listeners->nr; ++i)
    listeners->entries[i].wanted = false;
  for (unsigned i = 0; i < nr_wanted; ++i)
    if (!want (listeners, &wanted[i])) {
      listeners_rollback (listeners);
      return error_set (err, E2BIG, "listen: more than %d addresses",
                        ENTRIES_MAX);
    }
  for (unsigned i = 0; i < listeners->nr; ++i) {
    struct entry *entry = &listeners->entries[i];

    if (entry->listener)
      continue;
    r = bind_entry (listeners, entry, err);
    if (r < 0 && !(r == -EADDRINUSE && some_leave (listeners))) {
      listeners_rollback (listeners);
      return r;
    }
  }
  return 0;
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
}

/* --- commit ------------------------------------------------------------- */

/* Returns how many, with their addresses in closed. */
static unsigned
close_unwanted (struct listeners *listeners,
                struct address closed[ENTRIES_MAX])
{
  char text[ADDRESS_TEXT_MAX];
  unsigned n = 0;

  for (unsigned i = listeners->nr; i-- > 0; ) {
    struct entry *entry = &listeners->entries[i];

    if (entry->wanted)
      continue;
    closed[n++] = entry->asked;
    listener_close (entry->listener);
    log_info ("listen: %s: closed",
              address_format (&entry->has, text, sizeof text));
    drop (listeners, i);
  }
  return n;
}

/* What prepare left.  False: some could not be bound, and are dropped. */
static bool
bind_rest (struct listeners *listeners)
{
  struct error err;
  bool all = true;

  for (unsigned i = listeners->nr; i-- > 0; )
    if (!listeners->entries[i].listener
        && bind_entry (listeners, &listeners->entries[i], &err) < 0) {
      log_error ("%s", err.message);
      drop (listeners, i);
      all = false;
    }
  return all;
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

void
listeners_commit (struct listeners *listeners)
{
  struct address closed[ENTRIES_MAX];
  unsigned nr_closed = close_unwanted (listeners, closed);

  if (!bind_rest (listeners)) {
    for (unsigned i = 0; i < nr_closed; ++i)
      add (listeners, &closed[i]);
    bind_rest (listeners);
  }
  start (listeners);
}

/* --- questions ---------------------------------------------------------- */

void
listeners_each (struct listeners *listeners,
                void (*each) (void *opaque, const struct address *),
                void *opaque)
{
  LOCK_SCOPE (&listeners->lock);

  for (unsigned i = 0; i < listeners->nr; ++i)
    if (listeners->entries[i].started)
      each (opaque, &listeners->entries[i].has);
}
