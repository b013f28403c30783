/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is kept of changes, and sent again to a server that has lost them.
 */
#include "tests/unit/lib-controller.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "nvmeof/command-check.h"
#include "nvmeof/epoch.h"

static void
go_live_retaining (void)
{
  make_lasting ();
  params.unfenced = true;       /* no hold */
  params.options.retain_bytes = 65536;
  epoch_put (&peer.ns, 1);
  go_live ();
  assert_non_null (association->namespaces[0].retain);
}

/* Blocks 0 to nr - 1, one command each. */
static void
write_blocks (unsigned nr)
{
  for (unsigned i = 0; i < nr; i++) {
    assert_int_equal (submit (i, IO_WRITE, 512, 512 * i), 0);
    pump ();
    assert_int_equal (results[i], 0);
  }
  peer.order[0] = '\0';
}

static void
lose_cache (uint64_t epoch)
{
  epoch_put (&peer.ns, epoch);
  lose ();
}

static int
flush (void)
{
  results[79] = -1;
  assert_int_equal (submit (79, IO_FLUSH, 0, 0), 0);
  let_pass (100);
  return results[79];
}

static void
write_two (uint64_t offset, uint64_t other, const char *order)
{
  peer.order[0] = '\0';
  assert_int_equal (submit (0, IO_WRITE, 512, offset), 0);
  assert_int_equal (submit (1, IO_WRITE, 512, other), 0);
  pump ();
  assert_int_equal (results[0], 0);
  assert_int_equal (results[1], 0);
  assert_string_equal (peer.order, order);
}

/* Nobody knows the order of two that are under way at once. */
static void
test_crossing (void **state)
{
  go_live_retaining ();
  write_blocks (2);
  write_two (512, 1024, "write write ");
  write_two (0, 0, "write write flush ");
  write_blocks (2);
  peer.order[0] = '\0';
  lose_cache (2);
  let_pass (1000);
  assert_int_equal (count ("write"), 2);        /* both of those before it */
  volume_free (volume);
}

static void
test_replay (void **state)
{
  go_live_retaining ();
  write_blocks (20);
  lose_cache (2);
  let_pass (1000);
  assert_int_equal (count ("write"), 20);
  assert_int_equal (flush (), 0);
  lose_cache (3);
  let_pass (1000);
  assert_int_equal (count ("write"), 20);       /* they were flushed */
  volume_free (volume);
}

/* A controller on its way out, which leaves its connections open. */
static void
test_sq_deletion (void **state)
{
  go_live_retaining ();
  write_blocks (20);
  strcpy (peer.refuse, "write");
  peer.refuse_status = NVME_SC_ABORT_QUEUE;
  peer.refuse_nr = 1;
  lose_cache (2);
  let_pass (4000);
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LIVE);
  assert_int_equal (flush (), 0);
  volume_free (volume);
}

static void
refuse_some (unsigned nr, uint16_t status, int error)
{
  go_live_retaining ();
  write_blocks (20);
  strcpy (peer.refuse, "write");
  peer.refuse_status = status;
  peer.refuse_nr = nr;
  lose_cache (2);
  let_pass (30000);
  assert_int_equal (flush (), error);
  volume_free (volume);
}

static void
test_not_now (void **state)
{
  refuse_some (3, NVME_SC_NS_NOT_READY, 0);
}

static void
test_never (void **state)
{
  refuse_some (0, NVME_SC_NS_NOT_READY, EIO);
}

static void
test_refused (void **state)
{
  refuse_some (1, NVME_SC_CAP_EXCEEDED | NVME_SC_DNR, EIO);
}

