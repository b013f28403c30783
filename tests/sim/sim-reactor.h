/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the simulator does to its reactors, beside reactor.h.
 */
#ifndef QBD_SIM_REACTOR_H
#define QBD_SIM_REACTOR_H

#include <stdint.h>

#include "server/reactor/reactor.h"

/* Its process is stopped: nothing runs on it before. */
void sim_reactor_freeze (struct reactor *reactor, uint64_t until_us);
/* As reactor_call, or as soon as the reactor runs again. */
void sim_reactor_call_later (struct reactor *reactor, void (*fn) (void *arg),
                             void *arg);

#endif
