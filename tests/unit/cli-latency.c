/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Percentiles of qbd bench, against the values themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/latency.h"

static struct latency latency;

static int
setup (void **state)
{
  latency = (struct latency) { 0 };
  return 0;
}

static void
test_nothing (void **state)
{
  assert_true (latency_mean_us (&latency) == 0);
  assert_true (latency_percentile_us (&latency, 99) == 0);
}

/* Every value comes back within 1/64, exact where it is the largest. */
static void
test_one_value (void **state)
{
  for (unsigned shift = 0; shift < 64; shift++)
    for (int around = -1; around <= 1; around++) {
      uint64_t ns = (UINT64_C (1) << shift) + around;

      latency = (struct latency) { 0 };
      latency_add (&latency, ns);
      assert_true (latency_percentile_us (&latency, 50)
                   == (double) ns / 1000);
      assert_int_equal (latency.min_ns, ns);
      assert_int_equal (latency.max_ns, ns);
    }
}

static void
test_precision (void **state)
{
  uint64_t random = 1, ns;
  double us;

  for (unsigned i = 0; i < 100000; i++) {
    random = random * UINT64_C (6364136223846793005) + 1442695040888963407;
    ns = random >> (random >> 58);
    latency = (struct latency) { 0 };
    latency_add (&latency, ns);
    latency_add (&latency, UINT64_MAX);
    us = latency_percentile_us (&latency, 50);
    assert_true (us >= (double) ns / 1000);
    assert_true (us <= (double) ns / 1000 * (1 + 1.0 / 64) + 0.001);
  }
}

static void
test_percentiles (void **state)
{
  for (uint64_t i = 1; i <= 1000; i++)
    latency_add (&latency, i * 1000);
  assert_int_equal (latency.nr, 1000);
  assert_true (latency_mean_us (&latency) == 500.5);
  for (unsigned percent = 1; percent <= 100; percent++) {
    double us = latency_percentile_us (&latency, percent);

    assert_true (us >= percent * 10);
    assert_true (us <= percent * 10 * (1 + 1.0 / 64) + 0.001);
  }
  assert_true (latency_percentile_us (&latency, 100) == 1000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (test_nothing, setup),
    cmocka_unit_test_setup (test_one_value, setup),
    cmocka_unit_test_setup (test_precision, setup),
    cmocka_unit_test_setup (test_percentiles, setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
