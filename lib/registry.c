/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths that are in use, shared by all volumes of one configuration and
 * counted by reference.  What was lost is left to those who hold it: the next
 * open makes new ones.
 *
 * Nothing that waits for a server is done with the lock held.  Who has to ask
 * one leaves an `opening` instead, and others of the same configuration wait
 * for its end, no longer than they would wait for the server.
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/internal.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD (, paths) registered =
  TAILQ_HEAD_INITIALIZER (registered);

/* On the stack of the one who asks the server. */
struct opening {
  TAILQ_ENTRY (opening) link;
  const struct options *options;
  const struct attempt *attempt;
};

static TAILQ_HEAD (, opening) openings = TAILQ_HEAD_INITIALIZER (openings);
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Namespaces of one subsystem share, over one path; bytes with padding. */
static bool
equal (const struct options *a, const struct options *b)
{
  struct options same;

  memcpy (&same, b, sizeof same);
  if (a->nr_servers == 1)
    same.nsid = a->nsid;
  return memcmp (a, &same, sizeof same) == 0;
}

static struct namespace *
find_namespace (const struct paths *paths, uint32_t nsid)
{
  return namespace_find (paths->association[0], nsid);
}

static struct paths *
find_locked (const struct options *options)
{
  struct paths *paths;

  TAILQ_FOREACH (paths, &registered, registry_link)
    if (!paths_dead (paths) && equal (&paths->options, options) &&
        (paths->association[0]->nr_namespaces < NAMESPACES_MAX ||
         find_namespace (paths, options->nsid)))
      return paths;
  return NULL;
}

/* Others that lead to the same subsystem, by its other name: POOL/VOL or its
 * NQN.  What one of them has in flight, or kept, concerns both. */
static struct paths *
find_same_locked (const struct paths *paths)
{
  const char *nqn = paths->association[0]->params.subnqn;
  struct options options = paths->options;
  struct paths *other;

  TAILQ_FOREACH (other, &registered, registry_link) {
    memcpy (options.volume, other->options.volume, sizeof options.volume);
    memcpy (options.nqn, other->options.nqn, sizeof options.nqn);
    if (!paths_dead (other) && equal (&other->options, &options) &&
        strcmp (other->association[0]->params.subnqn, nqn) == 0 &&
        find_namespace (other, paths->options.nsid))
      return other;
  }
  return NULL;
}

static const struct opening *
find_opening_locked (const struct options *options)
{
  const struct opening *opening;

  TAILQ_FOREACH (opening, &openings, link)
    if (equal (opening->options, options))
      return opening;
  return NULL;
}

/* False: it is later than until_ms. */
static bool
wait_locked (uint64_t until_ms)
{
  const struct timespec until = clock_timespec (until_ms);

  return pthread_cond_clockwait (&changed, &registry_lock, CLOCK_MONOTONIC,
                                 &until) != ETIMEDOUT;
}

/* Paths, perhaps without the namespace yet; NULL: to be made. */
static int
find_or_wait_locked (const struct options *options,
                     const struct attempt *attempt, uint64_t deadline_ms,
                     struct paths **paths, struct error *err)
{
  const struct opening *opening;
  uint64_t longer_ms;

  for (;;) {
    *paths = find_locked (options);
    if (*paths && find_namespace (*paths, options->nsid))
      return 0;
    if (attempt_interrupted (attempt))
      return error_set (err, ESHUTDOWN, "open: %s: interrupted",
                        options_name (options));
    opening = find_opening_locked (options);
    if (!opening)
      return 0;
    /* It may have learnt meanwhile that it takes longer. */
    longer_ms = opening->attempt->longer_ms;
    if (!wait_locked (deadline_ms + longer_ms) &&
        (opening = find_opening_locked (options)) &&
        opening->attempt->longer_ms <= longer_ms)
      return error_set (err, ETIMEDOUT, "open: %s: another open of it got no "
                        "answer in time", options_name (options));
  }
}

