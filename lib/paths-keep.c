/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the keeper does about several paths of a volume: it looks at each of
 * them, ends the controller of one that was lost, lets those go on who wait,
 * and gives up when there has been no path for too long.  Nothing here waits,
 * and nothing allocates.
 *
 * What was in flight on a path that is lost may still take effect there.  So
 * nothing that changes the volume is sent over any path before
 *
 *   - another controller of the subsystem has ended the one that was lost
 *     (Cross-Controller Reset), or its own path is back and says so, or
 *   - it must have ended by itself (reconnect.c).
 *
 * Nobody was told of a change that is in flight: one that is sent meanwhile,
 * because it was just about to be, is as good before it as after it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/association-steps.h"
#include "nvmeof/command-check.h"
#include "nvmeof/status.h"

enum {
  DOUBT_MS = 100,               /* a path that refused is left alone */
  REFUSED_MS = 1000,            /* then it has not refused again */
  FENCE_RETRY_MS = 100,
  TELL_MS = 1000,               /* requests that wait less are no news */
};

static uint64_t
earlier (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

/* --- each path ---------------------------------------------------------- */

static bool
is_accessible (uint8_t ana)
{
  return ana != NVME_ANA_STATE_INACCESSIBLE &&
    ana != NVME_ANA_STATE_PERSISTENT_LOSS && ana != NVME_ANA_STATE_CHANGE;
}

/* Before the ANA state is known, one that may have a better one is taken where
 * there is none that has. */
static enum path_use
judge (const struct association *association, uint64_t now_ms)
{
  const uint8_t ana = association->path.ana;

  if (now_ms < association->path.doubt_until_ms || !is_accessible (ana))
    return PATH_NONE;
  return ana == NVME_ANA_STATE_OPTIMIZED ||
    association->fresh.ana_log_bytes == 0 ? PATH_FIRST : PATH_SECOND;
}

/* Another state must come within ANATT; the path is made anew otherwise (Base
 * 2.0 section 8.1.3.4).  Returns when. */
static uint64_t
judge_change (struct association *association, uint64_t gap_ms,
              uint64_t now_ms)
{
  uint32_t anatt_ms = association->fresh.anatt_ms;

  if (association->path.ana != NVME_ANA_STATE_CHANGE || anatt_ms == 0 ||
      !association_is_live (association)) {
    association->path.ana_change_ms = 0;
    return UINT64_MAX;
  }
  if (association->path.ana_change_ms == 0)
    association->path.ana_change_ms = now_ms;
  else
    association->path.ana_change_ms += gap_ms;
  if (now_ms - association->path.ana_change_ms < anatt_ms)
    return association->path.ana_change_ms + anatt_ms;
  association_lose (association, ETIMEDOUT, "its ANA state changes for longer "
                    "than ANATT");
  return UINT64_MAX;
}

void
paths_look (struct association *association, uint64_t now_ms)
{
  enum path_use use = PATH_NONE;

  if (atomic_exchange (&association->path.doubted, false))
    association->path.doubt_until_ms = now_ms + DOUBT_MS;
  LOCK_SCOPE (&association->lock);
  if (association->state == ASSOCIATION_LIVE)
    use = judge (association, now_ms);
  if (use == PATH_NONE && association->path.use != PATH_NONE)
    paths_suspend (association);
  association->path.use = use;
}

static uint64_t
look_at_all (struct paths *paths, uint64_t now_ms)
{
  uint64_t gap_ms = clock_gap_ms (paths->keep.planned_ms, now_ms);
  uint64_t next_ms = UINT64_MAX;

  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[i];

    next_ms = earlier (next_ms, judge_change (association, gap_ms, now_ms));
    paths_look (association, now_ms);
    if (now_ms < association->path.doubt_until_ms)
      next_ms = earlier (next_ms, association->path.doubt_until_ms);
    else if (now_ms < association->path.doubt_until_ms + REFUSED_MS)
      next_ms = earlier (next_ms, association->path.doubt_until_ms +
                         REFUSED_MS);
  }
  return next_ms;
}

/* --- the fence ---------------------------------------------------------- */

static void
fence_over (struct association *lost)
{
  reconnect_fenced (lost);
  lost->path.unfenced = lost->path.nameless = false;
  lost->path.hold_until_ms = 0;
}

/* The path that can end the controller of another, paths->nr if there is none;
 * from the next on after the one asked last, as that may be in no state to do
 * it. */
static unsigned
find_fencer (const struct paths *paths, const struct association *lost)
{
  if (lost->path.nameless || lost->re.old.instance.cirn == 0)
    return paths->nr;
  for (unsigned i = 0; i < paths->nr; i++) {
    unsigned at = (paths->fence.next + i) % paths->nr;
    struct association *by = paths->association[at];

    if (by != lost && association_is_live (by) && by->fresh.can_cross_reset &&
        !by->params.foreign)
      return at;
  }
  return paths->nr;
}

