/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: pools.  Blocks; the caller serialises.
 *
 * A pool's identity is an object that the first server makes, of several at
 * once one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/engine/rbd-internal.h"
#include "server/engine/volume-name.h"

#define POOL_FORMAT 1
#define IDENTITY_BYTES 512      /* with the NUL */

/* --- identity --------------------------------------------------------- */

static int
damaged (const struct ceph_pool *pool, const char *why, struct error *err)
{
  return error_set (err, EINVAL, "pool: %s: rbd: Ceph pool %s: object "
                    CEPH_POOL_OBJECT " %s", pool->pool.name, pool->ceph_name,
                    why);
}

static int
parse_identity (struct ceph_pool *pool, const char *text, struct error *err)
{
  unsigned format;
  uuid_t uuid;
  char domain[ENGINE_UUID_TEXT];

  if (sscanf (text, "qbd %u\n", &format) != 1)
    return damaged (pool, "is not qbd's", err);
  if (format > POOL_FORMAT)
    return damaged (pool, "was made by a newer qbd", err);
  if (sscanf (text, "qbd %*u\ndomain %36s\n", domain) != 1
      || uuid_parse (domain, uuid) < 0)
    return damaged (pool, "is damaged: it holds no domain", err);
  uuid_unparse_lower (uuid, pool->pool.domain);
  return 0;
}

/* -EEXIST: another server was faster. */
static int
make_identity (struct ceph_pool *pool, char text[IDENTITY_BYTES])
{
  rados_write_op_t op = rados_create_write_op ();
  char domain[ENGINE_UUID_TEXT];
  uuid_t uuid;
  int n, r;

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, domain);
  n = snprintf (text, IDENTITY_BYTES, "qbd %d\ndomain %s\n", POOL_FORMAT,
                domain);
  rados_write_op_create (op, LIBRADOS_CREATE_EXCLUSIVE, NULL);
  rados_write_op_write_full (op, text, (size_t) n);
  r = rados_write_op_operate (op, pool->io, CEPH_POOL_OBJECT, NULL, 0);
  rados_release_write_op (op);
  return r;
}

/* One that was misspelt has objects, too, if one makes them. */
static int
check_namespace (const struct ceph_pool *pool, struct error *err)
{
  bool exists = false;
  int r;

  if (!pool->namespace)
    return 0;
  r = rbd_namespace_exists (pool->io, pool->namespace, &exists);
  if (r == 0 && exists)
    return 0;
  return error_set (err, r < 0 ? -r : ENOENT, "pool: %s: rbd: namespace "
                    "%s/%s: %s", pool->pool.name, pool->ceph_name,
                    pool->namespace, r < 0 ? strerror (-r) : "there is none");
}

static int
open_identity (struct ceph_pool *pool, struct error *err)
{
  char text[IDENTITY_BYTES];
  int r;

  r = ceph_first_read (pool, CEPH_POOL_OBJECT, text, sizeof text - 1, err);
  if (r == -ENOENT && check_namespace (pool, err) < 0)
    return -err->code;
  if (r == -ENOENT) {
    r = make_identity (pool, text);
    if (r == 0)
      log_info ("pool: %s: rbd: Ceph pool %s: made a new pool",
                pool->pool.name, pool->ceph_name);
    else if (r == -EEXIST)
      r = ceph_first_read (pool, CEPH_POOL_OBJECT, text, sizeof text - 1, err);
    else
      error_set (err, -r, "pool: %s: rbd: Ceph pool %s: cannot make object "
                 CEPH_POOL_OBJECT ": %s", pool->pool.name, pool->ceph_name,
                 strerror (-r));
  }
  else if (r >= 0) {
    text[r] = '\0';
    r = 0;
  }
  return r < 0 ? r : parse_identity (pool, text, err);
}

/* --- open, close, space ----------------------------------------------- */

int
ceph_pool_open (const char *name, const char *argument,
                struct reactor *const *reactors, unsigned nr_reactors,
                struct engine_pool **ret, struct error *err)
{
  struct ceph_pool *pool;
  int r;

  pool = engine_pool_new (sizeof *pool, &engine_rbd, name, err);
  if (!pool)
    return -err->code;
  LIST_INIT (&pool->volumes);
  ceph_live_init (pool);
  r = ceph_connect (pool, argument, err);
  if (r == 0)
    r = open_identity (pool, err);
  if (r == 0)
    r = check_namespace (pool, err);
  if (r == 0)
    r = ceph_take_lease (pool, err);
  if (r < 0) {
    ceph_pool_close (&pool->pool);
    return r;
  }
  *ret = &pool->pool;
  return 0;
}

