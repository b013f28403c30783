/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random PDU headers, from fixed seeds, through all checks as a receiver calls
 * them: whatever is accepted has the properties that the code behind the
 * checks relies on.  The properties are computed here from the raw bytes, in
 * 64 bits, and not with the functions under test.  A header lives in an
 * allocation of its exact size, so that ASan sees a read beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "nvmeof/tcp-check.h"

enum { SEEDS = 16, PDUS_PER_SEED = 50000 };

static uint64_t random_state;

static uint32_t
below (uint32_t limit)
{
  return random_below (&random_state, limit);
}

/* Values at which lengths and offsets break. */
static uint32_t
edgy (uint32_t near)
{
  static const uint32_t edges[] = {
    0, 1, 3, 4, 24, 28, 72, 76, 128, 512, 4095, 4096, 8192, 0x7fffffff,
    0x80000000, UINT32_MAX - 4, UINT32_MAX - 3, UINT32_MAX,
  };

  switch (below (4)) {
  case 0: return (uint32_t) random64 (&random_state);
  case 1: return edges[below (sizeof edges / sizeof edges[0])];
  default: return near + below (5) - 2;
  }
}

static uint32_t
get (const uint8_t *bytes, size_t offset, unsigned n)
{
  uint32_t v = 0;

  for (unsigned i = 0; i < n; i++)
    v |= (uint32_t) bytes[offset + i] << 8 * i;
  return v;
}

static void
put (uint8_t *bytes, size_t offset, unsigned n, uint32_t v)
{
  for (unsigned i = 0; i < n; i++)
    bytes[offset + i] = (uint8_t) (v >> 8 * i);
}

/* One receiver and the PDU that comes to it. */
struct scene {
  struct tcp_agreed agreed;
  struct tcp_expect expect;
  uint32_t in_capsule_max;
  uint32_t solicited, data_bytes;       /* R2T */
  uint8_t offered;                      /* digests */
  bool success_allowed;
  uint8_t *bytes;                       /* of the header's length */
  uint8_t hlen;                         /* the type's */
};

static uint8_t
hlen_of (uint8_t type)
{
  return type <= NVME_TCP_ICRESP ? 128 : type == NVME_TCP_CMD ? 72 : 24;
}

static bool
carries_data (uint8_t type)
{
  return type == NVME_TCP_CMD || type == NVME_TCP_H2C_DATA ||
         type == NVME_TCP_C2H_DATA;
}

/* A good PDU by the rules of the specification, for the scene. */
static void
make_good (struct scene *s, uint8_t type, uint32_t datal)
{
  bool bare = type < NVME_TCP_CMD;
  bool hdgst = s->agreed.hdgst && !bare;
  bool data = carries_data (type) && datal > 0;
  bool ddgst = s->agreed.ddgst && data;
  bool last = datal == s->expect.left;
  uint8_t flags = (uint8_t) ((hdgst ? 1 : 0) | (ddgst ? 2 : 0));
  uint8_t pdo = (uint8_t) (s->hlen + (hdgst ? 4 : 0));

  memset (s->bytes, 0, s->hlen);
  if (type == NVME_TCP_H2C_DATA || type == NVME_TCP_C2H_DATA) {
    flags |= last ? 4 : 0;
    if (type == NVME_TCP_C2H_DATA && last && s->success_allowed)
      flags |= below (2) ? 8 : 0;
    memcpy (s->bytes + 8, &s->expect.cccid, 2);
    memcpy (s->bytes + 10, &s->expect.ttag, 2);
    put (s->bytes, 12, 4, s->expect.datao);
    put (s->bytes, 16, 4, datal);
  }
  if (type == NVME_TCP_CMD) {
    put (s->bytes, 40, 4, datal);
    put (s->bytes, 47, 1, data ? 0x01 : 0x5a);
  }
  if (type == NVME_TCP_R2T) {
    put (s->bytes, 12, 4, s->solicited);
    put (s->bytes, 16, 4, s->data_bytes - s->solicited);
  }
  if (type == NVME_TCP_ICRESP) {
    put (s->bytes, 11, 1, s->offered);
    put (s->bytes, 12, 4, 4096 + 4 * below (1000));
  }
  put (s->bytes, 0, 1, type);
  put (s->bytes, 1, 1, flags);
  put (s->bytes, 2, 1, s->hlen);
  put (s->bytes, 3, 1, data ? pdo : 0);
  put (s->bytes, 4, 4, pdo + (data ? datal : 0) + (ddgst ? 4 : 0));
}

static void
damage (struct scene *s)
{
  static const uint8_t dwords[] = { 4, 8, 12, 16, 32, 36, 40 };
  uint32_t times = below (4);

  for (uint32_t i = 0; i < times; i++) {
    size_t offset = dwords[below (sizeof dwords)];

    switch (below (4)) {
    case 0:                     /* a bit */
      s->bytes[below (s->hlen)] ^= (uint8_t) (1 << below (8));
      break;
    case 1:                     /* a byte of the common header */
      s->bytes[below (8)] = (uint8_t) random64 (&random_state);
      break;
    default:                    /* a length or an offset */
      if (offset + 4 <= s->hlen)
        put (s->bytes, offset, 4, edgy (get (s->bytes, offset, 4)));
    }
  }
}

