/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `file`: what is written to a volume, discarded and read, and files
 * that others cut; each on all kinds of storage.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "tests/unit/engine-helpers.h"

#define MIB (1024u * 1024)

struct kind {
  const char *where, *option;
  bool threads;
};

static void
open_kind (const struct kind *kind, struct test_pool *t, char **dir)
{
  char *argument;

  setenv ("QBD_NO_IO_URING", kind->threads ? "1" : "0", 1);
  *dir = make_dir (kind->where);
  assert_true (asprintf (&argument, "%s%s", *dir, kind->option) > 0);
  open_pool (t, &engine_file, argument);
  free (argument);
}

static uint64_t
allocated (struct engine_volume *v)
{
  struct error err;
  uint64_t bytes;

  assert_int_equal (v->ops->volume_allocated (v, &bytes, &err), 0);
  return bytes;
}

static void
test_data (void **state)
{
  uint8_t *buffer = make_buffer (4 * MIB, 5);
  struct engine_volume *v;
  struct test_pool t;
  uint64_t full;
  char *dir;

  open_kind (*state, &t, &dir);
  v = make_volume (&t, "v", UINT64_C (8) << 30, 512);
  assert_true (allocated (v) < MIB);
  assert_int_equal (request (&t, v, ENGINE_WRITE, ENGINE_FUA, buffer, 4 * MIB,
                             MIB), 0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0), 0);
  full = allocated (v);
  assert_true (full >= 4 * MIB);

  /* Discard frees, over more than one step too, and reads as zeroes. */
  assert_int_equal (request (&t, v, ENGINE_DISCARD, 0, NULL, MIB, MIB + 512),
                    0);
  assert_true (allocated (v) < full);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, 4 * MIB, MIB), 0);
  assert_filled (buffer, 512, 5);
  assert_filled (buffer + 512, MIB, 0);
  assert_filled (buffer + MIB + 512, 3 * MIB - 512, 5);
  assert_int_equal (request (&t, v, ENGINE_DISCARD, ENGINE_FUA, NULL,
                             UINT64_C (8) << 30, 0), 0);
  assert_true (allocated (v) < MIB);

  /* Zeroes that may be a hole, and zeroes that may not. */
  memset (buffer, 6, 4 * MIB);
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, 4 * MIB, 0), 0);
  assert_int_equal (request (&t, v, ENGINE_WRITE_ZEROES, ENGINE_UNMAP, NULL,
                             MIB, 0), 0);
  assert_int_equal (request (&t, v, ENGINE_WRITE_ZEROES, ENGINE_FUA, NULL,
                             2 * MIB + 512, MIB), 0);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, 4 * MIB, 0), 0);
  assert_filled (buffer, 3 * MIB + 512, 0);
  assert_filled (buffer + 3 * MIB + 512, MIB - 512, 6);
  assert_true (allocated (v) >= 3 * MIB);
  assert_true (allocated (v) < 4 * MIB);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
  remove_dir (dir);
}

/* Elements of any length and place. */
static void
test_elements (void **state)
{
  uint8_t *buffer = make_buffer (2 * MIB, 0), *back = make_buffer (3 * MIB, 0);
  struct engine_volume *v;
  struct test_pool t;
  struct iovec iov[4];
  size_t i;
  char *dir;

  open_kind (*state, &t, &dir);
  v = make_volume (&t, "v", 4 * MIB, 512);
  for (i = 0; i < 2 * MIB; ++i)
    buffer[i] = (uint8_t) (i * 31 >> 3);
  iov[0] = (struct iovec) { buffer, 1 };
  iov[1] = (struct iovec) { buffer + 1, 511 + 100000 };
  iov[2] = (struct iovec) { buffer + 100512, 0 };
  iov[3] = (struct iovec) { buffer + 100512, 2 * MIB - 100512 };
  assert_int_equal (request_iov (&t, v, ENGINE_WRITE, ENGINE_FUA, iov, 4,
                                 2 * MIB, 512), 0);
  iov[0] = (struct iovec) { back + 3, 777 };
  iov[1] = (struct iovec) { back + 780, 2 * MIB - 777 };
  assert_int_equal (request_iov (&t, v, ENGINE_READ, 0, iov, 2, 2 * MIB, 512),
                    0);
  assert_memory_equal (back + 3, buffer, 2 * MIB);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
  free (back);
  remove_dir (dir);
}

/* A full volume of 2 MiB whose file is cut inside a block at 1 MiB. */
static struct engine_volume *
make_cut (struct test_pool *t, const char *dir, const char *name)
{
  uint8_t *buffer = make_buffer (2 * MIB, 7);
  struct engine_volume *v = make_volume (t, name, 2 * MIB, 512);
  char *file, *path;

  assert_int_equal (request (t, v, ENGINE_WRITE, 0, buffer, 2 * MIB, 0), 0);
  assert_int_equal (request (t, v, ENGINE_FLUSH, 0, NULL, 0, 0), 0);
  assert_true (asprintf (&file, "volumes/%s.raw", name) > 0);
  path = join (dir, file);
  assert_int_equal (truncate (path, MIB + 100), 0);
  free (path);
  free (file);
  free (buffer);
  return v;
}

