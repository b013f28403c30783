/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd torture: progress while it runs; what was done, what was wrong, and what
 * led to it, as text or JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/torture.h"
#include "common/size.h"

static const char *const kind_names[] = {
  [TARGET_READ] = "read",
  [TARGET_WRITE] = "write",
  [TARGET_ZERO] = "zero",
  [TARGET_TRIM] = "trim",
  [TARGET_FLUSH] = "flush",
};

/* --- progress ------------------------------------------------------------- */

#define REDRAW_NS UINT64_C (500000000)

static uint64_t drawn_ns;

void
report_progress (struct torture *torture, uint64_t now_ns)
{
  uint64_t nr_ops = 0, nr_faults = 0, nr_violations;

  if (torture->quiet || !isatty (STDERR_FILENO)
      || now_ns - drawn_ns < REDRAW_NS)
    return;
  drawn_ns = now_ns;
  pthread_mutex_lock (&torture->lock);
  for (unsigned i = 0; i < TARGET_NR_KINDS; i++)
    nr_ops += torture->nr_ops[i];
  for (unsigned i = 0; i < FAULT_NR; i++)
    nr_faults += torture->nr_faults[i];
  nr_violations = history_nr_violations (torture->history);
  pthread_mutex_unlock (&torture->lock);
  fprintf (stderr, "\r%" PRIu64 " s  %" PRIu64 " requests  %" PRIu64
           " faults  %" PRIu64 " violations\033[K", now_ns / 1000000000,
           nr_ops, nr_faults, nr_violations);
}

void
report_progress_end (void)
{
  if (drawn_ns != 0)
    fputs ("\r\033[K", stderr);
  drawn_ns = 0;
}

/* --- text ----------------------------------------------------------------- */

static double
seconds (uint64_t ns)
{
  return (double) ns / 1e9;
}

static const char *
client_name (const struct torture *torture, const struct event *event,
             char *buf, size_t size)
{
  if (event->client >= torture->nr_clients)
    snprintf (buf, size, "the last look");
  else
    snprintf (buf, size, "client %u", event->client + 1);
  return buf;
}

static void
print_event (const struct torture *torture, const struct event *event)
{
  char who[32];

  client_name (torture, event, who, sizeof who);
  printf ("    %10.6f  ", seconds (event->start_ns));
  if (event->kind == EVENT_FAULT) {
    printf ("%9s  %s: %s", "", who, fault_names[event->fault]);
    if (event->duration_ms)
      printf (" for %u ms", event->duration_ms);
    putchar ('\n');
    return;
  }
  if (event->end_ns)
    printf ("%9.6f  ", seconds (event->end_ns));
  else
    printf ("%9s  ", "under way");
  if (event->kind == EVENT_RESTART) {
    puts ("the target is restarted");
    return;
  }
  printf ("%s: %s", who, kind_names[event->op]);
  if (event->op == TARGET_WRITE)
    printf (" %" PRIu64, event->number);
  printf (" of %u block%s from %u%s%s%s%s\n", event->count,
          event->count == 1 ? "" : "s", event->block,
          event->fua ? ", FUA" : "", event->nr_again ? ", sent again" : "",
          event->error ? ": " : "", !event->error ? ""
          : event->error == ENOTCONN ? "outcome unknown"
          : strerror (event->error));
}

/* "write 17" or "zeroes"; buf is large enough. */
static const char *
name_write (uint64_t number, char *buf, size_t size)
{
  if (number == 0)
    snprintf (buf, size, "zeroes");
  else
    snprintf (buf, size, "write %" PRIu64, number);
  return buf;
}

static void
print_finding (const struct torture *torture, const struct finding *finding)
{
  const struct model_finding *model = &finding->model;
  uint32_t block_size = torture->target.block_size;
  char a[32], b[32];

  printf ("\n%s: block %u (%u bytes from %" PRIu64 ")\n",
          model_wrong_name (model->wrong), model->block, block_size,
          (uint64_t) model->block * block_size);
  printf ("  was read by %s from %.6f to %.6f s\n",
          client_name (torture, &finding->read, a, sizeof a),
          seconds (finding->read.start_ns), seconds (finding->read.end_ns));
  if (!model->readable)
    printf ("  held     what no request of this run has written there\n");
  else if (model->number != model->other)
    printf ("  held     parts of %s and of %s\n",
            name_write (model->number, a, sizeof a),
            name_write (model->other, b, sizeof b));
  else
    printf ("  held     %s\n", name_write (model->number, a, sizeof a));
  printf ("  allowed ");
  for (unsigned i = 0; i < model->nr_allowed && i < MODEL_ALLOWED_MAX; i++)
    printf ("%s %s", i ? "," : "",
            name_write (model->allowed[i], a, sizeof a));
  if (model->nr_allowed > MODEL_ALLOWED_MAX)
    printf (", and %u more", model->nr_allowed - MODEL_ALLOWED_MAX);
  printf ("\n  what changed it, and faults then, in seconds:\n");
  for (unsigned i = finding->nr_events; i-- > 0; )
    print_event (torture, &finding->events[i]);
}

