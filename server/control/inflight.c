/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each reactor gets a task in its mailbox and lists its own commands.  One that
 * hangs in a call answers late, when nobody waits any more: what it writes to
 * belongs to all of them together, and the last frees it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "server/control/inflight.h"
#include "server/control/volumes-internal.h"

struct part {
  struct reactor_task task;
  struct gathering *gathering;
  struct reactor *reactor;
  struct target_inflight_list *list;    /* the reactor's until answered */
  bool answered;                        /* lock */
};

struct gathering {
  struct target *target;                /* constant, as the next two */
  char *volume;                         /* or NULL */
  unsigned nr_parts;
  pthread_mutex_t lock;
  pthread_cond_t changed;               /* with lock; monotonic */
  unsigned nr_answered;                 /* lock */
  unsigned users;                       /* lock: parts, and who asks */
  struct part parts[];
};

static void
gathering_free (struct gathering *gathering)
{
  for (unsigned i = 0; i < gathering->nr_parts; i++)
    free (gathering->parts[i].list);
  pthread_cond_destroy (&gathering->changed);
  pthread_mutex_destroy (&gathering->lock);
  free (gathering->volume);
  free (gathering);
}

static void
gathering_put (struct gathering *gathering)
{
  bool last;

  pthread_mutex_lock (&gathering->lock);
  last = --gathering->users == 0;
  pthread_mutex_unlock (&gathering->lock);
  if (last)
    gathering_free (gathering);
}

static void
answer (struct reactor_task *task)
{
  struct part *part = (void *) ((char *) task - offsetof (struct part, task));
  struct gathering *gathering = part->gathering;

  target_list_inflight (gathering->target, part->reactor, gathering->volume,
                        part->list);
  pthread_mutex_lock (&gathering->lock);
  part->answered = true;
  gathering->nr_answered++;
  pthread_cond_signal (&gathering->changed);
  pthread_mutex_unlock (&gathering->lock);
  gathering_put (gathering);
}

static struct target_inflight_list *
list_new (void)
{
  struct target_inflight_list *list =
    calloc (1, sizeof *list + INFLIGHT_MAX * sizeof list->commands[0]);

  if (list)
    list->nr_max = INFLIGHT_MAX;
  return list;
}

/* NULL for want of memory. */
static struct gathering *
gathering_new (struct volumes *volumes, const char *volume)
{
  struct gathering *gathering =
    calloc (1, sizeof *gathering
            + volumes->nr_reactors * sizeof gathering->parts[0]);
  pthread_condattr_t attr;

  if (!gathering)
    return NULL;
  pthread_mutex_init (&gathering->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&gathering->changed, &attr);
  pthread_condattr_destroy (&attr);
  gathering->target = volumes->target;
  gathering->users = 1;
  if (volume && !(gathering->volume = strdup (volume)))
    goto err;
  for (unsigned i = 0; i < volumes->nr_reactors; i++) {
    struct part *part = &gathering->parts[gathering->nr_parts++];

    part->task.run = answer;
    part->gathering = gathering;
    part->reactor = volumes->reactors[i];
    part->list = list_new ();
    if (!part->list)
      goto err;
  }
  return gathering;

 err:
  gathering_free (gathering);
  return NULL;
}

static void
ask (struct gathering *gathering)
{
  gathering->users += gathering->nr_parts;
  for (unsigned i = 0; i < gathering->nr_parts; i++)
    reactor_post (gathering->parts[i].reactor, &gathering->parts[i].task);
}

static void
wait_for_answers_locked (struct gathering *gathering)
{
  const struct timespec limit =
    clock_timespec (clock_now_ms () + INFLIGHT_WAIT_MS);
  int r = 0;

  while (gathering->nr_answered < gathering->nr_parts && r == 0)
    r = pthread_cond_timedwait (&gathering->changed, &gathering->lock,
                                &limit);
}

static int
compare_age (const void *a, const void *b)
{
  uint64_t x = ((const struct target_inflight *) a)->age_ms;
  uint64_t y = ((const struct target_inflight *) b)->age_ms;

  return x < y ? 1 : x > y ? -1 : 0;
}

/* False for want of memory. */
static bool
merge_locked (struct gathering *gathering, struct inflight *inflight)
{
  unsigned nr = 0;

  inflight->commands = calloc (gathering->nr_parts,
                               INFLIGHT_MAX * sizeof *inflight->commands);
  inflight->silent = calloc (gathering->nr_parts, sizeof *inflight->silent);
  if (!inflight->commands || !inflight->silent)
    return false;
  for (unsigned i = 0; i < gathering->nr_parts; i++) {
    const struct part *part = &gathering->parts[i];

    if (!part->answered) {
      inflight->silent[inflight->nr_silent++] = i;
      continue;
    }
    memcpy (&inflight->commands[nr], part->list->commands,
            part->list->nr * sizeof *inflight->commands);
    nr += part->list->nr;
    inflight->total += part->list->total;
  }
  qsort (inflight->commands, nr, sizeof *inflight->commands, compare_age);
  inflight->nr = nr < INFLIGHT_MAX ? nr : INFLIGHT_MAX;
  return true;
}

int
inflight_gather (struct volumes *volumes, const char *volume,
                 struct inflight *inflight, struct error *err)
{
  struct gathering *gathering;
  bool merged;

  *inflight = (struct inflight) { 0 };
  if (volume && !target_has_volume (volumes->target, volume))
    return error_set (err, ENOENT, "inflight: %.230s: no such volume is "
                      "served", volume);
  gathering = gathering_new (volumes, volume);
  if (!gathering)
    return error_set (err, ENOMEM, "inflight: out of memory");
  ask (gathering);
  pthread_mutex_lock (&gathering->lock);
  wait_for_answers_locked (gathering);
  merged = merge_locked (gathering, inflight);
  pthread_mutex_unlock (&gathering->lock);
  gathering_put (gathering);
  if (merged)
    return 0;
  inflight_free (inflight);
  return error_set (err, ENOMEM, "inflight: out of memory");
}

void
inflight_free (struct inflight *inflight)
{
  free (inflight->commands);
  free (inflight->silent);
  *inflight = (struct inflight) { 0 };
}
