/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting I/O commands.  A block has one writer, so that relaxed loads and
 * stores do: no locked instruction, no cache line that moves.
 */
#include <stdlib.h>

#include "common/cleanup.h"
#include "server/target/counters.h"
#include "server/target/internal.h"

const uint32_t subsystem_latency_us[SUBSYSTEM_LATENCY_BUCKETS - 1] = {
  10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
  250000, 500000, 1000000, 5000000,
};

struct counters *
counters_locked_get (struct subsystem *subsystem,
                     const struct reactor *reactor)
{
  unsigned index = reactor_index (reactor);

  if (index >= TARGET_COUNTERS_MAX)
    return NULL;
  if (!subsystem->counters[index]) {
    struct counters *counters = aligned_alloc (64, sizeof *counters);

    if (counters)
      *counters = (struct counters) { 0 };
    subsystem->counters[index] = counters;
  }
  return subsystem->counters[index];
}

void
counters_free (struct subsystem *subsystem)
{
  for (unsigned i = 0; i < TARGET_COUNTERS_MAX; i++)
    free (subsystem->counters[i]);
}

static void
add (_Atomic uint64_t *counter, uint64_t n)
{
  atomic_store_explicit (counter,
                         atomic_load_explicit (counter, memory_order_relaxed)
                         + n, memory_order_relaxed);
}

static uint64_t
get (_Atomic uint64_t *counter)
{
  return atomic_load_explicit (counter, memory_order_relaxed);
}

static struct counters_op *
op_of (const struct target_command *command)
{
  return &command->queue->counters->ops[command->request.op];
}

void
counters_start (struct target_command *command)
{
  /* Not Connect, with which the counting begins. */
  command->counted = command->queue->counters
    && command->sqe.common.opcode != nvme_admin_fabrics;
  if (!command->counted)
    return;
  command->started_us = reactor_clock_us (command->queue->reactor);
  add (&op_of (command)->started, 1);
}

/* What a command that succeeded moved, or made zeroes. */
static uint64_t
bytes_of (const struct target_command *command)
{
  unsigned lba_shift = command->queue->controller->subsystem->lba_shift;
  uint64_t blocks = 0;

  switch (command->request.op) {
  case ENGINE_READ:
  case ENGINE_WRITE:
    return command->data_bytes;
  case ENGINE_FLUSH:
    return 0;
  case ENGINE_DISCARD:
    for (unsigned i = 0; i < command->nr_ranges; i++) {
      const struct nvme_dsm_range *ranges = command->buffer;

      blocks += le32_to_cpu (ranges[i].nlb);
    }
    return blocks << lba_shift;
  case ENGINE_WRITE_ZEROES:
    return (le16_to_cpu (command->sqe.rw.nlb_0based) + 1ull) << lba_shift;
  }
  return 0;
}

void
counters_finish (struct target_command *command, uint16_t status)
{
  struct counters_op *op;
  uint64_t us;
  unsigned bucket = 0;

  if (!command->counted)
    return;
  op = op_of (command);
  us = reactor_clock_us (command->queue->reactor) - command->started_us;
  while (bucket < SUBSYSTEM_LATENCY_BUCKETS - 1
         && us > subsystem_latency_us[bucket])
    bucket++;
  add (&op->latency[bucket], 1);
  add (&op->sum_us, us);
  if (status)
    add (&op->errors, 1);
  else
    add (&op->bytes, bytes_of (command));
}

static void
sum_op (struct counters_op *op, struct subsystem_op_stats *stats)
{
  for (unsigned i = 0; i < SUBSYSTEM_LATENCY_BUCKETS; i++) {
    uint64_t n = get (&op->latency[i]);

    stats->latency[i] += n;
    stats->finished += n;
  }
  stats->errors += get (&op->errors);
  stats->bytes += get (&op->bytes);
  stats->sum_us += get (&op->sum_us);
  stats->started += get (&op->started);
}

void
subsystem_stats (struct subsystem *subsystem,
                 struct subsystem_op_stats stats[SUBSYSTEM_NR_OPS])
{
  LOCK_SCOPE (&subsystem->target->lock);

  for (unsigned n = 0; n < SUBSYSTEM_NR_OPS; n++) {
    stats[n] = (struct subsystem_op_stats) { 0 };
    for (unsigned i = 0; i < TARGET_COUNTERS_MAX; i++)
      if (subsystem->counters[i])
        sum_op (&subsystem->counters[i]->ops[n], &stats[n]);
    /* A command may have finished between the two looks. */
    if (stats[n].started < stats[n].finished)
      stats[n].started = stats[n].finished;
  }
}
