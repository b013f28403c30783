/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checks of each PDU type's own fields, behind a good common header.
 */
#include "tests/unit/pdu.h"

static int
check_icreq (const union nvme_tcp_pdu *pdu, void *arg,
             struct tcp_fault *fault)
{
  return tcp_check_icreq (&pdu->icreq, fault);
}

static void
icreq (void **state)
{
  static const struct change changes[] = {
    BAD (IC_PFV, 2, 1, UNSUPPORTED, 8, "pfv"),
    BAD (IC_PFV, 2, 0x100, UNSUPPORTED, 8, "pfv"),
    BAD (IC_PDA, 1, 1, UNSUPPORTED, 10, "hpda"),
    BAD (IC_PDA, 1, 31, UNSUPPORTED, 10, "hpda"),
    BAD (IC_PDA, 1, 32, INVALID_HEADER, 10, "hpda"),
    BAD (IC_PDA, 1, 255, INVALID_HEADER, 10, "hpda"),
    GOOD (IC_DGST, 1, 1),
    GOOD (IC_DGST, 1, 2),
    GOOD (IC_DGST, 1, 3),
    BAD (IC_DGST, 1, 4, INVALID_HEADER, 11, "digest"),
    BAD (IC_DGST, 1, 0x80, INVALID_HEADER, 11, "digest"),
    GOOD (IC_MAX, 4, 0),
    GOOD (IC_MAX, 4, UINT32_MAX),
    GOOD (16, 4, UINT32_MAX),           /* reserved */
    GOOD (124, 4, UINT32_MAX),
  };
  union nvme_tcp_pdu pdu = header (NVME_TCP_ICREQ, 0, 128, 0, 128);

  run (&pdu, changes, COUNT (changes), check_icreq, NULL);
}

static int
check_icresp (const union nvme_tcp_pdu *pdu, void *arg,
              struct tcp_fault *fault)
{
  return tcp_check_icresp (&pdu->icresp, *(uint8_t *) arg, fault);
}

static void
icresp (void **state)
{
  static const struct change changes[] = {
    BAD (IC_PFV, 2, 1, UNSUPPORTED, 8, "pfv"),
    BAD (IC_PDA, 1, 1, UNSUPPORTED, 10, "cpda"),
    BAD (IC_PDA, 1, 31, UNSUPPORTED, 10, "cpda"),
    BAD (IC_PDA, 1, 32, INVALID_HEADER, 10, "cpda"),
    BAD (IC_DGST, 1, 4, INVALID_HEADER, 11, "digest"),
    BAD (IC_MAX, 4, 0, INVALID_HEADER, 12, "maxh2cdata"),
    BAD (IC_MAX, 4, 4095, INVALID_HEADER, 12, "maxh2cdata"),
    GOOD (IC_MAX, 4, 4096),
    BAD (IC_MAX, 4, 4097, INVALID_HEADER, 12, "maxh2cdata"),
    BAD (IC_MAX, 4, 4098, INVALID_HEADER, 12, "maxh2cdata"),
    GOOD (IC_MAX, 4, 4100),
    GOOD (IC_MAX, 4, 0x400000),         /* nvmet's */
    GOOD (IC_MAX, 4, UINT32_MAX - 3),
    BAD (IC_MAX, 4, UINT32_MAX, INVALID_HEADER, 12, "maxh2cdata"),
  };
  union nvme_tcp_pdu pdu = header (NVME_TCP_ICRESP, 0, 128, 0, 128);

  put (&pdu, IC_MAX, 4, 131072);
  for (unsigned offered = 0; offered < 4; offered++) {
    uint8_t arg = (uint8_t) offered;

    run (&pdu, changes, COUNT (changes), check_icresp, &arg);
    for (unsigned answer = 0; answer < 4; answer++) {
      struct change c = answer & ~offered ?
        (struct change) BAD (IC_DGST, 1, answer, INVALID_HEADER, 11,
                             "digest") :
        (struct change) GOOD (IC_DGST, 1, answer);

      run (&pdu, &c, 1, check_icresp, &arg);
    }
  }
}

struct cmd_arg {
  struct tcp_agreed agreed;
  uint32_t in_capsule_max;
};

