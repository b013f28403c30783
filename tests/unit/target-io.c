/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O commands, as a host sends them to a real server over NVMe/TCP: what they
 * do to the data, their bounds, and the queue's flow control.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "tests/unit/attached-fixture.h"

/* --- I/O ------------------------------------------------------------------ */

static uint16_t
rw_status (uint8_t opcode, uint64_t slba, uint32_t nlb, enum host_data kind,
           void *data, uint32_t bytes)
{
  union nvme_command sqe = { .rw = host_rw (opcode, slba, (uint16_t) nlb) };

  return host_status (&io, &sqe, kind, data, bytes);
}

static void
fill (uint8_t *p, size_t n, unsigned seed)
{
  for (size_t i = 0; i < n; i++)
    p[i] = (uint8_t) ((i * 7 + seed) ^ i >> 8);
}

/* Sizes around the in-capsule limit, the buffer classes and MDTS. */
static void
test_read_write (void **state)
{
  static const uint32_t sizes[] = {
    512, 4096, 4608, 15872, 16384, 16896, 65536, 66048, 262144, 262656,
    1048064, 1048576,
  };
  CLEANUP_FREE uint8_t *out = malloc (TARGET_MAX_TRANSFER);
  CLEANUP_FREE uint8_t *in = malloc (TARGET_MAX_TRANSFER);

  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uint32_t bytes = sizes[i];

    fill (out, bytes, i);
    assert_int_equal (rw_status (nvme_cmd_write, i, bytes / 512,
                                 bytes <= 16384 ? HOST_IN_CAPSULE
                                 : HOST_SOLICITED, out, bytes), 0);
    memset (in, 0, bytes);
    assert_int_equal (rw_status (nvme_cmd_read, i, bytes / 512, HOST_READ, in,
                                 bytes), 0);
    assert_memory_equal (in, out, bytes);
    /* Small ones may be solicited, too. */
    fill (out, bytes, i + 99);
    assert_int_equal (rw_status (nvme_cmd_write, i, bytes / 512,
                                 HOST_SOLICITED, out, bytes), 0);
    assert_int_equal (rw_status (nvme_cmd_read, i, bytes / 512, HOST_READ, in,
                                 bytes), 0);
    assert_memory_equal (in, out, bytes);
  }
}

/* Each byte counts, on both sides of the pieces in which it is done. */
static void
test_compare (void **state)
{
  static const uint32_t sizes[] = { 512, 8192, 65536, 66048, 1048576 };
  const uint16_t differs =
    DNR (NVME_SCT_MEDIA << NVME_SCT_SHIFT | NVME_SC_COMPARE_FAILED);
  CLEANUP_FREE uint8_t *data = malloc (TARGET_MAX_TRANSFER);

  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uint32_t bytes = sizes[i], nlb = bytes / 512;
    uint32_t places[] = { 0, bytes / 2, bytes - 1 };
    enum host_data kind = bytes <= 8192 ? HOST_IN_CAPSULE : HOST_SOLICITED;

    fill (data, bytes, i);
    assert_int_equal (rw_status (nvme_cmd_write, 3, nlb, HOST_SOLICITED, data,
                                 bytes), 0);
    assert_int_equal (rw_status (nvme_cmd_compare, 3, nlb, kind, data,
                                 bytes), 0);
    for (unsigned n = 0; n < 3; n++) {
      data[places[n]] ^= 1;
      assert_int_equal (rw_status (nvme_cmd_compare, 3, nlb, kind, data,
                                   bytes), differs);
      data[places[n]] ^= 1;
    }
    assert_int_equal (rw_status (nvme_cmd_compare, 3, nlb, kind, data,
                                 bytes), 0);
  }
}

