/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that takes no signal: those are the program's business.
 */
#ifndef QBD_THREAD_START_H
#define QBD_THREAD_START_H

#include <pthread.h>

/* name: at most 15 bytes; NULL: the one of who calls.  0 or -errno. */
int thread_start (pthread_t *thread, const char *name,
                  void *(*run) (void *), void *arg);

#endif
