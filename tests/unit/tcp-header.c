/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The common header of every PDU type: its checks, its lengths, what real
 * peers put there, and what we build.
 */
#include "nvmeof/digest.h"
#include "tests/unit/pdu.h"

static int
check_header (const union nvme_tcp_pdu *pdu, void *arg,
              struct tcp_fault *fault)
{
  return tcp_check_header (&pdu->hdr, arg, fault);
}

/* --- checks --------------------------------------------------------------- */

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

/* --- real peers ---------------------------------------------------------- */

/* Headers as drivers/nvme/host/tcp.c, drivers/nvme/target/tcp.c and SPDK's
 * lib/nvme/nvme_tcp.c and lib/nvmf/tcp.c fill them in. */
static void
real_peers (void **state)
{
  static const struct {
    const char *who;
    enum tcp_peer peer;
    bool before_ic, hdgst, ddgst;
    uint8_t bytes[8];
    uint32_t data_bytes;
  } table[] = {
    { "Linux and SPDK host, ICReq", TCP_PEER_HOST, true, false, false,
      { 0x00, 0, 128, 0, 128 }, 0 },
    { "Linux host, Connect", TCP_PEER_HOST, false, false, false,
      { 0x04, 0, 72, 72, 0x48, 0x04 }, 1024 },
    { "Linux host, Connect with digests", TCP_PEER_HOST, false, true, true,
      { 0x04, 3, 72, 76, 0x50, 0x04 }, 1024 },
    { "Linux host, Asynchronous Event Request with digests",
      TCP_PEER_HOST, false, true, true, { 0x04, 1, 72, 0, 76 }, 0 },
    { "Linux host, read with data digests", TCP_PEER_HOST, false, false, true,
      { 0x04, 0, 72, 0, 72 }, 0 },
    { "SPDK host, H2CData with digests", TCP_PEER_HOST, false, true, true,
      { 0x06, 7, 24, 28, 0x20, 0x10 }, 4096 },
    { "SPDK host, TermReq", TCP_PEER_HOST, false, true, true,
      { 0x02, 0, 24, 0, 48 }, 24 },
    { "nvmet, ICResp", TCP_PEER_CONTROLLER, true, false, false,
      { 0x01, 0, 128, 0, 128 }, 0 },
    { "nvmet, C2HData without SQ flow control", TCP_PEER_CONTROLLER, false,
      false, false, { 0x07, 0x0c, 24, 24, 0x18, 0x10 }, 4096 },
    { "nvmet, C2HData with digests", TCP_PEER_CONTROLLER, false, true, true,
      { 0x07, 0x07, 24, 28, 0x20, 0x10 }, 4096 },
    { "nvmet, R2T with digests", TCP_PEER_CONTROLLER, false, true, true,
      { 0x09, 1, 24, 0, 28 }, 0 },
    { "nvmet and SPDK target, response", TCP_PEER_CONTROLLER, false, false,
      true, { 0x05, 0, 24, 0, 24 }, 0 },
    { "SPDK target, TermReq before ICResp", TCP_PEER_CONTROLLER, true, false,
      false, { 0x03, 0, 24, 0, 152 }, 128 },
  };

  for (size_t i = 0; i < COUNT (table); i++) {
    struct tcp_agreed agreed = agreed_with (table[i].peer, table[i].hdgst,
                                            table[i].ddgst);
    struct nvme_tcp_hdr hdr;
    struct tcp_fault fault;

    agreed.ic_done = !table[i].before_ic;
    memcpy (&hdr, table[i].bytes, sizeof hdr);
    if (tcp_check_header (&hdr, &agreed, &fault) < 0)
      fail_msg ("%s: refused: %s", table[i].who, fault.field);
    assert_int_equal (tcp_data_bytes (&hdr, &agreed), table[i].data_bytes);
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
    cmocka_unit_test (real_peers),
    cmocka_unit_test (make),
    cmocka_unit_test (make_flags_and_term),
    cmocka_unit_test (digests),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
