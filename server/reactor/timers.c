/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers: a wheel of TIMER_SLOTS lists.  A timer sits in the slot of the
 * tick at which it expires, whichever round of the wheel that will be; arming
 * and disarming are O(1), and the loop sleeps until the next used slot.
 */
#include <limits.h>

#include "server/reactor/reactor-internal.h"

/* Rounded up: expires at or after due_ms. */
static uint64_t
tick_of (uint64_t due_ms)
{
  return due_ms / TIMER_TICK_MS + (due_ms % TIMER_TICK_MS != 0);
}

static void
link_timer (struct reactor_timer **head, struct reactor_timer *timer)
{
  timer->next = *head;
  timer->pprev = head;
  if (timer->next)
    timer->next->pprev = &timer->next;
  *head = timer;
}

static void
unlink_timer (struct reactor_timer *timer)
{
  *timer->pprev = timer->next;
  if (timer->next)
    timer->next->pprev = timer->pprev;
  timer->pprev = NULL;
}

void
timers_init (struct timers *timers, uint64_t now_ms)
{
  timers->tick = now_ms / TIMER_TICK_MS;
}

/* The first used slot's tick in (from, from + TIMER_SLOTS], or 0. */
static uint64_t
next_used (const struct timers *timers, uint64_t from)
{
  uint64_t tick = from + 1;
  uint64_t end = from + TIMER_SLOTS;

  while (tick <= end) {
    unsigned slot = tick % TIMER_SLOTS;
    uint64_t word = timers->used[slot / 64] >> slot % 64;

    if (word) {
      tick += (unsigned) __builtin_ctzll (word);
      return tick <= end ? tick : 0;
    }
    tick += 64 - slot % 64;
  }
  return 0;
}

/* Moves what is due from a slot to the list of expired timers. */
static void
expire_slot (struct timers *timers, unsigned slot, uint64_t now_tick)
{
  struct reactor_timer *timer, *next;

  for (timer = timers->slots[slot]; timer; timer = next) {
    next = timer->next;
    if (tick_of (timer->due_ms) <= now_tick) {
      unlink_timer (timer);
      link_timer (&timers->expired, timer);
    }
  }
  if (!timers->slots[slot])
    timers->used[slot / 64] &= ~(UINT64_C (1) << slot % 64);
}

void
timers_run (struct timers *timers, uint64_t now_ms)
{
  uint64_t now_tick = now_ms / TIMER_TICK_MS;
  struct reactor_timer *timer;
  uint64_t tick;

  while (timers->nr_armed > 0) {
    tick = next_used (timers, timers->tick);
    if (tick == 0 || tick > now_tick)
      break;
    timers->tick = tick;
    expire_slot (timers, tick % TIMER_SLOTS, now_tick);
    /* A callback may arm and disarm any timer, those in this list too. */
    while ((timer = timers->expired)) {
      unlink_timer (timer);
      timers->nr_armed--;
      timer->expired (timer);
    }
  }
  if (timers->tick < now_tick)
    timers->tick = now_tick;
}

int
timers_sleep_ms (const struct timers *timers, uint64_t now_ms)
{
  uint64_t tick, due_ms;

  if (timers->nr_armed == 0)
    return -1;
  tick = next_used (timers, timers->tick);
  due_ms = tick * TIMER_TICK_MS;
  if (due_ms <= now_ms)
    return 0;
  return due_ms - now_ms < INT_MAX ? (int) (due_ms - now_ms) : INT_MAX;
}

void
reactor_timer_arm (struct reactor *reactor, struct reactor_timer *timer,
                   uint64_t due_ms)
{
  struct timers *timers = &reactor->timers;
  uint64_t tick = tick_of (due_ms);
  unsigned slot;

  reactor_timer_disarm (reactor, timer);
  timer->due_ms = due_ms;
  if (tick <= timers->tick)
    tick = timers->tick + 1;
  slot = tick % TIMER_SLOTS;
  link_timer (&timers->slots[slot], timer);
  timers->used[slot / 64] |= UINT64_C (1) << slot % 64;
  timers->nr_armed++;
}

void
reactor_timer_disarm (struct reactor *reactor, struct reactor_timer *timer)
{
  if (!timer->pprev)
    return;
  unlink_timer (timer);
  /* The slot's bit may stay: an empty slot costs one early wake-up. */
  reactor->timers.nr_armed--;
}
