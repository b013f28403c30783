/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `file` on file systems that are full, read-only or fail.  Needs root
 * (a mount namespace, a loop device); skipped without.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/statvfs.h>

#include "tests/unit/engine-helpers.h"

#define MIB (1024u * 1024)

static char *
mount_tmpfs (const char *options)
{
  char *dir = make_dir (NULL);

  assert_int_equal (mount ("none", dir, "tmpfs", 0, options), 0);
  return dir;
}

static void
unmount (char *dir)
{
  assert_int_equal (umount (dir), 0);
  remove_dir (dir);
}

/* An ext4 file system of 64 MiB in a sparse file, which is in backing. */
static char *
mount_ext4 (const char *backing)
{
  char *dir = make_dir (NULL), *command;

  assert_true (asprintf (&command,
                         "truncate -s 64M %s/image && "
                         "PATH=$PATH:/sbin:/usr/sbin && "
                         "mkfs.ext4 -q -F -O ^has_journal -m 0 "
                         "-E lazy_itable_init=0,nodiscard %s/image && "
                         "mount -o loop,errors=continue %s/image %s",
                         backing, backing, backing, dir) > 0);
  if (system (command) != 0) {
    free (command);
    remove_dir (dir);
    return NULL;
  }
  free (command);
  return dir;
}

static int
write_until_full (struct test_pool *t, struct engine_volume *v, void *buffer)
{
  uint64_t offset;
  int r = 0;

  for (offset = 0; r == 0 && offset < v->size_bytes; offset += MIB)
    r = request (t, v, ENGINE_WRITE, 0, buffer, MIB, offset);
  return r;
}

/* ENOSPC arrives as such, and the volume stays good. */
static void
full (char *dir, const char *option)
{
  uint8_t *buffer = make_buffer (MIB, 4);
  struct engine_volume *v;
  struct test_pool t;
  char *argument;

  assert_true (asprintf (&argument, "%s%s", dir, option) > 0);
  open_pool (&t, &engine_file, argument);
  v = make_volume (&t, "v", 512 * MIB, 4096);
  assert_int_equal (write_until_full (&t, v, buffer), -ENOSPC);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, 0), 0);
  assert_filled (buffer, MIB, 4);
  assert_int_equal (request (&t, v, ENGINE_WRITE_ZEROES, 0, NULL, 256 * MIB,
                             256 * MIB), -ENOSPC);
  assert_int_equal (request (&t, v, ENGINE_DISCARD, 0, NULL, 512 * MIB, 0), 0);
  assert_int_equal (request (&t, v, ENGINE_WRITE, ENGINE_FUA, buffer, MIB, 0),
                    0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0), 0);
  v->ops->volume_close (v);
  close_pool (&t);
  free (argument);
  free (buffer);
}

static void
test_full_tmpfs (void **state)
{
  char *dir = mount_tmpfs ("size=16m");

  full (dir, "");
  unmount (dir);
}

static void
test_full_ext4 (void **state)
{
  char *backing = mount_tmpfs ("size=128m");
  char *dir = mount_ext4 (backing);

  if (!dir) {
    unmount (backing);
    skip ();
  }
  full (dir, *state);
  unmount (dir);
  unmount (backing);
}

/* The disk under the file system fails to write. */
static void
test_sticky (void **state)
{
  char *backing = mount_tmpfs ("size=64m");
  char *dir = mount_ext4 (backing), *hog, *argument;
  uint8_t *buffer = make_buffer (MIB, 4);
  struct engine_volume *v;
  struct test_pool t;
  int fd, error;

  if (!dir) {
    unmount (backing);
    skip ();
  }
  argument = join (dir, "?cache=buffered");
  open_pool (&t, &engine_file, argument);
  v = make_volume (&t, "v", 16 * MIB, 4096);
  assert_int_equal (request (&t, v, ENGINE_WRITE, ENGINE_FUA, buffer, MIB, 0),
                    0);
  sync ();
  hog = join (backing, "hog");
  fd = open (hog, O_RDWR | O_CREAT, 0600);
  while (write (fd, buffer, MIB) > 0 || write (fd, buffer, 4096) > 0)
    ;
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, MIB, 8 * MIB), 0);
  error = request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0);
  assert_true (error < 0);
  close (fd);
  unlink (hog);

  /* It would work again, but what was lost stays lost. */
  assert_int_equal (request (&t, v, ENGINE_WRITE, 0, buffer, MIB, 4 * MIB), 0);
  assert_int_equal (request (&t, v, ENGINE_FLUSH, 0, NULL, 0, 0),
                    error);
  assert_int_equal (request (&t, v, ENGINE_WRITE, ENGINE_FUA, buffer, MIB, 0),
                    error);
  assert_int_equal (request (&t, v, ENGINE_READ, 0, buffer, MIB, 0), 0);
  v->ops->volume_close (v);
  close_pool (&t);
  unmount (dir);
  unmount (backing);
  free (hog);
  free (argument);
  free (buffer);
}

static void
test_read_only (void **state)
{
  char *dir = mount_tmpfs ("size=16m");
  struct test_pool t;
  struct error err;

  assert_int_equal (mount ("none", dir, NULL, MS_REMOUNT | MS_RDONLY, NULL),
                    0);
  assert_int_equal (try_pool (&t, &engine_file, dir, &err), -EROFS);
  assert_non_null (strstr (err.message, "cannot be written"));
  unmount (dir);
}

/* No room for the catalogue: an error, and later it is made after all. */
static void
test_no_room (void **state)
{
  char *dir = mount_tmpfs ("nr_inodes=4");
  struct test_pool t;
  struct error err;

  if (try_pool (&t, &engine_file, dir, &err) != -ENOSPC)
    fail_msg ("%s", err.message);
  assert_int_equal (mount ("none", dir, NULL, MS_REMOUNT, "nr_inodes=100"), 0);
  open_pool (&t, &engine_file, dir);
  close_pool (&t);
  unmount (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_full_tmpfs),
    { "test_full_ext4, direct", test_full_ext4, NULL, NULL,
      (void *) "?cache=direct" },
    { "test_full_ext4, buffered", test_full_ext4, NULL, NULL,
      (void *) "?cache=buffered" },
    cmocka_unit_test (test_sticky),
    cmocka_unit_test (test_read_only),
    cmocka_unit_test (test_no_room),
  };

  if (unshare (CLONE_NEWNS) < 0 ||
      mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    printf ("skipped: no mount namespace: %s\n", strerror (errno));
    return 77;
  }
  return cmocka_run_group_tests (tests, NULL, NULL);
}
