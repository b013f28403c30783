/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a volume is said to be able to do, from what its controller and its
 * namespace say (lib/volume.c).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "lib/internal.h"

static struct paths paths;
static struct namespace ns;
static struct qbd_volume volume = { .paths = &paths, .ns = &ns };

static int
setup (void **state)
{
  memset (&paths, 0, sizeof paths);
  paths.controller.can_dsm = true;
  paths.controller.can_write_zeroes = true;
  ns = (struct namespace) {
    .info = { .deallocated_zero = true, .zeroes_deallocate = true },
  };
  volume.flags = 0;
  return 0;
}

/* Fast only where Write Zeroes is known to deallocate, and what is deallocated
 * to read as zeroes (DLFEAT, NVM command set specification 1.0, figure 97). */
static void
test_fast_zero (void **state)
{
  assert_true (qbd_can_fast_zero (&volume));
  ns.info.zeroes_deallocate = false;
  assert_false (qbd_can_fast_zero (&volume));
  assert_true (qbd_can_write_zeroes (&volume));
  ns.info.zeroes_deallocate = true;
  ns.info.deallocated_zero = false;
  assert_false (qbd_can_fast_zero (&volume));
  ns.info.deallocated_zero = true;
  paths.controller.can_write_zeroes = false;
  assert_false (qbd_can_fast_zero (&volume));
}

static void
test_read_only (void **state)
{
  assert_false (qbd_is_read_only (&volume));
  assert_true (qbd_can_discard (&volume));
  ns.info.read_only = true;
  assert_true (qbd_is_read_only (&volume));
  assert_false (qbd_can_discard (&volume));
  assert_false (qbd_can_fast_zero (&volume));
  ns.info.read_only = false;
  volume.flags = QBD_OPEN_READONLY;
  assert_true (qbd_is_read_only (&volume));
  assert_false (qbd_can_write_zeroes (&volume));
}

static void
test_rotational (void **state)
{
  assert_false (qbd_is_rotational (&volume));
  ns.info.rotational = true;
  assert_true (qbd_is_rotational (&volume));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (test_fast_zero, setup),
    cmocka_unit_test_setup (test_read_only, setup),
    cmocka_unit_test_setup (test_rotational, setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
