/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands, as a host sends them to a real server over NVMe/TCP: what they
 * answer, and what each refusal says.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "tests/unit/server-fixture.h"

static struct server server;
static struct host admin, io;

static int
setup (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  host_attach (&admin, &io, &server, 0);
  return 0;
}

static int
setup_4096 (void **state)
{
  server_start (&server, &(struct server_options) { .block_size = 4096 });
  host_attach (&admin, &io, &server, 0);
  return 0;
}

static int
setup_read_only (void **state)
{
  server_start (&server, &(struct server_options) { .read_only = true });
  host_attach (&admin, &io, &server, 0);
  return 0;
}

static int
setup_digests (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  host_attach (&admin, &io, &server,
               NVME_TCP_DIGEST_HEADER | NVME_TCP_DIGEST_DATA);
  return 0;
}

static int
setup_bare (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

static int
teardown_bare (void **state)
{
  server_stop (&server);
  return 0;
}

static int
teardown (void **state)
{
  host_close (&io);
  host_close (&admin);
  server_stop (&server);
  return 0;
}

#define DNR(sc) STATUS_DNR (sc)
#define SPECIFIC(sc) STATUS_DNR (STATUS_SPECIFIC (sc))

/* --- Connect ------------------------------------------------------------------ */

/* The answer to a Connect on a new connection. */
static struct nvme_cqe
connect_new (const struct nvmf_connect_sqe *sqe,
             const struct nvmf_connect_data *data)
{
  struct nvme_cqe cqe;
  struct host host;

  host_open (&host, &server, 0);
  cqe = host_connect_with (&host, sqe, data);
  host_close (&host);
  return cqe;
}

static void
expect_connect (const struct nvmf_connect_sqe *sqe,
                const struct nvmf_connect_data *data, uint16_t status,
                uint32_t dw0)
{
  struct nvme_cqe cqe = connect_new (sqe, data);

  assert_int_equal (nvme_cqe_status (&cqe), status);
  assert_int_equal (le32_to_cpu (cqe.dw0), dw0);
}

static void
test_connect_refusals (void **state)
{
  const uint16_t invalid = SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM);
  const struct host host = { .hostid = 1 };
  struct nvmf_connect_sqe sqe, good;
  struct nvmf_connect_data data;

  host_connect_prepare (&host, &server, 0, &good, &data);
  sqe = good;
  sqe.recfmt = cpu_to_le16 (1);
  expect_connect (&sqe, &data, SPECIFIC (NVME_SC_CONNECT_FORMAT), 0);
  sqe = good;
  sqe.sqsize_0based = cpu_to_le16 (0);
  expect_connect (&sqe, &data, invalid, CONNECT_IPO_SQE (sqsize_0based));
  sqe.sqsize_0based = cpu_to_le16 (129);
  expect_connect (&sqe, &data, invalid, CONNECT_IPO_SQE (sqsize_0based));

  data.cntlid = cpu_to_le16 (0xfffe);
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (cntlid));
  host_connect_prepare (&host, &server, 0, &good, &data);
  strcat (data.subsysnqn, "x");
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (subsysnqn));
  host_connect_prepare (&host, &server, 0, &good, &data);
  memset (data.subsysnqn, 'n', sizeof data.subsysnqn);
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (subsysnqn));
  host_connect_prepare (&host, &server, 0, &good, &data);
  data.hostnqn[0] = '\0';
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (hostnqn));
}

/* One entry more than CAP.MQES is what some hosts ask for. */
static void
test_connect_slack (void **state)
{
  const struct host host = { .hostid = 1 };
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;

  host_connect_prepare (&host, &server, 0, &sqe, &data);
  sqe.sqsize_0based = cpu_to_le16 (128);
  cqe = connect_new (&sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe), 0);
}

