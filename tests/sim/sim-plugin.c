/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plugin's own code for requests that do not fit blocks, and its range
 * lock, for fibers: what would wait calls the simulator.
 */
#include "plugin/blocks.h"
#include "tests/sim/sim-call.h"

#define qbd_pread sim_pread
#define qbd_pwrite sim_pwrite
#define qbd_discard sim_discard
#define qbd_write_zeroes sim_write_zeroes
#define pthread_rwlock_rdlock sim_rdlock
#define pthread_rwlock_wrlock sim_wrlock
#define pthread_rwlock_unlock sim_unlock

#include "plugin/blocks.c"
#include "plugin/range-lock.c"
