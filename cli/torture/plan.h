/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which fault a client meets next, and when: after a pause, and then so many
 * bytes that it sends, so that it comes in the middle of something.  Pure; the
 * same seed makes the same plan.
 */
#ifndef QBD_CLI_TORTURE_PLAN_H
#define QBD_CLI_TORTURE_PLAN_H

#include "cli/torture/proxy.h"

struct plan {
  uint64_t random;
  unsigned faults;              /* bits; 0: none any more */
  enum fault next;
  uint64_t due_ms;
  uint32_t bytes_left;          /* from then on */
  unsigned duration_ms;         /* of a delay, or until what was kept back
                                   arrives */
  bool one;                     /* delay: of what the client sends, else of what
                                   it gets; cut: with a reset */
};

void plan_init (struct plan *plan, uint64_t seed, unsigned client,
                unsigned faults, uint64_t now_ms);
/* The next one. */
void plan_next (struct plan *plan, uint64_t now_ms);

/* How much of what the client sends may go on before it happens. */
static inline uint32_t
plan_room (const struct plan *plan, uint64_t now_ms)
{
  return plan->faults != 0 && now_ms >= plan->due_ms ? plan->bytes_left
    : UINT32_MAX;
}

#endif
