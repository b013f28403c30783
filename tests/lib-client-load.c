/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib-client's load: random requests of all sizes, compared with a model of
 * what they should leave.  Each thread of `stress` has an equal part of the
 * volume for itself, and so has each request in flight of `aio`.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib-client.h"

enum { LONGEST_BYTES = 3 << 20 };

/* --- one part of the volume, and what should be in it ------------------- */

struct part {
  uint64_t offset_bytes, size_bytes;
  uint8_t *model;               /* what it holds */
  uint8_t *buf;                 /* what was read */
  uint64_t seed;
  uint32_t block_bytes;
  /* the request under way */
  enum { READ, READ_DISCARDED, WRITE, ZEROES, DISCARD, FLUSH } op;
  uint64_t at_bytes, bytes;     /* in the part */
  unsigned flags;
  struct qbd_volume *own;       /* stress: instead of the common handle */
  struct qbd_aio aio;
};

static uint64_t
random_next (struct part *part)
{
  part->seed ^= part->seed << 13;
  part->seed ^= part->seed >> 7;
  part->seed ^= part->seed << 17;
  return part->seed;
}

static void
part_init (struct part *part, unsigned i, unsigned n, uint64_t seed)
{
  uint32_t block_bytes = qbd_get_block_size (volume);
  uint64_t blocks = qbd_get_size (volume) / block_bytes / n;

  memset (part, 0, sizeof *part);
  part->block_bytes = block_bytes;
  part->size_bytes = blocks * block_bytes;
  part->offset_bytes = part->size_bytes * i;
  part->model = malloc (part->size_bytes);
  part->buf = malloc (part->size_bytes);
  part->seed = (seed + 1) * UINT64_C (0x9e3779b97f4a7c15) + i;
  if (qbd_pread (volume, part->model, part->size_bytes, part->offset_bytes,
                 0) < 0)
    die ("%s", qbd_errmsg ());
}

static void
part_free (struct part *part)
{
  free (part->model);
  free (part->buf);
}

/* What comes next; a discarded range is looked at before all else, because
 * it may read as zeroes or as before. */
static void
choose (struct part *part)
{
  uint64_t r = random_next (part), blocks = part->size_bytes /
    part->block_bytes, longest, n;

  part->flags = 0;
  if (part->op == DISCARD) {
    part->op = READ_DISCARDED;
    return;
  }
  longest = r & 0xf000 ? 64 : LONGEST_BYTES / part->block_bytes;
  if (longest > blocks)
    longest = blocks;
  n = 1 + random_next (part) % longest;
  part->at_bytes = random_next (part) % (blocks - n + 1) * part->block_bytes;
  part->bytes = n * part->block_bytes;
  switch (r % 16) {
  case 0:
    part->op = qbd_can_write_zeroes (volume) ? ZEROES : WRITE;
    part->flags = (r & 64 ? QBD_NO_UNMAP : 0) | (r & 128 ? QBD_FUA : 0);
    break;
  case 1:
    part->op = qbd_can_discard (volume) ? DISCARD : READ;
    break;
  case 2:
    part->op = FLUSH;
    break;
  case 3: case 4: case 5: case 6: case 7: case 8:
    part->op = WRITE;
    part->flags = r & 64 ? QBD_FUA : 0;
    break;
  default:
    part->op = READ;
    break;
  }
  if (part->op == WRITE)
    for (uint64_t i = 0; i < part->bytes; i += sizeof r) {
      r = random_next (part);
      memcpy (part->model + part->at_bytes + i, &r, sizeof r);
    }
}

static void
compare (struct part *part)
{
  uint8_t *model = part->model + part->at_bytes;

  for (uint64_t i = 0; i < part->bytes; i += part->block_bytes) {
    static const uint8_t zeroes[65536];

    if (memcmp (part->buf + i, model + i, part->block_bytes) == 0)
      continue;
    if (part->op == READ_DISCARDED &&
        memcmp (part->buf + i, zeroes, part->block_bytes) == 0) {
      memset (model + i, 0, part->block_bytes);
      continue;
    }
    die ("offset %llu: the volume does not hold what was written",
         (unsigned long long) (part->offset_bytes + part->at_bytes + i));
  }
}

static void
succeeded (struct part *part)
{
  if (part->op == READ || part->op == READ_DISCARDED)
    compare (part);
  else if (part->op == ZEROES)
    memset (part->model + part->at_bytes, 0, part->bytes);
  __atomic_fetch_add (&nr_requests, 1, __ATOMIC_RELAXED);
}

