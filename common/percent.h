/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Percent decoding (RFC 3986), of URIs that others wrote.
 */
#ifndef QBD_PERCENT_H
#define QBD_PERCENT_H

#include <stddef.h>

/* In place; returns what is left.  "%00" stays as it is, as what is no code
 * does: decoded, it would cut off what is behind it, and name another thing. */
size_t percent_decode (char *text);

#endif
