/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File I/O of a reactor, by io_uring and by threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "server/reactor/reactor.h"

#define BLOCK 4096u
#define REQUESTS 3000u          /* far more than a ring holds */
#define DONE_TMO_MS 60000

struct request {
  struct reactor_file_io io;
  struct iovec iov;
  int64_t result;
  uint8_t data[BLOCK];
};

static struct request requests[REQUESTS];
static unsigned nr_wanted;
static bool inside_submit;
/* Also of requests that hang while others are awaited. */
static _Atomic unsigned nr_done;
static _Atomic bool done_inside;
static int all_done;
static int file_fd;

static int
open_scratch (void)
{
  const char *dir = getenv ("TMPDIR");
  char path[4096];
  int fd;

  snprintf (path, sizeof path, "%s/qbd-reactor-XXXXXX", dir ? dir : "/tmp");
  fd = mkstemp (path);
  assert_true (fd >= 0);
  unlink (path);
  return fd;
}

static struct reactor *
start_reactor (void **state)
{
  struct reactor *reactor;
  struct error err;

  setenv ("QBD_NO_IO_URING", *state ? "1" : "0", 1);
  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  assert_string_equal (reactor_file_backend (reactor),
                       *state ? "threads" : "io_uring");
  assert_int_equal (reactor_start (reactor, &err), 0);
  return reactor;
}

static void
note_done (struct reactor_file_io *io, int64_t result)
{
  struct request *request = (struct request *) io;

  if (inside_submit)
    done_inside = true;
  request->result = result;
  if (++nr_done == nr_wanted)
    eventfd_write (all_done, 1);
}

static void
prepare (struct request *request, enum reactor_file_op op)
{
  size_t i = (size_t) (request - requests);

  request->iov = (struct iovec) { request->data, BLOCK };
  request->io = (struct reactor_file_io) {
    .done = note_done,
    .op = op,
    .fd = file_fd,
    .iov = &request->iov,
    .iovcnt = 1,
    .offset_bytes = (uint64_t) i * BLOCK,
    .length_bytes = BLOCK,
  };
  request->result = INT64_MIN;
}

static void
submit_wanted (void *arg)
{
  unsigned i;

  inside_submit = true;
  for (i = 0; i < nr_wanted; ++i)
    reactor_file_submit (arg, &requests[i].io);
  inside_submit = false;
}

static void
run_requests (struct reactor *reactor, unsigned n)
{
  struct pollfd done = { .fd = all_done, .events = POLLIN };
  eventfd_t count;

  nr_done = 0;
  nr_wanted = n;
  reactor_call (reactor, submit_wanted, reactor);
  assert_int_equal (poll (&done, 1, DONE_TMO_MS), 1);
  assert_int_equal (eventfd_read (all_done, &count), 0);
  assert_int_equal (nr_done, n);
  assert_false (done_inside);
}

static void
fill (struct request *request)
{
  size_t i = (size_t) (request - requests);

  memset (request->data, (int) (i * 7 % 251 + 1), BLOCK);
  memcpy (request->data, &i, sizeof i);
}

static void
test_transfer (void **state)
{
  struct reactor *reactor = start_reactor (state);
  static struct request one;
  unsigned i;

  file_fd = open_scratch ();
  for (i = 0; i < REQUESTS; ++i) {
    fill (&requests[i]);
    prepare (&requests[i], REACTOR_WRITEV);
    requests[i].io.rw_flags = i % 500 ? 0 : RWF_DSYNC;
  }
  run_requests (reactor, REQUESTS);
  for (i = 0; i < REQUESTS; ++i) {
    assert_int_equal (requests[i].result, BLOCK);
    memset (requests[i].data, 0, BLOCK);
    prepare (&requests[i], REACTOR_READV);
  }
  run_requests (reactor, REQUESTS);
  for (i = 0; i < REQUESTS; ++i) {
    assert_int_equal (requests[i].result, BLOCK);
    memcpy (one.data, requests[i].data, BLOCK);
    fill (&requests[i]);
    assert_memory_equal (one.data, requests[i].data, BLOCK);
  }
  reactor_destroy (reactor);
  close (file_fd);
}

