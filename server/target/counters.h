/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a subsystem's I/O commands add up to.  Each reactor that serves the
 * subsystem has a block of its own, on its own cache lines, and is the only
 * one that writes there; who asks adds the blocks.  A block is made when the
 * reactor's first I/O queue connects and stays as long as the subsystem.
 */
#ifndef QBD_TARGET_COUNTERS_H
#define QBD_TARGET_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/target/target.h"

struct subsystem;

/* As struct subsystem_op_stats, whose comments hold here. */
struct counters_op {
  _Atomic uint64_t started;
  _Atomic uint64_t errors;
  _Atomic uint64_t bytes;
  _Atomic uint64_t sum_us;
  _Atomic uint64_t latency[SUBSYSTEM_LATENCY_BUCKETS];
};

struct counters {
  _Alignas (64) struct counters_op ops[SUBSYSTEM_NR_OPS];
};

/* [locked] The block of the queue's reactor; NULL for want of memory: the
 * queue is then not counted. */
struct counters *counters_locked_get (struct subsystem *subsystem,
                                      const struct reactor *reactor);
void counters_free (struct subsystem *subsystem);

/* The command of an I/O queue; on its reactor. */
void counters_start (struct target_command *command);
void counters_finish (struct target_command *command, uint16_t status);

#endif
