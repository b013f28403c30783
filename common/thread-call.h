/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call in a thread of its own, for what is to have its memory from another
 * heap than the program's first one.
 */
#ifndef QBD_THREAD_CALL_H
#define QBD_THREAD_CALL_H

/* Returns when it is over; without a thread to be had, call was not made. */
void thread_call (void (*call) (void));

#endif
