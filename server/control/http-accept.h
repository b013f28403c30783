/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who connects to the control socket waits in its backlog until there is room:
 * libmicrohttpd itself would close what comes beyond its limit.
 */
#ifndef QBD_CONTROL_HTTP_ACCEPT_H
#define QBD_CONTROL_HTTP_ACCEPT_H

#include <microhttpd.h>

#include "common/error.h"
#include "server/control/http-connections.h"

struct http_acceptor;

/* path: for messages, kept by the caller, as what follows.  The daemon has no
 * socket of its own, and a limit of HTTP_LIBRARY_MAX.  0 or negative errno;
 * fd stays the caller's. */
int http_acceptor_start (int fd, const char *path, struct MHD_Daemon *daemon,
                         struct http_connections *connections,
                         struct http_acceptor **acceptor, struct error *err);

/* Before the daemon. */
void http_acceptor_stop (struct http_acceptor *acceptor);

#endif
