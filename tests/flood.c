/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flood PORT CONNECTIONS ADDRESSES RATE: hostile hosts of a server on
 * 127.0.0.1.  It opens so many TCP connections, from 127.0.1.0 on, and does on
 * each one of what does not lead to a Connect: nothing; half of an ICReq; an
 * ICReq, a byte a second; and, with "drop", a reset at once.  Whatever ends is
 * opened again, at most RATE connections a second in all.
 *
 * It says "there" when all were opened once, and how many are open and were
 * ended by the server when its standard input ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

enum { TICK_MS = 10, SLOW_MS = 1000, NR_EVENTS = 256 };

enum kind { SILENT, HALF, SLOW, DROP, NR_KINDS };

struct host {
  int fd;                       /* -1: to be opened */
  unsigned sent;
};

/* An ICReq, as far as it goes: type, HLEN, PDO, PLEN, PFV ... */
static const uint8_t icreq[128] = { 0, 0, 128, 0, 128 };

static struct host *hosts;
static unsigned nr_hosts, nr_addresses;
static struct sockaddr_in server;
static int epoll_fd;
static unsigned nr_ended, nr_kinds = NR_KINDS - 1;

static void
die (const char *what)
{
  perror (what);
  exit (EXIT_FAILURE);
}

static enum kind
kind_of (unsigned i)
{
  return (enum kind) (i % nr_kinds);
}

static void
end (struct host *host)
{
  close (host->fd);
  host->fd = -1;
  nr_ended++;
}

static void
send_bytes (struct host *host, unsigned n)
{
  if (host->sent + n >= sizeof icreq)
    return;
  if (send (host->fd, icreq + host->sent, n, MSG_NOSIGNAL) == (ssize_t) n)
    host->sent += n;
  else if (errno != EAGAIN)
    end (host);
}

static void
open_host (unsigned i)
{
  struct host *host = &hosts[i];
  struct sockaddr_in from = {
    .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (0x7f000100 + i % nr_addresses),
  };
  struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
  const struct linger reset = { .l_onoff = 1 };
  int one = 1;

  host->sent = 0;
  host->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (host->fd < 0)
    die ("socket");
  setsockopt (host->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
              sizeof one);
  setsockopt (host->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (bind (host->fd, (struct sockaddr *) &from, sizeof from) < 0)
    die ("bind");
  /* On loopback at once, or when the queue of the listener has room. */
  if (connect (host->fd, (struct sockaddr *) &server, sizeof server) < 0) {
    end (host);
    return;
  }
  fcntl (host->fd, F_SETFL, O_NONBLOCK);
  if (kind_of (i) == DROP) {
    end (host);
    return;
  }
  if (kind_of (i) == HALF)
    send_bytes (host, sizeof icreq / 2);
  if (host->fd >= 0 && epoll_ctl (epoll_fd, EPOLL_CTL_ADD, host->fd, &event))
    die ("epoll");
}

/* Those that are not open, in turn. */
static void
open_some (unsigned n)
{
  static unsigned next;
  static bool told;

  for (unsigned looked = 0; looked < nr_hosts && n > 0; looked++) {
    unsigned i = next++;

    if (next == nr_hosts) {
      next = 0;
      if (!told)
        puts ("there");
      fflush (stdout);
      told = true;
    }
    if (hosts[i].fd < 0) {
      open_host (i);
      n--;
    }
  }
}

static void
send_slowly (void)
{
  for (unsigned i = 0; i < nr_hosts; i++)
    if (hosts[i].fd >= 0 && kind_of (i) == SLOW)
      send_bytes (&hosts[i], 1);
}

/* False at the end of standard input. */
static bool
turn (int timeout_ms)
{
  struct epoll_event events[NR_EVENTS];
  int n = epoll_wait (epoll_fd, events, NR_EVENTS, timeout_ms);

  for (int i = 0; i < n; i++) {
    if (events[i].data.u32 == nr_hosts)
      return false;
    if (hosts[events[i].data.u32].fd >= 0)
      end (&hosts[events[i].data.u32]);
  }
  return true;
}

static void
flood (unsigned rate)
{
  uint64_t next_slow_ms = clock_now_ms () + SLOW_MS, now_ms;
  uint64_t last_ms = clock_now_ms ();
  unsigned may = 0;

  do {
    now_ms = clock_now_ms ();
    may += (unsigned) (now_ms - last_ms) * rate;        /* thousandths */
    last_ms = now_ms;
    if (may > rate * 100)
      may = rate * 100;
    open_some (may / 1000);
    may %= 1000;
    if (now_ms >= next_slow_ms) {
      send_slowly ();
      next_slow_ms = now_ms + SLOW_MS;
    }
  } while (turn (TICK_MS));
}

int
main (int argc, char *argv[])
{
  struct epoll_event event = { .events = EPOLLIN };
  struct rlimit limit;
  unsigned nr_open = 0;

  if (argc < 5)
    return 2;
  nr_hosts = (unsigned) atoi (argv[2]);
  nr_addresses = (unsigned) atoi (argv[3]);
  if (argc > 5)                 /* drop */
    nr_kinds = NR_KINDS;
  server = (struct sockaddr_in) {
    .sin_family = AF_INET, .sin_port = htons ((uint16_t) atoi (argv[1])),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
  };
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  hosts = calloc (nr_hosts, sizeof *hosts);
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (!hosts || epoll_fd < 0)
    die ("start");
  for (unsigned i = 0; i < nr_hosts; i++)
    hosts[i].fd = -1;
  event.data.u32 = nr_hosts;
  if (epoll_ctl (epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
    die ("standard input");
  flood ((unsigned) atoi (argv[4]));
  for (unsigned i = 0; i < nr_hosts; i++)
    nr_open += hosts[i].fd >= 0;
  printf ("open %u ended %u\n", nr_open, nr_ended);
  return 0;
}
