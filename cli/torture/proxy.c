/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The proxy's thread: it accepts, moves, and strikes when a plan says so.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/torture/pair.h"
#include "cli/torture/plan.h"
#include "common/clock.h"

#define PAIRS_MAX 512           /* connections, old ones too */
#define KEEP_MS 20              /* in which the client sends what is kept */
#define ACCEPT_PAUSE_MS 50      /* when descriptors have run out */
#define DIR_NAME "qbd-torture.XXXXXX"

struct proxy {
  struct proxy_params params;
  char dir[64];
  struct listener {
    struct address address;
    int fd;
    struct plan plan;
  } *listeners;                 /* one for each client */
  int wake_fd;
  pthread_t thread;
  atomic_bool calm, stop, is_calm;
  _Atomic uint64_t late_bytes;
  /* The thread's own. */
  struct pair *pairs;
  unsigned nr_pairs;
  uint64_t accept_ms;           /* not before */
};

/* --- faults --------------------------------------------------------------- */

static void
strike (struct proxy *proxy, struct pair *met, uint64_t now_ms)
{
  struct plan *plan = &proxy->listeners[met->client].plan;
  struct pipe *pipe = plan->one ? &met->up : &met->down;

  proxy->params.happened (proxy->params.opaque, met->client, plan->next,
                          plan->next == FAULT_CUT ? 0 : plan->duration_ms);
  if (plan->next == FAULT_DELAY)
    pipe->not_before_ms = now_ms + plan->duration_ms;
  for (struct pair *pair = proxy->pairs; pair; pair = pair->next) {
    if (pair->client != met->client || pair->state != PAIR_RELAYS)
      continue;
    if (plan->next == FAULT_CUT)
      pair_cut (pair, plan->one);
    else if (plan->next == FAULT_DUPLICATE)
      pair_keep (pair, now_ms + KEEP_MS, now_ms + KEEP_MS + plan->duration_ms);
  }
  plan_next (plan, now_ms);
}

static void
move (struct proxy *proxy, struct pair *pair, uint64_t now_ms)
{
  struct plan *plan = &proxy->listeners[pair->client].plan;
  uint32_t room = plan_room (plan, now_ms);
  bool planned = room != UINT32_MAX;

  pair_move (pair, now_ms, &room);
  if (!planned)
    return;
  plan->bytes_left = room;
  if (room == 0 && pair->state == PAIR_RELAYS)
    strike (proxy, pair, now_ms);
}

/* --- connections ---------------------------------------------------------- */

static void
accept_one (struct proxy *proxy, unsigned client)
{
  int fd = accept4 (proxy->listeners[client].fd, NULL, NULL,
                    SOCK_NONBLOCK | SOCK_CLOEXEC);
  struct pair *pair;

  /* Who waits would be reported for ever. */
  if (fd < 0 && errno != EAGAIN)
    proxy->accept_ms = clock_now_ms () + ACCEPT_PAUSE_MS;
  if (fd < 0)
    return;
  if (proxy->nr_pairs == PAIRS_MAX) {
    close (fd);
    return;
  }
  pair = pair_new (client, fd, &proxy->params.route.places[0]);
  if (pair == NULL)
    return;
  pair->next = proxy->pairs;
  proxy->pairs = pair;
  proxy->nr_pairs++;
}

/* Those that are over go. */
static void
sweep (struct proxy *proxy)
{
  struct pair **link = &proxy->pairs, *pair;
  bool kept = false;

  while ((pair = *link) != NULL) {
    if (pair->state != PAIR_OVER) {
      kept |= pair->state != PAIR_RELAYS;
      link = &pair->next;
      continue;
    }
    *link = pair->next;
    atomic_fetch_add (&proxy->late_bytes, pair->late_bytes);
    proxy->nr_pairs--;
    pair_free (pair);
  }
  atomic_store (&proxy->is_calm, atomic_load (&proxy->calm) && !kept);
}

/* fds: the wake-up, the listeners, and two of each pair. */
static nfds_t
gather (struct proxy *proxy, struct pollfd *fds, int *timeout_ms)
{
  uint64_t now_ms = clock_now_ms (), due_ms = now_ms + 1000;
  bool accepts = now_ms >= proxy->accept_ms;
  nfds_t nr = 0;

  if (!accepts)
    due_ms = proxy->accept_ms;

  fds[nr++] = (struct pollfd) { .fd = proxy->wake_fd, .events = POLLIN };
  for (unsigned i = 0; i < proxy->params.nr_clients; i++)
    fds[nr++] = (struct pollfd) {
      .fd = accepts ? proxy->listeners[i].fd : -1, .events = POLLIN,
    };
  for (struct pair *pair = proxy->pairs; pair; pair = pair->next) {
    uint64_t next_ms = pair_due_ms (pair, now_ms);

    pair_poll (pair, &fds[nr], now_ms);
    nr += 2;
    if (next_ms < due_ms)
      due_ms = next_ms;
  }
  *timeout_ms = due_ms <= now_ms ? 0 : (int) (due_ms - now_ms);
  return nr;
}