static void
test_io_bounds (void **state)
{
  const uint64_t nsze = (64 << 20) / 512;
  static uint8_t data[2 << 20];

  assert_int_equal (rw_status (nvme_cmd_read, nsze - 1, 1, HOST_READ, data,
                               512), 0);
  assert_int_equal (rw_status (nvme_cmd_read, nsze - 1, 2, HOST_READ, data,
                               1024), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (rw_status (nvme_cmd_read, nsze, 1, HOST_READ, data, 512),
                    DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (rw_status (nvme_cmd_compare, nsze, 1, HOST_IN_CAPSULE,
                               data, 512), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (rw_status (nvme_cmd_write, UINT64_MAX, 1, HOST_IN_CAPSULE,
                               data, 512), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (rw_status (nvme_cmd_write, UINT64_MAX - 1, 2,
                               HOST_SOLICITED, data, 1024),
                    DNR (NVME_SC_LBA_RANGE));
  /* MDTS. */
  assert_int_equal (rw_status (nvme_cmd_read, 0, 2049, HOST_READ, data,
                               2049 * 512), DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (rw_status (nvme_cmd_write, 0, 65536, HOST_SOLICITED, data,
                               2 << 20), DNR (NVME_SC_INVALID_FIELD));
  /* The SGL and NLB disagree. */
  assert_int_equal (rw_status (nvme_cmd_read, 0, 2, HOST_READ, data, 512),
                    DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (rw_status (nvme_cmd_write, 0, 2, HOST_IN_CAPSULE, data,
                               1536), DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (rw_status (nvme_cmd_write, 0, 2, HOST_NONE, NULL, 0),
                    DNR (NVME_SC_SGL_INVALID_DATA));
}

static void
test_io_fields (void **state)
{
  uint8_t data[512] = { 0 };
  union nvme_command sqe;

  sqe.rw = host_rw (nvme_cmd_read, 0, 1);
  sqe.rw.nsid = cpu_to_le32 (2);
  assert_int_equal (host_status (&io, &sqe, HOST_READ, data, 512),
                    DNR (NVME_SC_INVALID_NS));
  sqe.rw = host_rw (nvme_cmd_read, 0, 1);
  sqe.rw.control = cpu_to_le16 (1 << 13);       /* PRACT */
  assert_int_equal (host_status (&io, &sqe, HOST_READ, data, 512),
                    DNR (NVME_SC_INVALID_FIELD));
  sqe.rw = host_rw (nvme_cmd_write, 0, 1);
  sqe.common.flags = 1;                         /* fused */
  assert_int_equal (host_status (&io, &sqe, HOST_IN_CAPSULE, data, 512),
                    DNR (NVME_SC_INVALID_FIELD));
  sqe.rw = host_rw (nvme_cmd_write, 0, 1);
  sqe.rw.control = cpu_to_le16 (NVME_RW_CONTROL_FUA);
  assert_int_equal (host_status (&io, &sqe, HOST_IN_CAPSULE, data, 512), 0);
}

static void
test_flush (void **state)
{
  static const struct { uint32_t nsid; uint16_t status; } cases[] = {
    { 1, 0 }, { 0xffffffff, 0 },
    { 0, DNR (NVME_SC_INVALID_NS) }, { 2, DNR (NVME_SC_INVALID_NS) },
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    union nvme_command sqe = { .common = {
      .opcode = nvme_cmd_flush, .nsid = cpu_to_le32 (cases[i].nsid) } };

    assert_int_equal (host_status (&io, &sqe, HOST_NONE, NULL, 0),
                      cases[i].status);
  }
}

static bool
is_zero (uint64_t slba, unsigned nlb)
{
  static const uint8_t zeroes[65536];
  static uint8_t data[65536];

  assert_int_equal (rw_status (nvme_cmd_read, slba, nlb, HOST_READ, data,
                               nlb * 512), 0);
  return memcmp (data, zeroes, nlb * 512) == 0;
}

static void
dirty (uint64_t slba, unsigned nlb)
{
  static uint8_t data[65536];

  memset (data, 0xee, sizeof data);
  assert_int_equal (rw_status (nvme_cmd_write, slba, nlb, HOST_SOLICITED,
                               data, nlb * 512), 0);
}

static void
test_write_zeroes (void **state)
{
  union nvme_command sqe;

  dirty (0, 128);
  assert_int_equal (rw_status (nvme_cmd_write_zeroes, 8, 64, HOST_NONE, NULL,
                               0), 0);
  assert_true (is_zero (8, 64));
  assert_false (is_zero (7, 1));
  assert_false (is_zero (72, 1));
  dirty (0, 128);
  sqe.rw = host_rw (nvme_cmd_write_zeroes, 0, 128);
  sqe.rw.control = cpu_to_le16 (NVME_RW_CONTROL_DEAC);
  assert_int_equal (host_status (&io, &sqe, HOST_NONE, NULL, 0), 0);
  assert_true (is_zero (0, 128));
  /* 65536 blocks: more than MDTS, and all that NLB can say. */
  assert_int_equal (rw_status (nvme_cmd_write_zeroes, 0, 65536, HOST_NONE,
                               NULL, 0), 0);
  assert_int_equal (rw_status (nvme_cmd_write_zeroes, (64 << 20) / 512, 1,
                               HOST_NONE, NULL, 0), DNR (NVME_SC_LBA_RANGE));
}

static uint16_t
dsm (unsigned nr, const struct nvme_dsm_range *ranges, uint32_t bytes,
     uint32_t attributes)
{
  struct nvme_dsm_range copy[256];
  union nvme_command sqe = { .common = {
    .opcode = nvme_cmd_dsm, .nsid = cpu_to_le32 (1),
    .cdw10 = cpu_to_le32 (nr - 1), .cdw11 = cpu_to_le32 (attributes),
  } };

  memcpy (copy, ranges, bytes);
  return host_status (&io, &sqe, HOST_IN_CAPSULE, copy, bytes);
}

static void
test_dsm (void **state)
{
  struct nvme_dsm_range ranges[256] = {
    { .slba = cpu_to_le64 (0), .nlb = cpu_to_le32 (8) },
    { .slba = cpu_to_le64 (16), .nlb = cpu_to_le32 (0) },
    { .slba = cpu_to_le64 (32), .nlb = cpu_to_le32 (8) },
  };

  dirty (0, 64);
  assert_int_equal (dsm (3, ranges, 48, 0), 0);  /* only a hint */
  assert_false (is_zero (0, 8));
  assert_int_equal (dsm (3, ranges, 48, 1 << 2), 0);
  assert_true (is_zero (0, 8));
  assert_false (is_zero (8, 1));
  assert_false (is_zero (31, 1));
  assert_true (is_zero (32, 8));
  assert_false (is_zero (40, 1));

  /* A list of full length, as hosts send it; and the whole volume. */
  ranges[0].nlb = cpu_to_le32 ((64 << 20) / 512);
  dirty (40, 8);
  assert_int_equal (dsm (1, ranges, 4096, 1 << 2), 0);
  assert_true (is_zero (0, 64));
  assert_int_equal (dsm (256, ranges, 4096, 1 << 2), 0);
}

static void
test_dsm_refusals (void **state)
{
  struct nvme_dsm_range ranges[256] = {
    { .slba = cpu_to_le64 (0), .nlb = cpu_to_le32 (8) },
    { .slba = cpu_to_le64 ((64 << 20) / 512), .nlb = cpu_to_le32 (1) },
  };

  dirty (0, 8);
  /* Nothing is done when one range is bad. */
  assert_int_equal (dsm (2, ranges, 32, 1 << 2), DNR (NVME_SC_LBA_RANGE));
  assert_false (is_zero (0, 8));
  ranges[1].slba = cpu_to_le64 (UINT64_MAX);
  assert_int_equal (dsm (2, ranges, 32, 1 << 2), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (dsm (2, ranges, 28, 1 << 2),
                    DNR (NVME_SC_SGL_INVALID_DATA));
}

static void
test_read_only (void **state)
{
  const uint16_t protected = DNR (NVME_SC_NS_WRITE_PROTECTED);
  struct nvme_dsm_range range = { .nlb = cpu_to_le32 (8) };
  uint8_t data[512] = { 0 };

  assert_int_equal (rw_status (nvme_cmd_read, 0, 1, HOST_READ, data, 512), 0);
  assert_int_equal (rw_status (nvme_cmd_compare, 0, 1, HOST_IN_CAPSULE, data,
                               512), 0);
  assert_int_equal (rw_status (nvme_cmd_write, 0, 1, HOST_IN_CAPSULE, data,
                               512), protected);
  assert_int_equal (rw_status (nvme_cmd_write, 0, 128, HOST_SOLICITED, data,
                               65536), protected);
  assert_int_equal (rw_status (nvme_cmd_write_zeroes, 0, 1, HOST_NONE, NULL,
                               0), protected);
  assert_int_equal (dsm (1, &range, 16, 1 << 2), protected);
}

static void
test_io_4096 (void **state)
{
  static uint8_t out[8192], in[8192];

  fill (out, sizeof out, 5);
  assert_int_equal (rw_status (nvme_cmd_write, 16383 - 1, 2, HOST_IN_CAPSULE,
                               out, sizeof out), 0);
  assert_int_equal (rw_status (nvme_cmd_read, 16383 - 1, 2, HOST_READ, in,
                               sizeof in), 0);
  assert_memory_equal (in, out, sizeof in);
  assert_int_equal (rw_status (nvme_cmd_read, 16383, 2, HOST_READ, in,
                               sizeof in), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (rw_status (nvme_cmd_read, 0, 257, HOST_READ, in,
                               257 * 4096), DNR (NVME_SC_INVALID_FIELD));
}

/* --- SQ flow control ------------------------------------------------------ */

static void
test_sqhd (void **state)
{
  union nvme_command sqe = { .common.opcode = nvme_admin_keep_alive };
  struct nvme_cqe cqe;
  uint16_t last;

  cqe = host_command (&admin, &sqe, HOST_NONE, NULL, 0);
  last = le16_to_cpu (cqe.sqhd);
  for (unsigned i = 0; i < 70; i++) {
    cqe = host_command (&admin, &sqe, HOST_NONE, NULL, 0);
    assert_int_equal (le16_to_cpu (cqe.sqhd), (last + 1) % 32);
    last = le16_to_cpu (cqe.sqhd);
  }
}

static void
test_sqflow_disabled (void **state)
{
  uint8_t data[4096];
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_read, 0, 8) };
  union nvme_tcp_pdu pdu;
  struct host queue;

  host_open (&queue, &server, 0);
  queue.cntlid = admin.cntlid;
  queue.sqflow_disabled = true;
  host_connect (&queue, &server, 2);
  /* The response travels as a flag of the data ... */
  host_begin (&queue, &sqe, HOST_READ, NULL, sizeof data);
  host_read_pdu (&queue, &pdu, data, sizeof data);
  assert_int_equal (pdu.hdr.type, NVME_TCP_C2H_DATA);
  assert_int_equal (pdu.hdr.flags, NVME_TCP_F_DATA_LAST
                    | NVME_TCP_F_DATA_SUCCESS);
  /* ... and otherwise has no SQHD. */
  sqe.common = (struct nvme_sqe) { .opcode = nvme_cmd_flush,
                                   .nsid = cpu_to_le32 (1) };
  host_begin (&queue, &sqe, HOST_NONE, NULL, 0);
  host_read_pdu (&queue, &pdu, NULL, 0);
  assert_int_equal (le16_to_cpu (pdu.rsp.cqe.sqhd), 0xffff);
  host_close (&queue);
}
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
#define TEST_ON(name, how) \
  cmocka_unit_test_setup_teardown (name, setup_##how, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_read_write),
    TEST_ON (test_read_write, digests),
    TEST (test_compare),
    TEST (test_io_bounds),
    TEST (test_io_fields),
    TEST (test_flush),
    TEST (test_write_zeroes),
    TEST (test_dsm),
    TEST (test_dsm_refusals),
    TEST_ON (test_read_only, read_only),
    TEST_ON (test_io_4096, 4096),
    TEST (test_sqhd),
    TEST (test_sqflow_disabled),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
