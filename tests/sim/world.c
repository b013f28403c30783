/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated world's clock, chance and events.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "tests/sim/world.h"

struct event {
  uint64_t due_us;
  uint64_t seq;                 /* order among events of one time */
  void (*fn) (void *arg);
  void *arg;
};

static struct {
  uint64_t now_us;
  uint64_t seq;
  uint64_t fingerprint;
  uint64_t chance;
  struct event *heap;           /* binary heap by (due_us, seq) */
  size_t nr, allocated;
  struct world_source *sources;
} world;

void
world_begin (uint64_t seed)
{
  world_end ();
  world.chance = seed;
  world.fingerprint = 0xcbf29ce484222325;
}

void
world_end (void)
{
  free (world.heap);
  memset (&world, 0, sizeof world);
}

uint64_t
world_now_us (void)
{
  return world.now_us;
}

uint64_t
world_now_ms (void)
{
  return world.now_us / 1000;
}

uint64_t
world_chance (uint64_t low, uint64_t high)
{
  uint64_t r;

  assert (low <= high);
  r = random64 (&world.chance);
  return high - low == UINT64_MAX ? r : low + r % (high - low + 1);
}

bool
world_once_in (unsigned n)
{
  return world_chance (1, n) == 1;
}

/* --- events --------------------------------------------------------------- */

static bool
before (const struct event *a, const struct event *b)
{
  return a->due_us < b->due_us || (a->due_us == b->due_us && a->seq < b->seq);
}

static void
swap (size_t i, size_t j)
{
  struct event t = world.heap[i];

  world.heap[i] = world.heap[j];
  world.heap[j] = t;
}

static struct event
pop (void)
{
  struct event first = world.heap[0];
  size_t i = 0;

  world.heap[0] = world.heap[--world.nr];
  for (;;) {
    size_t least = i, child = 2 * i + 1;

    if (child < world.nr && before (&world.heap[child], &world.heap[least]))
      least = child;
    child++;
    if (child < world.nr && before (&world.heap[child], &world.heap[least]))
      least = child;
    if (least == i)
      return first;
    swap (i, least);
    i = least;
  }
}

void
world_after (uint64_t delay_us, void (*fn) (void *arg), void *arg)
{
  size_t i;

  if (world.nr == world.allocated) {
    world.allocated = world.allocated ? 2 * world.allocated : 256;
    world.heap = realloc (world.heap, world.allocated * sizeof *world.heap);
    if (world.heap == NULL)
      abort ();
  }
  i = world.nr++;
  world.heap[i] = (struct event) {
    .due_us = world.now_us + delay_us, .seq = world.seq++,
    .fn = fn, .arg = arg,
  };
  while (i > 0 && before (&world.heap[i], &world.heap[(i - 1) / 2])) {
    swap (i, (i - 1) / 2);
    i = (i - 1) / 2;
  }
}

void
world_add_source (struct world_source *source)
{
  source->next = world.sources;
  world.sources = source;
}

void
world_remove_source (struct world_source *source)
{
  struct world_source **p;

  for (p = &world.sources; *p; p = &(*p)->next)
    if (*p == source) {
      *p = source->next;
      return;
    }
}

bool
world_step (uint64_t until_us)
{
  struct world_source *source, *first = NULL;
  uint64_t due_us = world.nr ? world.heap[0].due_us : UINT64_MAX;

  for (source = world.sources; source; source = source->next) {
    uint64_t d = source->next_due_us (source->opaque);

    if (d < due_us) {
      due_us = d;
      first = source;
    }
  }
  if (due_us > until_us || due_us == UINT64_MAX) {
    if (until_us != UINT64_MAX && until_us > world.now_us)
      world.now_us = until_us;
    return false;
  }
  if (due_us > world.now_us)
    world.now_us = due_us;
  if (first)
    first->run (first->opaque);
  else {
    struct event event = pop ();

    event.fn (event.arg);
  }
  return true;
}

/* --- fingerprint ---------------------------------------------------------- */

void
world_note (uint64_t what)
{
  what ^= world.now_us * 0x9e3779b97f4a7c15;
  world.fingerprint = (world.fingerprint ^ what) * 0x100000001b3;
  world.fingerprint ^= world.fingerprint >> 29;
}

uint64_t
world_fingerprint (void)
{
  return world.fingerprint;
}
