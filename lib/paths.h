/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths: the associations over which a volume is reached.  Part of internal.h,
 * which says who is above whom.
 */
#ifndef QBD_LIB_PATHS_H
#define QBD_LIB_PATHS_H

#include "lib/association.h"

/* --- paths.c ------------------------------------------------------------ */

/* What volumes of one configuration share: the registry's. */
struct paths {
  struct options options;               /* as asked for; constant */
  unsigned nr;                          /* at least 1; constant after open */
  struct association *association[PATHS_MAX];   /* constant after open */
  struct controller_info controller;    /* what users rely on; constant after
                                           open */
  _Atomic bool interrupted;

  /* The registry's. */
  TAILQ_ENTRY (paths) registry_link;
  unsigned refs;
  bool registered;
};

struct paths *paths_create (const struct options *options,
                            struct error *err);
/* [opening] Takes the association, which is live. */
void paths_add (struct paths *paths, struct association *association);
void paths_free (struct paths *paths);  /* and its associations */
/* None of them will ever be live again. */
bool paths_dead (const struct paths *paths);
/* It was opened in the parent of this process. */
bool paths_inherited (const struct paths *paths);
void paths_interrupt (struct paths *paths);

#endif
