/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a controller says about itself: every field that the client goes by,
 * at and beyond its bounds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nvmeof/identify-check.h"

/* --- Identify Controller ------------------------------------------------ */

static struct nvme_id_ctrl ctrl;
static struct controller_expect expect;
static struct controller_info info;
static const char *fault;

static int
good_controller (void **state)
{
  memset (&ctrl, 0, sizeof ctrl);
  ctrl.cntlid = cpu_to_le16 (7);
  ctrl.kas = cpu_to_le16 (10);
  ctrl.sgls = cpu_to_le32 (1);
  ctrl.maxcmd = cpu_to_le16 (128);
  ctrl.ioccsz = cpu_to_le32 ((64 + 8192) / 16);
  ctrl.iorcsz = cpu_to_le32 (1);
  ctrl.mdts = 8;
  ctrl.vwc = NVME_CTRL_VWC_PRESENT;
  ctrl.oncs = cpu_to_le16 (NVME_CTRL_ONCS_DSM |
                           NVME_CTRL_ONCS_WRITE_ZEROES);
  ctrl.ctratt = cpu_to_le32 (NVME_CTRL_CTRATT_TBKAS);
  expect = (struct controller_expect) { .cntlid = 7, .keep_alive = true };
  return 0;
}

static int
check (void)
{
  fault = NULL;
  return identify_check_controller (&ctrl, &expect, &info, &fault);
}

static void
refused (const char *field)
{
  assert_int_equal (check (), -1);
  assert_non_null (strstr (fault, field));
}

static void
test_controller (void **state)
{
  assert_int_equal (check (), 0);
  assert_int_equal (info.max_transfer_bytes, 1 << 20);
  assert_int_equal (info.in_capsule_bytes, 8192);
  assert_int_equal (info.maxcmd, 128);
  assert_true (info.volatile_cache && info.can_dsm &&
               info.can_write_zeroes);
  assert_int_equal (info.zeroes_max_bytes, 1 << 20);
  assert_int_equal (info.dsm_max_blocks, UINT32_MAX);
}

static void
test_oacs (void **state)
{
  for (unsigned bit = 0; bit < 16; bit++) {
    ctrl.oacs = cpu_to_le16 ((uint16_t) (1u << bit));
    assert_int_equal (check (), 0);
    assert_int_equal (info.can_lba_status, bit == 9);
  }
}

static void
test_mdts (void **state)
{
  static const struct { uint8_t mdts, mpsmin; uint32_t bytes; } t[] = {
    { 0, 0, UINT32_MAX }, { 1, 0, 8192 }, { 1, 4, 131072 },
    { 19, 0, UINT32_C (1) << 31 }, { 20, 0, UINT32_MAX },
    { 255, 0, UINT32_MAX }, { 255, 8, UINT32_MAX },
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    ctrl.mdts = t[i].mdts;
    expect.mpsmin = t[i].mpsmin;
    assert_int_equal (check (), 0);
    assert_int_equal (info.max_transfer_bytes, t[i].bytes);
  }
}

static void
test_cntlid (void **state)
{
  ctrl.cntlid = cpu_to_le16 (8);
  refused ("CNTLID");
  expect.discovery = true;
  refused ("CNTLID");
}

static void
test_kas (void **state)
{
  ctrl.kas = 0;
  refused ("KAS");
  expect.keep_alive = false;
  assert_int_equal (check (), 0);
}

static void
test_keyed (void **state)
{
  expect.keyed = true;
  refused ("keyed SGLs");
  ctrl.sgls = cpu_to_le32 (1 << 2 | 1);
  assert_int_equal (check (), 0);
  assert_int_equal (info.in_capsule_bytes, 0);
  ctrl.sgls = cpu_to_le32 (1 << 20 | 1 << 2 | 1);
  assert_int_equal (check (), 0);
  assert_int_equal (info.in_capsule_bytes, 8192);
}

static void
test_capsules (void **state)
{
  ctrl.ioccsz = cpu_to_le32 (3);
  refused ("IOCCSZ");
  ctrl.ioccsz = cpu_to_le32 (UINT32_MAX);
  refused ("IOCCSZ");
  ctrl.ioccsz = cpu_to_le32 (UINT32_MAX / 16);
  assert_int_equal (check (), 0);
  /* no data in capsules is a real configuration */
  ctrl.ioccsz = cpu_to_le32 (4);
  assert_int_equal (check (), 0);
  assert_int_equal (info.in_capsule_bytes, 0);
  ctrl.iorcsz = 0;
  refused ("IORCSZ");
  ctrl.iorcsz = cpu_to_le32 (1);
  ctrl.icdoff = cpu_to_le16 (1);
  refused ("ICDOFF");
}

