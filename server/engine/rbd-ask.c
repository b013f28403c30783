/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: servers of one pool ask one another, by a notification of the
 * object of the other's number, which that one watches.  A server that does
 * not answer is put on the cluster's blocklist: it may be dead or stopped, or
 * be cut off and still write.  It hears of that from the cluster, if ever.
 *
 * Asking blocks, for CEPH_SILENT_S and whatever the cluster takes.  Being
 * asked happens in a thread of librados's and never waits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/engine/rbd-internal.h"

/* --- being asked ------------------------------------------------------ */

/* Until somebody uses the pool nobody has anything of ours to ask for. */
static int
answer (struct ceph_pool *pool, const void *data, size_t bytes)
{
  int (*asked) (void *opaque, const char *text) =
    atomic_load (&pool->pool.asked);
  char text[ENGINE_ASK_MAX];

  if (bytes >= sizeof text)
    return -EOPNOTSUPP;
  memcpy (text, data, bytes);
  text[bytes] = '\0';
  return asked ? asked (pool->pool.asked_opaque, text) : 0;
}

static void
asked (void *arg, uint64_t notify_id, uint64_t handle, uint64_t notifier_id,
       void *data, size_t bytes)
{
  struct ceph_pool *pool = arg;
  char object[32], reply[16];
  int n;

  n = snprintf (reply, sizeof reply, "%d", answer (pool, data, bytes));
  ceph_gateway_object (pool->pool.gateway, object);
  rados_notify_ack (pool->io, object, notify_id, handle, reply, n);
}

static void
watch_lost (void *arg, uint64_t cookie, int error)
{
  struct ceph_pool *pool = arg;

  atomic_store (&pool->watch_lost, true);
  ceph_pool_wake (&pool->pool);
}

int
ceph_listen (struct ceph_pool *pool)
{
  char object[32];
  int r;

  ceph_stop_listening (pool);
  atomic_store (&pool->watch_lost, false);
  ceph_gateway_object (pool->pool.gateway, object);
  r = rados_watch3 (pool->io, object, &pool->watch, asked, watch_lost, 0,
                    pool);
  pool->is_watching = r == 0;
  if (r < 0)
    atomic_store (&pool->watch_lost, true);
  return r;
}

void
ceph_stop_listening (struct ceph_pool *pool)
{
  if (!pool->is_watching)
    return;
  rados_unwatch2 (pool->io, pool->watch);
  rados_watch_flush (pool->cluster);
  pool->is_watching = false;
}

/* --- asking ----------------------------------------------------------- */

/* An errno that says that there was no answer. */
enum { NO_ANSWER = -ETIMEDOUT };

static int
parse_reply (char *reply, size_t bytes)
{
  struct notify_timeout_t *timeouts = NULL;
  struct notify_ack_t *acks = NULL;
  size_t nr_acks = 0, nr_timeouts = 0;
  char text[16] = "";
  int r = rados_decode_notify_response (reply, bytes, &acks, &nr_acks,
                                        &timeouts, &nr_timeouts);

  if (r < 0)
    return r;
  if (nr_acks > 0 && acks[0].payload_len < sizeof text)
    memcpy (text, acks[0].payload, acks[0].payload_len);
  rados_free_notify_response (acks, nr_acks, timeouts);
  return text[0] ? atoi (text) : NO_ANSWER;
}

/* Its answer, or NO_ANSWER. */
static int
notify (struct ceph_pool *pool, unsigned gateway, const char *text,
        unsigned seconds)
{
  char object[32];
  char *reply = NULL;
  size_t bytes = 0;
  int r;

  ceph_gateway_object (gateway, object);
  r = rados_notify2 (pool->io, object, text, (int) strlen (text),
                     seconds * UINT64_C (1000), &reply, &bytes);
  if (reply && bytes > 0 && (r == 0 || r == NO_ANSWER))
    r = parse_reply (reply, bytes);
  else if (r == 0)
    r = NO_ANSWER;
  rados_buffer_free (reply);
  return r;
}

