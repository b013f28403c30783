/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fibers out of threads.  A thread whose fiber has ended is kept for the next
 * one.  Who runs is decided by two semaphores of each: nothing else is shared
 * without one of them in between.
 */
#include <semaphore.h>
#include <stdlib.h>

#include <pthread.h>

#include "tests/sim/fiber.h"

struct fiber {
  sem_t go, back;
  void (*fn) (void *arg);
  void *arg;
  bool ended;
  struct fiber *outer;          /* who resumed it; NULL: no fiber */
  struct fiber *next_idle;
};

static struct fiber *idle;
static struct fiber *running;

static void
wait_for (sem_t *sem)
{
  while (sem_wait (sem) != 0)
    ;                           /* a signal */
}

static void *
fiber_main (void *opaque)
{
  struct fiber *fiber = opaque;

  for (;;) {
    wait_for (&fiber->go);
    fiber->fn (fiber->arg);
    fiber->ended = true;
    sem_post (&fiber->back);
  }
  return NULL;
}

static struct fiber *
fiber_new (void)
{
  struct fiber *fiber = calloc (1, sizeof *fiber);
  pthread_t thread;

  if (fiber == NULL || sem_init (&fiber->go, 0, 0) != 0
      || sem_init (&fiber->back, 0, 0) != 0
      || pthread_create (&thread, NULL, fiber_main, fiber) != 0)
    abort ();
  pthread_detach (thread);
  return fiber;
}

bool
fiber_resume (struct fiber *fiber)
{
  bool ended;

  fiber->outer = running;
  running = fiber;
  sem_post (&fiber->go);
  wait_for (&fiber->back);
  running = fiber->outer;
  ended = fiber->ended;
  if (ended) {
    fiber->next_idle = idle;
    idle = fiber;
  }
  return ended;
}

struct fiber *
fiber_start (void (*fn) (void *arg), void *arg)
{
  struct fiber *fiber = idle ? idle : fiber_new ();

  if (fiber == idle)
    idle = fiber->next_idle;
  fiber->fn = fn;
  fiber->arg = arg;
  fiber->ended = false;
  return fiber_resume (fiber) ? NULL : fiber;
}

void
fiber_wait (void)
{
  struct fiber *fiber = running;

  sem_post (&fiber->back);
  wait_for (&fiber->go);
}

struct fiber *
fiber_self (void)
{
  return running;
}
