/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of host names: sorted arrays, for lists of a few.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/host-list.h"

/* Where the name is, or would be. */
static unsigned
position (const struct host_list *list, const char *name)
{
  unsigned low = 0, high = list->nr;

  while (low < high) {
    unsigned middle = low + (high - low) / 2;

    if (strcmp (list->names[middle], name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool
is_at (const struct host_list *list, unsigned i, const char *name)
{
  return i < list->nr && strcmp (list->names[i], name) == 0;
}

bool
host_list_has (const struct host_list *list, const char *name)
{
  return is_at (list, position (list, name), name);
}

int
host_list_add (struct host_list *list, const char *name)
{
  unsigned i = position (list, name);
  char **grown, *copy;

  if (is_at (list, i, name))
    return -EEXIST;
  if (list->nr == HOST_LIST_MAX)
    return -E2BIG;
  if (strlen (name) >= HOST_NAME_MAX_BYTES)
    return -ENAMETOOLONG;
  copy = strdup (name);
  grown = realloc (list->names, (list->nr + 1) * sizeof *grown);
  if (grown)
    list->names = grown;
  if (!copy || !grown) {
    free (copy);
    return -ENOMEM;
  }
  memmove (&grown[i + 1], &grown[i], (list->nr - i) * sizeof *grown);
  grown[i] = copy;
  list->nr++;
  list->masked = true;
  return 0;
}

int
host_list_remove (struct host_list *list, const char *name)
{
  unsigned i = position (list, name);

  if (!is_at (list, i, name))
    return -ENOENT;
  free (list->names[i]);
  list->nr--;
  memmove (&list->names[i], &list->names[i + 1],
           (list->nr - i) * sizeof *list->names);
  return 0;
}

int
host_list_copy (struct host_list *to, const struct host_list *from)
{
  for (unsigned i = 0; i < from->nr; i++) {
    int r = host_list_add (to, from->names[i]);

    if (r < 0) {
      host_list_clear (to);
      return r;
    }
  }
  to->masked = from->masked;
  return 0;
}

void
host_list_clear (struct host_list *list)
{
  while (list->nr > 0)
    free (list->names[--list->nr]);
  free (list->names);
  list->names = NULL;
  list->masked = false;
}
