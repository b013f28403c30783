/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several paths to a volume: which of them is taken as their ANA states change,
 * and what waits until the controller of one that was lost has ended.
 */
#include "tests/unit/lib-controller.h"

#include "nvmeof/command-check.h"
#include "nvmeof/cross-reset.h"

enum { ANATT_S = 3, BOTH = 2 };

static void
expect_through (void)
{
  results[0] = -1;
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[0], 0);
}

static void
expect_over (unsigned path)
{
  unsigned before[BOTH] = { peer.nr_io[0], peer.nr_io[1] };

  expect_through ();
  assert_int_equal (peer.nr_io[path], before[path] + 1);
  assert_int_equal (peer.nr_io[!path], before[!path]);
}

/* --- ANA ---------------------------------------------------------------- */

static void
prepare_ana (uint8_t one, uint8_t other)
{
  peer.ctrl.cmic = NVME_CTRL_CMIC_MULTI_ANA_REPORTING;
  peer.ctrl.nanagrpid = cpu_to_le32 (2);
  peer.ctrl.anatt = ANATT_S;
  peer.ctrl.oaes = cpu_to_le32 (NVME_CTRL_OAES_ANA);
  peer.ns.anagrpid = cpu_to_le32 (1);
  peer.ana[0] = one;
  peer.ana[1] = other;
  make_lasting ();
}

static void
go_live_with_ana (uint8_t one, uint8_t other)
{
  prepare_ana (one, other);
  go_live_over (BOTH);
  let_pass (10);
}

static void
tell_ana (unsigned path)
{
  struct wire *wire = &peer.wire[path * PATH_QUEUES];
  struct nvme_tcp_rsp rsp = { .cqe = { .cid = peer.aer[path] } };

  rsp.cqe.dw0 = cpu_to_le32 (0x0c0302);
  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &wire->agreed);
  say_header (wire, &rsp, sizeof rsp);
}

static void
change (uint8_t one, uint8_t other)
{
  peer.ana[0] = one;
  peer.ana[1] = other;
  for (unsigned i = 0; i < BOTH; i++)
    tell_ana (i);
  let_pass (10);
}

static void
test_states (void **state)
{
  enum {
    OPTIMIZED = NVME_ANA_STATE_OPTIMIZED,
    NONOPTIMIZED = NVME_ANA_STATE_NONOPTIMIZED,
    INACCESSIBLE = NVME_ANA_STATE_INACCESSIBLE,
    LOSS = NVME_ANA_STATE_PERSISTENT_LOSS,
    CHANGE = NVME_ANA_STATE_CHANGE,
    NONSENSE = 7,
  };
  static const struct { uint8_t one, other; unsigned path; } cases[] = {
    { NONOPTIMIZED, OPTIMIZED, 1 },
    { OPTIMIZED, OPTIMIZED, 0 },
    { INACCESSIBLE, NONOPTIMIZED, 1 },
    { NONOPTIMIZED, INACCESSIBLE, 0 },
    { LOSS, NONOPTIMIZED, 1 },
    { CHANGE, NONOPTIMIZED, 1 },
    { NONSENSE, OPTIMIZED, 1 },
    { NONSENSE, INACCESSIBLE, 0 },
  };

  go_live_with_ana (OPTIMIZED, NONOPTIMIZED);
  expect_over (0);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    change (cases[i].one, cases[i].other);
    expect_over (cases[i].path);
  }
  /* None at all: it waits, for as long as nothing limits that. */
  change (INACCESSIBLE, INACCESSIBLE);
  results[0] = -1;
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (20000);
  assert_int_equal (results[0], -1);
  change (INACCESSIBLE, NONOPTIMIZED);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

/* No group is the namespace's for ever, and no other event says so. */
static void
test_another_group (void **state)
{
  go_live_with_ana (NVME_ANA_STATE_NONOPTIMIZED, NVME_ANA_STATE_OPTIMIZED);
  expect_over (1);
  peer.ns.anagrpid = cpu_to_le32 (2);
  change (NVME_ANA_STATE_INACCESSIBLE, NVME_ANA_STATE_INACCESSIBLE);
  expect_over (0);
  peer.ns.anagrpid = cpu_to_le32 (1);
  change (NVME_ANA_STATE_INACCESSIBLE, NVME_ANA_STATE_NONOPTIMIZED);
  expect_over (1);
  volume_free (volume);
}

/* One that does not tell of changes is not believed: its state would be what
 * it was at first, for ever. */
static void
test_no_events (void **state)
{
  prepare_ana (NVME_ANA_STATE_INACCESSIBLE, NVME_ANA_STATE_INACCESSIBLE);
  peer.ctrl.oaes = cpu_to_le32 (NVME_CTRL_OAES_NA);
  go_live_over (BOTH);
  let_pass (10);
  assert_int_equal (count ("log0c"), 0);
  expect_over (0);
  volume_free (volume);
}

