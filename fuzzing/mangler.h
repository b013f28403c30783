/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream that damages the PDUs which one side sends, as a program says: a
 * real session between real peers gets past the handshake, and every field
 * of every PDU of it can be anything.
 *
 * A program is a row of instructions.  One mangler is shared by all
 * connections of a session: its instructions act on PDUs in the order in
 * which they are sent on any of them.  One thread.
 */
#ifndef QBD_FUZZING_MANGLER_H
#define QBD_FUZZING_MANGLER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/stream.h"

/* Offsets and values are little-endian. */
struct instruction {
  uint8_t skip;                 /* PDUs that pass before it acts */
  uint8_t action;               /* enum mangle, modulo their number */
  uint8_t offset[2];            /* modulo what is damaged */
  uint8_t value[4];
};
static_assert (sizeof (struct instruction) == 8, "");

enum mangle {
  MANGLE_HEADER_XOR,            /* 32 bits of the header */
  MANGLE_HEADER_SET8,
  MANGLE_HEADER_SET16,
  MANGLE_HEADER_SET32,
  MANGLE_DATA_XOR,              /* 32 bits of the data */
  MANGLE_DATA_SET8,
  MANGLE_DATA_SET16,
  MANGLE_DATA_SET32,
  MANGLE_DATA_FILL,             /* with one byte, from the offset on */
  MANGLE_RESIZE,                /* more or less data, and lengths that agree */
  MANGLE_DROP,
  MANGLE_TWICE,
  MANGLE_SWAP,                  /* with the next one */
  MANGLE_CUT,                   /* after offset bytes the connection ends */
  MANGLE_INSERT,                /* before it: instructions, taken as bytes */
  MANGLE_NR
};

struct mangler {
  const struct instruction *next;
  size_t nr;                    /* instructions left */
  unsigned skipped;             /* before the next one */
  bool repair_digest;           /* header digests fit what was damaged */
  bool sends;                   /* damage what is sent; else what is received */
};

/* The mangled end of a connection; closing it closes the other. */
struct stream *mangler_open (struct mangler *mangler, struct stream *inner);

#endif
