/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An association in use: requests and their timeouts, events, keep-alive, and
 * the end.
 */
#include "tests/unit/lib-controller.h"

/* --- in use ------------------------------------------------------------- */

static void
test_transfers_are_split (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 20480, 512), 0);
  pump ();
  assert_int_equal (nr_done, 1);
  assert_int_equal (results[0], 0);
  assert_string_equal (peer.order, "read read read ");  /* MDTS 8 KiB */
  volume_free (volume);
}

static void
test_refused_at_once (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 100, 0), -EINVAL);
  assert_int_equal (submit (0, IO_READ, 512, 100), -EINVAL);
  assert_int_equal (submit (0, IO_READ, 512, 1 << 20), -EINVAL);
  assert_int_equal (submit (0, IO_WRITE, 512, 1 << 20), -ENOSPC);
  assert_int_equal (submit (0, IO_WRITE, 1024, (1 << 20) - 512), -ENOSPC);
  assert_int_equal (submit (0, IO_DISCARD, UINT64_MAX - 511, 512), -ENOSPC);
  assert_int_equal (submit (0, IO_READ, 512, UINT64_MAX - 511), -EINVAL);
  assert_int_equal (aio_submit (volume, &aio[0], IO_READ, buf, 512, 0,
                                QBD_FUA, now_ms), -EINVAL);
  assert_int_equal (volume_pump (volume, now_ms), 0);
  volume_free (volume);
}

static void
test_nothing_to_do_is_done (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 0, 1 << 20), 0);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_int_equal (results[0], 0);
  volume_free (volume);
  teardown (NULL);

  setup (NULL);
  peer.ctrl.vwc = 0;            /* no cache: a flush is no command */
  go_live ();
  assert_int_equal (submit (0, IO_FLUSH, 0, 0), 0);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_string_equal (peer.order, "");
  volume_free (volume);
}

static void
test_full_queue (void **state)
{
  go_live ();
  peer.mute = true;
  for (unsigned i = 0; i < 63; i++)
    assert_int_equal (submit (i, IO_READ, 512, 0), 0);
  assert_int_equal (submit (63, IO_READ, 512, 0), -EAGAIN);
  association_lose (association, ECONNRESET, "test");
  volume_pump (volume, now_ms);
  assert_int_equal (nr_done, 63);
  assert_int_equal (results[62], ENOTCONN);
  assert_int_equal (results[63], -1);
  volume_free (volume);
}

/* Each request's error, when one of two was not answered in time. */
static void
test_io_timeout (void **state)
{
  go_live ();
  peer.mute = true;
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  now_ms += 1000;
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  now_ms += 28999;
  pump ();
  assert_int_equal (nr_done, 0);
  assert_int_equal (association_next_ms (association), now_ms + 1);
  now_ms += 1;
  pump ();
  assert_int_equal (nr_done, 2);
  assert_int_equal (results[0], ETIMEDOUT);
  assert_int_equal (results[1], ENOTCONN);
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  /* what comes later fails by done (), too */
  assert_int_equal (submit (2, IO_READ, 512, 0), 0);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_int_equal (results[2], ENOTCONN);
  volume_free (volume);
}

/* Whoever was stopped finds the answer before it looks at the clock; and when
 * the server was stopped with it, waits a second more, once. */
static void
test_a_gap_is_no_timeout (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  serve ();
  now_ms += 3600000;
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], 0);

  peer.mute = true;
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  now_ms += 3600000;
  pump ();
  assert_int_equal (results[1], -1);
  assert_int_equal (association_next_ms (association), now_ms + 1000);
  now_ms += 1000;
  pump ();
  assert_int_equal (results[1], ETIMEDOUT);
  volume_free (volume);
}

static void
test_interrupt (void **state)
{
  go_live ();
  peer.mute = true;
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  qbd_interrupt (volume);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], ESHUTDOWN);
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[1], ESHUTDOWN);
  assert_int_equal (qbd_check (volume), -1);
  assert_int_equal (errno, ENOTCONN);
  volume_free (volume);
}

/* One that was lost before ends with ESHUTDOWN, too, once it is interrupted. */
static void
test_interrupt_after_loss (void **state)
{
  go_live ();
  association_lose (association, ECONNRESET, "test");
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], ENOTCONN);
  qbd_interrupt (volume);
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], ESHUTDOWN);
  volume_free (volume);
}

