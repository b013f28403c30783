/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of an association that was lost.  The keeper drives it (in
 * the simulator, the world): tries to connect, with pauses that grow, fails
 * requests when they have waited for long enough, and lets them go on when
 * the association is LIVE again.  Nothing here waits, and nothing allocates.
 *
 * A command that was in flight may still be inside the old controller, and
 * would take effect over newer data if it got there after its own second
 * copy (TP4129, TP8028).  So nothing that changes the volume is sent before
 *
 *   - the server says that the old controller is over: Connect waits for
 *     those of this host that it knows to be dead, and Cross-Controller Reset
 *     names ours, or
 *   - a server that makes no such promise must have ended it by itself: after
 *     twice or three times the keep-alive timeout.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/association-steps.h"

enum {
  PAUSE_MIN_MS = 100,
  HANDSHAKE_MS = 2000,          /* until a transport must be ready, at first */
  INSIDE_MS = 5,                /* threads are on their way out of a queue */
  DEAD_LOOK_MS = 1000,          /* is an RDMA device of ours removed? */
  STEADY_MS = 5000,             /* live for so long, pauses begin anew */
  HOLD_WITHOUT_KATO_MS = 30000,
};

/* --- all its queues ----------------------------------------------------- */

static struct queue *
queue_at (const struct association *association, uint32_t i)
{
  return i == 0 ? association->admin : association->io[i - 1];
}

static bool
all_idle (const struct association *association)
{
  for (uint32_t i = 0; i <= association->nr_io; i++)
    if (!queue_is_idle (queue_at (association, i)))
      return false;
  return true;
}

/* Also one that was renewed while another thread reported the loss: nobody
 * would ever look at it again. */
static void
shut_all (struct association *association)
{
  for (uint32_t i = 0; i <= association->nr_io; i++)
    queue_shut (queue_at (association, i), ENOTCONN,
                "another connection was lost");
}

static void
fail_requests (struct association *association, enum queue_gate gate)
{
  association->re.fast_failed = true;
  for (uint32_t i = 0; i <= association->nr_io; i++)
    queue_set_gate (queue_at (association, i), gate, EIO);
}

/* What waited is sent, and one of those who sleep is told to receive. */
static void
open_gates (struct association *association, enum queue_gate gate,
            uint64_t now_ms)
{
  for (uint32_t i = 0; i <= association->nr_io; i++) {
    struct queue *queue = queue_at (association, i);

    queue_lock (queue);         /* their time begins now */
    queue_set_now_locked (queue, now_ms);
    queue_unlock (queue);
    queue_set_gate (queue, gate, 0);
    queue_pump (queue, now_ms);
  }
}

/* --- pauses ------------------------------------------------------------- */

/* xorshift: the simulator needs the same for the same seed. */
static uint64_t
next_chance (struct association *association)
{
  uint64_t *chance = &association->re.chance;

  if (*chance == 0)
    *chance = association->params.seed;
  if (*chance == 0 &&
      getrandom (chance, sizeof *chance, GRND_NONBLOCK) != sizeof *chance)
    *chance = clock_now_ms ();
  *chance |= *chance == 0;
  *chance ^= *chance << 13;
  *chance ^= *chance >> 7;
  *chance ^= *chance << 17;
  return *chance;
}

/* Half of it is by chance, so that hosts do not come all at once. */
static uint64_t
pause_ms (struct association *association)
{
  uint64_t most_ms = association->params.options.reconnect_delay_ms;
  uint64_t ms = PAUSE_MIN_MS;

  for (unsigned i = 0; i < association->re.tries && ms < most_ms; i++)
    ms *= 2;
  if (ms > most_ms)
    ms = most_ms;
  return ms / 2 + next_chance (association) % (ms / 2 + 1);
}

/* Short, for the next try may find a server that is back; but whoever is slow
 * (an adapter that pins memory, a machine under load) must get there, too. */
static uint64_t
handshake_ms (const struct association *association)
{
  uint64_t most_ms = association->params.options.connect_tmo_ms;
  uint64_t ms = HANDSHAKE_MS;

  for (unsigned i = 0; i < association->re.slow_tries && ms < most_ms; i++)
    ms *= 2;
  return ms < most_ms ? ms : most_ms;
}

