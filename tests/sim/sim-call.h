/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The synchronous calls of libqbd and of locks, for code that runs in a fiber:
 * sim-plugin.c gives them to the plugin's own.
 */
#ifndef QBD_SIM_CALL_H
#define QBD_SIM_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

struct qbd_volume;

int sim_pread (struct qbd_volume *volume, void *buf, size_t count,
               uint64_t offset, unsigned flags);
int sim_pwrite (struct qbd_volume *volume, const void *buf, size_t count,
                uint64_t offset, unsigned flags);
int sim_discard (struct qbd_volume *volume, uint64_t count, uint64_t offset,
                 unsigned flags);
int sim_write_zeroes (struct qbd_volume *volume, uint64_t count,
                      uint64_t offset, unsigned flags);
int sim_flush (struct qbd_volume *volume);

int sim_rdlock (pthread_rwlock_t *lock);
int sim_wrlock (pthread_rwlock_t *lock);
int sim_unlock (pthread_rwlock_t *lock);
/* Locks keep nobody out. */
void sim_call_without_locks (void);

/* Those who wait for a lock or for room in a queue try again, if there may be
 * some; true: there may be some again. */
bool sim_call_try_again (void);

#endif
