/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get LBA Status as a host sends it to a real server: what it answers, its
 * refusals, and that a controller is not gone while the engine still works
 * for it.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "nvmeof/lba-status.h"
#include "tests/unit/attached-fixture.h"

/* NLB has 32 bits. */
static int
setup_huge (void **state)
{
  return setup_with (&(struct server_options) {
      .size_bytes = UINT64_C (5) << 41 }, 0);
}

static union {
  struct nvme_lba_status list;
  uint8_t bytes[65536];
} page;

static union nvme_command
lba_status (uint64_t slba, uint32_t bytes, uint16_t rl)
{
  return (union nvme_command) { .common = {
      .opcode = nvme_admin_get_lba_status,
      .nsid = cpu_to_le32 (1),
      .cdw10 = cpu_to_le32 ((uint32_t) slba),
      .cdw11 = cpu_to_le32 ((uint32_t) (slba >> 32)),
      .cdw12 = cpu_to_le32 (bytes / 4 - 1),
      .cdw13 = cpu_to_le32 (0x02u << 24 | rl),
    } };
}

static uint16_t
ask (uint64_t slba, uint32_t bytes, uint16_t rl)
{
  union nvme_command sqe = lba_status (slba, bytes, rl);

  memset (&page, 0xee, sizeof page);
  return host_status (&admin, &sqe, HOST_READ, &page, bytes);
}

static void
expect_header (uint32_t nlsd, uint8_t cmpc)
{
  assert_int_equal (le32_to_cpu (page.list.nlsd), nlsd);
  assert_int_equal (page.list.cmpc, cmpc);
}

static void
expect_descriptor (uint32_t i, uint64_t dslba, uint32_t nlb_0based)
{
  const struct nvme_lba_status_desc *desc = &page.list.descs[i];

  assert_int_equal (le64_to_cpu (desc->dslba), dslba);
  assert_int_equal (le32_to_cpu (desc->nlb), nlb_0based);
  assert_int_equal (desc->status, 0);
}

static void
write_blocks (uint64_t slba, uint16_t nlb, uint32_t block_size)
{
  static uint8_t data[65536];
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_write, slba, nlb) };

  memset (data, 0x55, sizeof data);
  assert_int_equal (host_status (&io, &sqe, HOST_SOLICITED, data,
                                 nlb * block_size), 0);
}

static void
test_offered (void **state)
{
  static struct nvme_id_ctrl ctrl;
  static struct nvme_id_independent_id_ns independent;
  union nvme_command sqe = { .common = {
      .opcode = nvme_admin_identify, .cdw10 = cpu_to_le32 (1) } };

  assert_int_equal (host_status (&admin, &sqe, HOST_READ, &ctrl,
                                 sizeof ctrl), 0);
  assert_true (le16_to_cpu (ctrl.oacs) & 1 << 9);
  sqe.common.nsid = sqe.common.cdw10;
  sqe.common.cdw10 = cpu_to_le32 (8);
  assert_int_equal (host_status (&admin, &sqe, HOST_READ, &independent,
                                 sizeof independent), 0);
  /* Bit 4 would be rotational media: Linux goes by it. */
  assert_int_equal (independent.nsfeat, 0);
}

/* The memfd's own blocks are pages: 8 blocks of 512 bytes. */
static void
test_answers (void **state)
{
  const uint32_t blocks = (64 << 20) / 512;

  assert_int_equal (ask (0, 4096, 0), 0);
  expect_header (0, LBA_STATUS_COMPLETE);

  write_blocks (16, 8, 512);
  write_blocks (64, 16, 512);
  write_blocks (blocks - 8, 8, 512);
  assert_int_equal (ask (0, 4096, 0), 0);
  expect_header (3, LBA_STATUS_COMPLETE);
  expect_descriptor (0, 16, 7);
  expect_descriptor (1, 64, 15);
  expect_descriptor (2, blocks - 8, 7);
  for (size_t i = LBA_STATUS_BYTES (3); i < 4096; i++)
    assert_int_equal (page.bytes[i], 0);

  /* A range cuts both ends, and says so. */
  assert_int_equal (ask (20, 4096, 50), 0);
  expect_header (2, LBA_STATUS_COMPLETE);
  expect_descriptor (0, 20, 3);
  expect_descriptor (1, 64, 5);

  /* Room for so many only. */
  assert_int_equal (ask (0, LBA_STATUS_BYTES (2), 0), 0);
  expect_header (2, LBA_STATUS_MORE);
  assert_int_equal (ask (80, LBA_STATUS_BYTES (2), 0), 0);
  expect_header (1, LBA_STATUS_COMPLETE);
  assert_int_equal (ask (80, LBA_STATUS_BYTES (1), 0), 0);
  expect_header (1, LBA_STATUS_COMPLETE);
  assert_int_equal (ask (80, LBA_STATUS_BYTES (0), 0), 0);
  expect_header (0, LBA_STATUS_MORE);
}

