/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGHUP: the configuration file is read again.  One thread at a time, which
 * may wait for storage.
 */
#ifndef QBD_SERVER_RELOAD_H
#define QBD_SERVER_RELOAD_H

#include "server/options.h"
#include "server/server.h"

/* asked: what the server was started with.  What can change does; for what
 * cannot, a line says why.  A file with a mistake, or something new in it that
 * cannot be opened, changes nothing. */
void reload (struct server *server, const struct options *asked, int argc,
             char *argv[]);

#endif
