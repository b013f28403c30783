/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts that stop doing their part: data that never come, responses that are
 * never read.  They lose their connection, and nobody
 * else waits for them meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "server/transport/tcp-internal.h"
#include "tests/unit/server-fixture.h"

/* A host that is to lose its connection, and one that is to keep it, be the
 * machine as busy as it may. */
enum { MIB = 1 << 20, LIMIT_MS = 400, LONG_LIMIT_MS = 2000 };

static struct server server;

static int
setup (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

/* So that the time limit rescues nobody. */
static int
setup_patient (void **state)
{
  limit_set (LIMIT_STALL_MS, 10 * HOST_TIMEOUT_S * 1000);
  return setup (state);
}

static int
setup_impatient (void **state)
{
  limit_set (LIMIT_STALL_MS, LIMIT_MS);
  return setup (state);
}

static int
setup_slow (void **state)
{
  limit_set (LIMIT_STALL_MS, LONG_LIMIT_MS);
  return setup (state);
}

static int
teardown (void **state)
{
  server_stop (&server);
  limit_set (LIMIT_STALL_MS, 0);
  return 0;
}

static void
nap_ms (unsigned ms)
{
  poll (NULL, 0, (int) ms);
}

static void
begin_write (struct host *io, uint16_t nlb)
{
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_write, 0, nlb) };

  host_begin (io, &sqe, HOST_SOLICITED, NULL, nlb * 512u);
}

static void
expect_r2t (struct host *io, union nvme_tcp_pdu *pdu)
{
  host_read_pdu (io, pdu, NULL, 0);
  assert_int_equal (pdu->hdr.type, NVME_TCP_R2T);
}

/* --- the time limit --------------------------------------------------------- */

static void
test_no_data (void **state)
{
  struct host admin, io;
  union nvme_tcp_pdu pdu;

  host_attach (&admin, &io, &server, 0);
  begin_write (&io, MIB / 512);
  expect_r2t (&io, &pdu);
  host_expect_end (&io);
  host_close (&io);
  host_close (&admin);
}

/* Another read, and what was answered is thrown away; false: it is over. */
static bool
read_on (struct host *io, struct nvme_tcp_cmd *cmd)
{
  uint8_t bytes[65536];
  ssize_t r;

  cmd->sqe.common.cid++;
  if (send (io->fd, cmd, sizeof *cmd, MSG_NOSIGNAL) < 0)
    return false;
  do
    r = recv (io->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  while (r > 0);
  return r < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Other commands are no excuse, however long they go on. */
static void
test_no_data_but_reads (void **state)
{
  struct nvme_tcp_cmd cmd;
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_read, 0, 1) };
  union nvme_tcp_pdu pdu;
  struct host admin, io;
  unsigned nr_reads = 0;
  uint64_t start_ms;

  host_attach (&admin, &io, &server, 0);
  start_ms = clock_now_ms ();
  begin_write (&io, MIB / 512);
  expect_r2t (&io, &pdu);
  host_begin (&io, &sqe, HOST_READ, NULL, 512);
  cmd = (struct nvme_tcp_cmd) { .sqe = sqe };
  tcp_make_hdr (&cmd.hdr, NVME_TCP_CMD, 0, 0, &io.agreed);
  while (read_on (&io, &cmd)) {
    assert_in_range (++nr_reads, 1, HOST_TIMEOUT_S * 1000 / (LIMIT_MS / 8));
    nap_ms (LIMIT_MS / 8);
  }
  assert_true (nr_reads > 0);
  assert_true (clock_now_ms () - start_ms >= LIMIT_MS);
  host_close (&io);
  host_close (&admin);
}

static void
test_responses_not_read (void **state)
{
  union nvme_command sqe;
  struct host admin, io;
  unsigned before;

  host_attach (&admin, &io, &server, 0);
  before = transport_connections ();
  /* More than the socket's buffers hold. */
  for (unsigned i = 0; i < 31; i++) {
    sqe.rw = host_rw (nvme_cmd_read, 0, MIB / 512);
    host_begin (&io, &sqe, HOST_READ, NULL, MIB);
  }
  WAIT_UNTIL (transport_connections () < before);
  host_close (&io);
  host_close (&admin);
}

static void
test_half_a_pdu (void **state)
{
  struct nvme_tcp_hdr hdr = {
    .type = NVME_TCP_CMD, .hlen = sizeof (struct nvme_tcp_cmd),
    .plen = cpu_to_le32 (sizeof (struct nvme_tcp_cmd)),
  };
  struct host admin, io;

  host_attach (&admin, &io, &server, 0);
  host_send (&io, &hdr, sizeof hdr / 2);
  host_expect_end (&io);
  host_close (&io);
  host_close (&admin);
}

