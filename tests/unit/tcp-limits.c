/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts over NVMe/TCP that take more than is theirs: too many commands, answers
 * that are not read, data and handshakes that never come.  Each costs itself
 * its connection, or waits alone, and the next host is served as before.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/hostile-fixture.h"

static uint8_t payload[512];

/* More commands than SQSIZE and its slack: nothing may grow with them. */
static void
test_too_many_in_flight (void **state)
{
  union nvme_command sqe;
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  server_hold_writes (&server);
  for (unsigned i = 0; i < 32 + 2; i++) {
    sqe.rw = host_rw (nvme_cmd_write, i, 1);
    host_begin (&io, &sqe, HOST_IN_CAPSULE, payload, 512);
  }
  WAIT_UNTIL (server_held_writes () == 32 + 2);
  sqe.rw = host_rw (nvme_cmd_write, 99, 1);
  host_begin (&io, &sqe, HOST_IN_CAPSULE, payload, 512);
  host_expect_term (&io, NVME_TCP_FES_SEQUENCE, 0);
  server_release_writes ();
  host_expect_end (&admin);
  host_close (&admin);
  host_close (&io);
  assert_serves ();
}

/* A second command before Connect is answered, or instead of it. */
static void
test_before_connect (void **state)
{
  union nvme_command sqe = { .common.opcode = nvme_admin_identify };
  union nvme_tcp_pdu pdu;
  struct nvme_cqe cqe;
  struct host host;

  host_open (&host, &server, 0);
  sqe.common.cdw10 = cpu_to_le32 (1);
  host_begin (&host, &sqe, HOST_READ, NULL, 4096);
  host_read_pdu (&host, &pdu, NULL, 0);
  cqe = pdu.rsp.cqe;
  assert_int_equal (nvme_cqe_status (&cqe),
                    STATUS_DNR (NVME_SC_CMD_SEQ_ERROR));
  host_close (&host);
}

/* A host that asks for much and never reads: its connection waits, others do
 * not, and it can leave. */
static void
test_never_reads (void **state)
{
  union nvme_command sqe;
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  for (unsigned i = 0; i < 32; i++) {
    sqe.rw = host_rw (nvme_cmd_read, 0, 2048);
    host_begin (&io, &sqe, HOST_READ, NULL, 1 << 20);
  }
  assert_serves ();
  host_close (&io);
  host_expect_end (&admin);
  host_close (&admin);
}

/* Many large writes whose data never come: their buffers are rationed, and
 * the connection still serves what needs none. */
static void
test_never_sends_data (void **state)
{
  union nvme_command sqe;
  union nvme_tcp_pdu pdu;
  struct host admin, io;
  struct nvme_tcp_r2t first;
  bool flushed = false;
  unsigned r2ts = 0;

  host_attach (&admin, &io, &server, 0);
  for (unsigned i = 0; i < 30; i++) {
    sqe.rw = host_rw (nvme_cmd_write, 0, 2048);
    host_begin (&io, &sqe, HOST_SOLICITED, NULL, 1 << 20);
  }
  sqe.rw = (struct nvme_rw_sqe) { .opcode = nvme_cmd_flush,
                                  .nsid = cpu_to_le32 (1) };
  host_begin (&io, &sqe, HOST_NONE, NULL, 0);
  while (!flushed || r2ts < 16) {
    host_read_pdu (&io, &pdu, NULL, 0);
    if (pdu.hdr.type == NVME_TCP_RSP) {
      assert_int_equal (pdu.rsp.cqe.cid, sqe.common.cid);
      flushed = true;
      continue;
    }
    assert_int_equal (pdu.hdr.type, NVME_TCP_R2T);
    if (r2ts++ == 0)
      first = pdu.r2t;
  }

  /* One that is served makes room for the next. */
  static uint8_t megabyte[1 << 20];
  host_send_h2c (&io, &first, 0, megabyte, sizeof megabyte, true);
  host_read_pdu (&io, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_RSP);
  host_read_pdu (&io, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_R2T);
  host_close (&io);
  host_close (&admin);
  assert_serves ();
}

/* Connections that say nothing, or nothing more, do not stay. */
static void
test_handshake_limits (void **state)
{
  struct host silent, idle;

  host_dial (&silent, &server);
  host_open (&idle, &server, 0);
  host_expect_end (&silent);
  host_expect_end (&idle);
  host_close (&silent);
  host_close (&idle);
  assert_serves ();
}

/* Without a descriptor for it a connection waits, and is served later. */
static void
test_out_of_descriptors (void **state)
{
  struct rlimit limit, low;
  union nvme_tcp_pdu pdu;
  struct host host;
  int next;

  assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
  WAIT_UNTIL (transport_connections () == 0);
  next = dup (0);
  close (next);
  low = limit;
  low.rlim_cur = (rlim_t) next + 1;     /* the host's own socket */
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
  host_dial (&host, &server);
  host_send_icreq (&host, 0);
  for (unsigned i = 0; i < 250; i++)
    fixture_nap ();
  assert_int_equal (transport_connections (), 0);
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &limit), 0);
  host_read_pdu (&host, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_ICRESP);
  host_close (&host);
  assert_serves ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_too_many_in_flight),
    cmocka_unit_test (test_before_connect),
    cmocka_unit_test (test_never_reads),
    cmocka_unit_test (test_never_sends_data),
    cmocka_unit_test (test_handshake_limits),
    cmocka_unit_test (test_out_of_descriptors),
  };

  return cmocka_run_group_tests (tests, setup, teardown);
}
