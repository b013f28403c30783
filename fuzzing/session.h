/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The input of session.c: settings, then the mangler's instructions.
 */
#ifndef QBD_FUZZING_SESSION_H
#define QBD_FUZZING_SESSION_H

enum {
  SESSION_SETTINGS_BYTES = 4,   /* flags; queues and depth; two unused */
  SESSION_INSTRUCTIONS_MAX = 512,
};

enum session_flags {
  SESSION_HDR_DIGEST = 1 << 0,
  SESSION_DATA_DIGEST = 1 << 1,
  SESSION_REPAIR_DIGEST = 1 << 2,       /* see struct mangler */
  SESSION_RECONNECTS = 1 << 3,
  SESSION_GROWS = 1 << 4,               /* the volume, in the middle */
};

#endif