static void
test_sgls (void **state)
{
  ctrl.sgls = 0;
  refused ("SGLS");
  ctrl.sgls = cpu_to_le32 (3);
  refused ("SGLS");
  ctrl.sgls = cpu_to_le32 (2);
  assert_int_equal (check (), 0);
}

static void
test_maxcmd (void **state)
{
  ctrl.maxcmd = 0;
  refused ("MAXCMD");
}

static void
test_discovery_controller_has_no_io (void **state)
{
  memset (&ctrl, 0, sizeof ctrl);
  ctrl.cntlid = cpu_to_le16 (7);
  expect.discovery = true;
  expect.keep_alive = false;
  assert_int_equal (check (), 0);
}

static void
test_nvm_limits (void **state)
{
  struct nvme_id_ctrl_nvm nvm;
  __le32 dmrsl = cpu_to_le32 (1000);

  assert_int_equal (check (), 0);
  memset (&nvm, 0, sizeof nvm);
  identify_apply_nvm (&nvm, 0, &info);
  assert_int_equal (info.zeroes_max_bytes, UINT32_MAX);
  assert_int_equal (info.dsm_max_blocks, UINT32_MAX);
  nvm.wzsl = 3;
  memcpy (&nvm.dmrsl, &dmrsl, sizeof dmrsl);
  identify_apply_nvm (&nvm, 0, &info);
  assert_int_equal (info.zeroes_max_bytes, 32768);
  assert_int_equal (info.dsm_max_blocks, 1000);
}

/* --- Identify Namespace ------------------------------------------------- */

static struct nvme_id_ns ns;
static struct namespace_info ns_info;

static int
good_namespace (void **state)
{
  memset (&ns, 0, sizeof ns);
  ns.nsze = cpu_to_le64 (2048);
  ns.lbaf[0].ds = 9;
  return 0;
}

static int
check_ns (void)
{
  fault = NULL;
  return identify_check_namespace (&ns, &ns_info, &fault);
}

static void
test_namespace (void **state)
{
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.size_bytes, 1 << 20);
  assert_int_equal (ns_info.block_bytes, 512);
  assert_int_equal (ns_info.preferred_bytes, 4096);
  assert_false (ns_info.read_only);
  ns.nsattr = 1;
  assert_int_equal (check_ns (), 0);
  assert_true (ns_info.read_only);
}

/* Only "all bytes 0" is a promise of zeroes. */
static void
test_dlfeat (void **state)
{
  for (unsigned dlfeat = 0; dlfeat < 256; dlfeat++) {
    ns.dlfeat = (uint8_t) dlfeat;
    assert_int_equal (check_ns (), 0);
    assert_int_equal (ns_info.deallocated_zero, (dlfeat & 7) == 1);
    assert_int_equal (ns_info.zeroes_deallocate, (dlfeat & 8) != 0);
  }
}

static void
test_namespace_formats (void **state)
{
  ns.flbas = 0x0f | 0x60 | 0x10;        /* bits 6:5 and 3:0: format 63 */
  ns.lbaf[0].ds = 0;
  ns.lbaf[63].ds = 12;
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.block_bytes, 4096);
  for (unsigned ds = 0; ds < 256; ds++) {
    ns.lbaf[63].ds = (uint8_t) ds;
    assert_int_equal (check_ns (), ds >= 9 && ds <= 15 ? 0 : -1);
  }
  ns.lbaf[63].ds = 9;
  ns.lbaf[63].ms = cpu_to_le16 (8);
  assert_int_equal (check_ns (), -1);
  assert_non_null (strstr (fault, "metadata"));
  ns.lbaf[63].ms = 0;
  ns.dps = 1;
  assert_int_equal (check_ns (), -1);
}

static void
test_namespace_sizes (void **state)
{
  ns.nsze = 0;
  assert_int_equal (check_ns (), -1);
  ns.nsze = cpu_to_le64 (UINT64_MAX);
  assert_int_equal (check_ns (), -1);
  ns.nsze = cpu_to_le64 (((uint64_t) INT64_MAX >> 9) + 1);
  assert_int_equal (check_ns (), -1);
  ns.nsze = cpu_to_le64 ((uint64_t) INT64_MAX >> 9);
  assert_int_equal (check_ns (), 0);
}

static void
test_rotational (void **state)
{
  struct nvme_id_independent_id_ns id;

  memset (&id, 0, sizeof id);
  assert_false (identify_is_rotational (&id));
  id.nsfeat = 1 << 4;
  assert_true (identify_is_rotational (&id));
  id.nsfeat = (uint8_t) ~(1 << 4);
  assert_false (identify_is_rotational (&id));
  /* in CNS 00h the same bit is OPTPERF */
  ns.nsfeat = 1 << 4;
  assert_int_equal (check_ns (), 0);
  assert_false (ns_info.rotational);
}