static int
check_cmd (const union nvme_tcp_pdu *pdu, void *arg, struct tcp_fault *fault)
{
  struct cmd_arg *a = arg;

  assert_int_equal (tcp_check_header (&pdu->hdr, &a->agreed, fault), 0);
  return tcp_check_cmd (&pdu->cmd, &a->agreed, a->in_capsule_max, fault);
}

static void
cmd_in_capsule (void **state)
{
  static const struct change changes[] = {
    BAD (CMD_SGL_TYPE, 1, 0x00, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_TYPE, 1, 0x5a, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_TYPE, 1, 0x02, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_TYPE, 1, 0x11, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_TYPE, 1, 0x21, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_TYPE, 1, 0x31, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_TYPE, 1, 0x40, INVALID_HEADER, 47, "sqe.common.dptr.type"),
    BAD (CMD_SGL_ADDR, 4, 1, INVALID_HEADER, 32, "sqe.common.dptr.addr"),
    BAD (CMD_SGL_ADDR + 7, 1, 0x80, INVALID_HEADER, 32,
         "sqe.common.dptr.addr"),
    BAD (CMD_SGL_LENGTH, 4, 0, INVALID_HEADER, 40, "sqe.common.dptr.length"),
    BAD (CMD_SGL_LENGTH, 4, 4095, INVALID_HEADER, 40,
         "sqe.common.dptr.length"),
    BAD (CMD_SGL_LENGTH, 4, 4097, INVALID_HEADER, 40,
         "sqe.common.dptr.length"),
    BAD (CMD_SGL_LENGTH, 4, UINT32_MAX, INVALID_HEADER, 40,
         "sqe.common.dptr.length"),
  };

  for (unsigned digests = 0; digests < 4; digests++) {
    bool hdgst = digests & 1, ddgst = digests & 2;
    struct cmd_arg arg = {
      .agreed = agreed_with (TCP_PEER_HOST, hdgst, ddgst),
      .in_capsule_max = IN_CAPSULE_MAX,
    };
    uint8_t pdo = hdgst ? 76 : 72;
    uint32_t behind = ddgst ? 4 : 0;
    union nvme_tcp_pdu pdu = header (NVME_TCP_CMD, (uint8_t) digests, 72, pdo,
                                     pdo + 4096 + behind);
    struct change plen;

    put (&pdu, CMD_SGL_TYPE, 1, 0x01);
    put (&pdu, CMD_SGL_LENGTH, 4, 4096);
    run (&pdu, changes, COUNT (changes), check_cmd, &arg);
    plen = (struct change) BAD (PLEN, 4, pdo + 4097 + behind, INVALID_HEADER,
                                40, "sqe.common.dptr.length");
    run (&pdu, &plen, 1, check_cmd, &arg);

    /* As much as is allowed in a capsule, and a byte more. */
    arg.in_capsule_max = 4096;
    run (&pdu, NULL, 0, check_cmd, &arg);
    put (&pdu, CMD_SGL_LENGTH, 4, 4097);
    plen = (struct change) BAD (PLEN, 4, pdo + 4097 + behind, INVALID_HEADER,
                                4, "hdr.plen");
    arg.in_capsule_max = 8192;
    put (&pdu, PLEN, 4, plen.value);
    run (&pdu, NULL, 0, check_cmd, &arg);
    put (&pdu, PLEN, 4, pdo + 4096 + behind);
    put (&pdu, CMD_SGL_LENGTH, 4, 4096);
    arg.in_capsule_max = 4096;
    run (&pdu, &plen, 1, check_cmd, &arg);
  }
}

/* No data in the PDU, by the SGLs that real hosts send then. */
static void
cmd_without_data (void **state)
{
  static const struct change changes[] = {
    GOOD (CMD_SGL_TYPE, 1, 0x5a),               /* Linux, SPDK */
    GOOD (CMD_SGL_LENGTH, 4, UINT32_MAX),       /* the target judges it */
    GOOD (CMD_SGL_TYPE, 1, 0x00),               /* SPDK 19.01 */
    GOOD (CMD_SGL_TYPE, 1, 0x40),               /* the target's to refuse */
    GOOD (PDO, 1, 72),
    BAD (CMD_SGL_TYPE, 1, 0x01, INVALID_HEADER, 40,
         "sqe.common.dptr.length"),
  };
  static const struct change empty[] = {
    GOOD (CMD_SGL_TYPE, 1, 0x01),               /* SPDK: a block of 0 bytes */
  };
  struct cmd_arg arg = {
    .agreed = agreed_with (TCP_PEER_HOST, false, false),
    .in_capsule_max = 0,
  };
  union nvme_tcp_pdu pdu = header (NVME_TCP_CMD, 0, 72, 0, 72);

  put (&pdu, CMD_SGL_TYPE, 1, 0x5a);
  put (&pdu, CMD_SGL_LENGTH, 4, 65536);
  run (&pdu, changes, COUNT (changes), check_cmd, &arg);
  put (&pdu, CMD_SGL_LENGTH, 4, 0);
  run (&pdu, empty, COUNT (empty), check_cmd, &arg);
}

