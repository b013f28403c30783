/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The management API's routes.  It knows HTTP's methods and status codes,
 * but no connection; JSON in and out is api-json.c's.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "server/control/api-hosts.h"
#include "server/control/api-inflight.h"
#include "server/control/api-json.h"
#include "server/control/api.h"
#include "server/control/metrics.h"

#define CHECK_PATH "/v1/check"
#define VOLUMES_PATH "/v1/volumes"
#define HOSTS_PATH "/v1/hosts/"
#define INFLIGHT_PATH "/v1/inflight"

/* name is what follows a route that ends in '/'.  Returns HTTP's status
 * with *json set, or -errno. */
typedef int handler_fn (const struct api_server *server,
                        const struct api_request *request, const char *name,
                        json_t **json, struct error *err);

static unsigned
status_of_error (int code)
{
  switch (code) {
  case EINVAL:
  case E2BIG:
  case ERANGE:
  case ENAMETOOLONG:
  case EFBIG:
    return 400;
  case EPERM:
  case EACCES:
  case EROFS:
    return 403;
  case ENOENT:
    return 404;
  case EEXIST:
  case EBUSY:
    return 409;
  case ENOSPC:
  case EDQUOT:
    return 507;
  default:
    return 500;
  }
}

/* --- handlers --------------------------------------------------------- */

static int
get_status (const struct api_server *server,
            const struct api_request *request, const char *name,
            json_t **json, struct error *err)
{
  *json = api_json_status (server);
  return 200;
}

static int
get_pools (const struct api_server *server,
           const struct api_request *request, const char *name,
           json_t **json, struct error *err)
{
  *json = api_json_pools (server->volumes);
  return 200;
}

static int
get_volumes (const struct api_server *server,
             const struct api_request *request, const char *name,
             json_t **json, struct error *err)
{
  const char *pool = NULL;
  const struct api_member members[] = {
    { "pool", JSON_STRING, false, &pool },
    { NULL, 0, false, NULL },
  };
  json_t *list;
  int r;

  r = api_query_parse ("ls", request, members, err);
  if (r < 0)
    return r;
  list = json_array ();
  r = volumes_list (server->volumes, pool, api_json_append_volume, list,
                    err);
  if (r < 0) {
    json_decref (list);
    return r;
  }
  *json = json_pack ("{s:o}", "volumes", list);
  return 200;
}

static int
post_volume (const struct api_server *server,
             const struct api_request *request, const char *name,
             json_t **json, struct error *err)
{
  const char *volume = NULL;
  json_int_t size_bytes = 0, block_size = VOLUMES_BLOCK_SIZE_DEFAULT;
  const struct api_member members[] = {
    { "name", JSON_STRING, true, &volume },
    { "size_bytes", JSON_INTEGER, true, &size_bytes },
    { "block_size", JSON_INTEGER, false, &block_size },
    { NULL, 0, false, NULL },
  };
  json_t *body;
  int r;

  r = api_json_parse ("create", request, members, &body, err);
  if (r < 0)
    return r;
  r = volumes_create (server->volumes, volume, size_bytes, block_size,
                      api_json_set_volume, json, err);
  json_decref (body);
  return r < 0 ? r : 201;
}

static int
get_volume (const struct api_server *server,
            const struct api_request *request, const char *name,
            json_t **json, struct error *err)
{
  int r;

  r = volumes_info (server->volumes, name, api_json_set_volume, json, err);
  return r < 0 ? r : 200;
}

static int
patch_volume (const struct api_server *server,
              const struct api_request *request, const char *name,
              json_t **json, struct error *err)
{
  json_int_t size_bytes = -1;
  int shrink = 0, read_only = -1;
  const struct api_member members[] = {
    { "size_bytes", JSON_INTEGER, false, &size_bytes },
    { "shrink", JSON_TRUE, false, &shrink },
    { "read_only", JSON_TRUE, false, &read_only },
    { NULL, 0, false, NULL },
  };
  json_t *body;
  int r;

  r = api_json_parse ("change", request, members, &body, err);
  if (r < 0)
    return r;
  if ((json_object_get (body, "size_bytes") != NULL) == (read_only >= 0))
    r = error_set (err, EINVAL, "change: %.230s: must be one of size_bytes "
                   "and read_only", name);
  else if (read_only >= 0)
    r = volumes_set_read_only (server->volumes, name, read_only,
                               api_json_set_volume, json, err);
  else
    r = volumes_resize (server->volumes, name, size_bytes, shrink,
                        api_json_set_volume, json, err);
  json_decref (body);
  return r < 0 ? r : 200;
}

static int
delete_volume (const struct api_server *server,
               const struct api_request *request, const char *name,
               json_t **json, struct error *err)
{
  int force = 0;
  const struct api_member members[] = {
    { "force", JSON_TRUE, false, &force },
    { NULL, 0, false, NULL },
  };
  int r;

  r = api_query_parse ("rm", request, members, err);
  if (r == 0)
    r = volumes_remove (server->volumes, name, force, err);
  if (r < 0)
    return r;
  *json = json_pack ("{s:s}", "removed", name);
  return 200;
}

static int
post_check (const struct api_server *server,
            const struct api_request *request, const char *name,
            json_t **json, struct error *err)
{
  const char *pool = NULL;
  int repair = 0;
  const struct api_member members[] = {
    { "pool", JSON_STRING, true, &pool },
    { "repair", JSON_TRUE, false, &repair },
    { NULL, 0, false, NULL },
  };
  json_t *body, *findings;
  unsigned nr_volumes;
  int r;

  r = api_json_parse ("check", request, members, &body, err);
  if (r < 0)
    return r;
  findings = json_array ();
  r = volumes_check (server->volumes, pool, repair, api_json_append_finding,
                     findings, &nr_volumes, err);
  if (r < 0)
    json_decref (findings);
  else
    *json = json_pack ("{s:s, s:i, s:o}", "pool", pool,
                       "volumes", (int) nr_volumes, "findings", findings);
  json_decref (body);
  return r < 0 ? r : 200;
}

