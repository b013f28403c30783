/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths: the associations over which a volume is reached.  Part of internal.h,
 * which says who is above whom.
 *
 * With one path, requests wait inside its queues for the next connection.
 * With several, a queue that dies hands its requests back, and each transfer
 * chooses another path, or waits here until there is one.
 */
#ifndef QBD_LIB_PATHS_H
#define QBD_LIB_PATHS_H

#include "lib/association.h"

struct transfer;

/* What waits for a path. */
struct path_waiter {
  TAILQ_ENTRY (path_waiter) link;       /* locked */
  bool changes;                         /* it wants to change the volume */
  const struct transfer *transfer;      /* NULL: block status */
  uint64_t since_ms;                    /* locked; 0: the keeper did not see it
                                           yet */
  /* [keeper, no lock] It is not on the list any more, and may try again. */
  void (*go) (struct path_waiter *waiter, uint64_t now_ms);
};
TAILQ_HEAD (path_waiters, path_waiter);

/* What volumes of one configuration share: the registry's. */
struct paths {
  struct options options;               /* as asked for; constant */
  unsigned nr;                          /* at least 1; constant after open */
  struct association *association[PATHS_MAX];   /* constant after open */
  struct controller_info controller;    /* what users rely on; constant after
                                           open */
  _Atomic bool interrupted;

  /* Of several. */
  _Atomic unsigned next;                /* round-robin */
  /* errnos; or 0.  Set by the keeper */
  _Atomic int error;                    /* of all requests, */
  _Atomic int change_error;             /* of those that change the volume */
  pthread_mutex_t lock;                 /* the waiters; below all others */
  pthread_cond_t gone;                  /* synchronous ones have */
  struct path_waiters waiters;
  unsigned nr_waiters;

  /* paths-keep.c's: the keeper's. */
  struct {
    uint64_t since_ms;                  /* no path; 0: there is one */
    uint64_t changes_since_ms;          /* they wait; 0: they do not */
    uint64_t planned_ms;                /* the next tick */
    uint64_t waits_since_ms;            /* requests do; 0: none */
    bool told;                          /* and that was said */
  } keep;
  struct {
    struct request request;
    struct association *lost;           /* NULL: none is under way */
    struct old_controller old;          /* of lost */
    _Atomic bool answered;
    bool in_progress;                   /* the last answer */
    uint64_t retry_ms;
    unsigned next;                      /* path, to be asked first */
  } fence;

  /* paths-replay.c's. */
  struct {
    struct retain *retain;              /* all paths'; constant after open;
                                           NULL: not asked for */
    _Atomic unsigned suspended;         /* nothing is given a path: so often
                                           since it was 0 */
    _Atomic unsigned nr_entered;        /* that have one */
    /* The keeper's. */
    bool owed;                          /* a replay: nothing else goes on */
    bool due;                           /* it can begin, as to the others */
    struct association *over;           /* takes what is sent again; NULL:
                                           none is under way */
  } replay;

  /* The registry's. */
  TAILQ_ENTRY (paths) registry_link;
  unsigned refs;
  bool registered;
};

/* --- paths.c ------------------------------------------------------------ */

struct paths *paths_create (const struct options *options,
                            struct error *err);
/* [opening] Takes the association. */
void paths_add (struct paths *paths, struct association *association);
void paths_free (struct paths *paths);  /* and its associations */
/* None of them will ever be live again. */
bool paths_dead (const struct paths *paths);
/* It was opened in the parent of this process. */
bool paths_inherited (const struct paths *paths);
void paths_interrupt (struct paths *paths);
void paths_give_up (struct paths *paths, const struct error *err,
                    int io_error);
/* False with the reason: none of them is live. */
bool paths_describe (const struct paths *paths, struct error *err);

/* For several: the best one there is, or NULL.  changes: and nothing of a path
 * that was lost can overtake what is sent now. */
struct association *paths_pick (struct paths *paths, bool changes);
/* Also while nothing is given a path. */
struct association *paths_best (struct paths *paths);
/* Nothing that was in flight on one that was lost can take effect any more. */
bool paths_are_fenced (const struct paths *paths);
/* The one to flush, so that what is in the cache of `dirty` is stable. */
struct association *paths_pick_flush (struct paths *paths,
                                      struct association *dirty);
/* Something that is not flushed is behind no other that can be used. */
bool paths_has_alone (struct paths *paths, struct association *association);
/* For several: why there will be none in time, an errno; or 0. */
int paths_error (const struct paths *paths, bool changes);
/* It is to be looked at before it is used again.  Any lock may be held. */
void paths_doubt (struct association *association);

/* Until the keeper says so. */
void paths_wait (struct paths *paths, struct path_waiter *waiter);
bool paths_wait_room (struct paths *paths);
/* Returns when there may be one.  transfer: what for, or NULL. */
void paths_await (struct paths *paths, const struct transfer *transfer,
                  bool changes);

/* Of one path's namespace, or of all of them. */
bool paths_have_lost (const struct paths *paths, struct namespace *ns);

static inline unsigned
paths_losses (const struct paths *paths, struct namespace *ns)
{
  unsigned losses = 0;

  if (paths->nr == 1)
    return durable_losses (ns);
  for (unsigned i = 0; i < paths->nr; i++)
    losses += durable_losses (&paths->association[i]->namespaces[0]);
  return losses;
}

/* Commands in flight. */
static inline void
paths_count (const struct paths *paths, struct association *association,
             int change)
{
  if (paths->options.policy == OPTIONS_POLICY_QUEUE_DEPTH)
    association->path.depth += (unsigned) change;
}

/* --- paths-replay.c ----------------------------------------------------- */

/* [opening] What is not flushed is kept, for all paths together. */
int paths_retain (struct paths *paths, struct error *err);
/* [keeper] After each look at the paths.  Returns when to come again. */
uint64_t paths_replay_tick (struct paths *paths, uint64_t now_ms);
/* Any thread, before a path is none any more, or another one: until the keeper
 * has looked, nothing is given a path. */
void paths_suspend (struct association *association);
/* [keeper] The path leads to another cache than before. */
void paths_cache_changed (struct association *association);

/* Around all that is asked over one of several paths, beginning before it is
 * picked: what is sent again waits for it. */
static inline void
paths_enter (struct paths *paths)
{
  if (paths->replay.retain)
    paths->replay.nr_entered++;
}

void paths_leave (struct paths *paths);

/* It has taken a change, which is not acknowledged yet.  When that came over a
 * path that is none any more, the keeper did not know of it. */
static inline void
paths_changed (struct association *association)
{
  if (association->path.use == PATH_NONE) {
    paths_suspend (association);
    keeper_wake ();
  }
}

/* --- paths-open.c ------------------------------------------------------- */

/* All that can be reached, and at least one; with shared, the others are
 * connected later.  NULL with the reason. */
struct paths *paths_open (const struct options *options, bool shared,
                          struct attempt *attempt, uint64_t deadline_ms,
                          struct error *err);

/* --- paths-keep.c ------------------------------------------------------- */

/* After the keeper_tick of the last of several.  Returns when to come again. */
uint64_t paths_tick (struct paths *paths, uint64_t now_ms);
/* [keeper, opening] How good the path is now. */
void paths_look (struct association *association, uint64_t now_ms);

#endif
