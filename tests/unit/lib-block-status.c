/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions for block status: what is asked in each round, and what becomes
 * of answers, honest and not.  No association is attached: the answers are
 * put where the transport would put them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/internal.h"
#include "nvmeof/command-check.h"

enum { BLOCK = 512, BLOCKS = 100000 };

static struct association association;
static struct paths paths;
static struct namespace ns;
static struct qbd_volume volume;
static struct block_status status;
static char seen[4096];
static int stop_at;             /* the call that fails, 1-based */

static int
setup (void **state)
{
  memset (&association, 0, sizeof association);
  association.controller.can_lba_status = true;
  ns = (struct namespace) {
    .nsid = 7,
    .info = { .block_bytes = BLOCK, .deallocated_zero = true },
    .size_bytes = (uint64_t) BLOCKS * BLOCK,
  };
  memset (&volume, 0, sizeof volume);
  memset (&paths, 0, sizeof paths);
  paths_add (&paths, &association);
  volume.paths = &paths;
  volume.ns = &ns;
  seen[0] = '\0';
  stop_at = 0;
  return 0;
}

/* In blocks: "d 0+3" data, "h" hole, "z" hole of zeroes. */
static int
extent (void *opaque, uint64_t offset, uint64_t count, unsigned is)
{
  size_t n = strlen (seen);

  assert_ptr_equal (opaque, seen);
  assert_int_equal (offset % BLOCK, 0);
  assert_int_equal (count % BLOCK, 0);
  snprintf (seen + n, sizeof seen - n, "%s %u+%u, ",
            is == 0 ? "d" : is == QBD_HOLE ? "h" : "z",
            (unsigned) (offset / BLOCK), (unsigned) (count / BLOCK));
  if (stop_at > 0 && --stop_at == 0) {
    errno = ENOMEM;
    return -1;
  }
  return 0;
}

static int
init (uint64_t block, uint64_t blocks, unsigned flags)
{
  return block_status_init (&status, &volume, blocks * BLOCK, block * BLOCK,
                            flags, extent, seen);
}

/* The command that is sent says so, and a target of ours takes it. */
static void
expect_ask (uint64_t slba, uint32_t bytes, uint16_t rl)
{
  const struct command_namespace checked = {
    .nsid = 7, .nsze = BLOCKS, .lba_shift = 9 };
  union nvme_command sqe = block_status_ask (&status);
  struct byte_range range;
  uint32_t room;

  assert_int_equal (sqe.common.opcode, 0x86);
  assert_int_equal (le32_to_cpu (sqe.common.cdw13), 0x02000000 | rl);
  assert_int_equal (command_check_lba_status (&sqe.common, &checked, 4096,
                                              &room, &range), 0);
  assert_int_equal (room, bytes);
  assert_int_equal (range.offset_bytes, slba * BLOCK);
}

static void
answer (uint32_t nr, uint8_t cmpc, const uint32_t (*pairs)[2])
{
  memset (&status.answer, 0, sizeof status.answer);
  status.answer.list.nlsd = cpu_to_le32 (nr);
  status.answer.list.cmpc = cmpc;
  for (uint32_t i = 0; i < nr; i++) {
    status.answer.list.descs[i].dslba = cpu_to_le64 (pairs[i][0]);
    status.answer.list.descs[i].nlb = cpu_to_le32 (pairs[i][1]);
  }
}

static void
test_init (void **state)
{
  assert_int_equal (init (0, BLOCKS, 0), 0);
  assert_int_equal (init (0, 0, 0), EINVAL);
  assert_int_equal (init (1, BLOCKS, 0), EINVAL);
  assert_int_equal (init (BLOCKS + 1, 1, 0), EINVAL);
  assert_int_equal (init (UINT64_MAX / BLOCK, 1, 0), EINVAL);
  assert_int_equal (init (0, 1, 2), EINVAL);
  assert_int_equal (block_status_init (&status, &volume, 512, 1, 0, extent,
                                       seen), EINVAL);
  assert_int_equal (block_status_init (&status, &volume, 513, 0, 0, extent,
                                       seen), EINVAL);
  paths.controller.can_lba_status = false;
  assert_int_equal (init (0, BLOCKS, 0), EOPNOTSUPP);
}

