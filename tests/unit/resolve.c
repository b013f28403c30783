/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking up names with a deadline, over a resolver that takes as long as the
 * test wants: its getaddrinfo stands before the system's, and asks it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/resolve.h"
#include "common/stream.h"

enum { LONG_MS = 30000, SHORT_MS = 50, LOOK_UPS_MAX = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;              /* lock */
static unsigned nr_asked;       /* names, not numbers */
static unsigned nr_answered;    /* lock */

int
getaddrinfo (const char *host, const char *port, const struct addrinfo *hints,
             struct addrinfo **list)
{
  int (*next) (const char *, const char *, const struct addrinfo *,
               struct addrinfo **);
  int r;

  *(void **) &next = dlsym (RTLD_NEXT, "getaddrinfo");
  if (hints->ai_flags & AI_NUMERICHOST)
    return next (host, port, hints, list);
  pthread_mutex_lock (&lock);
  while (hangs)
    pthread_cond_wait (&changed, &lock);
  pthread_mutex_unlock (&lock);
  r = strcmp (host, "nowhere") == 0 ? EAI_NONAME
    : next ("127.0.0.1", port, hints, list);
  pthread_mutex_lock (&lock);
  nr_answered++;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
  return r;
}

/* Or until it has answered all that it was asked. */
static void
set_hangs (bool hang)
{
  pthread_mutex_lock (&lock);
  hangs = hang;
  pthread_cond_broadcast (&changed);
  while (!hang && nr_answered < nr_asked)
    pthread_cond_wait (&changed, &lock);
  pthread_mutex_unlock (&lock);
}

static int
resolve_within (const char *host, unsigned ms, int cancel_fd)
{
  struct addrinfo *list = NULL;
  int r = resolve (host, "4420", clock_now_ms () + ms, cancel_fd, &list);

  if (strstr (host, "where") && !(r == EAI_SYSTEM && errno == EAGAIN))
    nr_asked++;

  if (r == 0) {
    assert_int_equal (list->ai_socktype, SOCK_STREAM);
    assert_null (list->ai_next);
    freeaddrinfo (list);
  }
  return r;
}

static void
test_numbers_wait_for_nobody (void **state)
{
  static const char *const numbers[] = { "127.0.0.1", "::1", "192.0.2.1" };

  set_hangs (true);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    assert_int_equal (resolve_within (numbers[i], 0, -1), 0);
  assert_int_equal (nr_answered, 0);
  set_hangs (false);
}

static void
test_names (void **state)
{
  assert_int_equal (resolve_within ("somewhere", LONG_MS, -1), 0);
  assert_int_equal (resolve_within ("nowhere", LONG_MS, -1), EAI_NONAME);
}

static void
test_deadline (void **state)
{
  struct address address = { .family = ADDRESS_TCP, .host = "somewhere",
                             .port = "4420" };
  uint64_t before_ms = clock_now_ms ();
  struct error err;

  set_hangs (true);
  errno = 0;
  assert_int_equal (resolve_within ("somewhere", SHORT_MS, -1), EAI_SYSTEM);
  assert_int_equal (errno, ETIMEDOUT);
  assert_true (clock_now_ms () - before_ms >= SHORT_MS);
  assert_null (stream_connect (&address, SHORT_MS, &err));
  nr_asked++;
  assert_string_equal (err.message, "connect: tcp://somewhere:4420: "
                       "Connection timed out");
  set_hangs (false);
}

static void
test_cancel (void **state)
{
  int cancel_fd = eventfd (1, EFD_CLOEXEC);
  uint64_t before_ms = clock_now_ms ();

  set_hangs (true);
  assert_int_equal (resolve_within ("somewhere", LONG_MS, cancel_fd),
                    EAI_SYSTEM);
  assert_int_equal (errno, ESHUTDOWN);
  assert_true (clock_now_ms () - before_ms < LONG_MS);
  close (cancel_fd);
  set_hangs (false);
}

/* Those that hang are few, and may end later. */
static void
test_many_hang (void **state)
{
  int r;

  set_hangs (true);
  for (unsigned i = 0; i < LOOK_UPS_MAX; i++) {
    do
      r = resolve_within ("somewhere", 1, -1);
    while (r == EAI_SYSTEM && errno == EAGAIN);         /* of earlier tests */
    assert_int_equal (r, EAI_SYSTEM);
    assert_int_equal (errno, ETIMEDOUT);
  }
  assert_int_equal (resolve_within ("somewhere", LONG_MS, -1), EAI_SYSTEM);
  assert_int_equal (errno, EAGAIN);
  set_hangs (false);
  /* Their threads are about to end. */
  do
    r = resolve_within ("somewhere", LONG_MS, -1);
  while (r == EAI_SYSTEM && errno == EAGAIN);
  assert_int_equal (r, 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_numbers_wait_for_nobody),
    cmocka_unit_test (test_names),
    cmocka_unit_test (test_deadline),
    cmocka_unit_test (test_cancel),
    cmocka_unit_test (test_many_hang),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