/* Not from the beginning, while what was sent is still there. */
static void
test_goes_on (void **state)
{
  unsigned n;

  go_live_retaining ();
  write_blocks (60);
  lose_cache (2);
  while (count ("write") < 30) {
    now_ms += 10;
    keeper_tick (association, now_ms);
    serve ();
  }
  n = count ("write");
  keeper_tick (association, now_ms);    /* takes the answers */
  assert_in_range (n, 30, 40);
  peer.order[0] = '\0';
  lose ();
  let_pass (4000);
  assert_int_equal (flush (), 0);
  assert_in_range (count ("write"), 60 - n, 60 - n + 8);

  peer.order[0] = '\0';         /* the next loss takes it all again */
  write_blocks (60);
  lose_cache (3);
  let_pass (4000);
  assert_int_equal (count ("write"), 60);
  volume_free (volume);
}

/* Others wait for the driver, too. */
static void
test_turns (void **state)
{
  unsigned most = 0, before;

  go_live_retaining ();
  write_blocks (60);
  lose_cache (2);
  peer.at_once = true;
  for (unsigned i = 0; i < 1000; i++) {
    before = count ("write");
    keeper_tick (association, now_ms);
    serve ();
    if (count ("write") - before > most)
      most = count ("write") - before;
    now_ms += 10;
  }
  assert_int_equal (count ("write"), 60);
  assert_in_range (most, 1, 40);
  volume_free (volume);
}

/* --- over several paths -------------------------------------------------- */

/* Each of the two has a cache of its own, and the first has taken so many
 * blocks. */
static void
go_live_over_two (unsigned nr_blocks)
{
  make_lasting ();
  params.unfenced = true;
  params.options.retain_bytes = 65536;
  peer.caches = true;
  epoch_put (&peer.ns, 1);
  go_live_over (2);
  assert_non_null (several->replay.retain);
  let_pass (10);
  write_blocks (nr_blocks);
  assert_int_equal (peer.nr_io[0], nr_blocks);
  assert_int_equal (peer.nr_io[1], 0);
}

/* The first path is lost, and does not come back. */
static void
lose_the_first (void)
{
  strcpy (peer.silent, "connect");
  lose ();
}

/* To the last I/O command that came. */
static void
answer_late (unsigned path, uint16_t status)
{
  struct wire *wire = &peer.wire[path * PATH_QUEUES + 1];
  struct nvme_tcp_rsp rsp = { .cqe = {
    .cid = peer.last, .status = cpu_to_le16 ((uint16_t) (status << 1)),
  } };

  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &wire->agreed);
  say_header (wire, &rsp, sizeof rsp);
}

/* One of two commands is refused, and the other's answer comes when the path
 * is used again. */
static void
test_refused_and_slow (void **state)
{
  go_live_over_two (2);
  peer.mute = true;
  strcpy (peer.refuse, "write");
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  peer.refuse_nr = 1;
  lose_the_first ();
  let_pass (150);
  assert_int_equal (count ("write"), 2);
  peer.mute = false;
  answer_late (1, 0);
  for (unsigned i = 0; i < 10; i++, now_ms += 10)
    tick ();                    /* nobody else receives */
  assert_int_equal (count ("write"), 4);
  results[0] = -1;
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

/* Until the keeper has looked, nothing is asked over the other path, which may
 * not have what the first one took. */
static void
expect_wait (unsigned i)
{
  unsigned before = peer.nr_io[1];

  results[i] = -1;
  assert_int_equal (submit (i, IO_READ, 512, 0), 0);
  pump ();
  assert_int_equal (results[i], -1);
  assert_int_equal (peer.nr_io[1], before);
}

static void
test_refused_read (void **state)
{
  go_live_over_two (2);
  strcpy (peer.refuse, "read");
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  peer.refuse_nr = 1;
  expect_wait (0);              /* it is refused */
  expect_wait (1);
  let_pass (200);
  assert_int_equal (results[0], 0);
  assert_int_equal (results[1], 0);
  assert_int_equal (peer.nr_io[1], 0);
  volume_free (volume);
}

/* The only one that has what was written refuses to read it, each time when it
 * is tried again: that has its time limit, too. */
static void
test_refused_for_too_long (void **state)
{
  go_live_over_two (2);
  several->options.fast_io_fail_tmo_ms = 2000;
  strcpy (peer.refuse, "read");
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  expect_wait (0);
  let_pass (1900);
  assert_int_equal (results[0], -1);
  let_pass (400);
  assert_int_equal (results[0], EIO);
  peer.refuse[0] = '\0';
  let_pass (200);
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

static void
test_refused_until_loss (void **state)
{
  struct error err;

  go_live_over_two (2);
  several->options.ctrl_loss_tmo_ms = 3000;
  strcpy (peer.refuse, "read");
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  expect_wait (0);
  let_pass (2900);
  assert_int_equal (results[0], -1);
  let_pass (400);
  assert_int_equal (results[0], EIO);
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_LOST);
  assert_string_equal (err.message, "p/v: no path for 3 s: a path that has "
                       "alone what was not flushed cannot be used");
  volume_free (volume);
}

static void
test_inaccessible (void **state)
{
  go_live_over_two (2);
  association->path.ana = NVME_ANA_STATE_INACCESSIBLE;
  paths_look (association, now_ms);
  expect_wait (0);
  let_pass (200);
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("write"), 2);        /* over the other path */
  volume_free (volume);
}

