/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many connections passed Connect, of all hosts and of each: counted from
 * before Connect is answered until the engine has nothing of the queue.
 * Hosts are told apart by the NQN that they give.
 */
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "server/target/internal.h"

static unsigned
bucket_of (const char *nqn)
{
  return hash_bytes (nqn, strlen (nqn)) % TARGET_HOST_BUCKETS;
}

static struct attached_host *
locked_find (struct attached *attached, const char *nqn)
{
  struct attached_host *host;

  LIST_FOREACH (host, &attached->buckets[bucket_of (nqn)], in_bucket)
    if (strcmp (host->nqn, nqn) == 0)
      return host;
  return NULL;
}

static struct attached_host *
locked_new (struct attached *attached, const char *nqn)
{
  struct attached_host *host = calloc (1, sizeof *host);

  if (host == NULL)
    return NULL;
  strcpy (host->nqn, nqn);
  LIST_INSERT_HEAD (&attached->buckets[bucket_of (nqn)], host, in_bucket);
  return host;
}

bool
attached_locked_add (struct target *target, const char *hostnqn,
                     enum limit *full)
{
  struct attached *attached = &target->attached;
  struct attached_host *host = locked_find (attached, hostnqn);

  if (attached->nr_queues >= limit_value (LIMIT_CONNECTIONS)) {
    *full = LIMIT_CONNECTIONS;
    return false;
  }
  if (host && host->nr_queues >= limit_value (LIMIT_CONNECTIONS_PER_HOST)) {
    *full = LIMIT_CONNECTIONS_PER_HOST;
    return false;
  }
  if (host == NULL && (host = locked_new (attached, hostnqn)) == NULL) {
    *full = LIMIT_NR;
    return false;
  }
  host->nr_queues++;
  attached->nr_queues++;
  return true;
}

void
attached_locked_remove (struct target *target, const char *hostnqn)
{
  struct attached_host *host = locked_find (&target->attached, hostnqn);

  assert (host && host->nr_queues > 0);
  target->attached.nr_queues--;
  if (--host->nr_queues > 0)
    return;
  LIST_REMOVE (host, in_bucket);
  free (host);
}
