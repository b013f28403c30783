/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated world: one virtual clock, one source of chance, one queue of
 * events.  Everything that happens in a simulation happens in an event, in
 * one thread, so a seed determines all of it.
 */
#ifndef QBD_SIM_WORLD_H
#define QBD_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new world at time 0; the old one's events are forgotten. */
void world_begin (uint64_t seed);
void world_end (void);

uint64_t world_now_us (void);
uint64_t world_now_ms (void);

/* Uniform in [low, high]. */
uint64_t world_chance (uint64_t low, uint64_t high);
/* True once in n times. */
bool world_once_in (unsigned n);

/* Calls fn (arg) delay_us from now.  Events of one time run in the order in
 * which they were made. */
void world_after (uint64_t delay_us, void (*fn) (void *arg), void *arg);

/* Also ask here for the next thing to happen, and make it happen: the
 * timers of simulated reactors.  UINT64_MAX: nothing. */
struct world_source {
  uint64_t (*next_due_us) (void *opaque);
  void (*run) (void *opaque);
  void *opaque;
  struct world_source *next;
};
void world_add_source (struct world_source *source);
void world_remove_source (struct world_source *source);

/* Run the next event; false when there is none, or none before until_us (the
 * clock is then at until_us). */
bool world_step (uint64_t until_us);

/* Everything noted goes into a fingerprint of the run. */
void world_note (uint64_t what);
uint64_t world_fingerprint (void);

#endif
