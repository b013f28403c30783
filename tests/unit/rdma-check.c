/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe/RDMA binding: private data and SGLs byte by byte, as Linux has
 * them, and that nothing wrong in them gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nvmeof/command-check.h"
#include "nvmeof/rdma.h"

enum { CAPSULE_MAX = 4096, ENTRIES_MAX = 128 };

/* --- private data ----------------------------------------------------------- */

static uint8_t wire[56];

static uint16_t
request (uint16_t qid, uint16_t hrqsize, uint16_t hsqsize,
         struct rdma_asked *out)
{
  const uint16_t fields[] = { 0, qid, hrqsize, hsqsize, 0 };

  memset (wire, 0, sizeof wire);
  for (unsigned i = 0; i < 5; i++) {
    wire[2 * i] = fields[i] & 0xff;
    wire[2 * i + 1] = fields[i] >> 8;
  }
  return rdma_check_request (wire, sizeof wire, ENTRIES_MAX, out);
}

static void
requests (void **state)
{
  struct rdma_asked r = { 0 };

  /* The admin queue as Linux asks for it. */
  assert_int_equal (request (0, 32, 31, &r), 0);
  assert_int_equal (r.qid, 0);
  assert_int_equal (r.entries, 32);
  assert_int_equal (r.depth, 32);
  assert_int_equal (request (0, 33, 32, &r), NVME_RDMA_CM_INVALID_HSQSIZE);
  assert_int_equal (request (0x102, 128, 127, &r), 0);
  assert_int_equal (r.qid, 0x102);
  assert_int_equal (r.entries, 128);
  assert_int_equal (request (1, 129, 128, &r), NVME_RDMA_CM_INVALID_HSQSIZE);
  assert_int_equal (request (1, 128, 0, &r), NVME_RDMA_CM_INVALID_HSQSIZE);
  assert_int_equal (request (1, 128, 0xffff, &r),
                    NVME_RDMA_CM_INVALID_HSQSIZE);
  assert_int_equal (request (1, 0, 127, &r), NVME_RDMA_CM_INVALID_HRQSIZE);
  assert_int_equal (r.entries, 128);    /* left alone */
  assert_int_equal (request (1, 7, 127, &r), 0);
  assert_int_equal (r.depth, 7);
  wire[0] = 1;
  assert_int_equal (rdma_check_request (wire, sizeof wire, ENTRIES_MAX, &r),
                    NVME_RDMA_CM_INVALID_RECFMT);
  assert_int_equal (rdma_check_request (wire, 31, ENTRIES_MAX, &r),
                    NVME_RDMA_CM_INVALID_LEN);
  assert_int_equal (rdma_check_request (NULL, 0, ENTRIES_MAX, &r),
                    NVME_RDMA_CM_INVALID_LEN);
}

/* Ours is one that we accept. */
static void
own_request (void **state)
{
  struct nvme_rdma_cm_request own = rdma_make_request (3, 31, 0x1234);
  const uint8_t bytes[] = { 0, 0, 3, 0, 32, 0, 31, 0, 0x34, 0x12 };
  struct rdma_asked r;

  assert_memory_equal (&own, bytes, sizeof bytes);
  assert_int_equal (rdma_check_request (&own, sizeof own, ENTRIES_MAX, &r),
                    0);
  assert_int_equal (r.entries, 32);
  assert_int_equal (r.depth, 32);
}

static void
accepts (void **state)
{
  struct nvme_rdma_cm_accept accept = rdma_make_accept (0x0120);
  const uint8_t bytes[] = { 0, 0, 0x20, 1 };
  const char *fault = NULL;
  uint16_t depth = 127;

  assert_memory_equal (&accept, bytes, sizeof bytes);
  assert_int_equal (rdma_check_accept (&accept, sizeof accept, &depth,
                                       &fault), 0);
  assert_int_equal (depth, 127);
  accept = rdma_make_accept (16);
  assert_int_equal (rdma_check_accept (&accept, sizeof accept, &depth,
                                       &fault), 0);
  assert_int_equal (depth, 16);
  accept = rdma_make_accept (0);
  assert_int_equal (rdma_check_accept (&accept, sizeof accept, &depth,
                                       &fault), -1);
  assert_string_equal (fault, "CRQSIZE is 0");
  assert_int_equal (rdma_check_accept (&accept, 31, &depth, &fault), -1);
  assert_string_equal (fault, "the private data are too short");
  assert_int_equal (rdma_check_accept (NULL, 0, &depth, &fault), -1);
  accept.recfmt = cpu_to_le16 (1);
  assert_int_equal (rdma_check_accept (&accept, sizeof accept, &depth,
                                       &fault), -1);
  assert_string_equal (fault, "RECFMT is not 0");
  assert_int_equal (depth, 16);
}

