/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's faults, one after the other.
 */
#include "cli/torture/plan.h"
#include "common/random.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 1000
#define BYTES_MAX (256u << 10)
#define DELAY_MAX_MS 400
#define KEPT_MIN_MS 50
#define KEPT_MAX_MS 1500

const char *const fault_names[] = { "delay", "cut", "duplicate", NULL };

static unsigned
between (struct plan *plan, unsigned min, unsigned max)
{
  return min + random_below (&plan->random, max - min + 1);
}

static enum fault
choose (struct plan *plan)
{
  unsigned nr = (unsigned) __builtin_popcount (plan->faults), left;
  enum fault fault = FAULT_DELAY;

  for (left = random_below (&plan->random, nr); ; fault++)
    if (plan->faults & 1u << fault && left-- == 0)
      return fault;
}

void
plan_next (struct plan *plan, uint64_t now_ms)
{
  if (plan->faults == 0)
    return;
  plan->next = choose (plan);
  plan->due_ms = now_ms + between (plan, PAUSE_MIN_MS, PAUSE_MAX_MS);
  plan->bytes_left = between (plan, 1, BYTES_MAX);
  plan->duration_ms = plan->next == FAULT_DELAY
    ? between (plan, 1, DELAY_MAX_MS)
    : between (plan, KEPT_MIN_MS, KEPT_MAX_MS);
  plan->one = between (plan, 0, 1) == 1;
}

void
plan_init (struct plan *plan, uint64_t seed, unsigned client, unsigned faults,
           uint64_t now_ms)
{
  *plan = (struct plan) {
    .random = seed ^ (uint64_t) (client + 1) << 48, .faults = faults,
  };
  plan_next (plan, now_ms);
}