/* The keeper has looked before the first path had taken anything. */
static void
test_answered_late (void **state)
{
  go_live_over_two (0);
  peer.mute = true;
  assert_int_equal (submit (1, IO_WRITE, 512, 0), 0);
  pump ();
  peer.mute = false;
  association->path.ana = NVME_ANA_STATE_INACCESSIBLE;
  let_pass (10);
  answer_late (0, 0);
  pump ();
  assert_int_equal (results[1], 0);
  expect_wait (0);
  let_pass (200);
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("write"), 2);
  volume_free (volume);
}

/* Another thread is about to lower the path. */
static void *
look (void *opaque)
{
  paths_replay_tick (several, now_ms);
  return NULL;
}

static void
test_about_to_be_lost (void **state)
{
  struct timespec until;
  pthread_t keeper;
  int r;

  go_live_over_two (2);
  pthread_mutex_lock (&association->lock);
  paths_suspend (association);
  assert_int_equal (pthread_create (&keeper, NULL, look, NULL), 0);
  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_sec++;
  r = pthread_timedjoin_np (keeper, NULL, &until);
  association->path.use = PATH_NONE;
  pthread_mutex_unlock (&association->lock);
  assert_int_equal (r, ETIMEDOUT);
  pthread_join (keeper, NULL);
  expect_wait (0);
  let_pass (200);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

static void
test_about_to_be_doubted (void **state)
{
  go_live_over_two (2);
  association->path.doubted = true;
  paths_suspend (association);
  paths_replay_tick (several, now_ms);
  association->path.use = PATH_NONE;
  expect_wait (0);
  let_pass (200);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

/* Time limits that run go on meanwhile. */
static void
test_owed_and_doubted (void **state)
{
  go_live_over_two (2);
  several->replay.owed = true;
  association->path.doubted = true;
  paths_suspend (association);
  paths_replay_tick (several, now_ms);
  assert_true (several->replay.owed);
  let_pass (200);
  assert_false (several->replay.owed);
  volume_free (volume);
}

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_crossing),
    TEST (test_replay),
    TEST (test_sq_deletion),
    TEST (test_not_now),
    TEST (test_never),
    TEST (test_refused),
    TEST (test_goes_on),
    TEST (test_turns),
    TEST (test_refused_and_slow),
    TEST (test_refused_read),
    TEST (test_refused_for_too_long),
    TEST (test_refused_until_loss),
    TEST (test_inaccessible),
    TEST (test_answered_late),
    TEST (test_about_to_be_lost),
    TEST (test_about_to_be_doubted),
    TEST (test_owed_and_doubted),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
