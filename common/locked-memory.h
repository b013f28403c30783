/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much memory this process may lock in RAM, for what a device works on.
 */
#ifndef QBD_LOCKED_MEMORY_H
#define QBD_LOCKED_MEMORY_H

#include <stdint.h>

/* In bytes; UINT64_MAX: no limit.  Raises the soft limit to the hard one. */
uint64_t locked_memory_limit (void);

#endif