/* More than one look of the engine, and more than a command finds. */
static void
test_fragments (void **state)
{
  for (uint64_t i = 0; i < 1100; i++)
    write_blocks (i * 2, 1, 4096);
  assert_int_equal (ask (0, 4096, 400), 0);
  expect_header (200, LBA_STATUS_COMPLETE);
  for (uint32_t i = 0; i < 200; i++)
    expect_descriptor (i, i * 2, 0);
  assert_int_equal (ask (0, 65536, 0), 0);
  expect_header (1024, LBA_STATUS_MORE);
  expect_descriptor (1023, 2046, 0);
  assert_int_equal (ask (2047, 65536, 0), 0);
  expect_header (76, LBA_STATUS_COMPLETE);
  expect_descriptor (75, 2198, 0);
}

static void
test_deallocated (void **state)
{
  const struct nvme_dsm_range range = {
    .slba = cpu_to_le64 (8), .nlb = cpu_to_le32 (8) };
  union nvme_command dsm = { .common = {
      .opcode = nvme_cmd_dsm, .nsid = cpu_to_le32 (1),
      .cdw11 = cpu_to_le32 (1 << 2) } };
  union nvme_command zeroes = {
    .rw = host_rw (nvme_cmd_write_zeroes, 24, 8) };

  write_blocks (0, 32, 512);
  assert_int_equal (host_status (&io, &dsm, HOST_SOLICITED, (void *) &range,
                                 sizeof range), 0);
  zeroes.rw.control = cpu_to_le16 (NVME_RW_CONTROL_DEAC);
  assert_int_equal (host_status (&io, &zeroes, HOST_NONE, NULL, 0), 0);
  assert_int_equal (ask (0, 4096, 32), 0);
  expect_header (2, LBA_STATUS_COMPLETE);
  expect_descriptor (0, 0, 7);
  expect_descriptor (1, 16, 7);
}

static int
all_allocated (struct engine_volume *volume, uint64_t offset_bytes,
               uint64_t length_bytes, struct engine_extent *extents,
               unsigned nr_max)
{
  extents[0] = (struct engine_extent) { offset_bytes, length_bytes };
  return 1;
}

static struct engine_ops changed_ops;

static void
test_huge_extent (void **state)
{
  changed_ops = *server.volume->ops;
  changed_ops.allocated = all_allocated;
  server.volume->ops = &changed_ops;
  assert_int_equal (ask (5, 4096, 0), 0);
  expect_header (5, LBA_STATUS_COMPLETE);
  for (uint32_t i = 0; i < 4; i++)
    expect_descriptor (i, 5 + ((uint64_t) i << 32), UINT32_MAX);
  expect_descriptor (4, 5 + (UINT64_C (4) << 32), UINT32_MAX - 5);
  assert_int_equal (ask (0, LBA_STATUS_BYTES (1), 0), 0);
  expect_header (1, LBA_STATUS_MORE);
}

static int
failing_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                   uint64_t length_bytes, struct engine_extent *extents,
                   unsigned nr_max)
{
  return -EIO;
}

static void
test_engine_error (void **state)
{
  changed_ops = *server.volume->ops;
  changed_ops.allocated = failing_allocated;
  server.volume->ops = &changed_ops;
  assert_int_equal (ask (0, 4096, 0) & 0x7ff, NVME_SC_INTERNAL);
}

static uint16_t
refused (union nvme_command sqe, uint32_t bytes)
{
  return host_status (&admin, &sqe, HOST_READ, &page, bytes);
}

