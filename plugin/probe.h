/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trying, before nbdkit forks, what is done for good after it.
 */
#ifndef QBD_PLUGIN_PROBE_H
#define QBD_PLUGIN_PROBE_H

#include <libqbd.h>

/* Returns what ask returns: 0, or -1 when it has said why not. */
int probe (const struct qbd_config *config, int (*ask) (void));

#endif
