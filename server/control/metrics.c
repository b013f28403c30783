/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prometheus wants all samples of a metric in one group, and the pools and
 * volumes are told one by one: so they are copied first, and then each metric
 * is written for all of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/control/metrics.h"
#include "server/target/limits.h"

struct volume_sample {
  char pool[ENGINE_NAME_MAX];
  char name[ENGINE_NAME_MAX];
  bool ready;
  bool fenced;
  bool allocated_valid;
  uint64_t size_bytes;
  uint64_t allocated_bytes;
  unsigned hosts;
  struct subsystem_op_stats ops[SUBSYSTEM_NR_OPS];
};

struct pool_sample {
  char name[ENGINE_NAME_MAX];
  const char *engine;
  bool stat_valid;
  struct engine_pool_stat stat;
  unsigned nr_volumes;
  bool has_gateways;
  bool fenced;
  uint64_t nr_fenced;
};

struct samples {
  FILE *out;
  unsigned nr_pools;
  struct pool_sample pools[VOLUMES_POOL_MAX];
  size_t nr_volumes, max_volumes;
  struct volume_sample *volumes;
  bool no_memory;
};

static const char *const op_names[SUBSYSTEM_NR_OPS] = {
  [ENGINE_READ] = "read",
  [ENGINE_WRITE] = "write",
  [ENGINE_FLUSH] = "flush",
  [ENGINE_DISCARD] = "discard",
  [ENGINE_WRITE_ZEROES] = "write_zeroes",
};

/* --- copy ------------------------------------------------------------- */

static void
count_host (void *opaque, const struct subsystem_host *host)
{
}

static void
copy_volume (void *opaque, const struct volume_info *info)
{
  struct samples *s = opaque;
  struct volume_sample *v;

  if (s->nr_volumes == s->max_volumes) {
    size_t max = s->max_volumes ? 2 * s->max_volumes : 64;

    v = reallocarray (s->volumes, max, sizeof *v);
    if (!v) {
      s->no_memory = true;
      return;
    }
    s->volumes = v;
    s->max_volumes = max;
  }
  v = &s->volumes[s->nr_volumes++];
  *v = (struct volume_sample) {
    .ready = !info->failed,
    .fenced = info->is_fenced,
    .allocated_valid = info->allocated_valid,
    .size_bytes = info->size_bytes,
    .allocated_bytes = info->allocated_bytes,
  };
  snprintf (v->pool, sizeof v->pool, "%s", info->pool);
  snprintf (v->name, sizeof v->name, "%s", info->name);
  if (v->ready) {
    v->hosts = subsystem_each_host (info->subsystem, count_host, NULL);
    subsystem_stats (info->subsystem, v->ops);
  }
}

static void
copy_pool (void *opaque, const struct pool_info *info)
{
  struct samples *s = opaque;
  struct pool_sample *p = &s->pools[s->nr_pools++];

  *p = (struct pool_sample) {
    .engine = info->engine,
    .stat_valid = info->stat_valid,
    .stat = info->stat,
    .nr_volumes = info->nr_volumes,
    .has_gateways = info->has_gateways,
    .fenced = info->is_fenced,
    .nr_fenced = info->nr_fenced,
  };
  snprintf (p->name, sizeof p->name, "%s", info->name);
}

/* --- write ------------------------------------------------------------ */