/* Dataset Management has no FUA: a Flush follows the last of its commands,
 * and is part of the call. */
static void
test_discard_with_fua (void **state)
{
  go_live ();
  assert_int_equal (aio_submit (volume, &aio[0], IO_DISCARD, NULL, 1024, 512,
                                QBD_FUA, now_ms), 0);
  pump ();
  assert_int_equal (results[0], 0);
  assert_string_equal (peer.order, "discard flush ");
  peer.order[0] = '\0';
  strcpy (peer.silent, "flush");
  assert_int_equal (aio_submit (volume, &aio[1], IO_DISCARD, NULL, 1024, 0,
                                QBD_FUA, now_ms), 0);
  pump ();
  assert_int_equal (results[1], -1);    /* not over without its flush */
  now_ms += 40000;
  pump ();
  now_ms += 2000;
  pump ();
  assert_int_equal (results[1], ETIMEDOUT);
  volume_free (volume);
}

static void
test_no_flush_without_a_cache (void **state)
{
  peer.ctrl.vwc = 0;
  go_live ();
  assert_int_equal (aio_submit (volume, &aio[0], IO_DISCARD, NULL, 1024, 512,
                                QBD_FUA, now_ms), 0);
  assert_int_equal (aio_submit (volume, &aio[1], IO_DISCARD, NULL, 0, 512,
                                QBD_FUA, now_ms), 0);
  pump ();
  assert_int_equal (nr_done, 2);
  assert_string_equal (peer.order, "discard ");
  volume_free (volume);
}

static void
test_one_queue_takes_the_others_with_it (void **state)
{
  params.options.nr_io_queues = 3;
  peer.granted_0based = 2;
  go_live ();
  peer.mute = true;
  for (unsigned i = 0; i < 9; i++)
    assert_int_equal (submit (i, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  peer.wire[2].eof = true;
  volume_pump (volume, now_ms);
  assert_int_equal (nr_done, 9);
  for (unsigned i = 0; i < 4; i++)
    assert_true (peer.wire[i].shut);
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  volume_free (volume);
}

/* --- events ------------------------------------------------------------- */

enum { NAMESPACE_CHANGED = 0x040002 };

static void
say_event (uint32_t dw0)
{
  struct nvme_tcp_rsp rsp = { .cqe = { .cid = peer.aer[0] } };

  peer.order[0] = '\0';
  rsp.cqe.dw0 = cpu_to_le32 (dw0);
  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &peer.wire[0].agreed);
  say_header (&peer.wire[0], &rsp, sizeof rsp);
}

static void
test_size_follows_events (void **state)
{
  peer.ctrl.oaes = cpu_to_le32 (0x100);
  params.options.keep_alive_tmo_ms = 0;
  go_live ();
  peer.ns.nsze = cpu_to_le64 (2049);    /* before anybody was asked to tell */
  tick ();
  assert_string_equal (peer.order, "events log04 identify00 aer ");
  assert_int_equal (qbd_get_size (volume), 2049 * 512);

  peer.ns.nsze = cpu_to_le64 (4096);
  say_event (NAMESPACE_CHANGED);
  tick ();
  assert_string_equal (peer.order, "log04 identify00 aer ");
  assert_int_equal (qbd_get_size (volume), 4096 * 512);
  assert_int_equal (submit (0, IO_READ, 512, 4095 * 512), 0);
  pump ();
  assert_int_equal (results[0], 0);
  assert_int_equal (submit (0, IO_READ, 512, 4096 * 512), -EINVAL);

  say_event (0x020001);         /* SMART: nothing that anybody asked for */
  tick ();
  assert_string_equal (peer.order, "aer ");

  peer.ns.nsze = 0;             /* gone: its commands will say so */
  say_event (NAMESPACE_CHANGED);
  tick ();
  assert_string_equal (peer.order, "log04 identify00 aer ");
  assert_int_equal (qbd_get_size (volume), 4096 * 512);
  volume_free (volume);
}

/* It waits for ever, beside commands that may not. */
static void
test_an_event_is_never_late (void **state)
{
  peer.ctrl.oaes = cpu_to_le32 (0x100);
  params.options.keep_alive_tmo_ms = 10000;
  go_live ();
  tick ();
  for (unsigned i = 0; i < 100; i++) {
    now_ms += 5000;
    tick ();
  }
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LIVE);
  strcpy (peer.silent, "keep-alive");
  for (unsigned i = 0; i < 4; i++) {
    now_ms += 5000;
    tick ();
  }
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  volume_free (volume);
}

