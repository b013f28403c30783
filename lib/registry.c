/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Associations that are in use, shared by all volumes of one configuration and
 * counted by reference.  One that was lost is left to those who hold it: the
 * next open makes a new one.
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
static TAILQ_HEAD (, association) associations =
  TAILQ_HEAD_INITIALIZER (associations);

/* On the stack of the one who asks the server. */
struct opening {
  TAILQ_ENTRY (opening) link;
  const struct options *options;
};

static TAILQ_HEAD (, opening) openings = TAILQ_HEAD_INITIALIZER (openings);
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct association *
attach (const struct options *options, bool shared, struct attempt *attempt,
        uint64_t deadline_ms, struct error *err)
{
  struct association_params params = {
    .options = *options,
    .attempt = attempt,
    .reconnects = shared && options->ctrl_loss_tmo_ms > 0,
  };
  struct association *association;
  uint64_t now_ms;

  if (options->nqn[0])
    memcpy (params.subnqn, options->nqn, sizeof params.subnqn);
  else if (discover_volume (options, attempt, deadline_ms, params.subnqn,
                            err) < 0)
    return NULL;
  now_ms = clock_now_ms ();
  params.options.connect_tmo_ms = now_ms < deadline_ms ?
    (uint32_t) (deadline_ms - now_ms) : 1;
  if (association_open (&params, &association, err) < 0)
    return NULL;
  association->refs = 1;
  /* As it was asked for: equal options find it. */
  association->params.options = *options;
  association->params.attempt = NULL;
  return association;
}

/* Namespaces of one subsystem share; bytes with padding. */
static bool
equal (const struct options *a, const struct options *b)
{
  struct options same;

  memcpy (&same, b, sizeof same);
  same.nsid = a->nsid;
  return memcmp (a, &same, sizeof same) == 0;
}

static struct association *
find_locked (const struct options *options)
{
  struct association *association;

  TAILQ_FOREACH (association, &associations, registry_link)
    if (!association->dead &&
        equal (&association->params.options, options) &&
        (association->nr_namespaces < NAMESPACES_MAX ||
         namespace_find (association, options->nsid)))
      return association;
  return NULL;
}

static bool
is_opening_locked (const struct options *options)
{
  struct opening *opening;

  TAILQ_FOREACH (opening, &openings, link)
    if (equal (opening->options, options))
      return true;
  return false;
}

/* An association, perhaps without the namespace yet; NULL: to be made. */
static int
find_or_wait_locked (const struct options *options,
                     const struct attempt *attempt, uint64_t deadline_ms,
                     struct association **association, struct error *err)
{
  const struct timespec until = {
    .tv_sec = (time_t) (deadline_ms / 1000),
    .tv_nsec = (long) (deadline_ms % 1000) * 1000000,
  };

  for (;;) {
    *association = find_locked (options);
    if (*association && namespace_find (*association, options->nsid))
      return 0;
    if (attempt_interrupted (attempt))
      return error_set (err, ESHUTDOWN, "open: %s: interrupted",
                        options_name (options));
    if (!is_opening_locked (options))
      return 0;
    if (pthread_cond_clockwait (&changed, &registry_lock, CLOCK_MONOTONIC,
                                &until) == ETIMEDOUT)
      return error_set (err, ETIMEDOUT, "open: %s: another open of it got no "
                        "answer in time", options_name (options));
  }
}

/* Without the lock, announced by an opening. */
static int
ask_server (const struct options *options, struct attempt *attempt,
            uint64_t deadline_ms, struct association **association,
            struct error *err)
{
  struct namespace *ns;
  int r;

  if (!*association) {
    *association = attach (options, true, attempt, deadline_ms, err);
    return *association ? 0 : -err->code;
  }
  attempt_join (attempt, *association);
  r = namespace_attach (*association, options->nsid, &ns, err);
  attempt_join (attempt, NULL);
  return r;
}

/* A new one is there for others. */
static int
register_locked (struct association *association, struct error *err)
{
  if (association->registered)
    return 0;
  if (keeper_add (association, err) < 0)
    return -err->code;
  association->registered = true;
  TAILQ_INSERT_TAIL (&associations, association, registry_link);
  return 0;
}

static int
get_shared (const struct options *options, struct attempt *attempt,
            uint64_t deadline_ms, struct association **association,
            struct error *err)
{
  struct opening opening = { .options = options };
  int r;

  pthread_mutex_lock (&registry_lock);
  r = find_or_wait_locked (options, attempt, deadline_ms, association, err);
  if (r == 0 && *association)
    (*association)->refs++;
  if (r == 0 && (!*association ||
                 !namespace_find (*association, options->nsid))) {
    TAILQ_INSERT_TAIL (&openings, &opening, link);
    pthread_mutex_unlock (&registry_lock);
    r = ask_server (options, attempt, deadline_ms, association, err);
    pthread_mutex_lock (&registry_lock);
    if (r == 0)
      r = register_locked (*association, err);
    TAILQ_REMOVE (&openings, &opening, link);
    pthread_cond_broadcast (&changed);
    pthread_mutex_unlock (&registry_lock);
    if (r < 0 && *association)
      registry_put (*association);
    return r;
  }
  pthread_mutex_unlock (&registry_lock);
  return r;
}

int
registry_get (const struct options *options, bool shared,
              struct attempt *attempt, struct association **association,
              struct namespace **ns, struct error *err)
{
  uint64_t deadline_ms = clock_now_ms () + options->connect_tmo_ms;

  if (shared) {
    int r = get_shared (options, attempt, deadline_ms, association, err);

    if (r < 0)
      return r;
  } else {
    *association = attach (options, false, attempt, deadline_ms, err);
    if (!*association)
      return -err->code;
  }
  *ns = namespace_find (*association, options->nsid);
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
  TAILQ_INIT (&associations);
  TAILQ_INIT (&openings);
}

void
registry_put (struct association *association)
{
  {
    LOCK_SCOPE (&registry_lock);
    if (--association->refs > 0)
      return;
    if (association->registered && !association->inherited) {
      TAILQ_REMOVE (&associations, association, registry_link);
      keeper_remove (association);
    }
  }
  association_free (association);
}
