/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flush can promise.  Each namespace counts the changes that were
 * completed without being stable by themselves, and how many of them a flush
 * has covered since.  When a new connection finds another durability epoch,
 * or a controller that has none, while there are others, they may be lost: then
 * no flush succeeds any more, for as long as the association is in use; unless
 * they were retained, and are sent again (retain.c).
 *
 * The counters are any thread's.  The epoch is the driver's: when it looks at
 * it, nothing is under way, as every queue is shut.
 */
#include "lib/internal.h"

void
durable_changed (struct namespace *ns)
{
  ns->durable.changes++;
}

uint64_t
durable_so_far (struct namespace *ns)
{
  return ns->durable.changes;
}

bool
durable_flushed (struct namespace *ns, uint64_t changes)
{
  uint64_t stable = ns->durable.stable;

  if (ns->durable.lost)
    return false;
  while (stable < changes &&
         !atomic_compare_exchange_weak (&ns->durable.stable, &stable,
                                        changes))
    ;
  return true;
}

bool
durable_is_lost (struct namespace *ns)
{
  return ns->durable.lost;
}

void
durable_lose (struct namespace *ns)
{
  ns->durable.lost = true;
}

bool
durable_is_dirty (const struct namespace *ns)
{
  return ns->durable.changes != ns->durable.stable;
}

bool
durable_same_epoch (const struct namespace *a, const struct namespace *b)
{
  return a->durable.epoch == b->durable.epoch;
}

bool
durable_same_cache (const struct namespace *a, const struct namespace *b)
{
  return durable_same_epoch (a, b) && a->durable.epoch != 0;
}

unsigned
durable_losses (struct namespace *ns)
{
  return ns->durable.losses;
}

bool
durable_is_missing (const struct namespace *ns)
{
  return ns->durable.missing;
}

void
durable_moved (struct namespace *ns)
{
  ns->durable.stable = ns->durable.changes;
  ns->durable.missing = false;
}

void
durable_disturbed (struct namespace *ns)
{
  ns->durable.losses++;
}

uint64_t
durable_epoch (const struct association *association, uint64_t epoch)
{
  return epoch == 0 ? 0 : epoch ^ association->params.cache;
}

void
durable_reconnected (struct association *association, struct namespace *ns,
                     uint64_t epoch)
{
  bool same = epoch != 0 && epoch == ns->durable.epoch;
  bool lost = !same && association->controller.volatile_cache;
  bool several = association->paths && association->paths->nr > 1;

  if (lost && several)
    paths_suspend (association);
  ns->durable.epoch = epoch;
  if (lost)
    ns->durable.losses++;
  if (association->params.epochless)
    lost = false;
  if (ns->retain && several) {
    if (lost && durable_is_dirty (ns))
      ns->durable.missing = true;
    if (lost)
      paths_cache_changed (association);
  } else if (ns->retain) {
    retain_reconnected (ns->retain, lost);
  } else if (lost && durable_is_dirty (ns)) {
    ns->durable.lost = true;
  }
}
