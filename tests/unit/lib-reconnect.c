/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An association that is lost, and connected again: what it waits for, and
 * what it does not.
 */
#include "tests/unit/lib-controller.h"

#include "nvmeof/command-check.h"
#include "nvmeof/cross-reset.h"
#include "nvmeof/status.h"

static void
go_live_lasting (void)
{
  make_lasting ();
  go_live ();
}

static enum association_state
state_now (void)
{
  return association_get_state (association, NULL);
}

/* --- refusals ----------------------------------------------------------- */

static void
refuse_connect (uint16_t status, uint32_t dw0)
{
  strcpy (peer.refuse, "connect");
  peer.refuse_status = status;
  peer.refuse_dw0 = dw0;
}

static void
expect_end (uint16_t status, uint32_t dw0, const char *message)
{
  struct error err;

  go_live_lasting ();
  refuse_connect (status, dw0);
  lose ();
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  let_pass (1000);
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_LOST);
  assert_non_null (strstr (err.message, message));
  assert_int_equal (results[0], EIO);
  volume_free (volume);
}

/* It may be on its way from one list to the next. */
static void
test_host_not_allowed (void **state)
{
  struct error err;

  go_live_lasting ();
  refuse_connect (STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_HOST)),
                  0);
  lose ();
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  let_pass (4000);
  peer.refuse[0] = '\0';
  let_pass (1000);
  assert_int_equal (results[0], 0);
  strcpy (peer.refuse, "connect");
  lose ();
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  let_pass (4900);
  assert_int_equal (results[1], -1);
  let_pass (2000);
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_LOST);
  assert_non_null (strstr (err.message, "host not allowed"));
  assert_int_equal (results[1], EIO);
  volume_free (volume);
}

/* That counts from the first refusal, however long there was no server before,
 * or between two. */
static void
test_host_not_allowed_late (void **state)
{
  const uint16_t not_allowed =
    STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_HOST));

  go_live_lasting ();
  lose ();
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  for (unsigned i = 0; i < 2; i++) {
    refuse_connect (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY), 0);
    let_pass (8000);
    refuse_connect (not_allowed, 0);
    let_pass (3000);
    assert_int_equal (results[0], -1);
  }
  let_pass (4000);
  assert_int_equal (state_now (), ASSOCIATION_LOST);
  assert_int_equal (results[0], EIO);
  volume_free (volume);
}

static void
test_parameter_refused (void **state)
{
  expect_end (STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM)),
              CONNECT_IPO_SQE (sqsize_0based), "does not like byte");
}

static void
test_authentication (void **state)
{
  go_live_lasting ();
  peer.connect_dw0 |= 1 << 17;
  lose ();
  let_pass (1000);
  assert_int_equal (state_now (), ASSOCIATION_LOST);
  volume_free (volume);
}

/* What may pass is waited for. */
static void
expect_patience (uint16_t status, uint32_t dw0)
{
  go_live_lasting ();
  refuse_connect (status, dw0);
  lose ();
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  let_pass (20000);
  assert_int_equal (results[0], -1);
  assert_in_range (count ("connect"), 10, 40);
  peer.refuse[0] = '\0';
  let_pass (2000);
  assert_int_equal (state_now (), ASSOCIATION_LIVE);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

static void
test_no_such_subsystem_yet (void **state)
{
  expect_patience (STATUS_DNR (STATUS_SPECIFIC
                               (NVME_SC_CONNECT_INVALID_PARAM)),
                   CONNECT_IPO_DATA (subsysnqn));
}

static void
test_busy (void **state)
{
  expect_patience (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY), 0);
}

/* As Linux has it: "do not retry" is wrong there. */
static void
test_no_controller_left (void **state)
{
  expect_patience (STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY)),
                   0);
}

static void
test_host_not_allowed_yet (void **state)
{
  expect_patience (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_HOST), 0);
}

/* --- a slow server ------------------------------------------------------ */

static void
test_slow_server (void **state)
{
  go_live_lasting ();
  peer.slow_ms = 3500;
  lose ();
  let_pass (30000);
  assert_int_equal (state_now (), ASSOCIATION_LIVE);
  volume_free (volume);
}

/* One that had no controller to give was quick to say so. */
static void
test_slow_after_busy (void **state)
{
  unsigned dials;

  go_live_lasting ();
  refuse_connect (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY), 0);
  lose ();
  let_pass (10000);
  peer.slow_ms = 100000;
  let_pass (1500);              /* a pause is over */
  dials = peer.nr_dials;
  let_pass (2000 + 1000);
  assert_true (peer.nr_dials > dials);
  peer.slow_ms = 0;
  peer.refuse[0] = '\0';
  let_pass (10000);
  assert_int_equal (state_now (), ASSOCIATION_LIVE);
  volume_free (volume);
}