static void
test_rounds (void **state)
{
  assert_int_equal (init (10, 1000, 0), 0);
  expect_ask (10, 4096, 1000);
  answer (2, LBA_STATUS_MORE, (const uint32_t[][2]) { { 12, 0 },
                                                      { 20, 9 } });
  assert_int_equal (block_status_answered (&status, 0), 1);
  expect_ask (30, 4096, 980);
  answer (1, LBA_STATUS_COMPLETE, (const uint32_t[][2]) { { 30, 9 } });
  assert_int_equal (block_status_answered (&status, 0), 0);
  assert_string_equal (seen, "z 10+2, d 12+1, z 13+7, d 20+10, d 30+10, "
                             "z 40+970, ");
}

/* RL has 16 bits. */
static void
test_long_range (void **state)
{
  assert_int_equal (init (0, 65535, 0), 0);
  expect_ask (0, 4096, 65535);
  assert_int_equal (init (0, 65536, 0), 0);
  expect_ask (0, 4096, 0);
  answer (1, LBA_STATUS_COMPLETE, (const uint32_t[][2]) { { 65530, 99 } });
  assert_int_equal (block_status_answered (&status, 0), 0);
  assert_string_equal (seen, "z 0+65530, d 65530+6, ");
}

static void
test_one_extent (void **state)
{
  assert_int_equal (init (5, 20, QBD_ONE_EXTENT), 0);
  expect_ask (5, 24, 20);
}

/* Without the promise a hole is only a hole. */
static void
test_not_zeroes (void **state)
{
  ns.info.deallocated_zero = false;
  assert_int_equal (init (0, 10, 0), 0);
  answer (1, LBA_STATUS_COMPLETE, (const uint32_t[][2]) { { 2, 3 } });
  assert_int_equal (block_status_answered (&status, 0), 0);
  assert_string_equal (seen, "h 0+2, d 2+4, h 6+4, ");
}

static void
test_bad_answers (void **state)
{
  assert_int_equal (init (5, 10, 0), 0);
  answer (0, LBA_STATUS_MORE, NULL);
  assert_int_equal (block_status_answered (&status, 0), -EPROTO);
  assert_non_null (status.fault);
  assert_int_equal (init (5, 10, 0), 0);
  answer (2, LBA_STATUS_COMPLETE, (const uint32_t[][2]) { { 8, 0 },
                                                          { 6, 0 } });
  assert_int_equal (block_status_answered (&status, 0), -EPROTO);
  assert_int_equal (init (5, 10, QBD_ONE_EXTENT), 0);
  answer (2, LBA_STATUS_COMPLETE, (const uint32_t[][2]) { { 6, 0 },
                                                          { 8, 0 } });
  assert_int_equal (block_status_answered (&status, 0), -EPROTO);
  /* Nothing of it was told. */
  assert_string_equal (seen, "");
}

static void
test_status (void **state)
{
  assert_int_equal (init (5, 10, 0), 0);
  assert_int_equal (block_status_answered (&status, STATUS_DNR
                                           (NVME_SC_INVALID_FIELD)),
                    -EOPNOTSUPP);
  assert_int_equal (block_status_answered (&status, NVME_SC_INVALID_OPCODE),
                    -EOPNOTSUPP);
  assert_null (status.fault);
  assert_int_equal (block_status_answered (&status, NVME_SC_INTERNAL), -EIO);
  assert_non_null (status.fault);
}

static void
test_callback_ends_it (void **state)
{
  assert_int_equal (init (0, 10, 0), 0);
  answer (1, LBA_STATUS_COMPLETE, (const uint32_t[][2]) { { 2, 3 } });
  stop_at = 2;
  assert_int_equal (block_status_answered (&status, 0), -ENOMEM);
  assert_string_equal (seen, "z 0+2, d 2+4, ");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (test_init, setup),
    cmocka_unit_test_setup (test_rounds, setup),
    cmocka_unit_test_setup (test_long_range, setup),
    cmocka_unit_test_setup (test_one_extent, setup),
    cmocka_unit_test_setup (test_not_zeroes, setup),
    cmocka_unit_test_setup (test_bad_answers, setup),
    cmocka_unit_test_setup (test_status, setup),
    cmocka_unit_test_setup (test_callback_ends_it, setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
