/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of controllers: what kills one, what waits for it, and that no
 * Connect of its host overtakes a write that the engine still has.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "nvmeof/cross-reset.h"
#include "server/target/limits.h"
#include "tests/unit/fence-fixture.h"

static bool
has_answer (struct host *host, unsigned ms)
{
  uint8_t byte;

  for (unsigned i = 0; i < ms; i++) {
    if (recv (host->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
      return true;
    fixture_nap ();
  }
  return false;
}

/* --- what kills a controller ---------------------------------------------------- */

/* Its other I/O connections end with the first. */
static struct host
lose_io_connection (void)
{
  struct host admin, io, other;

  host_attach (&admin, &io, &server, 0);
  assert_int_equal (nr_attached (), 1);
  host_open (&other, &server, 0);
  other.cntlid = admin.cntlid;
  host_connect (&other, &server, 2);
  host_close (&io);
  host_expect_end (&other);
  host_close (&other);
  return admin;
}

/* The Linux host closes the I/O connections, and then shuts down. */
static void
test_io_connections_close_first (void **state)
{
  struct host admin = lose_io_connection ();

  assert_int_equal (host_property_get (&admin, NVME_REG_CSTS, false),
                    1 << NVME_CSTS_RDY_SHIFT | 1 << NVME_CSTS_CFS_SHIFT);
  assert_int_equal (host_property_set (&admin, NVME_REG_CC,
                                       HOST_CC_ENABLE | 1 << 14), 0);
  WAIT_UNTIL (NVME_CSTS_SHST (host_property_get (&admin, NVME_REG_CSTS,
                                                 false))
              == NVME_CSTS_SHST_CMPLT);
  host_close (&admin);
  WAIT_UNTIL (nr_attached () == 0);
}

/* Its reset does the same, and goes on with the controller. */
static void
test_io_connections_close_and_reset (void **state)
{
  struct host admin = lose_io_connection ();
  struct host io;

  assert_int_equal (host_property_set (&admin, NVME_REG_CC,
                                       HOST_CC_ENABLE & ~1u), 0);
  WAIT_UNTIL (host_property_get (&admin, NVME_REG_CSTS, false) == 0);
  assert_int_equal (host_property_set (&admin, NVME_REG_CC, HOST_CC_ENABLE),
                    0);
  host_open (&io, &server, 0);
  io.cntlid = admin.cntlid;
  host_connect (&io, &server, 1);
  host_close (&io);
  host_close (&admin);
}

/* A host that does nothing about it loses the controller. */
static void
test_io_connection_closes (void **state)
{
  struct host admin = lose_io_connection ();

  host_expect_end (&admin);
  host_close (&admin);
  WAIT_UNTIL (nr_attached () == 0);
}

static void
test_admin_connection_closes (void **state)
{
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  host_close (&admin);
  host_expect_end (&io);
  host_close (&io);
  WAIT_UNTIL (nr_attached () == 0);
}

static struct host
keep_alive_host (uint32_t kato_ms)
{
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;
  struct host host;

  host_open (&host, &server, 0);
  host_connect_prepare (&host, &server, 0, &sqe, &data);
  sqe.kato_ms = cpu_to_le32 (kato_ms);
  cqe = host_connect_with (&host, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe), 0);
  return host;
}

/* Silence kills, any traffic keeps alive. */
static void
test_keep_alive (void **state)
{
  struct host silent = keep_alive_host (1000);
  struct host busy = keep_alive_host (1000);
  struct host none = keep_alive_host (0);

  do {
    host_property_get (&busy, NVME_REG_CSTS, false);
    fixture_nap ();
  } while (nr_attached () == 3);
  host_expect_end (&silent);
  host_property_get (&none, NVME_REG_CSTS, false);
  host_property_get (&busy, NVME_REG_CSTS, false);
  host_close (&silent);
  host_close (&busy);
  host_close (&none);
}

enum {
  IDLE_MS = 200,
  LOOP_TURN_MS = 10,            /* the time of a turn is that of its beginning */
};

/* A host without keep-alive is ended when it is idle, and not while it waits
 * for an answer, nor sooner than that after it; event requests need none. */
static void
idle_after_answer (void)
{
  union nvme_command ask = { .common.opcode = nvme_admin_async_event };
  struct host admin, io, idle;
  uint64_t answer_ms;

  host_attach (&admin, &io, &server, 0);
  host_begin (&admin, &ask, HOST_NONE, NULL, 0);
  begin_held_write (&io);
  for (unsigned i = 0; i < 2; i++) {
    idle = keep_alive_host (0);
    host_expect_end (&idle);
    host_close (&idle);
  }
  assert_int_equal (nr_attached (), 1);
  answer_ms = clock_now_ms ();
  server_release_writes ();
  assert_int_equal (read_status (&io), 0);
  host_expect_end (&io);
  assert_true (clock_now_ms () - answer_ms >= IDLE_MS - LOOP_TURN_MS);
  host_close (&io);
  host_close (&admin);
  WAIT_UNTIL (nr_attached () == 0);
}

/* At different moments of its ticks. */
static void
test_idle (void **state)
{
  limit_set (LIMIT_IDLE_MS, IDLE_MS);
  for (unsigned i = 0; i < 3; i++)
    idle_after_answer ();
  limit_set (LIMIT_IDLE_MS, 0);
}

/* --- CC ------------------------------------------------------------------------- */

/* CSTS tells when the I/O queues are drained, and the admin queue lives. */
static void
test_shutdown (void **state)
{
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  begin_held_write (&io);
  assert_int_equal (host_property_set (&admin, NVME_REG_CC,
                                       HOST_CC_ENABLE | 1 << 14), 0);
  assert_int_equal (NVME_CSTS_SHST (host_property_get (&admin, NVME_REG_CSTS,
                                                       false)),
                    NVME_CSTS_SHST_OCCUR);
  server_release_writes ();
  WAIT_UNTIL (NVME_CSTS_SHST (host_property_get (&admin, NVME_REG_CSTS,
                                                 false))
              == NVME_CSTS_SHST_CMPLT);
  /* The write was answered before its connection closed. */
  assert_int_equal (read_status (&io), 0);
  host_expect_end (&io);
  host_close (&io);
  host_close (&admin);
}

static void
test_disable_and_enable (void **state)
{
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  assert_int_equal (host_property_set (&admin, NVME_REG_CC,
                                       HOST_CC_ENABLE & ~1u), 0);
  host_expect_end (&io);
  host_close (&io);
  WAIT_UNTIL (host_property_get (&admin, NVME_REG_CSTS, false) == 0);
  assert_int_equal (host_property_set (&admin, NVME_REG_CC, HOST_CC_ENABLE),
                    0);
  assert_int_equal (host_property_get (&admin, NVME_REG_CSTS, false), 1);
  host_open (&io, &server, 0);
  io.cntlid = admin.cntlid;
  host_connect (&io, &server, 1);
  host_close (&io);
  host_close (&admin);
}

/* --- the barrier ----------------------------------------------------------------- */

/* The host comes back while a write of its old controller is still in the
 * engine: it is admitted when that is over, and not before. */
static void
test_connect_waits_for_write (void **state)
{
  struct host admin, io, again, other;

  host_attach (&admin, &io, &server, 0);
  begin_held_write (&io);
  host_close (&io);
  host_close (&admin);
  begin_connect (&again, 1);
  assert_false (has_answer (&again, 300));

  /* Another host does not wait for it. */
  begin_connect (&other, 2);
  assert_int_equal (read_status (&other), 0);
  assert_false (has_answer (&again, 50));
  server_release_writes ();
  assert_int_equal (read_status (&again), 0);
  host_close (&again);
  host_close (&other);
}

/* It does not wait for what lives: two controllers of one host. */
static void
test_live_is_untouched (void **state)
{
  struct host admin, io, second;

  host_attach (&admin, &io, &server, 0);
  begin_held_write (&io);
  begin_connect (&second, 1);
  assert_int_equal (read_status (&second), 0);
  server_release_writes ();
  assert_int_equal (read_status (&io), 0);
  host_close (&second);
  host_close (&io);
  host_close (&admin);
}

/* After ten seconds: Controller Busy, and a retry is allowed. */
static void
test_connect_gives_up (void **state)
{
  struct host admin, io, again;
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;

  host_attach (&admin, &io, &server, 0);
  begin_held_write (&io);
  host_close (&io);
  host_close (&admin);
  begin_connect (&again, 1);
  assert_true (has_answer (&again, 30000));
  assert_int_equal (read_status (&again),
                    STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY));
  server_release_writes ();
  WAIT_UNTIL (nr_attached () == 0);
  host_connect_prepare (&again, &server, 0, &sqe, &data);
  cqe = host_connect_with (&again, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe), 0);
  host_close (&again);
}

