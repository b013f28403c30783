/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `ram`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine-helpers.h"

#define MIB (1024u * 1024)

static int
append_name (void *opaque, const char *name)
{
  strcat (strcat (opaque, name), " ");
  return 0;
}

static void
test_volumes (void **state)
{
  struct test_pool t;
  struct engine_volume *v, *w;
  struct engine_pool_stat stat;
  struct error err;
  char names[256] = "";

  open_pool (&t, &engine_ram, "");
  v = make_volume (&t, "m", MIB, 512);
  w = make_volume (&t, "z", MIB, 4096);
  assert_string_not_equal (v->uuid, w->uuid);
  assert_int_equal (strlen (t.pool->domain), 36);
  assert_int_equal (w->block_size, 4096);
  v->ops->volume_close (w);
  w = make_volume (&t, "a", MIB, 512);
  assert_int_equal (v->ops->volume_each (t.pool, append_name, names, &err), 0);
  assert_string_equal (names, "a m z ");

  assert_int_equal (v->ops->volume_create (t.pool, "m", MIB, 512, &err),
                    -EEXIST);
  assert_int_equal (v->ops->volume_create (t.pool, "big", UINT64_MAX - 511,
                                           512, &err), -EFBIG);
  assert_int_equal (v->ops->volume_remove (t.pool, "m", &err), -EBUSY);
  assert_int_equal (v->ops->volume_remove (t.pool, "none", &err), -ENOENT);
  assert_int_equal (v->ops->volume_remove (t.pool, "z", &err), 0);
  assert_int_equal (v->ops->volume_open (t.pool, "z", &w, &err), -ENOENT);
  assert_int_equal (v->ops->pool_stat (t.pool, &stat, &err), 0);
  assert_true (stat.capacity_bytes > stat.free_bytes);
  close_pool (&t);
}

static void
test_data (void **state)
{
  struct test_pool t;
  struct engine_volume *v;
  struct error err;
  uint8_t *buffer = make_buffer (MIB, 7);
  uint64_t before, allocated;

  open_pool (&t, &engine_ram, "");
  v = make_volume (&t, "v", 8 * MIB, 512);
  assert_int_equal (v->ops->volume_allocated (v, &before, &err), 0);
  assert_int_equal (before, 0);
  assert_int_equal (request (&t, v, ENGINE_WRITE, ENGINE_FUA, buffer, MIB,
                             MIB), 0);
  assert_int_equal (v->ops->volume_allocated (v, &allocated, &err), 0);
  assert_int_equal (allocated, MIB);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, 0), 0);
  assert_filled (buffer, MIB, 0);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, MIB), 0);
  assert_filled (buffer, MIB, 7);

  assert_int_equal (request (&t, v, ENGINE_DISCARD, 0, NULL, MIB, MIB), 0);
  assert_int_equal (v->ops->volume_allocated (v, &allocated, &err), 0);
  assert_int_equal (allocated, 0);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, MIB), 0);
  assert_filled (buffer, MIB, 0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0), 0);

  /* What was beyond the end is gone when the volume grows again. */
  memset (buffer, 9, MIB);
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, MIB, 7 * MIB), 0);
  assert_int_equal (v->ops->volume_resize (v, MIB, &err), 0);
  assert_int_equal (v->size_bytes, MIB);
  assert_int_equal (v->ops->volume_resize (v, 16 * MIB, &err), 0);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, 7 * MIB), 0);
  assert_filled (buffer, MIB, 0);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
}

static void
test_argument (void **state)
{
  struct test_pool t;
  struct error err;

  assert_int_equal (try_pool (&t, &engine_ram, "/tmp", &err), -EINVAL);
  assert_non_null (strstr (err.message, "/tmp"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_volumes),
    cmocka_unit_test (test_data),
    cmocka_unit_test (test_argument),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
