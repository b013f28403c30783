/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection through the proxy: to the client ("here") and to the target
 * ("there"), and what is on its way between.  The proxy's thread's.
 */
#ifndef QBD_CLI_TORTURE_PAIR_H
#define QBD_CLI_TORTURE_PAIR_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/stream.h"

#define PIPE_BYTES (256u << 10)

enum pair_state {
  PAIR_RELAYS,          /* until it is cut, or one side ends */
  PAIR_KEEPS,           /* what the client sends, until the client is cut off */
  PAIR_ALONE,           /* there only, until what was kept goes on */
  PAIR_LATE,            /* until that has arrived */
  PAIR_OVER,            /* to be freed */
};

struct pipe {
  uint8_t *data;                /* PIPE_BYTES */
  size_t start, end;
  bool ended;                   /* nothing comes any more */
  uint64_t not_before_ms;
};

struct pair {
  struct pair *next;
  unsigned client;
  enum pair_state state;
  struct stream here, there;
  bool here_open;
  struct pipe up, down;         /* to the target, to the client */
  uint64_t due_ms;              /* of the next state; but for PAIR_RELAYS */
  uint64_t release_ms;          /* PAIR_KEEPS: of the one after it */
  uint64_t late_bytes;
};

/* Owns fd.  NULL: the target takes no connection, or memory is short. */
struct pair *pair_new (unsigned client, int fd,
                       const struct stream_place *there);
void pair_free (struct pair *pair);

/* At once; reset: as if the machine were gone. */
void pair_cut (struct pair *pair, bool reset);
/* The client's connection ends at cut_ms, and what it sends from now on
 * arrives at release_ms. */
void pair_keep (struct pair *pair, uint64_t cut_ms, uint64_t release_ms);

/* What it waits for: fds[0] of here, fds[1] of there. */
void pair_poll (const struct pair *pair, struct pollfd fds[2],
                uint64_t now_ms);
/* When it has something to do without that; UINT64_MAX: never. */
uint64_t pair_due_ms (const struct pair *pair, uint64_t now_ms);

/* Moves what can be moved, of what the client sends at most *room, which is
 * less by that then. */
void pair_move (struct pair *pair, uint64_t now_ms, uint32_t *room);

#endif
