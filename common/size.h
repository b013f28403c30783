/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sizes as people write them: binary, "10G", "512M", "1.5T", "4096".
 */
#ifndef QBD_SIZE_H
#define QBD_SIZE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* Suffixes B K M G T P E, any case, optionally followed by "iB" or "B";
 * powers of 1024.  A fraction is allowed with a suffix when the result is a
 * whole number of bytes.  Negative, zero, empty, above 2^63 - 1 or malformed:
 * -EINVAL or -ERANGE, message "WHAT: TEXT: reason". */
int size_parse (const char *what, const char *text,
                uint64_t *bytes, struct error *err);

/* "10G", "1.5T", "512": shortest exact or one decimal.  buf of 32 is enough. */
const char *size_format (uint64_t bytes, char *buf, size_t buflen);

#endif