static uint32_t
pick_datal (const struct scene *s, uint8_t type)
{
  uint32_t datal;

  if (type == NVME_TCP_CMD)
    return below (2) ? 0 : s->in_capsule_max;
  datal = below (2) ? s->expect.left : 1 + below (s->expect.left);
  return datal < s->expect.pdu_max ? datal : s->expect.pdu_max;
}

static struct scene
make_scene (void)
{
  static const uint8_t types[] = { 0, 1, 2, 3, 4, 5, 6, 7, 9 };
  uint8_t type = types[below (sizeof types)];
  bool from_host = type == NVME_TCP_ICREQ || type == NVME_TCP_H2C_TERM ||
                   type == NVME_TCP_CMD || type == NVME_TCP_H2C_DATA;
  struct scene s = {
    .agreed = {
      .peer = from_host ? TCP_PEER_HOST : TCP_PEER_CONTROLLER,
      .ic_done = type > NVME_TCP_ICRESP,
      .hdgst = below (2), .ddgst = below (2),
      .plen_max = 128 + 8 + 65536,
    },
    .expect = {
      .cccid = (uint16_t) random64 (&random_state),
      .ttag = (uint16_t) random64 (&random_state),
      .datao = below (2) ? below (1 << 20) : UINT32_MAX - below (1 << 20),
      .left = 1 + below (65536),
      .pdu_max = below (2) ? UINT32_MAX : 4096 + below (65536),
    },
    .in_capsule_max = below (2) ? 8192 : below (16384),
    .offered = (uint8_t) below (4),
    .success_allowed = below (2),
    .hlen = hlen_of (type),
  };

  s.data_bytes = 1 + below (1 << 20);
  s.solicited = below (s.data_bytes);
  s.bytes = malloc (s.hlen);
  assert_non_null (s.bytes);
  make_good (&s, type, pick_datal (&s, type));
  return s;
}

/* The common header was accepted: what the receive loop builds on. */
static void
header_holds (const struct scene *s, uint64_t *data_bytes)
{
  const struct nvme_tcp_hdr *hdr = (const void *) s->bytes;
  uint8_t type = s->bytes[0], flags = s->bytes[1];
  uint64_t plen = get (s->bytes, 4, 4);
  bool bare = type < NVME_TCP_CMD;
  uint64_t header = s->bytes[2] + (s->agreed.hdgst && !bare ? 4u : 0);
  uint64_t digest = s->agreed.ddgst && !bare && plen > header ? 4 : 0;

  assert_true (type <= NVME_TCP_R2T && type != 8);
  assert_int_equal (s->bytes[2], hlen_of (type));
  assert_true (header <= NVME_TCP_HLEN_MAX + NVME_TCP_DIGEST_BYTES);
  assert_true (plen >= header + digest);
  *data_bytes = plen - header - digest;
  assert_int_equal (tcp_header_bytes (hdr, &s->agreed), header);
  assert_int_equal (tcp_data_bytes (hdr, &s->agreed), *data_bytes);
  if (type == NVME_TCP_H2C_TERM || type == NVME_TCP_C2H_TERM) {
    assert_true (*data_bytes <= NVME_TCP_TERM_DATA_MAX);
    return;
  }
  if (!carries_data (type))
    assert_int_equal (*data_bytes, 0);
  else
    assert_true (plen <= s->agreed.plen_max);
  if (type == NVME_TCP_H2C_DATA || type == NVME_TCP_C2H_DATA)
    assert_true (*data_bytes > 0);
  assert_int_equal (digest != 0, (flags & 2) != 0);
  assert_int_equal (s->agreed.hdgst && !bare, flags & 1);
  if (*data_bytes > 0)
    assert_int_equal (s->bytes[3], header);
}

static void
data_holds (const struct scene *s, uint64_t data_bytes)
{
  uint64_t datal = get (s->bytes, 16, 4), datao = get (s->bytes, 12, 4);
  bool last = s->bytes[1] & 4, success = s->bytes[1] & 8;

  assert_memory_equal (s->bytes + 8, &s->expect.cccid, 2);
  assert_int_equal (datal, data_bytes);
  assert_true (datal > 0 && datal <= s->expect.left);
  assert_true (datal <= s->expect.pdu_max);
  assert_int_equal (datao, s->expect.datao);
  assert_int_equal (last, datal == s->expect.left);
  if (success)
    assert_true (last && s->success_allowed);
}

static void
r2t_holds (const struct scene *s)
{
  uint64_t r2to = get (s->bytes, 12, 4), r2tl = get (s->bytes, 16, 4);

  assert_true (r2tl > 0);
  assert_int_equal (r2to, s->solicited);
  assert_true (r2to + r2tl <= s->data_bytes);
}