/* --- fencing ------------------------------------------------------------ */

bool
reconnect_can_fence (const struct association *association)
{
  return (association->was_live || association->re.inherits) &&
    !association->re.fenced &&
    !association->params.unfenced && association->fresh.can_cross_reset &&
    association->re.old.instance.cirn != 0;
}

/* Its keep-alive timer begins with what it received last, or with the last
 * Keep Alive, and it may take as long again to notice.  This counts from when
 * the target is known to run: before, it may have been stopped, and its
 * timer and its unread input with it. */
uint64_t
reconnect_hold_ms (const struct association *association)
{
  uint64_t kato_ms = association->params.options.keep_alive_tmo_ms;
  uint64_t unit_ms = association->re.old.kato_unit_ms;

  if (kato_ms == 0)
    return HOLD_WITHOUT_KATO_MS;
  if (unit_ms > 0)
    kato_ms = (kato_ms + unit_ms - 1) / unit_ms * unit_ms;
  return kato_ms * (association->re.old.traffic_keeps_alive ? 3 : 2);
}

/* The first that can change the volume is about to be sent. */
static void
begin_changes (struct association *association)
{
  LOCK_SCOPE (&association->lock);
  association->re.old = association->re.now;
  association->re.fenced = false;
  association->re.hold_until_ms = 0;
  association->path.unfenced = association->path.nameless = false;
  association->path.hold_until_ms = 0;
}

void
reconnect_fenced (struct association *association)
{
  LOCK_SCOPE (&association->lock);
  association->re.fenced = true;
  association->re.hold_until_ms = 0;
}

bool
reconnect_inherits (struct association *association)
{
  struct old_controller old;

  if (association->was_live || association->params.unfenced ||
      association->params.forgetful || association->params.discovery)
    return false;
  association->re.inherits =
    left_behind_find (association, &old, &association->re.behind_first);
  if (association->re.inherits) {
    LOCK_SCOPE (&association->lock);
    association->re.old = old;
    association->re.fenced = false;
  }
  return association->re.inherits;
}

/* One of several paths knows whether it had changes in flight. */
static bool
must_hold (const struct association *association)
{
  if (association->re.fenced || association->params.unfenced)
    return false;
  return !association->params.several || association->path.unfenced;
}

void
reconnect_before_live (struct association *association)
{
  const struct controller_info *fresh = &association->fresh;

  association->re.now = (struct old_controller) {
    .used = true,
    .cntlid = association->cntlid,
    .traffic_keeps_alive = fresh->traffic_keeps_alive,
    .kato_unit_ms = fresh->kato_unit_ms,
  };
  if (fresh->can_cross_reset && !association->params.foreign)
    association->re.now.instance = fresh->instance;
  if (!association->was_live) {
    begin_changes (association);
    association->re.changing = true;
  }
}

/* --- down --------------------------------------------------------------- */

static void
begin_loss (struct association *association, uint64_t now_ms)
{
  bool steady = association->re.changing &&
    now_ms - association->re.live_ms >= STEADY_MS;

  association->re.lost_ms = now_ms;
  association->re.planned_ms = 0;
  association->re.trying = association->re.fast_failed = false;
  /* A connection that is lost as soon as it is made is no end of the loss; but
   * time in which requests got through is none of it. */
  if (steady || association->re.since_ms == 0)
    association->re.since_ms = now_ms;
  else if (association->re.changing)
    association->re.since_ms += now_ms - association->re.live_ms;
  association->re.tries = steady ? 0 : association->re.tries + 1;
  if (steady)
    association->re.slow_tries = 0;
  association->re.next_ms = now_ms + pause_ms (association);
}

static void
end_try (struct association *association, uint64_t now_ms)
{
  association->re.trying = false;
  association->re.tries++;
  association->re.next_ms = now_ms + pause_ms (association);
  association_next_place (association);
}

static void
give_up (struct association *association)
{
  const struct options *options = &association->params.options;
  struct error why, err;

  association_get_state (association, &why);
  error_set (&err, EIO, "%s: %s: no connection for %u s: %s",
             options_name (options), association->uri,
             options->ctrl_loss_tmo_ms / 1000, why.message);
  association_give_up (association, &err, EIO);
}