static void
begin (struct samples *s, const char *name, const char *type,
       const char *help)
{
  fprintf (s->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* key="value", as the format escapes it. */
static void
label (struct samples *s, char before, const char *key, const char *value)
{
  fprintf (s->out, "%c%s=\"", before, key);
  for (; *value; ++value) {
    if (*value == '\n')
      fputs ("\\n", s->out);
    else {
      if (*value == '\\' || *value == '"')
        fputc ('\\', s->out);
      fputc (*value, s->out);
    }
  }
  fputc ('"', s->out);
}

static void
value (struct samples *s, uint64_t n)
{
  fprintf (s->out, "} %" PRIu64 "\n", n);
}

static void
pool_labels (struct samples *s, const char *name,
             const struct pool_sample *pool)
{
  fputs (name, s->out);
  label (s, '{', "pool", pool->name);
  label (s, ',', "engine", pool->engine);
}

static void
volume_labels (struct samples *s, const char *name,
               const struct volume_sample *volume)
{
  fputs (name, s->out);
  label (s, '{', "pool", volume->pool);
  label (s, ',', "volume", volume->name);
}

static void
write_pools (struct samples *s)
{
  static const char capacity[] = "qbd_pool_capacity_bytes",
    space[] = "qbd_pool_free_bytes", number[] = "qbd_pool_volumes";

  begin (s, capacity, "gauge", "Size of the storage that holds the pool.");
  for (unsigned i = 0; i < s->nr_pools; ++i)
    if (s->pools[i].stat_valid) {
      pool_labels (s, capacity, &s->pools[i]);
      value (s, s->pools[i].stat.capacity_bytes);
    }
  begin (s, space, "gauge", "Space that is left in the pool.");
  for (unsigned i = 0; i < s->nr_pools; ++i)
    if (s->pools[i].stat_valid) {
      pool_labels (s, space, &s->pools[i]);
      value (s, s->pools[i].stat.free_bytes);
    }
  begin (s, number, "gauge", "Volumes in the pool.");
  for (unsigned i = 0; i < s->nr_pools; ++i) {
    pool_labels (s, number, &s->pools[i]);
    value (s, s->pools[i].nr_volumes);
  }
}

static void
write_gateways (struct samples *s)
{
  static const char fenced[] = "qbd_pool_fenced",
    others[] = "qbd_pool_gateways_fenced_total";

  begin (s, fenced, "gauge", "1 if another gateway has had this one fenced.");
  for (unsigned i = 0; i < s->nr_pools; ++i)
    if (s->pools[i].has_gateways) {
      pool_labels (s, fenced, &s->pools[i]);
      value (s, s->pools[i].fenced);
    }
  begin (s, others, "counter", "Other gateways that this one has had fenced.");
  for (unsigned i = 0; i < s->nr_pools; ++i)
    if (s->pools[i].has_gateways) {
      pool_labels (s, others, &s->pools[i]);
      value (s, s->pools[i].nr_fenced);
    }
}

static void
write_volumes (struct samples *s)
{
  static const char up[] = "qbd_volume_up",
    size[] = "qbd_volume_size_bytes",
    allocated[] = "qbd_volume_allocated_bytes",
    hosts[] = "qbd_volume_attached_hosts";
  /* Without volumes there is no array. */
  const struct volume_sample *end =
    s->nr_volumes > 0 ? s->volumes + s->nr_volumes : s->volumes;

  begin (s, up, "gauge", "1 if the volume is served, 0 if it failed to open "
         "or is fenced.");
  for (const struct volume_sample *v = s->volumes; v < end; ++v) {
    volume_labels (s, up, v);
    value (s, v->ready && !v->fenced);
  }
  begin (s, size, "gauge", "Size of the volume.");
  for (const struct volume_sample *v = s->volumes; v < end; ++v)
    if (v->ready) {
      volume_labels (s, size, v);
      value (s, v->size_bytes);
    }
  begin (s, allocated, "gauge", "Space that the volume takes up.");
  for (const struct volume_sample *v = s->volumes; v < end; ++v)
    if (v->allocated_valid) {
      volume_labels (s, allocated, v);
      value (s, v->allocated_bytes);
    }
  begin (s, hosts, "gauge", "Associations of hosts with the volume.");
  for (const struct volume_sample *v = s->volumes; v < end; ++v)
    if (v->ready) {
      volume_labels (s, hosts, v);
      value (s, v->hosts);
    }
}

static uint64_t
in_flight (const struct subsystem_op_stats *op)
{
  return op->started - op->finished;
}

static uint64_t
finished (const struct subsystem_op_stats *op)
{
  return op->finished;
}

static uint64_t
errors (const struct subsystem_op_stats *op)
{
  return op->errors;
}

static uint64_t
bytes (const struct subsystem_op_stats *op)
{
  return op->bytes;
}

static void
write_ops (struct samples *s, const char *name, const char *type,
           const char *help, uint64_t (*get) (const struct subsystem_op_stats *))
{
  begin (s, name, type, help);
  for (size_t i = 0; i < s->nr_volumes; ++i)
    for (unsigned op = 0; s->volumes[i].ready && op < SUBSYSTEM_NR_OPS; ++op) {
      volume_labels (s, name, &s->volumes[i]);
      label (s, ',', "operation", op_names[op]);
      value (s, get (&s->volumes[i].ops[op]));
    }
}

static void
write_histogram (struct samples *s, const char *name,
                 const struct volume_sample *volume, unsigned n)
{
  const struct subsystem_op_stats *op = &volume->ops[n];
  char part[64], le[32];
  uint64_t sum = 0;

  snprintf (part, sizeof part, "%s_bucket", name);
  for (unsigned i = 0; i < SUBSYSTEM_LATENCY_BUCKETS; ++i) {
    if (i < SUBSYSTEM_LATENCY_BUCKETS - 1)
      snprintf (le, sizeof le, "%g", subsystem_latency_us[i] / 1e6);
    else
      strcpy (le, "+Inf");
    sum += op->latency[i];
    volume_labels (s, part, volume);
    label (s, ',', "operation", op_names[n]);
    label (s, ',', "le", le);
    value (s, sum);
  }
  snprintf (part, sizeof part, "%s_sum", name);
  volume_labels (s, part, volume);
  label (s, ',', "operation", op_names[n]);
  fprintf (s->out, "} %" PRIu64 ".%06u\n", op->sum_us / 1000000,
           (unsigned) (op->sum_us % 1000000));
  snprintf (part, sizeof part, "%s_count", name);
  volume_labels (s, part, volume);
  label (s, ',', "operation", op_names[n]);
  value (s, op->finished);
}

/* An operation that a volume never saw has no histogram: they are long. */
static void
write_histograms (struct samples *s)
{
  static const char name[] = "qbd_operation_duration_seconds";

  begin (s, name, "histogram", "Time from the execution of an operation to its "
         "completion.");
  for (size_t i = 0; i < s->nr_volumes; ++i)
    for (unsigned op = 0; op < SUBSYSTEM_NR_OPS; ++op)
      if (s->volumes[i].ops[op].finished > 0)
        write_histogram (s, name, &s->volumes[i], op);
}

static void
write_all (struct samples *s, const struct api_server *server)
{
  begin (s, "qbd_build_info", "gauge", "1, with the server's version.");
  fputs ("qbd_build_info", s->out);
  label (s, '{', "version", PACKAGE_VERSION);
  value (s, 1);
  begin (s, "qbd_connections", "gauge", "Connections of hosts.");
  fprintf (s->out, "qbd_connections %u\n", server->connections ());
  begin (s, "qbd_limit_reached_total", "counter",
         "Connections that were refused or closed because of a limit.");
  for (unsigned i = 0; i < LIMIT_NR; ++i) {
    fputs ("qbd_limit_reached_total", s->out);
    label (s, '{', "limit", limit_names[i]);
    value (s, limit_times_reached ((enum limit) i));
  }
  write_pools (s);
  write_gateways (s);
  write_volumes (s);
  write_ops (s, "qbd_operations_total", "counter",
             "Operations that ended, with or without an error.", finished);
  write_ops (s, "qbd_operation_errors_total", "counter",
             "Operations that ended with an error.", errors);
  write_ops (s, "qbd_operation_bytes_total", "counter",
             "Bytes of the operations that succeeded.", bytes);
  write_ops (s, "qbd_operations_in_flight", "gauge",
             "Operations that are executing.", in_flight);
  write_histograms (s);
}

char *
metrics_text (const struct api_server *server)
{
  struct samples *s = calloc (1, sizeof *s);
  char *text = NULL;
  size_t size;
  struct error ignored;

  if (!s)
    return NULL;
  volumes_stat_pools (server->volumes, copy_pool, s);
  volumes_list (server->volumes, NULL, copy_volume, s, &ignored);
  s->out = s->no_memory ? NULL : open_memstream (&text, &size);
  if (s->out) {
    write_all (s, server);
    if (fclose (s->out) == EOF) {
      free (text);
      text = NULL;
    }
  }
  free (s->volumes);
  free (s);
  return text;
}
