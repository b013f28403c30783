/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `ram`: volumes in memory, gone with the process.  For tests, the
 * simulator too: every request is over inside submit, and nothing but types of
 * reactor.h is used.
 *
 * Each volume is a memfd: sparse, its allocation is known, and being out of
 * memory is an error instead of a signal.
 *
 * Threads: the pool's list belongs to the caller, who serialises pool_* and
 * volume_*.  submit runs on any reactor at once; what it shares are the memfd
 * (constant after creation), size_bytes (atomic) and the stripes (locks).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include <uuid/uuid.h>

#include "server/engine/sparse.h"

/* A read and a write of one block must not mix, and the kernel's copies
 * into and out of a memfd may.  So a stripe is locked while it is copied. */
#define STRIPE_BYTES (64u * 1024)
#define NR_STRIPES 64u

struct ram_volume {
  struct engine_volume volume;
  int fd;                               /* constant after creation */
  bool is_open;
  struct host_list hosts;
  pthread_mutex_t stripes[NR_STRIPES];
  LIST_ENTRY (ram_volume) next;         /* in name order */
};

struct ram_pool {
  struct engine_pool pool;
  LIST_HEAD (, ram_volume) volumes;
};

static struct ram_pool *
ram_pool (struct engine_pool *pool)
{
  return (struct ram_pool *) pool;
}

static struct ram_volume *
ram_volume (struct engine_volume *volume)
{
  return (struct ram_volume *) volume;
}

static void
make_uuid (char text[ENGINE_UUID_TEXT])
{
  uuid_t uuid;

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, text);
}

/* --- pools ------------------------------------------------------------ */

static int
ram_pool_check_argument (const char *name, const char *argument,
                         struct error *err)
{
  if (argument[0] == '\0')
    return 0;
  return error_set (err, EINVAL, "pool: %s: ram: takes no argument: %s",
                    name, argument);
}

static int
ram_pool_open (const char *name, const char *argument,
               struct reactor *const *reactors, unsigned nr_reactors,
               struct engine_pool **ret, struct error *err)
{
  struct ram_pool *pool;
  int r = ram_pool_check_argument (name, argument, err);

  if (r < 0)
    return r;
  pool = engine_pool_new (sizeof *pool, &engine_ram, name, err);
  if (!pool)
    return -err->code;
  make_uuid (pool->pool.domain);
  LIST_INIT (&pool->volumes);
  *ret = &pool->pool;
  return 0;
}

static void
free_volume (struct ram_volume *v)
{
  unsigned i;

  LIST_REMOVE (v, next);
  for (i = 0; i < NR_STRIPES; ++i)
    pthread_mutex_destroy (&v->stripes[i]);
  close (v->fd);
  host_list_clear (&v->hosts);
  free (v);
}

static void
ram_pool_close (struct engine_pool *pool)
{
  struct ram_pool *p = ram_pool (pool);

  while (!LIST_EMPTY (&p->volumes))
    free_volume (LIST_FIRST (&p->volumes));
  free (p);
}

static int
ram_pool_stat (struct engine_pool *pool, struct engine_pool_stat *stat,
               struct error *err)
{
  struct sysinfo info;

  if (sysinfo (&info) < 0)
    return error_set (err, errno, "pool: %s: %s", pool->name,
                      strerror (errno));
  stat->capacity_bytes = (uint64_t) info.totalram * info.mem_unit;
  stat->free_bytes = (uint64_t) info.freeram * info.mem_unit;
  return 0;
}

/* --- volumes ---------------------------------------------------------- */

static struct ram_volume *
find_volume (struct ram_pool *p, const char *name)
{
  struct ram_volume *v;

  LIST_FOREACH (v, &p->volumes, next)
    if (strcmp (v->volume.name, name) == 0)
      return v;
  return NULL;
}

static void
insert_volume (struct ram_pool *p, struct ram_volume *v)
{
  struct ram_volume *next, *last = NULL;

  LIST_FOREACH (next, &p->volumes, next) {
    if (strcmp (next->volume.name, v->volume.name) > 0) {
      LIST_INSERT_BEFORE (next, v, next);
      return;
    }
    last = next;
  }
  if (last)
    LIST_INSERT_AFTER (last, v, next);
  else
    LIST_INSERT_HEAD (&p->volumes, v, next);
}

static int
ram_volume_each (struct engine_pool *pool,
                 int (*each) (void *opaque, const char *name),
                 void *opaque, struct error *err)
{
  struct ram_volume *v;
  int r;

  LIST_FOREACH (v, &ram_pool (pool)->volumes, next) {
    r = each (opaque, v->volume.name);
    if (r != 0)
      return r;
  }
  return 0;
}

