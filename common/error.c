/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors on their way to a person.
 */
#include <stdio.h>

#include "common/error.h"

int
error_vset (struct error *err, int code, const char *fmt, va_list args)
{
  err->code = code;
  vsnprintf (err->message, sizeof err->message, fmt, args);
  return -code;
}

int
error_set (struct error *err, int code, const char *fmt, ...)
{
  va_list args;
  int r;

  va_start (args, fmt);
  r = error_vset (err, code, fmt, args);
  va_end (args);
  return r;
}