/* Nothing is changed any more, not even the file's length; what is there is
 * read. */
static void
assert_cut (struct test_pool *t, struct engine_volume *v, const char *dir,
            off_t length_bytes)
{
  uint8_t *buffer = make_buffer (MIB, 0);
  struct iovec iov[] = { { buffer + 3, 777 }, { buffer + 780, 1024 - 777 } };
  char *path, *file;
  struct error err;
  struct stat st;

  assert_int_equal (request (t, v, ENGINE_READ, 0, buffer, MIB, 0), 0);
  assert_filled (buffer, MIB, 7);
  assert_int_equal (request (t, v, ENGINE_READ, 0, buffer, 4096,
                             2 * MIB - 4096), -EIO);
  assert_int_equal (request_iov (t, v, ENGINE_READ, 0, iov, 2, 1024,
                                 2 * MIB - 1024), -EIO);
  assert_int_equal (request (t, v, ENGINE_FLUSH, 0, NULL, 0, 0), -EIO);
  assert_int_equal (request (t, v, ENGINE_WRITE, 0, buffer, 512, 0), -EIO);
  assert_int_equal (request (t, v, ENGINE_WRITE_ZEROES, 0, NULL, 512, 0),
                    -EIO);
  assert_int_equal (request (t, v, ENGINE_DISCARD, 0, NULL, 512, 0), -EIO);
  assert_int_equal (engine_file.volume_resize (v, 3 * MIB, &err), -EIO);
  assert_non_null (strstr (err.message, "file is shorter than the volume"));
  assert_true (asprintf (&file, "volumes/%s.raw", v->name) > 0);
  path = join (dir, file);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_size, length_bytes);
  free (path);
  free (file);
  free (buffer);
}

/* What somebody cut off while it is served does not read as zeroes, whatever
 * comes first. */
static void
test_cut (void **state)
{
  uint8_t *buffer = make_buffer (MIB, 0);
  struct engine_extent extents[4];
  struct engine_volume *v;
  struct test_pool t;
  struct error err;
  char *dir;

  open_kind (*state, &t, &dir);
  v = make_cut (&t, dir, "read");
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, MIB), -EIO);
  assert_cut (&t, v, dir, MIB + 100);
  v->ops->volume_close (v);

  v = make_cut (&t, dir, "end");
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, 512,
                             2 * MIB - 512), -EIO);
  assert_cut (&t, v, dir, MIB + 100);
  v->ops->volume_close (v);

  v = make_cut (&t, dir, "zeroes");
  assert_int_equal (request (&t, v, ENGINE_WRITE_ZEROES, ENGINE_UNMAP, NULL,
                             MIB, MIB), -EIO);
  assert_cut (&t, v, dir, MIB + 100);
  v->ops->volume_close (v);

  /* A hole in front is not seen at once, but nobody is told it is stable. */
  v = make_cut (&t, dir, "middle");
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, 4096,
                             MIB + 8192), 0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0), -EIO);
  assert_cut (&t, v, dir, MIB + 12288);
  v->ops->volume_close (v);

  v = make_cut (&t, dir, "resize");
  assert_int_equal (engine_file.volume_resize (v, 4 * MIB, &err), -EIO);
  assert_cut (&t, v, dir, MIB + 100);
  v->ops->volume_close (v);

  v = make_cut (&t, dir, "status");
  assert_int_equal (engine_file.allocated (v, 0, 2 * MIB, extents, 4), -EIO);
  assert_cut (&t, v, dir, MIB + 100);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
  remove_dir (dir);
}

int
main (void)
{
  static struct kind kinds[] = {
    { NULL, "", false },
    { NULL, "", true },
    { NULL, "?cache=buffered", false },
    { NULL, "?cache=buffered", true },
    { "/dev/shm", "", false },
    { "/dev/shm", "?cache=buffered", true },
  };
#define ALL(f)                                                          \
    { #f ", disk", f, NULL, NULL, &kinds[0] },                          \
    { #f ", disk, threads", f, NULL, NULL, &kinds[1] },                 \
    { #f ", buffered", f, NULL, NULL, &kinds[2] },                      \
    { #f ", buffered, threads", f, NULL, NULL, &kinds[3] },             \
    { #f ", tmpfs", f, NULL, NULL, &kinds[4] },                         \
    { #f ", tmpfs, threads", f, NULL, NULL, &kinds[5] }
  const struct CMUnitTest tests[] = {
    ALL (test_data),
    ALL (test_elements),
    ALL (test_cut),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