/* Another state has to come within ANATT. */
static void
test_change_for_too_long (void **state)
{
  unsigned nr_dials;

  go_live_with_ana (NVME_ANA_STATE_OPTIMIZED, NVME_ANA_STATE_NONOPTIMIZED);
  change (NVME_ANA_STATE_CHANGE, NVME_ANA_STATE_NONOPTIMIZED);
  nr_dials = peer.nr_dials;
  let_pass (ANATT_S * 1000 - 100);
  assert_int_equal (peer.nr_dials, nr_dials);
  let_pass (1000);
  assert_int_equal (peer.nr_dials, nr_dials + PATH_QUEUES);
  volume_free (volume);
}

static void
test_change_in_time (void **state)
{
  unsigned nr_dials;

  go_live_with_ana (NVME_ANA_STATE_OPTIMIZED, NVME_ANA_STATE_NONOPTIMIZED);
  nr_dials = peer.nr_dials;
  for (unsigned i = 0; i < 3; i++) {
    change (NVME_ANA_STATE_CHANGE, NVME_ANA_STATE_NONOPTIMIZED);
    let_pass (ANATT_S * 1000 - 100);
    change (NVME_ANA_STATE_OPTIMIZED, NVME_ANA_STATE_NONOPTIMIZED);
    let_pass (100);
  }
  assert_int_equal (peer.nr_dials, nr_dials);
  volume_free (volume);
}

/* --- the fence ---------------------------------------------------------- */

/* Its controllers can end each other, and take their time. */
static void
prepare_cross_reset (void)
{
  const struct controller_instance instance = { .ciu = 1, .cirn = 7 };

  cross_reset_put_identify (&peer.ctrl, &instance, 1);
  peer.cross_reset = CROSS_RESET_IMMEDIATE;
  strcpy (peer.refuse, "cross-reset");
  peer.refuse_status = STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS);
  make_lasting ();
}

/* A write is in flight over the first path when that is lost. */
static void
lose_a_write (unsigned nr_paths, uint32_t fast_io_fail_tmo_ms)
{
  prepare_cross_reset ();
  params.options.fast_io_fail_tmo_ms = fast_io_fail_tmo_ms;
  go_live_over (nr_paths);
  peer.mute = true;
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (10);
  assert_int_equal (count ("write"), 1);
  peer.mute = false;
  lose ();
}

static void
test_old_controller_takes_its_time (void **state)
{
  lose_a_write (BOTH, UINT32_MAX);
  let_pass (1500);
  assert_in_range (count ("cross-reset"), 5, 40);
  assert_int_equal (results[0], -1);
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[1], 0);
  assert_int_equal (count ("write"), 1);
  peer.refuse[0] = '\0';
  let_pass (200);
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("write"), 2);
  volume_free (volume);
}

/* What waits for it has a time limit, though there is a path; reads go on. */
static void
test_old_controller_takes_too_long (void **state)
{
  lose_a_write (BOTH, 2000);
  let_pass (1900);
  assert_int_equal (results[0], -1);
  let_pass (300);
  assert_int_equal (results[0], EIO);
  assert_int_equal (count ("write"), 1);
  assert_int_equal (submit (2, IO_READ, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[2], 0);
  peer.refuse[0] = '\0';
  let_pass (2000);
  assert_int_equal (submit (1, IO_WRITE, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[1], 0);
  volume_free (volume);
}

/* Two are lost.  Nobody can name the controller of one, which is waited for;
 * that the other's does not end has its time limit all the same. */
static void
test_one_without_fencer_of_two (void **state)
{
  struct error err;

  prepare_cross_reset ();
  params.options.policy = OPTIONS_POLICY_ROUND_ROBIN;
  params.options.ctrl_loss_tmo_ms = 3000;
  go_live_over (PATHS);
  association->re.old.instance.cirn = 0;
  peer.mute = true;
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal (submit (i, IO_WRITE, 512, 0), 0);
  let_pass (10);
  assert_int_equal (peer.nr_io[0], 1);
  assert_int_equal (peer.nr_io[1], 1);
  peer.mute = false;
  for (unsigned i = 0; i < 2; i++)
    association_lose (several->association[i], ECONNRESET, "test");
  let_pass (2900);
  assert_int_equal (results[0], -1);
  let_pass (300);
  assert_int_equal (results[0], EIO);
  assert_int_equal (results[1], EIO);
  association_get_state (association, &err);
  assert_string_equal (err.message, "p/v: no path for 3 s: the controller of "
                       "a lost path does not end");
  volume_free (volume);
}

/* One of the others is in no state to end it, as a server that was cut off
 * itself. */
static void
test_one_fencer_of_two (void **state)
{
  lose_a_write (PATHS, UINT32_MAX);
  peer.refuse_paths = 1 << 0 | 1 << 1;
  let_pass (500);
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("write"), 2);
  volume_free (volume);
}

/* One that cannot be told is waited for, twice keep_alive_tmo; also while the
 * other path is none that could be used. */
static void
test_hold_while_inaccessible (void **state)
{
  prepare_ana (NVME_ANA_STATE_OPTIMIZED, NVME_ANA_STATE_INACCESSIBLE);
  go_live_over (BOTH);
  let_pass (10);
  peer.mute = true;
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (10);
  assert_int_equal (count ("write"), 1);
  peer.mute = false;
  strcpy (peer.refuse, "connect");
  peer.refuse_status = STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY);
  lose ();
  let_pass (10500);
  assert_int_equal (results[0], -1);
  peer.ana[1] = NVME_ANA_STATE_OPTIMIZED;
  tell_ana (1);
  let_pass (10);
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("write"), 2);
  volume_free (volume);
}

