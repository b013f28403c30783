/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What engines keep of a volume besides its data: its hosts and whether it
 * is read-only, how long its file was; and catalogues of older formats.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/engine-helpers.h"
#include "tests/unit/engine-sql.h"

#define MIB (1024u * 1024)
#define NQN_A "nqn.2014-08.org.nvmexpress:uuid:a"
#define NQN_B "nqn.2014-08.org.nvmexpress:uuid:b"

static void
set_hosts (struct engine_volume *v, const char *first, const char *second)
{
  struct host_list list = { 0 };
  struct error err;

  if (first)
    assert_int_equal (host_list_add (&list, first), 0);
  if (second)
    assert_int_equal (host_list_add (&list, second), 0);
  assert_int_equal (v->ops->volume_set_hosts (v, &list, &err), 0);
  host_list_clear (&list);
}

static void
assert_hosts (struct engine_volume *v, const char *first, const char *second)
{
  struct host_list list = { 0 };
  struct error err;

  assert_int_equal (v->ops->volume_get_hosts (v, &list, &err), 0);
  assert_int_equal (list.nr, (first != NULL) + (second != NULL));
  assert_int_equal (list.masked, first != NULL);
  if (first)
    assert_string_equal (list.names[0], first);
  if (second)
    assert_string_equal (list.names[1], second);
  host_list_clear (&list);
}

/* --- the list itself ---------------------------------------------------- */

static void
test_list (void **state)
{
  struct host_list list = { 0 }, copy = { 0 };
  char name[HOST_NAME_MAX_BYTES + 1];

  assert_int_equal (host_list_remove (&list, "b"), -ENOENT);
  assert_int_equal (host_list_add (&list, "b"), 0);
  assert_int_equal (host_list_add (&list, "c"), 0);
  assert_int_equal (host_list_add (&list, "a"), 0);
  assert_int_equal (host_list_add (&list, "b"), -EEXIST);
  assert_string_equal (list.names[0], "a");
  assert_string_equal (list.names[2], "c");
  assert_false (host_list_has (&list, "ab"));
  assert_true (host_list_has (&list, "c"));
  assert_int_equal (host_list_copy (&copy, &list), 0);
  assert_int_equal (host_list_remove (&list, "a"), 0);
  assert_int_equal (list.nr, 2);
  assert_true (host_list_has (&copy, "a") && copy.masked);

  memset (name, 'n', sizeof name);
  name[HOST_NAME_MAX_BYTES] = '\0';
  assert_int_equal (host_list_add (&list, name), -ENAMETOOLONG);
  name[HOST_NAME_MAX_BYTES - 1] = '\0';
  assert_int_equal (host_list_add (&list, name), 0);
  for (unsigned i = list.nr; i < HOST_LIST_MAX; i++) {
    snprintf (name, sizeof name, "%u", i);
    assert_int_equal (host_list_add (&list, name), 0);
  }
  assert_int_equal (host_list_add (&list, "more"), -E2BIG);
  host_list_clear (&list);
  host_list_clear (&copy);
  assert_int_equal (list.nr, 0);
  assert_false (list.masked);
}

/* --- both engines -------------------------------------------------------- */

/* Nobody is another thing than everybody, also later. */
static struct engine_volume *
check_nobody (struct test_pool *t, struct engine_volume *v)
{
  struct host_list list = { .masked = true };
  struct error err;

  assert_int_equal (v->ops->volume_set_hosts (v, &list, &err), 0);
  v->ops->volume_close (v);
  v = open_volume (t, "v");
  list.masked = false;
  assert_int_equal (v->ops->volume_get_hosts (v, &list, &err), 0);
  assert_true (list.masked);
  assert_int_equal (list.nr, 0);
  return v;
}

