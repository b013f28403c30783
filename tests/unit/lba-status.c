/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer to Get LBA Status: what an honest one says, and that nothing in a
 * hostile one gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvmeof/lba-status.h"

enum { ROOM = 8 };

static union {
  struct nvme_lba_status list;
  uint8_t bytes[LBA_STATUS_BYTES (ROOM)];
} page;
static struct lba_status_answer answer;
static const char *fault;

/* nr pairs of DSLBA and 0-based NLB. */
static void
make (uint32_t nr, uint8_t cmpc, const uint64_t (*pairs)[2])
{
  memset (&page, 0, sizeof page);
  page.list.nlsd = cpu_to_le32 (nr);
  page.list.cmpc = cmpc;
  for (uint32_t i = 0; i < nr; i++) {
    page.list.descs[i].dslba = cpu_to_le64 (pairs[i][0]);
    page.list.descs[i].nlb = cpu_to_le32 ((uint32_t) pairs[i][1]);
  }
}

static int
check (uint64_t slba, uint64_t end)
{
  fault = NULL;
  return lba_status_check (&page.list, sizeof page, slba, end, &answer,
                           &fault);
}

static void
expect_extent (uint32_t i, uint64_t start, uint64_t end)
{
  uint64_t s, e;

  lba_status_extent (&answer, i, &s, &e);
  assert_int_equal (s, start);
  assert_int_equal (e, end);
}

static void
expect_fault (uint64_t slba, uint64_t end, const char *text)
{
  const struct lba_status_answer before = answer;

  assert_int_equal (check (slba, end), -1);
  assert_non_null (strstr (fault, text));
  assert_memory_equal (&answer, &before, sizeof answer);
}

static void
test_sizes (void **state)
{
  assert_int_equal (LBA_STATUS_BYTES (0), 8);
  assert_int_equal (LBA_STATUS_BYTES (2), 40);
  assert_int_equal (LBA_STATUS_NR (8), 0);
  assert_int_equal (LBA_STATUS_NR (39), 1);
  assert_int_equal (LBA_STATUS_NR (40), 2);
  assert_int_equal (LBA_STATUS_NR (4096), 255);
}

static void
test_complete (void **state)
{
  make (2, LBA_STATUS_COMPLETE, (const uint64_t[][2]) { { 10, 0 },
                                                        { 20, 9 } });
  assert_int_equal (check (10, 100), 0);
  assert_int_equal (answer.nr, 2);
  assert_int_equal (answer.known_end, 100);
  expect_extent (0, 10, 11);
  expect_extent (1, 20, 30);

  /* Nothing is allocated. */
  make (0, LBA_STATUS_COMPLETE, NULL);
  assert_int_equal (check (10, 100), 0);
  assert_int_equal (answer.nr, 0);
  assert_int_equal (answer.known_end, 100);
}

/* Behind the last descriptor nothing is known, unless it says so. */
static void
test_more (void **state)
{
  for (uint8_t cmpc = LBA_STATUS_UNKNOWN; cmpc <= LBA_STATUS_MORE; cmpc++) {
    make (1, cmpc, (const uint64_t[][2]) { { 50, 4 } });
    assert_int_equal (check (10, 100), 0);
    assert_int_equal (answer.nr, 1);
    assert_int_equal (answer.known_end, 55);
    make (0, cmpc, NULL);
    expect_fault (10, 100, "no descriptor");
  }
}

static void
test_beyond_range (void **state)
{
  make (3, LBA_STATUS_MORE, (const uint64_t[][2]) {
      { 90, 0xffffffff }, { UINT64_C (1) << 40, 3 },
      { UINT64_MAX - 8, 7 } });
  assert_int_equal (check (10, 100), 0);
  assert_int_equal (answer.nr, 1);
  assert_int_equal (answer.known_end, 100);
  expect_extent (0, 90, 100);
  make (1, LBA_STATUS_COMPLETE, (const uint64_t[][2]) { { 100, 0 } });
  assert_int_equal (check (10, 100), 0);
  assert_int_equal (answer.nr, 0);
  assert_int_equal (answer.known_end, 100);
}

static void
test_faults (void **state)
{
  make (ROOM, LBA_STATUS_COMPLETE, (const uint64_t[ROOM][2]) {
      { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 }, { 6, 0 }, { 7, 0 },
      { 8, 0 } });
  assert_int_equal (check (0, 100), 0);
  assert_int_equal (answer.nr, ROOM);
  page.list.nlsd = cpu_to_le32 (ROOM + 1);
  expect_fault (0, 100, "NLSD");
  page.list.nlsd = cpu_to_le32 (UINT32_MAX);
  expect_fault (0, 100, "NLSD");

  page.list.nlsd = cpu_to_le32 (ROOM);
  for (unsigned cmpc = LBA_STATUS_COMPLETE + 1; cmpc < 256; cmpc++) {
    page.list.cmpc = (uint8_t) cmpc;
    expect_fault (0, 100, "CMPC");
  }

  make (1, LBA_STATUS_COMPLETE, (const uint64_t[][2]) { { 9, 5 } });
  expect_fault (10, 100, "before SLBA");
  make (2, LBA_STATUS_COMPLETE, (const uint64_t[][2]) { { 20, 5 },
                                                        { 25, 0 } });
  expect_fault (10, 100, "overlap");
  make (2, LBA_STATUS_COMPLETE, (const uint64_t[][2]) { { 20, 5 },
                                                        { 12, 0 } });
  expect_fault (10, 100, "out of order");
  make (1, LBA_STATUS_COMPLETE, (const uint64_t[][2]) { { UINT64_MAX, 0 } });
  expect_fault (10, 100, "overflow");
  make (1, LBA_STATUS_COMPLETE, (const uint64_t[][2]) {
      { UINT64_MAX - 10, 10 } });
  expect_fault (10, 100, "overflow");
}

/* Whatever a page holds: extents inside what is known, in order, and
 * progress. */
static void
test_random (void **state)
{
  unsigned good = 0;

  srand (1);
  for (unsigned round = 0; round < 200000; round++) {
    uint64_t slba = (uint64_t) rand () % 64, end = slba + 1 + rand () % 64;
    uint64_t at = slba, s, e;

    memset (&page, 0, sizeof page);
    page.list.nlsd = cpu_to_le32 ((uint32_t) rand () % (ROOM + 2));
    page.list.cmpc = (uint8_t) (rand () % 4);
    for (uint32_t i = 0; i < ROOM; i++) {
      at += (uint64_t) (rand () % 20) - 1;
      page.list.descs[i].dslba = cpu_to_le64 (at);
      page.list.descs[i].nlb = cpu_to_le32 ((uint32_t) rand () % 4);
    }
    if (check (slba, end) < 0) {
      assert_non_null (fault);
      continue;
    }
    good++;
    assert_true (answer.known_end > slba && answer.known_end <= end);
    at = slba;
    for (uint32_t i = 0; i < answer.nr; i++) {
      lba_status_extent (&answer, i, &s, &e);
      assert_true (s >= at && s < e && e <= answer.known_end);
      at = e;
    }
  }
  assert_true (good > 1000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_sizes),
    cmocka_unit_test (test_complete),
    cmocka_unit_test (test_more),
    cmocka_unit_test (test_beyond_range),
    cmocka_unit_test (test_faults),
    cmocka_unit_test (test_random),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
