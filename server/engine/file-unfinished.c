/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Volumes whose making or removal was interrupted: a row says so, and what is
 * left of them goes at the next start, or when a check repairs.  No such
 * volume was ever acknowledged, or its removal was asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/file-internal.h"

struct unfinished {
  STAILQ_ENTRY (unfinished) next;
  char name[];
};
STAILQ_HEAD (unfinished_list, unfinished);

static int
note_unfinished (void *opaque, const char *name)
{
  struct unfinished_list *list = opaque;
  size_t bytes = strlen (name) + 1;
  struct unfinished *unfinished = malloc (sizeof *unfinished + bytes);

  if (!unfinished)
    return -ENOMEM;
  memcpy (unfinished->name, name, bytes);
  STAILQ_INSERT_TAIL (list, unfinished, next);
  return 0;
}

/* What cannot be removed now is left: in the way of no other volume. */
static int
remove_one (struct file_pool *pool, const char *name, struct error *err)
{
  int r = file_unlink (pool, name);

  if (r < 0)
    return error_set (err, -r, "pool: %s: what is left of volume %s cannot be "
                      "removed: %s", pool->path, name, strerror (-r));
  return catalogue_delete (pool->catalogue, name, err);
}

/* They are collected before rows go. */
int
file_remove_unfinished (struct file_pool *pool,
                        file_unfinished_fn *removed, void *opaque,
                        struct error *err)
{
  struct unfinished_list list = STAILQ_HEAD_INITIALIZER (list);
  struct unfinished *unfinished;
  struct error one;
  int r;

  r = catalogue_each (pool->catalogue, VOLUME_UNFINISHED, note_unfinished,
                      &list, err);
  if (r == -ENOMEM)
    error_set (err, ENOMEM, "pool: %s: %s", pool->path, strerror (ENOMEM));
  while ((unfinished = STAILQ_FIRST (&list))) {
    STAILQ_REMOVE_HEAD (&list, next);
    if (r == 0)
      removed (opaque, unfinished->name,
               remove_one (pool, unfinished->name, &one) < 0 ? &one : NULL);
    free (unfinished);
  }
  return r;
}
