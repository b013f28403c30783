/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened lately, and of what was wrong as much of it as explains it.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/torture/torture.h"

#define HISTORY_MAX (1u << 18)  /* events */
/* Of a finding's events; what it is about comes on top. */
#define CHANGES_SHOWN 12
#define FAULTS_SHOWN 8

static void note_wrong (void *opaque, const struct model_finding *finding);

struct history *
history_new (struct model *model, bool tolerant)
{
  struct history *history = calloc (1, sizeof *history);

  if (history == NULL)
    return NULL;
  history->events = calloc (HISTORY_MAX, sizeof *history->events);
  if (history->events == NULL) {
    free (history);
    return NULL;
  }
  history->tolerant = tolerant;
  model_on_wrong (model, note_wrong, history);
  return history;
}

void
history_free (struct history *history)
{
  if (history)
    free (history->events);
  free (history);
}

static struct event *
at (const struct history *history, uint64_t sequence)
{
  return &history->events[sequence % HISTORY_MAX];
}

uint64_t
history_add (struct history *history, const struct event *event)
{
  uint64_t sequence = history->nr_events++;

  *at (history, sequence) = *event;
  at (history, sequence)->sequence = sequence;
  return sequence;
}

void
history_end (struct history *history, uint64_t sequence, uint64_t end_ns,
             int error)
{
  struct event *event = at (history, sequence);

  if (event->sequence != sequence)
    return;                     /* so long ago that it was overwritten */
  event->end_ns = end_ns;
  event->error = error;
}

void
history_again (struct history *history, uint64_t sequence)
{
  if (at (history, sequence)->sequence == sequence)
    at (history, sequence)->nr_again++;
}

/* --- what is wrong -------------------------------------------------------- */

static bool
changes (const struct event *event, uint32_t block)
{
  return event->kind == EVENT_OP
         && target_kind_changes (event->op)
         && event->block <= block && block - event->block < event->count;
}

static bool
is_named (const struct event *event, const struct model_finding *finding)
{
  return event->op == TARGET_WRITE
         && (event->number == finding->number
             || event->number == finding->other
             || event->number == finding->expected);
}

/* Newest first: what changed the block lately, the last faults, and the writes
 * that it is about, however old. */
static void
gather (const struct history *history, struct finding *finding)
{
  uint64_t first = history->nr_events > HISTORY_MAX
    ? history->nr_events - HISTORY_MAX : 0;
  unsigned nr_changes = 0, nr_faults = 0;

  for (uint64_t i = history->nr_events; i-- > first; ) {
    const struct event *event = at (history, i);
    bool wanted;

    if (event->kind != EVENT_OP)
      wanted = nr_faults++ < FAULTS_SHOWN;
    else if (changes (event, finding->model.block))
      wanted = is_named (event, &finding->model)
        || nr_changes++ < CHANGES_SHOWN;
    else
      wanted = false;
    if (wanted && finding->nr_events < FINDING_EVENTS_MAX)
      finding->events[finding->nr_events++] = *event;
  }
}

static void
note_wrong (void *opaque, const struct model_finding *wrong)
{
  struct history *history = opaque;
  struct finding *finding;

  history->nr_wrong[wrong->wrong]++;
  if (wrong->wrong == MODEL_MIXED && history->tolerant)
    return;
  for (unsigned i = 0; i < history->nr_findings; i++)
    if (history->findings[i].model.block == wrong->block)
      return;
  if (history->nr_findings == FINDINGS_MAX)
    return;
  finding = &history->findings[history->nr_findings++];
  finding->model = *wrong;
  finding->read = *history->reading;
  gather (history, finding);
}

void
history_judge (struct history *history, struct model *model,
               const struct event *read, uint64_t begun_at,
               const uint8_t *data)
{
  history->reading = read;
  model_read_ends (model, read->block, read->count, begun_at, data);
  history->reading = NULL;
}

uint64_t
history_nr_violations (const struct history *history)
{
  uint64_t nr = 0;

  for (unsigned i = 0; i < MODEL_NR_WRONG; i++)
    if (i != MODEL_MIXED || !history->tolerant)
      nr += history->nr_wrong[i];
  return nr;
}
