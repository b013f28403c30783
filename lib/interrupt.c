/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupting what a configuration opens.  An attempt is one call of
 * qbd_open or qbd_discover, on its caller's stack: its descriptor becomes
 * readable when the configuration, or one that it is a copy of, is
 * interrupted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lib/internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD (, attempt) attempts = TAILQ_HEAD_INITIALIZER (attempts);

struct interrupt *
interrupt_new (void)
{
  struct interrupt *interrupt = calloc (1, sizeof *interrupt);

  if (interrupt)
    interrupt->refs = 1;
  return interrupt;
}

struct interrupt *
interrupt_ref (struct interrupt *interrupt)
{
  interrupt->refs++;
  return interrupt;
}

void
interrupt_unref (struct interrupt *interrupt)
{
  if (--interrupt->refs == 0)
    free (interrupt);
}

void
interrupt_set (struct interrupt *interrupt)
{
  struct attempt *attempt;
  uint64_t one = 1;

  interrupt->set = true;
  {
    LOCK_SCOPE (&lock);
    TAILQ_FOREACH (attempt, &attempts, link) {
      ssize_t r = 0;

      if (attempt->interrupt != interrupt)
        continue;
      r = write (attempt->fd, &one, sizeof one);
      (void) r;         /* full: it is readable */
      if (attempt->joins)
        paths_interrupt (attempt->joins);
    }
  }
  registry_wake ();
}

int
attempt_begin (struct attempt *attempt, struct interrupt *interrupt,
               struct error *err)
{
  attempt->interrupt = interrupt;
  attempt->joins = NULL;
  attempt->longer_ms = 0;
  attempt->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (attempt->fd < 0)
    return error_set (err, errno, "open: descriptor: %s", strerror (errno));
  LOCK_SCOPE (&lock);
  TAILQ_INSERT_TAIL (&attempts, attempt, link);
  if (!interrupt->set)
    return 0;
  /* It was set before the list knew of us. */
  eventfd_write (attempt->fd, 1);
  return 0;
}

void
attempt_end (struct attempt *attempt)
{
  {
    LOCK_SCOPE (&lock);
    TAILQ_REMOVE (&attempts, attempt, link);
  }
  close (attempt->fd);
}

/* It asks over live paths: the answer is waited for by other means. */
void
attempt_join (struct attempt *attempt, struct paths *paths)
{
  LOCK_SCOPE (&lock);
  attempt->joins = paths;
  if (paths && attempt->interrupt->set)
    paths_interrupt (paths);
}

bool
attempt_interrupted (const struct attempt *attempt)
{
  return attempt && attempt->interrupt->set;
}

void
attempt_take_longer (struct attempt *attempt, uint64_t ms)
{
  if (attempt)
    attempt->longer_ms += ms;
}

/* Whoever made them is the parent's. */
void
attempts_forget (void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

  lock = unlocked;
  TAILQ_INIT (&attempts);
}
