/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines for the administrator: connections that are lost, and that are there
 * again.
 *
 * libqbd tells of them in a thread that has to make new ones.  To write a line
 * may wait for a logging service, and that for memory that is swapped to this
 * very volume: so another thread does it.
 */
#ifndef QBD_PLUGIN_NOTICE_H
#define QBD_PLUGIN_NOTICE_H

/* 0 or an errno.  Main thread. */
int notice_start (void);
/* Those that are there are written before. */
void notice_stop (void);

/* For qbd_config_set_notice.  Any thread; never waits. */
void notice (void *opaque, const char *message);

#endif
