/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several paths, and what was not flushed is kept (key retain): when a cache
 * that has some of it is lost, or out of reach, all that is kept is sent again
 * over a path that is there.  The keeper's business, but for paths_leave and
 * paths_suspend.
 *
 * There is one memory for all paths, in the order of acknowledgement: of two
 * changes of the same bytes the second may have gone over another path.  So all
 * of it is sent, and only when
 *
 *   - nothing that was in flight on a lost path can take effect any more (the
 *     fence of paths-keep.c): it would come over what is newer;
 *   - nothing is in flight on the others: what is sent again is older than it.
 *
 * From the moment when a path is lost until it is known that nothing has to be
 * sent again, or all of it is there, no request is given a path: reads, too,
 * would see what is missing.  Where two paths have one cache, as those of one
 * qbd-server, the loss of one of them costs one look of the keeper.
 *
 * A path that comes back with another cache than before says that the server
 * was down.  Others to it may not have noticed, and may still have answers
 * from before, unread: they are made anew, too.
 */
#include <errno.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/internal.h"

enum { INSIDE_MS = 5 };         /* requests are on their way out of a path */

/* --- requests ----------------------------------------------------------- */

void
paths_leave (struct paths *paths)
{
  if (paths->replay.retain && --paths->replay.nr_entered == 0 &&
      paths->replay.suspended)
    keeper_wake ();
}

void
paths_suspend (struct association *association)
{
  struct paths *paths = association->paths;

  if (paths && paths->replay.retain)
    paths->replay.suspended++;
}

/* False: another path was lost since seen. */
static bool
resume (struct paths *paths, unsigned seen)
{
  return atomic_compare_exchange_strong (&paths->replay.suspended, &seen, 0);
}

/* --- what is owed ------------------------------------------------------- */

/* Who suspends, and has not said yet what for, has the lock of that path, or it
 * is doubted: after this, whatever was counted before can be seen. */
static bool
all_is_said (struct paths *paths)
{
  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[i];

    LOCK_SCOPE (&association->lock);
    if (association->path.doubted)
      return false;
  }
  return true;
}

/* No path leads to the cache of what it took. */
static bool
is_owed (struct paths *paths, struct association *association)
{
  struct namespace *ns = &association->namespaces[0];

  return durable_is_missing (ns) ||
    (durable_is_dirty (ns) && !paths_pick_flush (paths, association));
}

static bool
any_is_owed (struct paths *paths)
{
  for (unsigned i = 0; i < paths->nr; i++)
    if (is_owed (paths, paths->association[i]))
      return true;
  return false;
}

/* It is connected, and what keeps it from being used is over in a moment, or is
 * a loss then. */
static bool
comes_back (struct association *association)
{
  uint8_t ana = association->path.ana;

  return association_is_live (association) &&
    ana != NVME_ANA_STATE_INACCESSIBLE &&
    ana != NVME_ANA_STATE_PERSISTENT_LOSS;
}

static bool
is_due (struct paths *paths)
{
  if (!paths_are_fenced (paths))
    return false;
  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[i];

    if (!durable_is_missing (&association->namespaces[0]) &&
        is_owed (paths, association) && comes_back (association))
      return false;
  }
  return true;
}

void
paths_cache_changed (struct association *association)
{
  struct paths *paths = association->paths;

  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *other = paths->association[i];

    if (other != association && association_is_live (other) &&
        !durable_same_epoch (&other->namespaces[0],
                             &association->namespaces[0]))
      association_lose (other, ECONNRESET, "the server has lost its cache, as "
                        "another path says");
  }
}

/* --- the replay --------------------------------------------------------- */

/* Answers of those who poll may be unread for long. */
static bool
is_drained (struct paths *paths, uint64_t now_ms)
{
  for (unsigned i = 0; i < paths->nr && paths->replay.nr_entered > 0; i++) {
    struct association *association = paths->association[i];

    for (uint32_t j = 0; j < association->nr_io; j++)
      queue_pump (association->io[j], now_ms);
  }
  return paths->replay.nr_entered == 0 ||
    paths->association[0]->params.hasty;
}

static uint64_t
begin (struct paths *paths, uint64_t now_ms)
{
  struct association *over = paths_best (paths);

  paths->replay.due = is_due (paths);
  if (!paths->replay.due || !over)
    return UINT64_MAX;
  if (!is_drained (paths, now_ms))
    return now_ms + INSIDE_MS;
  /* Those who left last may have said that a path is lost. */
  if (!paths_are_fenced (paths))
    return now_ms;
  durable_disturbed (&over->namespaces[0]);
  retain_reconnected (paths->replay.retain, true);
  over->re.replaying = true;
  paths->replay.over = over;
  return now_ms;
}

/* The others have what they took. */
static void
end (struct paths *paths)
{
  struct association *over = paths->replay.over;

  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[i];

    if (is_owed (paths, association))
      durable_moved (&association->namespaces[0]);
  }
  durable_changed (&over->namespaces[0]);
  over->re.replaying = false;
  paths->replay.over = NULL;
}

/* Over another path it begins anew: there may be another cache behind it. */
static uint64_t
leave (struct paths *paths, uint64_t now_ms)
{
  struct association *over = paths->replay.over;

  queue_pump (over->io[0], now_ms);     /* nobody else receives */
  if (!retain_is_idle (paths->replay.retain, over))
    return now_ms + INSIDE_MS;
  over->re.replaying = false;
  paths->replay.over = NULL;
  return now_ms;
}

static uint64_t
go_on (struct paths *paths, uint64_t now_ms)
{
  struct association *over = paths->replay.over;

  /* Its path may be one again before the last answer came. */
  if (over->path.use == PATH_NONE ||
      retain_is_broken (paths->replay.retain, over))
    return leave (paths, now_ms);
  switch (retain_replay (over, &over->namespaces[0], now_ms)) {
  case RETAIN_REPLAY_WAITS:
    return now_ms + CLOCK_GAP_MS;
  case RETAIN_REPLAY_OVER:
    end (paths);
    return now_ms;
  default:
    return now_ms;
  }
}

uint64_t
paths_replay_tick (struct paths *paths, uint64_t now_ms)
{
  unsigned seen = paths->replay.suspended;

  if (!paths->replay.retain)
    return UINT64_MAX;
  if (paths->replay.over)
    return go_on (paths, now_ms);
  paths->replay.due = false;
  if (!all_is_said (paths))
    return now_ms;              /* it is looked at again */
  paths->replay.owed = any_is_owed (paths);
  if (paths->replay.owed) {
    if (seen == 0)
      paths->replay.suspended++;
    return begin (paths, now_ms);
  }
  return resume (paths, seen) ? UINT64_MAX : now_ms;
}

/* --- opening ------------------------------------------------------------ */

int
paths_retain (struct paths *paths, struct error *err)
{
  const struct association *first = paths->association[0];
  struct retain *retain;

  if (paths->options.retain_bytes == 0 || !first->params.reconnects ||
      !first->params.several || !paths->controller.volatile_cache)
    return 0;
  retain = retain_create (paths->options.retain_bytes,
                          first->namespaces[0].info.block_bytes,
                          first->params.disorderly);
  if (!retain)
    return error_set (err, ENOMEM, "open: %s: retain: out of memory",
                      options_name (&paths->options));
  paths->replay.retain = retain;
  for (unsigned i = 0; i < paths->nr; i++)
    paths->association[i]->namespaces[0].retain = retain;
  return 0;
}