struct data_arg {
  struct tcp_agreed agreed;
  struct tcp_expect expect;
  bool success_allowed;
};

static int
check_h2c (const union nvme_tcp_pdu *pdu, void *arg, struct tcp_fault *fault)
{
  struct data_arg *a = arg;

  assert_int_equal (tcp_check_header (&pdu->hdr, &a->agreed, fault), 0);
  return tcp_check_h2c_data (&pdu->data, &a->agreed, &a->expect, fault);
}

static int
check_c2h (const union nvme_tcp_pdu *pdu, void *arg, struct tcp_fault *fault)
{
  struct data_arg *a = arg;

  assert_int_equal (tcp_check_header (&pdu->hdr, &a->agreed, fault), 0);
  return tcp_check_c2h_data (&pdu->data, &a->agreed, &a->expect,
                             a->success_allowed, fault);
}

static union nvme_tcp_pdu
data_pdu (const struct data_arg *arg, uint8_t type, uint8_t flags,
          uint32_t datao, uint32_t datal)
{
  bool hdgst = arg->agreed.hdgst, ddgst = arg->agreed.ddgst;
  uint8_t pdo = hdgst ? 28 : 24;
  union nvme_tcp_pdu pdu = header (type, (uint8_t) (flags | (hdgst ? 1 : 0) |
                                                    (ddgst ? 2 : 0)),
                                   24, pdo, pdo + datal + (ddgst ? 4 : 0));

  put (&pdu, DATA_CCCID, 2, 0x1234);
  put (&pdu, DATA_TTAG, 2, 0x4321);
  put (&pdu, DATA_DATAO, 4, datao);
  put (&pdu, DATA_DATAL, 4, datal);
  return pdu;
}

/* What both directions have alike, in the middle of a transfer and at its
 * end, with every choice of digests. */
static void
data_common (uint8_t type, enum tcp_peer peer, check_fn *check)
{
  static const struct change changes[] = {
    BAD (DATA_CCCID, 2, 0x1235, INVALID_HEADER, 8, "cccid"),
    BAD (DATA_CCCID, 2, 0x3412, INVALID_HEADER, 8, "cccid"),
    BAD (DATA_DATAO, 4, 0, RANGE, 0, "datao"),
    BAD (DATA_DATAO, 4, 4095, RANGE, 0, "datao"),
    BAD (DATA_DATAO, 4, 4097, RANGE, 0, "datao"),
    BAD (DATA_DATAO, 4, UINT32_MAX, RANGE, 0, "datao"),
    BAD (DATA_DATAL, 4, 0, INVALID_HEADER, 16, "datal"),
    BAD (DATA_DATAL, 4, 1023, INVALID_HEADER, 16, "datal"),
    BAD (DATA_DATAL, 4, 1025, INVALID_HEADER, 16, "datal"),
    BAD (DATA_DATAL, 4, UINT32_MAX, INVALID_HEADER, 16, "datal"),
    GOOD (20, 4, UINT32_MAX),           /* reserved */
  };

  for (unsigned digests = 0; digests < 4; digests++) {
    struct data_arg arg = {
      .agreed = agreed_with (peer, digests & 1, digests & 2),
      .expect = { .cccid = (uint16_t) 0, .datao = 4096, .left = 2048,
                  .pdu_max = 4096 },
    };
    struct change last;
    union nvme_tcp_pdu pdu;

    /* Tags are opaque: their bytes as they are on the wire. */
    memcpy (&arg.expect.cccid, "\x34\x12", 2);
    memcpy (&arg.expect.ttag, "\x21\x43", 2);
    pdu = data_pdu (&arg, type, 0, 4096, 1024);
    run (&pdu, changes, COUNT (changes), check, &arg);
    last = (struct change) BAD (FLAGS, 1, digests | 4, INVALID_HEADER, 1,
                                "hdr.flags");
    run (&pdu, &last, 1, check, &arg);          /* LAST too early */

    pdu = data_pdu (&arg, type, 4, 4096, 2048);
    last = (struct change) BAD (FLAGS, 1, digests, INVALID_HEADER, 1,
                                "hdr.flags");
    run (&pdu, &last, 1, check, &arg);          /* LAST is missing */

    arg.expect.left = 1;
    pdu = data_pdu (&arg, type, 4, 4096, 1);
    run (&pdu, NULL, 0, check, &arg);
  }
}

