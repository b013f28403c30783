/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests in flight as JSON: the same that an nbdkit with the parameter
 * control= tells (plugin/), so that one reader does for both.
 */
#include "server/control/api-inflight.h"
#include "server/control/inflight.h"

/* As qbd(1) has them. */
static const char *const stages[TARGET_NR_STAGES] = {
  [TARGET_STAGE_CAPSULE] = "capsule",
  [TARGET_STAGE_BUFFER] = "buffer",
  [TARGET_STAGE_DATA] = "host-data",
  [TARGET_STAGE_ENGINE] = "engine",
  [TARGET_STAGE_CONTROLLER] = "old-controller",
  [TARGET_STAGE_RESPONSE] = "response",
};

static const char *
or_null (const char *text)
{
  return text[0] ? text : NULL;
}

static json_t *
describe (const struct target_inflight *command)
{
  return json_pack ("{s:I, s:s, s:I, s:s, s:I, s:I, s:s?, s:s, s:s?, s:i, "
                    "s:i, s:i, s:b}",
                    "age_ms", (json_int_t) command->age_ms,
                    "stage", stages[command->stage],
                    "stage_ms", (json_int_t) command->stage_ms,
                    "op", command->op,
                    "offset_bytes", (json_int_t) command->offset_bytes,
                    "length_bytes", (json_int_t) command->length_bytes,
                    "volume", or_null (command->volume),
                    "path", command->address,
                    "host", or_null (command->hostnqn),
                    "cntlid", command->cntlid,
                    "qid", command->qid,
                    "cid", command->cid,
                    "fenced", command->fenced);
}

static json_t *
describe_all (const struct inflight *inflight)
{
  json_t *requests = json_array (), *silent = json_array ();

  for (unsigned i = 0; i < inflight->nr; i++)
    json_array_append_new (requests, describe (&inflight->commands[i]));
  for (unsigned i = 0; i < inflight->nr_silent; i++)
    json_array_append_new (silent, json_integer (inflight->silent[i]));
  return json_pack ("{s:s, s:o, s:I, s:o}", "program", "qbd-server",
                    "requests", requests,
                    "more", (json_int_t) (inflight->total - inflight->nr),
                    "silent_reactors", silent);
}

int
api_get_inflight (const struct api_server *server,
                  const struct api_request *request, const char *name,
                  json_t **json, struct error *err)
{
  struct inflight inflight;
  int r;

  r = inflight_gather (server->volumes, or_null (name), &inflight, err);
  if (r < 0)
    return r;
  *json = describe_all (&inflight);
  inflight_free (&inflight);
  return 200;
}