/* [locked: the admin queue of `by`] */
static void
fence_answered (struct request *request)
{
  struct paths *paths = (struct paths *)
    ((char *) request - offsetof (struct paths, fence.request));

  paths->fence.answered = true;
  keeper_wake ();
}

static void
fence_submit (struct paths *paths, struct association *lost,
              struct association *by, uint64_t now_ms)
{
  struct request *request = &paths->fence.request;
  int r;

  paths->fence.old = lost->re.old;
  paths->fence.lost = lost;
  paths->fence.answered = false;
  memset (request, 0, sizeof *request);
  request->transport.sqe = cross_reset_command (lost->re.old.cntlid,
                                                &lost->re.old.instance);
  request->fleeting = true;
  request->done = fence_answered;
  queue_lock (by->admin);
  queue_set_now_locked (by->admin, now_ms);
  r = queue_submit_locked (by->admin, request, true);
  queue_unlock (by->admin);
  queue_flush_sends (by->admin);
  if (r < 0)
    paths->fence.lost = NULL;
}

static bool
same_controller (const struct old_controller *a,
                 const struct old_controller *b)
{
  return a->cntlid == b->cntlid && a->instance.ciu == b->instance.ciu &&
    a->instance.cirn == b->instance.cirn;
}

/* A controller that takes its time, or promises nothing, leaves that to the
 * hold, or to the path itself when it is back. */
static void
fence_judge (struct paths *paths, uint64_t now_ms)
{
  const struct transport_request *answer = &paths->fence.request.transport;
  struct association *lost = paths->fence.lost;
  uint16_t status;

  paths->fence.lost = NULL;
  paths->fence.in_progress = false;
  if (answer->error != 0 || !lost->path.unfenced ||
      !same_controller (&paths->fence.old, &lost->re.old))
    return;
  status = nvme_cqe_status (&answer->cqe);
  if (status == 0 &&
      le64_to_cpu (answer->cqe.value) & CROSS_RESET_IMMEDIATE) {
    fence_over (lost);
  } else if (status == STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS) ||
             status == STATUS_SPECIFIC (NVME_SC_CROSS_RESET_LIMIT)) {
    paths->fence.in_progress = true;
    paths->fence.retry_ms = now_ms + FENCE_RETRY_MS;
  } else {
    lost->path.nameless = true;
  }
}

/* The subsystem runs, whether a path of it can be used or not. */
static bool
any_is_live (const struct paths *paths)
{
  for (unsigned i = 0; i < paths->nr; i++)
    if (association_is_live (paths->association[i]))
      return true;
  return false;
}

/* It ends by itself; which counts while others of the subsystem run. */
static uint64_t
hold (struct association *lost, bool runs, uint64_t now_ms)
{
  if (!runs)
    lost->path.hold_until_ms = 0;
  else if (lost->path.hold_until_ms == 0)
    lost->path.hold_until_ms = now_ms + reconnect_hold_ms (lost);
  else if (now_ms >= lost->path.hold_until_ms)
    fence_over (lost);
  return lost->path.hold_until_ms ? lost->path.hold_until_ms : UINT64_MAX;
}

/* by: what find_fencer said. */
static uint64_t
fence_one (struct paths *paths, struct association *lost, unsigned by,
           uint64_t now_ms)
{
  if (lost->params.unfenced)
    fence_over (lost);
  else if (by == paths->nr)
    return hold (lost, any_is_live (paths), now_ms);
  else if (now_ms < paths->fence.retry_ms)
    return paths->fence.retry_ms;
  else {
    paths->fence.next = by + 1;
    fence_submit (paths, lost, paths->association[by], now_ms);
  }
  return UINT64_MAX;
}

static uint64_t
fence_all (struct paths *paths, uint64_t now_ms)
{
  uint64_t next_ms = UINT64_MAX;
  bool can_ask = false;

  if (paths->fence.lost && paths->fence.answered)
    fence_judge (paths, now_ms);
  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *lost = paths->association[i];
    unsigned by;

    if (!lost->path.unfenced)
      continue;
    by = find_fencer (paths, lost);
    can_ask |= by < paths->nr;
    if (!paths->fence.lost)
      next_ms = earlier (next_ms, fence_one (paths, lost, by, now_ms));
  }
  /* What was in progress may be over, or waited for, without being asked. */
  if (!can_ask)
    paths->fence.in_progress = false;
  return next_ms;
}

/* --- no path ------------------------------------------------------------ */