/* More than the transfer has left, or than the receiver takes at once. */
static void
data_limits (uint8_t type, enum tcp_peer peer, check_fn *check)
{
  struct data_arg arg = {
    .agreed = agreed_with (peer, false, false),
    .expect = { .datao = 0, .left = 2048, .pdu_max = 1024 },
  };
  struct tcp_fault fault;
  union nvme_tcp_pdu pdu;

  memcpy (&arg.expect.cccid, "\x34\x12", 2);
  memcpy (&arg.expect.ttag, "\x21\x43", 2);
  pdu = data_pdu (&arg, type, 0, 0, 1024);
  assert_int_equal (check (&pdu, &arg, &fault), 0);
  pdu = data_pdu (&arg, type, 0, 0, 1025);
  assert_int_equal (check (&pdu, &arg, &fault), -1);
  assert_int_equal (fault.fes, NVME_TCP_FES_LIMIT);
  assert_int_equal (fault.fei, 0);
  assert_string_equal (fault.field, "datal");

  arg.expect.pdu_max = UINT32_MAX;
  pdu = data_pdu (&arg, type, 4, 0, 2049);
  assert_int_equal (check (&pdu, &arg, &fault), -1);
  assert_int_equal (fault.fes, NVME_TCP_FES_RANGE);
  assert_int_equal (fault.fei, 0);
  assert_string_equal (fault.field, "datal");

  /* Nothing is expected any more. */
  arg.expect.left = 0;
  pdu = data_pdu (&arg, type, 4, 0, 1);
  assert_int_equal (check (&pdu, &arg, &fault), -1);
  assert_int_equal (fault.fes, NVME_TCP_FES_RANGE);
}

static void
h2c_data (void **state)
{
  static const struct change ttag[] = {
    BAD (DATA_TTAG, 2, 0x4320, INVALID_HEADER, 10, "ttag"),
    BAD (DATA_TTAG, 2, 0x2143, INVALID_HEADER, 10, "ttag"),
  };
  struct data_arg arg = {
    .agreed = agreed_with (TCP_PEER_HOST, false, false),
    .expect = { .datao = 512, .left = 512, .pdu_max = 512 },
  };
  union nvme_tcp_pdu pdu = data_pdu (&arg, NVME_TCP_H2C_DATA, 4, 512, 512);

  memcpy (&arg.expect.cccid, "\x34\x12", 2);
  memcpy (&arg.expect.ttag, "\x21\x43", 2);
  run (&pdu, ttag, COUNT (ttag), check_h2c, &arg);
  data_common (NVME_TCP_H2C_DATA, TCP_PEER_HOST, check_h2c);
  data_limits (NVME_TCP_H2C_DATA, TCP_PEER_HOST, check_h2c);
}

static void
c2h_data (void **state)
{
  static const struct change allowed[] = {
    GOOD (FLAGS, 1, 0x0c),
    BAD (FLAGS, 1, 0x08, INVALID_HEADER, 1, "hdr.flags"),
    GOOD (DATA_TTAG, 2, 0xffff),        /* reserved here */
  };
  static const struct change forbidden[] = {
    BAD (FLAGS, 1, 0x0c, INVALID_HEADER, 1, "hdr.flags"),
  };
  struct data_arg arg = {
    .agreed = agreed_with (TCP_PEER_CONTROLLER, false, false),
    .expect = { .datao = 512, .left = 512, .pdu_max = UINT32_MAX },
    .success_allowed = true,
  };
  union nvme_tcp_pdu pdu = data_pdu (&arg, NVME_TCP_C2H_DATA, 4, 512, 512);
  static const struct change early[] = {
    BAD (FLAGS, 1, 0x0c, INVALID_HEADER, 1, "hdr.flags"),   /* a short read */
    BAD (FLAGS, 1, 0x08, INVALID_HEADER, 1, "hdr.flags"),
  };

  memcpy (&arg.expect.cccid, "\x34\x12", 2);
  run (&pdu, allowed, COUNT (allowed), check_c2h, &arg);
  arg.success_allowed = false;
  run (&pdu, forbidden, COUNT (forbidden), check_c2h, &arg);
  arg.success_allowed = true;
  arg.expect.left = 1024;
  pdu = data_pdu (&arg, NVME_TCP_C2H_DATA, 0, 512, 512);
  run (&pdu, early, COUNT (early), check_c2h, &arg);
  data_common (NVME_TCP_C2H_DATA, TCP_PEER_CONTROLLER, check_c2h);
  data_limits (NVME_TCP_C2H_DATA, TCP_PEER_CONTROLLER, check_c2h);
}

