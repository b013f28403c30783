/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections to the control socket, of which there is a bounded number:
 * those on which no request is under way make room for new ones, the one that
 * has been idle for longest first; and where there is none for some time, some
 * more are accepted, to be told so.  Any thread, and one that accepts.
 */
#ifndef QBD_CONTROL_HTTP_CONNECTIONS_H
#define QBD_CONTROL_HTTP_CONNECTIONS_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define HTTP_CONNECTIONS_MAX 256u
#define HTTP_REFUSED_MAX 64u    /* more, at a time, whose requests are refused */

/* The library's own limit, never reached: before 1.0.0 it keeps a lock then. */
#define HTTP_LIBRARY_MAX (1u << 20)

struct http_connection;

struct http_connections {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned nr;                  /* from STARTED to CLOSED */
  unsigned nr_leaving;          /* of these, making room */
  unsigned nr_expected;         /* accepted, and not STARTED */
  uint64_t expected_until_ms;
  uint64_t full_ms;             /* somebody waits since, and there is no room */
  bool is_refusing;             /* who comes while there is none, and said so */
  bool stopping;
  TAILQ_HEAD (, http_connection) idle;  /* for how long: first, longest */
};

void http_connections_init (struct http_connections *connections);

/* Until one more may be accepted, if only to be refused; false: it is to
 * stop. */
bool http_connections_wait_for_room (struct http_connections *connections);

/* One was accepted, and is now the library's. */
void http_connections_expect (struct http_connections *connections);

/* The library did not take it. */
void http_connections_dropped (struct http_connections *connections);

/* Whoever waits for room waits no longer. */
void http_connections_stop (struct http_connections *connections);

/* For MHD_OPTION_NOTIFY_CONNECTION, with a struct http_connections. */
void http_connections_notify (void *opaque, struct MHD_Connection *connection,
                              void **context,
                              enum MHD_ConnectionNotificationCode code);

/* A request's header is there: is it to be served? */
bool http_connections_busy (struct http_connections *connections,
                            struct MHD_Connection *connection);

/* Its response is sent. */
void http_connections_idle (struct http_connections *connections,
                            struct MHD_Connection *connection);

#endif
