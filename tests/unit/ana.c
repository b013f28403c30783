/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log page of ANA states: an honest one, and ones that make no sense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <nvme/types.h>

#include "nvmeof/ana.h"
#include "nvmeof/endian.h"

static uint8_t page[256];

static uint32_t
add (uint32_t at, uint32_t group, uint32_t nr_namespaces, uint8_t state)
{
  struct nvme_ana_group_desc desc = {
    .grpid = cpu_to_le32 (group),
    .nnsids = cpu_to_le32 (nr_namespaces),
    .state = state,
  };

  memcpy (page + at, &desc, sizeof desc);
  return at + (uint32_t) sizeof desc + 4 * nr_namespaces;
}

static uint32_t
begin (uint16_t nr_groups)
{
  struct nvme_ana_log header = { .ngrps = cpu_to_le16 (nr_groups) };

  memset (page, 0xee, sizeof page);
  memcpy (page, &header, sizeof header);
  return sizeof header;
}

static void
test_groups (void **state)
{
  uint32_t at = begin (3);

  at = add (at, 1, 2, NVME_ANA_STATE_OPTIMIZED);
  at = add (at, 7, 0, NVME_ANA_STATE_INACCESSIBLE);
  at = add (at, 9, 1, 0xf0 | NVME_ANA_STATE_CHANGE);
  assert_int_equal (at, ana_log_bytes (3, 3));
  assert_int_equal (ana_find (page, at, 1), NVME_ANA_STATE_OPTIMIZED);
  assert_int_equal (ana_find (page, at, 7), NVME_ANA_STATE_INACCESSIBLE);
  assert_int_equal (ana_find (page, at, 9), NVME_ANA_STATE_CHANGE);
  assert_int_equal (ana_find (page, at, 8), 0);
}

static void
test_nonsense (void **state)
{
  uint32_t at = add (begin (2), 1, 0, 5);

  assert_int_equal (ana_find (page, at, 1), 0); /* no such state */
  assert_int_equal (ana_find (page, at, 2), 0); /* it ends before */
  assert_int_equal (ana_find (page, 15, 1), 0);
  assert_int_equal (ana_find (page, 16 + 31, 1), 0);
  add (begin (2), 1, UINT32_MAX, NVME_ANA_STATE_OPTIMIZED);
  assert_int_equal (ana_find (page, sizeof page, 2), 0);
  begin (UINT16_MAX);
  assert_int_equal (ana_find (page, sizeof page, 3), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_groups),
    cmocka_unit_test (test_nonsense),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
