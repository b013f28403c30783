/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the management API: what answers it, over the real target, with
 * one reactor and the pool demo in memory.  HTTP is left out.
 */
#ifndef QBD_API_FIXTURE_H
#define QBD_API_FIXTURE_H

#include "server/control/api.h"
#include "server/reactor/reactor.h"

extern struct reactor *reactor;
extern struct target *target;
extern struct api_server server;

/* Once; after log_open. */
int api_start (struct error *err);
/* No host is attached. */
int api_stop (struct error *err);

#endif