static void
test_no_events_where_there_are_none (void **state)
{
  go_live ();
  tick ();
  assert_string_equal (peer.order, "");
  volume_free (volume);
  teardown (NULL);

  for (unsigned i = 0; i < 2; i++) {
    setup (NULL);
    peer.ctrl.oaes = cpu_to_le32 (0x100);
    strcpy (peer.refuse, i ? "aer" : "events");
    peer.refuse_status = NVME_SC_INVALID_FIELD;
    go_live ();
    tick ();
    assert_string_equal (peer.order, i ? "events log04 identify00 aer " :
                         "events ");
    assert_int_equal (association_get_state (association, NULL),
                      ASSOCIATION_LIVE);
    volume_free (volume);
    if (i == 0)
      teardown (NULL);
  }
}

/* Offsets would mean other blocks. */
static void
test_another_block_size_ends_it (void **state)
{
  struct error err;

  peer.ctrl.oaes = cpu_to_le32 (0x100);
  go_live ();
  tick ();
  peer.ns.lbaf[0].ds = 12;
  say_event (NAMESPACE_CHANGED);
  tick ();
  keeper_tick (association, now_ms);
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_LOST);
  assert_non_null (strstr (err.message, "block size has changed"));
  volume_free (volume);
}

/* --- keep-alive --------------------------------------------------------- */

static void
test_keep_alive (void **state)
{
  uint64_t next_ms;

  go_live ();
  next_ms = keeper_tick (association, now_ms);
  assert_int_equal (next_ms, now_ms + 2500);
  for (unsigned i = 0; i < 3; i++) {
    peer.order[0] = '\0';
    now_ms = next_ms;
    next_ms = keeper_tick (association, now_ms);
    serve ();
    keeper_tick (association, now_ms);
    assert_string_equal (peer.order, "keep-alive ");
  }
  /* no answer any more */
  strcpy (peer.silent, "keep-alive");
  for (unsigned i = 0; i < 4; i++) {
    now_ms += 2500;
    keeper_tick (association, now_ms);
    serve ();
    assert_int_equal (association_get_state (association, NULL), i < 2 ?
                      ASSOCIATION_LIVE : ASSOCIATION_LOST);
  }
  volume_free (volume);
}

static void
test_keep_alive_off (void **state)
{
  params.options.keep_alive_tmo_ms = 0;
  go_live ();
  for (unsigned i = 0; i < 10; i++) {
    now_ms += 10000;
    keeper_tick (association, now_ms);
    serve ();
  }
  assert_string_equal (peer.order, "");
  volume_free (volume);
}

/* The keeper judges commands of a volume that nobody drives. */
static void
test_keeper_judges_timeouts (void **state)
{
  go_live ();
  peer.mute = true;
  keeper_tick (association, now_ms);
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  for (unsigned i = 0; i < 30; i++) {
    now_ms += 1000;
    keeper_tick (association, now_ms);
    serve ();
  }
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_int_equal (results[0], ETIMEDOUT);
  volume_free (volume);
}

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_transfers_are_split),
    TEST (test_refused_at_once),
    TEST (test_nothing_to_do_is_done),
    TEST (test_full_queue),
    TEST (test_io_timeout),
    TEST (test_a_gap_is_no_timeout),
    TEST (test_interrupt),
    TEST (test_interrupt_after_loss),
    TEST (test_discard_with_fua),
    TEST (test_no_flush_without_a_cache),
    TEST (test_one_queue_takes_the_others_with_it),
    TEST (test_size_follows_events),
    TEST (test_an_event_is_never_late),
    TEST (test_no_events_where_there_are_none),
    TEST (test_another_block_size_ends_it),
    TEST (test_keep_alive),
    TEST (test_keep_alive_off),
    TEST (test_keeper_judges_timeouts),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
