/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Admin commands, as a host sends them to a real server over NVMe/TCP:
 * Identify, log pages, discovery, features; what they answer, and what each
 * refusal says.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uuid/uuid.h>

#include "tests/unit/attached-fixture.h"

/* --- Identify ------------------------------------------------------------- */

static void
volume_uuid (uuid_t uuid)
{
  assert_int_equal (uuid_parse (server.volume->uuid, uuid), 0);
}

static void
test_identify_controller (void **state)
{
  struct nvme_id_ctrl id;
  uuid_t uuid;

  static_assert (sizeof id == 4096, "");
  assert_int_equal (identify (1, 0, &id), 0);
  assert_int_equal (le16_to_cpu (id.cntlid), admin.cntlid);
  assert_int_equal (le32_to_cpu (id.ver), 0x10400);
  assert_int_equal (4096u << id.mdts, TARGET_MAX_TRANSFER);
  assert_int_equal (id.cntrltype, NVME_CTRL_CNTRLTYPE_IO);
  assert_true (id.cmic & NVME_CTRL_CMIC_MULTI_CTRL);
  assert_int_equal (le32_to_cpu (id.oaes), 0x900);
  assert_true (le32_to_cpu (id.ctratt) & NVME_CTRL_CTRATT_TBKAS);
  assert_true (le16_to_cpu (id.kas) > 0);
  assert_int_equal (id.sqes, 0x66);
  assert_int_equal (id.cqes, 0x44);
  assert_int_equal (le16_to_cpu (id.maxcmd), 128);
  assert_int_equal (le32_to_cpu (id.nn), 1);
  assert_int_equal (le16_to_cpu (id.oncs), NVME_CTRL_ONCS_COMPARE
                    | NVME_CTRL_ONCS_DSM | NVME_CTRL_ONCS_WRITE_ZEROES);
  assert_int_equal (id.vwc, 7);
  assert_int_equal (le32_to_cpu (id.ioccsz), (64 + 16384) / 16);
  assert_int_equal (le32_to_cpu (id.iorcsz), 1);
  assert_int_equal (le16_to_cpu (id.icdoff), 0);
  assert_true (le32_to_cpu (id.sgls) & 3);
  assert_false (le32_to_cpu (id.sgls) & NVME_CTRL_SGLS_KEYED);
  assert_string_equal (id.subnqn, subsystem_nqn (server.subsystem));
  assert_memory_equal (id.mn, "qbd                 ", 20);

  /* The serial number is 20 digits of the UUID. */
  volume_uuid (uuid);
  for (unsigned i = 0; i < 10; i++) {
    char digits[3];

    snprintf (digits, sizeof digits, "%02x", uuid[i]);
    assert_memory_equal (id.sn + 2 * i, digits, 2);
  }
}

static void
check_namespace (uint32_t block_size)
{
  const uint8_t zero[8] = { 0 };
  struct nvme_id_ns id;
  uuid_t uuid;

  assert_int_equal (identify (0, 1, &id), 0);
  assert_int_equal (le64_to_cpu (id.nsze), (64 << 20) / block_size);
  assert_int_equal (le64_to_cpu (id.ncap), (64 << 20) / block_size);
  assert_int_equal (le64_to_cpu (id.nuse), (64 << 20) / block_size);
  assert_int_equal (1u << id.lbaf[0].ds, block_size);
  assert_int_equal (le16_to_cpu (id.lbaf[0].ms), 0);
  assert_int_equal (id.nlbaf, 0);
  assert_int_equal (id.flbas, 0);
  assert_true (id.nsfeat & NVME_NS_FEAT_THIN);
  assert_int_equal (id.dlfeat & NVME_NS_DLFEAT_RB, NVME_NS_DLFEAT_RB_ALL_0S);
  assert_true (id.dlfeat & NVME_NS_DLFEAT_WRITE_ZEROES);
  assert_int_equal (id.nmic, NVME_NS_NMIC_SHARED);
  assert_int_equal ((le16_to_cpu (id.npwg) + 1u) * block_size, 4096);
  assert_int_equal (id.nsattr, server.volume->read_only);
  volume_uuid (uuid);
  assert_memory_equal (id.nguid, uuid, sizeof uuid);
  assert_memory_equal (id.eui64, zero, sizeof zero);
}