/* Who waits may leave. */
static void
test_waiting_host_leaves (void **state)
{
  struct host admin, io, again;

  host_attach (&admin, &io, &server, 0);
  begin_held_write (&io);
  host_close (&io);
  host_close (&admin);
  begin_connect (&again, 1);
  assert_false (has_answer (&again, 100));
  host_close (&again);
  WAIT_UNTIL (transport_connections () == 1);
  server_release_writes ();
  WAIT_UNTIL (transport_connections () == 0);
  assert_int_equal (nr_attached (), 0);
}

/* --- Cross-Controller Reset ------------------------------------------------------- */

static struct controller_instance
instance_of (struct host *admin)
{
  struct nvme_id_ctrl id;
  union nvme_command sqe = { .common = { .opcode = nvme_admin_identify,
                                         .cdw10 = cpu_to_le32 (1) } };
  struct controller_instance instance;

  assert_int_equal (host_status (admin, &sqe, HOST_READ, &id, sizeof id), 0);
  assert_true (cross_reset_get_identify (&id, &instance));
  return instance;
}

static uint16_t
reset_status (struct host *admin, uint16_t cntlid,
              struct controller_instance instance, uint32_t *dw0)
{
  union nvme_command sqe = cross_reset_command (cntlid, &instance);
  struct nvme_cqe cqe = host_command (admin, &sqe, HOST_NONE, NULL, 0);

