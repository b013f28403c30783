/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a reactor has of an RDMA device.  Data buffers: who has many leaves some
 * to others, who waits has its turn, and none is lost.  And a device that
 * refuses, or says by itself that it failed.  The adapter is one by hand; all
 * happens on one reactor.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/locked-memory.h"
#include "server/target/internal.h"
#include "server/transport/rdma-internal.h"
#include "tests/unit/rdma-adapter.h"
#include "tests/unit/reactor-fixture.h"

enum { MIB = 1 << 20, NR_HOSTS = 64, SMALL = 4096 };

/* One connection each. */
struct host {
  struct rdma_connection connection;
  struct controller controller;
};

static struct reactor *reactor;
static struct rdma_device *device;
static struct host hosts[NR_HOSTS];
static unsigned nr_requests, nr_granted, nr_awaited;
static struct rdma_request *granted[2 * NR_HOSTS];

static uint64_t locked_bytes = UINT64_MAX;

/* --- what rdma-device.c knows of others ------------------------------------- */

uint64_t
locked_memory_limit (void)
{
  return locked_bytes;
}

bool
rdma_poll_receives (struct rdma_device *its)
{
  return false;
}

void
rdma_sends_told (struct rdma_connection *connection)
{
}

void
rdma_await_quiet (struct rdma_device *its)
{
  nr_awaited++;
}

bool
rdma_has_send_cq (const struct rdma_connection *connection)
{
  return false;
}

void
rdma_request_granted (struct rdma_request *request)
{
  rdma_request_set_state (request, RDMA_REQUEST_EXECUTING);
  granted[nr_granted++] = request;
}

/* --- on the reactor ------------------------------------------------------------- */

static void
open_device (void)
{
  const char *what;

  assert_int_equal (rdma_device_get (reactor, adapter_verbs (), &device,
                                     &what), 0);
  for (unsigned i = 0; i < NR_HOSTS; i++) {
    hosts[i] = (struct host) { 0 };
    hosts[i].connection.queue.controller = &hosts[i].controller;
    TAILQ_INIT (&hosts[i].connection.waiting);
  }
  nr_requests = nr_granted = 0;
}

static void
close_device (void)
{
  for (unsigned i = 0; i < NR_HOSTS; i++)
    ration_put (hosts[i].connection.ration);
  assert_true (TAILQ_EMPTY (&device->starved));
  assert_true (buddy_is_whole (device->buddy));
  rdma_device_put (device);
}

static struct rdma_request *
new_request (struct host *host, uint32_t bytes)
{
  struct rdma_request *request = &device->requests[nr_requests++];

  request->connection = &host->connection;
  request->command.data_bytes = bytes;
  return request;
}

/* False: it waits. */
static bool
has (struct rdma_request *request)
{
  unsigned before = nr_awaited;
  int r = rdma_buffer_get (request);

  assert_true (r == 0 || r == -EAGAIN);
  assert_int_equal (nr_awaited - before, r == 0 ? 0 : 1);
  if (r == 0)
    rdma_request_set_state (request, RDMA_REQUEST_EXECUTING);
  return r == 0;
}

static void
give (struct rdma_request *request)
{
  rdma_buffer_give (request);
  rdma_request_set_state (request, RDMA_REQUEST_POSTED);
}

static void
give_all (void)
{
  for (unsigned i = 0; i < nr_requests; i++)
    if (device->requests[i].state == RDMA_REQUEST_EXECUTING)
      give (&device->requests[i]);
}

/* --- cases ------------------------------------------------------------------------ */

static unsigned greedy_has;
static struct rdma_request *first;

static void
one_asks_for_all (void)
{
  struct rdma_request *request;

  for (unsigned i = 0; i < 2 * RDMA_DEVICE_DATA_MAX_BYTES / MIB; i++) {
    request = new_request (&hosts[0], MIB);
    greedy_has += has (request);
    first = i == 0 ? request : first;
  }
  assert_int_equal (greedy_has, RDMA_DEVICE_DATA_MAX_BYTES / MIB / 2);
  /* Others, that have nothing yet, need not wait; small ones neither. */
  for (unsigned i = 1; i <= 8; i++) {
    assert_true (has (new_request (&hosts[i], MIB)));
    assert_true (has (new_request (&hosts[i], SMALL)));
  }
  assert_int_equal (nr_granted, 0);
  give (first);
}

