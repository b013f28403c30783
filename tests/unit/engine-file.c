/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `file`: pools that come and go, their catalogue, and what bad input
 * gets.  engine-file-data.c reads and writes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/engine-helpers.h"
#include "tests/unit/engine-sql.h"

#define MIB (1024u * 1024)

static bool
exists (const char *dir, const char *name)
{
  char *path = join (dir, name);
  bool yes = access (path, F_OK) == 0;

  free (path);
  return yes;
}

static void
make_file (const char *dir, const char *name, const char *text)
{
  char *path = join (dir, name);
  FILE *f = fopen (path, "w");

  assert_non_null (f);
  fputs (text, f);
  fclose (f);
  free (path);
}

static void
remove_file (const char *dir, const char *name)
{
  char *path = join (dir, name);

  assert_int_equal (unlink (path), 0);
  free (path);
}

/* The pool is refused, with this in the message. */
static void
assert_refused (const char *argument, int code, const char *text)
{
  struct test_pool t;
  struct error err = { .code = 0 };

  assert_int_equal (try_pool (&t, &engine_file, argument, &err), -code);
  assert_int_equal (err.code, code);
  if (!strstr (err.message, text))
    fail_msg ("\"%s\" is not in \"%s\"", text, err.message);
}

/* --- pools ------------------------------------------------------------ */

static void
test_reopen (void **state)
{
  char *dir = make_dir (NULL);
  char domain[ENGINE_UUID_TEXT], uuid[ENGINE_UUID_TEXT];
  uint8_t *buffer = make_buffer (MIB, 3);
  struct engine_volume *v;
  struct test_pool t;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "disk", 4 * MIB, 4096);
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, MIB, MIB), 0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0), 0);
  strcpy (uuid, v->uuid);
  strcpy (domain, t.pool->domain);
  assert_int_equal (strlen (domain), 36);
  v->ops->volume_close (v);
  close_pool (&t);

  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "disk");
  assert_string_equal (v->uuid, uuid);
  assert_string_equal (t.pool->domain, domain);
  assert_int_equal (v->size_bytes, 4 * MIB);
  assert_int_equal (v->block_size, 4096);
  assert_false (v->read_only);
  memset (buffer, 0, MIB);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, MIB), 0);
  assert_filled (buffer, MIB, 3);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
  remove_dir (dir);
}

static void
test_bad_directories (void **state)
{
  char *dir = make_dir (NULL);
  char *argument;

  assert_refused ("/nonexistent/pool", ENOENT, "/nonexistent/pool");
  assert_refused ("", EINVAL, "needs a directory");
  argument = join (dir, "file");
  make_file (dir, "file", "x");
  assert_refused (argument, ENOTDIR, argument);
  free (argument);

  assert_refused (dir, ENOTEMPTY, "it holds file");
  assert_false (exists (dir, "qbd-pool.lock"));
  assert_false (exists (dir, "volumes"));
  remove_dir (dir);
}

static void
test_options (void **state)
{
  char *dir = make_dir (NULL);
  char *argument;

  argument = join (dir, "?cache=none");
  assert_refused (argument, EINVAL, "none: must be direct or buffered");
  free (argument);
  argument = join (dir, "?cahce=direct");
  assert_refused (argument, EINVAL, "did you mean cache?");
  free (argument);
  argument = join (dir, "?cache");
  assert_refused (argument, EINVAL, "file: cache= needs a value");
  free (argument);
  argument = join (dir, "?cache=direct&cache=direct");
  assert_refused (argument, EINVAL, "file: cache= is given twice");
  free (argument);
  remove_dir (dir);
}

static void
test_half_made (void **state)
{
  char *dir = make_dir (NULL);
  char *volumes = join (dir, "volumes");
  struct test_pool t;
  char *path;

  /* As a kill in the middle of making it leaves it. */
  make_file (dir, "qbd-pool.owner", "1\n");
  make_file (dir, "qbd-pool.lock", "");
  make_file (dir, "qbd-pool.new", "half a database");
  make_file (dir, "qbd-pool.new-journal", "half a journal");
  assert_int_equal (mkdir (volumes, 0700), 0);
  /* With data in it, it is not: somebody lost the catalogue. */
  make_file (volumes, "precious.raw", "data");
  assert_refused (dir, ENOTEMPTY, "it holds volumes");
  assert_true (exists (volumes, "precious.raw"));

  path = join (volumes, "precious.raw");
  unlink (path);
  free (path);
  open_pool (&t, &engine_file, dir);
  close_pool (&t);
  assert_false (exists (dir, "qbd-pool.new"));
  assert_false (exists (dir, "qbd-pool.new-journal"));
  free (volumes);
  remove_dir (dir);
}