static void
test_identify_namespace (void **state)
{
  check_namespace (512);
}

static void
test_identify_namespace_4096 (void **state)
{
  check_namespace (4096);
}

static void
test_identify_lists (void **state)
{
  static const uint8_t zeroes[4096];
  uint8_t data[4096];
  uuid_t uuid;

  assert_int_equal (identify (2, 0, data), 0);
  assert_memory_equal (data, "\1\0\0\0\0\0\0\0", 8);
  assert_int_equal (identify (2, 1, data), 0);
  assert_memory_equal (data, zeroes, sizeof zeroes);
  assert_int_equal (identify (2, 0xfffffffe, data), DNR (NVME_SC_INVALID_NS));

  assert_int_equal (identify (3, 1, data), 0);
  volume_uuid (uuid);
  assert_memory_equal (data, "\2\20\0\0", 4);
  assert_memory_equal (data + 4, uuid, 16);
  assert_memory_equal (data + 20, "\3\20\0\0", 4);
  assert_memory_equal (data + 24, uuid, 16);
  assert_memory_equal (data + 40, "\4\1\0\0\0", 5);
  assert_memory_equal (data + 45, zeroes, 4096 - 45);
}

static void
test_identify_newer (void **state)
{
  struct nvme_id_ctrl_nvm nvm;
  struct nvme_id_independent_id_ns independent;

  assert_int_equal (identify (6, 0, &nvm), 0);
  assert_int_equal (4096ull << nvm.wzsl, 65536 * 512);
  assert_int_equal (identify (8, 1, &independent), 0);
  assert_int_equal (independent.nstat & 1, 1);
}

static void
test_identify_refusals (void **state)
{
  uint8_t data[4096];
  union nvme_command sqe = { .common = { .opcode = nvme_admin_identify,
                                         .cdw10 = cpu_to_le32 (1) } };

  assert_int_equal (identify (0, 0, data), DNR (NVME_SC_INVALID_NS));
  assert_int_equal (identify (0, 2, data), DNR (NVME_SC_INVALID_NS));
  assert_int_equal (identify (0, 0xffffffff, data), DNR (NVME_SC_INVALID_NS));
  assert_int_equal (identify (3, 2, data), DNR (NVME_SC_INVALID_NS));
  assert_int_equal (identify (4, 1, data), DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (identify (0xff, 1, data), DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (host_status (&admin, &sqe, HOST_READ, data, 4092),
                    DNR (NVME_SC_SGL_INVALID_DATA));
  /* Data to the host cannot be in the capsule. */
  memset (data, 0, sizeof data);
  assert_int_equal (host_status (&admin, &sqe, HOST_IN_CAPSULE, data, 4096),
                    DNR (NVME_SC_SGL_INVALID_TYPE));
}

/* --- log pages ------------------------------------------------------------ */

static uint16_t
get_log (struct host *host, uint8_t lid, uint64_t offset, void *data,
         uint32_t bytes)
{
  uint32_t numd = bytes / 4 - 1;
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_get_log_page,
    .nsid = cpu_to_le32 (0xffffffff),
    .cdw10 = cpu_to_le32 (lid | numd << 16),
    .cdw11 = cpu_to_le32 (numd >> 16),
    .cdw12 = cpu_to_le32 ((uint32_t) offset),
    .cdw13 = cpu_to_le32 (offset >> 32),
  } };

  return host_status (host, &sqe, HOST_READ, data, bytes);
}

