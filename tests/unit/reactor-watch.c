/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the reactor's loop polls: descriptors that come and go, looking before
 * it sleeps, and a gap after which it reads before it judges.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/reactor-fixture.h"

/* --- watches ------------------------------------------------------------ */

static struct {
  struct reactor_watch watches[2];
  int peers[2];
  unsigned nr_called;
  int over;
} pair;

static void
one_removes_the_other (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct reactor_watch *other = watch == &pair.watches[0]
    ? &pair.watches[1] : &pair.watches[0];

  assert_true (epoll_events & EPOLLIN);
  pair.nr_called++;
  reactor_watch_remove (reactor_current (), other);
  reactor_watch_remove (reactor_current (), watch);
  close (other->fd);
  close (watch->fd);
  memset (other, 0, sizeof *other);     /* as if it had been freed */
  eventfd_write (pair.over, 1);
}

static void
watch_both (void *arg)
{
  int i, fds[2];

  for (i = 0; i < 2; ++i) {
    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair.watches[i] = (struct reactor_watch) { one_removes_the_other, fds[0] };
    pair.peers[i] = fds[1];
    assert_int_equal (reactor_watch_add (arg, &pair.watches[i], EPOLLIN), 0);
  }
  /* The loop sees both at once. */
  for (i = 0; i < 2; ++i)
    assert_int_equal (write (pair.peers[i], "x", 1), 1);
}

static void
nothing (void *arg)
{
}

static void
test_remove_in_batch (void **state)
{
  struct reactor *reactor = start_reactor ();
  int round;

  pair.over = eventfd (0, EFD_CLOEXEC);
  for (round = 0; round < 100; ++round) {
    pair.nr_called = 0;
    reactor_call (reactor, watch_both, reactor);
    await (pair.over);
    reactor_call (reactor, nothing, NULL);      /* the batch is over */
    assert_int_equal (pair.nr_called, 1);
    close (pair.peers[0]);
    close (pair.peers[1]);
  }
  reactor_destroy (reactor);
  close (pair.over);
}

/* --- looking before sleeping --------------------------------------------- */

#define ECHOES 3000

static struct {
  struct reactor_watch watch;
  unsigned nr_requests;         /* each is told of so often: a crowd or not */
} echo;

static void
echo_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct reactor *reactor = reactor_current ();
  char c;

  assert_int_equal (read (watch->fd, &c, 1), 1);
  for (unsigned i = 0; i < echo.nr_requests; i++)
    reactor_request_begins (reactor);
  for (unsigned i = 0; i < echo.nr_requests; i++)
    reactor_request_ends (reactor);
  assert_int_equal (write (watch->fd, &c, 1), 1);
}

static void
watch_echo (void *arg)
{
  assert_int_equal (reactor_watch_add (arg, &echo.watch, EPOLLIN), 0);
}

static void
unwatch_echo (void *arg)
{
  reactor_watch_remove (arg, &echo.watch);
}

static void
crowd_is (void *arg)
{
  bool *crowded = arg;

  *crowded = reactor_current ()->poll.crowded > 0;
}

/* Events and mail come through while it looks; a crowd ends it, and comes to
 * an end itself. */
static void
test_poll (void **state)
{
  struct reactor *reactor;
  struct error err;
  bool crowded;
  int fds[2];
  char c = 'x';

  assert_int_equal (reactor_create (3, &reactor, &err), 0);
  reactor_set_poll (reactor, 1000);
  assert_int_equal (reactor_start (reactor, &err), 0);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  echo.watch = (struct reactor_watch) { echo_ready, fds[0] };
  reactor_call (reactor, watch_echo, reactor);
  for (unsigned i = 0; i < ECHOES; i++) {
    echo.nr_requests = i == ECHOES / 2 ? 2 : 1;
    assert_int_equal (write (fds[1], &c, 1), 1);
    assert_int_equal (read (fds[1], &c, 1), 1);
    if (i % 100 == 50) {
      reactor_call (reactor, crowd_is, &crowded);
      assert_int_equal (crowded, i > ECHOES / 2 &&
                        i < ECHOES / 2 + 1000);
    }
  }
  reactor_call (reactor, unwatch_echo, reactor);
  reactor_destroy (reactor);
  close (fds[0]);
  close (fds[1]);
}

static void
note_sleeps (void *arg)
{
  struct rusage usage;

  assert_int_equal (getrusage (RUSAGE_THREAD, &usage), 0);
  *(long *) arg = usage.ru_nvcsw;
}

/* Requests that come one at a time, whatever it costs to look for them: how
 * often the loop slept meanwhile. */