static void
print_findings (const struct torture *torture)
{
  const struct history *history = torture->history;

  for (unsigned i = 0; i < history->nr_findings; i++)
    print_finding (torture, &history->findings[i]);
  if (history->nr_findings > 0)
    putchar ('\n');
  for (unsigned i = 0; i < MODEL_NR_WRONG; i++)
    if (history->nr_wrong[i] > 0)
      printf ("%-16s %" PRIu64 " blocks%s\n", model_wrong_name (i),
              history->nr_wrong[i], i == MODEL_MIXED && history->tolerant
              ? " (which NBD allows)" : "");
  if (torture->nr_unanswered > 0)
    printf ("no answer        %" PRIu64 " requests\n", torture->nr_unanswered);
  if (torture->stopped.code)
    printf ("it ended early: %s\n", torture->stopped.message);
  puts (torture_nr_violations (torture) > 0 ? "result: VIOLATED"
        : torture->stopped.code ? "result: nothing found until then"
        : "result: nothing found");
}

static void
print_text (const struct torture *torture)
{
  const struct target *target = &torture->target;
  char range[32], size[32];

  size_format (torture->range_bytes, range, sizeof range);
  size_format (target->size_bytes, size, sizeof size);
  printf ("%s%s%s: %s, the first %s of %s, blocks of %u\n", target->uri,
          target->name ? " " : "", target->name ? target->name : "",
          target->protocol, range, size, target->block_size);
  printf ("%-9s %" PRIu64 ", %u client%s with %u requests each, %.1f s%s\n",
          "seed", torture->seed, torture->nr_clients,
          torture->nr_clients == 1 ? "" : "s", torture->depth,
          seconds (torture->elapsed_ns),
          target->shared ? "" : " (the target lets connections not share)");
  printf ("%-9s", "requests");
  for (unsigned i = 0; i < TARGET_NR_KINDS; i++)
    printf (" %s %" PRIu64, kind_names[i], torture->nr_ops[i]);
  printf (", failed %" PRIu64 ", outcome unknown %" PRIu64, torture->nr_failed,
          torture->nr_unknown);
  if (torture->resend)
    printf (", sent again %" PRIu64, torture->nr_resent);
  if (torture->zero_error)
    printf ("\n%-9s not tried by clients: %s", "zeroes",
            strerror (torture->zero_error));
  if (torture->trim_error)
    printf ("\n%-9s not tried by clients: %s", "trim",
            strerror (torture->trim_error));
  printf ("\n%-9s", "faults");
  for (unsigned i = 0; i < FAULT_NR; i++)
    printf (" %s %" PRIu64, fault_names[i], torture->nr_faults[i]);
  printf (", restart %" PRIu64 "; bytes that arrived late %" PRIu64 "\n",
          torture->nr_restarts, proxy_late_bytes (torture->proxy));
  printf ("%-9s %" PRIu64 " blocks that were read\n", "judged",
          torture->blocks_judged);
  print_findings (torture);
}

/* --- JSON ----------------------------------------------------------------- */

static json_t *
event_json (const struct event *event)
{
  static const char *const kinds[] = {
    [EVENT_OP] = NULL, [EVENT_FAULT] = "fault", [EVENT_RESTART] = "restart",
  };
  json_t *json = json_pack ("{s:s, s:f}", "event", kinds[event->kind]
                            ? kinds[event->kind] : kind_names[event->op],
                            "begun", seconds (event->start_ns));

  if (event->end_ns)
    json_object_set_new (json, "ended", json_real (seconds (event->end_ns)));
  if (event->kind != EVENT_RESTART)
    json_object_set_new (json, "client",
                         json_integer (event->client + 1));
  if (event->kind == EVENT_FAULT) {
    json_object_set_new (json, "fault",
                         json_string (fault_names[event->fault]));
    json_object_set_new (json, "duration_ms",
                         json_integer (event->duration_ms));
  }
  if (event->kind != EVENT_OP)
    return json;
  json_object_set_new (json, "block", json_integer (event->block));
  json_object_set_new (json, "count", json_integer (event->count));
  json_object_set_new (json, "fua", json_boolean (event->fua));
  if (event->nr_again)
    json_object_set_new (json, "sent_again", json_integer (event->nr_again));
  if (event->op == TARGET_WRITE)
    json_object_set_new (json, "number",
                         json_integer ((json_int_t) event->number));
  if (event->error)
    json_object_set_new (json, "error", event->error == ENOTCONN
                         ? json_string ("outcome unknown")
                         : json_string (strerror (event->error)));
  return json;
}

