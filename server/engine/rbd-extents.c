/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: which parts of an image are allocated.  Worker threads.
 *
 * Where the image has an object map (feature fast-diff) that tells which
 * objects are there; only those are asked how far they reach.
 */
#include <errno.h>
#include <string.h>

#include "server/engine/rbd-internal.h"

#define OBJECTS_MAX 64          /* stretches of objects at a time */

struct finder {
  uint32_t block_size;
  struct engine_extent *extents;
  unsigned nr, nr_max;
  bool full;                    /* there was one more */
  uint64_t start_bytes, end_bytes;
};

/* Adds a stretch, in whole blocks and inside the range.  What touches the one
 * before is one with it. */
static int
put (struct finder *finder, uint64_t start, uint64_t end)
{
  struct engine_extent *last =
    finder->nr > 0 ? &finder->extents[finder->nr - 1] : NULL;
  uint64_t first = last ? last->offset_bytes + last->length_bytes
                        : finder->start_bytes;

  start -= start % finder->block_size;
  end += (finder->block_size - end % finder->block_size)
    % finder->block_size;
  if (start < first)
    start = first;
  if (end > finder->end_bytes)
    end = finder->end_bytes;
  if (start >= end)
    return 0;
  if (last && start == first) {
    last->length_bytes += end - start;
    return 0;
  }
  if (finder->nr == finder->nr_max) {
    finder->full = true;
    return -ECANCELED;
  }
  finder->extents[finder->nr++] = (struct engine_extent) {
    .offset_bytes = start, .length_bytes = end - start,
  };
  return 0;
}

static int
found (uint64_t offset, size_t length, int exists, void *arg)
{
  return exists ? put (arg, offset, offset + length) : 0;
}

/* Into the finder, until it is full. */
static int
iterate (rbd_image_t image, struct finder *finder, uint64_t start,
         uint64_t end, bool whole_objects)
{
  int r = rbd_diff_iterate2 (image, NULL, start, end - start, 1,
                             whole_objects, found, finder);

  return finder->full ? 0 : r;
}

static bool
has_fast_diff (rbd_image_t image)
{
  uint64_t features, flags;

  return rbd_get_features (image, &features) == 0
    && (features & RBD_FEATURE_FAST_DIFF)
    && rbd_get_flags (image, &flags) == 0
    && !(flags & (RBD_FLAG_OBJECT_MAP_INVALID | RBD_FLAG_FAST_DIFF_INVALID));
}

/* Objects of a striped image hold bytes of several places: they are not found
 * in order. */
static bool
is_striped (rbd_image_t image)
{
  uint64_t features;

  return rbd_get_features (image, &features) < 0
    || (features & RBD_FEATURE_STRIPINGV2);
}

/* By the object map, and then by the objects that are there. */
static int
find_in_objects (rbd_image_t image, struct finder *finder)
{
  struct engine_extent objects[OBJECTS_MAX];
  uint64_t start = finder->start_bytes;
  int r = 0;

  while (r == 0 && !finder->full && start < finder->end_bytes) {
    struct finder outer = {
      .block_size = finder->block_size, .extents = objects,
      .nr_max = OBJECTS_MAX, .start_bytes = start,
      .end_bytes = finder->end_bytes,
    };

    r = iterate (image, &outer, start, finder->end_bytes, true);
    for (unsigned i = 0; i < outer.nr && r == 0 && !finder->full; ++i)
      r = iterate (image, finder, objects[i].offset_bytes,
                   objects[i].offset_bytes + objects[i].length_bytes, false);
    if (!outer.full)
      break;
    start = objects[outer.nr - 1].offset_bytes
      + objects[outer.nr - 1].length_bytes;
  }
  return r;
}

int
ceph_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                uint64_t length_bytes, struct engine_extent *extents,
                unsigned nr_max)
{
  rbd_image_t image = ceph_volume (volume)->image;
  struct finder finder = {
    .block_size = volume->block_size, .extents = extents, .nr_max = nr_max,
    .start_bytes = offset_bytes, .end_bytes = offset_bytes + length_bytes,
  };
  int r;

  if (length_bytes == 0)
    return 0;
  if (is_striped (image))
    r = put (&finder, offset_bytes, finder.end_bytes);
  else if (has_fast_diff (image))
    r = find_in_objects (image, &finder);
  else
    r = iterate (image, &finder, offset_bytes, finder.end_bytes, false);
  return r < 0 ? ceph_errno (r) : (int) finder.nr;
}

static int
add_up (uint64_t offset, size_t length, int exists, void *arg)
{
  uint64_t *bytes = arg;

  if (exists)
    *bytes += length;
  return 0;
}

/* Only where it is quick to know. */
int
ceph_volume_allocated (struct engine_volume *volume,
                       uint64_t *allocated_bytes, struct error *err)
{
  rbd_image_t image = ceph_volume (volume)->image;
  int r;

  if (!has_fast_diff (image))
    return error_set (err, ENOTSUP, "info: %s/%s: the image has no object map "
                      "(feature fast-diff)", volume->pool->name,
                      volume->name);
  *allocated_bytes = 0;
  r = rbd_diff_iterate2 (image, NULL, 0, atomic_load (&volume->size_bytes), 0,
                         1, add_up, allocated_bytes);
  if (r < 0)
    return error_set (err, -r, "info: %s/%s: %s", volume->pool->name,
                      volume->name, strerror (-r));
  return 0;
}