static void
test_formats (void **state)
{
  char *dir = make_dir (NULL);
  struct test_pool t;

  open_pool (&t, &engine_file, dir);
  close_pool (&t);
  sql (dir, "PRAGMA user_version=99");
  assert_refused (dir, EINVAL, "use a newer qbd-server");
  sql (dir, "PRAGMA user_version=1; PRAGMA application_id=7");
  assert_refused (dir, EINVAL, "not a pool's catalogue");
  remove_dir (dir);
}

static void
test_one_owner (void **state)
{
  char *dir = make_dir (NULL);
  char text[64], c;
  int to_child[2], from_child[2];
  struct test_pool t;
  pid_t pid;

  /* Before there are threads. */
  assert_int_equal (pipe (to_child), 0);
  assert_int_equal (pipe (from_child), 0);
  pid = fork ();
  if (pid == 0) {
    struct error err;

    close (to_child[1]);
    if (try_pool (&t, &engine_file, dir, &err) < 0 ||
        write (from_child[1], "x", 1) != 1 ||
        read (to_child[0], &c, 1) != 0)
      _exit (1);
    for (;;)
      pause ();
  }
  close (to_child[0]);
  assert_int_equal (read (from_child[0], &c, 1), 1);
  snprintf (text, sizeof text, "in use by process %ld", (long) pid);
  assert_refused (dir, EBUSY, text);

  /* Killed, it is followed at once, dead or not quite. */
  kill (pid, SIGKILL);
  open_pool (&t, &engine_file, dir);
  assert_refused (dir, EBUSY, "in use by this process");
  /* Not the lock files alone say so. */
  remove_file (dir, "qbd-pool.owner");
  remove_file (dir, "qbd-pool.lock");
  assert_refused (dir, EBUSY, "in use by another process");
  close_pool (&t);
  waitpid (pid, NULL, 0);
  close (to_child[1]);
  close (from_child[0]);
  close (from_child[1]);
  remove_dir (dir);
}

/* Pools that come and go while the reactors run, more of them than a ring
 * holds at a time. */
static void
test_open_later (void **state)
{
  char *dir = make_dir (NULL), *first = join (dir, "first"),
    *later = join (dir, "later");
  uint8_t *buffer = make_buffer (MIB, 7);
  struct engine_volume *v;
  struct test_pool t, u;
  struct error err;

  assert_int_equal (mkdir (first, 0700), 0);
  assert_int_equal (mkdir (later, 0700), 0);
  open_pool (&t, &engine_file, first);
  u = t;
  for (unsigned i = 0; i < REACTOR_HOLD_MAX; ++i) {
    assert_int_equal (engine_file.pool_open ("later", later, t.reactors,
                                             TEST_REACTORS, &u.pool, &err),
                      0);
    if (i > 0)
      engine_file.pool_close (u.pool);
    else {
      assert_refused (later, EBUSY, "in use by this process");
      v = make_volume (&u, "disk", 4 * MIB, 512);
      assert_int_equal (request (&u, v, ENGINE_WRITE, 0, buffer, MIB, MIB),
                        0);
      v->ops->volume_close (v);
      engine_file.pool_close (u.pool);
    }
  }
  close_pool (&t);
  free (buffer);
  free (first);
  free (later);
  remove_dir (dir);
}

/* --- volumes ---------------------------------------------------------- */

static int
append_name (void *opaque, const char *name)
{
  strcat (strcat (opaque, name), " ");
  return 0;
}

static int
stop_at_second (void *opaque, const char *name)
{
  return ++*(int *) opaque == 2 ? 42 : 0;
}

