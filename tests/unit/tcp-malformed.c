/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a broken or hostile peer sends over NVMe/TCP: the server names the
 * field in a TermReq and closes, and serves the next host as before.
 * tcp-limits.c has those who send too much, or too little.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/hostile-fixture.h"

#define FEI(type, field) offsetof (struct type, field)

/* --- before the IC exchange ------------------------------------------------ */

static void
expect_icreq_fatal (const struct nvme_tcp_icreq *icreq, size_t bytes,
                    uint16_t fes, uint32_t fei)
{
  struct host host;

  host_dial (&host, &server);
  host_send (&host, icreq, bytes);
  expect_fatal (&host, fes, fei);
}

static struct nvme_tcp_icreq
good_icreq (void)
{
  return (struct nvme_tcp_icreq) {
    .hdr = { .type = NVME_TCP_ICREQ, .hlen = 128,
             .plen = cpu_to_le32 (128) },
  };
}

static void
test_icreq_fields (void **state)
{
  struct nvme_tcp_icreq icreq;

  icreq = good_icreq ();
  icreq.pfv = cpu_to_le16 (1);
  expect_icreq_fatal (&icreq, sizeof icreq, NVME_TCP_FES_UNSUPPORTED,
                      FEI (nvme_tcp_icreq, pfv));
  icreq = good_icreq ();
  icreq.hpda = 1;
  expect_icreq_fatal (&icreq, sizeof icreq, NVME_TCP_FES_UNSUPPORTED,
                      FEI (nvme_tcp_icreq, hpda));
  icreq = good_icreq ();
  icreq.hpda = 32;
  expect_icreq_fatal (&icreq, sizeof icreq, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_icreq, hpda));
  icreq = good_icreq ();
  icreq.digest = 4;
  expect_icreq_fatal (&icreq, sizeof icreq, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_icreq, digest));
}

static void
test_icreq_header (void **state)
{
  struct nvme_tcp_icreq icreq;

  icreq = good_icreq ();
  icreq.hdr.hlen = 127;
  expect_icreq_fatal (&icreq, sizeof icreq.hdr, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_hdr, hlen));
  icreq = good_icreq ();
  icreq.hdr.plen = cpu_to_le32 (129);
  expect_icreq_fatal (&icreq, sizeof icreq.hdr, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_hdr, plen));
  icreq = good_icreq ();
  icreq.hdr.plen = cpu_to_le32 (0);
  expect_icreq_fatal (&icreq, sizeof icreq.hdr, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_hdr, plen));
  icreq = good_icreq ();
  icreq.hdr.flags = 1;
  expect_icreq_fatal (&icreq, sizeof icreq.hdr, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_hdr, flags));
  icreq = good_icreq ();
  icreq.hdr.pdo = 4;
  expect_icreq_fatal (&icreq, sizeof icreq.hdr, NVME_TCP_FES_INVALID_HEADER,
                      FEI (nvme_tcp_hdr, pdo));
}

static void
test_types_before_ic (void **state)
{
  static const uint8_t wrong[] = { NVME_TCP_CMD, NVME_TCP_H2C_DATA };
  static const uint8_t unknown[] = {
    NVME_TCP_ICRESP, NVME_TCP_C2H_TERM, NVME_TCP_RSP, NVME_TCP_C2H_DATA, 0x08,
    NVME_TCP_R2T, 0x0a, 0x7f, 0xff,
  };
  struct nvme_tcp_icreq icreq = good_icreq ();

  for (size_t i = 0; i < sizeof wrong; i++) {
    icreq.hdr.type = wrong[i];
    expect_icreq_fatal (&icreq, sizeof icreq.hdr, NVME_TCP_FES_SEQUENCE, 0);
  }
  for (size_t i = 0; i < sizeof unknown; i++) {
    icreq.hdr.type = unknown[i];
    expect_icreq_fatal (&icreq, sizeof icreq.hdr,
                        NVME_TCP_FES_INVALID_HEADER, 0);
  }
}

