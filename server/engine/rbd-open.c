/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: an image or a snapshot is opened, and told who it is.
 *
 * A volume's UUID is made of the pool's domain and of the prefix of the image's
 * objects, which no other image of the pool ever has: it survives a rename, it
 * is the same on every gateway, and a clone's or a copy's is another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/engine/rbd-internal.h"

/* --- snapshots -------------------------------------------------------- */

static void
keep_users_own (rbd_image_t image, rbd_snap_info_t *snapshots, int *nr)
{
  rbd_snap_namespace_type_t type;
  int kept = 0;

  for (int i = 0; i < *nr; i++)
    if (rbd_snap_get_namespace_type (image, snapshots[i].id, &type) == 0
        && type == RBD_SNAP_NAMESPACE_TYPE_USER) {
      rbd_snap_info_t other = snapshots[kept];

      /* librbd frees the names of all. */
      snapshots[kept++] = snapshots[i];
      snapshots[i] = other;
    }
  *nr = kept;
}

int
ceph_list_snapshots (rbd_image_t image, rbd_snap_info_t **snapshots)
{
  int nr = 16, r;

  do {
    *snapshots = calloc ((size_t) nr + 1, sizeof **snapshots);
    if (!*snapshots)
      return -ENOMEM;
    r = rbd_snap_list (image, *snapshots, &nr);
    if (r < 0)
      free (*snapshots);
  } while (r == -ERANGE);
  if (r < 0)
    return r;
  nr = r;
  keep_users_own (image, *snapshots, &nr);
  return nr;
}

void
ceph_free_snapshots (rbd_snap_info_t *snapshots)
{
  rbd_snap_list_end (snapshots);
  free (snapshots);
}

/* The image is open at this snapshot. */
static int
identify_snapshot (struct ceph_volume *v)
{
  const char *name = strchr (v->volume.name, '@') + 1;
  rbd_snap_info_t *snapshots;
  int nr = ceph_list_snapshots (v->image, &snapshots), r = -ENOENT;

  if (nr < 0)
    return nr;
  for (int i = 0; i < nr; i++)
    if (strcmp (snapshots[i].name, name) == 0) {
      v->snapshot = snapshots[i].id;
      r = 0;
    }
  ceph_free_snapshots (snapshots);
  return r;
}

/* --- open and close --------------------------------------------------- */

/* An image, or its pool, may say otherwise than the client's options do, and
 * is heard by librbd. */
static int
find_cache (struct ceph_volume *v)
{
  rbd_config_option_t *options;
  int nr = 256, r;

  do {
    options = calloc ((size_t) nr, sizeof *options);
    if (!options)
      return -ENOMEM;
    r = rbd_config_image_list (v->image, options, &nr);
    if (r < 0)
      free (options);
  } while (r == -ERANGE);
  if (r < 0)
    return r;
  for (int i = 0; i < nr; i++)
    if (strcmp (options[i].name, "rbd_cache") == 0)
      v->has_cache = strcmp (options[i].value, "true") == 0;
  rbd_config_image_list_cleanup (options, nr);
  free (options);
  /* Without a cache nothing is lost, at whichever gateway it was written. */
  v->volume.epoch = v->has_cache ? engine_new_epoch () : CEPH_STABLE_EPOCH;
  if (v->has_cache)
    log_warning ("open: %s/%s: the image's configuration has rbd_cache on: its "
                 "writes are stable only when flushed",
                 v->volume.pool->name, v->volume.name);
  return 0;
}

/* Whole names: in rbd_image_info_t that of an image with a data pool may be cut
 * off, and two be the same. */
static int
identify (struct ceph_volume *v)
{
  char prefix[CEPH_PREFIX_MAX], name[CEPH_PREFIX_MAX + 32];
  uuid_t domain, uuid;
  rbd_image_info_t info;
  int r;

  r = rbd_stat (v->image, &info, sizeof info);
  if (r == 0)
    r = rbd_get_block_name_prefix (v->image, prefix, sizeof prefix);
  if (r < 0)
    return r;
  atomic_init (&v->volume.size_bytes,
               info.size - info.size % v->volume.block_size);
  if (uuid_parse (v->volume.pool->domain, domain) < 0)
    return -EINVAL;
  if (v->is_snapshot)
    snprintf (name, sizeof name, "%s@%llu", prefix,
              (unsigned long long) v->snapshot);
  else
    snprintf (name, sizeof name, "%s", prefix);
  uuid_generate_sha1 (uuid, domain, name, strlen (name));
  uuid_unparse_lower (uuid, v->volume.uuid);
  return 0;
}

/* The object that is there as long as the image is. */
static int
name_header (struct ceph_volume *v)
{
  char id[64];
  uint8_t is_old;
  int r;

  r = rbd_get_old_format (v->image, &is_old);
  if (r < 0)
    return r;
  if (!is_old) {
    r = rbd_get_id (v->image, id, sizeof id);
    if (r < 0)
      return r;
  }
  if ((is_old ? asprintf (&v->header, "%.*s.rbd",
                          (int) strcspn (v->volume.name, "@"),
                          v->volume.name)
              : asprintf (&v->header, CEPH_HEADER "%s", id)) < 0) {
    v->header = NULL;
    return -ENOMEM;
  }
  return 0;
}