static void
test_volumes (void **state)
{
  char *dir = make_dir (NULL);
  const struct engine_ops *ops = &engine_file;
  struct engine_volume *v, *w, *a;
  struct engine_pool_stat stat;
  struct test_pool t;
  struct error err;
  char names[64] = "";
  int n = 0;

  open_pool (&t, ops, dir);
  v = make_volume (&t, "m", MIB, 512);
  ops->volume_close (make_volume (&t, "z", MIB, 512));
  a = make_volume (&t, "a", MIB, 4096);
  assert_string_not_equal (v->uuid, a->uuid);
  assert_int_equal (ops->volume_each (t.pool, append_name, names, &err), 0);
  assert_string_equal (names, "a m z ");
  assert_int_equal (ops->volume_each (t.pool, stop_at_second, &n, &err), 42);
  assert_int_equal (ops->pool_stat (t.pool, &stat, &err), 0);
  assert_true (stat.capacity_bytes >= stat.free_bytes);

  assert_int_equal (ops->volume_create (t.pool, "m", MIB, 512, &err), -EEXIST);
  assert_non_null (strstr (err.message, "create: test/m: "));
  assert_int_equal (ops->volume_open (t.pool, "m", &w, &err), -EBUSY);
  assert_int_equal (ops->volume_remove (t.pool, "m", &err), -EBUSY);
  assert_int_equal (ops->volume_remove (t.pool, "none", &err), -ENOENT);
  assert_int_equal (ops->volume_create (t.pool, "../x", MIB, 512, &err),
                    -EINVAL);
  assert_int_equal (ops->volume_open (t.pool, "x/y", &w, &err), -EINVAL);

  assert_true (exists (dir, "volumes/z.raw"));
  assert_int_equal (ops->volume_remove (t.pool, "z", &err), 0);
  assert_false (exists (dir, "volumes/z.raw"));
  assert_int_equal (ops->volume_open (t.pool, "z", &w, &err), -ENOENT);
  ops->volume_close (v);
  ops->volume_close (open_volume (&t, "m"));
  assert_int_equal (ops->volume_remove (t.pool, "m", &err), 0);

  ops->volume_close (a);
  close_pool (&t);
  remove_dir (dir);
}

/* A size no file can have leaves nothing behind. */
static void
test_too_big (void **state)
{
  char *dir = make_dir (NULL);
  const struct engine_ops *ops = &engine_file;
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, ops, dir);
  /* Less than that, and a tmpfs takes it. */
  assert_int_equal (ops->volume_create (t.pool, "v", UINT64_C (1) << 63, 512,
                                        &err), -EFBIG);
  assert_non_null (strstr (err.message, "beyond what the file system"));
  assert_int_equal (ops->volume_create (t.pool, "v", UINT64_MAX - 511, 512,
                                        &err), -EFBIG);
  assert_false (exists (dir, "volumes/v.raw"));
  v = make_volume (&t, "v", MIB, 512);
  assert_int_equal (ops->volume_resize (v, UINT64_C (1) << 63, &err), -EFBIG);
  assert_int_equal (v->size_bytes, MIB);
  ops->volume_close (v);
  close_pool (&t);
  remove_dir (dir);
}

static void
test_resize (void **state)
{
  char *dir = make_dir (NULL);
  uint8_t *buffer = make_buffer (MIB, 9);
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", 8 * MIB, 512);
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, MIB, 7 * MIB), 0);
  assert_int_equal (v->ops->volume_resize (v, MIB, &err), 0);
  assert_int_equal (v->ops->volume_resize (v, 16 * MIB, &err), 0);
  assert_int_equal (v->size_bytes, 16 * MIB);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, 7 * MIB), 0);
  assert_filled (buffer, MIB, 0);
  v->ops->volume_close (v);
  close_pool (&t);
  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "v");
  assert_int_equal (v->size_bytes, 16 * MIB);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
  remove_dir (dir);
}

