/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events, as a host sees them over NVMe/TCP, and what they are
 * about: sizes that change, and the ANA states of the listener that it came by.
 */
#include "tests/unit/attached-fixture.h"

/* --- waiting, and Abort ----------------------------------------------------- */

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

/* --- sizes ------------------------------------------------------------------- */

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

/* --- ANA states ------------------------------------------------------------- */

static uint8_t
ana_state (bool groups_only, bool retain)
{
  struct {
    struct nvme_ana_log header;
    struct nvme_ana_group_desc group;
    __le32 nsid;
  } __attribute__ ((packed)) page;
  union nvme_command sqe = { .common = {
      .opcode = nvme_admin_get_log_page,
      .nsid = cpu_to_le32 (NVME_NSID_ALL),
      .cdw10 = cpu_to_le32 (0x0c | (groups_only ? 1 << 8 : 0) |
                            (retain ? 1 << 15 : 0) |
                            (uint32_t) (sizeof page / 4 - 1) << 16),
    } };

  assert_int_equal (host_status (&admin, &sqe, HOST_READ, &page, sizeof page),
                    0);
  assert_int_equal (le16_to_cpu (page.header.ngrps), 1);
  assert_int_equal (le32_to_cpu (page.group.grpid), 1);
  assert_int_equal (le32_to_cpu (page.group.nnsids), !groups_only);
  assert_int_equal (le32_to_cpu (page.nsid), !groups_only);
  return page.group.state;
}

static void
expect_ana_event (uint16_t cid)
{
  union nvme_tcp_pdu pdu;

  host_read_pdu (&admin, &pdu, NULL, 0);
  assert_int_equal (pdu.rsp.cqe.cid, cid);
  assert_int_equal (le32_to_cpu (pdu.rsp.cqe.dw0), 0x0c0302);
}

static void
change_ana (enum nvme_ana_state ana)
{
  union nvme_command ask = { .common.opcode = nvme_admin_async_event };

  host_begin (&admin, &ask, HOST_NONE, NULL, 0);
  target_set_ana (server.target, server.listener_number, ana);
  expect_ana_event (ask.common.cid);
  assert_int_equal (ana_state (true, true), ana);
  assert_int_equal (ana_state (false, false), ana);
}

static void
expect_io (uint16_t status)
{
  static const uint8_t opcodes[] = { nvme_cmd_read, nvme_cmd_write,
                                     nvme_cmd_flush };
  uint8_t block[512] = { 0 };

  for (size_t i = 0; i < sizeof opcodes; i++) {
    union nvme_command sqe = { .rw = host_rw (opcodes[i], 0, 1) };

    if (opcodes[i] == nvme_cmd_flush)
      sqe = (union nvme_command) { .common = {
          .opcode = nvme_cmd_flush, .nsid = cpu_to_le32 (1) } };
    assert_int_equal (host_status (&io, &sqe,
                                   opcodes[i] == nvme_cmd_read ? HOST_READ :
                                   opcodes[i] == nvme_cmd_write ?
                                   HOST_IN_CAPSULE : HOST_NONE, block,
                                   opcodes[i] == nvme_cmd_flush ? 0 :
                                   sizeof block), status);
  }
}

/* The path that a listener is, as hosts see it. */
static void
test_ana (void **state)
{
  union nvme_command lba_status = { .common = {
      .opcode = nvme_admin_get_lba_status, .nsid = cpu_to_le32 (1) } };
  struct nvme_id_ctrl id;
  struct nvme_id_ns ns;
  uint8_t page[64];

  assert_int_equal (identify (1, 0, &id), 0);
  assert_true (id.cmic & 8);
  assert_true (id.anatt > 0);
  assert_int_equal (id.anacap, 0x47);
  assert_int_equal (le32_to_cpu (id.anagrpmax), 1);
  assert_int_equal (le32_to_cpu (id.nanagrpid), 1);
  assert_int_equal (le32_to_cpu (id.mnan), 1);
  assert_int_equal (identify (0, 1, &ns), 0);
  assert_int_equal (le32_to_cpu (ns.anagrpid), 1);
  assert_int_equal (ana_state (false, false), NVME_ANA_STATE_OPTIMIZED);

  /* Each change is told, and changes what I/O is answered. */
  expect_set (0x0b, 0x800, 0);
  change_ana (NVME_ANA_STATE_NONOPTIMIZED);
  expect_io (0);
  /* Path related, and worth a try elsewhere: no DNR. */
  change_ana (NVME_ANA_STATE_INACCESSIBLE);
  expect_io (0x302);
  assert_int_equal (host_status (&admin, &lba_status, HOST_READ, page,
                                 sizeof page), 0x302);
  assert_int_equal (identify (0, 1, &ns), 0);
  assert_int_equal (le64_to_cpu (ns.nuse), 0);
  assert_true (le64_to_cpu (ns.nsze) > 0);
  change_ana (NVME_ANA_STATE_OPTIMIZED);
  expect_io (0);
}

/* Linux would come back to a path that is said to be good. */
static void
test_ana_of_fenced (void **state)
{
  union nvme_command ask = { .common.opcode = nvme_admin_async_event };

  expect_set (0x0b, 0x800, 0);
  host_begin (&admin, &ask, HOST_NONE, NULL, 0);
  atomic_store (&server.pool->is_fenced, true);
  subsystem_fenced_off (server.subsystem);
  expect_ana_event (ask.common.cid);
  assert_int_equal (ana_state (false, false), NVME_ANA_STATE_INACCESSIBLE);
  expect_io (0x302);
  atomic_store (&server.pool->is_fenced, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_events),
    TEST (test_namespace_events),
    TEST (test_ana),
    TEST (test_ana_of_fenced),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
