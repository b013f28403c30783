/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Code that waits, in a world that must not: a fiber runs while the one who
 * starts or resumes it stands still, until it waits or ends.  Underneath it is
 * a thread, which sanitizers understand; two never run at a time.
 */
#ifndef QBD_SIM_FIBER_H
#define QBD_SIM_FIBER_H

#include <stdbool.h>

struct fiber;

/* Runs fn (arg) until it waits for the first time, or ends.  Returns NULL
 * when it has ended. */
struct fiber *fiber_start (void (*fn) (void *arg), void *arg);
/* In a fiber: until it is resumed. */
void fiber_wait (void);
/* The one that is running; NULL: none. */
struct fiber *fiber_self (void);
/* True: it has ended. */
bool fiber_resume (struct fiber *fiber);

#endif