static void
test_greedy (void **state)
{
  run_turn (reactor, open_device);
  greedy_has = 0;
  run_turn (reactor, one_asks_for_all);
  /* It has less than it may have when others need none. */
  assert_int_equal (nr_granted, 0);
  /* All that waited is granted, one after the other. */
  while (nr_granted < RDMA_DEVICE_DATA_MAX_BYTES / MIB * 2 - greedy_has) {
    unsigned before = nr_granted;

    run_turn (reactor, give_all);
    assert_true (nr_granted > before);
  }
  run_turn (reactor, give_all);
  run_turn (reactor, close_device);
}

static struct rdma_request *large, *small;

/* But for half a MiB. */
static void
all_is_taken (void)
{
  enum { N = RDMA_DEVICE_DATA_MAX_BYTES / MIB };

  for (unsigned i = 1; i < N; i++) {
    first = new_request (&hosts[i], MIB);
    assert_true (has (first));
  }
  assert_true (has (new_request (&hosts[N], MIB / 2)));
  large = new_request (&hosts[N + 1], MIB);
  small = new_request (&hosts[N + 2], SMALL);
  assert_false (has (large));
  assert_false (has (small));
}

static void
give_first (void)
{
  give (first);
}

static void
test_full (void **state)
{
  run_turn (reactor, open_device);
  run_turn (reactor, all_is_taken);
  assert_int_equal (nr_granted, 0);
  /* No other has overtaken it. */
  run_turn (reactor, give_first);
  assert_int_equal (nr_granted, 2);
  assert_ptr_equal (granted[0], large);
  assert_ptr_equal (granted[1], small);
  run_turn (reactor, give_all);
  run_turn (reactor, close_device);
}

static void
all_others_take (void)
{
  first = new_request (&hosts[1], MIB);
  assert_true (has (first));
  for (unsigned i = 2; has (new_request (&hosts[i], MIB)); i++)
    ;
}

/* Who has much waits, and nobody behind it. */
static void
greedy_is_left_out (void)
{
  while (has (new_request (&hosts[0], MIB)))
    ;
}

static void
test_left_out (void **state)
{
  run_turn (reactor, open_device);
  run_turn (reactor, greedy_is_left_out);
  run_turn (reactor, all_others_take);
  assert_int_equal (nr_granted, 0);
  run_turn (reactor, give_first);
  assert_int_equal (nr_granted, 1);
  assert_ptr_equal (granted[0], &device->requests[nr_requests - 1]);
  run_turn (reactor, give_all);
  run_turn (reactor, give_all);
  run_turn (reactor, close_device);
}

/* The connections of those that wait end: nobody waits behind them. */
static void
cancel_large (void)
{
  rdma_buffer_cancel (large);
  rdma_request_set_state (large, RDMA_REQUEST_POSTED);
}

static void
cancel_small (void)
{
  rdma_buffer_cancel (small);
  rdma_request_set_state (small, RDMA_REQUEST_POSTED);
}

static void
small_has (void)
{
  assert_true (has (small));
}

static void
test_cancelled (void **state)
{
  run_turn (reactor, open_device);
  run_turn (reactor, all_is_taken);
  run_turn (reactor, cancel_large);
  run_turn (reactor, give_first);
  assert_int_equal (nr_granted, 1);
  assert_ptr_equal (granted[0], small);
  run_turn (reactor, give_all);
  run_turn (reactor, close_device);
}

static void
test_all_cancelled (void **state)
{
  run_turn (reactor, open_device);
  run_turn (reactor, all_is_taken);
  run_turn (reactor, cancel_large);
  run_turn (reactor, cancel_small);
  run_turn (reactor, small_has);
  assert_int_equal (nr_granted, 0);
  run_turn (reactor, give_all);
  run_turn (reactor, close_device);
}

/* Whatever the device refuses, and says why or not: nothing is left. */
static void
refused_by_device (void)
{
  static const struct adapter_objects none;
  static const char *functions[] = {
    "ibv_alloc_pd", "ibv_reg_mr", "ibv_create_comp_channel", "ibv_create_cq",
    "ibv_create_srq",
  };
  const char *what;

  for (unsigned i = 0; i < 2 * sizeof functions / sizeof functions[0]; i++) {
    adapter_fails = functions[i / 2];
    adapter_errno = i % 2 ? ENOMEM : 0;
    assert_int_equal (rdma_device_get (reactor, adapter_verbs (), &device,
                                       &what), i % 2 ? -ENOMEM : -EIO);
    assert_null (adapter_fails);
    assert_memory_equal (&adapter_objects, &none, sizeof none);
  }
}