static void
test_hold_has_a_limit (void **state)
{
  make_lasting ();
  params.options.fast_io_fail_tmo_ms = 2000;
  go_live_over (BOTH);
  peer.mute = true;
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (10);
  peer.mute = false;
  strcpy (peer.refuse, "connect");
  peer.refuse_status = STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY);
  lose ();
  let_pass (1900);
  assert_int_equal (results[0], -1);
  let_pass (200);
  assert_int_equal (results[0], EIO);
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[1], 0);
  assert_int_equal (count ("write"), 1);
  let_pass (8500);
  expect_through ();
  volume_free (volume);
}

/* --- time limits -------------------------------------------------------- */

/* Time in which this process was stopped does not count, wherever in it the
 * limit would have been. */
static void
test_stopped_while_waiting (void **state)
{
  prepare_ana (NVME_ANA_STATE_INACCESSIBLE, NVME_ANA_STATE_INACCESSIBLE);
  params.options.fast_io_fail_tmo_ms = 20000;
  params.options.keep_alive_tmo_ms = 0;
  go_live_over (BOTH);
  let_pass (10);
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (5000);
  now_ms += 14000;
  let_pass (10000);
  assert_int_equal (results[0], -1);
  let_pass (6000);
  assert_int_equal (results[0], EIO);
  volume_free (volume);
}

/* Who refuses all that it is given, each time when it is tried again, is no
 * path: what waits has its time limit. */
static void
test_all_refuse (void **state)
{
  make_lasting ();
  params.options.fast_io_fail_tmo_ms = 2000;
  go_live_over (BOTH);
  strcpy (peer.refuse, "write");
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (1900);
  assert_int_equal (results[0], -1);
  assert_in_range (count ("write"), 10, 60);
  let_pass (400);
  assert_int_equal (results[0], EIO);
  peer.refuse[0] = '\0';
  let_pass (200);
  expect_through ();
  volume_free (volume);
}

/* Time in which others got through is none of it. */
static void
test_refuses_at_times (void **state)
{
  make_lasting ();
  params.options.fast_io_fail_tmo_ms = 2000;
  go_live_over (BOTH);
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  for (unsigned i = 0; i < 20; i++) {
    strcpy (peer.refuse, "write");
    results[0] = -1;
    assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
    let_pass (300);
    assert_int_equal (results[0], -1);
    peer.refuse[0] = '\0';
    let_pass (200);
    assert_int_equal (results[0], 0);
  }
  volume_free (volume);
}

static void
test_all_refuse_for_too_long (void **state)
{
  struct error err;

  make_lasting ();
  params.options.ctrl_loss_tmo_ms = 3000;
  go_live_over (BOTH);
  strcpy (peer.refuse, "read");
  peer.refuse_status = STATUS_PATH (NVME_SC_ANA_INTERNAL_PATH_ERROR);
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  let_pass (3500);
  assert_int_equal (results[0], EIO);
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_LOST);
  assert_string_equal (err.message, "p/v: no path for 3 s: commands are "
                       "refused over all there are");
  volume_free (volume);
}

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_states),
    TEST (test_another_group),
    TEST (test_no_events),
    TEST (test_change_for_too_long),
    TEST (test_change_in_time),
    TEST (test_old_controller_takes_its_time),
    TEST (test_old_controller_takes_too_long),
    TEST (test_one_without_fencer_of_two),
    TEST (test_one_fencer_of_two),
    TEST (test_hold_while_inaccessible),
    TEST (test_hold_has_a_limit),
    TEST (test_stopped_while_waiting),
    TEST (test_all_refuse),
    TEST (test_refuses_at_times),
    TEST (test_all_refuse_for_too_long),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