static void *
run (void *opaque)
{
  struct proxy *proxy = opaque;
  struct pollfd fds[1 + PROXY_CLIENTS_MAX + 2 * PAIRS_MAX];
  int timeout_ms;

  while (!atomic_load (&proxy->stop)) {
    nfds_t nr = gather (proxy, fds, &timeout_ms);
    eventfd_t woken;
    uint64_t now_ms;

    if (poll (fds, nr, timeout_ms) < 0)
      continue;
    eventfd_read (proxy->wake_fd, &woken);
    now_ms = clock_now_ms ();
    for (unsigned i = 0; i < proxy->params.nr_clients; i++) {
      if (atomic_load (&proxy->calm))
        proxy->listeners[i].plan.faults = 0;
      if (fds[1 + i].revents)
        accept_one (proxy, i);
    }
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
      move (proxy, pair, now_ms);
    sweep (proxy);
  }
  return NULL;
}

/* --- beginning and end ---------------------------------------------------- */

static int
listen_for (struct proxy *proxy, unsigned client, struct error *err)
{
  struct listener *listener = &proxy->listeners[client];

  listener->address.family = ADDRESS_UNIX;
  snprintf (listener->address.path, sizeof listener->address.path, "%s/%u",
            proxy->dir, client + 1);
  plan_init (&listener->plan, proxy->params.seed, client, proxy->params.faults,
             clock_now_ms ());
  listener->fd = stream_listen (&listener->address, err);
  return listener->fd < 0 ? listener->fd : 0;
}

void
proxy_unlink (struct proxy *proxy)
{
  for (unsigned i = 0; proxy->listeners && i < proxy->params.nr_clients; i++)
    if (proxy->listeners[i].fd >= 0)
      unlink (proxy->listeners[i].address.path);
  if (proxy->dir[0])
    rmdir (proxy->dir);
}

static void
free_all (struct proxy *proxy)
{
  struct pair *pair;

  proxy_unlink (proxy);
  while ((pair = proxy->pairs) != NULL) {
    proxy->pairs = pair->next;
    pair_free (pair);
  }
  for (unsigned i = 0; proxy->listeners && i < proxy->params.nr_clients; i++)
    if (proxy->listeners[i].fd >= 0)
      close (proxy->listeners[i].fd);
  if (proxy->wake_fd >= 0)
    close (proxy->wake_fd);
  free (proxy->listeners);
  free (proxy);
}

static int
prepare (struct proxy *proxy, struct error *err)
{
  const char *temp = getenv ("TMPDIR");
  int r = 0;

  /* A socket's path is short, and libqbd wants an absolute one. */
  if (temp == NULL || temp[0] != '/'
      || strlen (temp) + sizeof "/" DIR_NAME > sizeof proxy->dir)
    temp = "/tmp";
  snprintf (proxy->dir, sizeof proxy->dir, "%s/" DIR_NAME, temp);
  if (mkdtemp (proxy->dir) == NULL) {
    r = error_set (err, errno, "torture: %s: %s", proxy->dir, strerror (errno));
    proxy->dir[0] = '\0';
    return r;
  }
  proxy->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (proxy->wake_fd < 0)
    return error_set (err, errno, "torture: eventfd: %s", strerror (errno));
  for (unsigned i = 0; r == 0 && i < proxy->params.nr_clients; i++)
    r = listen_for (proxy, i, err);
  return r;
}

struct proxy *
proxy_start (const struct proxy_params *params, struct error *err)
{
  struct proxy *proxy = calloc (1, sizeof *proxy);
  int r;

  if (proxy)
    proxy->listeners = calloc (params->nr_clients, sizeof *proxy->listeners);
  if (proxy == NULL || proxy->listeners == NULL) {
    free (proxy);
    error_set (err, ENOMEM, "torture: out of memory");
    return NULL;
  }
  proxy->params = *params;
  proxy->wake_fd = -1;
  for (unsigned i = 0; i < params->nr_clients; i++)
    proxy->listeners[i].fd = -1;
  r = prepare (proxy, err);
  if (r == 0) {
    r = -pthread_create (&proxy->thread, NULL, run, proxy);
    if (r < 0)
      error_set (err, -r, "torture: thread: %s", strerror (-r));
  }
  if (r == 0)
    return proxy;
  free_all (proxy);
  return NULL;
}

const char *
proxy_socket (const struct proxy *proxy, unsigned client)
{
  return proxy->listeners[client].address.path;
}

static void
wake (struct proxy *proxy)
{
  eventfd_write (proxy->wake_fd, 1);
}

void
proxy_calm (struct proxy *proxy)
{
  atomic_store (&proxy->calm, true);
  wake (proxy);
}

bool
proxy_is_calm (struct proxy *proxy)
{
  return atomic_load (&proxy->is_calm);
}

uint64_t
proxy_late_bytes (struct proxy *proxy)
{
  return atomic_load (&proxy->late_bytes);
}

void
proxy_stop (struct proxy *proxy)
{
  atomic_store (&proxy->stop, true);
  wake (proxy);
  pthread_join (proxy->thread, NULL);
  free_all (proxy);
}