static void
test_preferred_size (void **state)
{
  ns.nsfeat = 1 << 4;
  ns.nows = cpu_to_le16 (127);
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.preferred_bytes, 65536);
  ns.nows = 0;
  ns.npwg = cpu_to_le16 (31);
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.preferred_bytes, 16384);
  /* what is no power of two, or absurd, is no preference */
  ns.npwg = cpu_to_le16 (30);
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.preferred_bytes, 4096);
  ns.nows = cpu_to_le16 (UINT16_MAX);
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.preferred_bytes, 4096);
  ns.nsfeat = 0;
  ns.lbaf[0].ds = 15;
  assert_int_equal (check_ns (), 0);
  assert_int_equal (ns_info.preferred_bytes, 32768);
}

/* --- namespaces of a subsystem ------------------------------------------ */

static void
test_active_list (void **state)
{
  static __le32 list[1024];
  char text[IDENTIFY_PICK_FAULT];
  uint32_t nsid = 0;

  assert_int_equal (identify_pick_namespace (list, 0, &nsid, text), -ENODEV);
  assert_int_equal (identify_pick_namespace (list, 5, &nsid, text), -ENOENT);
  list[0] = cpu_to_le32 (5);
  assert_int_equal (identify_pick_namespace (list, 0, &nsid, text), 0);
  assert_int_equal (nsid, 5);
  list[1] = cpu_to_le32 (6);
  assert_int_equal (identify_pick_namespace (list, 0, &nsid, text), -EINVAL);
  assert_non_null (strstr (text, ": 5, 6 ("));
  assert_int_equal (identify_pick_namespace (list, 4, &nsid, text), -ENOENT);
  assert_non_null (strstr (text, "no active namespace 4"));
  nsid = 0;
  assert_int_equal (identify_pick_namespace (list, 5, &nsid, text), 0);
  assert_int_equal (nsid, 5);
  for (unsigned i = 0; i < 1024; i++)
    list[i] = cpu_to_le32 (0xffffff00 - 1024 + i);
  assert_int_equal (identify_pick_namespace (list, 0, &nsid, text), -EINVAL);
  assert_non_null (strstr (text, ", ... ("));
  list[0] = cpu_to_le32 (UINT32_MAX);
  list[1] = 0;
  assert_int_equal (identify_pick_namespace (list, 0, &nsid, text), -EPROTO);
}

static void
test_descriptors (void **state)
{
  uint8_t page[4096] = { NVME_NIDT_UUID, 16, 0, 0, 0xab };
  struct namespace_ids ids;

  assert_int_equal (identify_check_descriptors (page, 4096, &ids, &fault), 0);
  assert_int_equal (ids.uuid[0], 0xab);
  assert_true (identify_ids_known (&ids));
  page[20] = NVME_NIDT_CSI;
  page[21] = 1;
  assert_int_equal (identify_check_descriptors (page, 4096, &ids, &fault), 0);
  page[24] = 2;                 /* zoned */
  assert_int_equal (identify_check_descriptors (page, 4096, &ids, &fault), -1);
  page[24] = 0;
  page[1] = 15;
  assert_int_equal (identify_check_descriptors (page, 4096, &ids, &fault), -1);
  /* an unknown type may be of any length, but not leave the page */
  memset (page, 0, sizeof page);
  for (size_t at = 0; at < 4096; at += 64) {
    page[at] = 0x99;
    page[at + 1] = 60;
  }
  assert_int_equal (identify_check_descriptors (page, 4096, &ids, &fault), 0);
  page[4096 - 64 + 1] = 61;
  assert_int_equal (identify_check_descriptors (page, 4096, &ids, &fault), -1);
}

/* --- discovery ---------------------------------------------------------- */

static void
test_discovery_header (void **state)
{
  struct nvmf_discovery_log log;
  struct discovery_header header;

  memset (&log, 0, sizeof log);
  log.genctr = cpu_to_le64 (UINT64_MAX);
  log.numrec = cpu_to_le64 (DISCOVERY_RECORDS_MAX);
  assert_int_equal (discovery_check_header (&log, &header, &fault), 0);
  assert_int_equal (header.numrec, DISCOVERY_RECORDS_MAX);
  assert_int_equal (header.genctr, UINT64_MAX);
  log.numrec = cpu_to_le64 (DISCOVERY_RECORDS_MAX + 1);
  assert_int_equal (discovery_check_header (&log, &header, &fault), -1);
  log.numrec = 0;
  log.recfmt = cpu_to_le16 (1);
  assert_int_equal (discovery_check_header (&log, &header, &fault), -1);
}

