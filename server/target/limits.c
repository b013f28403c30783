/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The limits: names, ranges, values and how often each was reached.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/usage.h"
#include "server/target/limits.h"

enum { LINE_EVERY_MS = 1000 };

const char *const limit_names[LIMIT_NR + 1] = {
  [LIMIT_BUFFERS_MIB] = "buffers_mib",
  [LIMIT_CONNECTIONS] = "connections",
  [LIMIT_CONNECTIONS_PER_HOST] = "connections_per_host",
  [LIMIT_HANDSHAKE_MS] = "handshake_ms",
  [LIMIT_HANDSHAKES] = "handshakes",
  [LIMIT_HANDSHAKES_PER_ADDRESS] = "handshakes_per_address",
  [LIMIT_IDLE_MS] = "idle_ms",
  [LIMIT_IO_QUEUES] = "io_queues",
  [LIMIT_QUEUE_SIZE] = "queue_size",
  [LIMIT_STALL_MS] = "stall_ms",
};

/* NVMe knows no queue of less than 2 entries. */
static const struct {
  unsigned min, max, value;
} ranges[LIMIT_NR] = {
  [LIMIT_BUFFERS_MIB] = { 4, 1 << 20, 256 },
  [LIMIT_CONNECTIONS] = { 1, 1 << 20, 16384 },
  [LIMIT_CONNECTIONS_PER_HOST] = { 1, 1 << 20, 4096 },
  [LIMIT_HANDSHAKE_MS] = { 100, 600000, 10000 },
  [LIMIT_HANDSHAKES] = { 1, 1 << 20, 1024 },
  [LIMIT_HANDSHAKES_PER_ADDRESS] = { 1, 1 << 20, 256 },
  [LIMIT_IDLE_MS] = { 1000, 86400000, 3600000 },
  [LIMIT_IO_QUEUES] = { 1, 64, 8 },
  [LIMIT_QUEUE_SIZE] = { 2, 1024, 128 },
  [LIMIT_STALL_MS] = { 100, 600000, 30000 },
};

static struct {
  _Atomic unsigned value;       /* 0: the default */
  _Atomic uint64_t times;
  _Atomic uint64_t told;        /* times, at the last line */
  _Atomic uint64_t next_line_ms;
} limits[LIMIT_NR];

unsigned
limit_value (enum limit limit)
{
  unsigned value = atomic_load_explicit (&limits[limit].value,
                                         memory_order_relaxed);

  return value ? value : ranges[limit].value;
}

void
limit_set (enum limit limit, unsigned value)
{
  atomic_store_explicit (&limits[limit].value, value, memory_order_relaxed);
}

int
limit_parse (const char *name, const char *text, enum limit *limit,
             unsigned *value, struct error *err)
{
  unsigned long n;
  unsigned i = 0;
  char *end;

  while (limit_names[i] && strcmp (limit_names[i], name) != 0)
    i++;
  if (limit_names[i] == NULL)
    return usage_unknown ("limit", name, limit_names, err);
  errno = 0;
  n = strtoul (text, &end, 10);
  if (errno || end == text || *end || text[0] == '-'
      || n < ranges[i].min || n > ranges[i].max)
    return error_set (err, EINVAL, "limit: %s: %s: must be a number from %u "
                      "to %u", name, text, ranges[i].min, ranges[i].max);
  *limit = (enum limit) i;
  *value = (unsigned) n;
  return 0;
}

/* A flood must not become one of the log.  Of several threads one wins. */
static bool
may_tell (enum limit limit)
{
  uint64_t now_ms = clock_now_ms ();
  uint64_t next_ms = atomic_load (&limits[limit].next_line_ms);

  return now_ms >= next_ms
    && atomic_compare_exchange_strong (&limits[limit].next_line_ms, &next_ms,
                                       now_ms + LINE_EVERY_MS);
}

void
limit_reached (enum limit limit, const char *peer, const char *what)
{
  uint64_t times = atomic_fetch_add (&limits[limit].times, 1) + 1, untold;

  if (!may_tell (limit))
    return;
  untold = times - atomic_exchange (&limits[limit].told, times);
  if (untold > 1)
    log_warning ("%s: %s: limit %s is %u; %llu others before it", peer, what,
                 limit_names[limit], limit_value (limit),
                 (unsigned long long) untold - 1);
  else
    log_warning ("%s: %s: limit %s is %u", peer, what, limit_names[limit],
                 limit_value (limit));
}

uint64_t
limit_times_reached (enum limit limit)
{
  return atomic_load (&limits[limit].times);
}
