/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the PDU checks: a good PDU, then one field after the other is
 * changed to each side of its bounds, and the fault must name it.  Offsets and
 * values are the specification's figures, not the structures under test.
 */
#ifndef QBD_TEST_PDU_H
#define QBD_TEST_PDU_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

static inline void
put (union nvme_tcp_pdu *pdu, size_t offset, unsigned bytes, uint32_t value)
{
  for (unsigned i = 0; i < bytes; i++)
    pdu->bytes[offset + i] = (uint8_t) (value >> 8 * i);
}

typedef int check_fn (const union nvme_tcp_pdu *pdu, void *arg,
                      struct tcp_fault *fault);

static inline void
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

static inline struct tcp_agreed
agreed_with (enum tcp_peer peer, bool hdgst, bool ddgst)
{
  return (struct tcp_agreed) {
    .peer = peer, .ic_done = true, .hdgst = hdgst, .ddgst = ddgst,
    .plen_max = PLEN_MAX,
  };
}

static inline union nvme_tcp_pdu
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

#endif
