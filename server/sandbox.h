/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sandbox: after it was entered, the process reaches its pools, the
 * directories of its sockets and its configuration, and what libraries read;
 * it starts no programs, and cannot be read by others of its user.  SECURITY.md
 * says against whom.
 *
 * Only the main thread changes it, before there are others; after that it is
 * constant.
 */
#ifndef QBD_SERVER_SANDBOX_H
#define QBD_SERVER_SANDBOX_H

#include "common/error.h"
#include "server/options.h"

/* options are complete.  A line of log says what holds: what the kernel cannot
 * do is left out. */
int sandbox_enter (const struct options *options, struct error *err);

/* Whether a server that was started with other settings reaches what these
 * name; always, when it is in no sandbox. */
int sandbox_check (const struct options *anew, struct error *err);

#endif
