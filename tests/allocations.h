/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The allocators of libc, ours in a program that is linked with
 * allocations.c: while armed, each call counts, in any thread.
 */
#ifndef QBD_TESTS_ALLOCATIONS_H
#define QBD_TESTS_ALLOCATIONS_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic bool allocations_armed;
extern _Atomic unsigned nr_allocations;

#endif
