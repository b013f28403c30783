/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server counts, in Prometheus' text format 0.0.4.  Any thread but a
 * reactor's; man/qbd-api.pod documents each metric.
 */
#ifndef QBD_CONTROL_METRICS_H
#define QBD_CONTROL_METRICS_H

#include "server/control/api.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The caller frees it.  NULL: out of memory. */
char *metrics_text (const struct api_server *server);

#endif