static int
set_size (const char *what, const char *pool, const char *name, int fd,
          uint64_t size_bytes, struct error *err)
{
  if (size_bytes > INT64_MAX || ftruncate (fd, (off_t) size_bytes) < 0) {
    int code = size_bytes > INT64_MAX || errno == EINVAL ? EFBIG : errno;

    return error_set (err, code, "%s: %s/%s: size %llu: %s", what, pool, name,
                      (unsigned long long) size_bytes, strerror (code));
  }
  return 0;
}

static int
ram_volume_create (struct engine_pool *pool, const char *name,
                   uint64_t size_bytes, uint32_t block_size,
                   struct error *err)
{
  struct ram_volume *v;
  unsigned i;
  int r;

  if (strlen (name) >= ENGINE_NAME_MAX)
    return error_set (err, ENAMETOOLONG,
                      "create: %s/%s: the name is too long", pool->name, name);
  if (find_volume (ram_pool (pool), name))
    return error_set (err, EEXIST, "create: %s/%s: volume exists already",
                      pool->name, name);
  v = calloc (1, sizeof *v);
  if (!v)
    return error_set (err, ENOMEM, "create: %s/%s: %s", pool->name, name,
                      strerror (ENOMEM));
  v->fd = memfd_create ("qbd-volume", MFD_CLOEXEC);
  if (v->fd < 0) {
    r = error_set (err, errno, "create: %s/%s: memfd: %s", pool->name, name,
                   strerror (errno));
    goto err;
  }
  r = set_size ("create", pool->name, name, v->fd, size_bytes, err);
  if (r < 0)
    goto err;
  v->volume.ops = &engine_ram;
  v->volume.pool = pool;
  strcpy (v->volume.name, name);
  make_uuid (v->volume.uuid);
  v->volume.epoch = engine_new_epoch ();
  v->volume.block_size = block_size;
  v->volume.unmaps = true;
  atomic_init (&v->volume.size_bytes, size_bytes);
  for (i = 0; i < NR_STRIPES; ++i)
    pthread_mutex_init (&v->stripes[i], NULL);
  insert_volume (ram_pool (pool), v);
  return 0;

 err:
  if (v->fd >= 0)
    close (v->fd);
  free (v);
  return r;
}

static int
ram_volume_remove (struct engine_pool *pool, const char *name,
                   struct error *err)
{
  struct ram_volume *v = find_volume (ram_pool (pool), name);

  if (!v)
    return error_set (err, ENOENT, "rm: %s/%s: no such volume",
                      pool->name, name);
  if (v->is_open)
    return error_set (err, EBUSY, "rm: %s/%s: volume is open",
                      pool->name, name);
  free_volume (v);
  return 0;
}

static int
ram_volume_open (struct engine_pool *pool, const char *name,
                 struct engine_volume **volume, struct error *err)
{
  struct ram_volume *v = find_volume (ram_pool (pool), name);

  if (!v)
    return error_set (err, ENOENT, "open: %s/%s: no such volume",
                      pool->name, name);
  if (v->is_open)
    return error_set (err, EBUSY, "open: %s/%s: volume is open already",
                      pool->name, name);
  v->is_open = true;
  *volume = &v->volume;
  return 0;
}

static void
ram_volume_close (struct engine_volume *volume)
{
  ram_volume (volume)->is_open = false;
}

static int
ram_volume_resize (struct engine_volume *volume, uint64_t size_bytes,
                   struct error *err)
{
  int r;

  r = set_size ("resize", volume->pool->name, volume->name,
                ram_volume (volume)->fd, size_bytes, err);
  if (r == 0)
    atomic_store (&volume->size_bytes, size_bytes);
  return r;
}

static int
ram_volume_allocated (struct engine_volume *volume,
                      uint64_t *allocated_bytes, struct error *err)
{
  struct stat st;

  if (fstat (ram_volume (volume)->fd, &st) < 0)
    return error_set (err, errno, "info: %s/%s: %s", volume->pool->name,
                      volume->name, strerror (errno));
  *allocated_bytes = (uint64_t) st.st_blocks * 512;
  return 0;
}

/* --- settings --------------------------------------------------------- */

static int
ram_volume_set_read_only (struct engine_pool *pool, const char *name,
                          bool read_only, struct error *err)
{
  struct ram_volume *v = find_volume (ram_pool (pool), name);

  if (!v)
    return error_set (err, ENOENT, "set: %s/%s: no such volume",
                      pool->name, name);
  if (v->is_open)
    return error_set (err, EBUSY, "set: %s/%s: volume is open",
                      pool->name, name);
  v->volume.read_only = read_only;
  return 0;
}

static int
copy_hosts (struct host_list *to, const struct host_list *from,
            const struct engine_volume *volume, struct error *err)
{
  if (host_list_copy (to, from) < 0)
    return error_set (err, ENOMEM, "host: %s/%s: %s", volume->pool->name,
                      volume->name, strerror (ENOMEM));
  return 0;
}

