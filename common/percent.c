/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Percent decoding.
 */
#include <string.h>

#include "common/percent.h"

static int
hex_digit (char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *p = c ? strchr (digits, c | 0x20) : NULL;

  return p && (c >= 'A' || (c >= '0' && c <= '9')) ? (int) (p - digits) : -1;
}

size_t
percent_decode (char *text)
{
  char *to = text;

  for (const char *from = text; *from; from++) {
    int high = *from == '%' ? hex_digit (from[1]) : -1;
    int low = high >= 0 ? hex_digit (from[2]) : -1;

    if (low >= 0 && (high | low) != 0) {
      *to++ = (char) (high << 4 | low);
      from += 2;
    } else
      *to++ = *from;
  }
  *to = '\0';
  return (size_t) (to - text);
}
