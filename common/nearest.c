/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Edit distance (optimal string alignment: two swapped neighbours are one
 * edit, as fingers do), ignoring case.
 */
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "common/nearest.h"

/* Longer than any name that is asked about; what is longer is near to none. */
#define NAME_MAX_BYTES 64

static unsigned
min3 (unsigned a, unsigned b, unsigned c)
{
  unsigned m = a < b ? a : b;

  return m < c ? m : c;
}

static bool
same (char a, char b)
{
  return tolower ((unsigned char) a) == tolower ((unsigned char) b);
}

/* Both at most NAME_MAX_BYTES long. */
static unsigned
distance (const char *a, size_t alen, const char *b, size_t blen)
{
  unsigned rows[3][NAME_MAX_BYTES + 1];
  unsigned *before = rows[0], *last = rows[1], *row = rows[2];

  for (size_t j = 0; j <= blen; j++)
    last[j] = j;
  for (size_t i = 1; i <= alen; i++) {
    unsigned *spare = before;

    row[0] = i;
    for (size_t j = 1; j <= blen; j++) {
      row[j] = min3 (last[j] + 1, row[j - 1] + 1,
                     last[j - 1] + !same (a[i - 1], b[j - 1]));
      if (i > 1 && j > 1 && same (a[i - 1], b[j - 2]) &&
          same (a[i - 2], b[j - 1]) && before[j - 2] + 1 < row[j])
        row[j] = before[j - 2] + 1;
    }
    before = last;
    last = row;
    row = spare;
  }
  return last[blen];
}

const char *
nearest_name (const char *typed, const char *const *names)
{
  size_t len = strlen (typed);
  size_t limit = len < 5 ? 1 : len < 9 ? 2 : len / 3;
  unsigned best = UINT_MAX;
  const char *nearest = NULL;

  if (len > NAME_MAX_BYTES)
    return NULL;
  for (; *names; names++) {
    size_t nlen = strlen (*names);
    unsigned d;

    if (nlen > NAME_MAX_BYTES)
      continue;
    d = distance (typed, len, *names, nlen);
    /* A name that has nothing in common with a short word is not near. */
    if (d <= limit && d < len && d < nlen && d < best) {
      best = d;
      nearest = *names;
    }
  }
  return nearest;
}