/* --- time limits -------------------------------------------------------- */

/* Connections that are lost again and again, after some seconds: what counts
 * is for how long there was none. */
static void
test_time_in_use_is_no_loss (void **state)
{
  params.unfenced = true;
  make_lasting ();
  params.options.ctrl_loss_tmo_ms = 5000;
  params.options.fast_io_fail_tmo_ms = 4000;
  go_live ();
  for (unsigned i = 0; i < 5; i++) {
    lose ();
    assert_int_equal (submit (i, IO_WRITE, 512, 0), 0);
    let_pass (3000);
    assert_int_equal (results[i], 0);
  }
  volume_free (volume);
}

/* Nor is time in which this process was stopped, while a write waits for an
 * old controller's end. */
static void
test_stopped_while_holding (void **state)
{
  go_live_lasting ();
  association->params.options.fast_io_fail_tmo_ms = 6000;
  lose ();
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (2000);
  assert_int_equal (state_now (), ASSOCIATION_LIVE);
  now_ms += 6000;
  let_pass (1000);
  assert_int_equal (results[0], -1);
  let_pass (2000);
  assert_int_equal (results[0], 0);
  volume_free (volume);
}

/* It was stopped while the last answer to a try came, and loses that
 * connection at once: what was left out is left out once. */
static void
test_stopped_while_connecting (void **state)
{
  params.unfenced = true;
  make_lasting ();
  params.options.ctrl_loss_tmo_ms = 5000;
  go_live ();
  lose ();
  while (state_now () != ASSOCIATION_NAMESPACE) {
    now_ms += 10;
    keeper_tick (association, now_ms);
    serve ();
  }
  now_ms += 20000;
  keeper_tick (association, now_ms);
  assert_int_equal (state_now (), ASSOCIATION_LIVE);
  lose ();
  refuse_connect (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY), 0);
  let_pass (3000);
  assert_int_equal (state_now (), ASSOCIATION_DOWN);
  let_pass (2000);
  assert_int_equal (state_now (), ASSOCIATION_LOST);
  volume_free (volume);
}

/* --- pauses ------------------------------------------------------------- */

enum { PAUSES = 10, ROUNDS = 24 };

/* How long the association waits before each of its next tries, all of which
 * are refused. */
static void
watch_pauses (uint64_t pauses_ms[PAUSES], uint32_t most_ms)
{
  const uint64_t until_ms = now_ms + PAUSES * (uint64_t) (most_ms + 100);
  uint64_t next_ms = association->re.next_ms;

  refuse_connect (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY), 0);
  lose ();
  for (unsigned n = 0; n < PAUSES; now_ms++) {
    assert_true (now_ms < until_ms);
    let_pass (0);
    if (association->re.next_ms == next_ms)
      continue;
    next_ms = association->re.next_ms;
    pauses_ms[n++] = next_ms - now_ms;
  }
  peer.refuse[0] = peer.order[0] = '\0';
}

/* 0.1 seconds at first, twice as long each time and no longer than asked for,
 * half of it by chance; after a connection that held, from the beginning. */
static void
expect_pauses (uint32_t most_ms)
{
  uint64_t pauses_ms[PAUSES], least[PAUSES], most[PAUSES] = { 0 };

  memset (least, 0xff, sizeof least);
  make_lasting ();
  params.unfenced = true;
  params.options.reconnect_delay_ms = most_ms;
  go_live ();
  for (unsigned round = 0; round < ROUNDS; round++) {
    let_pass (6000);
    assert_int_equal (state_now (), ASSOCIATION_LIVE);
    watch_pauses (pauses_ms, most_ms);
    for (unsigned n = 0; n < PAUSES; n++) {
      uint64_t whole_ms = UINT64_C (100) << n;

      if (whole_ms > most_ms)
        whole_ms = most_ms;
      assert_in_range (pauses_ms[n], whole_ms / 2, whole_ms);
      least[n] = pauses_ms[n] < least[n] ? pauses_ms[n] : least[n];
      most[n] = pauses_ms[n] > most[n] ? pauses_ms[n] : most[n];
    }
    let_pass (most_ms + 100);
  }
  /* Hosts that were lost together do not come back together. */
  for (unsigned n = 0; n < PAUSES; n++)
    assert_true (most[n] - least[n] > least[n] / 4);
  volume_free (volume);
}

static void
test_pauses (void **state)
{
  expect_pauses (2000);
}

static void
test_longer_pauses (void **state)
{
  expect_pauses (10000);
}

/* --- the hold ----------------------------------------------------------- */

