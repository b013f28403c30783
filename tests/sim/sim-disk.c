/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated disk.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim-disk.h"
#include "tests/sim/sim-reactor.h"
#include "tests/sim/world.h"

struct sim_disk {
  uint32_t block_size, nr_blocks, most_blocks;
  uint8_t *data;                /* as it is read */
  uint8_t *stable;              /* as it is without power */
  uint64_t epoch;
  bool *dirty;                  /* by block: the two may differ */
};

struct sim_mount {
  struct engine_pool pool;      /* first member */
  struct engine_volume volume;
  struct sim_disk *disk;
  struct work *under_way;
  bool dead;
};

/* A request under way. */
struct work {
  struct engine_request *request;
  struct sim_mount *mount;
  struct work *next;
};

/* --- the disk --------------------------------------------------------------- */

static void *
allocate (size_t bytes)
{
  void *p = calloc (1, bytes);

  if (p == NULL)
    abort ();
  return p;
}

struct sim_disk *
sim_disk_new (uint32_t block_size, uint32_t nr_blocks, uint32_t most_blocks)
{
  struct sim_disk *disk = allocate (sizeof *disk);

  disk->block_size = block_size;
  disk->nr_blocks = nr_blocks;
  disk->most_blocks = most_blocks;
  disk->epoch = 1;
  disk->data = allocate ((size_t) block_size * most_blocks);
  disk->stable = allocate ((size_t) block_size * most_blocks);
  disk->dirty = allocate (most_blocks * sizeof *disk->dirty);
  return disk;
}

void
sim_disk_grow (struct sim_disk *disk, uint32_t nr_blocks)
{
  if (nr_blocks < disk->nr_blocks || nr_blocks > disk->most_blocks)
    abort ();
  disk->nr_blocks = nr_blocks;
}

void
sim_disk_free (struct sim_disk *disk)
{
  free (disk->data);
  free (disk->stable);
  free (disk->dirty);
  free (disk);
}

static void
copy_block (const struct sim_disk *disk, uint8_t *to, const uint8_t *from,
            uint32_t block)
{
  memcpy (to + (size_t) block * disk->block_size,
          from + (size_t) block * disk->block_size, disk->block_size);
}

static void
make_stable (struct sim_disk *disk, uint32_t first, uint32_t count)
{
  for (uint32_t i = first; i < first + count; i++)
    if (disk->dirty[i]) {
      copy_block (disk, disk->stable, disk->data, i);
      disk->dirty[i] = false;
    }
}

void
sim_disk_lose_power (struct sim_disk *disk)
{
  for (uint32_t i = 0; i < disk->nr_blocks; i++)
    if (disk->dirty[i] && world_once_in (2))
      copy_block (disk, disk->data, disk->stable, i);
  disk->epoch++;
  /* What is left is left: it was written by chance. */
  make_stable (disk, 0, disk->nr_blocks);
}

/* --- requests ---------------------------------------------------------------- */

/* partly: each by chance, as when killed in its midst. */
static void
take_effect (struct sim_disk *disk, const struct engine_request *request,
             bool partly)
{
  const uint8_t *from = request->iov ? request->iov->iov_base : NULL;
  uint32_t first = (uint32_t) (request->offset_bytes / disk->block_size);
  uint32_t count = (uint32_t) (request->length_bytes / disk->block_size);
  bool flush = request->op == ENGINE_FLUSH;

  for (uint32_t i = 0; i < count && request->op != ENGINE_READ; i++) {
    uint8_t *to = disk->data + (size_t) (first + i) * disk->block_size;

    if (partly && world_once_in (2))
      continue;
    if (request->op == ENGINE_WRITE)
      memcpy (to, from + (size_t) i * disk->block_size, disk->block_size);
    else
      memset (to, 0, disk->block_size);
    disk->dirty[first + i] = true;
  }
  if (request->op == ENGINE_READ)
    memcpy (request->iov->iov_base,
            disk->data + (size_t) first * disk->block_size,
            request->length_bytes);
  else if (!partly && flush)
    make_stable (disk, 0, disk->nr_blocks);
  else if (!partly && request->flags & ENGINE_FUA)
    make_stable (disk, first, count);
}

