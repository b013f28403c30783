/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGHUP: the configuration file is read again.  The main thread only.
 */
#ifndef QBD_SERVER_RELOAD_H
#define QBD_SERVER_RELOAD_H

#include "server/options.h"

/* asked: as it was before the server started, which fills in port numbers.
 * What can change does; for what cannot, a line says that it takes a
 * restart.  A file with a mistake changes nothing. */
void reload (const struct options *asked, int argc, char *argv[]);

#endif