static void
cmd_holds (const struct scene *s, uint64_t data_bytes)
{
  assert_true (data_bytes <= s->in_capsule_max);
  if (data_bytes > 0) {
    assert_int_equal (s->bytes[47], 0x01);
    assert_int_equal (get (s->bytes, 32, 4) | get (s->bytes, 36, 4), 0);
  }
  if (s->bytes[47] == 0x01)
    assert_int_equal (get (s->bytes, 40, 4), data_bytes);
}

/* The check of the PDU's type, and then what must hold.  Whether it passed. */
static bool
body_passes (const struct scene *s, uint64_t data_bytes,
             struct tcp_fault *fault)
{
  const void *pdu = s->bytes;
  int r = 0;

  switch (s->bytes[0]) {
  case NVME_TCP_ICREQ:
    r = tcp_check_icreq (pdu, fault);
    if (r == 0) {
      assert_int_equal (get (s->bytes, 8, 3), 0);
      assert_true (s->bytes[11] <= 3);
    }
    break;
  case NVME_TCP_ICRESP:
    r = tcp_check_icresp (pdu, s->offered, fault);
    if (r == 0) {
      assert_int_equal (get (s->bytes, 8, 3), 0);
      assert_int_equal (s->bytes[11] & ~s->offered, 0);
      assert_true (get (s->bytes, 12, 4) >= 4096);
      assert_int_equal (get (s->bytes, 12, 4) % 4, 0);
    }
    break;
  case NVME_TCP_CMD:
    r = tcp_check_cmd (pdu, &s->agreed, s->in_capsule_max, fault);
    if (r == 0)
      cmd_holds (s, data_bytes);
    break;
  case NVME_TCP_H2C_DATA:
    r = tcp_check_h2c_data (pdu, &s->agreed, &s->expect, fault);
    if (r == 0) {
      data_holds (s, data_bytes);
      assert_memory_equal (s->bytes + 10, &s->expect.ttag, 2);
    }
    break;
  case NVME_TCP_C2H_DATA:
    r = tcp_check_c2h_data (pdu, &s->agreed, &s->expect, s->success_allowed,
                            fault);
    if (r == 0)
      data_holds (s, data_bytes);
    break;
  case NVME_TCP_R2T:
    r = tcp_check_r2t (pdu, s->solicited, s->data_bytes, fault);
    if (r == 0)
      r2t_holds (s);
    break;
  }
  return r == 0;
}

/* A refusal is one that a TermReq can carry. */
static void
fault_holds (const struct scene *s, const struct tcp_fault *fault)
{
  assert_true (fault->fes >= NVME_TCP_FES_INVALID_HEADER &&
               fault->fes <= NVME_TCP_FES_UNSUPPORTED);
  assert_true (fault->fes != NVME_TCP_FES_HDGST);
  if (fault->fes == NVME_TCP_FES_INVALID_HEADER ||
      fault->fes == NVME_TCP_FES_UNSUPPORTED)
    assert_true (fault->fei < s->hlen);
  else
    assert_int_equal (fault->fei, 0);
  assert_non_null (fault->field);
}

static bool
passes (const struct scene *s)
{
  struct tcp_fault fault = { 0 };
  uint64_t data_bytes;

  if (tcp_check_header ((const void *) s->bytes, &s->agreed, &fault) == 0) {
    header_holds (s, &data_bytes);
    /* Damage made a longer type of it: a receiver would read on. */
    if (s->bytes[2] > s->hlen || body_passes (s, data_bytes, &fault))
      return true;
  }
  fault_holds (s, &fault);
  return false;
}

static void
random_pdus (void **state)
{
  unsigned good = 0, accepted[16] = { 0 }, refused[16] = { 0 };

  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    random_state = seed;
    for (unsigned i = 0; i < PDUS_PER_SEED; i++) {
      struct scene s = make_scene ();
      uint8_t type = s.bytes[0];

      if (!passes (&s))
        fail_msg ("seed %u PDU %u: a good PDU of type %u was refused",
                  (unsigned) seed, i, type);
      good++;
      damage (&s);
      if (passes (&s))
        accepted[type]++;
      else
        refused[type]++;
      free (s.bytes);
    }
  }
  assert_int_equal (good, SEEDS * PDUS_PER_SEED);
  /* The test reaches both ends of each type. */
  for (unsigned type = 0; type <= NVME_TCP_R2T; type++)
    if (type != 8)
      assert_true (accepted[type] > 1000 && refused[type] > 1000);
}

/* Nothing but noise. */
static void
noise (void **state)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    random_state = seed << 32;
    for (unsigned i = 0; i < PDUS_PER_SEED; i++) {
      struct scene s = make_scene ();

      for (unsigned b = below (2); b < s.hlen; b++)
        s.bytes[b] = (uint8_t) random64 (&random_state);
      passes (&s);
      free (s.bytes);
    }
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (random_pdus),
    cmocka_unit_test (noise),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