static void
test_other_protocol (void **state)
{
  static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  struct host host;

  host_dial (&host, &server);
  host_send (&host, http, strlen (http));
  expect_fatal (&host, NVME_TCP_FES_INVALID_HEADER, 0);
}

/* A connection that ends in the middle of anything. */
static void
test_cut_short (void **state)
{
  struct nvme_tcp_icreq icreq = good_icreq ();
  struct host host;

  for (size_t n = 0; n < sizeof icreq; n += 7) {
    host_dial (&host, &server);
    host_send (&host, &icreq, n);
    host_close (&host);
  }
  assert_serves ();
}

/* Every byte in a segment of its own. */
static void
test_byte_by_byte (void **state)
{
  struct nvme_tcp_icreq icreq = good_icreq ();
  union nvme_tcp_pdu pdu;
  struct host host;

  host_dial (&host, &server);
  for (size_t i = 0; i < sizeof icreq; i++)
    host_send (&host, (uint8_t *) &icreq + i, 1);
  host_read_pdu (&host, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_ICRESP);
  host_close (&host);
}

static void
test_host_term (void **state)
{
  const struct tcp_fault fault = { .fes = 6, .fei = 10, .field = "hpda" };
  struct nvme_tcp_term term;
  struct host host;

  host_dial (&host, &server);
  tcp_make_term (&term, NVME_TCP_H2C_TERM, &fault, 0);
  host_send (&host, &term, sizeof term);
  host_expect_end (&host);
  host_close (&host);

  host_open (&host, &server, 0);
  host_send (&host, &term, sizeof term);
  host_expect_end (&host);
  host_close (&host);
  assert_serves ();
}

/* --- after it ----------------------------------------------------------------- */

static void
expect_header_fatal (struct nvme_tcp_hdr hdr, uint16_t fes, uint32_t fei)
{
  struct host host;

  host_open (&host, &server, 0);
  host_send (&host, &hdr, sizeof hdr);
  expect_fatal (&host, fes, fei);
}

static struct nvme_tcp_hdr
good_cmd_hdr (void)
{
  return (struct nvme_tcp_hdr) {
    .type = NVME_TCP_CMD, .hlen = 72, .plen = cpu_to_le32 (72),
  };
}

static void
test_capsule_header (void **state)
{
  struct nvme_tcp_hdr hdr;

  hdr = good_cmd_hdr ();
  hdr.type = NVME_TCP_ICREQ;
  expect_header_fatal (hdr, NVME_TCP_FES_SEQUENCE, 0);
  hdr = good_cmd_hdr ();
  hdr.type = NVME_TCP_RSP;
  expect_header_fatal (hdr, NVME_TCP_FES_INVALID_HEADER, 0);
  hdr = good_cmd_hdr ();
  hdr.hlen = 24;
  expect_header_fatal (hdr, NVME_TCP_FES_INVALID_HEADER,
                       FEI (nvme_tcp_hdr, hlen));
  hdr = good_cmd_hdr ();
  hdr.plen = cpu_to_le32 (71);
  expect_header_fatal (hdr, NVME_TCP_FES_INVALID_HEADER,
                       FEI (nvme_tcp_hdr, plen));
  hdr = good_cmd_hdr ();
  hdr.plen = cpu_to_le32 (UINT32_MAX);
  expect_header_fatal (hdr, NVME_TCP_FES_INVALID_HEADER,
                       FEI (nvme_tcp_hdr, plen));
  hdr = good_cmd_hdr ();
  hdr.flags = NVME_TCP_F_HDGST;
  expect_header_fatal (hdr, NVME_TCP_FES_INVALID_HEADER,
                       FEI (nvme_tcp_hdr, flags));
  hdr = good_cmd_hdr ();
  hdr.pdo = 76;
  hdr.plen = cpu_to_le32 (72 + 1024);
  expect_header_fatal (hdr, NVME_TCP_FES_INVALID_HEADER,
                       FEI (nvme_tcp_hdr, pdo));
}

