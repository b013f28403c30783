/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON of the management API: what it tells, and what it takes.
 * Functions that return a json_t return a new reference, or NULL for want of
 * memory.
 */
#ifndef QBD_CONTROL_API_JSON_H
#define QBD_CONTROL_API_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "server/control/api.h"

/* {"error": {"code": "EEXIST", "message": "create: ..."}} */
json_t *api_json_error (const struct error *err);

json_t *api_json_status (const struct api_server *server);
json_t *api_json_pools (struct volumes *volumes);

/* For volumes_check; opaque is an array. */
void api_json_append_finding (void *opaque,
                              const struct engine_finding *finding);

/* For volumes_list; opaque is the array. */
void api_json_append_volume (void *opaque, const struct volume_info *info);
/* For the rest of volumes.h; opaque is a json_t **. */
void api_json_set_volume (void *opaque, const struct volume_info *info);

/* A member of a request's object.  value points to a const char * (which
 * lives as long as the body), a json_int_t, or an int for JSON_TRUE, which
 * stands for both booleans. */
struct api_member {
  const char *name;
  json_type type;
  bool required;
  void *value;
};

#define API_MEMBER_MAX 8

/* The body is one object of these members (ended by a NULL name) and no
 * others.  what is the operation, for messages.  *body keeps the strings. */
int api_json_parse (const char *what, const struct api_request *request,
                    const struct api_member *members, json_t **body,
                    struct error *err);

/* The same of "?name=value&...": strings and booleans; value of those that
 * are required is NULL before.  Strings live as long as the request. */
int api_query_parse (const char *what, const struct api_request *request,
                     const struct api_member *members, struct error *err);

#endif
