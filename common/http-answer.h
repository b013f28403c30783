/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A Unix socket on which a program says how it is: HTTP, one GET a connection,
 * one connection at a time, in one thread of its own, which allocates nothing
 * once it runs.  Not qbd-server's management API: that is libmicrohttpd's.
 */
#ifndef QBD_HTTP_ANSWER_H
#define QBD_HTTP_ANSWER_H

#include <stdbool.h>

#include "common/error.h"

struct http_answer;

/* Where an answer is written to: in the thread.  Slow readers lose the rest. */
struct http_reply;
void http_reply_text (struct http_reply *reply, const char *text);
void __attribute__ ((format (printf, 2, 3)))
http_reply_format (struct http_reply *reply, const char *format, ...);
/* With quotes, as a JSON string. */
void http_reply_string (struct http_reply *reply, const char *text);

/* False: there is no such path, which is answered with 404. */
typedef bool http_answer_fn (void *opaque, const char *path,
                             struct http_reply *reply);

/* The socket, for the user and the group; nobody is answered yet.  A process
 * may fork in between. */
int http_answer_open (const char *path, http_answer_fn *answer, void *opaque,
                      struct http_answer **http, struct error *err);
/* The thread; 0 or an errno. */
int http_answer_start (struct http_answer *http);
/* Removes the socket.  NULL is allowed. */
void http_answer_stop (struct http_answer *http);

#endif