/* The server may go away only when it is meant to. */
static void
failed (int error)
{
  if (end_ms != 0 ||
      (error != ENOTCONN && error != ETIMEDOUT && error != EIO))
    die ("%s", qbd_errmsg ());
}

/* --- threads ------------------------------------------------------------ */

static int
run_sync (struct qbd_volume *v, struct part *part)
{
  uint64_t offset = part->offset_bytes + part->at_bytes;

  switch (part->op) {
  case READ:
  case READ_DISCARDED:
    return qbd_pread (v, part->buf, part->bytes, offset, 0);
  case WRITE:
    return qbd_pwrite (v, part->model + part->at_bytes, part->bytes, offset,
                       part->flags);
  case ZEROES:
    return qbd_write_zeroes (v, part->bytes, offset, part->flags);
  case DISCARD:
    return qbd_discard (v, part->bytes, offset, 0);
  default:
    return qbd_flush (v);
  }
}

static void *
stress_thread (void *arg)
{
  struct part *part = arg;

  while (!time_is_up ()) {
    choose (part);
    if (run_sync (part->own ? part->own : volume, part) < 0) {
      failed (errno);
      break;
    }
    succeeded (part);
  }
  qbd_close (part->own);
  return NULL;
}

void
stress (unsigned nr_threads, uint64_t seed)
{
  struct part *parts = calloc (nr_threads, sizeof *parts);
  pthread_t *threads = calloc (nr_threads, sizeof *threads);

  for (unsigned i = 0; i < nr_threads; i++) {
    part_init (&parts[i], i, nr_threads, seed);
    /* Half of them share a handle, all of them the association. */
    parts[i].own = i & 1 ? open_volume (0) : NULL;
  }
  puts ("running");
  fflush (stdout);
  for (unsigned i = 0; i < nr_threads; i++)
    if (pthread_create (&threads[i], NULL, stress_thread, &parts[i]) != 0)
      die ("pthread_create");
  for (unsigned i = 0; i < nr_threads; i++)
    pthread_join (threads[i], NULL);
  for (unsigned i = 0; i < nr_threads; i++)
    part_free (&parts[i]);
  free (threads);
  free (parts);
}

/* --- requests in flight ------------------------------------------------- */

static unsigned nr_in_flight;

static void aio_next (struct part *part);

static void
aio_done (struct qbd_aio *aio, int error)
{
  struct part *part = aio->opaque;

  nr_in_flight--;
  if (error != 0) {
    errno = error;
    failed (error);
    return;
  }
  succeeded (part);
  if (!time_is_up ())
    aio_next (part);
}

static void
aio_next (struct part *part)
{
  uint64_t offset;
  int r;

  choose (part);
  offset = part->offset_bytes + part->at_bytes;
  part->aio.done = aio_done;
  part->aio.opaque = part;
  switch (part->op) {
  case READ:
  case READ_DISCARDED:
    r = qbd_aio_pread (volume, &part->aio, part->buf, part->bytes, offset, 0);
    break;
  case WRITE:
    r = qbd_aio_pwrite (volume, &part->aio, part->model + part->at_bytes,
                        part->bytes, offset, part->flags);
    break;
  case ZEROES:
    r = qbd_aio_write_zeroes (volume, &part->aio, part->bytes, offset,
                              part->flags);
    break;
  case DISCARD:
    r = qbd_aio_discard (volume, &part->aio, part->bytes, offset, 0);
    break;
  default:
    r = qbd_aio_flush (volume, &part->aio);
    break;
  }
  if (r < 0)
    die ("submit: %s", qbd_errmsg ());
  nr_in_flight++;
}

void
aio (unsigned depth, uint64_t seed)
{
  struct part *parts = calloc (depth, sizeof *parts);

  for (unsigned i = 0; i < depth; i++)
    part_init (&parts[i], i, depth, seed);
  puts ("running");
  fflush (stdout);
  for (unsigned i = 0; i < depth; i++)
    aio_next (&parts[i]);
  while (nr_in_flight > 0)
    if (qbd_aio_poll (volume, -1) < 0)
      die ("%s", qbd_errmsg ());
  for (unsigned i = 0; i < depth; i++)
    part_free (&parts[i]);
  free (parts);
}
