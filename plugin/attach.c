/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Volumes by their NQN, whatever name a client used: all handles of one
 * share its range lock.  One mutex, which is held over nothing that waits for
 * the server.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "plugin/attach.h"

/* Attached although no client is there. */
#define IDLE_MAX 4

struct attached {
  char nqn[256];
  struct range_lock lock;
  unsigned nr_handles;
  struct qbd_volume *kept;      /* of a handle that was closed; or NULL */
  TAILQ_ENTRY (attached) link;  /* idle ones: who became so first is first */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* all below */
static TAILQ_HEAD (, attached) all = TAILQ_HEAD_INITIALIZER (all);
static TAILQ_HEAD (, handle) handles = TAILQ_HEAD_INITIALIZER (handles);
static unsigned nr_idle;
static bool keep_idle = true;   /* constant once handles are opened */

static struct attached *
find_locked (const char *nqn)
{
  struct attached *attached;

  TAILQ_FOREACH (attached, &all, link)
    if (strcmp (attached->nqn, nqn) == 0)
      return attached;
  return NULL;
}

/* It is idle, until a handle uses it. */
static struct attached *
new_locked (const char *nqn)
{
  struct attached *attached = calloc (1, sizeof *attached);

  if (attached == NULL)
    return NULL;
  if (range_lock_init (&attached->lock) != 0) {
    free (attached);
    return NULL;
  }
  strncpy (attached->nqn, nqn, sizeof attached->nqn - 1);
  TAILQ_INSERT_TAIL (&all, attached, link);
  nr_idle++;
  return attached;
}

/* Returns what is to be closed without the mutex. */
static struct qbd_volume *
forget_locked (struct attached *attached)
{
  struct qbd_volume *volume = attached->kept;

  TAILQ_REMOVE (&all, attached, link);
  nr_idle--;
  range_lock_destroy (&attached->lock);
  free (attached);
  return volume;
}

/* One that has been idle for longest, if there are more than most. */
static struct qbd_volume *
forget_idle (unsigned most)
{
  struct attached *attached;
  LOCK_SCOPE (&mutex);

  if (nr_idle <= most)
    return NULL;
  TAILQ_FOREACH (attached, &all, link)
    if (attached->nr_handles == 0)
      break;
  return forget_locked (attached);
}

static bool
too_many_idle (unsigned most)
{
  LOCK_SCOPE (&mutex);

  return nr_idle > most;
}

static void
limit_idle (unsigned most)
{
  while (too_many_idle (most))
    qbd_close (forget_idle (most));
}

/* Once, whatever volumes follow. */
static void
say_fallback (struct qbd_volume *volume)
{
  static atomic_flag said = ATOMIC_FLAG_INIT;
  const char *why = qbd_get_fallback (volume);

  if (why && !atomic_flag_test_and_set (&said))
    nbdkit_error ("%s: using TCP", why);
}

static bool
use (struct handle *handle)
{
  const char *nqn = qbd_get_nqn (handle->blocks.volume);
  struct attached *attached;
  LOCK_SCOPE (&mutex);

  attached = find_locked (nqn);
  if (attached == NULL)
    attached = new_locked (nqn);
  if (attached == NULL)
    return false;
  if (attached->nr_handles++ == 0)
    nr_idle--;
  handle->attached = attached;
  handle->blocks.lock = &attached->lock;
  TAILQ_INSERT_TAIL (&handles, handle, link);
  return true;
}

struct handle *
attach_open (const struct qbd_config *config, unsigned flags)
{
  struct handle *handle = calloc (1, sizeof *handle);

  if (handle == NULL)
    goto no_memory;
  handle->blocks.volume = qbd_open (config, flags);
  if (handle->blocks.volume == NULL) {
    nbdkit_error ("%s", qbd_errmsg ());
    goto err;
  }
  say_fallback (handle->blocks.volume);
  if (use (handle))
    return handle;
  qbd_close (handle->blocks.volume);

 no_memory:
  nbdkit_error ("open: out of memory");
 err:
  free (handle);
  return NULL;
}

/* Keeps a living volume where none is kept, and none that is not: what is wrong
 * with it, a lost connection or a lost cache, ends with its last user.  What
 * is to be closed goes to closed. */
static void
release (struct handle *handle, struct qbd_volume *closed[2])
{
  struct attached *attached = handle->attached;
  struct qbd_volume *volume = handle->blocks.volume;
  bool lives = qbd_check (volume) == 0;
  LOCK_SCOPE (&mutex);

  TAILQ_REMOVE (&handles, handle, link);
  if (--attached->nr_handles == 0) {
    nr_idle++;
    TAILQ_REMOVE (&all, attached, link);
    TAILQ_INSERT_TAIL (&all, attached, link);
  }
  if (attached->kept && qbd_check (attached->kept) == -1) {
    closed[1] = attached->kept;
    attached->kept = NULL;
  }
  if (lives && keep_idle && attached->kept == NULL)
    attached->kept = volume;
  else
    closed[0] = volume;
}

void
attach_close (struct handle *handle)
{
  struct qbd_volume *closed[2] = { NULL, NULL };

  release (handle, closed);
  qbd_close (closed[0]);
  qbd_close (closed[1]);
  free (handle);
  limit_idle (IDLE_MAX);
}

void
attach_keep_idle (bool keep)
{
  keep_idle = keep;
}

void
attach_interrupt (void)
{
  struct handle *handle;
  LOCK_SCOPE (&mutex);

  TAILQ_FOREACH (handle, &handles, link)
    qbd_interrupt (handle->blocks.volume);
}

/* --- what is in flight ------------------------------------------------------- */

/* As many as one volume may have described. */
enum { INFLIGHT_MAX = 256 };
static struct qbd_inflight inflight[INFLIGHT_MAX];      /* under mutex */

struct listing {
  const char *volume;
  const char *waits_of;         /* a volume's name */
  struct attach_inflight *list;
  unsigned max, nr, more;
};

static bool
is_wanted (const struct listing *listing, const char *volume)
{
  return listing->volume[0] == '\0' || strcmp (listing->volume, volume) == 0;
}

static void
add_inflight (struct listing *listing, const struct qbd_inflight *is)
{
  struct attach_inflight *to;

  if (listing->nr == listing->max) {
    listing->more++;
    return;
  }
  to = &listing->list[listing->nr++];
  to->is = *is;
  snprintf (to->volume, sizeof to->volume, "%s", is->volume);
  snprintf (to->path, sizeof to->path, "%s", is->path);
}

/* Those that wait behind another request, for a part of a block. */
static void
add_wait (void *opaque, const struct range_wait *wait)
{
  struct listing *listing = opaque;
  const struct qbd_inflight is = {
    .op = wait->op, .stage = "range", .volume = listing->waits_of, .path = "",
    .offset = wait->offset, .count = wait->count,
    .age_ms = clock_now_ms () - wait->since_ms,
  };

  add_inflight (listing, &is);
}

/* All handles of a volume have one association: any of them will do. */
static void
list_locked (struct listing *listing, struct attached *attached)
{
  const struct handle *handle;
  int total, nr;

  TAILQ_FOREACH (handle, &handles, link)
    if (handle->attached == attached)
      break;
  if (handle == NULL)
    return;
  total = qbd_list_inflight (handle->blocks.volume, inflight, INFLIGHT_MAX);
  nr = total < INFLIGHT_MAX ? total : INFLIGHT_MAX;
  for (int i = 0; i < nr; i++)
    if (is_wanted (listing, inflight[i].volume))
      add_inflight (listing, &inflight[i]);
  if (total > nr && is_wanted (listing, inflight[0].volume))
    listing->more += (unsigned) (total - nr);
  /* They wait for requests that are in flight, as a rule. */
  listing->waits_of = nr > 0 ? inflight[0].volume : attached->nqn;
  if (is_wanted (listing, listing->waits_of))
    range_lock_each_wait (&attached->lock, add_wait, listing);
}

unsigned
attach_list_inflight (const char *volume, struct attach_inflight *list,
                      unsigned max)
{
  struct listing listing = { .volume = volume, .list = list, .max = max };
  struct attached *attached;
  LOCK_SCOPE (&mutex);

  TAILQ_FOREACH (attached, &all, link)
    list_locked (&listing, attached);
  return listing.nr + listing.more;
}

/* --- the end ------------------------------------------------------------------ */

static struct handle *
any_handle (void)
{
  LOCK_SCOPE (&mutex);

  return TAILQ_FIRST (&handles);
}

void
attach_end (void)
{
  struct handle *handle;

  while ((handle = any_handle ()) != NULL)
    attach_close (handle);
  limit_idle (0);
}
