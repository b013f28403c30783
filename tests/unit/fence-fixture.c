/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of controllers that come and go: fence-fixture.h.
 */
#include "tests/unit/fence-fixture.h"

struct server server;

int
setup (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

int
teardown (void **state)
{
  server_stop (&server);
  return 0;
}

static void
each_nothing (void *opaque, const struct subsystem_host *host)
{
}

unsigned
nr_attached (void)
{
  return subsystem_each_host (server.subsystem, each_nothing, NULL);
}

static uint8_t block[512];

/* A write that the engine has and keeps. */
void
begin_held_write (struct host *io)
{
  union nvme_command sqe = { .rw = host_rw (nvme_cmd_write, 0, 1) };

  server_hold_writes (&server);
  host_begin (io, &sqe, HOST_IN_CAPSULE, block, sizeof block);
  WAIT_UNTIL (server_held_writes () == 1);
}

/* A new host of this identity sends Connect; the answer is not read. */
void
begin_connect (struct host *host, uint8_t hostid)
{
  union nvme_command command;
  struct nvmf_connect_data data;

  host_open (host, &server, 0);
  host->hostid = hostid;
  host_connect_prepare (host, &server, 0, &command.connect, &data);
  host_begin (host, &command, HOST_IN_CAPSULE, &data, sizeof data);
}

uint16_t
read_status (struct host *host)
{
  union nvme_tcp_pdu pdu;

  host_read_pdu (host, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_RSP);
  return nvme_cqe_status (&pdu.rsp.cqe);
}
