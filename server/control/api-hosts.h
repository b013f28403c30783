/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The routes below /v1/hosts: who may attach a volume.  As handlers in api.c:
 * HTTP's status with *json set, or -errno.
 */
#ifndef QBD_CONTROL_API_HOSTS_H
#define QBD_CONTROL_API_HOSTS_H

#include <jansson.h>

#include "server/control/api.h"

int api_post_host (const struct api_server *server,
                   const struct api_request *request, const char *name,
                   json_t **json, struct error *err);
int api_delete_host (const struct api_server *server,
                     const struct api_request *request, const char *name,
                     json_t **json, struct error *err);

#endif