static long
sleeps_for_requests (unsigned poll_us, unsigned nr)
{
  struct reactor *reactor;
  struct error err;
  long before, after;
  int fds[2];
  char c = 'x';

  assert_int_equal (reactor_create (3, &reactor, &err), 0);
  reactor_set_poll (reactor, poll_us);
  assert_int_equal (reactor_start (reactor, &err), 0);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  echo.watch = (struct reactor_watch) { echo_ready, fds[0] };
  echo.nr_requests = 1;
  reactor_call (reactor, watch_echo, reactor);
  reactor_call (reactor, note_sleeps, &before);
  for (unsigned i = 0; i < nr; i++) {
    if (poll_us == 0)
      poll (NULL, 0, 1);        /* it is asleep, but on a machine too busy */
    assert_int_equal (write (fds[1], &c, 1), 1);
    assert_int_equal (read (fds[1], &c, 1), 1);
  }
  reactor_call (reactor, note_sleeps, &after);
  reactor_call (reactor, unwatch_echo, reactor);
  reactor_destroy (reactor);
  close (fds[0]);
  close (fds[1]);
  return after - before;
}

static void
test_poll_does_not_sleep (void **state)
{
  assert_true (sleeps_for_requests (0, 100) > 0);
  assert_in_range (sleeps_for_requests (60000000, 200), 0, 50);
}

/* --- other events ---------------------------------------------------------- */

static struct {
  struct reactor_watch watch;
  int over;
} room;

static void
room_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  assert_true (epoll_events & EPOLLOUT);
  reactor_watch_remove (reactor_current (), watch);
  eventfd_write (room.over, 1);
}

static void
watch_then_change (void *arg)
{
  assert_int_equal (reactor_watch_add (arg, &room.watch, EPOLLIN | EPOLLET),
                    0);
  reactor_watch_change (arg, &room.watch, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* What is ready already when it is asked for is an event. */
static void
test_watch_change (void **state)
{
  struct reactor *reactor = start_reactor ();
  int fds[2];

  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  room.watch = (struct reactor_watch) { room_ready, fds[0] };
  room.over = eventfd (0, EFD_CLOEXEC);
  reactor_call (reactor, watch_then_change, reactor);
  await (room.over);
  reactor_destroy (reactor);
  close (room.over);
  close (fds[0]);
  close (fds[1]);
}

static void
add_bad (void *arg)
{
  struct reactor_watch watch = { one_removes_the_other, 9999 };

  assert_int_equal (reactor_watch_add (arg, &watch, EPOLLIN), -EBADF);
}

static void
test_watch_error (void **state)
{
  struct reactor *reactor = start_reactor ();

  reactor_call (reactor, add_bad, reactor);
  reactor_destroy (reactor);
}

/* --- a gap: a stopped process judges no timer before it read its sockets */

static struct {
  struct reactor_watch watch;
  struct reactor_timer timer;
  struct reactor_task reader;
  int over;
  int verdict;                  /* exit status of the child */
} gap;

/* The transport reads in a later task of the turn, as it may. */
static void
gap_read (struct reactor_task *task)
{
  reactor_timer_disarm (reactor_current (), &gap.timer);
  gap.verdict = 0;
  eventfd_write (gap.over, 1);
}

static void
gap_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  reactor_watch_remove (reactor_current (), watch);
  reactor_defer (reactor_current (), &gap.reader);
}

static void
gap_expired (struct reactor_timer *timer)
{
  gap.verdict = 1;
  eventfd_write (gap.over, 1);
}

static void
gap_arm (void *arg)
{
  reactor_watch_add (arg, &gap.watch, EPOLLIN);
  reactor_timer_arm (arg, &gap.timer, reactor_now_ms (arg) + 300);
}

static void
gap_child (int fd, int ready_fd)
{
  struct reactor *reactor = start_reactor ();

  gap.over = eventfd (0, EFD_CLOEXEC);
  gap.watch = (struct reactor_watch) { gap_ready, fd };
  gap.timer.expired = gap_expired;
  gap.reader.run = gap_read;
  reactor_call (reactor, gap_arm, reactor);
  if (write (ready_fd, "r", 1) != 1)
    _exit (3);
  await (gap.over);
  reactor_destroy (reactor);
  _exit (gap.verdict);
}

static void
test_gap (void **state)
{
  int fds[2], status;
  char c;
  pid_t pid;

  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  pid = fork ();
  if (pid == 0)
    gap_child (fds[0], fds[0]);
  assert_int_equal (read (fds[1], &c, 1), 1);
  kill (pid, SIGSTOP);
  assert_int_equal (waitpid (pid, &status, WUNTRACED), pid);
  assert_true (WIFSTOPPED (status));
  assert_int_equal (write (fds[1], "x", 1), 1);
  poll (NULL, 0, 1600);         /* the gap itself */
  kill (pid, SIGCONT);
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 0);
  close (fds[0]);
  close (fds[1]);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_gap),        /* forks: while there is one thread */
    cmocka_unit_test (test_remove_in_batch),
    cmocka_unit_test (test_poll),
    cmocka_unit_test (test_poll_does_not_sleep),
    cmocka_unit_test (test_watch_change),
    cmocka_unit_test (test_watch_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
