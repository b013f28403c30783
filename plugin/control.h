/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parameter control=SOCKET: what requests are in flight, for who asks why
 * they do not come back.  It answers qbd inflight, whatever hangs.
 */
#ifndef QBD_PLUGIN_CONTROL_H
#define QBD_PLUGIN_CONTROL_H

/* -1 with an error reported. */
int control_config (const char *path);
/* Before nbdkit forks, and in the process that will serve; -1 with an error
 * reported.  Without the parameter they do nothing. */
int control_open (void);
int control_start (void);
void control_stop (void);

#endif