static void
check_engine (const struct engine_ops *ops, const char *argument)
{
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, ops, argument);
  v = make_volume (&t, "v", MIB, 512);
  assert_hosts (v, NULL, NULL);
  set_hosts (v, NQN_B, NQN_A);
  assert_hosts (v, NQN_A, NQN_B);
  assert_int_equal (ops->volume_set_read_only (t.pool, "v", true, &err),
                    -EBUSY);
  ops->volume_close (v);

  assert_int_equal (ops->volume_set_read_only (t.pool, "none", true, &err),
                    -ENOENT);
  assert_int_equal (ops->volume_set_read_only (t.pool, "v", true, &err), 0);
  v = open_volume (&t, "v");
  assert_true (v->read_only);
  assert_hosts (v, NQN_A, NQN_B);
  v = check_nobody (&t, v);
  set_hosts (v, HOST_ANY, NULL);
  ops->volume_close (v);
  assert_int_equal (ops->volume_set_read_only (t.pool, "v", false, &err), 0);
  v = open_volume (&t, "v");
  assert_false (v->read_only);
  assert_hosts (v, HOST_ANY, NULL);

  /* The next volume of this name is another one. */
  ops->volume_close (v);
  assert_int_equal (ops->volume_remove (t.pool, "v", &err), 0);
  v = make_volume (&t, "v", MIB, 512);
  assert_hosts (v, NULL, NULL);
  set_hosts (v, NQN_A, NULL);
  ops->volume_close (v);
  close_pool (&t);
}

static void
test_ram (void **state)
{
  check_engine (&engine_ram, "");
}

static void
test_file (void **state)
{
  char *dir = make_dir (NULL);
  struct engine_volume *v;
  struct test_pool t;

  check_engine (&engine_file, dir);
  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "v");
  assert_hosts (v, NQN_A, NULL);
  engine_file.volume_close (v);
  close_pool (&t);
  remove_dir (dir);
}

/* --- catalogues --------------------------------------------------------- */

/* A list that cannot be read allows nobody. */
static void
test_damaged_hosts (void **state)
{
  char *dir = make_dir (NULL);
  struct host_list list = { 0 };
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  set_hosts (v, NQN_A, NULL);
  sql (dir, "INSERT INTO host VALUES ('v', CAST (X'6100' AS TEXT))");
  assert_int_equal (v->ops->volume_get_hosts (v, &list, &err), -EIO);
  assert_int_equal (list.nr, 0);
  sql (dir, "UPDATE host SET name = printf ('%0.*d', 224, 0)"
       " WHERE length (name) < 3");
  assert_int_equal (v->ops->volume_get_hosts (v, &list, &err), -EIO);
  assert_non_null (strstr (err.message, "hosts of volume v are damaged"));
  engine_file.volume_close (v);
  close_pool (&t);
  remove_dir (dir);
}

/* A failure in the middle leaves the old list. */
static void
test_set_fails (void **state)
{
  char *dir = make_dir (NULL);
  struct host_list list = { 0 };
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  set_hosts (v, NQN_A, NULL);
  sql (dir, "CREATE TRIGGER t BEFORE INSERT ON host WHEN NEW.name = 'any'"
       " BEGIN SELECT RAISE (FAIL, 'no'); END");
  assert_int_equal (host_list_add (&list, HOST_ANY), 0);
  assert_true (v->ops->volume_set_hosts (v, &list, &err) < 0);
  assert_hosts (v, NQN_A, NULL);
  host_list_clear (&list);
  /* Nothing is left begun. */
  set_hosts (v, NQN_B, NULL);
  assert_hosts (v, NQN_B, NULL);
  engine_file.volume_close (v);
  close_pool (&t);
  remove_dir (dir);
}

/* As early versions made it: it stays so until somebody sets a list. */
static void
assert_format (const char *dir, int format)
{
  char text[128];

  /* Fails, and says so, when it is another. */
  snprintf (text, sizeof text, "CREATE TEMP TABLE t AS SELECT"
            " CASE user_version WHEN %d THEN 0 ELSE abs (-9223372036854775808)"
            " END FROM pragma_user_version", format);
  sql (dir, text);
}