static void
rejects (void **state)
{
  struct nvme_rdma_cm_reject reject = rdma_make_reject (NVME_RDMA_CM_NO_RSC);
  const uint8_t bytes[] = { 0, 0, 6, 0 };

  assert_memory_equal (&reject, bytes, sizeof bytes);
  assert_int_equal (rdma_reject_status (&reject, sizeof reject),
                    NVME_RDMA_CM_NO_RSC);
  assert_int_equal (rdma_reject_status (&reject, 3), 0);
  assert_int_equal (rdma_reject_status (NULL, 0), 0);
  reject.recfmt = cpu_to_le16 (1);
  assert_int_equal (rdma_reject_status (&reject, sizeof reject), 0);
  assert_string_equal (rdma_cm_status_name (NVME_RDMA_CM_INVALID_HSQSIZE),
                       "invalid HSQSIZE");
  assert_string_equal (rdma_cm_status_name (10), "unknown reason");
}

/* --- capsules --------------------------------------------------------------- */

static const uint8_t keyed_sgl[16] = {
  0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,       /* address */
  0x00, 0x10, 0x02,                                     /* 135,168 bytes */
  0xef, 0xbe, 0xad, 0xde,                               /* key */
  0x4f,
};

static void
keyed (void **state)
{
  struct nvme_sqe sqe = { 0 };
  struct rdma_data data;
  uint8_t *sgl = (uint8_t *) &sqe.dptr;

  memcpy (sgl, keyed_sgl, sizeof keyed_sgl);
  assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data), 0);
  assert_false (data.in_capsule);
  assert_true (data.invalidate);
  assert_int_equal (data.bytes, 0x21000);
  assert_int_equal (data.rkey, 0xdeadbeef);
  assert_true (data.addr == UINT64_C (0x1122334455667788));
  sgl[15] = 0x40;
  assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data), 0);
  assert_false (data.invalidate);

  /* To the last byte of the address space, and beyond it. */
  memset (sgl, 0xff, 8);
  memset (sgl + 8, 0, 3);
  sgl[8] = 1;
  assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data), 0);
  assert_int_equal (data.bytes, 1);
  sgl[8] = 2;
  assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (data.bytes, 1);     /* left alone */

  /* No data, as Linux says it. */
  memset (sgl, 0, 16);
  sgl[15] = 0x40;
  assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data), 0);
  assert_int_equal (data.bytes, 0);
}

static void
keyed_is_made (void **state)
{
  struct nvme_sqe sqe = { 0 };
  uint8_t expected[16];

  memcpy (expected, keyed_sgl, sizeof expected);
  expected[15] = 0x40;
  rdma_make_keyed (&sqe, UINT64_C (0x1122334455667788), 0x21000, 0xdeadbeef);
  assert_memory_equal (&sqe.dptr, expected, sizeof expected);
}

static void
in_capsule (void **state)
{
  struct nvme_sqe sqe = { 0 };
  struct rdma_data data;

  rdma_make_in_capsule (&sqe, 1024);
  assert_int_equal (rdma_check_capsule (&sqe, 64 + 1024, CAPSULE_MAX, &data),
                    0);
  assert_true (data.in_capsule);
  assert_int_equal (data.bytes, 1024);
  /* More or less came than it says. */
  assert_int_equal (rdma_check_capsule (&sqe, 64 + 1023, CAPSULE_MAX, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (rdma_check_capsule (&sqe, 64 + 1025, CAPSULE_MAX, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_DATA));
  assert_int_equal (rdma_check_capsule (&sqe, 64 + 1024, 1023, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_DATA));
  sqe.dptr.addr = cpu_to_le64 (1);
  assert_int_equal (rdma_check_capsule (&sqe, 64 + 1024, CAPSULE_MAX, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_OFFSET));
  sqe.dptr.addr = cpu_to_le64 (0);
  sqe.dptr.length = cpu_to_le32 (UINT32_MAX);
  assert_int_equal (rdma_check_capsule (&sqe, 63 + 64, CAPSULE_MAX, &data),
                    STATUS_DNR (NVME_SC_SGL_INVALID_DATA));
}

static void
other_types (void **state)
{
  struct nvme_sqe sqe = { 0 };
  struct rdma_data data;

  for (unsigned type = 0; type < 256; type++) {
    sqe.dptr.type = (uint8_t) type;
    if (type == 0x01 || type == 0x40 || type == 0x4f)
      continue;
    assert_int_equal (rdma_check_capsule (&sqe, 64, CAPSULE_MAX, &data),
                      STATUS_DNR (NVME_SC_SGL_INVALID_TYPE));
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (requests),
    cmocka_unit_test (own_request),
    cmocka_unit_test (accepts),
    cmocka_unit_test (rejects),
    cmocka_unit_test (keyed),
    cmocka_unit_test (keyed_is_made),
    cmocka_unit_test (in_capsule),
    cmocka_unit_test (other_types),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