/* A start removes what was half made or half removed, and nothing else. */
static void
test_unfinished (void **state)
{
  char *dir = make_dir (NULL);
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "kept", MIB, 512);
  v->ops->volume_close (v);
  v = make_volume (&t, "removed", MIB, 512);
  v->ops->volume_close (v);
  close_pool (&t);
  sql (dir, "UPDATE volume SET state = 0 WHERE name = 'removed';"
       "INSERT INTO volume (name, uuid, block_size, state, created) VALUES"
       " ('fileless', '01234567-89ab-cdef-0123-456789abcdef', 512, 0, 0)");
  make_file (dir, "volumes/stray.raw", "not in the catalogue");

  open_pool (&t, &engine_file, dir);
  assert_true (exists (dir, "volumes/kept.raw"));
  assert_false (exists (dir, "volumes/removed.raw"));
  assert_true (exists (dir, "volumes/stray.raw"));
  v = make_volume (&t, "removed", MIB, 512);
  v->ops->volume_close (v);
  v = make_volume (&t, "fileless", MIB, 512);
  v->ops->volume_close (v);
  assert_int_equal (engine_file.volume_create (t.pool, "stray", MIB, 512, &err),
                    -EEXIST);
  assert_non_null (strstr (err.message, "move it away"));
  assert_true (exists (dir, "volumes/stray.raw"));
  close_pool (&t);
  remove_dir (dir);
}

/* What cannot be removed: a directory in place of the file. */
static void
put_directory (const char *path)
{
  assert_int_equal (unlink (path), 0);
  assert_int_equal (mkdir (path, 0700), 0);
}

/* A removal that fails leaves the volume, in this run and the next one. */
static void
test_unlink_fails (void **state)
{
  char *dir = make_dir (NULL), *path = join (dir, "volumes/v.raw");
  struct engine_volume *v;
  struct test_pool t;
  struct error err;
  char names[64] = "";

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  put_directory (path);
  assert_int_equal (engine_file.volume_remove (t.pool, "v", &err), -EISDIR);
  assert_int_equal (engine_file.volume_each (t.pool, append_name, names,
                                             &err), 0);
  assert_string_equal (names, "v ");
  close_pool (&t);
  sql (dir, "UPDATE volume SET state = 0");

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "other", MIB, 512);
  v->ops->volume_close (v);
  close_pool (&t);
  assert_int_equal (rmdir (path), 0);
  free (path);
  remove_dir (dir);
}

#define ROW(name, state) \
  "INSERT INTO volume (name, uuid, block_size, state, created) VALUES" \
  " (" name ", lower (hex (randomblob (4))) || '-89ab-cdef-0123-456789abcdef'," \
  "  512, " state ", 0);"

/* Rows that no create made reach no other file, and stop nobody. */
static void
test_foreign_rows (void **state)
{
  char *dir = make_dir (NULL);
  char names[64] = "";
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  close_pool (&t);
  make_file (dir, "secret.raw", "of somebody else");
  sql (dir, ROW ("'../secret'", "0") ROW ("'../secret2'", "1")
       ROW ("''", "0") ROW ("'.'", "0") ROW ("'a/b'", "1")
       ROW ("hex (zeroblob (125))", "0") ROW ("hex (zeroblob (126))", "1")
       ROW ("'v' || char (10)", "1"));

  open_pool (&t, &engine_file, dir);
  assert_true (exists (dir, "secret.raw"));
  assert_int_equal (engine_file.volume_each (t.pool, append_name, names,
                                             &err), 0);
  assert_string_equal (names, "v ");
  assert_int_equal (engine_file.volume_open (t.pool, "../secret2", &v, &err),
                    -EINVAL);
  close_pool (&t);
  remove_dir (dir);
}

/* A row that goes behind the engine's back is noticed. */
static void
test_row_vanishes (void **state)
{
  char *dir = make_dir (NULL);
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  sql (dir, "CREATE TRIGGER t BEFORE UPDATE ON volume BEGIN"
       " DELETE FROM volume; END");
  assert_int_equal (engine_file.volume_remove (t.pool, "v", &err), -EIO);
  assert_non_null (strstr (err.message, "missing"));
  close_pool (&t);
  remove_dir (dir);
}

/* What a failed create or removal left is no obstacle to the next create. */
static void
test_reclaim (void **state)
{
  char *dir = make_dir (NULL), *path = join (dir, "volumes/v.raw");
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  sql (dir, "UPDATE volume SET state = 0");
  v = make_volume (&t, "v", 2 * MIB, 512);
  assert_int_equal (v->size_bytes, 2 * MIB);
  v->ops->volume_close (v);
  sql (dir, "UPDATE volume SET state = 0");
  put_directory (path);
  assert_int_equal (engine_file.volume_create (t.pool, "v", MIB, 512, &err),
                    -EISDIR);
  assert_non_null (strstr (err.message, "what is left of an earlier"));
  close_pool (&t);
  assert_int_equal (rmdir (path), 0);
  free (path);
  remove_dir (dir);
}

