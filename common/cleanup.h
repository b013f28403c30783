/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scope-bound release of scratch resources (gcc and clang `cleanup`).
 * A variable so marked must be initialised where it is declared.
 */
#ifndef QBD_CLEANUP_H
#define QBD_CLEANUP_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP_FREE __attribute__ ((cleanup (cleanup_free)))
#define CLEANUP_CLOSE __attribute__ ((cleanup (cleanup_close)))

static inline void
cleanup_free (void *ptr)
{
  free (*(void **) ptr);
}

static inline void
cleanup_close (int *fd)
{
  if (*fd >= 0)
    close (*fd);
}

static inline void
cleanup_unlock (pthread_mutex_t **lock)
{
  pthread_mutex_unlock (*lock);
}

#define CLEANUP_NAME2(a, b) a##b
#define CLEANUP_NAME(a, b) CLEANUP_NAME2 (a, b)

/* Holds the mutex until the end of the enclosing block. */
#define LOCK_SCOPE(mutex)                                               \
  __attribute__ ((cleanup (cleanup_unlock), unused))                    \
  pthread_mutex_t *CLEANUP_NAME (lock_scope_, __LINE__) =               \
    (pthread_mutex_lock (mutex), (mutex))

#endif