/* Some are connected: what is it then? */
static void
describe_none (const struct paths *paths, struct error *why)
{
  for (unsigned i = 0; i < paths->nr; i++)
    if (association_is_live (paths->association[i]) &&
        is_accessible (paths->association[i]->path.ana)) {
      error_set (why, EIO, "commands are refused over all there are");
      return;
    }
  error_set (why, EIO, "it is accessible over none (ANA)");
}

/* What requests wait for. */
static void
describe_wait (struct paths *paths, struct error *why)
{
  if (!paths_describe (paths, why))
    return;
  if (paths->fence.in_progress)
    error_set (why, EBUSY, "the controller of a lost path does not end");
  else if (paths->replay.due)
    error_set (why, EBUSY, "what a server has lost is not there again");
  else if (!paths_are_fenced (paths) && paths_best (paths))
    error_set (why, EBUSY, "the controller of a lost path has not ended yet");
  else if (paths->replay.retain && paths_best (paths))
    error_set (why, EBUSY, "a path that has alone what was not flushed "
               "cannot be used");
  else
    describe_none (paths, why);
}

static void
give_up (struct paths *paths)
{
  struct error why, err;

  describe_wait (paths, &why);
  error_set (&err, EIO, "%s: no path for %u s: %s",
             options_name (&paths->options),
             paths->options.ctrl_loss_tmo_ms / 1000, why.message);
  paths_give_up (paths, &err, EIO);
}

static int
end_error (const struct paths *paths)
{
  if (paths->interrupted)
    return ESHUTDOWN;
  return paths->association[0]->params.reconnects ? EIO : ENOTCONN;
}

static uint64_t
judge_loss (struct paths *paths, bool any, uint64_t now_ms)
{
  const struct options *options = &paths->options;
  uint64_t waited_ms, next_ms = UINT64_MAX;

  if (paths->keep.since_ms == 0)
    paths->keep.since_ms = now_ms;
  else
    paths->keep.since_ms += clock_gap_ms (paths->keep.planned_ms, now_ms);
  waited_ms = now_ms - paths->keep.since_ms;
  if (options->ctrl_loss_tmo_ms != UINT32_MAX) {
    if (options->ctrl_loss_tmo_ms > 0 &&
        waited_ms >= options->ctrl_loss_tmo_ms)
      give_up (paths);
    next_ms = paths->keep.since_ms + options->ctrl_loss_tmo_ms;
  }
  if (options->fast_io_fail_tmo_ms != UINT32_MAX && !any) {
    if (waited_ms >= options->fast_io_fail_tmo_ms)
      paths->error = EIO;
    else
      next_ms = earlier (next_ms, paths->keep.since_ms +
                         options->fast_io_fail_tmo_ms);
  }
  /* Once a second, so that a gap is seen as one. */
  return earlier (next_ms > now_ms ? next_ms : UINT64_MAX,
                  now_ms + CLOCK_GAP_MS);
}

/* It has refused, and its time to be believed again is not over. */
static bool
refuses (const struct association *association, uint64_t now_ms)
{
  return association->path.refused &&
    now_ms < association->path.doubt_until_ms + REFUSED_MS;
}

/* What a path took may be there alone, so that others do not stand in for it
 * while it is left alone.  It may refuse whatever it is given, each time when it
 * is tried again. */
static bool
any_refuses (struct paths *paths, uint64_t now_ms)
{
  if (!paths->replay.retain)
    return false;
  for (unsigned i = 0; i < paths->nr; i++) {
    struct association *association = paths->association[i];

    if (refuses (association, now_ms) && paths_has_alone (paths, association))
      return true;
  }
  return false;
}

/* An old controller takes its time: what changes the volume waits for it, and
 * perhaps for too long; and so does all the rest, where what a cache has lost is
 * not there yet. */
static uint64_t
judge_changes (struct paths *paths, uint64_t now_ms)
{
  uint32_t tmo_ms = paths->options.fast_io_fail_tmo_ms;
  bool suspended = paths->replay.owed;
  bool wait = paths->fence.in_progress || suspended;

  for (unsigned i = 0; i < paths->nr; i++)
    wait |= paths->association[i]->path.hold_until_ms != 0;
  if (!wait) {
    if (!any_refuses (paths, now_ms))
      paths->keep.changes_since_ms = 0;
    paths->change_error = 0;
    return UINT64_MAX;
  }
  if (paths->keep.changes_since_ms == 0)
    paths->keep.changes_since_ms = now_ms;
  else
    paths->keep.changes_since_ms += clock_gap_ms (paths->keep.planned_ms,
                                                  now_ms);
  if (tmo_ms == UINT32_MAX)
    return UINT64_MAX;
  if (now_ms - paths->keep.changes_since_ms >= tmo_ms) {
    paths->change_error = EIO;
    if (suspended)
      paths->error = EIO;
    return UINT64_MAX;
  }
  return earlier (paths->keep.changes_since_ms + tmo_ms,
                  now_ms + CLOCK_GAP_MS);
}