static void
expect_capsule_fatal (uint32_t pdu_bytes, const struct nvme_sgl *sgl,
                      uint32_t fei)
{
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_fabrics, .flags = NVME_SQE_PSDT_SGL, .dptr = *sgl,
  } };
  static const uint8_t zeroes[65536];
  struct host host;

  host_open (&host, &server, 0);
  host_send_capsule (&host, &sqe, zeroes, pdu_bytes);
  expect_fatal (&host, NVME_TCP_FES_INVALID_HEADER, fei);
}

static void
test_capsule_sgl (void **state)
{
  struct nvme_sgl sgl = {
    .type = NVME_SGL_DATA_OFFSET, .length = cpu_to_le32 (1024),
  };

  /* Too much for an admin capsule. */
  expect_capsule_fatal (8196, &sgl, FEI (nvme_tcp_hdr, plen));
  /* SGL and PDU disagree. */
  expect_capsule_fatal (1020, &sgl,
                        FEI (nvme_tcp_cmd, sqe.common.dptr.length));
  expect_capsule_fatal (0, &sgl,
                        FEI (nvme_tcp_cmd, sqe.common.dptr.length));
  sgl.addr = cpu_to_le64 (4);
  expect_capsule_fatal (1024, &sgl,
                        FEI (nvme_tcp_cmd, sqe.common.dptr.addr));
  sgl.addr = cpu_to_le64 (0);
  sgl.type = NVME_SGL_TRANSPORT;
  expect_capsule_fatal (1024, &sgl,
                        FEI (nvme_tcp_cmd, sqe.common.dptr.type));
}

static void
test_header_digest (void **state)
{
  union nvme_command sqe = { .common.opcode = nvme_admin_identify };
  struct nvme_tcp_cmd cmd = { .sqe = sqe };
  const uint8_t wrong[4] = { 1, 2, 3, 4 };
  struct host host;

  host_open (&host, &server, NVME_TCP_DIGEST_HEADER);
  tcp_make_hdr (&cmd.hdr, NVME_TCP_CMD, 0, 0, &host.agreed);
  host_send (&host, &cmd, sizeof cmd);
  host_send (&host, wrong, sizeof wrong);
  expect_fatal (&host, NVME_TCP_FES_HDGST, 0);
}

/* A wrong data digest fails the command, not the connection. */
static void
test_data_digest (void **state)
{
  static uint8_t data[4096];
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_write, 0, 8) };
  struct host admin, io;
  union nvme_tcp_pdu pdu;
  struct nvme_tcp_cmd cmd;

  host_attach (&admin, &io, &server, NVME_TCP_DIGEST_DATA);
  sqe.common.flags = NVME_SQE_PSDT_SGL;
  sqe.common.cid = 7;
  sqe.common.dptr.type = NVME_SGL_DATA_OFFSET;
  sqe.common.dptr.length = cpu_to_le32 (sizeof data);
  cmd.sqe = sqe;
  tcp_make_hdr (&cmd.hdr, NVME_TCP_CMD, 0, sizeof data, &io.agreed);
  host_send (&io, &cmd, sizeof cmd);
  host_send (&io, data, sizeof data);
  host_send (&io, "\1\2\3\4", 4);
  host_read_pdu (&io, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_RSP);
  assert_int_equal (nvme_cqe_status (&pdu.rsp.cqe), NVME_SC_TRAN_TPORT_ERROR);

  sqe.rw = host_rw (nvme_cmd_write, 0, 8);
  assert_int_equal (host_status (&io, &sqe, HOST_IN_CAPSULE, data,
                                 sizeof data), 0);
  host_close (&io);
  host_close (&admin);
}

/* --- solicited data ------------------------------------------------------------- */

/* Attached, a write of 64 KiB asked for: *r2t is what the server wants. */
static void
begin_write (struct host *admin, struct host *io, struct nvme_tcp_r2t *r2t)
{
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_write, 0, 128) };
  union nvme_tcp_pdu pdu;

  host_attach (admin, io, &server, 0);
  host_begin (io, &sqe, HOST_SOLICITED, NULL, 65536);
  host_read_pdu (io, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_R2T);
  *r2t = pdu.r2t;
}

