/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POST and DELETE of /v1/hosts/POOL/VOL.
 */
#include <errno.h>

#include "server/control/api-hosts.h"
#include "server/control/api-json.h"

int
api_post_host (const struct api_server *server,
               const struct api_request *request, const char *name,
               json_t **json, struct error *err)
{
  const char *nqn = NULL;
  int force = 0;
  const struct api_member members[] = {
    { "nqn", JSON_STRING, true, &nqn },
    { "force", JSON_TRUE, false, &force },
    { NULL, 0, false, NULL },
  };
  json_t *body;
  int r;

  r = api_json_parse ("host", request, members, &body, err);
  if (r < 0)
    return r;
  r = volumes_add_host (server->volumes, name, nqn, force,
                        api_json_set_volume, json, err);
  json_decref (body);
  return r < 0 ? r : 201;
}

int
api_delete_host (const struct api_server *server,
                 const struct api_request *request, const char *name,
                 json_t **json, struct error *err)
{
  const char *nqn = NULL;
  int force = 0, list = 0;
  const struct api_member members[] = {
    { "nqn", JSON_STRING, false, &nqn },
    { "list", JSON_TRUE, false, &list },
    { "force", JSON_TRUE, false, &force },
    { NULL, 0, false, NULL },
  };
  int r;

  r = api_query_parse ("host", request, members, err);
  if (r < 0)
    return r;
  if ((nqn != NULL) == (list != 0))
    return error_set (err, EINVAL, "host: %.230s: must be one of nqn and "
                      "list=true", name);
  if (list)
    r = volumes_forget_hosts (server->volumes, name, force,
                              api_json_set_volume, json, err);
  else
    r = volumes_remove_host (server->volumes, name, nqn, force,
                             api_json_set_volume, json, err);
  return r < 0 ? r : 200;
}