/* How long a write waits after a loss, in seconds. */
static unsigned
hold_s (void)
{
  uint64_t since_ms;

  lose ();
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  while (state_now () != ASSOCIATION_LIVE)
    let_pass (10);
  since_ms = now_ms;
  while (results[0] == -1)
    let_pass (10);
  assert_int_equal (results[0], 0);
  return (unsigned) ((now_ms - since_ms + 500) / 1000);
}

static void
test_hold (void **state)
{
  go_live_lasting ();
  assert_int_equal (hold_s (), 2 * 5);
  volume_free (volume);
}

static void
test_hold_where_traffic_counts (void **state)
{
  peer.ctrl.ctratt = cpu_to_le32 (NVME_CTRL_CTRATT_TBKAS);
  go_live_lasting ();
  assert_int_equal (hold_s (), 3 * 5);
  volume_free (volume);
}

/* The controller rounds up what it was told. */
static void
test_hold_in_units (void **state)
{
  peer.ctrl.kas = cpu_to_le16 (80);
  go_live_lasting ();
  assert_int_equal (hold_s (), 2 * 8);
  volume_free (volume);
}

/* Requests that wait for that have a time limit, too. */
static void
test_hold_that_is_too_long (void **state)
{
  go_live_lasting ();
  association->params.options.fast_io_fail_tmo_ms = 6000;
  lose ();
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  let_pass (2000);
  assert_int_equal (state_now (), ASSOCIATION_LIVE);
  assert_int_equal (results[0], -1);
  let_pass (4100);
  assert_int_equal (results[0], EIO);
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  submit (2, IO_WRITE, 512, 0);
  let_pass (10);
  assert_int_equal (results[1], 0);
  assert_int_equal (results[2], EIO);
  assert_int_equal (count ("write"), 0);
  lose ();                      /* once more: it does not begin anew */
  submit (3, IO_WRITE, 512, 0);
  let_pass (100);
  assert_int_equal (results[3], EIO);
  let_pass (14000);
  assert_int_equal (submit (4, IO_WRITE, 512, 0), 0);
  let_pass (10);
  assert_int_equal (results[4], 0);
  volume_free (volume);
}

/* --- what is left behind ------------------------------------------------ */

/* The association is given up, with a write that the controller has. */
static void
give_up (void)
{
  make_lasting ();
  params.options.ctrl_loss_tmo_ms = 3000;
  go_live ();
  strcpy (peer.silent, "write");
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  pump ();
  assert_int_equal (count ("write"), 1);
  refuse_connect (STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY), 0);
  lose ();
  let_pass (4000);
  assert_int_equal (results[0], EIO);
  assert_int_equal (state_now (), ASSOCIATION_LOST);
  volume_free (volume);
  association_free (association);
  association = NULL;
  peer.silent[0] = peer.refuse[0] = peer.order[0] = '\0';
}

/* Drives a new one until it is live: how long that takes, in seconds. */
static unsigned
open_s (void)
{
  const uint64_t since_ms = now_ms;
  enum association_state state = start ();

  while (state != ASSOCIATION_LIVE) {
    assert_true (association_next_ms (association) > now_ms);
    now_ms = association_next_ms (association);
    state = drive_on ();
    assert_int_not_equal (state, ASSOCIATION_FAILED);
  }
  return (unsigned) ((now_ms - since_ms + 500) / 1000);
}

/* Whoever opens it anew waits until that has ended by itself, and is alive
 * meanwhile; the next one does not. */
static void
test_left_behind (void **state)
{
  give_up ();
  assert_int_equal (open_s (), 2 * 5);
  assert_in_range (count ("keep-alive"), 10, 12);
  association_free (association);
  assert_int_equal (open_s (), 0);
}

/* Another host, and another subsystem, have nothing to do with it. */
static void
test_left_behind_by_another (void **state)
{
  give_up ();
  strcpy (params.options.hostnqn, "nqn.2014-08.org.example:other");
  assert_int_equal (open_s (), 0);
  association_free (association);
  strcpy (params.options.hostnqn, "nqn.2014-08.org.example:host");
  strcpy (params.subnqn, "nqn.2014-08.org.example:another");
  assert_int_equal (open_s (), 0);
  association_free (association);
  strcpy (params.subnqn, "nqn.2014-08.org.example:subsystem");
  assert_int_equal (open_s (), 2 * 5);
}

/* One that is lost while it waits leaves that to the next. */
static void
test_left_behind_again (void **state)
{
  give_up ();
  start ();
  now_ms += 3000;
  drive_on ();
  lose ();
  assert_int_equal (drive_on (), ASSOCIATION_FAILED);
  association_free (association);
  assert_int_equal (open_s (), 2 * 5);
}