static void
test_discovery_entries (void **state)
{
  struct nvmf_disc_log_entry entry;

  memset (&entry, 0, sizeof entry);
  entry.trtype = NVMF_TRTYPE_TCP;
  entry.subtype = NVME_NQN_NVME;
  strcpy (entry.subnqn, "nqn.2014-08.org.example:x");
  assert_true (discovery_entry_usable (&entry, NVMF_TRTYPE_TCP));
  assert_false (discovery_entry_usable (&entry, NVMF_TRTYPE_RDMA));
  entry.subtype = NVME_NQN_DISC;
  assert_false (discovery_entry_usable (&entry, NVMF_TRTYPE_TCP));
  entry.subtype = NVME_NQN_NVME;
  memset (entry.subnqn, 'x', sizeof entry.subnqn);      /* no NUL */
  assert_false (discovery_entry_usable (&entry, NVMF_TRTYPE_TCP));
  memset (entry.subnqn, 0, sizeof entry.subnqn);
  assert_false (discovery_entry_usable (&entry, NVMF_TRTYPE_TCP));
}

static struct nvmf_disc_log_entry entry;

static void
expect_where (const char *transport, const char *address)
{
  struct discovery_where where;

  discovery_entry_where (&entry, &where);
  assert_string_equal (where.transport, transport);
  assert_string_equal (where.address, address);
}

static void
test_where (void **state)
{
  char longest[400];

  memset (&entry, 0, sizeof entry);
  entry.trtype = NVMF_TRTYPE_TCP;
  expect_where ("tcp", "");
  strcpy (entry.traddr, "192.0.2.1");
  strcpy (entry.trsvcid, "4420  ");     /* others pad with spaces */
  expect_where ("tcp", "tcp://192.0.2.1:4420");
  strcpy (entry.traddr, "2001:db8::1");
  expect_where ("tcp", "tcp://[2001:db8::1]:4420");
  entry.trtype = NVMF_TRTYPE_RDMA;
  expect_where ("rdma", "rdma://[2001:db8::1]:4420");
  entry.trtype = 77;
  expect_where ("?", "2001:db8::1");
  entry.trtype = NVMF_TRTYPE_TCP;
  entry.adrfam = NVMF_ADDR_FAMILY_LOOP;
  expect_where ("tcp", "tcp://[2001:db8::1]:4420");
  strcpy (entry.traddr, "/run/x");
  expect_where ("unix", "unix:///run/x");
  strcpy (entry.traddr, "/run/\n");
  expect_where ("unix", "");
  entry.adrfam = 0;
  memset (entry.traddr, 'x', sizeof entry.traddr);
  memset (entry.trsvcid, '1', sizeof entry.trsvcid);
  snprintf (longest, sizeof longest, "tcp://%.256s:%.32s", entry.traddr,
            entry.trsvcid);
  assert_int_equal (strlen (longest), 6 + 256 + 1 + 32);
  expect_where ("tcp", longest);
  entry.trtype = NVMF_TRTYPE_RDMA;
  snprintf (longest, sizeof longest, "rdma://%.256s:%.32s", entry.traddr,
            entry.trsvcid);
  expect_where ("rdma", longest);
  entry.trsvcid[3] = '\x80';
  expect_where ("rdma", "");
}

#define CONTROLLER(test) cmocka_unit_test_setup (test, good_controller)
#define NAMESPACE(test) cmocka_unit_test_setup (test, good_namespace)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    CONTROLLER (test_controller),
    CONTROLLER (test_oacs),
    CONTROLLER (test_mdts),
    CONTROLLER (test_cntlid),
    CONTROLLER (test_kas),
    CONTROLLER (test_keyed),
    CONTROLLER (test_capsules),
    CONTROLLER (test_sgls),
    CONTROLLER (test_maxcmd),
    CONTROLLER (test_discovery_controller_has_no_io),
    CONTROLLER (test_nvm_limits),
    NAMESPACE (test_namespace),
    NAMESPACE (test_dlfeat),
    NAMESPACE (test_namespace_formats),
    NAMESPACE (test_namespace_sizes),
    NAMESPACE (test_rotational),
    NAMESPACE (test_preferred_size),
    cmocka_unit_test (test_active_list),
    cmocka_unit_test (test_descriptors),
    cmocka_unit_test (test_discovery_header),
    cmocka_unit_test (test_discovery_entries),
    cmocka_unit_test (test_where),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
