/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: the management API over HTTP on a Unix socket, for the
 * server's user and group.
 */
#ifndef QBD_CONTROL_CONTROL_H
#define QBD_CONTROL_CONTROL_H

#include "common/error.h"
#include "server/control/api.h"

struct control;

/* That of the socket, when it is missing. */
int control_make_directory (const char *path, struct error *err);

/* Makes the socket's directory when it is missing, and serves at once, on
 * threads of its own.  Under the locks of the pools, so that the socket of a
 * dead server is replaced by its successor only.  server stays in place. */
int control_start (const struct api_server *server, const char *path,
                   struct control **control, struct error *err);

/* Removes the socket, ends the connections and waits for the requests that
 * are executing. */
void control_stop (struct control *control);

#endif
