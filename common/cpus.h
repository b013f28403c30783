/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many processors there are.
 */
#ifndef QBD_CPUS_H
#define QBD_CPUS_H

#include <sched.h>

/* That this process may use; CPU_SETSIZE (1,024) where there are more. */
static inline unsigned
usable_cpus (void)
{
  cpu_set_t cpus;

  if (sched_getaffinity (0, sizeof cpus, &cpus) == -1)
    return CPU_SETSIZE;
  return (unsigned) CPU_COUNT (&cpus);
}

#endif
