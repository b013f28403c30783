/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of the library in the child of a fork.  Sockets and their
 * state belong to the parent: the child closes its copies without a word to
 * the server, forgets what could be shared, and starts anew.  Volumes that
 * it inherited refuse everything but being closed.
 *
 * Of the parent's threads only the one that forked is here.  Any lock may be
 * held by one that is not, so none of them is taken: those that are needed
 * again are made again.  The list below is whole, as its lock is held over
 * fork.
 */
#include <pthread.h>

#include "common/cleanup.h"
#include "lib/internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD (, association) associations =
  TAILQ_HEAD_INITIALIZER (associations);

static void
before_fork (void)
{
  pthread_mutex_lock (&lock);
}

static void
in_parent (void)
{
  pthread_mutex_unlock (&lock);
}

static void
in_child (void)
{
  struct association *association;

  TAILQ_FOREACH (association, &associations, fork_link)
    association_abandon (association);
  TAILQ_INIT (&associations);
  registry_forget ();
  keeper_forget ();
  attempts_forget ();
  left_behind_inherited ();
  pthread_mutex_unlock (&lock);
}

static void
register_handlers (void)
{
  pthread_atfork (before_fork, in_parent, in_child);
}

void
fork_watch (struct association *association)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, register_handlers);
  LOCK_SCOPE (&lock);
  TAILQ_INSERT_TAIL (&associations, association, fork_link);
}

/* An inherited one was taken off all lists. */
void
fork_unwatch (struct association *association)
{
  LOCK_SCOPE (&lock);
  if (!association->inherited)
    TAILQ_REMOVE (&associations, association, fork_link);
}
