/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engines call allocated: every block with data in it, and little
 * more.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "server/engine/sparse.h"
#include "tests/unit/engine-helpers.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static struct engine_extent extents[256];

static void
assert_extent (unsigned i, uint64_t offset, uint64_t length)
{
  assert_int_equal (extents[i].offset_bytes, offset);
  assert_int_equal (extents[i].length_bytes, length);
}

/* --- rounding: the file system's blocks are pages here ------------------- */

static int
make_memfd (uint64_t size_bytes)
{
  int fd = memfd_create ("qbd-test", MFD_CLOEXEC);

  assert_true (fd >= 0);
  assert_int_equal (ftruncate (fd, (off_t) size_bytes), 0);
  return fd;
}

static void
put (int fd, uint64_t offset)
{
  assert_int_equal (pwrite (fd, "x", 1, (off_t) offset), 1);
}

static void
test_rounding (void **state)
{
  int fd = make_memfd (16 * MIB);

  put (fd, 70 * KIB);
  put (fd, 200 * KIB);
  assert_int_equal (sparse_allocated (fd, 64 * KIB, 0, 16 * MIB, extents,
                                      256), 2);
  assert_extent (0, 64 * KIB, 64 * KIB);
  assert_extent (1, 192 * KIB, 64 * KIB);

  /* Neighbours after rounding are one, and two in one block, too. */
  put (fd, 120 * KIB);
  put (fd, 180 * KIB);
  assert_int_equal (sparse_allocated (fd, 64 * KIB, 0, 16 * MIB, extents,
                                      256), 1);
  assert_extent (0, 64 * KIB, 192 * KIB);
  assert_int_equal (sparse_allocated (fd, 64 * KIB, 0, 16 * MIB, extents,
                                      1), 1);
  assert_extent (0, 64 * KIB, 192 * KIB);
  close (fd);
}

static void
test_bounds (void **state)
{
  int fd = make_memfd (MIB);

  assert_int_equal (sparse_allocated (fd, 512, 0, MIB, extents, 256), 0);
  put (fd, 0);
  put (fd, MIB - 1);
  assert_int_equal (sparse_allocated (fd, 512, 0, MIB, extents, 256), 2);
  assert_extent (0, 0, 4096);
  assert_extent (1, MIB - 4096, 4096);
  /* Cut to the range. */
  assert_int_equal (sparse_allocated (fd, 512, 512, 1024, extents, 256), 1);
  assert_extent (0, 512, 1024);
  assert_int_equal (sparse_allocated (fd, 512, 4096, MIB - 8192, extents,
                                      256), 0);
  assert_int_equal (sparse_allocated (fd, 512, 4096, MIB - 8192 + 512,
                                      extents, 256), 1);
  assert_extent (0, MIB - 4096, 512);
  /* No more than asked for. */
  assert_int_equal (sparse_allocated (fd, 512, 0, MIB, extents, 1), 1);
  assert_extent (0, 0, 4096);
  /* A file that is shorter than the volume. */
  assert_int_equal (ftruncate (fd, 8192), 0);
  assert_int_equal (sparse_allocated (fd, 512, 0, MIB, extents, 256), 1);
  assert_int_equal (sparse_allocated (fd, 512, 16384, 4096, extents, 256), 0);
  assert_true (sparse_can_punch_hole (fd));
  close (fd);
}

static void
test_errors (void **state)
{
  int pipes[2];

  assert_int_equal (pipe (pipes), 0);
  assert_true (sparse_allocated (pipes[0], 512, 0, MIB, extents, 256) < 0);
  assert_false (sparse_can_punch_hole (pipes[0]));
  close (pipes[0]);
  close (pipes[1]);
}

/* --- engines ------------------------------------------------------------ */

struct kind {
  const struct engine_ops *ops;
  const char *where;
  const char *option;
};