/* What SQLite hides: its journal cannot be opened. */
static void
test_no_descriptors (void **state)
{
  char *dir = make_dir (NULL);
  struct rlimit limit, none;
  struct engine_volume *v;
  struct test_pool t;
  struct error err;
  int r;

  open_pool (&t, &engine_file, dir);
  assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = 3;
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &none), 0);
  r = engine_file.volume_create (t.pool, "v", MIB, 512, &err);
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &limit), 0);
  assert_int_equal (r, -EMFILE);
  assert_non_null (strstr (err.message, "ulimit -n"));
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  close_pool (&t);
  remove_dir (dir);
}

static void
test_lost_file (void **state)
{
  char *dir = make_dir (NULL);
  char *path = join (dir, "volumes/v.raw");
  struct engine_volume *v;
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  unlink (path);
  assert_int_equal (engine_file.volume_open (t.pool, "v", &v, &err), -EIO);
  assert_non_null (strstr (err.message, "v.raw is missing"));
  /* No link is followed out of the pool. */
  assert_int_equal (symlink ("/etc/passwd", path), 0);
  assert_int_equal (engine_file.volume_open (t.pool, "v", &v, &err), -ELOOP);
  assert_int_equal (engine_file.volume_remove (t.pool, "v", &err), 0);
  close_pool (&t);
  free (path);
  remove_dir (dir);
}

static void
test_read_only (void **state)
{
  char *dir = make_dir (NULL);
  uint8_t *buffer = make_buffer (4096, 1);
  struct engine_volume *v;
  struct test_pool t;

  open_pool (&t, &engine_file, dir);
  v = make_volume (&t, "v", MIB, 512);
  v->ops->volume_close (v);
  close_pool (&t);
  sql (dir, "UPDATE volume SET read_only = 1");
  open_pool (&t, &engine_file, dir);
  v = open_volume (&t, "v");
  assert_true (v->read_only);
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, 4096, 0), -EROFS);
  assert_int_equal (request (&t, v, ENGINE_DISCARD, 0, NULL, 4096, 0), -EROFS);
  assert_int_equal (request (&t, v, ENGINE_WRITE_ZEROES, 0, NULL, 4096, 0),
                    -EROFS);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, 4096, 0), 0);
  assert_filled (buffer, 4096, 0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0), 0);
  v->ops->volume_close (v);
  close_pool (&t);
  free (buffer);
  remove_dir (dir);
}

/* tmpfs has no direct I/O that would be worth the name. */
static void
test_no_direct (void **state)
{
  char *dir = make_dir ("/dev/shm");
  char *argument = join (dir, "?cache=direct");
  struct test_pool t;
  struct error err;

  open_pool (&t, &engine_file, argument);
  assert_int_equal (engine_file.volume_create (t.pool, "v", MIB, 512, &err),
                    -EINVAL);
  assert_non_null (strstr (err.message, "use cache=buffered"));
  assert_false (exists (dir, "volumes/v.raw"));
  close_pool (&t);
  free (argument);
  remove_dir (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_one_owner),  /* forks */
    cmocka_unit_test (test_open_later),
    cmocka_unit_test (test_reopen),
    cmocka_unit_test (test_bad_directories),
    cmocka_unit_test (test_options),
    cmocka_unit_test (test_half_made),
    cmocka_unit_test (test_formats),
    cmocka_unit_test (test_volumes),
    cmocka_unit_test (test_too_big),
    cmocka_unit_test (test_resize),
    cmocka_unit_test (test_unfinished),
    cmocka_unit_test (test_unlink_fails),
    cmocka_unit_test (test_foreign_rows),
    cmocka_unit_test (test_row_vanishes),
    cmocka_unit_test (test_reclaim),
    cmocka_unit_test (test_no_descriptors),
    cmocka_unit_test (test_lost_file),
    cmocka_unit_test (test_read_only),
    cmocka_unit_test (test_no_direct),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
