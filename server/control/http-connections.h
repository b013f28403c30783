/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections to the control socket, of which there is a bounded number:
 * those on which no request is under way make room for new ones, the one that
 * has been idle for longest first.  Any thread.
 */
#ifndef QBD_CONTROL_HTTP_CONNECTIONS_H
#define QBD_CONTROL_HTTP_CONNECTIONS_H

#include <microhttpd.h>
#include <pthread.h>
#include <sys/queue.h>

#define HTTP_CONNECTIONS_MAX 256u

struct http_connection;

struct http_connections {
  pthread_mutex_t lock;
  unsigned nr;
  TAILQ_HEAD (, http_connection) idle;  /* for how long: first, longest */
};

void http_connections_init (struct http_connections *connections);

/* For MHD_OPTION_NOTIFY_CONNECTION, with a struct http_connections. */
void http_connections_notify (void *opaque, struct MHD_Connection *connection,
                              void **context,
                              enum MHD_ConnectionNotificationCode code);

/* A request's header is there; its response is sent. */
void http_connections_busy (struct http_connections *connections,
                            struct MHD_Connection *connection);
void http_connections_idle (struct http_connections *connections,
                            struct MHD_Connection *connection);

#endif
