/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of commands: a server, and a host that is attached to it by its
 * admin queue and one I/O queue.  The functions are cmocka's setup and teardown
 * of a test.
 */
#ifndef QBD_ATTACHED_FIXTURE_H
#define QBD_ATTACHED_FIXTURE_H

#include "tests/unit/server-fixture.h"

extern struct server server;
extern struct host admin, io;

int setup (void **state);               /* blocks of 512 bytes */
int setup_4096 (void **state);
int setup_read_only (void **state);
int setup_digests (void **state);       /* of headers and data */
int setup_with (const struct server_options *options, uint8_t digests);
int teardown (void **state);

/* The server alone. */
int setup_bare (void **state);
int teardown_bare (void **state);

/* Admin commands of the attached host: the status, or what it must be. */
uint16_t identify (uint8_t cns, uint32_t nsid, void *data);  /* 4096 bytes */
struct nvme_cqe feature (uint8_t opcode, uint32_t cdw10, uint32_t cdw11);
void expect_set (uint32_t cdw10, uint32_t cdw11, uint16_t status);
void expect_get (uint32_t cdw10, uint32_t value);

#define DNR(sc) STATUS_DNR (sc)
#define SPECIFIC(sc) STATUS_DNR (STATUS_SPECIFIC (sc))

#endif