static uint8_t payload[65536 + 4];

static void
expect_h2c_fatal (struct nvme_tcp_r2t r2t, struct host *admin,
                  struct host *io, uint32_t datao, uint32_t bytes, bool last,
                  uint16_t fes, uint32_t fei)
{
  host_send_h2c (io, &r2t, datao, payload, bytes, last);
  host_expect_term (io, fes, fei);
  /* The whole controller is fenced. */
  host_expect_end (admin);
  host_close (admin);
  host_close (io);
  assert_serves ();
}

static void
test_h2c_tags (void **state)
{
  struct host admin, io;
  struct nvme_tcp_r2t r2t;

  begin_write (&admin, &io, &r2t);
  r2t.ttag ^= 0xffff;
  expect_h2c_fatal (r2t, &admin, &io, 0, 65536, true,
                    NVME_TCP_FES_INVALID_HEADER, FEI (nvme_tcp_data, ttag));
  begin_write (&admin, &io, &r2t);
  r2t.cccid ^= 0xffff;
  expect_h2c_fatal (r2t, &admin, &io, 0, 65536, true,
                    NVME_TCP_FES_INVALID_HEADER, FEI (nvme_tcp_data, cccid));
}

static void
test_h2c_range (void **state)
{
  struct host admin, io;
  struct nvme_tcp_r2t r2t;

  begin_write (&admin, &io, &r2t);
  expect_h2c_fatal (r2t, &admin, &io, 4096, 4096, false,
                    NVME_TCP_FES_RANGE, 0);
  begin_write (&admin, &io, &r2t);
  expect_h2c_fatal (r2t, &admin, &io, 0, 65540, true,
                    NVME_TCP_FES_RANGE, 0);
  begin_write (&admin, &io, &r2t);
  expect_h2c_fatal (r2t, &admin, &io, 0, 4096, true,
                    NVME_TCP_FES_INVALID_HEADER, FEI (nvme_tcp_hdr, flags));
  begin_write (&admin, &io, &r2t);
  expect_h2c_fatal (r2t, &admin, &io, 0, 65536, false,
                    NVME_TCP_FES_INVALID_HEADER, FEI (nvme_tcp_hdr, flags));
}

/* The same data a second time: the tag is not outstanding any more. */
static void
test_h2c_twice (void **state)
{
  struct host admin, io;
  struct nvme_tcp_r2t r2t;

  begin_write (&admin, &io, &r2t);
  host_send_h2c (&io, &r2t, 0, payload, 65536, true);
  expect_h2c_fatal (r2t, &admin, &io, 0, 65536, true,
                    NVME_TCP_FES_INVALID_HEADER, FEI (nvme_tcp_data, ttag));
}

static void
test_h2c_unsolicited (void **state)
{
  const struct nvme_tcp_r2t r2t = { .ttag = 1 };
  struct host host;

  host_open (&host, &server, 0);
  host_send_h2c (&host, &r2t, 0, payload, 4096, true);
  expect_fatal (&host, NVME_TCP_FES_INVALID_HEADER,
                FEI (nvme_tcp_data, ttag));
}

/* Data in many PDUs, the connection lost in the middle of the last. */
static void
test_h2c_cut_short (void **state)
{
  struct host admin, io;
  struct nvme_tcp_r2t r2t;
  struct nvme_tcp_data h2c = { .datao = cpu_to_le32 (32768),
                               .datal = cpu_to_le32 (32768) };

  begin_write (&admin, &io, &r2t);
  host_send_h2c (&io, &r2t, 0, payload, 16384, false);
  host_send_h2c (&io, &r2t, 16384, payload, 16384, false);
  h2c.cccid = r2t.cccid;
  h2c.ttag = r2t.ttag;
  tcp_make_hdr (&h2c.hdr, NVME_TCP_H2C_DATA, NVME_TCP_F_DATA_LAST, 32768,
                &io.agreed);
  host_send (&io, &h2c, sizeof h2c);
  host_send (&io, payload, 20000);
  host_close (&io);
  host_expect_end (&admin);
  host_close (&admin);
  assert_serves ();
}

