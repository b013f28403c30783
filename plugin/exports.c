/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The discovery log as NBD exports.  Any thread.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/exports.h"

struct export {
  char *name;
  char *nqn;
};

struct list {
  struct export *exports;
  size_t nr, room;
  bool out_of_memory;
};

static void
free_list (struct list *list)
{
  for (size_t i = 0; i < list->nr; i++) {
    free (list->exports[i].name);
    free (list->exports[i].nqn);
  }
  free (list->exports);
}

static bool
grow (struct list *list)
{
  size_t room = list->room ? list->room * 2 : 32;
  struct export *exports = reallocarray (list->exports, room,
                                         sizeof *exports);

  if (exports == NULL)
    return false;
  list->exports = exports;
  list->room = room;
  return true;
}

static void
add (void *opaque, const struct qbd_discovered *discovered)
{
  struct list *list = opaque;
  struct export *export;

  if (strcmp (discovered->transport, "tcp") != 0
      && strcmp (discovered->transport, "unix") != 0
      && strcmp (discovered->transport, "rdma") != 0)
    return;
  if (list->nr == list->room && !grow (list)) {
    list->out_of_memory = true;
    return;
  }
  export = &list->exports[list->nr];
  export->name = strdup (discovered->name ? discovered->name
                                          : discovered->nqn);
  export->nqn = strdup (discovered->nqn);
  list->nr++;
  if (export->name == NULL || export->nqn == NULL)
    list->out_of_memory = true;
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (((const struct export *) a)->name,
                 ((const struct export *) b)->name);
}

/* A subsystem with several addresses is one export: names are unique. */
static void
remove_doubles (struct list *list)
{
  size_t nr = 0;

  qsort (list->exports, list->nr, sizeof *list->exports, by_name);
  for (size_t i = 0; i < list->nr; i++)
    if (nr > 0
        && strcmp (list->exports[nr - 1].name, list->exports[i].name) == 0) {
      free (list->exports[i].name);
      free (list->exports[i].nqn);
    }
    else
      list->exports[nr++] = list->exports[i];
  list->nr = nr;
}

/* On failure the list is freed. */
static int
get_list (const struct qbd_config *config, struct list *list)
{
  int err = 0;

  *list = (struct list) { 0 };
  if (qbd_discover (config, add, list) == -1) {
    err = errno;
    nbdkit_error ("%s", qbd_errmsg ());
  }
  else if (list->out_of_memory) {
    err = ENOMEM;
    nbdkit_error ("exports: out of memory");
  }
  if (err) {
    free_list (list);
    errno = err;
    return -1;
  }
  if (list->nr > 0)
    remove_doubles (list);
  return 0;
}

int
exports_probe (const struct qbd_config *config)
{
  struct list list;

  if (get_list (config, &list) == -1)
    return -1;
  free_list (&list);
  return 0;
}

int
exports_list (const struct qbd_config *config, struct nbdkit_exports *exports)
{
  struct list list;
  int r = 0;

  if (get_list (config, &list) == -1)
    return -1;
  for (size_t i = 0; r == 0 && i < list.nr; i++)
    r = nbdkit_add_export (exports, list.exports[i].name,
                           list.exports[i].nqn);
  free_list (&list);
  return r;
}

const char *
exports_default (const struct qbd_config *config)
{
  const char *name = NULL;
  struct list list;

  if (get_list (config, &list) == -1)
    return NULL;
  if (list.nr == 1)
    name = nbdkit_strdup_intern (list.exports[0].name);
  else if (list.nr == 0)
    nbdkit_error ("export: \"\": the server has no volume for this host");
  else
    nbdkit_error ("export: \"\": the server has %zu volumes: ask for one by "
                  "its name (nbdinfo --list shows them)", list.nr);
  free_list (&list);
  return name;
}

struct qbd_config *
exports_choose (const struct qbd_config *config, const char *name)
{
  /* No name of a volume has a colon in it, each NQN has. */
  const char *key = strchr (name, ':') ? "nqn" : "volume";
  struct qbd_config *chosen = qbd_config_copy (config);

  if (chosen && qbd_config_set (chosen, key, name) == 0)
    return chosen;
  nbdkit_error ("export: %s", qbd_errmsg ());
  qbd_config_free (chosen);
  return NULL;
}