static void
forget (struct work *work)
{
  struct work **p;

  for (p = &work->mount->under_way; *p != work; p = &(*p)->next)
    ;
  *p = work->next;
}

static void
over_on_reactor (void *arg)
{
  struct work *work = arg;
  struct engine_request *request = work->request;

  free (work);
  request->done (request, 0);
}

static void
work_is_over (void *arg)
{
  struct work *work = arg;

  forget (work);
  if (!work->mount->dead)
    take_effect (work->mount->disk, work->request, false);
  sim_reactor_call_later (work->request->reactor, over_on_reactor, work);
}

static uint64_t
time_us (void)
{
  if (world_once_in (400))
    return world_chance (1, 4000000);
  return world_once_in (20) ? world_chance (1, 40000)
         : world_chance (1, 2000);
}

static int
disk_submit (struct engine_volume *volume, struct engine_request *request)
{
  struct sim_mount *mount = (struct sim_mount *) volume->pool;
  struct work *work = allocate (sizeof *work);

  request->volume = volume;
  work->request = request;
  work->mount = mount;
  work->next = mount->under_way;
  mount->under_way = work;
  world_after (time_us (), work_is_over, work);
  return ENGINE_PENDING;
}

/* Blocks of zeroes are holes. */
static int
disk_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                uint64_t length_bytes, struct engine_extent *extents,
                unsigned nr_max)
{
  const struct sim_mount *mount = (struct sim_mount *) volume->pool;
  const struct sim_disk *disk = mount->disk;
  unsigned n = 0;
  uint64_t at;

  for (at = offset_bytes; at < offset_bytes + length_bytes && n < nr_max;
       at += disk->block_size) {
    const uint8_t *p = disk->data + at;

    if (p[0] == 0 && memcmp (p, p + 1, disk->block_size - 1) == 0)
      continue;
    if (n > 0 && extents[n - 1].offset_bytes + extents[n - 1].length_bytes
        == at)
      extents[n - 1].length_bytes += disk->block_size;
    else
      extents[n++] = (struct engine_extent) { at, disk->block_size };
  }
  return (int) n;
}

static const struct engine_ops engine_disk = {
  .name = "simulated",
  .submit = disk_submit,
  .allocated = disk_allocated,
};

/* --- mounts ------------------------------------------------------------------- */

struct sim_mount *
sim_disk_mount (struct sim_disk *disk)
{
  struct sim_mount *mount = allocate (sizeof *mount);

  mount->disk = disk;
  mount->pool.ops = mount->volume.ops = &engine_disk;
  strcpy (mount->pool.name, "sim");
  strcpy (mount->pool.domain, "6f8a1d2e-0000-4000-8000-000000000001");
  mount->volume.pool = &mount->pool;
  strcpy (mount->volume.name, "disk");
  strcpy (mount->volume.uuid, "6f8a1d2e-0000-4000-8000-000000000002");
  mount->volume.block_size = disk->block_size;
  mount->volume.unmaps = true;
  mount->volume.epoch = disk->epoch;
  mount->volume.size_bytes = (uint64_t) disk->block_size * disk->nr_blocks;
  return mount;
}

struct engine_volume *
sim_mount_volume (struct sim_mount *mount)
{
  return &mount->volume;
}

bool
sim_mount_is_over (const struct sim_mount *mount)
{
  return mount->dead || mount->under_way == NULL;
}

void
sim_mount_kill (struct sim_mount *mount)
{
  struct work *work;

  for (work = mount->under_way; work; work = work->next)
    if (work->request->op != ENGINE_READ)
      take_effect (mount->disk, work->request, true);
  mount->dead = true;
}

void
sim_mount_free (struct sim_mount *mount)
{
  if (mount->under_way)
    abort ();
  free (mount);
}