static int
get_check (const struct api_server *server,
           const struct api_request *request, const char *name,
           json_t **json, struct error *err)
{
  uint64_t done, total;
  int r;

  r = volumes_check_progress (server->volumes, name, &done, &total, err);
  if (r < 0)
    return r;
  *json = json_pack ("{s:s, s:b, s:I, s:I}", "pool", name,
                     "running", total > 0, "done", (json_int_t) done,
                     "total", (json_int_t) total);
  return 200;
}

/* --- routes ----------------------------------------------------------- */

struct route {
  const char *path;             /* one that ends in '/' takes a name */
  const char *method;
  bool query;
  bool body;
  handler_fn *handler;          /* NULL: the metrics, which are no JSON */
};

static const struct route routes[] = {
  { "/v1/status", "GET", false, false, get_status },
  { "/v1/pools", "GET", false, false, get_pools },
  { "/metrics", "GET", false, false, NULL },
  { CHECK_PATH, "POST", false, true, post_check },
  { CHECK_PATH "/", "GET", false, false, get_check },
  { VOLUMES_PATH, "GET", true, false, get_volumes },
  { VOLUMES_PATH, "POST", false, true, post_volume },
  { VOLUMES_PATH "/", "GET", false, false, get_volume },
  { VOLUMES_PATH "/", "PATCH", false, true, patch_volume },
  { VOLUMES_PATH "/", "DELETE", true, false, delete_volume },
  { HOSTS_PATH, "POST", false, true, api_post_host },
  { HOSTS_PATH, "DELETE", true, false, api_delete_host },
  { INFLIGHT_PATH, "GET", false, false, api_get_inflight },
  { INFLIGHT_PATH "/", "GET", false, false, api_get_inflight },
};

/* What may be done with a path, for Allow. */
static const struct {
  const char *path;
  const char *methods;
} allowed[] = {
  { "/v1/status", "GET, HEAD" },
  { "/v1/pools", "GET, HEAD" },
  { "/metrics", "GET, HEAD" },
  { CHECK_PATH, "POST" },
  { CHECK_PATH "/", "GET, HEAD" },
  { VOLUMES_PATH, "GET, HEAD, POST" },
  { VOLUMES_PATH "/", "GET, HEAD, PATCH, DELETE" },
  { HOSTS_PATH, "POST, DELETE" },
  { INFLIGHT_PATH, "GET, HEAD" },
  { INFLIGHT_PATH "/", "GET, HEAD" },
};

#define N_ELEMENTS(array) (sizeof (array) / sizeof (array)[0])

static bool
path_matches (const char *pattern, const char *path)
{
  size_t len = strlen (pattern);

  if (pattern[len - 1] == '/')
    return strncmp (pattern, path, len) == 0;
  return strcmp (pattern, path) == 0;
}

static const struct route *
find_route (const struct api_request *request)
{
  const char *method = request->method;

  if (strcmp (method, "HEAD") == 0)
    method = "GET";
  for (size_t i = 0; i < N_ELEMENTS (routes); ++i)
    if (path_matches (routes[i].path, request->path)
        && strcmp (routes[i].method, method) == 0)
      return &routes[i];
  return NULL;
}

static void
refuse_route (const struct api_request *request, struct api_reply *reply)
{
  struct error err;

  for (size_t i = 0; i < N_ELEMENTS (allowed); ++i)
    if (path_matches (allowed[i].path, request->path)) {
      error_set (&err, EOPNOTSUPP, "api: %.20s %.200s: method is not one of "
                 "%s", request->method, request->path, allowed[i].methods);
      api_refuse (405, &err, reply);
      reply->allow = allowed[i].methods;
      return;
    }
  error_set (&err, ENOENT, "api: %.200s: no such path", request->path);
  api_refuse (404, &err, reply);
}

void
api_refuse (unsigned status, const struct error *err, struct api_reply *reply)
{
  json_t *json = api_json_error (err);

  reply->status = status;
  reply->allow = NULL;
  reply->content_type = "application/json";
  reply->body = json ? json_dumps (json, JSON_INDENT (2)) : NULL;
  json_decref (json);
}

void
api_handle (const struct api_server *server,
            const struct api_request *request, struct api_reply *reply)
{
  const struct route *route = find_route (request);
  json_t *json = NULL;
  struct error err;
  int r;

  if (!route) {
    refuse_route (request, reply);
    return;
  }
  if (request->nr_query > 0 && !route->query)
    r = error_set (&err, EINVAL, "api: %.200s?%.40s: no query is known here",
                   request->path, request->query[0].key);
  else if (request->body_bytes > 0 && !route->body)
    r = error_set (&err, EINVAL, "api: %.20s %.200s: takes no body",
                   request->method, request->path);
  else if (!route->handler) {
    *reply = (struct api_reply) {
      .status = 200, .content_type = METRICS_CONTENT_TYPE,
      .body = metrics_text (server),
    };
    return;
  }
  else
    r = route->handler (server, request,
                        request->path + strlen (route->path), &json, &err);
  if (r < 0) {
    api_refuse (status_of_error (err.code), &err, reply);
    return;
  }
  reply->status = r;
  reply->allow = NULL;
  reply->content_type = "application/json";
  reply->body = json ? json_dumps (json, JSON_INDENT (2)) : NULL;
  json_decref (json);
}
