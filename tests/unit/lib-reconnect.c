/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An association that is lost, and connected again: what it waits for, and
 * what it does not.
 */
#include "tests/unit/lib-controller.h"

static void
go_live_lasting (void)
{
  params.reconnects = true;
  params.seed = 1;
  params.options.ctrl_loss_tmo_ms = UINT32_MAX;
  params.options.fast_io_fail_tmo_ms = UINT32_MAX;
  params.options.reconnect_delay_ms = 1000;
  go_live ();
}

static void
lose (void)
{
  association_lose (association, ECONNRESET, "test");
}

static enum association_state
state_now (void)
{
  return association_get_state (association, NULL);
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

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_slow_server),
    TEST (test_hold),
    TEST (test_hold_where_traffic_counts),
    TEST (test_hold_in_units),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
