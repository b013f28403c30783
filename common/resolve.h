/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking up a host's addresses, with a deadline.
 */
#ifndef QBD_RESOLVE_H
#define QBD_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

/* getaddrinfo's result for a stream socket, for freeaddrinfo; port is a
 * number.  0 or EAI_*: EAI_SYSTEM with errno ETIMEDOUT at deadline_ms
 * (clock_now_ms), ESHUTDOWN when cancel_fd (or -1) is readable, EAGAIN when too
 * many look-ups hang already.
 *
 * A numeric address is never waited for.  Else a thread does it: the resolver
 * cannot be interrupted, and one that hangs is left behind with its thread. */
int resolve (const char *host, const char *port, uint64_t deadline_ms,
             int cancel_fd, struct addrinfo **list);

#endif