static int
check_r2t (const union nvme_tcp_pdu *pdu, void *arg, struct tcp_fault *fault)
{
  const uint32_t *a = arg;

  return tcp_check_r2t (&pdu->r2t, a[0], a[1], fault);
}

static void
r2t (void **state)
{
  static const struct change changes[] = {
    BAD (R2T_R2TO, 4, 0, RANGE, 0, "r2to"),
    BAD (R2T_R2TO, 4, 4095, RANGE, 0, "r2to"),
    BAD (R2T_R2TO, 4, 4097, RANGE, 0, "r2to"),
    BAD (R2T_R2TO, 4, UINT32_MAX, RANGE, 0, "r2to"),
    BAD (R2T_R2TL, 4, 0, INVALID_HEADER, 16, "r2tl"),
    GOOD (R2T_R2TL, 4, 1),
    GOOD (R2T_R2TL, 4, 4096),
    BAD (R2T_R2TL, 4, 4097, RANGE, 0, "r2tl"),
    BAD (R2T_R2TL, 4, UINT32_MAX, RANGE, 0, "r2tl"),
    BAD (R2T_R2TL, 4, UINT32_MAX - 4095, RANGE, 0, "r2tl"),   /* wraps to 0 */
    GOOD (R2T_TTAG, 2, 0xffff),
    GOOD (20, 4, UINT32_MAX),
  };
  uint32_t arg[2] = { 4096, 8192 };
  union nvme_tcp_pdu pdu = header (NVME_TCP_R2T, 0, 24, 0, 24);
  struct tcp_fault fault;

  put (&pdu, R2T_R2TO, 4, 4096);
  put (&pdu, R2T_R2TL, 4, 2048);
  run (&pdu, changes, COUNT (changes), check_r2t, arg);

  /* All was asked for already; the command has no data to send. */
  for (unsigned i = 0; i < 2; i++) {
    arg[0] = arg[1] = i == 0 ? 4096 : 0;
    put (&pdu, R2T_R2TO, 4, arg[0]);
    assert_int_equal (check_r2t (&pdu, arg, &fault), -1);
    assert_int_equal (fault.fes, NVME_TCP_FES_SEQUENCE);
    assert_int_equal (fault.fei, 0);
    assert_string_equal (fault.field, "cccid");
  }
}

static void
fes_names (void **state)
{
  assert_string_equal (tcp_fes_name (0), "unknown fatal error status");
  assert_string_equal (tcp_fes_name (1), "Invalid PDU Header Field");
  assert_string_equal (tcp_fes_name (2), "PDU Sequence Error");
  assert_string_equal (tcp_fes_name (3), "Header Digest Error");
  assert_string_equal (tcp_fes_name (4), "Data Transfer Out of Range");
  assert_string_equal (tcp_fes_name (5), "Data Transfer Limit Exceeded");
  assert_string_equal (tcp_fes_name (6), "Unsupported Parameter");
  assert_string_equal (tcp_fes_name (7), "unknown fatal error status");
  assert_string_equal (tcp_fes_name (0xffff), "unknown fatal error status");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (icreq),
    cmocka_unit_test (icresp),
    cmocka_unit_test (cmd_in_capsule),
    cmocka_unit_test (cmd_without_data),
    cmocka_unit_test (h2c_data),
    cmocka_unit_test (c2h_data),
    cmocka_unit_test (r2t),
    cmocka_unit_test (fes_names),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
