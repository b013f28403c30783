/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the control socket is when nobody says: server and CLI must agree.
 *
 *   $QBD_CONTROL, else /run/qbd/control, else $XDG_RUNTIME_DIR/qbd/control
 */
#ifndef QBD_CONTROL_PATH_H
#define QBD_CONTROL_PATH_H

#include "common/error.h"

#define CONTROL_PATH_SYSTEM "/run/qbd/control"
#define CONTROL_PATH_MAX 108            /* sockaddr_un's, with the NUL */

/* The server's: the first of them whose directory it can write to, or could
 * make.  -errno with err set when the path does not fit. */
int control_path_serve (char path[CONTROL_PATH_MAX], struct error *err);

/* A client's: the first of them that is there; with none, the system's. */
int control_path_find (char path[CONTROL_PATH_MAX], struct error *err);

/* Copies a path that somebody gave, when it fits. */
int control_path_set (char path[CONTROL_PATH_MAX], const char *text,
                      struct error *err);

#endif