/* Time in which this process was stopped does not count.  Once: a try that
 * succeeds comes here twice in one tick. */
static void
leave_gap_out (struct association *association, uint64_t now_ms)
{
  association->re.since_ms += clock_gap_ms (association->re.planned_ms,
                                            now_ms);
  association->re.planned_ms = now_ms;
}

/* Of several paths one may be lost for ever: paths-keep.c judges all of
 * them. */
static void
judge_loss (struct association *association, uint64_t now_ms)
{
  const struct options *options = &association->params.options;
  uint64_t waited_ms;

  if (association->params.several)
    return;
  leave_gap_out (association, now_ms);
  waited_ms = now_ms - association->re.since_ms;
  if (options->ctrl_loss_tmo_ms != UINT32_MAX &&
      waited_ms >= options->ctrl_loss_tmo_ms)
    give_up (association);
  else if (options->fast_io_fail_tmo_ms != UINT32_MAX &&
           waited_ms >= options->fast_io_fail_tmo_ms &&
           !association->re.fast_failed)
    fail_requests (association, QUEUE_FAILING);
}

/* Of all queues at once: an RDMA device that was removed may be free for its
 * return only when nobody has it any more. */
static void
let_all_go (struct association *association)
{
  for (uint32_t i = 0; i <= association->nr_io; i++)
    queue_let_go (queue_at (association, i));
}

/* Its queues have what they had until the last of its users leaves. */
uint64_t
reconnect_dead_tick (struct association *association, uint64_t now_ms)
{
  bool wanted = false;

  if (association->re.let_go ||
      !queue_transport (association->admin)->ops->is_wanted_back)
    return UINT64_MAX;
  if (all_idle (association))
    for (uint32_t i = 0; i <= association->nr_io; i++)
      wanted |= queue_is_wanted_back (queue_at (association, i));
  if (!wanted)
    return now_ms + DEAD_LOOK_MS;
  let_all_go (association);
  association->re.let_go = true;
  return UINT64_MAX;
}

static void
try_again (struct association *association, uint64_t now_ms)
{
  let_all_go (association);
  association->re.changing = association->re.replaying = false;
  association->re.trying = true;
  association->re.start_ms = now_ms;
  association_start (association, now_ms);
}

static void
drive (struct association *association, uint64_t now_ms)
{
  enum association_state state = association_drive (association, now_ms);

  if (association_is_setting_up (state) &&
      !queue_transport (association->admin)->ready &&
      now_ms - association->re.start_ms >= handshake_ms (association)) {
    association_lose (association, ETIMEDOUT, "no answer from the server");
    association->re.slow_tries++;
  }
}