static void
test_other_calls (void **state)
{
  struct reactor *reactor = start_reactor (state);
  uint8_t block[BLOCK], zeroes[BLOCK] = { 0 };

  file_fd = open_scratch ();
  memset (block, 0x5a, sizeof block);
  assert_int_equal (pwrite (file_fd, block, BLOCK, 0), BLOCK);
  assert_int_equal (pwrite (file_fd, block, BLOCK, BLOCK), BLOCK);

  prepare (&requests[0], REACTOR_FDATASYNC);
  prepare (&requests[1], REACTOR_FALLOCATE);
  requests[1].io.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  prepare (&requests[2], REACTOR_READV);
  requests[2].io.fd = 9999;
  prepare (&requests[3], REACTOR_READV);
  requests[3].io.offset_bytes = BLOCK + 1000;   /* short: the end is near */
  requests[3].io.fd = file_fd;
  /* The hole is at the second block, so read the first one's tail. */
  requests[3].io.offset_bytes = 2 * BLOCK - 100;
  run_requests (reactor, 4);

  assert_int_equal (requests[0].result, 0);
  assert_int_equal (requests[1].result, 0);
  assert_int_equal (requests[2].result, -EBADF);
  assert_int_equal (requests[3].result, 100);
  assert_int_equal (pread (file_fd, block, BLOCK, BLOCK), BLOCK);
  assert_memory_equal (block, zeroes, BLOCK);
  assert_int_equal (pread (file_fd, block, BLOCK, 0), BLOCK);
  assert_int_equal (block[0], 0x5a);
  reactor_destroy (reactor);
  close (file_fd);
}

static unsigned late_place;

static void
note_late (struct reactor_file_io *io, int64_t result)
{
  late_place = nr_done;
  note_done (io, result);
}

/* Whoever comes last does not wait for all that another file's users have
 * waiting, but for one turn. */
static void
test_turns (void **state)
{
  struct reactor *reactor = start_reactor (state);
  int late_fd = open_scratch ();

  file_fd = open_scratch ();
  for (unsigned i = 0; i < REQUESTS; ++i)
    prepare (&requests[i], REACTOR_WRITEV);
  requests[REQUESTS - 1].io.fd = late_fd;
  requests[REQUESTS - 1].io.done = note_late;
  run_requests (reactor, REQUESTS);
  assert_int_equal (requests[REQUESTS - 1].result, BLOCK);
  assert_true (late_place < REQUESTS / 2);
  reactor_destroy (reactor);
  close (file_fd);
  close (late_fd);
}

static void
submit_second_half (void *arg)
{
  for (unsigned i = REQUESTS / 2; i < REQUESTS; ++i)
    reactor_file_submit (arg, &requests[i].io);
}

/* A file whose storage answers nothing leaves room for another one.  (Threads
 * it keeps.) */
static void
test_hung (void **state)
{
  struct reactor *reactor = start_reactor (state);
  int fds[2];

  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  file_fd = fds[0];
  for (unsigned i = REQUESTS / 2; i < REQUESTS; ++i)
    prepare (&requests[i], REACTOR_READV);
  reactor_call (reactor, submit_second_half, reactor);
  file_fd = open_scratch ();
  for (unsigned i = 0; i < REQUESTS / 2; ++i)
    prepare (&requests[i], REACTOR_WRITEV);
  run_requests (reactor, REQUESTS / 2);
  close (fds[1]);
  reactor_destroy (reactor);
  assert_int_equal (nr_done, REQUESTS);
  for (unsigned i = 0; i < REQUESTS; ++i)
    assert_int_equal (requests[i].result, i < REQUESTS / 2 ? BLOCK : 0);
  close (fds[0]);
  close (file_fd);
}

/* A reactor ends only after its file I/O. */
static void
test_destroy_waits (void **state)
{
  unsigned round, i;

  file_fd = open_scratch ();
  for (round = 0; round < 20; ++round) {
    struct reactor *reactor = start_reactor (state);

    for (i = 0; i < 600; ++i)
      prepare (&requests[i], REACTOR_WRITEV);
    nr_done = 0;
    nr_wanted = 600;
    reactor_call (reactor, submit_wanted, reactor);
    reactor_destroy (reactor);
    assert_int_equal (nr_done, 600);
    for (i = 0; i < 600; ++i)
      assert_int_equal (requests[i].result, BLOCK);
  }
  close (file_fd);
  close (all_done);
  all_done = eventfd (0, EFD_CLOEXEC);
}

