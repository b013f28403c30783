/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For a volume that carries this machine's own swap or root file system: the
 * process may not wait for memory that only its own requests would free.
 */
#ifndef QBD_PLUGIN_SWAP_H
#define QBD_PLUGIN_SWAP_H

#include <stdbool.h>

/* When the plugin is loaded, before any fork.  0 or an errno. */
int swap_load (void);

/* First thing in the process that will serve, before it has threads.  -1 with
 * an error reported. */
int swap_after_fork (void);

/* Who waits without sleeping gives way to nobody then. */
bool swap_is_real_time (void);

#endif
