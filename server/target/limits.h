/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What hosts may take of the server: one number for each limit, how often it
 * was reached, and a line of log that says so, at most one a second for each.
 *
 * They are the process's, like its descriptors and memory.  Any thread; a
 * change is for what comes after it.
 */
#ifndef QBD_TARGET_LIMITS_H
#define QBD_TARGET_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

enum limit {
  LIMIT_BUFFERS_MIB,            /* data buffers above 16 KiB, per reactor */
  LIMIT_CONNECTIONS,            /* that passed Connect */
  LIMIT_CONNECTIONS_PER_HOST,   /* of these, by host NQN */
  LIMIT_HANDSHAKE_MS,            /* from accept to ICReq, and to Connect */
  LIMIT_HANDSHAKES,             /* connections before Connect */
  LIMIT_HANDSHAKES_PER_ADDRESS, /* of these, by the peer's address */
  LIMIT_IDLE_MS,                /* without a command, and without keep-alive */
  LIMIT_IO_QUEUES,              /* of a controller */
  LIMIT_QUEUE_SIZE,             /* commands in flight of a queue */
  LIMIT_STALL_MS,               /* that a host may leave us waiting */
  LIMIT_NR,                     /* how many there are; none of them */
};

/* Sorted; NULL terminated. */
extern const char *const limit_names[];

unsigned limit_value (enum limit limit);
/* 0: its default. */
void limit_set (enum limit limit, unsigned value);

/* NAME and a number in its range: -EINVAL, and the message says which. */
int limit_parse (const char *name, const char *text, enum limit *limit,
                 unsigned *value, struct error *err);

/* It was reached: counts, and logs "peer: what: limit NAME is N".  Both were
 * checked, or are ours. */
void limit_reached (enum limit limit, const char *peer, const char *what);
uint64_t limit_times_reached (enum limit limit);

#endif
