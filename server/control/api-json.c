/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON of the management API.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/usage.h"
#include "server/control/api-json.h"

/* --- out -------------------------------------------------------------- */

/* A message may repeat bytes that a client sent, and JSON is UTF-8. */
static json_t *
message_string (const char *text)
{
  json_t *json = json_string (text);
  char ascii[sizeof ((struct error *) NULL)->message];
  size_t i;

  if (json)
    return json;
  for (i = 0; i < sizeof ascii - 1 && text[i]; ++i)
    ascii[i] = (text[i] & 0x80) ? '?' : text[i];
  ascii[i] = '\0';
  return json_string (ascii);
}

json_t *
api_json_error (const struct error *err)
{
  const char *code = strerrorname_np (err->code);

  return json_pack ("{s:{s:s, s:o}}", "error",
                    "code", code ? code : "EIO",
                    "message", message_string (err->message));
}

static const char *
state_name (bool is_fenced)
{
  return is_fenced ? "fenced" : "ready";
}

static json_t *
number_or_null (bool valid, uint64_t number)
{
  return valid ? json_integer ((json_int_t) number) : json_null ();
}

/* json_pack keeps quiet about a NULL array element and fails as a whole at
 * its end: so do these, by leaving the element out. */
static void
append_pool_brief (void *opaque, const struct pool_info *info)
{
  json_array_append_new (opaque,
                         json_pack ("{s:s, s:s, s:s, s:o, s:s, s:o, s:I}",
                                    "name", info->name,
                                    "state", state_name (info->is_fenced),
                                    "engine", info->engine,
                                    "url", json_sprintf ("%s:%s",
                                                         info->engine,
                                                         info->argument),
                                    "domain", info->domain,
                                    "gateway",
                                    number_or_null (info->has_gateways,
                                                    info->gateway),
                                    "gateways_fenced",
                                    (json_int_t) info->nr_fenced));
}

static void
append_pool_stat (void *opaque, const struct pool_info *info)
{
  json_t *list = opaque, *pool;

  append_pool_brief (list, info);
  pool = json_array_get (list, json_array_size (list) - 1);
  json_object_set_new (pool, "capacity_bytes",
                       number_or_null (info->stat_valid,
                                       info->stat.capacity_bytes));
  json_object_set_new (pool, "free_bytes",
                       number_or_null (info->stat_valid,
                                       info->stat.free_bytes));
  json_object_set_new (pool, "volumes", json_integer (info->nr_volumes));
}

json_t *
api_json_pools (struct volumes *volumes)
{
  json_t *list = json_array ();

  volumes_stat_pools (volumes, append_pool_stat, list);
  return json_pack ("{s:o}", "pools", list);
}

static void
append_listener (void *opaque, const struct address *address,
                 const char *ana)
{
  char text[ADDRESS_TEXT_MAX];

  address_format (address, text, sizeof text);
  json_array_append_new (opaque, json_pack ("{s:s, s:s}", "address", text,
                                            "ana", ana));
}

json_t *
api_json_status (const struct api_server *server)
{
  json_t *pools = json_array (), *listeners = json_array ();

  volumes_each_pool (server->volumes, append_pool_brief, pools);
  server->each_listener (server->server, append_listener, listeners);
  /* The control socket opens last: who can ask finds the server ready. */
  return json_pack ("{s:s, s:s, s:i, s:i, s:s, s:i, s:o, s:o}",
                    "state", "ready",
                    "version", PACKAGE_VERSION,
                    "pid", (int) getpid (),
                    "reactors", (int) server->nr_reactors,
                    "file_backend", server->file_backend,
                    "connections", (int) server->connections (),
                    "pools", pools,
                    "listeners", listeners);
}

static void
append_host (void *opaque, const struct subsystem_host *host)
{
  json_array_append_new (opaque,
                         json_pack ("{s:o, s:s, s:i, s:i, s:I}",
                                    "nqn", message_string (host->hostnqn),
                                    "address", host->address,
                                    "cntlid", (int) host->cntlid,
                                    "io_queues", (int) host->nr_io_queues,
                                    "since",
                                    (json_int_t) host->since_s));
}

/* null: there is no list. */
static json_t *
allowed_hosts (const struct volume_info *info)
{
  json_t *list;

  if (!info->hosts || !info->hosts->masked)
    return json_null ();
  list = json_array ();
  for (unsigned i = 0; i < info->hosts->nr; i++)
    json_array_append_new (list, message_string (info->hosts->names[i]));
  return list;
}

static json_t *
volume_json (const struct volume_info *info)
{
  json_t *hosts, *name = json_sprintf ("%s/%s", info->pool, info->name);
  unsigned attached;

  if (info->failed)
    return json_pack ("{s:o, s:s, s:o}", "name", name, "state", "failed",
                      "reason", message_string (info->failed));
  hosts = json_array ();
  attached = subsystem_each_host (info->subsystem, append_host, hosts);
  return json_pack ("{s:o, s:s, s:I, s:o, s:I, s:s, s:s, s:s, s:b, s:o, s:i, "
                    "s:o}",
                    "name", name,
                    "state", state_name (info->is_fenced),
                    "size_bytes", (json_int_t) info->size_bytes,
                    "allocated_bytes", number_or_null (info->allocated_valid,
                                                       info->allocated_bytes),
                    "block_size", (json_int_t) info->block_size,
                    "uuid", info->uuid,
                    "nqn", info->nqn,
                    "serial", info->serial,
                    "read_only", (int) info->read_only,
                    "allowed_hosts", allowed_hosts (info),
                    "attached", (int) attached,
                    "hosts", hosts);
}

