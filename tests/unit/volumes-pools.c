/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools that come and go under the volume service while others ask for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/log.h"
#include "server/control/volumes.h"

enum { ASKERS = 4, ROUNDS = 200 };

static struct reactor *reactor;
static struct target *target;
static struct volumes *volumes;

static int
setup (void **state)
{
  struct error err;

  log_set_level (LOG_LEVEL_ERROR);
  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  assert_int_equal (target_create (&target, &err), 0);
  assert_int_equal (volumes_new (target, &reactor, 1, &volumes, &err), 0);
  return 0;
}

static int
teardown (void **state)
{
  struct error err;

  assert_int_equal (volumes_free (volumes, &err), 0);
  target_destroy (target);
  reactor_destroy (reactor);
  return 0;
}

static void
open_pool (const char *name)
{
  struct error err;

  assert_int_equal (volumes_open_pool (volumes, &engine_ram, name, "", &err),
                    0);
}

static void
append_pool (void *opaque, const struct pool_info *info)
{
  strcat (strcat (opaque, info->name), " ");
}

static void
append_volume (void *opaque, const struct volume_info *info)
{
  strcat (strcat (strcat (opaque, info->pool), "/"), info->name);
}

static void
assert_pools (const char *names)
{
  char cheap[64] = "", with_space[64] = "";

  volumes_each_pool (volumes, append_pool, cheap);
  assert_string_equal (cheap, names);
  volumes_stat_pools (volumes, append_pool, with_space);
  assert_string_equal (with_space, names);
}

static void
test_come_and_go (void **state)
{
  char text[64] = "";
  struct error err;

  open_pool ("a");
  open_pool ("b");
  open_pool ("c");
  assert_pools ("a b c ");
  assert_int_equal (volumes_create (volumes, "b/disk", 4096, 512,
                                    append_volume, text, &err), 0);
  assert_string_equal (text, "b/disk");
  assert_int_equal (volumes_close_pool (volumes, "reload", "b", &err), 0);
  assert_pools ("a c ");
  assert_int_equal (volumes_info (volumes, "b/disk", append_volume, text,
                                  &err), -ENOENT);
  assert_string_equal (err.message, "info: b: no such pool");
  assert_int_equal (volumes_close_pool (volumes, "reload", "b", &err),
                    -ENOENT);
  assert_string_equal (err.message, "reload: b: no such pool");

  /* A new one of that name is another one, and the last in the list. */
  open_pool ("b");
  assert_pools ("a c b ");
  assert_int_equal (volumes_info (volumes, "b/disk", append_volume, text,
                                  &err), -ENOENT);
  assert_string_equal (err.message, "info: b/disk: no such volume");
}

/* --- beside others ------------------------------------------------------ */

static atomic_bool over;
static _Atomic unsigned nr_found;

static void
count_volume (void *opaque, const struct volume_info *info)
{
  nr_found++;
}

static void
count_pool (void *opaque, const struct pool_info *info)
{
  nr_found++;
}

static void *
ask (void *arg)
{
  const char *name = arg;
  struct error err;
  unsigned nr;

  while (!over) {
    volumes_create (volumes, name, 4096, 512, count_volume, NULL, &err);
    volumes_info (volumes, name, count_volume, NULL, &err);
    volumes_list (volumes, NULL, count_volume, NULL, &err);
    volumes_each_pool (volumes, count_pool, NULL);
    volumes_stat_pools (volumes, count_pool, NULL);
    volumes_check (volumes, "a", true, NULL, NULL, &nr, &err);
  }
  return NULL;
}

static void
test_beside_others (void **state)
{
  static const char *const names[ASKERS] = { "a/1", "a/2", "b/1", "c/1" };
  pthread_t threads[ASKERS];
  struct error err;

  over = false;
  open_pool ("c");
  for (unsigned i = 0; i < ASKERS; i++)
    assert_int_equal (pthread_create (&threads[i], NULL, ask,
                                      (void *) names[i]), 0);
  for (unsigned i = 0; i < ROUNDS; i++) {
    unsigned before = nr_found;

    open_pool ("a");
    open_pool ("b");
    while (nr_found < before + 2 * ASKERS)      /* they saw something of it */
      sched_yield ();
    assert_int_equal (volumes_close_pool (volumes, "test", "a", &err), 0);
    assert_int_equal (volumes_close_pool (volumes, "test", "b", &err), 0);
  }
  over = true;
  for (unsigned i = 0; i < ASKERS; i++)
    pthread_join (threads[i], NULL);
  assert_pools ("c ");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_come_and_go, setup, teardown),
    cmocka_unit_test_setup_teardown (test_beside_others, setup, teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
