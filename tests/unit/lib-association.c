/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting an association up, step by step: the order of commands, every
 * step's refusal, time limits.
 */
#include "tests/unit/lib-controller.h"

/* FAILED with this errno and these words. */
static void
fails (int code, const char *words)
{
  struct error err;

  assert_int_equal (start (), ASSOCIATION_FAILED);
  association_get_state (association, &err);
  if (err.code != code || !strstr (err.message, words))
    fail_msg ("%d: %s", err.code, err.message);
  assert_int_equal (strncmp (err.message, "connect: tcp://test:4420: ", 26),
                    0);
}

/* --- set-up ------------------------------------------------------------- */

static void
test_order_of_commands (void **state)
{
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_string_equal (peer.order,
                       "connect cap vs cc csts identify01 identify06 "
                       "features connect identify02 identify03 identify08 "
                       "identify00 ");
  assert_int_equal (association->namespaces[0].nsid, 1);
  assert_int_equal (association->namespaces[0].size_bytes, 1 << 20);
  /* queue_size 128, MQES 128 entries, MAXCMD 64: one less than 64 */
  assert_int_equal (queue_transport (association->io[0])->depth, 63);
}

static void
test_queues_granted (void **state)
{
  params.options.nr_io_queues = 4;
  peer.granted_0based = 2;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (association->nr_io, 3);
  assert_int_equal (peer.nr_dials, 4);
}

static void
test_more_queues_granted_than_asked_for (void **state)
{
  peer.granted_0based = 65535;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (association->nr_io, 1);
}

static void
test_discovery_has_no_io_queues (void **state)
{
  params.discovery = true;
  peer.ctrl.kas = 0;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_string_equal (peer.order, "connect cap vs cc csts identify01 ");
}

static void
test_small_queue (void **state)
{
  peer.cap = 1 | UINT64_C (1) << 24;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (queue_transport (association->io[0])->depth, 1);
}

static void
test_ready_is_asked_for_again (void **state)
{
  peer.not_ready = 3;
  assert_int_equal (start (), ASSOCIATION_READY);
  for (unsigned i = 0; i < 3; i++) {
    uint64_t next_ms = association_next_ms (association);

    assert_true (next_ms > now_ms && next_ms <= now_ms + 100);
    now_ms = next_ms;
    drive_on ();
  }
  assert_int_equal (association_drive (association, now_ms),
                    ASSOCIATION_LIVE);
}

static void
test_ready_takes_too_long (void **state)
{
  struct error err;

  peer.not_ready = UINT32_MAX;
  start ();
  for (unsigned i = 0; i < 200; i++) {
    now_ms += 10;
    drive_on ();
  }
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_FAILED);
  assert_int_equal (err.code, ETIMEDOUT);
}

/* A status at every step that needs an answer. */
static void
test_each_step_refused (void **state)
{
  static const struct { const char *step, *words; } t[] = {
    { "connect", "Connect: " }, { "cap", "Property Get of CAP: " },
    { "vs", "Property Get of VS: " }, { "cc", "Property Set of CC: " },
    { "csts", "Property Get of CSTS: " },
    { "identify01", "Identify Controller: " },
    { "features", "Number of Queues: " },
    { "identify02", "active namespaces: " },
    { "identify03", "namespace descriptors: " },
    { "identify00", "Identify Namespace: " },
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    setup (NULL);
    strcpy (peer.refuse, t[i].step);
    peer.refuse_status = NVME_SC_INTERNAL;
    fails (strcmp (t[i].step, "identify03") == 0 ? EPROTO : EIO, t[i].words);
    teardown (NULL);
  }
  setup (NULL);
}

static void
test_what_may_be_refused (void **state)
{
  strcpy (peer.refuse, "identify06");
  peer.refuse_status = NVME_SC_INVALID_FIELD;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  teardown (NULL);
  setup (NULL);
  peer.vs = 0x00010200;
  strcpy (peer.refuse, "identify03");
  peer.refuse_status = NVME_SC_INVALID_FIELD;
  assert_int_equal (start (), ASSOCIATION_LIVE);
}

/* Only who says so is; what an older controller answers in its stead is not
 * looked at. */
static void
test_rotational (void **state)
{
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_false (association->namespaces[0].info.rotational);
  teardown (NULL);
  setup (NULL);
  peer.independent[0] = 1 << 4;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_true (association->namespaces[0].info.rotational);
  teardown (NULL);
  setup (NULL);
  peer.descriptors[0] = 1 << 4;  /* of no known type */
  peer.descriptors[1] = 8;
  strcpy (peer.refuse, "identify08");
  peer.refuse_status = NVME_SC_INVALID_FIELD;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_false (association->namespaces[0].info.rotational);
}

static void
test_each_step_unanswered (void **state)
{
  static const char *const t[] = {
    "connect", "cap", "vs", "cc", "csts", "identify01", "identify06",
    "features", "identify02", "identify03", "identify08", "identify00",
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    struct error err;

    setup (NULL);
    strcpy (peer.silent, t[i]);
    assert_true (start () < ASSOCIATION_LIVE);
    assert_int_equal (association_next_ms (association), now_ms + 10000);
    now_ms += 9999;
    assert_true (drive_on () < ASSOCIATION_LIVE);
    now_ms += 1;
    assert_int_equal (drive_on (), ASSOCIATION_FAILED);
    association_get_state (association, &err);
    assert_int_equal (err.code, ETIMEDOUT);
    assert_non_null (strstr (err.message, "no answer to "));
    teardown (NULL);
  }
  setup (NULL);
}

