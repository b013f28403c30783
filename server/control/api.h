/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The management API without its transport: a request in, a status and a
 * JSON text out.  http.c carries it; man/qbd-api.pod documents it.
 *
 * Threads: any but a reactor's, several at once; a request may block.
 */
#ifndef QBD_CONTROL_API_H
#define QBD_CONTROL_API_H

#include <stddef.h>

#include "common/address.h"
#include "server/control/volumes.h"

#define API_BODY_MAX 16384              /* bytes of a request's body */
#define API_QUERY_MAX 4

/* What the API tells about the server; constant, as far as it is not asked
 * for.  each only copies. */
struct api_server {
  struct volumes *volumes;
  void *server;                 /* for each_listener */
  void (*each_listener) (void *server,
                         void (*each) (void *opaque, const struct address *,
                                       const char *ana),
                         void *opaque);
  unsigned nr_reactors;
  const char *file_backend;
  unsigned (*connections) (void);
};

struct api_query {
  const char *key;
  const char *value;            /* NULL: "?key" */
};

struct api_request {
  const char *method;
  const char *path;             /* percent-decoded, without the query */
  unsigned nr_query;
  struct api_query query[API_QUERY_MAX];
  const char *body;
  size_t body_bytes;
};

struct api_reply {
  unsigned status;              /* HTTP's */
  const char *allow;            /* 405: the methods, constant; or NULL */
  const char *content_type;     /* constant */
  char *body;                   /* the caller frees it; NULL: out of memory */
};

void api_handle (const struct api_server *server,
                 const struct api_request *request, struct api_reply *reply);

/* For what http.c refuses itself. */
void api_refuse (unsigned status, const struct error *err,
                 struct api_reply *reply);

#endif
