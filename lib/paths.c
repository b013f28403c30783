/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The associations over which a volume is reached, as one: what they are
 * together, and how they end.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/internal.h"

struct paths *
paths_create (const struct options *options, struct error *err)
{
  struct paths *paths = calloc (1, sizeof *paths);

  if (!paths) {
    error_set (err, ENOMEM, "open: %s: out of memory",
               options_name (options));
    return NULL;
  }
  /* With padding: options are compared as bytes. */
  memcpy (&paths->options, options, sizeof *options);
  return paths;
}

void
paths_add (struct paths *paths, struct association *association)
{
  assert (paths->nr < PATHS_MAX);
  if (paths->nr == 0)
    paths->controller = association->controller;
  paths->association[paths->nr++] = association;
}

void
paths_free (struct paths *paths)
{
  if (!paths)
    return;
  for (unsigned i = 0; i < paths->nr; i++)
    association_free (paths->association[i]);
  free (paths);
}

bool
paths_dead (const struct paths *paths)
{
  for (unsigned i = 0; i < paths->nr; i++)
    if (!paths->association[i]->dead)
      return false;
  return true;
}

bool
paths_inherited (const struct paths *paths)
{
  return paths->association[0]->inherited;
}

void
paths_interrupt (struct paths *paths)
{
  paths->interrupted = true;
  for (unsigned i = 0; i < paths->nr; i++)
    association_interrupt (paths->association[i]);
}
