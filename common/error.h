/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An error on its way to a person: the errno and one sentence
 * "what: object: reason", written once, where the cause is known.
 */
#ifndef QBD_ERROR_H
#define QBD_ERROR_H

#include <stdarg.h>

struct error {
  int code;            /* errno, positive; 0 while there is none */
  char message[512];   /* UTF-8, one line, cut when too long */
};

/* Fill it and return -code, so that a caller can write
 *   return error_set (err, ENOENT, "open: %s: no such volume", name); */
int error_set (struct error *err, int code, const char *fmt, ...)
  __attribute__ ((format (printf, 3, 4)));
int error_vset (struct error *err, int code, const char *fmt, va_list args)
  __attribute__ ((format (printf, 3, 0)));

#endif