/* --- is it finished? -------------------------------------------------- */

static bool
is_gateway (struct ceph_pool *pool, const char *address)
{
  char holder[CEPH_ADDRESS_MAX];

  for (unsigned i = 0; i < ENGINE_GATEWAYS_MAX; i++)
    if (ceph_get_holder (pool, i, holder) == 0
        && strcmp (holder, address) == 0)
      return true;
  return false;
}

static bool
is_self (struct ceph_pool *pool, const char *address)
{
  return strcmp (pool->address, address) == 0;
}

/* By somebody else than these: 1, 0 or -errno. */
static int
is_open_elsewhere (struct ceph_pool *pool, rbd_image_t image,
                   bool (*is_one) (struct ceph_pool *pool,
                                   const char *address))
{
  rbd_image_watcher_t watchers[64];
  size_t nr = sizeof watchers / sizeof watchers[0];
  int r = rbd_watchers_list (image, watchers, &nr), open = 0;

  if (r < 0)
    return r == -ERANGE ? 1 : r;
  for (size_t i = 0; i < nr; i++)
    if (!is_one (pool, watchers[i].addr))
      open = 1;
  rbd_watchers_list_cleanup (watchers, nr);
  return open;
}

int
ceph_is_shared (struct ceph_pool *pool, rbd_image_t image)
{
  return is_open_elsewhere (pool, image, is_self);
}

/* For -EAGAIN: a keeper comes again soon. */
static int
not_yet (struct ceph_pool *pool)
{
  LOCK_SCOPE (&pool->lock);

  pool->is_unfinished = true;
  return -EAGAIN;
}

/* Who starts may wait a little; a keeper comes again. */
static int64_t
wait_a_little (const struct ceph_pool *pool, int64_t age_s)
{
  if (age_s >= CEPH_NEW_S || atomic_load (&pool->is_kept))
    return age_s;
  sleep (age_s < 0 ? CEPH_NEW_S : (unsigned) (CEPH_NEW_S - age_s));
  return CEPH_NEW_S;
}

/* Nobody has to look again at what we made, or had open already. */
static bool
is_known (const struct ceph_pool *pool, const struct ceph_volume *v)
{
  return strcmp (pool->made, v->volume.name) == 0
    || strcmp (pool->finished, v->header) == 0;
}

/* A clone is there before it has its parent, and who opened it then is not
 * told: he would read zeroes for ever.  Whoever makes one has it open
 * meanwhile. */
static int
check_finished (struct ceph_volume *v)
{
  struct ceph_pool *pool = ceph_pool (v->volume.pool);
  struct timespec made;
  int64_t age_s;
  int r;

  if (is_known (pool, v))
    return 0;
  r = rbd_get_create_timestamp (v->image, &made);
  if (r < 0)
    return r;
  age_s = (int64_t) time (NULL) - made.tv_sec;
  if (age_s > CEPH_YOUNG_S || age_s < -CEPH_YOUNG_S)
    return 0;
  age_s = wait_a_little (pool, age_s);
  r = age_s < CEPH_NEW_S ? 1 : is_open_elsewhere (pool, v->image, is_gateway);
  return r <= 0 ? r : not_yet (pool);
}

static int
fill_volume (struct ceph_volume *v)
{
  struct ceph_settings settings;
  int r;

  r = name_header (v);
  if (r == 0)
    r = v->is_snapshot ? identify_snapshot (v) : check_finished (v);
  if (r == 0)
    r = ceph_get_settings (v->image, &settings);
  if (r == 0 && settings.leaving)
    r = not_yet (ceph_pool (v->volume.pool));
  if (r < 0)
    return r;
  v->volume.block_size = settings.block_size;
  v->was_set_read_only = settings.read_only;
  v->was_non_primary = settings.non_primary;
  v->volume.read_only = settings.read_only || v->is_snapshot
    || settings.non_primary;
  v->volume.unmaps = !v->volume.read_only;
  r = identify (v);
  if (r == 0)
    r = find_cache (v);
  if (r == 0)
    r = ceph_know_objects (v);
  if (r == 0)
    r = ceph_get_hosts (v->image, &v->hosts);
  return r;
}

int
ceph_open_image (struct ceph_volume *v)
{
  char name[ENGINE_NAME_MAX];
  char *snapshot;
  int r;

  strcpy (name, v->volume.name);
  snapshot = strchr (name, '@');
  if (snapshot)
    *snapshot++ = '\0';
  v->is_snapshot = snapshot != NULL;
  r = rbd_open (ceph_pool (v->volume.pool)->io, name, &v->image, snapshot);
  if (r < 0)
    return r;
  /* First: what changes after it was read is seen. */
  r = ceph_watch (v);
  if (r == 0) {
    r = fill_volume (v);
    if (r < 0)
      ceph_unwatch (v);
  }
  if (r < 0)
    rbd_close (v->image);
  return r;
}