static int
ram_volume_get_hosts (struct engine_volume *volume, struct host_list *hosts,
                      struct error *err)
{
  return copy_hosts (hosts, &ram_volume (volume)->hosts, volume, err);
}

static int
ram_volume_set_hosts (struct engine_volume *volume,
                      const struct host_list *hosts, struct error *err)
{
  struct ram_volume *v = ram_volume (volume);
  struct host_list copy = { 0 };
  int r = copy_hosts (&copy, hosts, volume, err);

  if (r < 0)
    return r;
  host_list_clear (&v->hosts);
  v->hosts = copy;
  return 0;
}

/* --- requests --------------------------------------------------------- */

static int
copy (int fd, enum engine_op op, void *data, size_t bytes, uint64_t offset)
{
  char *p = data;
  ssize_t n;

  while (bytes > 0) {
    if (op == ENGINE_READ)
      n = pread (fd, p, bytes, (off_t) offset);
    else
      n = pwrite (fd, p, bytes, (off_t) offset);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? -errno : -EIO;
    p += n;
    offset += (size_t) n;
    bytes -= (size_t) n;
  }
  return 0;
}

/* Up to the end of the element, of the range and of the stripe. */
static int
transfer (struct ram_volume *v, struct engine_request *request)
{
  uint64_t offset = request->offset_bytes;
  uint64_t end = offset + request->length_bytes;
  const struct iovec *iov = request->iov;
  size_t used = 0;
  int r = 0;

  while (r == 0 && offset < end) {
    uint64_t stripe_end = offset - offset % STRIPE_BYTES + STRIPE_BYTES;
    pthread_mutex_t *stripe =
      &v->stripes[offset / STRIPE_BYTES % NR_STRIPES];

    if (stripe_end > end)
      stripe_end = end;
    pthread_mutex_lock (stripe);
    while (r == 0 && offset < stripe_end) {
      size_t n = iov->iov_len - used;

      if (n > stripe_end - offset)
        n = stripe_end - offset;
      r = copy (v->fd, request->op, (char *) iov->iov_base + used, n, offset);
      offset += n;
      used += n;
      if (used == iov->iov_len) {
        iov++;
        used = 0;
      }
    }
    pthread_mutex_unlock (stripe);
  }
  return r;
}

static int
zero_range (struct ram_volume *v, uint64_t offset, uint64_t length)
{
  unsigned i;
  int r = 0;

  /* In order, so that two of these never wait for each other. */
  for (i = 0; i < NR_STRIPES; ++i)
    pthread_mutex_lock (&v->stripes[i]);
  if (fallocate (v->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 (off_t) offset, (off_t) length) < 0)
    r = -errno;
  for (i = 0; i < NR_STRIPES; ++i)
    pthread_mutex_unlock (&v->stripes[i]);
  return r;
}

static int
ram_submit (struct engine_volume *volume, struct engine_request *request)
{
  struct ram_volume *v = ram_volume (volume);
  int r = 0;

  if (request->op == ENGINE_FLUSH || request->length_bytes == 0)
    return 0;
  switch (request->op) {
  case ENGINE_READ:
  case ENGINE_WRITE:
    r = transfer (v, request);
    break;
  case ENGINE_DISCARD:
  case ENGINE_WRITE_ZEROES:
    r = zero_range (v, request->offset_bytes, request->length_bytes);
    break;
  case ENGINE_FLUSH:
    break;
  }
  if (r < 0)
    engine_failed (volume, request, -r);
  return r;
}

static int
ram_allocated (struct engine_volume *volume, uint64_t offset_bytes,
               uint64_t length_bytes, struct engine_extent *extents,
               unsigned nr_max)
{
  return sparse_allocated (ram_volume (volume)->fd, volume->block_size,
                           offset_bytes, length_bytes, extents, nr_max);
}

const struct engine_ops engine_ram = {
  .name = "ram",
  .pool_check_argument = ram_pool_check_argument,
  .pool_open = ram_pool_open,
  .pool_close = ram_pool_close,
  .pool_stat = ram_pool_stat,
  .volume_each = ram_volume_each,
  .volume_create = ram_volume_create,
  .volume_remove = ram_volume_remove,
  .volume_open = ram_volume_open,
  .volume_close = ram_volume_close,
  .volume_resize = ram_volume_resize,
  .volume_allocated = ram_volume_allocated,
  .volume_set_read_only = ram_volume_set_read_only,
  .volume_get_hosts = ram_volume_get_hosts,
  .volume_set_hosts = ram_volume_set_hosts,
  .submit = ram_submit,
  .allocated = ram_allocated,
};