static void
test_connect_io_refusals (void **state)
{
  const uint16_t invalid = SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM);
  struct nvmf_connect_sqe sqe, good;
  struct nvmf_connect_data data;

  host_connect_prepare (&admin, &server, 2, &good, &data);
  data.cntlid = cpu_to_le16 (admin.cntlid + 1);
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (cntlid));
  data.cntlid = cpu_to_le16 (0xffff);
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (cntlid));
  host_connect_prepare (&admin, &server, 2, &good, &data);
  strcat (data.hostnqn, "x");
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (hostnqn));
  host_connect_prepare (&admin, &server, 2, &good, &data);
  data.hostid[15]++;
  expect_connect (&good, &data, invalid, CONNECT_IPO_DATA (hostid));
  host_connect_prepare (&admin, &server, 2, &good, &data);
  sqe = good;
  sqe.qid = cpu_to_le16 (9);
  expect_connect (&sqe, &data, invalid, CONNECT_IPO_SQE (qid));
  sqe.qid = cpu_to_le16 (1);    /* in use */
  expect_connect (&sqe, &data, DNR (NVME_SC_CMD_SEQ_ERROR), 0);
}

static void
test_connect_io_needs_enable (void **state)
{
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct host host;

  host_open (&host, &server, 0);
  host_connect (&host, &server, 0);
  host_connect_prepare (&host, &server, 1, &sqe, &data);
  expect_connect (&sqe, &data, DNR (NVME_SC_CMD_SEQ_ERROR), 0);
  host_close (&host);
}

static void
test_connect_twice (void **state)
{
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;

  host_connect_prepare (&admin, &server, 0, &sqe, &data);
  cqe = host_connect_with (&admin, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe), DNR (NVME_SC_CMD_SEQ_ERROR));
}

/* A refused host may correct itself on the same connection. */
static void
test_connect_again (void **state)
{
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;
  struct host host;

  host_open (&host, &server, 0);
  host_connect_prepare (&host, &server, 0, &sqe, &data);
  data.subsysnqn[5]++;
  cqe = host_connect_with (&host, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe),
                    SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
  host_connect (&host, &server, 0);
  host_close (&host);
}

static void
test_connect_data_length (void **state)
{
  union nvme_command command;
  struct nvmf_connect_data data;
  struct host host;

  host_open (&host, &server, 0);
  host_connect_prepare (&host, &server, 0, &command.connect, &data);
  assert_int_equal (host_status (&host, &command, HOST_IN_CAPSULE, &data,
                                 1020), DNR (NVME_SC_SGL_INVALID_DATA));
  host_connect_prepare (&host, &server, 0, &command.connect, &data);
  command.common.flags = 0xc0;  /* with NVME_SQE_PSDT_SGL: 11b, reserved */
  assert_int_equal (host_status (&host, &command, HOST_IN_CAPSULE, &data,
                                 sizeof data), DNR (NVME_SC_INVALID_FIELD));
  /* And it may be solicited. */
  host_connect_prepare (&host, &server, 0, &command.connect, &data);
  assert_int_equal (host_status (&host, &command, HOST_SOLICITED, &data,
                                 sizeof data), 0);
  host_close (&host);
}

/* Controllers of one host and of several live side by side. */
static void
test_cntlid_unique (void **state)
{
  struct host host[3];

  for (unsigned i = 0; i < 3; i++) {
    host_open (&host[i], &server, 0);
    host[i].hostid = (uint8_t) i;
    host_connect (&host[i], &server, 0);
    for (unsigned j = 0; j < i; j++)
      assert_int_not_equal (host[i].cntlid, host[j].cntlid);
  }
  for (unsigned i = 0; i < 3; i++)
    host_close (&host[i]);
}

/* --- properties ----------------------------------------------------------------- */

static uint16_t
property_status (uint8_t fctype, uint32_t offset, uint8_t attrib)
{
  union nvme_command sqe = { .property = {
    .opcode = nvme_admin_fabrics, .fctype = fctype, .attrib = attrib,
    .offset = cpu_to_le32 (offset),
  } };

  return host_status (&admin, &sqe, HOST_NONE, NULL, 0);
}