/* As give_up, where the old controller can be named. */
static void
give_up_named (void)
{
  const struct controller_instance instance = { .ciu = 1, .cirn = 7 };

  cross_reset_put_identify (&peer.ctrl, &instance, 1);
  peer.cross_reset = CROSS_RESET_IMMEDIATE;
  give_up ();
  strcpy (peer.refuse, "cross-reset");
  peer.refuse_status = STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS);
}

/* The end of one that takes its time is asked for again, by the open itself. */
static void
test_left_behind_takes_time (void **state)
{
  give_up_named ();
  peer.refuse_nr = 150;
  assert_int_equal (open_s (), 15);
  assert_int_equal (count ("cross-reset"), 151);
}

/* But not for ever. */
static void
test_left_behind_does_not_end (void **state)
{
  enum association_state now;
  struct error err;
  uint64_t since_ms;

  give_up_named ();
  since_ms = now_ms;
  for (now = start (); now != ASSOCIATION_FAILED; now = drive_on ()) {
    assert_int_not_equal (now, ASSOCIATION_LIVE);
    assert_true (association_next_ms (association) > now_ms);
    now_ms = association_next_ms (association);
  }
  association_get_state (association, &err);
  assert_int_equal (err.code, EBUSY);
  assert_in_range (now_ms - since_ms, 30000, 40000);
}

/* What is closed while it is in use has nothing under way. */
static void
test_nothing_left_behind (void **state)
{
  go_live_lasting ();
  assert_int_equal (submit (0, IO_WRITE, 512, 0), 0);
  pump ();
  assert_int_equal (results[0], 0);
  volume_free (volume);
  association_free (association);
  assert_int_equal (open_s (), 0);
}

/* --- Abort -------------------------------------------------------------- */

static void
say_status (__u16 cid, uint16_t status)
{
  struct nvme_tcp_rsp rsp = { .cqe = {
      .cid = cid, .status = cpu_to_le16 ((uint16_t) (status << 1)),
    } };

  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &peer.wire[1].agreed);
  say_header (&peer.wire[1], &rsp, sizeof rsp);
}

static void
test_abort (void **state)
{
  go_live_lasting ();
  strcpy (peer.silent, "flush");
  assert_int_equal (submit (0, IO_FLUSH, 0, 0), 0);
  let_pass (30010);
  assert_int_equal (count ("abort"), 1);
  peer.silent[0] = '\0';
  say_status (peer.last, NVME_SC_ABORT_REQ);
  let_pass (20);
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("flush"), 2);
  volume_free (volume);
}

/* It is answered just before anybody gets to it: its CID may be another's
 * by then. */
static void
test_no_abort_of_what_is_over (void **state)
{
  go_live_lasting ();
  strcpy (peer.silent, "flush");
  assert_int_equal (submit (0, IO_FLUSH, 0, 0), 0);
  pump ();
  now_ms += 30000;
  volume_pump (volume, now_ms);
  say_status (peer.last, 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], 0);
  tick ();
  assert_int_equal (count ("abort"), 0);
  volume_free (volume);
}

/* And where it was hit all the same it did nothing wrong. */
static void
test_abort_of_another (void **state)
{
  go_live_lasting ();
  strcpy (peer.silent, "flush");
  assert_int_equal (submit (0, IO_FLUSH, 0, 0), 0);
  pump ();
  peer.silent[0] = '\0';
  say_status (peer.last, NVME_SC_ABORT_REQ);
  pump ();
  assert_int_equal (results[0], 0);
  assert_int_equal (count ("flush"), 2);
  volume_free (volume);
}

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_host_not_allowed),
    TEST (test_host_not_allowed_late),
    TEST (test_parameter_refused),
    TEST (test_authentication),
    TEST (test_no_such_subsystem_yet),
    TEST (test_busy),
    TEST (test_no_controller_left),
    TEST (test_host_not_allowed_yet),
    TEST (test_slow_server),
    TEST (test_slow_after_busy),
    TEST (test_time_in_use_is_no_loss),
    TEST (test_stopped_while_holding),
    TEST (test_stopped_while_connecting),
    TEST (test_pauses),
    TEST (test_longer_pauses),
    TEST (test_hold),
    TEST (test_hold_where_traffic_counts),
    TEST (test_hold_in_units),
    TEST (test_hold_that_is_too_long),
    TEST (test_left_behind),
    TEST (test_left_behind_by_another),
    TEST (test_left_behind_again),
    TEST (test_left_behind_takes_time),
    TEST (test_left_behind_does_not_end),
    TEST (test_nothing_left_behind),
    TEST (test_abort),
    TEST (test_no_abort_of_what_is_over),
    TEST (test_abort_of_another),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