static json_t *
finding_json (const struct finding *finding)
{
  const struct model_finding *model = &finding->model;
  json_t *allowed = json_array (), *history = json_array ();
  json_t *held = json_array ();

  for (unsigned i = 0; i < model->nr_allowed && i < MODEL_ALLOWED_MAX; i++)
    json_array_append_new (allowed,
                           json_integer ((json_int_t) model->allowed[i]));
  if (model->readable)
    json_array_append_new (held, json_integer ((json_int_t) model->number));
  if (model->readable && model->number != model->other)
    json_array_append_new (held, json_integer ((json_int_t) model->other));
  for (unsigned i = finding->nr_events; i-- > 0; )
    json_array_append_new (history, event_json (&finding->events[i]));
  return json_pack ("{s:s, s:i, s:o, s:o, s:o, s:o}",
                    "violation", model_wrong_name (model->wrong),
                    "block", (int) model->block,
                    "read", event_json (&finding->read),
                    "held", held, "allowed", allowed, "history", history);
}

static json_t *
counts_json (const char *const names[], const uint64_t counts[], unsigned nr)
{
  json_t *json = json_object ();

  for (unsigned i = 0; i < nr; i++)
    json_object_set_new (json, names[i],
                         json_integer ((json_int_t) counts[i]));
  return json;
}

static void
print_json (const struct torture *torture)
{
  const struct history *history = torture->history;
  const struct target *target = &torture->target;
  json_t *findings = json_array (), *wrong = json_object (), *json;
  json_t *requests = counts_json (kind_names, torture->nr_ops,
                                  TARGET_NR_KINDS);
  json_t *faults = counts_json (fault_names, torture->nr_faults, FAULT_NR);

  json_object_set_new (requests, "failed",
                       json_integer ((json_int_t) torture->nr_failed));
  json_object_set_new (requests, "unknown",
                       json_integer ((json_int_t) torture->nr_unknown));
  json_object_set_new (requests, "sent_again",
                       json_integer ((json_int_t) torture->nr_resent));
  json_object_set_new (requests, "unanswered",
                       json_integer ((json_int_t) torture->nr_unanswered));
  json_object_set_new (faults, "restart",
                       json_integer ((json_int_t) torture->nr_restarts));
  for (unsigned i = 0; i < MODEL_NR_WRONG; i++)
    json_object_set_new (wrong, model_wrong_name (i),
                         json_integer ((json_int_t) history->nr_wrong[i]));
  for (unsigned i = 0; i < history->nr_findings; i++)
    json_array_append_new (findings, finding_json (&history->findings[i]));
  json = json_pack ("{s:s, s:s?, s:s, s:I, s:i, s:I, s:i, s:i, s:f, s:o, s:o, "
                    "s:I, s:I, s:o, s:o, s:b}",
                    "uri", target->uri, "name", target->name,
                    "protocol", target->protocol,
                    "range_bytes", (json_int_t) torture->range_bytes,
                    "block_size", (int) target->block_size,
                    "seed", (json_int_t) torture->seed,
                    "clients", (int) torture->nr_clients,
                    "depth", (int) torture->depth,
                    "seconds", seconds (torture->elapsed_ns),
                    "requests", requests, "faults", faults,
                    "late_bytes",
                    (json_int_t) proxy_late_bytes (torture->proxy),
                    "blocks_judged", (json_int_t) torture->blocks_judged,
                    "wrong_blocks", wrong, "findings", findings,
                    "violated", torture_nr_violations (torture) > 0);
  if (torture->zero_error)
    json_object_set_new (json, "zero_error",
                         json_string (strerror (torture->zero_error)));
  if (torture->trim_error)
    json_object_set_new (json, "trim_error",
                         json_string (strerror (torture->trim_error)));
  if (torture->stopped.code)
    json_object_set_new (json, "stopped",
                         json_string (torture->stopped.message));
  output_json (json);
  json_decref (json);
}

void
report_print (const struct torture *torture)
{
  if (torture->json)
    print_json (torture);
  else
    print_text (torture);
}
