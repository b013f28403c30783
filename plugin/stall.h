/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notices when nbdkit wants to end while requests make no progress.  A
 * thread looks once a second while there are requests, and sleeps when there
 * are none.  Only during a stall does it ask nbdkit, whose answer (by
 * nbdkit_nanosleep) is an error message too.
 */
#ifndef QBD_PLUGIN_STALL_H
#define QBD_PLUGIN_STALL_H

/* Call interrupt, once, from a thread of its own, when nbdkit is ending and
 * no request has ended for a second.  0 or an errno. */
int stall_watch_start (void (*interrupt) (void));
/* All connections are closed.  Not started: does nothing. */
void stall_watch_stop (void);

/* Around each request.  Any thread. */
void stall_request_begins (void);
void stall_request_ends (void);

#endif
