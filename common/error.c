/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors on their way to a person.  What they quote may come from a peer,
 * so that control characters are masked here, once.
 */
#include <stdio.h>
#include <string.h>

#include "common/error.h"

/* One line; no sequence of UTF-8 is left cut in half. */
static void
tidy (char *message, size_t size, int wanted)
{
  size_t len = strlen (message);
  size_t start = len;

  for (size_t i = 0; i < len; i++)
    if ((unsigned char) message[i] < 0x20 || message[i] == 0x7f)
      message[i] = '?';

  if (wanted < 0 || (size_t) wanted < size)
    return;
  while (start > 0 && ((unsigned char) message[start - 1] & 0xc0) == 0x80)
    start--;
  if (start > 0 && (unsigned char) message[start - 1] >= 0xc0) {
    unsigned char lead = (unsigned char) message[start - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

    if (len - (start - 1) < need)
      message[start - 1] = '\0';
  }
}

int
error_vset (struct error *err, int code, const char *fmt, va_list args)
{
  int wanted;

  err->code = code;
  err->message[0] = '\0';
  wanted = vsnprintf (err->message, sizeof err->message, fmt, args);
  tidy (err->message, sizeof err->message, wanted);
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