static void
test_properties (void **state)
{
  uint64_t cap = host_property_get (&admin, NVME_REG_CAP, true);

  assert_int_equal (NVME_CAP_MQES (cap), 127);
  assert_int_equal (NVME_CAP_CQR (cap), 1);
  assert_int_equal (NVME_CAP_MPSMIN (cap), 0);
  assert_int_equal (NVME_CAP_MPSMAX (cap), 0);
  assert_int_equal (NVME_CAP_DSTRD (cap), 0);
  assert_int_equal (NVME_CAP_CSS (cap), NVME_CAP_CSS_NVM);
  assert_true (NVME_CAP_TO (cap) > 0);
  assert_int_equal (host_property_get (&admin, NVME_REG_VS, false), 0x10400);
  assert_int_equal (host_property_get (&admin, NVME_REG_CC, false),
                    HOST_CC_ENABLE);
  assert_int_equal (host_property_get (&admin, NVME_REG_CSTS, false), 1);
}

static void
test_property_refusals (void **state)
{
  const uint16_t invalid = DNR (NVME_SC_INVALID_FIELD);

  assert_int_equal (property_status (NVMF_FCTYPE_PROPERTY_GET, 0x0c, 0),
                    invalid);
  assert_int_equal (property_status (NVMF_FCTYPE_PROPERTY_GET, NVME_REG_CAP,
                                     0), invalid);
  assert_int_equal (property_status (NVMF_FCTYPE_PROPERTY_GET, NVME_REG_VS,
                                     1), invalid);
  assert_int_equal (property_status (NVMF_FCTYPE_PROPERTY_SET, NVME_REG_VS,
                                     0), invalid);
  assert_int_equal (property_status (NVMF_FCTYPE_PROPERTY_SET, NVME_REG_CC,
                                     1), invalid);
  assert_int_equal (property_status (0x05, 0, 0),
                    DNR (NVME_SC_INVALID_OPCODE));
}

static void
test_cc_invalid (void **state)
{
  /* MPS, CSS, AMS, IOSQES, IOCQES that are not ours. */
  static const uint32_t wrong[] = {
    HOST_CC_ENABLE | 1 << 7, HOST_CC_ENABLE | 1 << 4, HOST_CC_ENABLE | 1 << 11,
    HOST_CC_ENABLE ^ 1 << 16, HOST_CC_ENABLE ^ 1 << 20, 1,
  };

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct host host;

    host_open (&host, &server, 0);
    host_connect (&host, &server, 0);
    assert_int_equal (host_property_set (&host, NVME_REG_CC, wrong[i]), 0);
    assert_int_equal (host_property_get (&host, NVME_REG_CSTS, false), 2);
    host_close (&host);
  }
}

static void
test_commands_need_enable (void **state)
{
  union nvme_command sqe = { .common = { .opcode = nvme_admin_identify,
                                         .cdw10 = cpu_to_le32 (1) } };
  struct host host;

  host_open (&host, &server, 0);
  host_connect (&host, &server, 0);
  assert_int_equal (host_status (&host, &sqe, HOST_READ, NULL, 4096),
                    DNR (NVME_SC_CMD_SEQ_ERROR));
  sqe.common.opcode = nvme_admin_keep_alive;
  assert_int_equal (host_status (&host, &sqe, HOST_NONE, NULL, 0), 0);
  host_close (&host);
}

/* --- Identify ---------------------------------------------------------------------- */

static uint16_t
identify (uint8_t cns, uint32_t nsid, void *data)
{
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_identify, .nsid = cpu_to_le32 (nsid),
    .cdw10 = cpu_to_le32 (cns),
  } };

  return host_status (&admin, &sqe, HOST_READ, data, 4096);
}

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
  assert_int_equal (le32_to_cpu (id.oaes), 0x100);
  assert_true (le32_to_cpu (id.ctratt) & NVME_CTRL_CTRATT_TBKAS);
  assert_true (le16_to_cpu (id.kas) > 0);
  assert_int_equal (id.sqes, 0x66);
  assert_int_equal (id.cqes, 0x44);
  assert_int_equal (le16_to_cpu (id.maxcmd), 128);
  assert_int_equal (le32_to_cpu (id.nn), 1);
  assert_int_equal (le16_to_cpu (id.oncs), NVME_CTRL_ONCS_DSM
                    | NVME_CTRL_ONCS_WRITE_ZEROES);
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

/* --- log pages --------------------------------------------------------------------- */

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

/* --- discovery ---------------------------------------------------------------------- */

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

/* --- features ----------------------------------------------------------------------- */

