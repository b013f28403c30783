/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server, and a host that is attached to it: one of each in a process.
 */
#include "tests/unit/attached-fixture.h"

struct server server;
struct host admin, io;

int
setup_with (const struct server_options *options, uint8_t digests)
{
  server_start (&server, options);
  host_attach (&admin, &io, &server, digests);
  return 0;
}

int
setup (void **state)
{
  return setup_with (&(struct server_options) { 0 }, 0);
}

int
setup_4096 (void **state)
{
  return setup_with (&(struct server_options) { .block_size = 4096 }, 0);
}

int
setup_read_only (void **state)
{
  return setup_with (&(struct server_options) { .read_only = true }, 0);
}

int
setup_digests (void **state)
{
  return setup_with (&(struct server_options) { 0 },
                     NVME_TCP_DIGEST_HEADER | NVME_TCP_DIGEST_DATA);
}

int
teardown (void **state)
{
  host_close (&io);
  host_close (&admin);
  server_stop (&server);
  return 0;
}

int
setup_bare (void **state)
{
  server_start (&server, &(struct server_options) { 0 });
  return 0;
}

int
teardown_bare (void **state)
{
  server_stop (&server);
  return 0;
}

/* --- admin commands --------------------------------------------------------- */

uint16_t
identify (uint8_t cns, uint32_t nsid, void *data)
{
  union nvme_command sqe = { .common = {
    .opcode = nvme_admin_identify, .nsid = cpu_to_le32 (nsid),
    .cdw10 = cpu_to_le32 (cns),
  } };

  return host_status (&admin, &sqe, HOST_READ, data, 4096);
}

struct nvme_cqe
feature (uint8_t opcode, uint32_t cdw10, uint32_t cdw11)
{
  union nvme_command sqe = { .common = {
    .opcode = opcode, .cdw10 = cpu_to_le32 (cdw10),
    .cdw11 = cpu_to_le32 (cdw11),
  } };

  return host_command (&admin, &sqe, HOST_NONE, NULL, 0);
}

void
expect_set (uint32_t cdw10, uint32_t cdw11, uint16_t status)
{
  struct nvme_cqe cqe = feature (nvme_admin_set_features, cdw10, cdw11);

  assert_int_equal (nvme_cqe_status (&cqe), status);
}

void
expect_get (uint32_t cdw10, uint32_t value)
{
  struct nvme_cqe cqe = feature (nvme_admin_get_features, cdw10, 0);

  assert_int_equal (nvme_cqe_status (&cqe), 0);
  assert_int_equal (le32_to_cpu (cqe.dw0), value);
}
