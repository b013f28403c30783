/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far a copy has come, for somebody who watches: on a terminal only.
 *
 *   [##########..........]  50%  5G of 10G  512M/s  0:10 left
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/transfer.h"
#include "common/clock.h"
#include "common/size.h"

#define REDRAW_MS 200
#define BAR_CELLS 20

static void
format_left (const struct progress *p, uint64_t rate, char *text,
             size_t size)
{
  uint64_t left_s;

  if (rate == 0) {
    snprintf (text, size, "-:--");
    return;
  }
  left_s = (p->total_bytes - p->done_bytes) / rate;
  if (left_s >= 3600)
    snprintf (text, size, "%" PRIu64 ":%02u:%02u", left_s / 3600,
              (unsigned) (left_s / 60 % 60), (unsigned) (left_s % 60));
  else
    snprintf (text, size, "%u:%02u", (unsigned) (left_s / 60),
              (unsigned) (left_s % 60));
}

static const char *
human (uint64_t bytes, char *buf, size_t size)
{
  return bytes == 0 ? "0" : size_format (bytes, buf, size);
}

static void
draw (struct progress *p, uint64_t now_ms)
{
  char done[32], total[32], speed[32], left[32], bar[BAR_CELLS + 1];
  uint64_t elapsed_ms = now_ms - p->start_ms;
  uint64_t rate = (p->done_bytes - p->from_bytes)
    / (elapsed_ms ? elapsed_ms : 1) * 1000;
  unsigned percent, cells;

  p->drawn_ms = now_ms;
  if (p->total_bytes == UINT64_MAX) {
    fprintf (stderr, "\r%s  %s/s\033[K",
             human (p->done_bytes, done, sizeof done),
             human (rate, speed, sizeof speed));
    return;
  }
  percent = p->total_bytes == 0 ? 100
    : (unsigned) ((double) p->done_bytes * 100 / (double) p->total_bytes);
  cells = percent * BAR_CELLS / 100;
  memset (bar, '.', BAR_CELLS);
  memset (bar, '#', cells);
  bar[BAR_CELLS] = '\0';
  format_left (p, rate, left, sizeof left);
  fprintf (stderr, "\r[%s] %3u%%  %s of %s  %s/s  %s left\033[K", bar,
           percent, human (p->done_bytes, done, sizeof done),
           human (p->total_bytes, total, sizeof total),
           human (rate, speed, sizeof speed), left);
}

void
progress_start (struct progress *p, bool quiet, uint64_t from_bytes,
                uint64_t total_bytes)
{
  *p = (struct progress) {
    .shown = !quiet && isatty (STDERR_FILENO),
    .total_bytes = total_bytes,
    .from_bytes = from_bytes,
    .done_bytes = from_bytes,
    .start_ms = clock_now_ms (),
  };
  if (p->shown)
    draw (p, p->start_ms);
}

void
progress_tick (struct progress *p)
{
  uint64_t now_ms;

  if (!p->shown)
    return;
  now_ms = clock_now_ms ();
  if (now_ms - p->drawn_ms >= REDRAW_MS)
    draw (p, now_ms);
}

void
progress_update (struct progress *p, uint64_t done_bytes)
{
  p->done_bytes = done_bytes;
  progress_tick (p);
}

void
progress_end (struct progress *p)
{
  if (!p->shown)
    return;
  draw (p, clock_now_ms ());
  fputc ('\n', stderr);
  p->shown = false;
}