static bool
is_allocated (int nr, uint64_t offset)
{
  for (int i = 0; i < nr; i++)
    if (offset >= extents[i].offset_bytes
        && offset < extents[i].offset_bytes + extents[i].length_bytes)
      return true;
  return false;
}

/* In order, apart, inside. */
static int
ask (struct engine_volume *v, uint64_t offset, uint64_t length)
{
  int nr = v->ops->allocated (v, offset, length, extents, 256);
  uint64_t at = offset;

  assert_in_range (nr, 0, 256);
  for (int i = 0; i < nr; i++) {
    assert_true (extents[i].offset_bytes >= at + (i > 0));
    assert_true (extents[i].length_bytes > 0);
    assert_int_equal (extents[i].offset_bytes % v->block_size, 0);
    assert_int_equal (extents[i].length_bytes % v->block_size, 0);
    at = extents[i].offset_bytes + extents[i].length_bytes;
  }
  assert_true (at <= offset + length);
  return nr;
}

static void
run (struct test_pool *t, struct engine_volume *v)
{
  static const uint8_t zeroes[4096];
  uint8_t *buffer = make_buffer (MIB, 3);
  uint64_t offset;
  int nr;

  assert_int_equal (ask (v, 0, 8 * MIB), 0);
  srand (5);
  for (unsigned i = 0; i < 40; i++)
    assert_int_equal (request (t, v, ENGINE_WRITE, 0, buffer, 4096,
                               (uint64_t) (rand () % 2048) * 4096), 0);
  for (unsigned i = 0; i < 10; i++)
    assert_int_equal (request (t, v, i % 2 ? ENGINE_DISCARD
                                           : ENGINE_WRITE_ZEROES,
                               i % 2 ? 0 : ENGINE_UNMAP, NULL, 65536,
                               (uint64_t) (rand () % 128) * 65536), 0);
  nr = ask (v, 0, 8 * MIB);
  assert_in_range (nr, 1, 40);
  for (offset = 0; offset < 8 * MIB; offset += 4096) {
    bool empty;

    assert_int_equal (request (t, v, ENGINE_READ, 0, buffer, 4096, offset),
                      0);
    empty = memcmp (buffer, zeroes, 4096) == 0;
    assert_int_equal (is_allocated (nr, offset), !empty);
  }
  assert_int_equal (request (t, v, ENGINE_DISCARD, 0, NULL, 8 * MIB, 0), 0);
  assert_int_equal (ask (v, 0, 8 * MIB), 0);
  free (buffer);
}

static void
test_engine (void **state)
{
  const struct kind *kind = *state;
  char *dir = kind->ops == &engine_file ? make_dir (kind->where) : NULL;
  char *argument = join (dir ? dir : "", kind->option);
  struct engine_volume *v;
  struct test_pool t;

  open_pool (&t, kind->ops, dir ? argument : "");
  v = make_volume (&t, "disk", 8 * MIB, 4096);
  assert_true (v->unmaps);
  run (&t, v);
  v->ops->volume_close (v);
  v = make_volume (&t, "small", 8 * MIB, 512);
  run (&t, v);
  v->ops->volume_close (v);
  close_pool (&t);
  free (argument);
  if (dir)
    remove_dir (dir);
}

int
main (void)
{
  static struct kind kinds[] = {
    { &engine_ram, NULL, "" },
    { &engine_file, NULL, "" },
    { &engine_file, NULL, "?cache=buffered" },
    { &engine_file, "/dev/shm", "" },
  };
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_rounding),
    cmocka_unit_test (test_bounds),
    cmocka_unit_test (test_errors),
    { "test_engine, ram", test_engine, NULL, NULL, &kinds[0] },
    { "test_engine, file", test_engine, NULL, NULL, &kinds[1] },
    { "test_engine, buffered", test_engine, NULL, NULL, &kinds[2] },
    { "test_engine, tmpfs", test_engine, NULL, NULL, &kinds[3] },
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