void
api_json_append_volume (void *opaque, const struct volume_info *info)
{
  json_array_append_new (opaque, volume_json (info));
}

void
api_json_set_volume (void *opaque, const struct volume_info *info)
{
  *(json_t **) opaque = volume_json (info);
}

void
api_json_append_finding (void *opaque, const struct engine_finding *finding)
{
  json_array_append_new (opaque,
                         json_pack ("{s:o, s:o, s:b}",
                                    "object", message_string (finding->object),
                                    "problem", message_string (finding->text),
                                    "repaired", (int) finding->repaired));
}

/* --- in --------------------------------------------------------------- */

static int
unknown_member (const char *what, const char *key,
                const struct api_member *members, struct error *err)
{
  const char *names[API_MEMBER_MAX + 1];
  char prefix[64];
  size_t n = 0;

  for (; members->name && n < API_MEMBER_MAX; ++members)
    names[n++] = members->name;
  names[n] = NULL;
  snprintf (prefix, sizeof prefix, "%s: member", what);
  return usage_unknown (prefix, key, names, err);
}

static int
take_member (const char *what, const struct api_member *member,
             const json_t *value, struct error *err)
{
  switch (member->type) {
  case JSON_STRING:
    if (!json_is_string (value))
      return error_set (err, EINVAL, "%s: %s: must be a string",
                        what, member->name);
    *(const char **) member->value = json_string_value (value);
    return 0;
  case JSON_INTEGER:
    if (!json_is_integer (value))
      return error_set (err, EINVAL, "%s: %s: must be an integer",
                        what, member->name);
    *(json_int_t *) member->value = json_integer_value (value);
    return 0;
  default:
    if (!json_is_boolean (value))
      return error_set (err, EINVAL, "%s: %s: must be true or false",
                        what, member->name);
    *(int *) member->value = json_is_true (value);
    return 0;
  }
}

static int
take_members (const char *what, const struct api_member *members,
              json_t *body, struct error *err)
{
  const struct api_member *m;
  const char *key;
  json_t *value;
  int r;

  if (!json_is_object (body))
    return error_set (err, EINVAL, "%s: body: is no JSON object", what);
  json_object_foreach (body, key, value) {
    for (m = members; m->name; ++m)
      if (strcmp (m->name, key) == 0)
        break;
    if (!m->name)
      return unknown_member (what, key, members, err);
    r = take_member (what, m, value, err);
    if (r < 0)
      return r;
  }
  for (m = members; m->name; ++m)
    if (m->required && !json_object_get (body, m->name))
      return error_set (err, EINVAL, "%s: %s: is missing", what, m->name);
  return 0;
}

int
api_json_parse (const char *what, const struct api_request *request,
                const struct api_member *members, json_t **body,
                struct error *err)
{
  json_error_t where;
  int r;

  *body = json_loadb (request->body, request->body_bytes,
                      JSON_REJECT_DUPLICATES, &where);
  if (!*body)
    return error_set (err, EINVAL, "%s: body: %s (line %d, column %d)",
                      what, where.text, where.line, where.column);
  r = take_members (what, members, *body, err);
  if (r < 0)
    json_decref (*body);
  return r;
}

static int
take_query (const char *what, const struct api_query *query,
            const struct api_member *members, struct error *err)
{
  const struct api_member *m;

  for (m = members; m->name; ++m)
    if (strcmp (m->name, query->key) == 0)
      break;
  if (!m->name)
    return unknown_member (what, query->key, members, err);
  if (!query->value)
    return error_set (err, EINVAL, "%s: %s: has no value", what, m->name);
  if (m->type == JSON_STRING)
    *(const char **) m->value = query->value;
  else if (strcmp (query->value, "true") == 0)
    *(int *) m->value = 1;
  else if (strcmp (query->value, "false") == 0)
    *(int *) m->value = 0;
  else
    return error_set (err, EINVAL, "%s: %s: must be true or false", what,
                      m->name);
  return 0;
}

int
api_query_parse (const char *what, const struct api_request *request,
                 const struct api_member *members, struct error *err)
{
  for (unsigned i = 0; i < request->nr_query; i++) {
    int r = take_query (what, &request->query[i], members, err);

    if (r < 0)
      return r;
    for (unsigned k = 0; k < i; k++)
      if (strcmp (request->query[k].key, request->query[i].key) == 0)
        return error_set (err, EINVAL, "%s: %s: is given twice", what,
                          request->query[i].key);
  }
  for (const struct api_member *m = members; m->name; ++m)
    if (m->required && !*(const char **) m->value)
      return error_set (err, EINVAL, "%s: %s: is missing", what, m->name);
  return 0;
}
