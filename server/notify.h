/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a service manager is told about our state, as sd_notify(3) does it: a
 * datagram to $NOTIFY_SOCKET.  Nothing happens where that is not set.  Any
 * thread; never blocks.
 */
#ifndef QBD_SERVER_NOTIFY_H
#define QBD_SERVER_NOTIFY_H

void notify_ready (void);
void notify_reloading (void);   /* until notify_ready */
void notify_stopping (void);

#endif