/* Without the lock, announced by an opening. */
static int
ask_server (const struct options *options, struct attempt *attempt,
            uint64_t deadline_ms, struct paths **paths,
            struct error *err)
{
  struct namespace *ns;
  int r;

  if (!*paths) {
    *paths = paths_open (options, true, attempt, deadline_ms, err);
    return *paths ? 0 : -err->code;
  }
  attempt_join (attempt, *paths);
  r = namespace_attach ((*paths)->association[0], options->nsid, &ns, err);
  attempt_join (attempt, NULL);
  return r;
}

/* A new one is there for others; or it turned out to be an old one, and
 * *spare is to be let go. */
static int
register_locked (struct paths **new, struct paths **spare, struct error *err)
{
  struct paths *paths = *new, *same;

  if (paths->registered)
    return 0;
  same = find_same_locked (paths);
  if (same) {
    same->refs++;
    *spare = paths;
    *new = same;
    return 0;
  }
  for (unsigned i = 0; i < paths->nr; i++)
    if (keeper_add (paths->association[i], err) < 0) {
      while (i > 0)
        keeper_remove (paths->association[--i]);
      return -err->code;
    }
  paths->registered = true;
  TAILQ_INSERT_TAIL (&registered, paths, registry_link);
  return 0;
}

static int
get_shared (const struct options *options, struct attempt *attempt,
            uint64_t deadline_ms, struct paths **paths,
            struct error *err)
{
  struct opening opening = { .options = options, .attempt = attempt };
  struct paths *spare = NULL;
  int r;

  pthread_mutex_lock (&registry_lock);
  r = find_or_wait_locked (options, attempt, deadline_ms, paths, err);
  if (r == 0 && *paths)
    (*paths)->refs++;
  if (r == 0 && (!*paths ||
                 !find_namespace (*paths, options->nsid))) {
    TAILQ_INSERT_TAIL (&openings, &opening, link);
    pthread_mutex_unlock (&registry_lock);
    r = ask_server (options, attempt, deadline_ms, paths, err);
    pthread_mutex_lock (&registry_lock);
    if (r == 0)
      r = register_locked (paths, &spare, err);
    TAILQ_REMOVE (&openings, &opening, link);
    pthread_cond_broadcast (&changed);
    pthread_mutex_unlock (&registry_lock);
    if (r < 0 && *paths)
      registry_put (*paths);
    if (spare)
      registry_put (spare);
    return r;
  }
  pthread_mutex_unlock (&registry_lock);
  return r;
}

int
registry_get (const struct options *options, bool shared,
              struct attempt *attempt, struct paths **paths,
              struct namespace **ns, struct error *err)
{
  uint64_t deadline_ms = clock_now_ms () + options->connect_tmo_ms;

  if (shared) {
    int r = get_shared (options, attempt, deadline_ms, paths, err);

    if (r < 0)
      return r;
  } else {
    *paths = paths_open (options, false, attempt, deadline_ms, err);
    if (!*paths)
      return -err->code;
  }
  *ns = find_namespace (*paths, options->nsid);
  return 0;
}

/* Those who wait look whether they were interrupted. */
void
registry_wake (void)
{
  LOCK_SCOPE (&registry_lock);
  pthread_cond_broadcast (&changed);
}

void
registry_forget (void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
  static const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;

  registry_lock = unlocked;
  changed = fresh;
  TAILQ_INIT (&registered);
  TAILQ_INIT (&openings);
}

void
registry_put (struct paths *paths)
{
  {
    LOCK_SCOPE (&registry_lock);
    if (--paths->refs > 0)
      return;
    if (paths->registered && !paths_inherited (paths)) {
      TAILQ_REMOVE (&registered, paths, registry_link);
      for (unsigned i = 0; i < paths->nr; i++)
        keeper_remove (paths->association[i]);
      /* Before the next open, which has to know what they leave behind. */
      for (unsigned i = 0; i < paths->nr; i++)
        association_close (paths->association[i]);
    }
  }
  paths_free (paths);
}
