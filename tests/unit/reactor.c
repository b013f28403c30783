/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reactor's loop: mailbox, deferred tasks, timers, slow work.
 * reactor-watch.c has what it polls.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>

#include "common/clock.h"
#include "tests/unit/reactor-fixture.h"

/* --- mailbox ---------------------------------------------------------- */

#define POSTERS 6
#define POSTS 20000

struct numbered {
  struct reactor_task task;
  unsigned poster, number;
};

static unsigned expected[POSTERS];
static unsigned nr_ran, nr_disorder;
static int all_ran;
static struct reactor *target;

static void
run_numbered (struct reactor_task *task)
{
  struct numbered *n = (struct numbered *) task;

  nr_disorder += n->number != expected[n->poster]++;
  if (++nr_ran == POSTERS * POSTS)
    eventfd_write (all_ran, 1);
}

static void *
poster_main (void *arg)
{
  struct numbered *tasks = arg;
  unsigned i;

  for (i = 0; i < POSTS; ++i) {
    reactor_post (target, &tasks[i].task);
    if (i % 64 == 0)
      sched_yield ();           /* lets the loop go to sleep now and then */
  }
  return NULL;
}

static void
test_mailbox (void **state)
{
  static struct numbered tasks[POSTERS][POSTS];
  pthread_t threads[POSTERS];
  unsigned p, i;

  target = start_reactor ();
  all_ran = eventfd (0, EFD_CLOEXEC);
  for (p = 0; p < POSTERS; ++p) {
    for (i = 0; i < POSTS; ++i)
      tasks[p][i] = (struct numbered) { { .run = run_numbered }, p, i };
    pthread_create (&threads[p], NULL, poster_main, tasks[p]);
  }
  await (all_ran);
  for (p = 0; p < POSTERS; ++p)
    pthread_join (threads[p], NULL);
  reactor_destroy (target);
  assert_int_equal (nr_ran, POSTERS * POSTS);
  assert_int_equal (nr_disorder, 0);
  close (all_ran);
}

static void
note_current (void *arg)
{
  *(struct reactor **) arg = reactor_current ();
}

static void
test_call (void **state)
{
  struct reactor *reactor = start_reactor ();
  struct reactor *seen;
  int i;

  assert_null (reactor_current ());
  assert_int_equal (reactor_index (reactor), 3);
  for (i = 0; i < 2000; ++i) {
    seen = NULL;
    reactor_call (reactor, note_current, &seen);
    assert_ptr_equal (seen, reactor);
  }
  reactor_destroy (reactor);
}

/* --- deferred tasks --------------------------------------------------- */

struct deferral {
  struct reactor_task posted[2];
  struct reactor_task deferred;
  char log[8];
  size_t len;
  unsigned again;
  int over;
} deferral;

static void
run_deferral (struct reactor_task *task)
{
  deferral.log[deferral.len++] = 'd';
  if (deferral.again-- > 0)
    reactor_defer (reactor_current (), task);
  else
    eventfd_write (deferral.over, 1);
}

static void
run_first (struct reactor_task *task)
{
  deferral.log[deferral.len++] = '1';
  reactor_defer (reactor_current (), &deferral.deferred);
}

static void
run_second (struct reactor_task *task)
{
  deferral.log[deferral.len++] = '2';
}

static void
post_both (void *arg)
{
  reactor_post (arg, &deferral.posted[0]);
  reactor_post (arg, &deferral.posted[1]);
}

static void
test_defer (void **state)
{
  struct reactor *reactor = start_reactor ();

  deferral.posted[0].run = run_first;
  deferral.posted[1].run = run_second;
  deferral.deferred.run = run_deferral;
  deferral.again = 3;
  deferral.over = eventfd (0, EFD_CLOEXEC);
  reactor_call (reactor, post_both, reactor);
  await (deferral.over);
  reactor_destroy (reactor);
  assert_string_equal (deferral.log, "12dddd");
  close (deferral.over);
}

/* --- timers: the wheel alone, with a clock of the test's ---------------- */

static struct reactor wheel;
static uint64_t wheel_now_ms;
static unsigned nr_expired;

struct test_timer {
  struct reactor_timer timer;
  uint64_t expired_ms;          /* 0: not yet */
  unsigned order;
};

static void
note_expired (struct reactor_timer *timer)
{
  struct test_timer *t = (struct test_timer *) timer;

  assert_int_equal (t->expired_ms, 0);
  t->expired_ms = wheel_now_ms;
  t->order = nr_expired++;
}

static void
wheel_reset (uint64_t now_ms)
{
  memset (&wheel, 0, sizeof wheel);
  wheel_now_ms = now_ms;
  nr_expired = 0;
  timers_init (&wheel.timers, now_ms);
}