/* What the ring holds stays locked when the descriptor is closed. */
static void
test_hold (void **state)
{
  struct reactor *reactor;
  struct error err;
  char path[] = "/tmp/qbd-hold-XXXXXX";
  int fd, other, i;

  setenv ("QBD_NO_IO_URING", *state ? "1" : "0", 1);
  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  fd = mkstemp (path);
  assert_true (fd >= 0);
  assert_int_equal (flock (fd, LOCK_EX | LOCK_NB), 0);
  assert_int_equal (reactor_hold_file (reactor, fd), 0);
  if (!*state) {
    for (i = 1; i < REACTOR_HOLD_MAX; ++i)
      assert_int_equal (reactor_hold_file (reactor, fd), 0);
    assert_int_equal (reactor_hold_file (reactor, fd), -ENOSPC);
    assert_int_equal (reactor_start (reactor, &err), 0);
    other = open (path, O_RDWR | O_CLOEXEC);
    close (fd);
    assert_int_equal (flock (other, LOCK_EX | LOCK_NB), -1);
    assert_int_equal (errno, EWOULDBLOCK);
    reactor_destroy (reactor);
    assert_int_equal (flock (other, LOCK_EX), 0);       /* and then free */
    close (other);
  }
  else {
    reactor_destroy (reactor);
    close (fd);
  }
  unlink (path);
}

/* The same while the loop runs; and its slots are free again. */
static void
test_hold_later (void **state)
{
  struct reactor *reactor;
  struct error err;
  char path[] = "/tmp/qbd-hold-XXXXXX";
  int fd, other, i;

  setenv ("QBD_NO_IO_URING", *state ? "1" : "0", 1);
  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  assert_int_equal (reactor_start (reactor, &err), 0);
  fd = mkstemp (path);
  other = open (path, O_RDWR | O_CLOEXEC);
  assert_true (fd >= 0 && other >= 0);
  for (i = 0; i < 2 * REACTOR_HOLD_MAX; ++i) {
    assert_int_equal (reactor_hold_file (reactor, fd), 0);
    reactor_let_file_go (reactor, fd);
  }
  reactor_let_file_go (reactor, fd);
  reactor_let_file_go (reactor, other);         /* never held */
  if (!*state) {
    int held = dup (fd);

    /* Of two, one stays. */
    assert_int_equal (reactor_hold_file (reactor, fd), 0);
    assert_int_equal (reactor_hold_file (reactor, held), 0);
    assert_int_equal (flock (fd, LOCK_EX | LOCK_NB), 0);
    reactor_let_file_go (reactor, fd);
    close (fd);
    close (held);
    assert_int_equal (flock (other, LOCK_EX | LOCK_NB), -1);
    assert_int_equal (errno, EWOULDBLOCK);
    reactor_let_file_go (reactor, held);
    assert_int_equal (flock (other, LOCK_EX), 0);
  }
  else
    close (fd);
  close (other);
  reactor_destroy (reactor);
  unlink (path);
}

static void
test_few_descriptors (void **state)
{
  struct rlimit limit, low;
  struct reactor *reactor;
  struct error err;
  int r;

  assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
  low = limit;
  low.rlim_cur = 3;
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
  r = reactor_create (0, &reactor, &err);
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &limit), 0);
  assert_int_equal (r, -EMFILE);
  assert_non_null (strstr (err.message, "ulimit -n"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
#define BOTH(f)                                                 \
    { #f ", io_uring", f, NULL, NULL, NULL },                   \
    { #f ", threads", f, NULL, NULL, (void *) "threads" }
    BOTH (test_transfer),
    BOTH (test_other_calls),
    BOTH (test_turns),
    { "test_hung, io_uring", test_hung, NULL, NULL, NULL },
    BOTH (test_destroy_waits),
    BOTH (test_hold),
    BOTH (test_hold_later),
    cmocka_unit_test (test_few_descriptors),
  };

  all_done = eventfd (0, EFD_CLOEXEC);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