void
ceph_pool_close (struct engine_pool *engine_pool)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);

  assert (LIST_EMPTY (&pool->volumes));
  if (pool->is_stuck) {
    /* Threads of the libraries refer to it, but to no user of it. */
    atomic_store (&pool->pool.asked, NULL);
    return;
  }
  ceph_give_lease (pool);
  if (!ceph_learn_exit (pool))
    return;
  ceph_disconnect (pool);
  ceph_live_exit (pool);
  free (pool);
}

int
ceph_pool_stat (struct engine_pool *engine_pool,
                struct engine_pool_stat *stat, struct error *err)
{
  struct rados_cluster_stat_t cluster;
  int r = rados_cluster_stat (ceph_pool (engine_pool)->cluster, &cluster);

  if (r < 0)
    return error_set (err, -r, "pool: %s: rbd: space: %s", engine_pool->name,
                      strerror (-r));
  if (cluster.kb == 0)
    return error_set (err, ENODATA, "pool: %s: rbd: the cluster does not "
                      "know its space: is there a manager (ceph-mgr)?",
                      engine_pool->name);
  stat->capacity_bytes = cluster.kb * 1024;
  stat->free_bytes = cluster.kb_avail * 1024;
  return 0;
}

/* --- what is in it ---------------------------------------------------- */

struct names {
  char **names;
  size_t nr, nr_max;
};

static void
free_names (struct names *names)
{
  while (names->nr > 0)
    free (names->names[--names->nr]);
  free (names->names);
}

static int
add_name (struct names *names, const char *image, const char *snapshot)
{
  char *name;

  if (names->nr == names->nr_max) {
    size_t nr_max = names->nr_max ? names->nr_max * 2 : 64;
    char **grown = realloc (names->names, nr_max * sizeof *grown);

    if (!grown)
      return -ENOMEM;
    names->names = grown;
    names->nr_max = nr_max;
  }
  if (asprintf (&name, snapshot ? "%s@%s" : "%s", image, snapshot) < 0)
    return -ENOMEM;
  names->names[names->nr++] = name;
  return 0;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* *images: to be freed, after librbd's own clean-up. */
static int
list_images (struct ceph_pool *pool, rbd_image_spec_t **images, size_t *nr)
{
  int r;

  *images = NULL;
  *nr = 64;
  do {
    free (*images);
    *images = calloc (*nr, sizeof **images);
    if (!*images)
      return -ENOMEM;
    r = rbd_list2 (pool->io, *images, nr);
  } while (r == -ERANGE);
  if (r < 0)
    free (*images);
  return r;
}

static int
add_images (struct ceph_pool *pool, struct names *names)
{
  rbd_image_spec_t *images;
  size_t nr;
  int r;

  r = list_images (pool, &images, &nr);
  if (r < 0)
    return r;
  for (size_t i = 0; i < nr && r == 0; ++i) {
    if (volume_name_fits (images[i].name))
      r = add_name (names, images[i].name, NULL);
    else
      log_debug ("pool: %s: rbd: image %s cannot be served: a name holds "
                 "only letters, digits and . _ - +", pool->pool.name,
                 images[i].name);
  }
  rbd_image_spec_list_cleanup (images, nr);
  free (images);
  return r;
}

static int
add_snapshots (struct ceph_volume *v, struct names *names)
{
  rbd_snap_info_t *snapshots;
  int nr = ceph_list_snapshots (v->image, &snapshots), r = 0;

  if (nr < 0)
    return nr;
  for (int i = 0; i < nr && r == 0; i++)
    if (volume_name_fits (snapshots[i].name)
        && strlen (v->volume.name) + strlen (snapshots[i].name) + 1
           < ENGINE_NAME_MAX)
      r = add_name (names, v->volume.name, snapshots[i].name);
  ceph_free_snapshots (snapshots);
  return r;
}

/* Snapshots of images that are open. */
int
ceph_volume_each (struct engine_pool *engine_pool,
                  int (*each) (void *opaque, const char *name),
                  void *opaque, struct error *err)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  struct names names = { 0 };
  struct ceph_volume *v;
  int r;

  r = add_images (pool, &names);
  LIST_FOREACH (v, &pool->volumes, next)
    if (r == 0 && !v->is_snapshot && !atomic_load (&v->is_lost))
      r = add_snapshots (v, &names);
  if (r < 0)
    error_set (err, -r, "pool: %s: rbd: list: %s", engine_pool->name,
               strerror (-r));
  else if (names.nr > 0)
    qsort (names.names, names.nr, sizeof names.names[0], compare_names);
  for (size_t i = 0; i < names.nr && r == 0; i++)
    r = each (opaque, names.names[i]);
  free_names (&names);
  return r;
}