/* A path that refuses whatever it is given, each time when it is tried again,
 * is none. */
static bool
gets_through (const struct paths *paths, uint64_t now_ms)
{
  for (unsigned i = 0; i < paths->nr; i++) {
    const struct association *association = paths->association[i];

    if (association->path.use != PATH_NONE && !refuses (association, now_ms))
      return true;
  }
  return false;
}

static uint64_t
judge_all (struct paths *paths, bool any, uint64_t now_ms)
{
  uint64_t next_ms = UINT64_MAX;

  if (any && !paths->fence.in_progress && !paths->replay.owed &&
      !any_refuses (paths, now_ms)) {
    if (gets_through (paths, now_ms))
      paths->keep.since_ms = 0;
  } else if (!paths_dead (paths)) {
    next_ms = judge_loss (paths, any, now_ms);
  }
  if (any && !paths->replay.owed)
    paths->error = 0;
  if (paths_dead (paths))
    paths->error = end_error (paths);
  return next_ms;
}

/* --- those who wait ----------------------------------------------------- */

static void
take_free (struct paths *paths, struct path_waiters *going, uint64_t now_ms)
{
  bool read = paths_error (paths, false) != 0 || paths_pick (paths, false);
  bool change = paths_error (paths, true) != 0 || paths_pick (paths, true);
  struct path_waiter *waiter, *next;

  LOCK_SCOPE (&paths->lock);
  for (waiter = TAILQ_FIRST (&paths->waiters); waiter; waiter = next) {
    next = TAILQ_NEXT (waiter, link);
    if (waiter->since_ms == 0)
      waiter->since_ms = now_ms;
    if (waiter->changes ? !change : !read)
      continue;
    TAILQ_REMOVE (&paths->waiters, waiter, link);
    TAILQ_INSERT_TAIL (going, waiter, link);
    paths->nr_waiters--;
  }
}

static void
let_go (struct paths *paths, uint64_t now_ms)
{
  struct path_waiters going = TAILQ_HEAD_INITIALIZER (going);
  struct path_waiter *waiter;

  take_free (paths, &going, now_ms);
  while ((waiter = TAILQ_FIRST (&going))) {
    TAILQ_REMOVE (&going, waiter, link);
    waiter->go (waiter, now_ms);
  }
}

static bool
any_waits (struct paths *paths)
{
  LOCK_SCOPE (&paths->lock);
  return paths->nr_waiters > 0;
}

static void
tell (const struct paths *paths, const char *message)
{
  const struct options *options = &paths->options;

  if (options->notice)
    options->notice (options->notice_opaque, message);
}

/* Once when requests have waited for a moment, and once when they go on, or
 * fail: that there is a connection is no news of it.  Returns when to come
 * again. */
static uint64_t
tell_of_wait (struct paths *paths, uint64_t now_ms)
{
  const char *name = options_name (&paths->options);
  uint64_t ms = now_ms - paths->keep.waits_since_ms;
  struct error why, line;

  if (!any_waits (paths)) {
    if (paths->keep.told) {
      error_set (&line, 0, "%s: requests %s after %u.%u s", name,
                 paths_error (paths, true) != 0 ? "fail" : "go on",
                 (unsigned) (ms / 1000), (unsigned) (ms % 1000 / 100));
      tell (paths, line.message);
    }
    paths->keep.waits_since_ms = 0;
    paths->keep.told = false;
    return UINT64_MAX;
  }
  if (paths->keep.waits_since_ms == 0)
    paths->keep.waits_since_ms = now_ms;
  if (paths->keep.told)
    return UINT64_MAX;
  if (now_ms - paths->keep.waits_since_ms < TELL_MS)
    return paths->keep.waits_since_ms + TELL_MS;
  describe_wait (paths, &why);
  error_set (&line, 0, "%s: requests wait: %s", name, why.message);
  tell (paths, line.message);
  paths->keep.told = true;
  return UINT64_MAX;
}

uint64_t
paths_tick (struct paths *paths, uint64_t now_ms)
{
  uint64_t next_ms = look_at_all (paths, now_ms);
  bool any = paths_best (paths) != NULL;

  next_ms = earlier (next_ms, fence_all (paths, now_ms));
  next_ms = earlier (next_ms, paths_replay_tick (paths, now_ms));
  next_ms = earlier (next_ms, judge_changes (paths, now_ms));
  next_ms = earlier (next_ms, judge_all (paths, any, now_ms));
  let_go (paths, now_ms);
  next_ms = earlier (next_ms, tell_of_wait (paths, now_ms));
  paths->keep.planned_ms = next_ms;
  return next_ms;
}
