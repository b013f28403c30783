/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Did you mean": the known name nearest to what was typed.
 */
#ifndef QBD_NEAREST_H
#define QBD_NEAREST_H

/* names is NULL terminated.  NULL when nothing is near: more than a third of
 * the word is other, or more than one letter of a word of less than five.
 * Case does not matter; two swapped neighbours are one edit. */
const char *nearest_name (const char *typed, const char *const *names);

#endif