static void
test_refusals (void **state)
{
  const uint64_t blocks = (64 << 20) / 512;
  union nvme_command sqe;

  assert_int_equal (ask (blocks - 1, 4096, 1), 0);
  assert_int_equal (ask (blocks, 4096, 0), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (ask (blocks - 1, 4096, 2), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (ask (UINT64_MAX, 4096, 2), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (ask (0, 4, 1), DNR (NVME_SC_INVALID_FIELD));

  sqe = lba_status (0, 4096, 1);
  sqe.common.nsid = cpu_to_le32 (2);
  assert_int_equal (refused (sqe, 4096), DNR (NVME_SC_INVALID_NS));
  sqe.common.nsid = cpu_to_le32 (NVME_NSID_ALL);
  assert_int_equal (refused (sqe, 4096), DNR (NVME_SC_INVALID_NS));
  for (unsigned atype = 0; atype < 256; atype++) {
    sqe = lba_status (0, 4096, 1);
    sqe.common.cdw13 = cpu_to_le32 (atype << 24 | 1);
    if (atype != 2)
      assert_int_equal (refused (sqe, 4096), DNR (NVME_SC_INVALID_FIELD));
  }
  /* The SGL says less than MNDW, and MNDW more than a transfer. */
  assert_int_equal (refused (lba_status (0, 4096, 1), 4092),
                    DNR (NVME_SC_SGL_INVALID_DATA));
  sqe = lba_status (0, 4096, 1);
  sqe.common.cdw12 = cpu_to_le32 (UINT32_MAX);
  assert_int_equal (refused (sqe, 4096), DNR (NVME_SC_INVALID_FIELD));
}

/* --- fencing ------------------------------------------------------------ */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moves = PTHREAD_COND_INITIALIZER;
static bool inside, gate_open;

/* As slow as the test wants it. */
static int
slow_allocated (struct engine_volume *volume, uint64_t offset_bytes,
                uint64_t length_bytes, struct engine_extent *extents,
                unsigned nr_max)
{
  pthread_mutex_lock (&gate_lock);
  inside = true;
  pthread_cond_broadcast (&gate_moves);
  while (!gate_open)
    pthread_cond_wait (&gate_moves, &gate_lock);
  pthread_mutex_unlock (&gate_lock);
  return engine_ram.allocated (volume, offset_bytes, length_bytes, extents,
                               nr_max);
}

static void
each_nothing (void *opaque, const struct subsystem_host *host)
{
}

static unsigned
nr_attached (void)
{
  return subsystem_each_host (server.subsystem, each_nothing, NULL);
}

static void
test_drained (void **state)
{
  union nvme_command sqe = lba_status (0, 4096, 0);
  struct error err;

  changed_ops = *server.volume->ops;
  changed_ops.allocated = slow_allocated;
  server.volume->ops = &changed_ops;
  host_begin (&admin, &sqe, HOST_READ, NULL, 4096);
  pthread_mutex_lock (&gate_lock);
  while (!inside)
    pthread_cond_wait (&gate_moves, &gate_lock);
  pthread_mutex_unlock (&gate_lock);

  /* The I/O queue goes on meanwhile: no reactor waits for the engine. */
  write_blocks (0, 8, 512);
  host_close (&admin);
  host_expect_end (&io);
  host_close (&io);
  for (unsigned i = 0; i < 100; i++) {
    assert_int_equal (nr_attached (), 1);
    fixture_nap ();
  }
  assert_int_equal (subsystem_remove (server.subsystem, "test", &err), -EBUSY);

  pthread_mutex_lock (&gate_lock);
  gate_open = true;
  pthread_cond_broadcast (&gate_moves);
  pthread_mutex_unlock (&gate_lock);
  WAIT_UNTIL (nr_attached () == 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_offered, setup, teardown),
    cmocka_unit_test_setup_teardown (test_answers, setup, teardown),
    cmocka_unit_test_setup_teardown (test_fragments, setup_4096, teardown),
    cmocka_unit_test_setup_teardown (test_deallocated, setup, teardown),
    cmocka_unit_test_setup_teardown (test_huge_extent, setup_huge, teardown),
    cmocka_unit_test_setup_teardown (test_engine_error, setup, teardown),
    cmocka_unit_test_setup_teardown (test_refusals, setup, teardown),
    cmocka_unit_test_setup_teardown (test_drained, setup, teardown_bare),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