static uint64_t
earlier (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

/* When there is something to do, other than by an answer. */
static uint64_t
plan (const struct association *association, uint64_t tick_ms,
      uint64_t now_ms)
{
  const struct options *options = &association->params.options;
  uint64_t lost_ms = association->re.since_ms;

  if (association->params.several)
    return tick_ms;
  tick_ms = earlier (tick_ms, now_ms + CLOCK_GAP_MS);
  if (options->ctrl_loss_tmo_ms != UINT32_MAX)
    tick_ms = earlier (tick_ms, lost_ms + options->ctrl_loss_tmo_ms);
  if (options->fast_io_fail_tmo_ms != UINT32_MAX &&
      !association->re.fast_failed)
    tick_ms = earlier (tick_ms, lost_ms + options->fast_io_fail_tmo_ms);
  return tick_ms;
}

/* Returns when to come again. */
static uint64_t
step (struct association *association, uint64_t now_ms)
{
  if (association_is_setting_up (association_get_state (association, NULL))) {
    uint64_t ready_ms =
      association->re.start_ms + handshake_ms (association);

    drive (association, now_ms);
    if (association_is_setting_up (association_get_state (association, NULL)))
      return earlier (association_next_ms (association),
                      ready_ms > now_ms ? ready_ms : UINT64_MAX);
  }
  if (association_get_state (association, NULL) != ASSOCIATION_DOWN)
    return now_ms;
  if (association->re.trying)
    end_try (association, now_ms);
  if (now_ms < association->re.next_ms)
    return association->re.next_ms;
  shut_all (association);
  if (!all_idle (association))
    return now_ms + INSIDE_MS;
  try_again (association, now_ms);
  return now_ms;
}

uint64_t
reconnect_tick (struct association *association, uint64_t now_ms)
{
  uint64_t tick_ms = now_ms;

  if (association->re.lost_ms == 0)
    begin_loss (association, now_ms);
  judge_loss (association, now_ms);
  /* A try begins, and its first step; or fails, and a pause begins. */
  for (unsigned i = 0; i < 3 && tick_ms <= now_ms; i++) {
    tick_ms = step (association, now_ms);
    if (association->dead ||
        association_is_live (association))
      return now_ms;
  }
  association->re.planned_ms = plan (association, tick_ms, now_ms);
  return association->re.planned_ms;
}

/* --- live again --------------------------------------------------------- */

/* Until they are there, what is read is wrong. */
static bool
must_replay (const struct association *association)
{
  if (association->params.several)      /* paths-replay.c's business */
    return false;
  for (uint32_t i = 0; i < association->nr_namespaces; i++) {
    const struct retain *retain = association->namespaces[i].retain;

    if (retain && retain_is_wanted (retain))
      return true;
  }
  return false;
}

static enum retain_replay
replay (struct association *association, uint64_t now_ms)
{
  enum retain_replay all = RETAIN_REPLAY_OVER;

  if (association->params.several)
    return all;
  for (uint32_t i = 0; i < association->nr_namespaces; i++) {
    enum retain_replay one =
      retain_replay (association, &association->namespaces[i], now_ms);

    if (one > all)
      all = one;
  }
  association->re.replaying = all != RETAIN_REPLAY_OVER;
  return all;
}

static void
begin_live (struct association *association, uint64_t now_ms)
{
  association->re.lost_ms = 0;
  association->re.trying = association->re.fast_failed = false;
  association->re.hold_until_ms =
    must_hold (association) ? now_ms + reconnect_hold_ms (association) : 0;
  association->keep_alive_next_ms = 0;
  events_restart (association);
  if (now_ms < association->re.hold_until_ms && !must_replay (association))
    open_gates (association, QUEUE_READS, now_ms);
}

/* Changes wait on, or all requests, and perhaps for too long: when to come
 * again. */
static uint64_t
judge_wait (struct association *association, uint64_t now_ms)
{
  uint32_t tmo_ms = association->params.options.fast_io_fail_tmo_ms;
  uint64_t fail_ms = association->re.since_ms + tmo_ms;

  if (tmo_ms == UINT32_MAX || association->re.fast_failed ||
      association->params.several)
    return UINT64_MAX;
  if (now_ms < fail_ms)
    return fail_ms;
  fail_requests (association, must_replay (association) ? QUEUE_FAILING :
                 QUEUE_READS_ONLY);
  return UINT64_MAX;
}

/* Returns when to come again; UINT64_MAX: requests get through. */
static uint64_t
go_on (struct association *association, uint64_t now_ms)
{
  enum retain_replay replayed;

  if (now_ms < association->re.hold_until_ms)
    return earlier (earlier (association->re.hold_until_ms,
                             now_ms + CLOCK_GAP_MS),
                    judge_wait (association, now_ms));
  begin_changes (association);
  replayed = replay (association, now_ms);
  if (replayed != RETAIN_REPLAY_OVER)
    return earlier (replayed == RETAIN_REPLAY_GOES_ON ? now_ms :
                    now_ms + CLOCK_GAP_MS, judge_wait (association, now_ms));
  association->re.changing = true;
  association->re.fast_failed = false;
  association->re.live_ms = now_ms;
  open_gates (association, QUEUE_OPEN, now_ms);
  return UINT64_MAX;
}

uint64_t
reconnect_live_tick (struct association *association, uint64_t now_ms)
{
  if (association->re.lost_ms != 0)
    begin_live (association, now_ms);
  if (association->re.changing)
    return UINT64_MAX;
  leave_gap_out (association, now_ms);
  association->re.planned_ms = go_on (association, now_ms);
  return association->re.planned_ms;
}
