/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of lib-client share: the volume, and the load
 * (lib-client-load.c).
 */
#ifndef QBD_TESTS_LIB_CLIENT_H
#define QBD_TESTS_LIB_CLIENT_H

#include <libqbd.h>
#include <stdbool.h>
#include <stdint.h>

extern struct qbd_volume *volume;
extern uint64_t end_ms;                 /* 0: until the server is gone */
extern unsigned long nr_requests;       /* of all threads, atomic */

void die (const char *fmt, ...)
  __attribute__ ((noreturn, format (printf, 1, 2)));
struct qbd_volume *open_volume (unsigned flags);
bool time_is_up (void);

void stress (unsigned nr_threads, uint64_t seed);
void aio (unsigned depth, uint64_t seed);

#endif
