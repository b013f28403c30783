/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every field and bound of nvmeof/command-check.h, without a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nvmeof/command-check.h"

#define DNR(sc) STATUS_DNR (sc)
#define SPECIFIC(sc) STATUS_DNR (STATUS_SPECIFIC (sc))
#define INVALID_FIELD DNR (NVME_SC_INVALID_FIELD)

static void
test_flags (void **state)
{
  for (unsigned flags = 0; flags < 256; flags++) {
    const struct nvme_sqe sqe = { .flags = (uint8_t) flags };
    bool good = flags >> 6 == 1 && (flags & 3) == 0;

    assert_int_equal (command_check_flags (&sqe), good ? 0 : INVALID_FIELD);
  }
}

static void
test_connect (void **state)
{
  struct nvmf_connect_sqe sqe = { .sqsize_0based = cpu_to_le16 (31) };
  uint32_t dw0 = 0;

  assert_int_equal (command_check_connect (&sqe, 127, &dw0), 0);
  sqe.sqsize_0based = cpu_to_le16 (1);
  assert_int_equal (command_check_connect (&sqe, 127, &dw0), 0);
  sqe.sqsize_0based = cpu_to_le16 (128);
  assert_int_equal (command_check_connect (&sqe, 127, &dw0), 0);
  assert_int_equal (dw0, 0);

  sqe.sqsize_0based = cpu_to_le16 (129);
  assert_int_equal (command_check_connect (&sqe, 127, &dw0),
                    SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
  assert_int_equal (dw0, 44);
  sqe.sqsize_0based = cpu_to_le16 (0);
  dw0 = 0;
  assert_int_equal (command_check_connect (&sqe, 127, &dw0),
                    SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
  assert_int_equal (dw0, 44);
  /* No overflow at the largest queue. */
  sqe.sqsize_0based = cpu_to_le16 (0xffff);
  assert_int_equal (command_check_connect (&sqe, 0xffff, &dw0), 0);

  sqe.recfmt = cpu_to_le16 (1);
  assert_int_equal (command_check_connect (&sqe, 127, &dw0),
                    SPECIFIC (NVME_SC_CONNECT_FORMAT));
}

static void
expect_data (const struct nvmf_connect_data *data, bool admin,
             uint32_t where)
{
  uint32_t dw0 = 0;
  uint16_t status = command_check_connect_data (data, admin, &dw0);

  assert_int_equal (status, where == 0 ? 0
                    : SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
  assert_int_equal (dw0, where);
}

static void
test_connect_data (void **state)
{
  const uint32_t data_bit = 1 << 16;
  struct nvmf_connect_data data = { .cntlid = cpu_to_le16 (0xffff) };

  strcpy (data.subsysnqn, "nqn.2026-11.org.qbd:x");
  strcpy (data.hostnqn, "nqn.2014-08.org.example:host");
  expect_data (&data, true, 0);
  expect_data (&data, false, 16 | data_bit);
  data.cntlid = cpu_to_le16 (0xffef);
  expect_data (&data, false, 0);
  expect_data (&data, true, 16 | data_bit);
  data.cntlid = cpu_to_le16 (0xfff0);
  expect_data (&data, false, 16 | data_bit);
  data.cntlid = cpu_to_le16 (0);
  expect_data (&data, false, 0);

  memset (data.subsysnqn, 'a', sizeof data.subsysnqn);
  expect_data (&data, false, 256 | data_bit);
  strcpy (data.subsysnqn, "nqn.2026-11.org.qbd:x");
  data.hostnqn[3] = '\n';
  expect_data (&data, false, 512 | data_bit);
}

static void
test_properties (void **state)
{
  for (uint32_t offset = 0; offset < 0x80; offset++)
    for (unsigned attrib = 0; attrib < 8; attrib++) {
      const struct nvmf_property_sqe sqe = {
        .offset = cpu_to_le32 (offset), .attrib = (uint8_t) attrib,
      };
      bool get = (offset == 0 && attrib == 1)
        || ((offset == 8 || offset == 0x14 || offset == 0x1c)
            && attrib == 0);
      bool set = offset == 0x14 && attrib == 0;

      assert_int_equal (command_check_property_get (&sqe),
                        get ? 0 : INVALID_FIELD);
      assert_int_equal (command_check_property_set (&sqe),
                        set ? 0 : INVALID_FIELD);
    }
}

static void
test_cc (void **state)
{
  const uint32_t good = 0x00460001;

  assert_true (command_cc_valid (good));
  assert_true (command_cc_valid (good | 1 << 14));      /* SHN */
  /* CSS, MPS, AMS, IOSQES, IOCQES: every bit of them matters. */
  for (unsigned bit = 4; bit < 24; bit++)
    if (bit != 14 && bit != 15)
      assert_false (command_cc_valid (good ^ 1u << bit));
}

static void
test_get_log (void **state)
{
  struct log_request request = { 0 };
  struct nvme_sqe sqe = { .cdw10 = cpu_to_le32 (0x70) };

  assert_int_equal (command_check_get_log (&sqe, 4096, &request), 0);
  assert_int_equal (request.lid, 0x70);
  assert_int_equal (request.bytes, 4);
  sqe.cdw10 = cpu_to_le32 (0x70 | 1023u << 16);
  sqe.cdw12 = cpu_to_le32 (0xfffffffc);
  sqe.cdw13 = cpu_to_le32 (0xffffffff);
  assert_int_equal (command_check_get_log (&sqe, 4096, &request), 0);
  assert_int_equal (request.bytes, 4096);
  assert_true (request.offset_bytes == UINT64_MAX - 3);
  sqe.cdw12 = cpu_to_le32 (1);
  assert_int_equal (command_check_get_log (&sqe, 4096, &request),
                    INVALID_FIELD);
  sqe.cdw12 = cpu_to_le32 (0);
  sqe.cdw10 = cpu_to_le32 (0x70 | 1024u << 16);
  assert_int_equal (command_check_get_log (&sqe, 4096, &request),
                    INVALID_FIELD);
  /* NUMD has 32 bits; all of them set are 16 GiB. */
  sqe.cdw10 = cpu_to_le32 (0xffff0070);
  sqe.cdw11 = cpu_to_le32 (0x0000ffff);
  assert_int_equal (command_check_get_log (&sqe, UINT32_MAX, &request),
                    INVALID_FIELD);
  sqe.cdw10 = cpu_to_le32 (0x70);
  sqe.cdw11 = cpu_to_le32 (0);
  sqe.cdw14 = cpu_to_le32 (1u << 23);
  assert_int_equal (command_check_get_log (&sqe, 4096, &request),
                    INVALID_FIELD);
}

static void
test_features (void **state)
{
  struct nvme_sqe sqe = { .cdw10 = cpu_to_le32 (0x0f) };
  unsigned nr = 0;
  uint8_t fid = 0;

  assert_int_equal (command_check_set_features (&sqe, &fid), 0);
  assert_int_equal (fid, 0x0f);
  fid = 0;
  assert_int_equal (command_check_get_features (&sqe, &fid), 0);
  assert_int_equal (fid, 0x0f);
  for (unsigned sel = 1; sel < 8; sel++) {
    sqe.cdw10 = cpu_to_le32 (0x0f | sel << 8);
    assert_int_equal (command_check_get_features (&sqe, &fid),
                      INVALID_FIELD);
  }
  sqe.cdw10 = cpu_to_le32 (0x8000000f);
  assert_int_equal (command_check_set_features (&sqe, &fid),
                    SPECIFIC (NVME_SC_FEATURE_NOT_SAVEABLE));

  assert_int_equal (command_check_nr_queues (0, &nr), 0);
  assert_int_equal (nr, 1);
  assert_int_equal (command_check_nr_queues (0x0003fffe, &nr), 0);
  assert_int_equal (nr, 4);
  assert_int_equal (command_check_nr_queues (0xfffe0001, &nr), 0);
  assert_int_equal (nr, 2);
  assert_int_equal (command_check_nr_queues (0xffff0000, &nr),
                    INVALID_FIELD);
  assert_int_equal (command_check_nr_queues (0x0000ffff, &nr),
                    INVALID_FIELD);
}

/* --- NVM command set ------------------------------------------------------ */

static const struct command_namespace ns = {
  .nsid = 1, .nsze = 1000, .lba_shift = 9,
};

static uint16_t
check_read (uint64_t slba, unsigned nlb, struct byte_range *range)
{
  const struct nvme_rw_sqe sqe = {
    .nsid = cpu_to_le32 (1), .slba = cpu_to_le64 (slba),
    .nlb_0based = cpu_to_le16 ((uint16_t) (nlb - 1)),
  };

  return command_check_read (&sqe, &ns, 65536, range);
}

static void
test_range (void **state)
{
  struct byte_range range = { 0, 0 };

  assert_int_equal (check_read (0, 1, &range), 0);
  assert_int_equal (range.offset_bytes, 0);
  assert_int_equal (range.length_bytes, 512);
  assert_int_equal (check_read (872, 128, &range), 0);
  assert_int_equal (range.offset_bytes, 872 * 512);
  assert_int_equal (range.length_bytes, 65536);

  assert_int_equal (check_read (873, 128, &range), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (check_read (1000, 1, &range), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (check_read (1001, 1, &range), DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (check_read (UINT64_MAX, 1, &range),
                    DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (check_read (UINT64_MAX - 127, 128, &range),
                    DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (check_read (UINT64_MAX >> 9, 128, &range),
                    DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (check_read (0, 129, &range), INVALID_FIELD);
  assert_int_equal (check_read (0, 65536, &range), INVALID_FIELD);
  /* A refusal leaves the result alone. */
  assert_int_equal (range.length_bytes, 65536);
}

/* The largest volume that there can be: no product overflows. */
static void
test_range_of_giants (void **state)
{
  const struct command_namespace giant = {
    .nsid = 1, .nsze = UINT64_MAX >> 12, .lba_shift = 12,
  };
  const struct nvme_rw_sqe sqe = {
    .nsid = cpu_to_le32 (1), .slba = cpu_to_le64 (giant.nsze - 65536),
    .nlb_0based = cpu_to_le16 (0xffff),
  };
  struct byte_range range;

  assert_int_equal (command_check_write_zeroes (&sqe, &giant, &range), 0);
  assert_true (range.offset_bytes + range.length_bytes
               == giant.nsze << 12);
}

static void
test_rw_fields (void **state)
{
  struct nvme_rw_sqe sqe = { .nsid = cpu_to_le32 (1) };
  struct command_namespace read_only = ns;
  struct byte_range range;

  sqe.nsid = cpu_to_le32 (0);
  assert_int_equal (command_check_read (&sqe, &ns, 4096, &range),
                    DNR (NVME_SC_INVALID_NS));
  sqe.nsid = cpu_to_le32 (NVME_NSID_ALL);
  assert_int_equal (command_check_write (&sqe, &ns, 4096, &range),
                    DNR (NVME_SC_INVALID_NS));
  sqe.nsid = cpu_to_le32 (1);
  /* PRINFO is bits 13:10; FUA, LR, DEAC and the others are none of it. */
  for (unsigned bit = 0; bit < 16; bit++) {
    sqe.control = cpu_to_le16 ((uint16_t) (1u << bit));
    assert_int_equal (command_check_write (&sqe, &ns, 4096, &range),
                      bit >= 10 && bit <= 13 ? INVALID_FIELD : 0);
  }
  sqe.control = cpu_to_le16 (0);

  read_only.read_only = true;
  assert_int_equal (command_check_read (&sqe, &read_only, 4096, &range), 0);
  assert_int_equal (command_check_write (&sqe, &read_only, 4096, &range),
                    DNR (NVME_SC_NS_WRITE_PROTECTED));
  assert_int_equal (command_check_write_zeroes (&sqe, &read_only, &range),
                    DNR (NVME_SC_NS_WRITE_PROTECTED));
}

static void
test_flush (void **state)
{
  struct nvme_sqe sqe = { .nsid = cpu_to_le32 (1) };

  assert_int_equal (command_check_flush (&sqe, &ns), 0);
  sqe.nsid = cpu_to_le32 (NVME_NSID_ALL);
  assert_int_equal (command_check_flush (&sqe, &ns), 0);
  sqe.nsid = cpu_to_le32 (2);
  assert_int_equal (command_check_flush (&sqe, &ns),
                    DNR (NVME_SC_INVALID_NS));
}

static uint16_t
check_lba_status (const struct nvme_sqe *sqe,
                  const struct command_namespace *where)
{
  uint32_t bytes = 1;
  struct byte_range range = { 1, 1 };
  uint16_t status = command_check_lba_status (sqe, where, 8192, &bytes,
                                              &range);

  if (status != 0) {
    assert_int_equal (bytes, 1);
    assert_int_equal (range.offset_bytes, 1);
    assert_int_equal (range.length_bytes, 1);
  }
  return status;
}

static void
test_lba_status (void **state)
{
  const struct nvme_sqe good = {
    .nsid = cpu_to_le32 (1), .cdw12 = cpu_to_le32 (1023),
    .cdw13 = cpu_to_le32 (0x02000003),
  };
  const struct command_namespace giant = {
    .nsid = 1, .nsze = UINT64_C (1) << 54, .lba_shift = 9,
  };
  struct nvme_sqe sqe = good;
  struct byte_range range;
  uint32_t bytes;

  sqe.cdw11 = cpu_to_le32 (1);
  sqe.cdw10 = cpu_to_le32 (2);
  assert_int_equal (command_check_lba_status (&sqe, &giant, 8192, &bytes,
                                              &range), 0);
  assert_int_equal (bytes, 4096);
  assert_int_equal (range.offset_bytes, ((UINT64_C (1) << 32) + 2) * 512);
  assert_int_equal (range.length_bytes, 3 * 512);
  sqe.cdw13 = cpu_to_le32 (0x02000000); /* to the end */
  assert_int_equal (command_check_lba_status (&sqe, &giant, 8192, &bytes,
                                              &range), 0);
  assert_int_equal (range.offset_bytes + range.length_bytes,
                    giant.nsze * 512);

  sqe = good;
  sqe.cdw10 = cpu_to_le32 ((uint32_t) ns.nsze - 3);
  assert_int_equal (check_lba_status (&sqe, &ns), 0);
  sqe.cdw10 = cpu_to_le32 ((uint32_t) ns.nsze - 2);
  assert_int_equal (check_lba_status (&sqe, &ns), DNR (NVME_SC_LBA_RANGE));
  sqe.cdw13 = cpu_to_le32 (0x02000000);
  assert_int_equal (check_lba_status (&sqe, &ns), 0);
  sqe.cdw10 = cpu_to_le32 ((uint32_t) ns.nsze);
  assert_int_equal (check_lba_status (&sqe, &ns), DNR (NVME_SC_LBA_RANGE));
  sqe.cdw10 = sqe.cdw11 = cpu_to_le32 (UINT32_MAX);
  assert_int_equal (check_lba_status (&sqe, &ns), DNR (NVME_SC_LBA_RANGE));

  /* MNDW: the header at least, the transfer's maximum at most. */
  sqe = good;
  sqe.cdw12 = cpu_to_le32 (0);
  assert_int_equal (check_lba_status (&sqe, &ns), INVALID_FIELD);
  sqe.cdw12 = cpu_to_le32 (1);
  assert_int_equal (check_lba_status (&sqe, &ns), 0);
  sqe.cdw12 = cpu_to_le32 (2047);
  assert_int_equal (check_lba_status (&sqe, &ns), 0);
  sqe.cdw12 = cpu_to_le32 (2048);
  assert_int_equal (check_lba_status (&sqe, &ns), INVALID_FIELD);
  sqe.cdw12 = cpu_to_le32 (UINT32_MAX);
  assert_int_equal (check_lba_status (&sqe, &ns), INVALID_FIELD);

  for (unsigned atype = 0; atype < 256; atype++) {
    sqe = good;
    sqe.cdw13 = cpu_to_le32 (atype << 24 | 3);
    assert_int_equal (check_lba_status (&sqe, &ns),
                      atype == 2 ? 0 : INVALID_FIELD);
  }
  sqe = good;
  sqe.nsid = cpu_to_le32 (NVME_NSID_ALL);
  assert_int_equal (check_lba_status (&sqe, &ns), DNR (NVME_SC_INVALID_NS));
}

static void
test_dsm (void **state)
{
  struct nvme_sqe sqe = { .nsid = cpu_to_le32 (1),
                          .cdw10 = cpu_to_le32 (1) };
  struct command_namespace read_only = ns;
  unsigned nr = 0;

  assert_int_equal (command_check_dsm (&sqe, &ns, 32, &nr), 0);
  assert_int_equal (nr, 2);
  assert_int_equal (command_check_dsm (&sqe, &ns, 4096, &nr), 0);
  assert_int_equal (command_check_dsm (&sqe, &ns, 31, &nr),
                    DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (command_check_dsm (&sqe, &ns, 0, &nr),
                    DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (command_check_dsm (&sqe, &ns, 4097, &nr),
                    DNR (NVME_SC_SGL_INVALID_DATA));
  sqe.cdw10 = cpu_to_le32 (255);
  assert_int_equal (command_check_dsm (&sqe, &ns, 4096, &nr), 0);
  assert_int_equal (nr, 256);
  read_only.read_only = true;
  assert_int_equal (command_check_dsm (&sqe, &read_only, 4096, &nr),
                    DNR (NVME_SC_NS_WRITE_PROTECTED));
  sqe.nsid = cpu_to_le32 (2);
  assert_int_equal (command_check_dsm (&sqe, &ns, 4096, &nr),
                    DNR (NVME_SC_INVALID_NS));
}

static void
test_dsm_ranges (void **state)
{
  struct nvme_dsm_range ranges[2] = {
    { .slba = cpu_to_le64 (0), .nlb = cpu_to_le32 (1000) },
    { .slba = cpu_to_le64 (1000), .nlb = cpu_to_le32 (0) },
  };

  assert_int_equal (command_check_dsm_ranges (ranges, 2, &ns), 0);
  ranges[1].nlb = cpu_to_le32 (1);
  assert_int_equal (command_check_dsm_ranges (ranges, 2, &ns),
                    DNR (NVME_SC_LBA_RANGE));
  assert_int_equal (command_check_dsm_ranges (ranges, 1, &ns), 0);
  ranges[0].slba = cpu_to_le64 (1);
  assert_int_equal (command_check_dsm_ranges (ranges, 1, &ns),
                    DNR (NVME_SC_LBA_RANGE));
  ranges[0].slba = cpu_to_le64 (UINT64_MAX);
  ranges[0].nlb = cpu_to_le32 (UINT32_MAX);
  assert_int_equal (command_check_dsm_ranges (ranges, 1, &ns),
                    DNR (NVME_SC_LBA_RANGE));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_flags),
    cmocka_unit_test (test_connect),
    cmocka_unit_test (test_connect_data),
    cmocka_unit_test (test_properties),
    cmocka_unit_test (test_cc),
    cmocka_unit_test (test_get_log),
    cmocka_unit_test (test_features),
    cmocka_unit_test (test_range),
    cmocka_unit_test (test_range_of_giants),
    cmocka_unit_test (test_rw_fields),
    cmocka_unit_test (test_flush),
    cmocka_unit_test (test_lba_status),
    cmocka_unit_test (test_dsm),
    cmocka_unit_test (test_dsm_ranges),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
