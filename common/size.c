/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sizes as people write them.  Limit: what off_t holds.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/size.h"

#define SIZE_LIMIT ((uint64_t) INT64_MAX)

/* Digits behind the point that fit a 64-bit integer. */
#define FRACTION_DIGITS_MAX 18

static const char units[] = "BKMGTPE";

/* Error texts quote this much of what was typed. */
#define QUOTED "%.100s"

static int
bad (struct error *err, int code, const char *what, const char *text,
     const char *reason)
{
  return error_set (err, code, "%s: " QUOTED ": %s", what, text, reason);
}

/* Decimal digits at *p; false on overflow. */
static bool
read_whole (const char **p, uint64_t *value)
{
  *value = 0;
  for (; isdigit ((unsigned char) **p); (*p)++)
    if (__builtin_mul_overflow (*value, 10, value) ||
        __builtin_add_overflow (*value, (uint64_t) (**p - '0'), value))
      return false;
  return true;
}

/* The digits behind a point as numerator / 10^digits; trailing zeroes do
 * not count.  False when there are too many. */
static bool
read_fraction (const char **p, uint64_t *numerator, uint64_t *denominator)
{
  size_t digits = strspn (*p, "0123456789");
  const char *end = *p + digits;

  while (digits > 0 && (*p)[digits - 1] == '0')
    digits--;
  *numerator = 0;
  *denominator = 1;
  if (digits > FRACTION_DIGITS_MAX)
    return false;
  for (size_t i = 0; i < digits; i++) {
    *numerator = *numerator * 10 + (uint64_t) ((*p)[i] - '0');
    *denominator *= 10;
  }
  *p = end;
  return true;
}

/* The shift of the suffix at p, 0 for none; -1 for what is not a suffix. */
static int
read_suffix (const char *p)
{
  const char *unit;

  if (*p == '\0')
    return 0;
  unit = strchr (units, toupper ((unsigned char) *p));
  if (!unit)
    return -1;
  p++;
  if (unit != units) {
    if (p[0] == 'i' && toupper ((unsigned char) p[1]) == 'B')
      p += 2;
    else if (toupper ((unsigned char) p[0]) == 'B')
      p++;
  }
  return *p == '\0' ? (int) (unit - units) * 10 : -1;
}

int
size_parse (const char *what, const char *text, uint64_t *bytes,
            struct error *err)
{
  const char *p = text;
  uint64_t whole, numerator = 0, denominator = 1;
  unsigned __int128 total, part;
  int shift;

  if (*p == '\0')
    return error_set (err, EINVAL, "%s: the size is empty", what);
  if (*p == '-')
    return bad (err, EINVAL, what, text, "a size cannot be negative");
  if (!isdigit ((unsigned char) *p))
    return bad (err, EINVAL, what, text,
                "not a size (expected a number like 512M or 10G)");
  if (!read_whole (&p, &whole))
    return bad (err, ERANGE, what, text, "the size is too large");
  if (*p == '.') {
    p++;
    if (!isdigit ((unsigned char) *p))
      return bad (err, EINVAL, what, text, "no digit follows the point");
    if (!read_fraction (&p, &numerator, &denominator))
      return bad (err, EINVAL, what, text,
                  "too many digits follow the point");
  }
  shift = read_suffix (p);
  if (shift < 0)
    return bad (err, EINVAL, what, text,
                "unknown suffix (K, M, G, T, P or E: powers of 1024)");

  part = (unsigned __int128) numerator << shift;
  if (part % denominator != 0)
    return bad (err, EINVAL, what, text, "not a whole number of bytes");
  total = ((unsigned __int128) whole << shift) + part / denominator;
  if (total > SIZE_LIMIT)
    return bad (err, ERANGE, what, text, "the size is too large");
  if (total == 0)
    return bad (err, EINVAL, what, text, "the size must not be 0");
  *bytes = (uint64_t) total;
  return 0;
}

/* bytes / 2^shift in tenths, rounded to the nearest. */
static uint64_t
tenths (uint64_t bytes, int shift, bool *exact)
{
  unsigned __int128 t = (unsigned __int128) bytes * 10;
  unsigned __int128 unit = (unsigned __int128) 1 << shift;

  *exact = t % unit == 0;
  return (uint64_t) ((t + unit / 2) / unit);
}

const char *
size_format (uint64_t bytes, char *buf, size_t buflen)
{
  int unit = 0;
  uint64_t t;
  bool exact;

  while (unit < 6 && bytes >> ((unit + 1) * 10) != 0)
    unit++;
  if (unit == 0) {
    snprintf (buf, buflen, "%llu", (unsigned long long) bytes);
    return buf;
  }
  t = tenths (bytes, unit * 10, &exact);
  if (!exact) {
    /* 1025M says more than 1.0G. */
    uint64_t lower = bytes >> ((unit - 1) * 10);

    if (unit > 1 && lower << ((unit - 1) * 10) == bytes && lower < 10000) {
      snprintf (buf, buflen, "%llu%c", (unsigned long long) lower,
                units[unit - 1]);
      return buf;
    }
    if (t >= 10240 && unit < 6) {       /* 1023.96M is 1.0G */
      unit++;
      t = 10;
    }
  }
  if (exact && t % 10 == 0)
    snprintf (buf, buflen, "%llu%c", (unsigned long long) (t / 10),
              units[unit]);
  else
    snprintf (buf, buflen, "%llu.%llu%c", (unsigned long long) (t / 10),
              (unsigned long long) (t % 10), units[unit]);
  return buf;
}
