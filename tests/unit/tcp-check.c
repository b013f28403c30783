/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVMe/TCP PDU checks: a good PDU of each type, then one field after the other
 * is changed to each side of its bounds, and the fault must name it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nvmeof/digest.h"
#include "nvmeof/tcp-check.h"

#define COUNT(array) (sizeof array / sizeof array[0])

enum { PLEN_MAX = 72 + 4 + 8192 + 4, IN_CAPSULE_MAX = 8192 };

/* A change of one field, and what must come of it; fes 0: accepted. */
struct change {
  uint8_t offset;
  uint8_t bytes;
  uint32_t value;
  uint16_t fes;
  uint32_t fei;
  const char *field;
};

#define BAD(offset, bytes, value, fes, fei, field) \
  { offset, bytes, value, NVME_TCP_FES_##fes, fei, field }
#define GOOD(offset, bytes, value) { offset, bytes, value, 0, 0, NULL }

/* Where the fields are, from the specification's figures and not from the
 * structures. */
enum {
  TYPE = 0, FLAGS = 1, HLEN = 2, PDO = 3, PLEN = 4,
  IC_PFV = 8, IC_PDA = 10, IC_DGST = 11, IC_MAX = 12,
  DATA_CCCID = 8, DATA_TTAG = 10, DATA_DATAO = 12, DATA_DATAL = 16,
  R2T_CCCID = 8, R2T_TTAG = 10, R2T_R2TO = 12, R2T_R2TL = 16,
  CMD_SGL_ADDR = 32, CMD_SGL_LENGTH = 40, CMD_SGL_TYPE = 47,
};

static void
put (union nvme_tcp_pdu *pdu, size_t offset, unsigned bytes, uint32_t value)
{
  for (unsigned i = 0; i < bytes; i++)
    pdu->bytes[offset + i] = (uint8_t) (value >> 8 * i);
}

typedef int check_fn (const union nvme_tcp_pdu *pdu, void *arg,
                      struct tcp_fault *fault);

static void
run (const union nvme_tcp_pdu *good, const struct change *changes,
     size_t count, check_fn *check, void *arg)
{
  struct tcp_fault fault;

  assert_int_equal (check (good, arg, &fault), 0);
  for (size_t i = 0; i < count; i++) {
    const struct change *c = &changes[i];
    union nvme_tcp_pdu pdu = *good;

    put (&pdu, c->offset, c->bytes, c->value);
    memset (&fault, 0x5a, sizeof fault);
    if (check (&pdu, arg, &fault) == 0) {
      if (c->fes != 0)
        fail_msg ("change %zu: offset %u = %#x was accepted", i, c->offset,
                  c->value);
      continue;
    }
    if (c->fes == 0)
      fail_msg ("change %zu: offset %u = %#x was refused: %s", i, c->offset,
                c->value, fault.field);
    if (fault.fes != c->fes || fault.fei != c->fei ||
        strcmp (fault.field, c->field) != 0)
      fail_msg ("change %zu: offset %u = %#x: fes %u fei %u field %s", i,
                c->offset, c->value, fault.fes, fault.fei, fault.field);
  }
}

static int
check_header (const union nvme_tcp_pdu *pdu, void *arg,
              struct tcp_fault *fault)
{
  return tcp_check_header (&pdu->hdr, arg, fault);
}

static struct tcp_agreed
agreed_with (enum tcp_peer peer, bool hdgst, bool ddgst)
{
  return (struct tcp_agreed) {
    .peer = peer, .ic_done = true, .hdgst = hdgst, .ddgst = ddgst,
    .plen_max = PLEN_MAX,
  };
}

static union nvme_tcp_pdu
header (uint8_t type, uint8_t flags, uint8_t hlen, uint8_t pdo, uint32_t plen)
{
  union nvme_tcp_pdu pdu;

  memset (&pdu, 0, sizeof pdu);
  put (&pdu, TYPE, 1, type);
  put (&pdu, FLAGS, 1, flags);
  put (&pdu, HLEN, 1, hlen);
  put (&pdu, PDO, 1, pdo);
  put (&pdu, PLEN, 4, plen);
  return pdu;
}

/* --- common header ------------------------------------------------------ */

/* Every type byte, from either peer, before and after the IC exchange. */
static void
types (void **state)
{
  static const struct { uint8_t type, hlen; enum tcp_peer from; bool ic, term; }
  known[] = {
    { 0x00, 128, TCP_PEER_HOST, true, false },
    { 0x01, 128, TCP_PEER_CONTROLLER, true, false },
    { 0x02, 24, TCP_PEER_HOST, false, true },
    { 0x03, 24, TCP_PEER_CONTROLLER, false, true },
    { 0x04, 72, TCP_PEER_HOST, false, false },
    { 0x05, 24, TCP_PEER_CONTROLLER, false, false },
    { 0x06, 24, TCP_PEER_HOST, false, false },
    { 0x07, 24, TCP_PEER_CONTROLLER, false, false },
    { 0x09, 24, TCP_PEER_CONTROLLER, false, false },
  };

  for (unsigned type = 0; type < 256; type++)
    for (unsigned peer = 0; peer < 2; peer++)
      for (unsigned ic_done = 0; ic_done < 2; ic_done++) {
        struct tcp_agreed agreed = agreed_with (peer ? TCP_PEER_CONTROLLER
                                                : TCP_PEER_HOST, false, false);
        unsigned expected = NVME_TCP_FES_INVALID_HEADER;
        struct tcp_fault fault = { 0 };
        union nvme_tcp_pdu pdu = header ((uint8_t) type, 0, 24, 0, 24);

        agreed.ic_done = ic_done;
        for (size_t i = 0; i < COUNT (known); i++)
          if (known[i].type == type && known[i].from == agreed.peer) {
            bool data = type == 0x06 || type == 0x07;
            uint8_t hlen = known[i].hlen;

            pdu = header ((uint8_t) type, 0, hlen, data ? hlen : 0,
                          hlen + (data ? 4 : 0));
            if (type == 0x06 || type == 0x07)
              pdu.hdr.flags = NVME_TCP_F_DATA_LAST;
            expected = known[i].term || known[i].ic != ic_done ? 0
                       : NVME_TCP_FES_SEQUENCE;
          }
        assert_int_equal (tcp_check_header (&pdu.hdr, &agreed, &fault),
                          expected ? -1 : 0);
        assert_int_equal (fault.fes, expected);
        assert_int_equal (fault.fei, 0);
        if (expected)
          assert_string_equal (fault.field, "type");
      }
}

static void
header_cmd (void **state)
{
  static const struct change plain[] = {
    BAD (FLAGS, 1, 0x01, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x02, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x04, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x08, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x10, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x80, INVALID_HEADER, 1, "flags"),
    BAD (HLEN, 1, 0, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 71, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 73, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 255, INVALID_HEADER, 2, "hlen"),
    GOOD (PDO, 1, 72),
    BAD (PDO, 1, 1, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 71, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 73, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 255, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, 0, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 71, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 73, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, PLEN_MAX + 1, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, UINT32_MAX, INVALID_HEADER, 4, "plen"),
  };
  static const struct change with_data[] = {
    BAD (FLAGS, 1, 0x01, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x02, INVALID_HEADER, 1, "flags"),
    BAD (PDO, 1, 0, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 71, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 73, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 76, INVALID_HEADER, 3, "pdo"),
    GOOD (PLEN, 4, 73),
    GOOD (PLEN, 4, PLEN_MAX),
    BAD (PLEN, 4, PLEN_MAX + 1, INVALID_HEADER, 4, "plen"),
  };
  static const struct change digests[] = {
    BAD (FLAGS, 1, 0x00, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x01, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x02, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x07, INVALID_HEADER, 1, "flags"),
    BAD (PDO, 1, 72, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, 72, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 75, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 76, INVALID_HEADER, 1, "flags"),
    BAD (PLEN, 4, 77, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 80, INVALID_HEADER, 4, "plen"),
    GOOD (PLEN, 4, 81),
    GOOD (PLEN, 4, PLEN_MAX),
    BAD (PLEN, 4, PLEN_MAX + 1, INVALID_HEADER, 4, "plen"),
  };
  /* Digests are agreed, but there is no data. */
  static const struct change digests_no_data[] = {
    BAD (FLAGS, 1, 0x00, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x03, INVALID_HEADER, 1, "flags"),
    GOOD (PDO, 1, 76),
    BAD (PDO, 1, 72, INVALID_HEADER, 3, "pdo"),
  };
  struct tcp_agreed none = agreed_with (TCP_PEER_HOST, false, false);
  struct tcp_agreed both = agreed_with (TCP_PEER_HOST, true, true);
  union nvme_tcp_pdu pdu;

  pdu = header (NVME_TCP_CMD, 0, 72, 0, 72);
  run (&pdu, plain, COUNT (plain), check_header, &none);
  pdu = header (NVME_TCP_CMD, 0, 72, 72, 72 + 4096);
  run (&pdu, with_data, COUNT (with_data), check_header, &none);
  pdu = header (NVME_TCP_CMD, 3, 72, 76, 72 + 4 + 4096 + 4);
  run (&pdu, digests, COUNT (digests), check_header, &both);
  pdu = header (NVME_TCP_CMD, 1, 72, 0, 76);
  run (&pdu, digests_no_data, COUNT (digests_no_data), check_header, &both);
}

/* RSP and R2T: a header and nothing behind it. */
static void
header_without_data (void **state)
{
  static const struct change plain[] = {
    BAD (FLAGS, 1, 0x01, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x02, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x04, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x08, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x40, INVALID_HEADER, 1, "flags"),
    BAD (HLEN, 1, 23, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 25, INVALID_HEADER, 2, "hlen"),
    BAD (PDO, 1, 1, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 24, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, 23, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 25, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 28, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, UINT32_MAX, INVALID_HEADER, 4, "plen"),
  };
  static const struct change digests[] = {
    BAD (FLAGS, 1, 0x00, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x03, INVALID_HEADER, 1, "flags"),
    BAD (PLEN, 4, 24, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 32, INVALID_HEADER, 4, "plen"),
  };
  static const uint8_t type[] = { NVME_TCP_RSP, NVME_TCP_R2T };

  for (size_t i = 0; i < COUNT (type); i++) {
    struct tcp_agreed none = agreed_with (TCP_PEER_CONTROLLER, false, false);
    struct tcp_agreed both = agreed_with (TCP_PEER_CONTROLLER, true, true);
    union nvme_tcp_pdu pdu;

    pdu = header (type[i], 0, 24, 0, 24);
    run (&pdu, plain, COUNT (plain), check_header, &none);
    pdu = header (type[i], 1, 24, 0, 28);
    run (&pdu, digests, COUNT (digests), check_header, &both);
  }
}

/* H2CData and C2HData: always data. */
static void
header_data (void **state)
{
  static const struct change plain[] = {
    GOOD (FLAGS, 1, 0x00),
    BAD (FLAGS, 1, 0x05, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x06, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x14, INVALID_HEADER, 1, "flags"),
    BAD (HLEN, 1, 23, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 25, INVALID_HEADER, 2, "hlen"),
    BAD (PDO, 1, 0, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 23, INVALID_HEADER, 3, "pdo"),
    BAD (PDO, 1, 28, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, 0, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 24, INVALID_HEADER, 4, "plen"),
    GOOD (PLEN, 4, 25),
    GOOD (PLEN, 4, PLEN_MAX),
    BAD (PLEN, 4, PLEN_MAX + 1, INVALID_HEADER, 4, "plen"),
  };
  static const struct change digests[] = {
    BAD (FLAGS, 1, 0x04, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x05, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x06, INVALID_HEADER, 1, "flags"),
    GOOD (FLAGS, 1, 0x03),
    BAD (PDO, 1, 24, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, 28, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 32, INVALID_HEADER, 4, "plen"),
    GOOD (PLEN, 4, 33),
  };
  static const struct { uint8_t type; enum tcp_peer peer; } side[] = {
    { NVME_TCP_H2C_DATA, TCP_PEER_HOST },
    { NVME_TCP_C2H_DATA, TCP_PEER_CONTROLLER },
  };

  for (size_t i = 0; i < COUNT (side); i++) {
    struct tcp_agreed none = agreed_with (side[i].peer, false, false);
    struct tcp_agreed both = agreed_with (side[i].peer, true, true);
    /* SUCCESS is C2HData's alone. */
    struct change success = side[i].peer == TCP_PEER_HOST ?
      (struct change) BAD (FLAGS, 1, 0x0c, INVALID_HEADER, 1, "flags") :
      (struct change) GOOD (FLAGS, 1, 0x0c);
    union nvme_tcp_pdu pdu;

    pdu = header (side[i].type, 4, 24, 24, 24 + 512);
    run (&pdu, plain, COUNT (plain), check_header, &none);
    run (&pdu, &success, 1, check_header, &none);
    pdu = header (side[i].type, 7, 24, 28, 24 + 4 + 512 + 4);
    run (&pdu, digests, COUNT (digests), check_header, &both);
  }
}

/* Whatever was agreed, ICReq, ICResp and TermReq have no digests, and
 * plen_max is for data. */
static void
header_without_digests (void **state)
{
  static const struct change ic[] = {
    BAD (FLAGS, 1, 0x01, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x02, INVALID_HEADER, 1, "flags"),
    BAD (FLAGS, 1, 0x80, INVALID_HEADER, 1, "flags"),
    BAD (HLEN, 1, 127, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 129, INVALID_HEADER, 2, "hlen"),
    BAD (PDO, 1, 128, INVALID_HEADER, 3, "pdo"),
    BAD (PLEN, 4, 127, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 129, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 132, INVALID_HEADER, 4, "plen"),
  };
  static const struct change term[] = {
    GOOD (FLAGS, 1, 0xff),
    GOOD (PDO, 1, 24),
    BAD (HLEN, 1, 23, INVALID_HEADER, 2, "hlen"),
    BAD (HLEN, 1, 25, INVALID_HEADER, 2, "hlen"),
    BAD (PLEN, 4, 0, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, 23, INVALID_HEADER, 4, "plen"),
    GOOD (PLEN, 4, 24),
    GOOD (PLEN, 4, 152),
    BAD (PLEN, 4, 153, INVALID_HEADER, 4, "plen"),
    BAD (PLEN, 4, UINT32_MAX, INVALID_HEADER, 4, "plen"),
  };

  for (unsigned peer = 0; peer < 2; peer++)
    for (unsigned digests = 0; digests < 2; digests++) {
      struct tcp_agreed agreed = agreed_with (peer ? TCP_PEER_CONTROLLER
                                              : TCP_PEER_HOST,
                                              digests, digests);
      union nvme_tcp_pdu pdu;

      agreed.plen_max = 0;
      pdu = header (peer ? NVME_TCP_C2H_TERM : NVME_TCP_H2C_TERM, 0, 24, 0,
                    24 + 72);
      run (&pdu, term, COUNT (term), check_header, &agreed);
      assert_int_equal (tcp_header_bytes (&pdu.hdr, &agreed), 24);
      assert_int_equal (tcp_data_bytes (&pdu.hdr, &agreed), 72);
      agreed.ic_done = false;
      run (&pdu, term, COUNT (term), check_header, &agreed);
      pdu = header (peer ? NVME_TCP_ICRESP : NVME_TCP_ICREQ, 0, 128, 0, 128);
      run (&pdu, ic, COUNT (ic), check_header, &agreed);
      assert_int_equal (tcp_header_bytes (&pdu.hdr, &agreed), 128);
      assert_int_equal (tcp_data_bytes (&pdu.hdr, &agreed), 0);
    }
}

static void
lengths (void **state)
{
  struct tcp_agreed agreed = agreed_with (TCP_PEER_HOST, true, true);
  union nvme_tcp_pdu pdu;

  pdu = header (NVME_TCP_CMD, 3, 72, 76, 72 + 4 + 512 + 4);
  assert_int_equal (tcp_header_bytes (&pdu.hdr, &agreed), 76);
  assert_int_equal (tcp_data_bytes (&pdu.hdr, &agreed), 512);
  pdu = header (NVME_TCP_CMD, 1, 72, 0, 76);
  assert_int_equal (tcp_data_bytes (&pdu.hdr, &agreed), 0);
  agreed.hdgst = false;
  pdu = header (NVME_TCP_H2C_DATA, 2, 24, 24, 24 + 512 + 4);
  assert_int_equal (tcp_header_bytes (&pdu.hdr, &agreed), 24);
  assert_int_equal (tcp_data_bytes (&pdu.hdr, &agreed), 512);
  agreed.ddgst = false;
  pdu = header (NVME_TCP_H2C_DATA, 0, 24, 24, 24 + 512);
  assert_int_equal (tcp_data_bytes (&pdu.hdr, &agreed), 512);
}

/* --- each type's own fields ---------------------------------------------- */

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

/* --- building ------------------------------------------------------------ */

/* What one side makes, the other accepts; and the bytes are the figures'. */
static void
make (void **state)
{
  static const struct {
    uint8_t type, hlen;
    enum tcp_peer to_peer;
    bool ic, data;
  }
  table[] = {
    { NVME_TCP_ICREQ, 128, TCP_PEER_HOST, true, false },
    { NVME_TCP_ICRESP, 128, TCP_PEER_CONTROLLER, true, false },
    { NVME_TCP_H2C_TERM, 24, TCP_PEER_HOST, false, false },
    { NVME_TCP_C2H_TERM, 24, TCP_PEER_CONTROLLER, false, false },
    { NVME_TCP_CMD, 72, TCP_PEER_HOST, false, true },
    { NVME_TCP_RSP, 24, TCP_PEER_CONTROLLER, false, false },
    { NVME_TCP_H2C_DATA, 24, TCP_PEER_HOST, false, true },
    { NVME_TCP_C2H_DATA, 24, TCP_PEER_CONTROLLER, false, true },
    { NVME_TCP_R2T, 24, TCP_PEER_CONTROLLER, false, false },
  };
  struct tcp_fault fault;

  for (size_t i = 0; i < COUNT (table); i++)
    for (unsigned digests = 0; digests < 4; digests++) {
      struct tcp_agreed agreed = agreed_with (table[i].to_peer, digests & 1,
                                              digests & 2);
      uint32_t data_bytes = table[i].data ? 4096 : 0;
      struct nvme_tcp_hdr hdr;
      bool bare = table[i].type < NVME_TCP_CMD;

      agreed.ic_done = !table[i].ic;
      tcp_make_hdr (&hdr, table[i].type, 0, data_bytes, &agreed);
      assert_int_equal (tcp_check_header (&hdr, &agreed, &fault), 0);
      assert_int_equal (hdr.hlen, table[i].hlen);
      assert_int_equal (hdr.flags, bare ? 0 : table[i].data ? digests
                        : digests & 1);
      assert_int_equal (tcp_data_bytes (&hdr, &agreed), data_bytes);
      assert_int_equal (le32_to_cpu (hdr.plen), table[i].hlen + data_bytes +
                        (!bare && digests & 1 ? 4 : 0) +
                        (table[i].data && digests & 2 ? 4 : 0));
    }
}

static void
make_flags_and_term (void **state)
{
  static const uint8_t expected[24] = {
    0x03, 0, 24, 0, 96, 0, 0, 0, 0x01, 0x00, 0x28, 0, 0, 0
  };
  struct tcp_agreed agreed = agreed_with (TCP_PEER_CONTROLLER, false, true);
  struct tcp_fault fault = {
    .fes = NVME_TCP_FES_INVALID_HEADER, .fei = 40, .field = "x"
  };
  struct nvme_tcp_hdr hdr;
  struct nvme_tcp_term term;

  tcp_make_hdr (&hdr, NVME_TCP_C2H_DATA,
                NVME_TCP_F_DATA_LAST | NVME_TCP_F_DATA_SUCCESS, 512, &agreed);
  assert_int_equal (hdr.flags, 0x0e);
  memset (&term, 0xff, sizeof term);
  tcp_make_term (&term, NVME_TCP_C2H_TERM, &fault, 72);
  assert_memory_equal (&term, expected, sizeof expected);
  assert_int_equal (tcp_check_header (&term.hdr, &agreed, &fault), 0);
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

/* CRC32C's published vectors (RFC 3720 appendix B.4). */
static void
digests (void **state)
{
  uint8_t buf[32 + 4];
  __le32 d;

  memset (buf, 0, 32);
  d = digest_end (digest_feed (digest_begin (), buf, 32));
  assert_memory_equal (&d, "\xaa\x36\x91\x8a", 4);
  memset (buf, 0xff, 32);
  d = digest_end (digest_feed (digest_begin (), buf, 32));
  assert_memory_equal (&d, "\x43\xab\xa8\x62", 4);
  for (unsigned i = 0; i < 32; i++)
    buf[i] = (uint8_t) i;
  d = digest_end (digest_feed (digest_feed (digest_begin (), buf, 7), buf + 7,
                               25));
  assert_memory_equal (&d, "\x4e\x79\xdd\x46", 4);

  digest_header_put (buf, 32);
  assert_memory_equal (buf + 32, "\x4e\x79\xdd\x46", 4);
  assert_true (digest_header_good (buf, 32));
  for (unsigned bit = 0; bit < 36 * 8; bit++) {
    buf[bit / 8] ^= (uint8_t) (1 << bit % 8);
    assert_false (digest_header_good (buf, 32));
    buf[bit / 8] ^= (uint8_t) (1 << bit % 8);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (types),
    cmocka_unit_test (header_cmd),
    cmocka_unit_test (header_without_data),
    cmocka_unit_test (header_data),
    cmocka_unit_test (header_without_digests),
    cmocka_unit_test (lengths),
    cmocka_unit_test (icreq),
    cmocka_unit_test (icresp),
    cmocka_unit_test (cmd_in_capsule),
    cmocka_unit_test (cmd_without_data),
    cmocka_unit_test (h2c_data),
    cmocka_unit_test (c2h_data),
    cmocka_unit_test (r2t),
    cmocka_unit_test (make),
    cmocka_unit_test (make_flags_and_term),
    cmocka_unit_test (fes_names),
    cmocka_unit_test (digests),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
