/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: the check of a pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/control/volumes-internal.h"

static uint64_t
size_of (const struct volume *volume)
{
  return volume->engine ? atomic_load (&volume->engine->size_bytes) : 0;
}

/* In the order of the list. */
static uint64_t *
sizes_of (const struct pool *pool)
{
  uint64_t *sizes = calloc (pool->nr_volumes + 1, sizeof *sizes);
  const struct volume *volume;
  unsigned n = 0;

  if (sizes)
    TAILQ_FOREACH (volume, &pool->volumes, link)
      sizes[n++] = size_of (volume);
  return sizes;
}

/* What could not be opened perhaps can; or the repair has removed it. */
static void
serve_again (struct volumes *volumes, struct pool *pool,
             struct volume *volume, engine_found_fn *found, void *opaque)
{
  struct engine_finding finding = {
    .object = volume->name, .text = "could not be opened, and is served now",
    .repaired = true,
  };
  struct error one;
  int r = volume_serve (volumes, pool, volume, &one);

  if (r == 0) {
    log_info ("check: %s/%s: is served now", pool->name, volume->name);
    found (opaque, &finding);
  }
  else if (r == -ENOENT)
    pool_forget_volume (pool, volume);
}

/* After a repair: hosts learn of new sizes, too. */
static void
serve_repaired (struct volumes *volumes, struct pool *pool,
                const uint64_t *sizes, engine_found_fn *found, void *opaque)
{
  struct volume *volume, *next;
  unsigned n = 0;

  for (volume = TAILQ_FIRST (&pool->volumes); volume; volume = next, n++) {
    next = TAILQ_NEXT (volume, link);
    if (!volume->engine)
      serve_again (volumes, pool, volume, found, opaque);
    else if (size_of (volume) != sizes[n])
      subsystem_resized (volume->subsystem);
  }
}

/* Volumes that are not served (after a repair: still not), with nothing wrong
 * that the engine knows of. */
static void
tell_unserved (const struct pool *pool, engine_found_fn *found, void *opaque)
{
  const struct volume *volume;

  TAILQ_FOREACH (volume, &pool->volumes, link) {
    struct error text;
    struct engine_finding finding = {
      .object = volume->name, .text = text.message,
    };

    if (volume->engine || volume->found)
      continue;
    error_set (&text, 0, "is not served (%s): a repair, or the next start of "
               "the server, tries again", volume->failed.message);
    found (opaque, &finding);
  }
}

struct checking {
  struct pool *pool;
  engine_found_fn *found;
  void *opaque;
};

static void
pass_finding (void *opaque, const struct engine_finding *finding)
{
  const struct checking *checking = opaque;
  struct volume *volume;

  TAILQ_FOREACH (volume, &checking->pool->volumes, link)
    if (strcmp (volume->name, finding->object) == 0 && !finding->repaired)
      volume->found = true;
  checking->found (checking->opaque, finding);
}

static void
note_progress (void *opaque, uint64_t done, uint64_t total)
{
  const struct checking *checking = opaque;

  atomic_store (&checking->pool->check_done, done);
  atomic_store (&checking->pool->check_total, total);
}

int
volumes_check (struct volumes *volumes, const char *name, bool repair,
               engine_found_fn *found, void *opaque, unsigned *nr_volumes,
               struct error *err)
{
  CLEANUP_POOL struct pool *pool = volumes_enter_pool (volumes, "check",
                                                       name, err);
  CLEANUP_FREE uint64_t *sizes = NULL;
  struct volume *volume;
  struct checking checking = { .found = found, .opaque = opaque };
  const struct engine_check check = {
    .repair = repair, .found = pass_finding, .progress = note_progress,
    .opaque = &checking,
  };
  int r = 0;

  if (!pool)
    return -ENOENT;
  *nr_volumes = pool->nr_volumes;
  sizes = sizes_of (pool);
  if (!sizes)
    return error_set (err, ENOMEM, "check: %s: out of memory", name);
  checking.pool = pool;
  TAILQ_FOREACH (volume, &pool->volumes, link)
    volume->found = false;
  if (pool->ops->pool_check)
    r = pool->ops->pool_check (pool->engine, &check, err);
  note_progress (&checking, 0, 0);
  if (r == 0 && repair)
    serve_repaired (volumes, pool, sizes, found, opaque);
  if (r == 0)
    tell_unserved (pool, found, opaque);
  return r;
}