static void
test_logs (void **state)
{
  struct nvme_error_log_page error;
  struct nvme_smart_log smart;
  struct nvme_firmware_slot firmware;
  uint8_t part[4];

  assert_int_equal (get_log (&admin, 1, 0, &error, sizeof error), 0);
  assert_int_equal (le64_to_cpu (error.error_count), 0);
  assert_int_equal (get_log (&admin, 2, 0, &smart, sizeof smart), 0);
  assert_int_equal (smart.critical_warning, 0);
  assert_int_equal (smart.avail_spare, 100);
  assert_int_equal (get_log (&admin, 3, 0, &firmware, sizeof firmware), 0);
  assert_int_equal (firmware.afi, 1);
  assert_memory_equal (firmware.frs[0], PACKAGE_VERSION,
                       strlen (PACKAGE_VERSION));
  /* The same, by offset; beyond the end are zeroes. */
  assert_int_equal (get_log (&admin, 3, 8, part, 4), 0);
  assert_memory_equal (part, PACKAGE_VERSION, 4);
  memset (part, 1, 4);
  assert_int_equal (get_log (&admin, 3, 512, part, 4), 0);
  assert_memory_equal (part, "\0\0\0\0", 4);
}

static void
test_log_refusals (void **state)
{
  uint8_t data[4096];

  assert_int_equal (get_log (&admin, 3, 516, data, 4),
                    DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (get_log (&admin, 3, 2, data, 4),
                    DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (get_log (&admin, 0x05, 0, data, 4096),
                    SPECIFIC (NVME_SC_INVALID_LOG_PAGE));
  assert_int_equal (get_log (&admin, 0x70, 0, data, 1024),
                    SPECIFIC (NVME_SC_INVALID_LOG_PAGE));
  assert_int_equal (get_log (&admin, 1, 0, data, TARGET_MAX_TRANSFER + 4),
                    DNR (NVME_SC_INVALID_FIELD));
}

/* --- discovery ------------------------------------------------------------ */

static void
discovery_attach (struct host *host)
{
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;

  host_open (host, &server, 0);
  host_connect_prepare (host, &server, 0, &sqe, &data);
  strcpy (data.subsysnqn, NVMEOF_DISCOVERY_NQN);
  cqe = host_connect_with (host, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe), 0);
  assert_int_equal (host_property_set (host, NVME_REG_CC, HOST_CC_ENABLE), 0);
  assert_int_equal (host_property_get (host, NVME_REG_CSTS, false), 1);
}

static void
test_discovery (void **state)
{
  union {
    struct nvmf_discovery_log header;
    uint8_t bytes[sizeof (struct nvmf_discovery_log)
                  + sizeof (struct nvmf_disc_log_entry)];
  } log;
  struct nvmf_disc_log_entry entry;
  struct host host;

  discovery_attach (&host);
  assert_int_equal (get_log (&host, 0x70, 0, &log, sizeof log), 0);
  assert_int_equal (le64_to_cpu (log.header.genctr), 1);
  assert_int_equal (le64_to_cpu (log.header.numrec), 1);
  assert_int_equal (le16_to_cpu (log.header.recfmt), 0);
  assert_int_equal (log.header.entries[0].trtype, NVMF_TRTYPE_TCP);
  assert_int_equal (log.header.entries[0].adrfam, NVMF_ADDR_FAMILY_IP4);
  assert_int_equal (log.header.entries[0].subtype, NVME_NQN_NVME);
  assert_int_equal (le16_to_cpu (log.header.entries[0].cntlid), 0xffff);
  assert_true (le16_to_cpu (log.header.entries[0].asqsz) >= 32);
  assert_int_equal (log.header.entries[0].treq, NVMF_TREQ_DISABLE_SQFLOW);
  assert_string_equal (log.header.entries[0].traddr, "127.0.0.1");
  assert_string_equal (log.header.entries[0].trsvcid, server.address.port);
  assert_string_equal (log.header.entries[0].subnqn,
                       subsystem_nqn (server.subsystem));

  /* In pieces that cross the entries. */
  assert_int_equal (get_log (&host, 0x70, 1024, &entry, sizeof entry), 0);
  assert_memory_equal (&entry, &log.header.entries[0], sizeof entry);
  assert_int_equal (get_log (&host, 0x70, 1020, &entry, 8), 0);
  assert_memory_equal ((uint8_t *) &entry + 4, &log.header.entries[0], 4);
  assert_int_equal (get_log (&host, 0x70, UINT64_MAX - 3, &entry, 4), 0);
  host_close (&host);
}

/* A Unix portal is shown to those who came by it. */
static void
test_discovery_unix (void **state)
{
  union {
    struct nvmf_discovery_log header;
    uint8_t bytes[sizeof (struct nvmf_discovery_log)
                  + sizeof (struct nvmf_disc_log_entry)];
  } log;
  char path[64], uri[80];
  struct host host;

  snprintf (path, sizeof path, "/tmp/qbd-unit-%ld.sock", (long) getpid ());
  snprintf (uri, sizeof uri, "unix://%s", path);
  server_start (&server, &(struct server_options) { .listen = uri });
  discovery_attach (&host);
  assert_int_equal (get_log (&host, 0x70, 0, &log, sizeof log), 0);
  assert_int_equal (log.header.entries[0].trtype, NVMF_TRTYPE_TCP);
  assert_int_equal (log.header.entries[0].adrfam, NVMF_ADDR_FAMILY_LOOP);
  assert_string_equal (log.header.entries[0].traddr, path);
  assert_string_equal (log.header.entries[0].trsvcid, "");
  host_close (&host);
  server_stop (&server);
  assert_int_equal (access (path, F_OK), -1);
}

static void
test_discovery_controller (void **state)
{
  union nvme_command sqe = { .common = { .opcode = nvme_admin_identify,
                                         .cdw10 = cpu_to_le32 (1) } };
  struct nvmf_connect_sqe connect;
  struct nvmf_connect_data data;
  struct nvme_id_ctrl id;
  struct nvme_cqe cqe;
  struct host host, queue;

  discovery_attach (&host);
  assert_int_equal (host_status (&host, &sqe, HOST_READ, &id, sizeof id), 0);
  assert_int_equal (id.cntrltype, NVME_CTRL_CNTRLTYPE_DISCOVERY);
  assert_string_equal (id.subnqn, NVMEOF_DISCOVERY_NQN);
  sqe.common.cdw10 = cpu_to_le32 (2);
  assert_int_equal (host_status (&host, &sqe, HOST_READ, &id, sizeof id),
                    DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (get_log (&host, 2, 0, &id, 512),
                    SPECIFIC (NVME_SC_INVALID_LOG_PAGE));

  /* It has no I/O queues. */
  host_open (&queue, &server, 0);
  queue.cntlid = host.cntlid;
  host_connect_prepare (&queue, &server, 1, &connect, &data);
  data.cntlid = id.cntlid;
  strcpy (data.subsysnqn, NVMEOF_DISCOVERY_NQN);
  cqe = host_connect_with (&queue, &connect, &data);
  assert_int_equal (nvme_cqe_status (&cqe),
                    SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
  host_close (&queue);
  host_close (&host);
}

/* --- features ------------------------------------------------------------- */

static void
test_nr_queues (void **state)
{
  struct nvme_cqe cqe;

  /* Not while there are I/O queues. */
  expect_set (7, 0, DNR (NVME_SC_CMD_SEQ_ERROR));
  host_close (&admin);
  host_close (&io);

  host_admin (&admin, &server, 0);
  cqe = feature (nvme_admin_set_features, 7, 126 << 16 | 126);
  assert_int_equal (le32_to_cpu (cqe.dw0), 7 << 16 | 7);
  cqe = feature (nvme_admin_set_features, 7, 1 << 16 | 3);
  assert_int_equal (le32_to_cpu (cqe.dw0), 1 << 16 | 1);
  expect_get (7, 1 << 16 | 1);
  expect_set (7, 0xffff, DNR (NVME_SC_INVALID_FIELD));
  expect_set (7, 0xffff0000, DNR (NVME_SC_INVALID_FIELD));

  /* The third queue was not granted. */
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;

  host_connect_prepare (&admin, &server, 3, &sqe, &data);
  host_open (&io, &server, 0);
  cqe = host_connect_with (&io, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe),
                    SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
  assert_int_equal (le32_to_cpu (cqe.dw0), CONNECT_IPO_SQE (qid));
  io.cntlid = admin.cntlid;
  host_connect (&io, &server, 2);
}

static void
test_features (void **state)
{
  struct nvme_cqe cqe;
  uint8_t hostid[16], expected[16];
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_get_features, .cdw10 = cpu_to_le32 (0x81),
    .cdw11 = cpu_to_le32 (1),
  } };

  expect_get (6, 1);
  expect_set (6, 1, 0);
  expect_set (6, 0, SPECIFIC (NVME_SC_FEATURE_NOT_CHANGEABLE));
  expect_set (0x0f, 5001, 0);
  expect_get (0x0f, 6000);
  expect_set (0x0f, 0, 0);
  expect_get (0x0b, 0);
  expect_set (0x0b, 0x1f, 0);
  expect_get (0x0b, 0x1f);
  expect_set (0x0b, 0x200, DNR (NVME_SC_INVALID_FIELD)); /* not in OAES */
  expect_get (1, 7);
  expect_set (2, 1, DNR (NVME_SC_INVALID_FIELD)); /* no such power state */
  expect_set (0x0c, 0, DNR (NVME_SC_INVALID_FIELD));
  expect_set (6 | 1u << 31, 1, SPECIFIC (NVME_SC_FEATURE_NOT_SAVEABLE));
  cqe = feature (nvme_admin_get_features, 6 | 1 << 8, 0);
  assert_int_equal (nvme_cqe_status (&cqe), DNR (NVME_SC_INVALID_FIELD));

  assert_int_equal (host_status (&admin, &sqe, HOST_READ, hostid, 16), 0);
  memset (expected, admin.hostid, sizeof expected);
  assert_memory_equal (hostid, expected, sizeof hostid);
  sqe.common.opcode = nvme_admin_set_features;
  assert_int_equal (host_status (&admin, &sqe, HOST_IN_CAPSULE, hostid, 16),
                    DNR (NVME_SC_CMD_SEQ_ERROR));
}

/* --- the rest ------------------------------------------------------------- */

static void
test_unknown_opcodes (void **state)
{
  static const uint8_t admin_opcodes[] = { 0x00, 0x01, 0x0d, 0x10, 0x80, 0x84,
                                           0xc0 };
  static const uint8_t io_opcodes[] = { 0x03, 0x04, 0x0c, 0x0d, 0x19, 0x80 };
  union nvme_command sqe;

  for (size_t i = 0; i < sizeof admin_opcodes; i++) {
    sqe = (union nvme_command) { .common.opcode = admin_opcodes[i] };
    assert_int_equal (host_status (&admin, &sqe, HOST_NONE, NULL, 0),
                      DNR (NVME_SC_INVALID_OPCODE));
  }
  for (size_t i = 0; i < sizeof io_opcodes; i++) {
    sqe = (union nvme_command) { .common.opcode = io_opcodes[i] };
    assert_int_equal (host_status (&io, &sqe, HOST_NONE, NULL, 0),
                      DNR (NVME_SC_INVALID_OPCODE));
  }
  sqe = (union nvme_command) { .property = {
    .opcode = nvme_admin_fabrics, .fctype = NVMF_FCTYPE_PROPERTY_GET } };
  assert_int_equal (host_status (&io, &sqe, HOST_NONE, NULL, 0),
                    DNR (NVME_SC_INVALID_OPCODE));
}
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
#define TEST_ON(name, how) \
  cmocka_unit_test_setup_teardown (name, setup_##how, teardown)
#define TEST_BARE(name) \
  cmocka_unit_test_setup_teardown (name, setup_bare, teardown_bare)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_identify_controller),
    TEST (test_identify_namespace),
    TEST_ON (test_identify_namespace_4096, 4096),
    TEST_ON (test_identify_namespace, read_only),
    TEST (test_identify_lists),
    TEST (test_identify_newer),
    TEST (test_identify_refusals),
    TEST (test_logs),
    TEST (test_log_refusals),
    TEST_BARE (test_discovery),
    cmocka_unit_test (test_discovery_unix),
    TEST_BARE (test_discovery_controller),
    TEST (test_nr_queues),
    TEST (test_features),
    TEST (test_unknown_opcodes),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