  *dw0 = le32_to_cpu (cqe.dw0);
  return nvme_cqe_status (&cqe);
}

/* The host's new connection overtakes the end of its old ones: the server
 * has to be told, and answers when the last write is over. */
static void
test_reset_waits_for_write (void **state)
{
  struct host admin, io, again;
  struct controller_instance instance;
  union nvme_command sqe;
  union nvme_tcp_pdu pdu;

  host_attach (&admin, &io, &server, 0);
  instance = instance_of (&admin);
  begin_held_write (&io);
  host_admin (&again, &server, 0);
  sqe = cross_reset_command (admin.cntlid, &instance);
  host_begin (&again, &sqe, HOST_NONE, NULL, 0);
  host_expect_end (&admin);
  assert_false (has_answer (&again, 300));
  server_release_writes ();
  host_read_pdu (&again, &pdu, NULL, 0);
  assert_int_equal (nvme_cqe_status (&pdu.rsp.cqe), 0);
  assert_int_equal (le32_to_cpu (pdu.rsp.cqe.dw0), CROSS_RESET_IMMEDIATE);
  assert_int_equal (nr_attached (), 1);
  host_close (&again);
  host_close (&io);
  host_close (&admin);
}

static void
test_reset_takes_too_long (void **state)
{
  struct host admin, io, again;
  struct controller_instance instance;
  uint32_t dw0;

  host_attach (&admin, &io, &server, 0);
  instance = instance_of (&admin);
  begin_held_write (&io);
  host_admin (&again, &server, 0);
  assert_int_equal (reset_status (&again, admin.cntlid, instance, &dw0),
                    STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS));
  server_release_writes ();
  WAIT_UNTIL (nr_attached () == 1);
  assert_int_equal (reset_status (&again, admin.cntlid, instance, &dw0), 0);
  assert_int_equal (dw0, CROSS_RESET_IMMEDIATE);
  host_close (&again);
  host_close (&io);
  host_close (&admin);
}

/* What does not exist, or has its number from another, is over. */
static void
test_reset_of_what_is_over (void **state)
{
  struct host admin, io, again;
  struct controller_instance instance;
  uint32_t dw0;

  host_attach (&admin, &io, &server, 0);
  instance = instance_of (&admin);
  instance.cirn ^= 1 | instance.cirn << 1;
  host_admin (&again, &server, 0);
  assert_int_equal (reset_status (&again, admin.cntlid, instance, &dw0), 0);
  assert_int_equal (dw0, CROSS_RESET_IMMEDIATE);
  assert_int_equal (reset_status (&again, 0x1234, instance, &dw0), 0);
  assert_int_equal (dw0, CROSS_RESET_IMMEDIATE);
  assert_int_equal (nr_attached (), 2);
  host_property_get (&admin, NVME_REG_CSTS, false);
  host_close (&again);
  host_close (&io);
  host_close (&admin);
}

static void
test_reset_is_refused (void **state)
{
  struct host admin, io, own, other;
  struct controller_instance instance;
  uint32_t dw0;

  host_attach (&admin, &io, &server, 0);
  instance = instance_of (&admin);
  /* itself */
  assert_int_equal (reset_status (&admin, admin.cntlid, instance, &dw0),
                    STATUS_DNR (NVME_SC_INVALID_FIELD));
  /* without a random number */
  host_admin (&own, &server, 0);
  instance.cirn = 0;
  assert_int_equal (reset_status (&own, admin.cntlid, instance, &dw0),
                    STATUS_DNR (NVME_SC_INVALID_FIELD));
  /* another host's */
  begin_connect (&other, 2);
  assert_int_equal (read_status (&other), 0);
  assert_int_equal (host_property_set (&other, NVME_REG_CC, HOST_CC_ENABLE),
                    0);
  instance = instance_of (&admin);
  assert_int_equal (reset_status (&other, admin.cntlid, instance, &dw0),
                    STATUS_DNR (NVME_SC_INVALID_FIELD));
  assert_int_equal (nr_attached (), 3);
  host_close (&other);
  host_close (&own);
  host_close (&io);
  host_close (&admin);
}

