/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP for the management API: libmicrohttpd over a Unix socket of ours.
 * One thread a connection, so that a slow request keeps nobody else
 * waiting.  It knows no routes and no JSON.
 *
 * Whoever can connect may manage the volumes; all the same, what a client
 * can hold is bounded: connections, time without a byte, header and body.
 */
#include <errno.h>
#include <libgen.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/control-path.h"
#include "common/log.h"
#include "common/percent.h"
#include "common/stream.h"
#include "server/control/control.h"
#include "server/control/http-accept.h"
#include "server/control/http-connections.h"

#define IDLE_TIMEOUT_S 10u
#define DISCARD_MAX (1u << 20)  /* bytes of a body that is too large anyway */

struct control {
  const struct api_server *server;      /* constant */
  struct MHD_Daemon *daemon;            /* constant after start, as these */
  struct http_acceptor *acceptor;
  int listen_fd;
  struct http_connections connections;
  char path[CONTROL_PATH_MAX];          /* constant */
};

/* One request, from its header to its response; its connection's thread. */
struct http_request {
  size_t body_bytes;
  size_t discarded_bytes;       /* of a body that is too large */
  char body[API_BODY_MAX];
};

static enum MHD_Result
send_reply (struct MHD_Connection *connection, struct api_reply *reply)
{
  struct MHD_Response *response;
  enum MHD_Result result;

  if (!reply->body)
    return MHD_NO;              /* no memory: the connection ends */
  response = MHD_create_response_from_buffer (strlen (reply->body),
                                              reply->body,
                                              MHD_RESPMEM_MUST_FREE);
  if (!response) {
    free (reply->body);
    return MHD_NO;
  }
  MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE,
                           reply->content_type);
  if (reply->allow)
    MHD_add_response_header (response, MHD_HTTP_HEADER_ALLOW, reply->allow);
  result = MHD_queue_response (connection, reply->status, response);
  MHD_destroy_response (response);
  return result;
}

static enum MHD_Result
refuse (struct MHD_Connection *connection, unsigned status,
        const struct error *err)
{
  struct api_reply reply;

  api_refuse (status, err, &reply);
  return send_reply (connection, &reply);
}

static enum MHD_Result
refuse_body (struct MHD_Connection *connection)
{
  struct error err;

  error_set (&err, E2BIG, "api: body: is larger than %d bytes",
             API_BODY_MAX);
  return refuse (connection, MHD_HTTP_CONTENT_TOO_LARGE, &err);
}

static enum MHD_Result
refuse_for_now (struct MHD_Connection *connection)
{
  struct error err;

  error_set (&err, EBUSY, "api: %u requests are under way; try again later, "
             "and see what they wait for", HTTP_CONNECTIONS_MAX);
  return refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE, &err);
}

/* The header is there, the body is not. */
static enum MHD_Result
begin_request (struct control *control, struct MHD_Connection *connection,
               struct http_request **request)
{
  const char *length =
    MHD_lookup_connection_value (connection, MHD_HEADER_KIND,
                                 MHD_HTTP_HEADER_CONTENT_LENGTH);

  if (!http_connections_busy (&control->connections, connection))
    return refuse_for_now (connection);
  if (length && strtoull (length, NULL, 10) > API_BODY_MAX)
    return refuse_body (connection);
  *request = malloc (sizeof **request);
  if (!*request)
    return MHD_NO;
  (*request)->body_bytes = 0;
  (*request)->discarded_bytes = 0;
  return MHD_YES;
}

static enum MHD_Result
take_body (struct http_request *request, const char *data, size_t *bytes)
{
  if (request->discarded_bytes > 0
      || *bytes > sizeof request->body - request->body_bytes) {
    /* Read on: a client that still sends does not see the answer. */
    request->discarded_bytes += *bytes;
    if (request->discarded_bytes > DISCARD_MAX)
      return MHD_NO;
  }
  else {
    memcpy (request->body + request->body_bytes, data, *bytes);
    request->body_bytes += *bytes;
  }
  *bytes = 0;
  return MHD_YES;
}

struct query_list {
  struct api_request *request;
  bool overflow;
};

static enum MHD_Result
take_query (void *opaque, enum MHD_ValueKind kind, const char *key,
            const char *value)
{
  struct query_list *list = opaque;
  struct api_request *api = list->request;

  if (api->nr_query == API_QUERY_MAX) {
    list->overflow = true;
    return MHD_NO;
  }
  api->query[api->nr_query++] =
    (struct api_query) { .key = key, .value = value };
  return MHD_YES;
}