static void
start_with_reach_ms (uint64_t reach_ms)
{
  struct error err;

  association = association_create (&params, &err);
  assert_non_null (association);
  association->reach_until_ms = now_ms + reach_ms;
  association_start (association, now_ms);
  drive_on ();
}

static void
fails_in_time (uint64_t ms)
{
  struct error err;

  assert_int_equal (association_next_ms (association), now_ms + ms);
  now_ms += ms - 1;
  assert_int_equal (drive_on (), ASSOCIATION_CONNECT);
  now_ms += 1;
  assert_int_equal (drive_on (), ASSOCIATION_FAILED);
  association_get_state (association, &err);
  assert_int_equal (err.code, ETIMEDOUT);
}

/* Where there are other places to try, the time to reach one is less than that
 * of the whole set-up, which a server has that is slow later. */
static void
test_time_to_reach (void **state)
{
  peer.slow_ms = 60000;
  start_with_reach_ms (3000);
  fails_in_time (3000);
  teardown (NULL);
  setup (NULL);
  strcpy (peer.silent, "connect");
  start_with_reach_ms (3000);
  fails_in_time (10000);
  teardown (NULL);
  setup (NULL);
  peer.slow_ms = 60000;
  start_with_reach_ms (20000);
  fails_in_time (10000);
}

static void
test_connection_ends_at_each_step (void **state)
{
  static const char *const t[] = {
    "connect", "cap", "vs", "cc", "csts", "identify01", "identify06",
    "features", "identify02", "identify03", "identify08", "identify00",
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    struct error err;

    setup (NULL);
    strcpy (peer.silent, t[i]);
    assert_true (start () < ASSOCIATION_LIVE);
    peer.wire[0].eof = true;
    assert_int_equal (drive_on (), ASSOCIATION_FAILED);
    association_get_state (association, &err);
    assert_int_equal (err.code, ECONNRESET);
    assert_non_null (strstr (err.message, "closed the connection before it "
                             "answered "));
    teardown (NULL);
  }
  setup (NULL);
}

static void
refuse_connect (uint16_t status, uint32_t dw0)
{
  strcpy (peer.refuse, "connect");
  peer.refuse_status = status | NVME_SC_DNR;
  peer.refuse_dw0 = dw0;
}

static void
test_no_such_subsystem (void **state)
{
  refuse_connect (0x182, NVMF_IATTR_DATA | 256);
  fails (ENOENT, "no such subsystem: nqn.2014-08.org.example:subsystem");
}

static void
test_host_not_allowed (void **state)
{
  refuse_connect (0x184, 0);
  fails (EACCES, "host not allowed: nqn.2014-08.org.example:host");
  teardown (NULL);
  setup (NULL);
  refuse_connect (0x182, NVMF_IATTR_DATA | 512);
  fails (EACCES, "host not allowed");
}

static void
test_controller_busy (void **state)
{
  refuse_connect (0x181, 0);
  fails (EBUSY, "try again");
}

static void
test_authentication_asked_for (void **state)
{
  peer.connect_dw0 = 3 | 1 << 16;
  fails (EACCES, "authentication");
}

static void
test_controller_that_is_not_usable (void **state)
{
  peer.ctrl.cntlid = cpu_to_le16 (4);
  fails (EPROTO, "Identify Controller: CNTLID");
  teardown (NULL);
  setup (NULL);
  peer.cap = UINT64_C (1) << 24;
  fails (EPROTO, "MQES");
  teardown (NULL);
  setup (NULL);
  peer.list[0] = 0;
  fails (ENODEV, "no active namespace");
  teardown (NULL);
  setup (NULL);
  peer.ns.nsze = 0;
  fails (EPROTO, "NSZE");
  teardown (NULL);
  setup (NULL);
  peer.ns.lbaf[0].ds = 14;      /* 16 KiB, and MDTS is 8 KiB */
  fails (EPROTO, "MDTS");
}

static void
test_io_queue_refused (void **state)
{
  params.options.nr_io_queues = QUEUES;         /* dial has one less */
  peer.granted_0based = 63;
  fails (ECONNREFUSED, "no more queues");
}

static void
test_nsid (void **state)
{
  peer.list[1] = cpu_to_le32 (2);
  fails (EINVAL, "several namespaces: 1, 2 (nsid= chooses one)");
  teardown (NULL);
  setup (NULL);
  params.options.nsid = 2;
  fails (ENOENT, "no active namespace 2");
  teardown (NULL);
  setup (NULL);
  params.options.nsid = 2;
  peer.list[0] = cpu_to_le32 (2);
  peer.list[1] = cpu_to_le32 (3);
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (association->namespaces[0].nsid, 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_order_of_commands),
    TEST (test_queues_granted),
    TEST (test_more_queues_granted_than_asked_for),
    TEST (test_discovery_has_no_io_queues),
    TEST (test_small_queue),
    TEST (test_ready_is_asked_for_again),
    TEST (test_ready_takes_too_long),
    TEST (test_each_step_refused),
    TEST (test_what_may_be_refused),
    TEST (test_rotational),
    TEST (test_each_step_unanswered),
    TEST (test_time_to_reach),
    TEST (test_connection_ends_at_each_step),
    TEST (test_no_such_subsystem),
    TEST (test_host_not_allowed),
    TEST (test_controller_busy),
    TEST (test_authentication_asked_for),
    TEST (test_controller_that_is_not_usable),
    TEST (test_io_queue_refused),
    TEST (test_nsid),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
