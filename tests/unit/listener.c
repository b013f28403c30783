/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening sockets: what an accepted connection is given, and that no lack of
 * resources makes a listener deaf.  epoll_ctl of this program fails on demand.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/server-fixture.h"

static struct server server;
static atomic_int nr_failures;          /* of EPOLL_CTL_ADD, still to come */

int
epoll_ctl (int epfd, int op, int fd, struct epoll_event *event)
{
  if (op == EPOLL_CTL_ADD && atomic_load (&nr_failures) > 0) {
    atomic_fetch_sub (&nr_failures, 1);
    errno = ENOMEM;
    return -1;
  }
  return (int) syscall (SYS_epoll_ctl, epfd, op, fd, event);
}

static int
setup (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

static int
setup_deaf (void **state)
{
  /* start_accepting's, and the first two attempts after it. */
  server_start (&server, &(struct server_options) { .deaf = true });
  atomic_store (&nr_failures, 3);
  listener_start (server.listener);
  return 0;
}

static int
teardown (void **state)
{
  server_stop (&server);
  return 0;
}

static void
test_deaf_for_a_while (void **state)
{
  struct host admin;

  host_admin (&admin, &server, 0);
  assert_int_equal (atomic_load (&nr_failures), 0);
  host_close (&admin);
}

/* The server's end of the connection: it is in this process. */
static int
find_accepted (const struct host *host)
{
  struct sockaddr_storage wanted = { 0 }, peer;
  socklen_t wanted_len = sizeof wanted, len;

  assert_int_equal (getsockname (host->fd, (struct sockaddr *) &wanted,
                                 &wanted_len), 0);
  for (int fd = 0; fd < 1024; fd++) {
    len = sizeof peer;
    memset (&peer, 0, sizeof peer);
    if (getpeername (fd, (struct sockaddr *) &peer, &len) == 0
        && len == wanted_len && memcmp (&peer, &wanted, len) == 0)
      return fd;
  }
  fail_msg ("no such connection");
  return -1;
}

static int
option_of (int fd, int level, int name)
{
  int value = -1;
  socklen_t len = sizeof value;

  assert_int_equal (getsockopt (fd, level, name, &value, &len), 0);
  return value;
}

/* A host that is gone without a word is given up in a minute. */
static void
test_silence_is_limited (void **state)
{
  struct host admin;
  int fd;

  host_admin (&admin, &server, 0);
  fd = find_accepted (&admin);
  assert_int_equal (option_of (fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert_int_equal (option_of (fd, IPPROTO_TCP, TCP_KEEPIDLE)
                    + option_of (fd, IPPROTO_TCP, TCP_KEEPINTVL)
                    * option_of (fd, IPPROTO_TCP, TCP_KEEPCNT), 60);
  assert_int_equal (option_of (fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
  host_close (&admin);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_deaf_for_a_while, setup_deaf,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_silence_is_limited, setup,
                                     teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