static bool
is_fenced (struct ceph_pool *pool, unsigned gateway, const char *address)
{
  LOCK_SCOPE (&pool->lock);

  return strcmp (pool->fenced[gateway], address) == 0;
}

/* Once: several may have found it silent, and have it fenced. */
static void
note_fenced (struct ceph_pool *pool, unsigned gateway, const char *address)
{
  LOCK_SCOPE (&pool->lock);

  if (strcmp (pool->fenced[gateway], address) == 0)
    return;
  strcpy (pool->fenced[gateway], address);
  atomic_fetch_add (&pool->pool.nr_fenced, 1);
}

int
ceph_fence (struct ceph_pool *pool, unsigned gateway, const char *address)
{
  char copy[CEPH_ADDRESS_MAX];  /* librados wants one that can be written */
  int r;

  if (is_fenced (pool, gateway, address))
    return 0;
  snprintf (copy, sizeof copy, "%s", address);
  log_warning ("pool: %s: rbd: gateway %u (%s) ended without notice, or is "
               "silent: the cluster is told to refuse it", pool->pool.name,
               gateway, address);
  r = rados_blocklist_add (pool->cluster, copy, CEPH_BLOCKLIST_S);
  if (r == 0)
    r = ceph_note_fence (pool);
  if (r < 0) {
    log_error ("pool: %s: rbd: gateway %u (%s): cannot be fenced: %s",
               pool->pool.name, gateway, address, strerror (-r));
    return r == -EACCES ? -EPERM : r;
  }
  note_fenced (pool, gateway, address);
  return 0;
}

/* Its answer, or NO_ANSWER when it was silent for CEPH_SILENT_S.  While the
 * cluster itself is silent, for longer than it was told to wait, nobody can
 * answer; nor while this process is stopped. */
static int
ask (struct ceph_pool *pool, unsigned gateway, const char *text)
{
  const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
  uint64_t end_ms = clock_now_ms () + CEPH_SILENT_S * 1000, now_ms;

  while ((now_ms = clock_now_ms ()) < end_ms) {
    unsigned seconds = (unsigned) (end_ms - now_ms + 999) / 1000;
    int r = notify (pool, gateway, text, seconds);

    if (r != NO_ANSWER)
      return r;
    nanosleep (&pause, NULL);   /* nobody may be watching at the moment */
    if (clock_now_ms () > now_ms + (seconds + 1) * 1000)
      end_ms = clock_now_ms () + CEPH_SILENT_S * 1000;
  }
  return NO_ANSWER;
}

/* Nobody means this question: -EOPNOTSUPP, or 0 from one that starts. */
int
ceph_gateway_lives (struct ceph_pool *pool, unsigned gateway)
{
  int r = ask (pool, gateway, "lives");

  if (r == NO_ANSWER)
    return 0;
  return r == 0 || r == -EOPNOTSUPP ? 1 : r;
}

static int
ask_holder (struct ceph_pool *pool, unsigned gateway, const char *text)
{
  char holder[CEPH_ADDRESS_MAX];
  int r = ceph_get_holder (pool, gateway, holder);

  if (r < 0 || holder[0] == '\0' || is_fenced (pool, gateway, holder))
    return r;
  r = ask (pool, gateway, text);
  return r == NO_ANSWER ? ceph_fence (pool, gateway, holder) : r;
}

/* Who has the number now may not know the text, as whoever had it before was
 * fenced: by a third one, perhaps.  And who has given it back may have fenced
 * others for the host that asks. */
int
ceph_ask_gateway (struct engine_pool *engine_pool, unsigned gateway,
                  const char *text)
{
  struct ceph_pool *pool = ceph_pool (engine_pool);
  int r = ask_holder (pool, gateway, text);

  return r == 0 ? ceph_know_fences (pool, CEPH_LEARN_MS) : r;
}