/* Two at a time are one too many; who waits may leave. */
static void
test_reset_twice_and_leave (void **state)
{
  struct host admin, io, again;
  struct controller_instance instance;
  union nvme_command sqe;

  host_attach (&admin, &io, &server, 0);
  instance = instance_of (&admin);
  begin_held_write (&io);
  host_admin (&again, &server, 0);
  sqe = cross_reset_command (admin.cntlid, &instance);
  host_begin (&again, &sqe, HOST_NONE, NULL, 0);
  sqe = cross_reset_command (admin.cntlid, &instance);
  host_begin (&again, &sqe, HOST_NONE, NULL, 0);
  assert_int_equal (read_status (&again),
                    STATUS_SPECIFIC (NVME_SC_CROSS_RESET_LIMIT));
  host_close (&again);
  WAIT_UNTIL (nr_attached () == 1);
  server_release_writes ();
  WAIT_UNTIL (nr_attached () == 0);
  host_close (&io);
  host_close (&admin);
}

/* --- another gateway of the pool asks --------------------------------------------- */

static int
ask (const char *uuid, uint16_t cntlid, struct controller_instance instance)
{
  char text[ENGINE_ASK_MAX];

  snprintf (text, sizeof text, "end %s %u %u %" PRIx64, uuid, cntlid,
            instance.ciu, instance.cirn);
  return target_asked (server.target, text);
}

/* It ends what it has, and says so once nothing of it is in flight; of all else
 * it has nothing. */
static void
test_asked_to_end (void **state)
{
  const char *uuid = server.volume->uuid;
  struct host admin, io;
  struct controller_instance instance, other;

  host_attach (&admin, &io, &server, 0);
  other = instance = instance_of (&admin);
  other.cirn++;
  assert_int_equal (ask (uuid, admin.cntlid, other), 0);
  assert_int_equal (ask (uuid, admin.cntlid + 1, instance), 0);
  assert_int_equal (ask ("01234567-89ab-cdef-0123-456789abcdef",
                         admin.cntlid, instance), 0);
  assert_int_equal (target_asked (server.target, "sing"), -EOPNOTSUPP);
  host_property_get (&admin, NVME_REG_CSTS, false);

  begin_held_write (&io);
  assert_int_equal (ask (uuid, admin.cntlid, instance), -EBUSY);
  host_expect_end (&admin);
  assert_int_equal (ask (uuid, admin.cntlid, instance), -EBUSY);
  server_release_writes ();
  WAIT_UNTIL (nr_attached () == 0);
  assert_int_equal (ask (uuid, admin.cntlid, instance), 0);
  host_close (&io);
  host_close (&admin);
}

/* The same volume in a pool of another name. */
static void
test_asked_of_two_pools (void **state)
{
  struct host_list everybody = { 0 };
  struct controller_instance instance;
  struct engine_volume volume;
  struct subsystem *twin;
  struct engine_pool pool;
  struct host admin, io;
  struct error err;

  memcpy (&pool, server.pool, sizeof pool);
  strcpy (pool.name, "a");
  memcpy (&volume, server.volume, sizeof volume);
  volume.pool = &pool;
  assert_int_equal (subsystem_add (server.target, &volume, &everybody, &twin,
                                   &err), 0);
  host_attach (&admin, &io, &server, 0);
  instance = instance_of (&admin);
  assert_int_equal (ask (volume.uuid, admin.cntlid, instance), -EBUSY);
  host_expect_end (&admin);
  WAIT_UNTIL (nr_attached () == 0);
  host_close (&io);
  host_close (&admin);
  assert_int_equal (subsystem_remove (twin, "test", &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_io_connections_close_first),
    TEST (test_io_connections_close_and_reset),
    TEST (test_io_connection_closes),
    TEST (test_admin_connection_closes),
    TEST (test_keep_alive),
    TEST (test_idle),
    TEST (test_shutdown),
    TEST (test_disable_and_enable),
    TEST (test_connect_waits_for_write),
    TEST (test_live_is_untouched),
    TEST (test_connect_gives_up),
    TEST (test_waiting_host_leaves),
    TEST (test_reset_waits_for_write),
    TEST (test_reset_takes_too_long),
    TEST (test_reset_of_what_is_over),
    TEST (test_reset_is_refused),
    TEST (test_reset_twice_and_leave),
    TEST (test_asked_to_end),
    TEST (test_asked_of_two_pools),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
