/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd_discover: the discovery log as a list for users.  The log may have to
 * be read again from its beginning, so entries are kept until it is whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "lib/internal.h"

/* Of memory that a server can make us spend: some 35 MiB. */
enum { ENTRIES_MAX = 65536 };

struct entry {
  char nqn[NVMEOF_NQN_MAX + 1];
  struct discovery_where where;
};

struct list {
  struct entry *entries;
  size_t nr, room;
};

static void
restart (void *opaque)
{
  struct list *list = opaque;

  list->nr = 0;
}

static int
grow (struct list *list)
{
  size_t room = list->room ? list->room * 2 : 64;
  struct entry *entries;

  if (list->nr >= ENTRIES_MAX)
    return -EFBIG;
  entries = reallocarray (list->entries, room, sizeof *entries);
  if (!entries)
    return -ENOMEM;
  list->entries = entries;
  list->room = room;
  return 0;
}

static int
add (void *opaque, const struct nvmf_disc_log_entry *wire)
{
  struct list *list = opaque;
  struct entry *entry;

  if (!discovery_entry_valid (wire))
    return 0;
  if (list->nr == list->room) {
    int r = grow (list);

    if (r < 0)
      return r;
  }
  entry = &list->entries[list->nr++];
  strcpy (entry->nqn, wire->subnqn);
  discovery_entry_where (wire, &entry->where);
  return 0;
}

int
qbd_discover (const struct qbd_config *config,
              void (*each) (void *opaque,
                            const struct qbd_discovered *discovered),
              void *opaque)
{
  struct list list = { 0 };
  const struct discovery_reader reader = {
    .restart = restart, .entry = add, .opaque = &list,
  };
  struct options options;
  struct attempt attempt;
  struct error err;
  bool reached = false;
  int r = -1;

  if (options_resolve (config, &options, &err) < 0 ||
      attempt_begin (&attempt, config_interrupt (config), &err) < 0)
    return error_publish (&err);
  /* The first of several that answers. */
  for (uint32_t i = 0; r < 0 && !reached && i < options.nr_servers; i++) {
    struct options own = options_of_server (&options, i);

    r = discover (&own, &attempt,
                  clock_now_ms () + options.connect_tmo_ms, &reader,
                  &reached, &err);
  }
  attempt_end (&attempt);
  for (size_t i = 0; r == 0 && i < list.nr; i++) {
    const struct entry *entry = &list.entries[i];
    const struct qbd_discovered discovered = {
      .nqn = entry->nqn,
      .name = nqn_volume_name (entry->nqn),
      .transport = entry->where.transport,
      .address = entry->where.address,
    };

    each (opaque, &discovered);
  }
  free (list.entries);
  return r < 0 ? error_publish (&err) : 0;
}
