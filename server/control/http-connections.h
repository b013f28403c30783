/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections to the control socket, of which there is a bounded number:
 * those on which no request is under way make room for new ones, the one that
 * has been idle for longest first.  Any thread, and one that accepts.
 */
#ifndef QBD_CONTROL_HTTP_CONNECTIONS_H
#define QBD_CONTROL_HTTP_CONNECTIONS_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#define HTTP_CONNECTIONS_MAX 256u

/* The library closes what comes beyond this.  It counts one a little longer
 * than it says so. */
#define HTTP_LIBRARY_MAX (HTTP_CONNECTIONS_MAX + 8u)

struct http_connection;

struct http_connections {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned nr;                  /* from STARTED to CLOSED */
  unsigned nr_leaving;          /* of these, making room */
  unsigned nr_expected;         /* accepted, and not STARTED */
  bool stopping;
  TAILQ_HEAD (, http_connection) idle;  /* for how long: first, longest */
};

void http_connections_init (struct http_connections *connections);

/* Until one more may be accepted; false: it is to stop. */
bool http_connections_wait_for_room (struct http_connections *connections);

/* One was accepted, and is now the library's. */
void http_connections_expect (struct http_connections *connections);

/* Whoever waits for room waits no longer. */
void http_connections_stop (struct http_connections *connections);

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
