/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all transports of the server share.
 */
#ifndef QBD_TRANSPORT_INTERNAL_H
#define QBD_TRANSPORT_INTERNAL_H

/* A connection came (+1), or is gone with all its memory (-1): any thread. */
void transport_count (int change);

#endif
