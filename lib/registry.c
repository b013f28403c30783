/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Associations that are in use, shared by all volumes of one configuration and
 * counted by reference.  One that was lost is left to those who hold it: the
 * next open makes a new one.
 *
 * The lock is held while a shared association is being made, so that a
 * second open of the same volume finds it; that second open waits no longer
 * than it would by itself.
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lib/internal.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD (, association) associations =
  TAILQ_HEAD_INITIALIZER (associations);

static struct association *
attach (const struct options *options, struct error *err)
{
  struct association_params params = { .options = *options };
  uint64_t start_ms = clock_now_ms (), spent_ms;
  struct association *association;

  if (options->nqn[0])
    memcpy (params.subnqn, options->nqn, sizeof params.subnqn);
  else if (discover_volume (options, start_ms + options->connect_tmo_ms,
                            params.subnqn, err) < 0)
    return NULL;
  spent_ms = clock_now_ms () - start_ms;
  params.options.connect_tmo_ms = spent_ms < options->connect_tmo_ms ?
    options->connect_tmo_ms - (uint32_t) spent_ms : 1;
  association = association_create (&params, err);
  if (!association)
    return NULL;
  association->refs = 1;
  if (association_attach (association, err) < 0) {
    association_free (association);
    return NULL;
  }
  /* As it was asked for: equal options find it. */
  association->params.options = *options;
  return association;
}

/* Namespaces of one subsystem share; bytes with padding. */
static bool
fits (const struct association *association, const struct options *options)
{
  struct options wanted;

  memcpy (&wanted, options, sizeof wanted);
  wanted.nsid = association->params.options.nsid;
  if (association->dead ||
      memcmp (&association->params.options, &wanted, sizeof wanted) != 0)
    return false;
  return association->nr_namespaces < NAMESPACES_MAX ||
    namespace_find ((struct association *) association, options->nsid);
}

static struct association *
find_locked (const struct options *options)
{
  struct association *association;

  TAILQ_FOREACH (association, &associations, registry_link)
    if (fits (association, options))
      return association;
  return NULL;
}

/* 0 with *ns, and one more reference. */
static int
share_locked (struct association *association, uint32_t nsid,
              struct namespace **ns, struct error *err)
{
  int r = 0;

  *ns = namespace_find (association, nsid);
  if (!*ns)
    r = namespace_attach (association, nsid, ns, err);
  if (r == 0)
    association->refs++;
  return r;
}

int
registry_get (const struct options *options, bool shared,
              struct association **association, struct namespace **ns,
              struct error *err)
{
  if (!shared) {
    *association = attach (options, err);
    if (!*association)
      return -err->code;
    *ns = &(*association)->namespaces[0];
    return 0;
  }

  LOCK_SCOPE (&registry_lock);
  *association = find_locked (options);
  if (*association)
    return share_locked (*association, options->nsid, ns, err);
  *association = attach (options, err);
  if (!*association)
    return -err->code;
  *ns = &(*association)->namespaces[0];
  if (keeper_add (*association, err) < 0) {
    association_free (*association);
    return -err->code;
  }
  (*association)->registered = true;
  TAILQ_INSERT_TAIL (&associations, *association, registry_link);
  return 0;
}

void
registry_forget (void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

  registry_lock = unlocked;
  TAILQ_INIT (&associations);
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