/* --- chance ------------------------------------------------------------------------- */

/* What a host sends that attaches and does a little of everything, recorded;
 * returns the bytes. */
static size_t
record_session (uint8_t *to, size_t max, bool discovery)
{
  static uint8_t data[4096];
  union nvme_command sqe;
  struct nvmf_connect_data connect;
  struct host host = { .hostid = 1 };
  size_t n = 0;
  ssize_t r;
  int pair[2];

  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, pair), 0);
  host.fd = pair[0];
  host.agreed.peer = TCP_PEER_CONTROLLER;
  host_send_icreq (&host, 0);
  host_connect_prepare (&host, &server, 0, &sqe.connect, &connect);
  if (discovery)
    strcpy (connect.subsysnqn, NVMEOF_DISCOVERY_NQN);
  host_begin (&host, &sqe, HOST_IN_CAPSULE, &connect, sizeof connect);
  sqe = (union nvme_command) { .property = {
    .opcode = nvme_admin_fabrics, .offset = cpu_to_le32 (NVME_REG_CC),
    .value = cpu_to_le64 (HOST_CC_ENABLE) } };
  host_begin (&host, &sqe, HOST_NONE, NULL, 0);
  for (unsigned opcode = 0; opcode < 0x20; opcode++) {
    sqe = (union nvme_command) { .common = {
      .opcode = (uint8_t) opcode, .nsid = cpu_to_le32 (1),
      .cdw10 = cpu_to_le32 (opcode == nvme_admin_get_log_page
                            ? 0x03ff0070 : 1) } };
    host_begin (&host, &sqe, opcode & 1 ? HOST_IN_CAPSULE : HOST_READ, data,
                4096);
  }
  shutdown (pair[0], SHUT_WR);
  while ((r = recv (pair[1], to + n, max - n, 0)) > 0)
    n += (size_t) r;
  close (pair[0]);
  close (pair[1]);
  return n;
}

static void
test_mutations (void **state)
{
  static uint8_t good[1 << 18], bad[1 << 18];
  unsigned seed = 20;

  for (unsigned round = 0; round < 400; round++) {
    size_t n = record_session (good, sizeof good, round & 1);
    unsigned flips = 1 + (unsigned) rand_r (&seed) % 8;
    struct host host;

    memcpy (bad, good, n);
    for (unsigned i = 0; i < flips; i++) {
      /* Mostly in the first PDUs, or nothing would get that far. */
      size_t range = rand_r (&seed) & 1 ? 1400 : n;

      bad[(size_t) rand_r (&seed) % range] ^=
        (uint8_t) (1u << rand_r (&seed) % 8);
    }
    host_dial (&host, &server);
    /* The server may close in the middle. */
    for (size_t sent = 0; sent < n;) {
      ssize_t r = send (host.fd, bad + sent, n - sent, MSG_NOSIGNAL);

      if (r <= 0)
        break;
      sent += (size_t) r;
    }
    shutdown (host.fd, SHUT_WR);
    host_expect_end (&host);
    host_close (&host);
  }
  assert_serves ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_icreq_fields),
    cmocka_unit_test (test_icreq_header),
    cmocka_unit_test (test_types_before_ic),
    cmocka_unit_test (test_other_protocol),
    cmocka_unit_test (test_cut_short),
    cmocka_unit_test (test_byte_by_byte),
    cmocka_unit_test (test_host_term),
    cmocka_unit_test (test_capsule_header),
    cmocka_unit_test (test_capsule_sgl),
    cmocka_unit_test (test_header_digest),
    cmocka_unit_test (test_data_digest),
    cmocka_unit_test (test_h2c_tags),
    cmocka_unit_test (test_h2c_range),
    cmocka_unit_test (test_h2c_twice),
    cmocka_unit_test (test_h2c_unsolicited),
    cmocka_unit_test (test_h2c_cut_short),
    cmocka_unit_test (test_mutations),
  };

  return cmocka_run_group_tests (tests, setup, teardown);
}
