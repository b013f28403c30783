/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Export names where the command line names no volume: an export is what the
 * server's discovery log lists.  Volumes of a qbd-server are called POOL/VOL,
 * all others by their NQN; both can be asked for by NQN.  Errors are
 * reported to nbdkit.
 */
#ifndef QBD_PLUGIN_EXPORTS_H
#define QBD_PLUGIN_EXPORTS_H

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <libqbd.h>

/* Discovery works: 0, or -1. */
int exports_probe (const struct qbd_config *config);
int exports_list (const struct qbd_config *config,
                  struct nbdkit_exports *exports);
/* The only one's name; NULL: there is none, or there are several. */
const char *exports_default (const struct qbd_config *config);
/* A configuration with the export's volume; the caller frees it. */
struct qbd_config *exports_choose (const struct qbd_config *config,
                                   const char *name);

#endif