static void
test_refused_by_device (void **state)
{
  run_turn (reactor, refused_by_device);
}

/* What the device says by itself is heard while it is in use. */
static int started;

static void
start_device (void)
{
  started = rdma_device_start (device);
}

static void
it_says (void)
{
  adapter_says (IBV_EVENT_PORT_ERR);
  adapter_says (IBV_EVENT_PORT_ACTIVE);
  adapter_says (IBV_EVENT_DEVICE_FATAL);
  adapter_says (IBV_EVENT_GID_CHANGE);
}

static void
nothing (void)
{
}

static void
test_says (void **state)
{
  run_turn (reactor, open_device);
  run_turn (reactor, start_device);
  assert_int_equal (started, 0);
  for (unsigned i = 0; i < 2; i++) {
    run_turn (reactor, it_says);
    /* Those who look at descriptors may have done so before. */
    run_turn (reactor, nothing);
    assert_int_equal (adapter_nr_said, 0);
  }
  run_turn (reactor, close_device);
  run_turn (reactor, it_says);
  run_turn (reactor, nothing);
  assert_int_equal (adapter_nr_said, 4);
}

/* In a process of its own, as the limit is looked at once. */
static bool
shares_memory (void)
{
  struct error err;

  locked_bytes = 4 * 40 * MIB;
  adapter_nr_devices = 2;
  if (reactor_create (0, &reactor, &err) < 0
      || reactor_start (reactor, &err) < 0
      || rdma_memory_check (2, "rdma://", &err) < 0)
    return false;
  run_turn (reactor, open_device);
  return device->memory_bytes <= locked_bytes / 4 / 4 * 3
    && device->memory_bytes > locked_bytes / 4 / 4;
}

/* All that two reactors have of two devices can be locked at once, with what
 * the devices take for themselves. */
static void
test_share (void **state)
{
  pid_t child = fork ();
  int status;

  assert_true (child >= 0);
  if (child == 0)
    _exit (shares_memory () ? 0 : 1);
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_int_equal (status, 0);
}

/* Only who can is asked to. */
static void
test_invalidates (void **state)
{
  run_turn (reactor, open_device);
  assert_false (device->invalidates);
  run_turn (reactor, close_device);
}

static void
test_invalidates_where_it_can (void **state)
{
  adapter_caps = IBV_DEVICE_MEM_MGT_EXTENSIONS;
  run_turn (reactor, open_device);
  assert_true (device->invalidates);
  run_turn (reactor, close_device);
  adapter_caps = 0;
}

/* Those without a receive are free again, and none is posted for them. */
static void
free_all_held (void)
{
  unsigned nr_held = 0;
  struct rdma_request *request;

  while ((request = TAILQ_FIRST (&device->free_held)) != NULL) {
    assert_null (request->in_capsule);
    assert_in_range (request - device->requests, device->nr_slots,
                     (1 + RDMA_HELD_EACH) * device->nr_slots - 1);
    TAILQ_REMOVE (&device->free_held, request, in_list);
    nr_held++;
  }
  assert_int_equal (nr_held, RDMA_HELD_EACH * device->nr_slots);
  for (unsigned i = 0; i < nr_held; i++)
    rdma_request_repost (&device->requests[device->nr_slots + i]);
  assert_null (device->repost);
  assert_false (TAILQ_EMPTY (&device->free_held));
}

static void
test_held (void **state)
{
  run_turn (reactor, open_device);
  run_turn (reactor, free_all_held);
  run_turn (reactor, close_device);
}

static int
set_up (void **state)
{
  struct error err;

  assert_int_equal (reactor_create (0, &reactor, &err), 0);
  assert_int_equal (reactor_start (reactor, &err), 0);
  return rdma_memory_check (1, "rdma://", &err);
}

static int
tear_down (void **state)
{
  static const struct adapter_objects none;

  reactor_destroy (reactor);
  assert_memory_equal (&adapter_objects, &none, sizeof none);
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_share),      /* before the limit is looked at */
    cmocka_unit_test_setup_teardown (test_greedy, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_full, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_left_out, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_cancelled, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_all_cancelled, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_refused_by_device, set_up,
                                     tear_down),
    cmocka_unit_test_setup_teardown (test_says, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_held, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_invalidates, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_invalidates_where_it_can, set_up,
                                     tear_down),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
