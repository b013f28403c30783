/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hosts that may attach a volume: a sorted set of their names, perhaps
 * HOST_ANY among them.  A list that was never set (masked is false) is another
 * thing than an empty one, which allows nobody.  Plain data, which its owner
 * locks; an engine keeps it with the volume and asks no more of a name than
 * that it fits.
 */
#ifndef QBD_ENGINE_HOST_LIST_H
#define QBD_ENGINE_HOST_LIST_H

#include <stdbool.h>

#define HOST_NAME_MAX_BYTES 224         /* with the NUL: an NQN */
#define HOST_LIST_MAX 256               /* names of a volume */
#define HOST_ANY "any"                  /* no NQN looks like this */

/* All zeroes: not set. */
struct host_list {
  bool masked;                  /* false: no list, the server's default */
  unsigned nr;
  char **names;                 /* sorted, each once */
};

bool host_list_has (const struct host_list *list, const char *name);
/* -EEXIST, -E2BIG, -ENAMETOOLONG, -ENOMEM: the list is as it was; else it is
 * masked. */
int host_list_add (struct host_list *list, const char *name);
/* -ENOENT.  It stays masked. */
int host_list_remove (struct host_list *list, const char *name);
/* to is not set; -ENOMEM: it stays so. */
int host_list_copy (struct host_list *to, const struct host_list *from);
/* Afterwards it is not set. */
void host_list_clear (struct host_list *list);

#endif