static struct nvme_cqe
feature (uint8_t opcode, uint32_t cdw10, uint32_t cdw11)
{
  union nvme_command sqe = { .common = {
    .opcode = opcode, .cdw10 = cpu_to_le32 (cdw10),
    .cdw11 = cpu_to_le32 (cdw11),
  } };

  return host_command (&admin, &sqe, HOST_NONE, NULL, 0);
}

static void
expect_set (uint32_t cdw10, uint32_t cdw11, uint16_t status)
{
  struct nvme_cqe cqe = feature (nvme_admin_set_features, cdw10, cdw11);

  assert_int_equal (nvme_cqe_status (&cqe), status);
}

static void
expect_get (uint32_t cdw10, uint32_t value)
{
  struct nvme_cqe cqe = feature (nvme_admin_get_features, cdw10, 0);

  assert_int_equal (nvme_cqe_status (&cqe), 0);
  assert_int_equal (le32_to_cpu (cqe.dw0), value);
}

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
  expect_connect (&sqe, &data, SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM),
                  CONNECT_IPO_SQE (qid));
  host_open (&io, &server, 0);
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

/* --- events, Abort, the rest ------------------------------------------------------------ */

static struct nvme_cqe
abort_command (uint16_t sqid, uint16_t cid)
{
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_abort_cmd,
    .cdw10 = cpu_to_le32 (sqid | (uint32_t) cid << 16),
  } };

  host_begin (&admin, &sqe, HOST_NONE, NULL, 0);
  union nvme_tcp_pdu pdu;
  do
    host_read_pdu (&admin, &pdu, NULL, 0);
  while (pdu.rsp.cqe.cid != sqe.common.cid);
  return pdu.rsp.cqe;
}

static void
test_events (void **state)
{
  union nvme_command sqe = { .common.opcode = nvme_admin_async_event };
  union nvme_tcp_pdu pdu;
  struct nvme_cqe cqe;
  uint16_t first = admin.last_cid + 1;

  /* AERL + 1 are held, the next one is refused. */
  for (unsigned i = 0; i < 4; i++)
    host_begin (&admin, &sqe, HOST_NONE, NULL, 0);
  assert_int_equal (host_status (&admin, &sqe, HOST_NONE, NULL, 0),
                    SPECIFIC (NVME_SC_ASYNC_LIMIT));

  /* One of them can be aborted, first its own answer comes. */
  sqe = (union nvme_command) { .common = {
    .opcode = nvme_admin_abort_cmd,
    .cdw10 = cpu_to_le32 ((uint32_t) first << 16),
  } };
  host_begin (&admin, &sqe, HOST_NONE, NULL, 0);
  host_read_pdu (&admin, &pdu, NULL, 0);
  assert_int_equal (pdu.rsp.cqe.cid, first);
  assert_int_equal (nvme_cqe_status (&pdu.rsp.cqe), NVME_SC_ABORT_REQ);
  host_read_pdu (&admin, &pdu, NULL, 0);
  assert_int_equal (pdu.rsp.cqe.cid, sqe.common.cid);
  assert_int_equal (le32_to_cpu (pdu.rsp.cqe.dw0), 0);

  /* Nothing else can. */
  cqe = abort_command (0, first);
  assert_int_equal (nvme_cqe_status (&cqe), 0);
  assert_int_equal (le32_to_cpu (cqe.dw0), 1);
  cqe = abort_command (1, 1);
  assert_int_equal (le32_to_cpu (cqe.dw0), 1);
}

static void
resize (uint64_t size_bytes)
{
  struct error err;

  assert_int_equal (server.volume->ops->volume_resize (server.volume,
                                                       size_bytes, &err), 0);
  subsystem_resized (server.subsystem);
}

static uint32_t
changed_list (bool retain_event)
{
  __le32 list[1024];
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_get_log_page,
    .nsid = cpu_to_le32 (NVME_NSID_ALL),
    .cdw10 = cpu_to_le32 (4 | 1023 << 16 | (retain_event ? 1u << 15 : 0)),
  } };

  assert_int_equal (host_status (&admin, &sqe, HOST_READ, list, sizeof list),
                    0);
  for (unsigned i = 1; i < 1024; i++)
    assert_int_equal (le32_to_cpu (list[i]), 0);
  return le32_to_cpu (list[0]);
}