static enum MHD_Result
execute (struct control *control, struct MHD_Connection *connection,
         const char *method, const char *path, struct http_request *request)
{
  struct api_request api = {
    .method = method,
    .path = path,
    .body = request->body,
    .body_bytes = request->body_bytes,
  };
  struct query_list list = { .request = &api };
  struct api_reply reply;
  struct error err;

  if (request->discarded_bytes > 0)
    return refuse_body (connection);
  MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, take_query,
                             &list);
  if (list.overflow) {
    error_set (&err, EINVAL, "api: query: has more than %d members",
               API_QUERY_MAX);
    return refuse (connection, MHD_HTTP_BAD_REQUEST, &err);
  }
  api_handle (control->server, &api, &reply);
  log_debug ("control: %s %s: %u", method, path, reply.status);
  return send_reply (connection, &reply);
}

/* Called once for the header, then for each piece of the body, then once
 * more with no bytes. */
static enum MHD_Result
handle (void *opaque, struct MHD_Connection *connection, const char *path,
        const char *method, const char *version, const char *data,
        size_t *bytes, void **request)
{
  if (!*request)
    return begin_request (opaque, connection,
                          (struct http_request **) request);
  if (*bytes > 0)
    return take_body (*request, data, bytes);
  return execute (opaque, connection, method, path, *request);
}

static void
completed (void *opaque, struct MHD_Connection *connection, void **request,
           enum MHD_RequestTerminationCode code)
{
  struct control *control = opaque;

  free (*request);
  *request = NULL;
  if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
    http_connections_idle (&control->connections, connection);
}

static size_t
unescape (void *opaque, struct MHD_Connection *connection, char *text)
{
  return percent_decode (text);
}

static void __attribute__ ((format (printf, 2, 0)))
log_from_library (void *opaque, const char *fmt, va_list args)
{
  struct error line;

  error_vset (&line, 0, fmt, args);
  line.message[strcspn (line.message, "\n")] = '\0';
  log_debug ("control: %s", line.message);
}

/* --- the socket ------------------------------------------------------- */

int
control_make_directory (const char *path, struct error *err)
{
  mode_t mode = geteuid () == 0 ? 0755 : 0700;
  char copy[CONTROL_PATH_MAX], *dir;

  strcpy (copy, path);
  dir = dirname (copy);
  if (mkdir (dir, 0700) == -1) {
    if (errno == EEXIST)
      return 0;
    return error_set (err, errno, "control: %s: cannot make this directory: "
                      "%s; name a socket with --control", dir,
                      strerror (errno));
  }
  if (chmod (dir, mode) == -1)  /* whatever umask says */
    return error_set (err, errno, "control: %s: %s", dir, strerror (errno));
  return 0;
}

/* Bound under main's umask, nobody else can connect before the mode says
 * who may. */
static int
open_socket (const char *path, struct error *err)
{
  struct address address = { .family = ADDRESS_UNIX };
  int fd, r;

  r = control_make_directory (path, err);
  if (r < 0)
    return r;
  strcpy (address.path, path);
  fd = stream_listen (&address, err);
  if (fd < 0)
    return fd;
  if (chmod (path, 0660) == -1) {
    r = error_set (err, errno, "control: %s: %s", path, strerror (errno));
    unlink (path);
    close (fd);
    return r;
  }
  return fd;
}

static int
start_library (struct control *control, struct error *err)
{
  control->daemon =
    MHD_start_daemon (MHD_USE_INTERNAL_POLLING_THREAD
                      | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL
                      | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET
                      | MHD_USE_ERROR_LOG,
                      0, NULL, NULL, handle, control,
                      MHD_OPTION_EXTERNAL_LOGGER, log_from_library, NULL,
                      MHD_OPTION_CONNECTION_LIMIT, HTTP_LIBRARY_MAX,
                      MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
                      MHD_OPTION_NOTIFY_COMPLETED, completed, control,
                      MHD_OPTION_NOTIFY_CONNECTION, http_connections_notify,
                      &control->connections,
                      MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
                      MHD_OPTION_END);
  if (control->daemon)
    return 0;
  return error_set (err, EIO, "control: %s: the HTTP server does not start",
                    control->path);
}

int
control_start (const struct api_server *server, const char *path,
               struct control **control, struct error *err)
{
  struct control *c;
  int r;

  c = calloc (1, sizeof *c);
  if (!c)
    return error_set (err, ENOMEM, "control: %s: out of memory", path);
  c->server = server;
  http_connections_init (&c->connections);
  strcpy (c->path, path);
  r = c->listen_fd = open_socket (path, err);
  if (r < 0) {
    free (c);
    return r;
  }
  r = start_library (c, err);
  if (r == 0)
    r = http_acceptor_start (c->listen_fd, c->path, c->daemon,
                             &c->connections, &c->acceptor, err);
  if (r < 0) {
    control_stop (c);
    return r;
  }
  *control = c;
  return 0;
}

void
control_stop (struct control *control)
{
  if (!control)
    return;
  /* While the socket is bound nobody replaces it; afterwards the name may be
   * another server's. */
  unlink (control->path);
  http_acceptor_stop (control->acceptor);
  close (control->listen_fd);
  if (control->daemon)
    MHD_stop_daemon (control->daemon);
  free (control);
}
