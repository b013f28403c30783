/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The associations over which a volume is reached, as one: what they are
 * together, which of them a transfer takes, who waits for one, and how they
 * end.  Any thread; what the keeper does about them is in paths-keep.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lib/internal.h"

/* --- life --------------------------------------------------------------- */

struct paths *
paths_create (const struct options *options, struct error *err)
{
  struct paths *paths = calloc (1, sizeof *paths);

  if (!paths) {
    error_set (err, ENOMEM, "open: %s: out of memory",
               options_name (options));
    return NULL;
  }
  /* With padding: options are compared as bytes. */
  memcpy (&paths->options, options, sizeof *options);
  pthread_mutex_init (&paths->lock, NULL);
  pthread_cond_init (&paths->gone, NULL);
  TAILQ_INIT (&paths->waiters);
  return paths;
}

void
paths_add (struct paths *paths, struct association *association)
{
  assert (paths->nr < PATHS_MAX);
  if (paths->nr == 0)
    paths->controller = association->controller;
  else
    identify_merge (&paths->controller, &association->controller);
  if (association->params.several)
    association->paths = paths;
  paths->association[paths->nr++] = association;
}

void
paths_free (struct paths *paths)
{
  bool inherited;

  if (!paths)
    return;
  inherited = paths->nr > 0 && paths_inherited (paths);
  for (unsigned i = 0; i < paths->nr; i++)
    association_free (paths->association[i]);
  retain_free (paths->replay.retain);
  if (!inherited) {
    pthread_mutex_destroy (&paths->lock);
    pthread_cond_destroy (&paths->gone);
  }
  free (paths);
}

bool
paths_dead (const struct paths *paths)
{
  for (unsigned i = 0; i < paths->nr; i++)
    if (!paths->association[i]->dead)
      return false;
  return true;
}

bool
paths_inherited (const struct paths *paths)
{
  return paths->association[0]->inherited;
}

void
paths_interrupt (struct paths *paths)
{
  paths->interrupted = true;
  for (unsigned i = 0; i < paths->nr; i++)
    association_interrupt (paths->association[i]);
}

void
paths_give_up (struct paths *paths, const struct error *err, int io_error)
{
  bool told = false;

  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[i];

    if (association->dead)
      continue;
    (told ? association_give_up_too :
     association_give_up) (association, err, io_error);
    told = true;
  }
}

bool
paths_describe (const struct paths *paths, struct error *err)
{
  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[paths->nr - 1 - i];

    if (association_get_state (association, err) == ASSOCIATION_LIVE)
      return true;
  }
  return false;
}

int
paths_error (const struct paths *paths, bool changes)
{
  int error = paths->error;

  if (paths->interrupted)
    return ESHUTDOWN;
  return error == 0 && changes ? paths->change_error : error;
}

bool
paths_have_lost (const struct paths *paths, struct namespace *ns)
{
  if (paths->nr == 1)
    return durable_is_lost (ns);
  for (unsigned i = 0; i < paths->nr; i++)
    if (durable_is_lost (&paths->association[i]->namespaces[0]))
      return true;
  return false;
}

/* --- choosing ----------------------------------------------------------- */

/* Where two are equally good, the one that comes first stays. */
static struct association *
better (const struct paths *paths, struct association *a,
        struct association *b)
{
  enum path_use a_use = a ? a->path.use : PATH_NONE, b_use = b->path.use;

  if (b_use != a_use)
    return b_use > a_use ? b : a;
  if (a_use != PATH_NONE &&
      paths->options.policy == OPTIONS_POLICY_QUEUE_DEPTH &&
      b->path.depth < a->path.depth)
    return b;
  return a;
}

bool
paths_are_fenced (const struct paths *paths)
{
  for (unsigned i = 0; i < paths->nr; i++)
    if (paths->association[i]->path.unfenced)
      return false;
  return true;
}

struct association *
paths_best (struct paths *paths)
{
  struct association *best = NULL;
  unsigned first = 0;

  if (paths->options.policy == OPTIONS_POLICY_ROUND_ROBIN)
    first = paths->next++ % paths->nr;
  for (unsigned i = 0; i < paths->nr; i++)
    best = better (paths, best,
                   paths->association[(first + i) % paths->nr]);
  return best;
}

/* In this order: what lowers a path suspends them before. */
struct association *
paths_pick (struct paths *paths, bool changes)
{
  struct association *best;

  if (changes && !paths_are_fenced (paths))
    return NULL;
  best = paths_best (paths);
  return paths->replay.suspended ? NULL : best;
}

/* One that is live and not to be used says that its subsystem is there; where
 * that has no durability epochs, as other targets, its controllers have one
 * cache (as all hosts suppose). */
static struct association *
pick_other (struct paths *paths, struct association *dirty)
{
  bool live = association_is_live (dirty);
  struct association *best = NULL;

  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *other = paths->association[i];

    if (other != dirty &&
        (live ? durable_same_epoch (&dirty->namespaces[0],
                                    &other->namespaces[0]) :
         durable_same_cache (&dirty->namespaces[0], &other->namespaces[0])))
      best = better (paths, best, other);
  }
  return best;
}

struct association *
paths_pick_flush (struct paths *paths, struct association *dirty)
{
  return dirty->path.use != PATH_NONE ? dirty : pick_other (paths, dirty);
}

bool
paths_has_alone (struct paths *paths, struct association *association)
{
  return durable_is_dirty (&association->namespaces[0]) &&
    !pick_other (paths, association);
}

/* Where changes are retained only the keeper lowers it: who says so may come
 * late, when all is resumed. */
void
paths_doubt (struct association *association)
{
  association->path.doubted = association->path.refused = true;
  paths_suspend (association);
  if (!association->paths || !association->paths->replay.retain)
    association->path.use = PATH_NONE;
  keeper_wake ();
}

/* --- waiting ------------------------------------------------------------ */

/* The keeper looks at all who wait, so that none is missed who came as a path
 * became free. */
void
paths_wait (struct paths *paths, struct path_waiter *waiter)
{
  {
    LOCK_SCOPE (&paths->lock);
    TAILQ_INSERT_TAIL (&paths->waiters, waiter, link);
    paths->nr_waiters++;
  }
  keeper_wake ();
}

bool
paths_wait_room (struct paths *paths)
{
  LOCK_SCOPE (&paths->lock);
  return paths->nr_waiters < paths->options.queue_size;
}

struct sync_waiter {
  struct path_waiter waiter;            /* first member */
  struct paths *paths;
  bool gone;                            /* locked */
};

static void
sync_go (struct path_waiter *waiter, uint64_t now_ms)
{
  struct sync_waiter *sync = (struct sync_waiter *) waiter;
  struct paths *paths = sync->paths;

  LOCK_SCOPE (&paths->lock);
  sync->gone = true;
  pthread_cond_broadcast (&paths->gone);
}

void
paths_await (struct paths *paths, const struct transfer *transfer,
             bool changes)
{
  struct sync_waiter sync = {
    .waiter = { .changes = changes, .transfer = transfer, .go = sync_go },
    .paths = paths,
  };

  paths_wait (paths, &sync.waiter);
  LOCK_SCOPE (&paths->lock);
  while (!sync.gone)
    pthread_cond_wait (&paths->gone, &paths->lock);
}
