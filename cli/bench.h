/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What qbd bench was asked for and what it measured: bench.c makes the load,
 * bench-report.c tells of it.
 */
#ifndef QBD_CLI_BENCH_H
#define QBD_CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/latency.h"

#define BENCH_IO_SIZE_MAX (64u << 20)   /* bytes */

enum bench_type {
  BENCH_READS,
  BENCH_WRITES,
  BENCH_MIX,
};

enum bench_op {
  BENCH_READ,
  BENCH_WRITE,
};
enum { BENCH_NR_OPS = BENCH_WRITE + 1 };

struct bench {
  enum bench_type type;
  bool sequential;              /* else random */
  bool fua;
  bool quiet;
  unsigned depth;               /* requests in flight */
  unsigned queues;
  unsigned seconds;
  unsigned read_percent;        /* of BENCH_MIX */
  uint64_t io_size_bytes;
};

struct bench_result {
  uint64_t elapsed_ns;
  struct latency latency[BENCH_NR_OPS];
};

/* NULL terminated, in the order of enum bench_type; random, sequential. */
extern const char *const bench_type_names[];
extern const char *const bench_pattern_names[];

/* One line on standard error, when that is a terminal; else nothing. */
struct bench_progress {
  const struct bench *bench;
  const struct bench_result *result;
  bool shown;
  uint64_t start_ms;
  uint64_t drawn_ms;
  uint64_t drawn_nr;            /* operations until then */
};

void bench_progress_start (struct bench_progress *progress,
                           const struct bench *bench,
                           const struct bench_result *result);
void bench_progress_tick (struct bench_progress *progress);
void bench_progress_end (struct bench_progress *progress);

void bench_print (const char *volume, const struct bench *bench,
                  const struct bench_result *result, bool json);

#endif