/* Sleeps as the loop would, until the time. */
static unsigned
wheel_run_until (uint64_t end_ms)
{
  unsigned nr_wakes = 0;

  while (wheel_now_ms < end_ms) {
    int sleep = timers_sleep_ms (&wheel.timers, wheel_now_ms);

    if (sleep < 0 || (uint64_t) sleep > end_ms - wheel_now_ms)
      wheel_now_ms = end_ms;
    else
      wheel_now_ms += (uint64_t) sleep;
    timers_run (&wheel.timers, wheel_now_ms);
    nr_wakes++;
    assert_true (nr_wakes < 100000);
  }
  return nr_wakes;
}

static void
test_wheel (void **state)
{
  static const uint64_t delays[] = {
    0, 1, 7, 8, 9, 100, 1000, 15000, 16383, 16384, 16385, 20000, 40000, 120000,
    3600000,
  };
  enum { N = sizeof delays / sizeof delays[0] };
  static const uint64_t starts[] = { 0, 5, 16384, 123456789 };
  struct test_timer timers[N];
  size_t s, i;

  for (s = 0; s < sizeof starts / sizeof starts[0]; ++s) {
    wheel_reset (starts[s]);
    assert_int_equal (timers_sleep_ms (&wheel.timers, wheel_now_ms), -1);
    memset (timers, 0, sizeof timers);
    for (i = N; i-- > 0;) {
      timers[i].timer.expired = note_expired;
      reactor_timer_arm (&wheel, &timers[i].timer, starts[s] + delays[i]);
    }
    wheel_run_until (starts[s] + 4000000);
    for (i = 0; i < N; ++i) {
      assert_true (timers[i].expired_ms >= starts[s] + delays[i]);
      assert_true (timers[i].expired_ms <= starts[s] + delays[i] + 16);
      assert_null (timers[i].timer.pprev);
    }
    assert_true (timers[5].order < timers[6].order);
    assert_true (timers[6].order < timers[12].order);
    assert_int_equal (wheel.timers.nr_armed, 0);
    assert_int_equal (timers_sleep_ms (&wheel.timers, wheel_now_ms), -1);
  }
}

/* Against a plain list: arm, move and disarm at random. */
static void
test_wheel_random (void **state)
{
  enum { N = 200 };
  static struct test_timer timers[N];
  unsigned seed = 7;
  int step;
  size_t i;

  wheel_reset (1000);
  memset (timers, 0, sizeof timers);
  for (step = 0; step < 200000; ++step) {
    struct test_timer *t = &timers[(unsigned) rand_r (&seed) % N];

    t->timer.expired = note_expired;
    switch (rand_r (&seed) % 4) {
    case 0: case 1:
      t->expired_ms = 0;
      reactor_timer_arm (&wheel, &t->timer, wheel_now_ms +
                         (unsigned) rand_r (&seed) % 30000);
      break;
    case 2:
      reactor_timer_disarm (&wheel, &t->timer);
      break;
    case 3:
      wheel_run_until (wheel_now_ms + (unsigned) rand_r (&seed) % 50);
      for (i = 0; i < N; ++i)
        if (timers[i].timer.pprev)
          assert_true (timers[i].timer.due_ms + 16 > wheel_now_ms);
        else if (timers[i].expired_ms)
          assert_true (timers[i].expired_ms >= timers[i].timer.due_ms);
      break;
    }
  }
}

/* A callback that disarms another one that expires in the same tick. */
static struct reactor_timer victim;

static void
disarm_victim (struct reactor_timer *timer)
{
  reactor_timer_disarm (&wheel, &victim);
  nr_expired++;
}

static void
must_not_expire (struct reactor_timer *timer)
{
  fail ();
}

static void
test_disarm_in_callback (void **state)
{
  struct reactor_timer first = { .expired = disarm_victim };

  wheel_reset (0);
  victim.expired = must_not_expire;
  reactor_timer_arm (&wheel, &victim, 100);
  reactor_timer_arm (&wheel, &first, 96);
  /* The same slot, whichever of them the list has first. */
  reactor_timer_arm (&wheel, &victim, 104);
  reactor_timer_disarm (&wheel, &victim);
  reactor_timer_disarm (&wheel, &victim);
  reactor_timer_arm (&wheel, &victim, 104);
  wheel_run_until (1000);
  assert_int_equal (nr_expired, 1);
}

/* --- timers in the loop ------------------------------------------------- */

static struct {
  struct reactor_timer timer;
  uint64_t armed_ms, due_ms, expired_ms;
  int over;
} loop_timer;

static void
loop_timer_expired (struct reactor_timer *timer)
{
  loop_timer.expired_ms = reactor_now_ms (reactor_current ());
  eventfd_write (loop_timer.over, 1);
}

static void
arm_loop_timer (void *arg)
{
  loop_timer.timer.expired = loop_timer_expired;
  loop_timer.armed_ms = reactor_now_ms (arg);
  loop_timer.due_ms = loop_timer.armed_ms + 60;
  reactor_timer_arm (arg, &loop_timer.timer, loop_timer.armed_ms + 5000);
  reactor_timer_arm (arg, &loop_timer.timer, loop_timer.due_ms);
}

