/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reactor.h over the simulated world: any number of reactors in one thread,
 * on the virtual clock.  Messages and file I/O take a while by chance.
 * Watches do not exist: simulated streams have no descriptor.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "server/reactor/file-call.h"
#include "server/reactor/reactor.h"
#include "tests/sim/sim-reactor.h"
#include "tests/sim/world.h"

struct reactor {
  unsigned index;
  bool ended;
  struct reactor_task *mail, **mail_end;
  bool mail_coming;
  struct reactor_task *deferred, **deferred_end;
  struct reactor_timer *timers;
  unsigned nr_file_io;
  uint64_t frozen_until_us;
  struct world_source source;
};

static struct reactor *current;

/* Runs fn as an event of this reactor: with the deferred tasks at its end. */
static void
run_turn (struct reactor *reactor, void (*fn) (void *), void *arg)
{
  struct reactor *outer = current;

  current = reactor;
  fn (arg);
  while (reactor->deferred) {
    struct reactor_task *task = reactor->deferred;

    reactor->deferred = task->next;
    if (reactor->deferred == NULL)
      reactor->deferred_end = &reactor->deferred;
    task->run (task);
  }
  current = outer;
}

/* --- processes that are stopped -------------------------------------------- */

void
sim_reactor_freeze (struct reactor *reactor, uint64_t until_us)
{
  if (until_us > reactor->frozen_until_us)
    reactor->frozen_until_us = until_us;
}

/* True: the event happens once more, later. */
static bool
postpone (struct reactor *reactor, void (*event) (void *arg), void *arg)
{
  uint64_t now_us = world_now_us ();

  if (now_us >= reactor->frozen_until_us)
    return false;
  world_after (reactor->frozen_until_us - now_us, event, arg);
  return true;
}

struct call {
  struct reactor *reactor;
  void (*fn) (void *arg);
  void *arg;
};

static void
call_comes (void *arg)
{
  struct call *call = arg;

  if (postpone (call->reactor, call_comes, call))
    return;
  run_turn (call->reactor, call->fn, call->arg);
  free (call);
}

void
sim_reactor_call_later (struct reactor *reactor, void (*fn) (void *arg),
                        void *arg)
{
  struct call *call = malloc (sizeof *call);

  if (call == NULL)
    abort ();
  *call = (struct call) { reactor, fn, arg };
  call_comes (call);
}

/* --- time ----------------------------------------------------------------- */

static uint64_t
next_timer_us (void *opaque)
{
  struct reactor *reactor = opaque;
  struct reactor_timer *timer;
  uint64_t due_us = UINT64_MAX;

  for (timer = reactor->timers; timer; timer = timer->next)
    if (timer->due_ms * 1000 < due_us)
      due_us = timer->due_ms * 1000;
  return due_us < reactor->frozen_until_us ? reactor->frozen_until_us
         : due_us;
}

static void
expire_timer (void *opaque)
{
  struct reactor_timer *timer = opaque;

  timer->expired (timer);
}

static void
run_timer (void *opaque)
{
  struct reactor *reactor = opaque;
  struct reactor_timer *timer, *first = NULL;

  for (timer = reactor->timers; timer; timer = timer->next)
    if (first == NULL || timer->due_ms < first->due_ms)
      first = timer;
  reactor_timer_disarm (reactor, first);
  run_turn (reactor, expire_timer, first);
}

uint64_t
reactor_now_ms (const struct reactor *reactor)
{
  return world_now_ms ();
}

uint64_t
reactor_clock_us (const struct reactor *reactor)
{
  return world_now_ms () * 1000;
}

void
reactor_timer_arm (struct reactor *reactor, struct reactor_timer *timer,
                   uint64_t due_ms)
{
  reactor_timer_disarm (reactor, timer);
  timer->due_ms = due_ms;
  timer->next = reactor->timers;
  timer->pprev = &reactor->timers;
  if (timer->next)
    timer->next->pprev = &timer->next;
  reactor->timers = timer;
}

void
reactor_timer_disarm (struct reactor *reactor, struct reactor_timer *timer)
{
  if (timer->pprev == NULL)
    return;
  *timer->pprev = timer->next;
  if (timer->next)
    timer->next->pprev = timer->pprev;
  timer->pprev = NULL;
}

/* --- life ----------------------------------------------------------------- */

