/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Controllers that were left behind by associations which were given up.
 * Changes that they had taken may still be inside, and take effect over what is
 * written by whoever opens the subsystem anew.  So the first that does in this
 * process, as the same host, sees to it that they are over: as reconnect.c
 * says, but before it is used at all (association-identify.c).
 *
 * Any thread, under a lock of its own.  Nothing is allocated when an
 * association dies: it has brought what it takes.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lib/internal.h"

struct left_behind {
  TAILQ_ENTRY (left_behind) link;
  uint64_t nr;                  /* they are numbered as they come */
  char subnqn[NVMEOF_NQN_MAX + 1];
  char hostnqn[NVMEOF_NQN_MAX + 1];
  uint8_t hostid[sizeof ((struct options *) 0)->hostid];
  struct old_controller controller;
  uint64_t hold_ms;             /* it is over by itself after that */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD (, left_behind) list = TAILQ_HEAD_INITIALIZER (list);
static uint64_t next_nr;

struct left_behind *
left_behind_new (void)
{
  return calloc (1, sizeof (struct left_behind));
}

void
left_behind_free (struct left_behind *behind)
{
  free (behind);
}

void
left_behind_add (struct left_behind *behind,
                 const struct association *association)
{
  const struct options *options = &association->params.options;

  memcpy (behind->subnqn, association->params.subnqn, sizeof behind->subnqn);
  memcpy (behind->hostnqn, options->hostnqn, sizeof behind->hostnqn);
  memcpy (behind->hostid, options->hostid, sizeof behind->hostid);
  behind->controller = association->re.old;
  behind->hold_ms = reconnect_hold_ms (association);
  LOCK_SCOPE (&lock);
  behind->nr = next_nr++;
  TAILQ_INSERT_TAIL (&list, behind, link);
}

static bool
concerns (const struct left_behind *behind,
          const struct association *association)
{
  const struct options *options = &association->params.options;

  return strcmp (behind->subnqn, association->params.subnqn) == 0 &&
    strcmp (behind->hostnqn, options->hostnqn) == 0 &&
    memcmp (behind->hostid, options->hostid, sizeof behind->hostid) == 0;
}

bool
left_behind_find (const struct association *association,
                  struct old_controller *controller, uint64_t *nr)
{
  struct left_behind *behind;

  LOCK_SCOPE (&lock);
  TAILQ_FOREACH (behind, &list, link)
    if (concerns (behind, association)) {
      *controller = behind->controller;
      *nr = behind->nr;
      return true;
    }
  return false;
}

uint64_t
left_behind_hold_ms (const struct association *association, uint64_t *last)
{
  struct left_behind *behind;
  uint64_t hold_ms = 0;

  LOCK_SCOPE (&lock);
  TAILQ_FOREACH (behind, &list, link)
    if (concerns (behind, association)) {
      *last = behind->nr;
      if (behind->hold_ms > hold_ms)
        hold_ms = behind->hold_ms;
    }
  return hold_ms;
}

void
left_behind_over (const struct association *association, uint64_t first,
                  uint64_t last)
{
  struct left_behind *behind, *next;

  LOCK_SCOPE (&lock);
  for (behind = TAILQ_FIRST (&list); behind; behind = next) {
    next = TAILQ_NEXT (behind, link);
    if (behind->nr < first || behind->nr > last ||
        !concerns (behind, association))
      continue;
    TAILQ_REMOVE (&list, behind, link);
    free (behind);
  }
}

void
left_behind_forget (void)
{
  struct left_behind *behind;

  LOCK_SCOPE (&lock);
  while ((behind = TAILQ_FIRST (&list))) {
    TAILQ_REMOVE (&list, behind, link);
    free (behind);
  }
}

/* What the parent left behind is its own business, and its list may be half
 * changed. */
void
left_behind_inherited (void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

  lock = unlocked;
  TAILQ_INIT (&list);
}