static void
test_timer_in_loop (void **state)
{
  struct reactor *reactor = start_reactor ();

  loop_timer.over = eventfd (0, EFD_CLOEXEC);
  reactor_call (reactor, arm_loop_timer, reactor);
  await (loop_timer.over);
  reactor_destroy (reactor);
  assert_true (loop_timer.expired_ms >= loop_timer.due_ms);
  assert_true (loop_timer.expired_ms < loop_timer.armed_ms + 4000);
  close (loop_timer.over);
}

/* --- idle --------------------------------------------------------------- */

static void
note_tid (void *arg)
{
  *(long *) arg = syscall (SYS_gettid);
}

static long
nr_switches (long tid)
{
  char path[64], line[128];
  long n = -1;
  FILE *f;

  snprintf (path, sizeof path, "/proc/self/task/%ld/status", tid);
  f = fopen (path, "r");
  assert_non_null (f);
  while (fgets (line, sizeof line, f))
    sscanf (line, "voluntary_ctxt_switches: %ld", &n);
  fclose (f);
  return n;
}

static void
test_idle (void **state)
{
  struct reactor *reactor = start_reactor ();
  long tid, before;

  reactor_call (reactor, note_tid, &tid);
  poll (NULL, 0, 50);           /* let it fall asleep */
  before = nr_switches (tid);
  poll (NULL, 0, 300);          /* nothing happens: that is the test */
  assert_int_equal (nr_switches (tid), before);
  reactor_destroy (reactor);
}

/* --- slow work ---------------------------------------------------------- */

#define WORKS 500

struct test_work {
  struct reactor_work work;
  bool worked;
};

static struct {
  struct test_work works[WORKS];
  unsigned nr_done, nr_wrong;
  pthread_t reactor_thread;
} slow;

static void
slow_work (struct reactor_work *work)
{
  struct test_work *w = (struct test_work *) work;

  w->worked = !pthread_equal (pthread_self (), slow.reactor_thread);
}

static void
slow_done (struct reactor_work *work)
{
  struct test_work *w = (struct test_work *) work;

  slow.nr_wrong += !w->worked ||
                   !pthread_equal (pthread_self (), slow.reactor_thread);
  slow.nr_done++;
}

static void
submit_works (void *arg)
{
  size_t i;

  slow.reactor_thread = pthread_self ();
  for (i = 0; i < WORKS; ++i) {
    slow.works[i].work.work = slow_work;
    slow.works[i].work.done = slow_done;
    reactor_work_submit (arg, &slow.works[i].work);
  }
}

/* Destroying waits for them all. */
static void
test_work (void **state)
{
  struct reactor *reactor = start_reactor ();

  reactor_call (reactor, submit_works, reactor);
  reactor_destroy (reactor);
  assert_int_equal (slow.nr_done, WORKS);
  assert_int_equal (slow.nr_wrong, 0);
}

static struct {
  struct reactor_work far[8];   /* more than there are threads for */
  struct reactor_work near;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool near_done, answers;      /* lock */
} remote = {
  .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
};

static void
wait_for (bool *condition)
{
  pthread_mutex_lock (&remote.lock);
  while (!*condition)
    pthread_cond_wait (&remote.changed, &remote.lock);
  pthread_mutex_unlock (&remote.lock);
}

static void
make_true (bool *condition)
{
  pthread_mutex_lock (&remote.lock);
  *condition = true;
  pthread_cond_broadcast (&remote.changed);
  pthread_mutex_unlock (&remote.lock);
}

static void
work_far (struct reactor_work *work)
{
  wait_for (&remote.answers);
}

static void
work_near (struct reactor_work *work)
{
}

static void
far_done (struct reactor_work *work)
{
}

static void
near_done (struct reactor_work *work)
{
  make_true (&remote.near_done);
}

static void
submit_far_and_near (void *arg)
{
  for (size_t i = 0; i < sizeof remote.far / sizeof remote.far[0]; ++i) {
    remote.far[i] = (struct reactor_work) {
      .work = work_far, .done = far_done,
    };
    reactor_work_submit_far (arg, &remote.far[i]);
  }
  remote.near = (struct reactor_work) {
    .work = work_near, .done = near_done,
  };
  reactor_work_submit (arg, &remote.near);
}

/* Another machine does not answer: nothing else waits for it. */
static void
test_far_work (void **state)
{
  struct reactor *reactor = start_reactor ();

  reactor_call (reactor, submit_far_and_near, reactor);
  wait_for (&remote.near_done);
  make_true (&remote.answers);
  reactor_destroy (reactor);
}

static void
test_never_started (void **state)
{
  struct reactor *reactor;
  struct error err;

  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  reactor_destroy (reactor);
  reactor_destroy (NULL);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_mailbox),
    cmocka_unit_test (test_call),
    cmocka_unit_test (test_defer),
    cmocka_unit_test (test_wheel),
    cmocka_unit_test (test_wheel_random),
    cmocka_unit_test (test_disarm_in_callback),
    cmocka_unit_test (test_timer_in_loop),
    cmocka_unit_test (test_idle),
    cmocka_unit_test (test_work),
    cmocka_unit_test (test_far_work),
    cmocka_unit_test (test_never_started),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