int
reactor_create (unsigned index, struct reactor **out, struct error *err)
{
  struct reactor *reactor = calloc (1, sizeof *reactor);

  if (reactor == NULL)
    return error_set (err, ENOMEM, "reactor: %u: out of memory", index);
  reactor->index = index;
  reactor->mail_end = &reactor->mail;
  reactor->deferred_end = &reactor->deferred;
  reactor->source = (struct world_source) {
    .next_due_us = next_timer_us, .run = run_timer, .opaque = reactor,
  };
  world_add_source (&reactor->source);
  *out = reactor;
  return 0;
}

int
reactor_start (struct reactor *reactor, struct error *err)
{
  return 0;
}

/* The world, which knows it as a source, must have ended before. */
void
reactor_destroy (struct reactor *reactor)
{
  assert (reactor->nr_file_io == 0);
  free (reactor);
}

struct reactor *
reactor_current (void)
{
  return current;
}

unsigned
reactor_index (const struct reactor *reactor)
{
  return reactor->index;
}

const char *
reactor_file_backend (const struct reactor *reactor)
{
  return "simulated";
}

int
reactor_hold_file (struct reactor *reactor, int fd)
{
  return 0;
}

void
reactor_let_file_go (struct reactor *reactor, int fd)
{
}

/* --- mailbox -------------------------------------------------------------- */

static void
empty_mailbox (void *arg)
{
  struct reactor *reactor = arg;

  while (reactor->mail) {
    struct reactor_task *task = reactor->mail;

    reactor->mail = task->next;
    if (reactor->mail == NULL)
      reactor->mail_end = &reactor->mail;
    task->run (task);
  }
}

static void
mail_comes (void *arg)
{
  struct reactor *reactor = arg;

  if (postpone (reactor, mail_comes, arg))
    return;
  reactor->mail_coming = false;
  run_turn (reactor, empty_mailbox, reactor);
}

void
reactor_post (struct reactor *reactor, struct reactor_task *task)
{
  task->next = NULL;
  *reactor->mail_end = task;
  reactor->mail_end = &task->next;
  if (!reactor->mail_coming) {
    reactor->mail_coming = true;
    world_after (world_chance (0, 200), mail_comes, reactor);
  }
}

void
reactor_defer (struct reactor *reactor, struct reactor_task *task)
{
  assert (current == reactor);
  task->next = NULL;
  *reactor->deferred_end = task;
  reactor->deferred_end = &task->next;
}

void
reactor_call (struct reactor *reactor, void (*fn) (void *arg), void *arg)
{
  run_turn (reactor, fn, arg);
}

/* --- descriptors: none ------------------------------------------------------ */

int
reactor_watch_add (struct reactor *reactor, struct reactor_watch *watch,
                   uint32_t epoll_events)
{
  return -ENOTSUP;
}

void
reactor_request_begins (struct reactor *reactor)
{
}

void
reactor_request_ends (struct reactor *reactor)
{
}

void
reactor_watch_change (struct reactor *reactor, struct reactor_watch *watch,
                      uint32_t epoll_events)
{
}

void
reactor_watch_remove (struct reactor *reactor, struct reactor_watch *watch)
{
}

/* --- file I/O and slow work: real, but answered later ------------------------ */

struct answer {
  struct reactor *reactor;
  struct reactor_file_io *io;
  int64_t result;
};

static void
answer_turn (void *arg)
{
  struct answer *answer = arg;

  answer->io->done (answer->io, answer->result);
}

static void
file_io_over (void *arg)
{
  struct answer *answer = arg;

  if (postpone (answer->reactor, file_io_over, arg))
    return;
  answer->reactor->nr_file_io--;
  answer->result = file_call (answer->io);
  run_turn (answer->reactor, answer_turn, answer);
  free (answer);
}

void
reactor_file_submit (struct reactor *reactor, struct reactor_file_io *io)
{
  struct answer *answer = calloc (1, sizeof *answer);

  if (answer == NULL)
    abort ();
  answer->reactor = reactor;
  answer->io = io;
  reactor->nr_file_io++;
  world_after (world_chance (1, 3000), file_io_over, answer);
}

static void
work_turn (void *arg)
{
  struct reactor_work *work = arg;

  work->done (work);
}

static void
work_over (void *arg)
{
  struct reactor_work *work = arg;
  struct reactor *outer = current;

  if (postpone (work->reactor, work_over, arg))
    return;
  current = NULL;
  work->work (work);
  current = outer;
  run_turn (work->reactor, work_turn, work);
}

void
reactor_work_submit (struct reactor *reactor, struct reactor_work *work)
{
  work->reactor = reactor;
  world_after (world_chance (1, 3000), work_over, work);
}

void
reactor_work_submit_far (struct reactor *reactor, struct reactor_work *work)
{
  reactor_work_submit (reactor, work);
}