static void
expect_event (uint16_t cid)
{
  union nvme_tcp_pdu pdu;

  host_read_pdu (&admin, &pdu, NULL, 0);
  assert_int_equal (pdu.rsp.cqe.cid, cid);
  assert_int_equal (nvme_cqe_status (&pdu.rsp.cqe), 0);
  /* A notice, Namespace Attribute Changed, see log page 04h. */
  assert_int_equal (le32_to_cpu (pdu.rsp.cqe.dw0), 0x040002);
}

/* Each other command that is answered shows that no event came before. */
static void
test_namespace_events (void **state)
{
  union nvme_command sqe = { .common.opcode = nvme_admin_async_event };
  union nvme_command ask = sqe, keep = { .common.opcode =
                                         nvme_admin_keep_alive };
  struct nvme_id_ns ns;

  /* Nobody asked for it: the log says it all the same. */
  host_begin (&admin, &ask, HOST_NONE, NULL, 0);
  resize (65 << 20);
  WAIT_UNTIL (changed_list (true) == 1);
  assert_int_equal (changed_list (false), 1);
  assert_int_equal (changed_list (false), 0);

  /* Told once, until the log is read without RAE. */
  expect_set (0x0b, 0x100, 0);
  expect_get (0x0b, 0x100);
  resize (66 << 20);
  expect_event (ask.common.cid);
  ask = sqe;
  host_begin (&admin, &ask, HOST_NONE, NULL, 0);
  resize (67 << 20);
  assert_int_equal (changed_list (true), 1);
  assert_int_equal (host_status (&admin, &keep, HOST_NONE, NULL, 0), 0);
  assert_int_equal (identify (0, 1, &ns), 0);
  assert_int_equal (le64_to_cpu (ns.nsze), 67 << 11);
  assert_int_equal (changed_list (false), 1);
  resize (68 << 20);
  expect_event (ask.common.cid);

  /* One that nobody waits for is kept. */
  assert_int_equal (changed_list (false), 1);
  resize (69 << 20);
  WAIT_UNTIL (changed_list (true) == 1);
  ask = sqe;
  host_begin (&admin, &ask, HOST_NONE, NULL, 0);
  expect_event (ask.common.cid);
}

static void
test_unknown_opcodes (void **state)
{
  static const uint8_t admin_opcodes[] = { 0x00, 0x01, 0x0d, 0x10, 0x80, 0x84,
                                           0xc0 };
  static const uint8_t io_opcodes[] = { 0x04, 0x05, 0x0c, 0x0d, 0x19, 0x80 };
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

/* --- I/O ----------------------------------------------------------------------------- */

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
  assert_int_equal (rw_status (nvme_cmd_write, 0, 1, HOST_IN_CAPSULE, data,
                               512), protected);
  assert_int_equal (rw_status (nvme_cmd_write, 0, 128, HOST_SOLICITED, data,
                               65536), protected);
  assert_int_equal (rw_status (nvme_cmd_write_zeroes, 0, 1, HOST_NONE, NULL,
                               0), protected);
  assert_int_equal (dsm (1, &range, 16, 1 << 2), protected);
  check_namespace (512);
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

/* --- SQ flow control ---------------------------------------------------------------------- */

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
#define TEST_BARE(name) \
  cmocka_unit_test_setup_teardown (name, setup_bare, teardown_bare)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST_BARE (test_connect_refusals),
    TEST_BARE (test_connect_slack),
    TEST (test_connect_io_refusals),
    TEST_BARE (test_connect_io_needs_enable),
    TEST (test_connect_twice),
    TEST_BARE (test_connect_again),
    TEST_BARE (test_connect_data_length),
    TEST_BARE (test_cntlid_unique),
    TEST (test_properties),
    TEST (test_property_refusals),
    TEST_BARE (test_cc_invalid),
    TEST_BARE (test_commands_need_enable),
    TEST (test_identify_controller),
    TEST (test_identify_namespace),
    TEST_ON (test_identify_namespace_4096, 4096),
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
    TEST (test_events),
    TEST (test_namespace_events),
    TEST (test_unknown_opcodes),
    TEST (test_read_write),
    TEST_ON (test_read_write, digests),
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
