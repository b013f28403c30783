/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connect and the properties, as a host sends them to a real server over
 * NVMe/TCP: what each refusal says.
 */
#include <string.h>

#include "tests/unit/attached-fixture.h"

/* --- Connect -------------------------------------------------------------- */

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

static uint16_t
cntlid_at_gateway (unsigned gateway)
{
  struct host host;
  uint16_t cntlid;

  server.pool->gateway = gateway;
  host_open (&host, &server, 0);
  host_connect (&host, &server, 0);
  cntlid = host.cntlid;
  host_close (&host);
  return cntlid;
}

/* Servers of one pool have parts of the numbers that do not meet. */
static void
test_cntlid_gateways (void **state)
{
  const unsigned part = 0xffef / ENGINE_GATEWAYS_MAX;

  server.pool->nr_gateways = ENGINE_GATEWAYS_MAX;
  assert_int_equal (cntlid_at_gateway (0), 1);
  assert_int_equal (cntlid_at_gateway (0), 2);
  assert_int_equal (cntlid_at_gateway (1), part + 1);
  assert_int_equal (cntlid_at_gateway (15), 15 * part + 1);
  for (unsigned i = 2; i <= part; i++)
    assert_in_range (cntlid_at_gateway (15), 15 * part + 1, 16 * part);
  assert_int_equal (cntlid_at_gateway (15), 15 * part + 1);
}

/* --- properties ----------------------------------------------------------- */

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
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
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
    TEST_BARE (test_cntlid_gateways),
    TEST (test_properties),
    TEST (test_property_refusals),
    TEST_BARE (test_cc_invalid),
    TEST_BARE (test_commands_need_enable),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
