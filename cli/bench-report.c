/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd bench: progress while it runs, and the result as text or JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "common/clock.h"
#include "common/size.h"

#define REDRAW_MS 500

const char *const bench_type_names[] = { "read", "write", "mix", NULL };
const char *const bench_pattern_names[] = { "rand", "seq", NULL };

static const char *const op_names[] = {
  [BENCH_READ] = "read",
  [BENCH_WRITE] = "write",
};

static const struct {
  const char *name;
  double percent;
} percentiles[] = {
  { "50", 50 }, { "90", 90 }, { "99", 99 }, { "99.9", 99.9 },
  { "99.99", 99.99 },
};
#define NR_PERCENTILES (sizeof percentiles / sizeof percentiles[0])

/* --- progress ----------------------------------------------------------- */

static uint64_t
nr_operations (const struct bench_result *result)
{
  return result->latency[BENCH_READ].nr + result->latency[BENCH_WRITE].nr;
}

void
bench_progress_start (struct bench_progress *p, const struct bench *bench,
                      const struct bench_result *result)
{
  uint64_t now_ms = clock_now_ms ();

  *p = (struct bench_progress) {
    .bench = bench, .result = result, .start_ms = now_ms, .drawn_ms = now_ms,
    .shown = !bench->quiet && isatty (STDERR_FILENO),
  };
}

/* What the last interval was like. */
void
bench_progress_tick (struct bench_progress *p)
{
  uint64_t now_ms, nr, iops, interval_ms;
  char rate[32];

  if (!p->shown)
    return;
  now_ms = clock_now_ms ();
  interval_ms = now_ms - p->drawn_ms;
  if (interval_ms < REDRAW_MS)
    return;
  nr = nr_operations (p->result);
  iops = (nr - p->drawn_nr) * 1000 / interval_ms;
  size_format (iops * p->bench->io_size_bytes, rate, sizeof rate);
  fprintf (stderr, "\r%" PRIu64 " of %u s  %" PRIu64 " IOPS  %s/s\033[K",
           (now_ms - p->start_ms) / 1000, p->bench->seconds, iops,
           iops == 0 ? "0" : rate);
  p->drawn_ms = now_ms;
  p->drawn_nr = nr;
}

void
bench_progress_end (struct bench_progress *p)
{
  if (p->shown)
    fputs ("\r\033[K", stderr);
}

/* --- the result --------------------------------------------------------- */

static double
per_second (const struct bench_result *result, uint64_t n)
{
  return result->elapsed_ns == 0 ? 0
    : (double) n * 1e9 / (double) result->elapsed_ns;
}

static json_t *
op_json (const struct bench *bench, const struct bench_result *result,
         const struct latency *latency)
{
  json_t *list = json_object ();

  for (size_t i = 0; i < NR_PERCENTILES; i++)
    json_object_set_new (list, percentiles[i].name,
                         json_real (latency_percentile_us
                                    (latency, percentiles[i].percent)));
  return json_pack ("{s:I, s:f, s:f, s:{s:f, s:f, s:f, s:o}}",
                    "operations", (json_int_t) latency->nr,
                    "iops", per_second (result, latency->nr),
                    "bytes_per_second",
                    per_second (result, latency->nr * bench->io_size_bytes),
                    "latency_us",
                    "mean", latency_mean_us (latency),
                    "min", (double) latency->min_ns / 1000,
                    "max", (double) latency->max_ns / 1000,
                    "percentiles", list);
}

static void
print_json (const char *volume, const struct bench *bench,
            const struct bench_result *result)
{
  json_t *json;

  json = json_pack ("{s:s, s:s, s:s, s:I, s:i, s:i, s:b, s:f}",
                    "volume", volume,
                    "io_type", bench_type_names[bench->type],
                    "io_pattern", bench_pattern_names[bench->sequential],
                    "io_size_bytes", (json_int_t) bench->io_size_bytes,
                    "depth", (int) bench->depth,
                    "queues", (int) bench->queues,
                    "fua", (int) bench->fua,
                    "seconds", (double) result->elapsed_ns / 1e9);
  for (unsigned op = 0; op < BENCH_NR_OPS; op++)
    if (result->latency[op].nr > 0)
      json_object_set_new (json, op_names[op],
                           op_json (bench, result, &result->latency[op]));
  if (bench->type == BENCH_MIX)
    json_object_set_new (json, "read_percent",
                         json_integer (bench->read_percent));
  output_json (json);
  json_decref (json);
}

static void
print_op (const char *name, const struct bench *bench,
          const struct bench_result *result, const struct latency *latency)
{
  double bytes = per_second (result, latency->nr * bench->io_size_bytes);

  printf ("%-6s%.0f IOPS, %.1f MiB/s, latency in us: mean %.1f, min %.1f, "
          "max %.1f\n", name, per_second (result, latency->nr),
          bytes / (1 << 20), latency_mean_us (latency),
          (double) latency->min_ns / 1000, (double) latency->max_ns / 1000);
  printf ("%-6s", "");
  for (size_t i = 0; i < NR_PERCENTILES; i++)
    printf ("%sp%s %.1f", i ? ", " : "", percentiles[i].name,
            latency_percentile_us (latency, percentiles[i].percent));
  putchar ('\n');
}

void
bench_print (const char *volume, const struct bench *bench,
             const struct bench_result *result, bool json)
{
  char size[32];

  if (json) {
    print_json (volume, bench, result);
    return;
  }
  printf ("%s: %s, %s, %s, depth %u, queues %u, %.1f s\n", volume,
          bench_type_names[bench->type],
          bench_pattern_names[bench->sequential],
          size_format (bench->io_size_bytes, size, sizeof size),
          bench->depth, bench->queues, (double) result->elapsed_ns / 1e9);
  for (unsigned op = 0; op < BENCH_NR_OPS; op++)
    if (result->latency[op].nr > 0)
      print_op (op_names[op], bench, result, &result->latency[op]);
}
