/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Subsystems: the registry that control/ fills and that Connect and discovery
 * read.  Any thread; everything here is short and under the target's lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "nvmeof/nqn.h"
#include "server/target/counters.h"
#include "server/target/internal.h"

struct subsystem *
subsystem_locked_find (struct target *target, const char *nqn)
{
  struct subsystem *subsystem;

  if (strcmp (nqn, NVMEOF_DISCOVERY_NQN) == 0)
    return target->discovery;
  TAILQ_FOREACH (subsystem, &target->subsystems, in_target)
    if (strcmp (subsystem->nqn, nqn) == 0)
      return subsystem;
  return NULL;
}

/* CNTLIDs are unique in a subsystem, which several gateways may present: each
 * has a part of them.  Discovery is each server's own. */
static unsigned
nr_gateways (const struct subsystem *subsystem)
{
  const struct engine_pool *pool =
    subsystem->volume ? subsystem->volume->pool : NULL;

  return pool && pool->nr_gateways > 0 ? pool->nr_gateways : 1;
}

static void
cntlid_range (const struct subsystem *subsystem, uint16_t *first,
              uint16_t *last)
{
  unsigned nr = nr_gateways (subsystem);
  unsigned index = nr > 1 ? subsystem->volume->pool->gateway : 0;
  unsigned size = TARGET_CNTLID_MAX / nr;

  assert (index < nr);
  *first = (uint16_t) (1 + index * size);
  *last = (uint16_t) (*first + size - 1);
}

unsigned
subsystem_gateway (const struct subsystem *subsystem, uint16_t cntlid)
{
  unsigned nr = nr_gateways (subsystem);
  unsigned index = (cntlid - 1u) / (TARGET_CNTLID_MAX / nr);

  return index < nr ? index : nr - 1;
}

uint16_t
subsystem_locked_new_cntlid (struct subsystem *subsystem)
{
  uint16_t cntlid = subsystem->last_cntlid;
  uint16_t first, last;

  cntlid_range (subsystem, &first, &last);
  /* Not the lowest free one: a host that was away must not meet another
   * controller under the number that it remembers. */
  for (unsigned tries = first; tries <= last; tries++) {
    cntlid = cntlid < first || cntlid >= last ? first : cntlid + 1;
    if (controller_locked_find (subsystem, cntlid) == NULL) {
      subsystem->last_cntlid = cntlid;
      return cntlid;
    }
  }
  return 0;
}

void
subsystem_namespace (const struct subsystem *subsystem,
                     struct command_namespace *ns)
{
  ns->nsid = TARGET_NSID;
  ns->lba_shift = subsystem->lba_shift;
  ns->nsze = atomic_load (&subsystem->volume->size_bytes)
    >> subsystem->lba_shift;
  ns->read_only = subsystem->volume->read_only;
}

static void
locked_insert (struct target *target, struct subsystem *subsystem)
{
  struct subsystem *other;

  TAILQ_FOREACH (other, &target->subsystems, in_target)
    if (strcmp (other->nqn, subsystem->nqn) > 0)
      break;
  if (other)
    TAILQ_INSERT_BEFORE (other, subsystem, in_target);
  else
    TAILQ_INSERT_TAIL (&target->subsystems, subsystem, in_target);
  target->genctr++;
}

int
subsystem_add (struct target *target, struct engine_volume *volume,
               struct host_list *hosts, struct subsystem **result,
               struct error *err)
{
  const char *pool = volume->pool->name, *vol = volume->name;
  CLEANUP_FREE struct subsystem *subsystem = calloc (1, sizeof *subsystem);
  int r;

  if (subsystem == NULL)
    return error_set (err, ENOMEM, "open: %s/%s: out of memory", pool, vol);
  r = nqn_of_volume (volume->pool->domain, pool, vol, subsystem->nqn, err);
  if (r < 0)
    return r;
  if (uuid_parse (volume->uuid, subsystem->uuid) < 0)
    return error_set (err, EINVAL, "open: %s/%s: %s is no UUID",
                      pool, vol, volume->uuid);
  assert (volume->block_size == 512 || volume->block_size == 4096);
  subsystem->lba_shift = volume->block_size == 512 ? 9 : 12;
  subsystem->target = target;
  subsystem->volume = volume;
  TAILQ_INIT (&subsystem->controllers);

  LOCK_SCOPE (&target->lock);
  if (subsystem_locked_find (target, subsystem->nqn))
    return error_set (err, EEXIST, "open: %s/%s: is open already", pool, vol);
  subsystem->hosts = *hosts;
  *hosts = (struct host_list) { 0 };
  locked_insert (target, subsystem);
  *result = subsystem;
  subsystem = NULL;
  return 0;
}

static int
locked_check_unattached (struct subsystem *subsystem, const char *what,
                         struct error *err)
{
  const struct controller *controller =
    TAILQ_FIRST (&subsystem->controllers);

  if (controller)
    return error_set (err, EBUSY, "%s: %s/%s: attached by %s (%s)", what,
                      subsystem->volume->pool->name,
                      subsystem->volume->name,
                      controller->hostnqn, controller->peer);
  return 0;
}

int
subsystem_remove (struct subsystem *subsystem, const char *what,
                  struct error *err)
{
  struct target *target = subsystem->target;
  int r;

  pthread_mutex_lock (&target->lock);
  r = locked_check_unattached (subsystem, what, err);
  if (r == 0) {
    TAILQ_REMOVE (&target->subsystems, subsystem, in_target);
    target->genctr++;
  }
  pthread_mutex_unlock (&target->lock);
  if (r == 0) {
    counters_free (subsystem);
    host_list_clear (&subsystem->hosts);
    free (subsystem);
  }
  return r;
}

const char *
subsystem_nqn (const struct subsystem *subsystem)
{
  return subsystem->nqn;
}

void
subsystem_serial (const struct subsystem *subsystem,
                  char serial[SUBSYSTEM_SERIAL_BYTES + 1])
{
  for (unsigned i = 0; i < SUBSYSTEM_SERIAL_BYTES / 2; i++)
    snprintf (serial + 2 * i, 3, "%02x", subsystem->uuid[i]);
}

int
subsystem_bar (struct subsystem *subsystem, const char *what,
               struct error *err)
{
  LOCK_SCOPE (&subsystem->target->lock);
  int r = locked_check_unattached (subsystem, what, err);

  if (r < 0)
    return r;
  if (subsystem->barred)
    return error_set (err, EBUSY, "%s: %s/%s: is being changed already",
                      what, subsystem->volume->pool->name,
                      subsystem->volume->name);
  subsystem->barred = true;
  return 0;
}

void
subsystem_unbar (struct subsystem *subsystem)
{
  LOCK_SCOPE (&subsystem->target->lock);

  subsystem->barred = false;
}

/* Identify reads the size when it is asked; the event makes hosts ask. */
static unsigned
notify_hosts (struct subsystem *subsystem)
{
  LOCK_SCOPE (&subsystem->target->lock);
  struct controller *controller;
  struct target_queue *queue;
  unsigned n = 0;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem)
    TAILQ_FOREACH (queue, &controller->queues, in_controller)
      if (queue->qid == 0) {
        queue_mail (queue, MAIL_NAMESPACE);
        n++;
      }
  return n;
}

void
subsystem_resized (struct subsystem *subsystem)
{
  unsigned hosts = notify_hosts (subsystem);

  log_info ("%s/%s: is now %llu bytes; attached controllers: %u",
            subsystem->volume->pool->name, subsystem->volume->name,
            (unsigned long long)
            atomic_load (&subsystem->volume->size_bytes), hosts);
}
