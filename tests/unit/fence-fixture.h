/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of controllers that come and go: a server without a host, and
 * writes that its engine keeps.  setup and teardown are cmocka's.
 */
#ifndef QBD_FENCE_FIXTURE_H
#define QBD_FENCE_FIXTURE_H

#include "tests/unit/server-fixture.h"

extern struct server server;

int setup (void **state);
int teardown (void **state);

unsigned nr_attached (void);
/* A write that the engine has and keeps, until server_release_writes. */
void begin_held_write (struct host *io);
/* A new host of this identity sends Connect; the answer is not read. */
void begin_connect (struct host *host, uint8_t hostid);
/* The status of the next answer, without data. */
uint16_t read_status (struct host *host);

#endif
