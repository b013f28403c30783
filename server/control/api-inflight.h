/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET of /v1/inflight and /v1/inflight/POOL/VOL.
 */
#ifndef QBD_CONTROL_API_INFLIGHT_H
#define QBD_CONTROL_API_INFLIGHT_H

#include <jansson.h>

#include "server/control/api.h"

/* name is empty for all volumes. */
int api_get_inflight (const struct api_server *server,
                      const struct api_request *request, const char *name,
                      json_t **json, struct error *err);

#endif
