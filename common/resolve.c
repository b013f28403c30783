/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking up a host's addresses, with a deadline.
 *
 * Not getaddrinfo_a: its threads outlive the call, and the child of a fork
 * would wait for those that are its parent's (nbdkit forks between two opens).
 *
 * A thread that was left behind runs on in this code, so a library with it
 * must never be unmapped: libqbd is linked with -z nodelete.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/resolve.h"
#include "common/thread-start.h"

#define LOOK_UPS_MAX 16         /* threads */

struct look_up {
  _Atomic unsigned nr_users;    /* who waits, and the thread */
  char *host, *port;            /* constant */
  int over_fd;                  /* eventfd */
  /* The thread's until over. */
  atomic_bool over;
  int gai;
  int error;                    /* errno, with EAI_SYSTEM */
  struct addrinfo *list;
};

static _Atomic unsigned nr_look_ups;

static int
get_addresses (const char *host, const char *port, int flags,
               struct addrinfo **list)
{
  const struct addrinfo hints = {
    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
    .ai_flags = flags | AI_NUMERICSERV,
  };

  return getaddrinfo (host, port, &hints, list);
}

static void
look_up_put (struct look_up *l)
{
  if (atomic_fetch_sub (&l->nr_users, 1) > 1)
    return;
  if (l->list)
    freeaddrinfo (l->list);
  if (l->over_fd >= 0)
    close (l->over_fd);
  free (l->host);
  free (l->port);
  free (l);
}

static struct look_up *
look_up_new (const char *host, const char *port)
{
  struct look_up *l = calloc (1, sizeof *l);

  if (!l)
    return NULL;
  atomic_init (&l->nr_users, 1);
  l->host = strdup (host);
  l->port = strdup (port);
  l->over_fd = eventfd (0, EFD_CLOEXEC);
  if (l->host && l->port && l->over_fd >= 0)
    return l;
  look_up_put (l);
  return NULL;
}

static void *
look_up_thread (void *arg)
{
  struct look_up *l = arg;

  l->gai = get_addresses (l->host, l->port, 0, &l->list);
  l->error = errno;
  if (l->gai != 0)
    l->list = NULL;
  atomic_store (&l->over, true);
  eventfd_write (l->over_fd, 1);
  look_up_put (l);
  atomic_fetch_sub (&nr_look_ups, 1);
  return NULL;
}

/* 0 or an errno. */
static int
start (struct look_up *l)
{
  pthread_t thread;
  int r;

  if (atomic_fetch_add (&nr_look_ups, 1) >= LOOK_UPS_MAX) {
    atomic_fetch_sub (&nr_look_ups, 1);
    return EAGAIN;
  }
  atomic_fetch_add (&l->nr_users, 1);
  r = thread_start (&thread, NULL, look_up_thread, l);
  if (r == 0)
    pthread_detach (thread);
  else {
    look_up_put (l);
    atomic_fetch_sub (&nr_look_ups, 1);
  }
  return -r;
}

/* 0 or an errno. */
static int
await (struct look_up *l, uint64_t deadline_ms, int cancel_fd)
{
  struct pollfd fds[2] = { { .fd = l->over_fd, .events = POLLIN },
                           { .fd = cancel_fd, .events = POLLIN } };

  while (!atomic_load (&l->over)) {
    uint64_t now_ms = clock_now_ms ();

    if (now_ms >= deadline_ms)
      return ETIMEDOUT;
    if (poll (fds, 2, (int) (deadline_ms - now_ms)) < 0 && errno != EINTR)
      return errno;
    if (fds[1].revents)
      return ESHUTDOWN;
  }
  return 0;
}

int
resolve (const char *host, const char *port, uint64_t deadline_ms,
         int cancel_fd, struct addrinfo **list)
{
  struct look_up *l;
  int r;

  r = get_addresses (host, port, AI_NUMERICHOST, list);
  if (r != EAI_NONAME)
    return r;
  l = look_up_new (host, port);
  if (!l)
    return EAI_MEMORY;
  r = start (l);
  if (r == 0)
    r = await (l, deadline_ms, cancel_fd);
  if (r != 0) {
    look_up_put (l);
    errno = r;
    return EAI_SYSTEM;
  }
  r = l->gai;
  *list = l->list;
  l->list = NULL;
  errno = l->error;
  look_up_put (l);
  return r;
}