/* A slow host is no stalled one. */
static void
test_slow_data (void **state)
{
  enum { PIECES = 10, PIECE = 4096 };
  struct host admin, io;
  union nvme_tcp_pdu pdu, answer;
  uint8_t *data = calloc (PIECES, PIECE);

  host_attach (&admin, &io, &server, 0);
  begin_write (&io, PIECES * PIECE / 512);
  expect_r2t (&io, &pdu);
  for (unsigned i = 0; i < PIECES; i++) {
    nap_ms (LONG_LIMIT_MS / 8);
    host_send_h2c (&io, &pdu.r2t, i * PIECE, data + i * PIECE, PIECE,
                   i == PIECES - 1);
  }
  host_read_pdu (&io, &answer, NULL, 0);
  assert_int_equal (answer.hdr.type, NVME_TCP_RSP);
  assert_int_equal (nvme_cqe_status (&answer.rsp.cqe), 0);
  /* And nothing is held against one who has nothing to do. */
  nap_ms (LONG_LIMIT_MS + LONG_LIMIT_MS / 8);
  begin_write (&io, MIB / 512);
  expect_r2t (&io, &pdu);
  host_close (&io);
  host_close (&admin);
  free (data);
}

/* --- the ration ------------------------------------------------------------- */

enum { CONTROLLERS = 5, QUEUES = 8, WRITES = 16 };

static void
hoard (struct host *admin, struct host ios[QUEUES])
{
  union nvme_command flush = { .common.opcode = nvme_cmd_flush };
  union nvme_tcp_pdu pdu;

  flush.common.nsid = cpu_to_le32 (1);
  host_admin (admin, &server, 0);
  for (uint16_t i = 0; i < QUEUES; i++) {
    host_open (&ios[i], &server, 0);
    ios[i].cntlid = admin->cntlid;
    host_connect (&ios[i], &server, i + 1);
    for (unsigned n = 0; n < WRITES; n++)
      begin_write (&ios[i], MIB / 512);
    /* Answered: the server has seen them all. */
    host_begin (&ios[i], &flush, HOST_NONE, NULL, 0);
    do
      host_read_pdu (&ios[i], &pdu, NULL, 0);
    while (pdu.hdr.type == NVME_TCP_R2T);
    assert_int_equal (pdu.hdr.type, NVME_TCP_RSP);
  }
}

/* Hosts of one volume ask for more than there is, and never give it back: the
 * hosts of another are served on every reactor. */
static void
test_other_volume (void **state)
{
  static struct host admins[CONTROLLERS], ios[CONTROLLERS][QUEUES];
  struct server other = server;
  struct engine_volume *volume;
  struct host admin, io[SERVER_REACTORS * 2];
  union nvme_command sqe;
  struct error err;
  uint8_t *data = calloc (1, MIB);

  assert_int_equal (engine_ram.volume_create (server.pool, "other", 8 * MIB,
                                              512, &err), 0);
  assert_int_equal (engine_ram.volume_open (server.pool, "other", &volume,
                                            &err), 0);
  assert_int_equal (subsystem_add (server.target, volume,
                                   &(struct host_list) { 0 },
                                   &other.subsystem, &err), 0);
  for (unsigned i = 0; i < CONTROLLERS; i++)
    hoard (&admins[i], ios[i]);

  host_admin (&admin, &other, 0);
  for (uint16_t i = 0; i < SERVER_REACTORS * 2; i++) {
    host_open (&io[i], &other, 0);
    io[i].cntlid = admin.cntlid;
    host_connect (&io[i], &other, i + 1);
    sqe.rw = host_rw (nvme_cmd_read, 0, 65536 / 512);
    assert_int_equal (host_status (&io[i], &sqe, HOST_READ, data, 65536), 0);
    sqe.rw = host_rw (nvme_cmd_write, 0, MIB / 512);
    assert_int_equal (host_status (&io[i], &sqe, HOST_SOLICITED, data, MIB),
                      0);
  }

  for (unsigned i = 0; i < SERVER_REACTORS * 2; i++)
    host_close (&io[i]);
  host_close (&admin);
  for (unsigned i = 0; i < CONTROLLERS; i++) {
    for (unsigned n = 0; n < QUEUES; n++)
      host_close (&ios[i][n]);
    host_close (&admins[i]);
  }
  WAIT_UNTIL (transport_connections () == 0);
  assert_int_equal (subsystem_remove (other.subsystem, "test", &err), 0);
  engine_ram.volume_close (volume);
  assert_int_equal (engine_ram.volume_remove (server.pool, "other", &err), 0);
  free (data);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_no_data, setup_impatient, teardown),
    cmocka_unit_test_setup_teardown (test_no_data_but_reads, setup_impatient,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_responses_not_read,
                                     setup_impatient, teardown),
    cmocka_unit_test_setup_teardown (test_half_a_pdu, setup_impatient,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_slow_data, setup_slow, teardown),
    cmocka_unit_test_setup_teardown (test_other_volume, setup_patient,
                                     teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
