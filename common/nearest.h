/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Did you mean": the known name nearest to what was typed.
 */
#ifndef QBD_NEAREST_H
#define QBD_NEAREST_H

/* names is NULL terminated.  NULL when nothing is near (edit distance above
 * a third of the length, at least 2, or nothing in common).  Case does not
 * matter; two swapped neighbours are one edit. */
const char *nearest_name (const char *typed, const char *const *names);

#endif
