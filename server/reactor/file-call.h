/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One file request as one system call.  Any thread that may block.
 */
#ifndef QBD_REACTOR_FILE_CALL_H
#define QBD_REACTOR_FILE_CALL_H

#include "server/reactor/reactor.h"

/* Bytes or -errno. */
int64_t file_call (const struct reactor_file_io *io);

#endif
