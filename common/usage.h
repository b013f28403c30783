/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What getopt_long could not understand, as one of our sentences.
 *
 * The caller sets opterr = 0 and begins its option string with ":" (after a
 * "-" or "+"), so that a missing value is told from an unknown option.
 */
#ifndef QBD_USAGE_H
#define QBD_USAGE_H

#include <getopt.h>

#include "common/error.h"

/* opt is what getopt_long returned: '?' or ':'.  -EINVAL with, say,
 * "option: --lisen: unknown, did you mean --listen?". */
int usage_option_error (int opt, char *const argv[],
                        const struct option *options, struct error *err);

/* "WHAT: TYPED: unknown, did you mean NAME?" or, with nothing near,
 * "WHAT: TYPED: unknown".  known is NULL terminated.  -EINVAL. */
int usage_unknown (const char *what, const char *typed,
                   const char *const *known, struct error *err);

#endif
