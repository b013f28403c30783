/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of engines share.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "tests/unit/engine-helpers.h"

int
try_pool (struct test_pool *t, const struct engine_ops *ops,
          const char *argument, struct error *err)
{
  unsigned i;
  int r;

  for (i = 0; i < TEST_REACTORS; ++i)
    assert_int_equal (reactor_create (i, &t->reactors[i], err), 0);
  r = ops->pool_open ("test", argument, t->reactors, TEST_REACTORS, &t->pool,
                      err);
  for (i = 0; i < TEST_REACTORS; ++i) {
    if (r < 0)
      reactor_destroy (t->reactors[i]);
    else
      assert_int_equal (reactor_start (t->reactors[i], err), 0);
  }
  return r;
}

void
open_pool (struct test_pool *t, const struct engine_ops *ops,
           const char *argument)
{
  struct error err = { .code = 0 };

  if (try_pool (t, ops, argument, &err) < 0)
    fail_msg ("%s", err.message);
}

void
close_pool (struct test_pool *t)
{
  unsigned i;

  t->pool->ops->pool_close (t->pool);
  for (i = 0; i < TEST_REACTORS; ++i)
    reactor_destroy (t->reactors[i]);
}

struct engine_volume *
open_volume (struct test_pool *t, const char *name)
{
  struct engine_volume *volume;
  struct error err = { .code = 0 };

  if (t->pool->ops->volume_open (t->pool, name, &volume, &err) < 0)
    fail_msg ("%s", err.message);
  return volume;
}

struct engine_volume *
make_volume (struct test_pool *t, const char *name, uint64_t size_bytes,
             uint32_t block_size)
{
  struct error err = { .code = 0 };

  if (t->pool->ops->volume_create (t->pool, name, size_bytes, block_size,
                                   &err) < 0)
    fail_msg ("%s", err.message);
  return open_volume (t, name);
}

/* --- requests --------------------------------------------------------- */

struct one_request {
  struct engine_request request;
  struct engine_volume *volume;
  int result;
  bool is_inside, was_inside;
  int over;
};

static void
one_done (struct engine_request *request, int result)
{
  struct one_request *one = (struct one_request *) request;

  one->was_inside = one->is_inside;
  one->result = result;
  eventfd_write (one->over, 1);
}

static void
one_submit (void *arg)
{
  struct one_request *one = arg;
  int r;

  one->is_inside = true;
  r = one->volume->ops->submit (one->volume, &one->request);
  one->is_inside = false;
  if (r != ENGINE_PENDING) {
    one->result = r;
    eventfd_write (one->over, 1);
  }
}

int
request_iov (struct test_pool *t, struct engine_volume *volume,
             enum engine_op op, unsigned flags, struct iovec *iov, int iovcnt,
             uint64_t length_bytes, uint64_t offset_bytes)
{
  struct one_request one = {
    .request = {
      .done = one_done,
      .reactor = t->reactors[0],
      .op = op,
      .flags = flags,
      .offset_bytes = offset_bytes,
      .length_bytes = length_bytes,
      .iov = iov,
      .iovcnt = iovcnt,
    },
    .volume = volume,
    .over = eventfd (0, EFD_CLOEXEC),
  };
  eventfd_t count;

  reactor_call (t->reactors[0], one_submit, &one);
  assert_int_equal (eventfd_read (one.over, &count), 0);
  close (one.over);
  assert_false (one.was_inside);
  return one.result;
}

int
request (struct test_pool *t, struct engine_volume *volume, enum engine_op op,
         unsigned flags, void *buffer, uint64_t length_bytes,
         uint64_t offset_bytes)
{
  struct iovec iov = { buffer, length_bytes };

  return request_iov (t, volume, op, flags, &iov, buffer ? 1 : 0,
                      length_bytes, offset_bytes);
}

void *
make_buffer (size_t bytes, int byte)
{
  void *buffer = NULL;

  assert_int_equal (posix_memalign (&buffer, 4096, bytes), 0);
  memset (buffer, byte, bytes);
  return buffer;
}

void
assert_filled (const void *buffer, size_t bytes, int byte)
{
  const uint8_t *p = buffer;
  size_t i;

  for (i = 0; i < bytes; ++i)
    if (p[i] != byte)
      fail_msg ("byte %zu is %d, not %d", i, p[i], byte);
}

/* --- directories ------------------------------------------------------ */

char *
make_dir (const char *where)
{
  const char *tmp = getenv ("TMPDIR");
  char *path;

  if (!where)
    where = tmp ? tmp : "/tmp";
  assert_true (asprintf (&path, "%s/qbd-engine-XXXXXX", where) > 0);
  assert_non_null (mkdtemp (path));
  return path;
}

static int
remove_entry (const char *path, const struct stat *st, int type,
              struct FTW *ftw)
{
  return remove (path);
}

void
remove_dir (char *dir)
{
  nftw (dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  free (dir);
}

char *
join (const char *dir, const char *name)
{
  char *path;

  assert_true (asprintf (&path, "%s/%s", dir, name) > 0);
  return path;
}