static void
test_format_1 (void **state)
{
  char *dir = make_dir (NULL);
  struct engine_volume *v;
  struct test_pool t;
  struct error err;
  char uuid[ENGINE_UUID_TEXT];

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "old", MIB, 512);
  strcpy (uuid, v->uuid);
  engine_file.volume_close (v);
  close_pool (&t);
  sql (dir, "DROP TRIGGER volume_gone; DROP TABLE host;"
       "ALTER TABLE volume DROP COLUMN masked;"
       "ALTER TABLE volume DROP COLUMN size;"
       "PRAGMA user_version=1");

  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "old");
  assert_string_equal (v->uuid, uuid);
  assert_hosts (v, NULL, NULL);
  assert_format (dir, 1);
  set_hosts (v, NQN_A, NULL);
  assert_format (dir, 3);
  engine_file.volume_close (v);
  close_pool (&t);

  /* Once. */
  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "old");
  assert_hosts (v, NQN_A, NULL);
  engine_file.volume_close (v);
  assert_int_equal (engine_file.volume_remove (t.pool, "old", &err), 0);
  v = make_volume (&t, "old", MIB, 512);
  assert_hosts (v, NULL, NULL);
  engine_file.volume_close (v);
  close_pool (&t);
  remove_dir (dir);
}

/* --- sizes -------------------------------------------------------------- */

static void
set_length (const char *dir, off_t length_bytes)
{
  char *path = join (dir, "volumes/v.raw");

  assert_int_equal (truncate (path, length_bytes), 0);
  free (path);
}

/* While nothing is open, with the pool opened anew. */
static void
assert_opens (const char *dir, uint64_t size_bytes)
{
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  if (size_bytes > 0) {
    v = open_volume (&t, "v");
    assert_int_equal (v->size_bytes, size_bytes);
    engine_file.volume_close (v);
  }
  else {
    assert_int_equal (engine_file.volume_open (t.pool, "v", &v, &err), -EIO);
    assert_non_null (strstr (err.message, "v.raw is shorter than the volume"));
  }
  close_pool (&t);
}

static void
resize (const char *dir, uint64_t size_bytes)
{
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "v");
  assert_int_equal (engine_file.volume_resize (v, size_bytes, &err), 0);
  engine_file.volume_close (v);
  close_pool (&t);
}

/* What was cut off while no server ran is seen; what was added is served. */
static void
test_sizes (void **state)
{
  char *dir = make_dir (NULL);
  struct engine_volume *v;
  struct test_pool t;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  engine_file.volume_close (v);
  close_pool (&t);
  set_length (dir, MIB - 1);
  assert_opens (dir, 0);
  set_length (dir, 0);
  assert_opens (dir, 0);
  set_length (dir, MIB);
  assert_opens (dir, MIB);

  set_length (dir, 2 * MIB + 100);
  assert_opens (dir, 2 * MIB);
  set_length (dir, MIB);
  assert_opens (dir, 0);
  set_length (dir, 2 * MIB);

  resize (dir, 3 * MIB);
  set_length (dir, 2 * MIB);
  assert_opens (dir, 0);
  set_length (dir, 3 * MIB);
  resize (dir, MIB);
  assert_opens (dir, MIB);
  /* Killed in the middle of making it shorter: nothing is lost yet. */
  set_length (dir, 3 * MIB);
  assert_opens (dir, 3 * MIB);
  remove_dir (dir);
}

/* A pool that had no sizes has them from the first create or growth on, and
 * all of them from the next start on. */
static void
test_format_2 (void **state)
{
  char *dir = make_dir (NULL);
  struct engine_volume *v;
  struct test_pool t;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", 2 * MIB, 512);
  engine_file.volume_close (v);
  close_pool (&t);
  sql (dir, "ALTER TABLE volume DROP COLUMN size; PRAGMA user_version=2");
  set_length (dir, MIB);
  assert_opens (dir, MIB);
  resize (dir, MIB / 2);
  assert_format (dir, 2);

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "new", MIB, 512);
  engine_file.volume_close (v);
  close_pool (&t);
  assert_format (dir, 3);
  assert_opens (dir, MIB / 2);
  set_length (dir, MIB / 4);
  assert_opens (dir, 0);
  remove_dir (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_list),
    cmocka_unit_test (test_ram),
    cmocka_unit_test (test_file),
    cmocka_unit_test (test_damaged_hosts),
    cmocka_unit_test (test_set_fails),
    cmocka_unit_test (test_format_1),
    cmocka_unit_test (test_sizes),
    cmocka_unit_test (test_format_2),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
