/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What getopt_long could not understand, as one of our sentences.
 *
 * getopt_long says little: '?' stands for an unknown option, an ambiguous
 * one and one with a value too many.  optopt and argv tell them apart.
 */
#include <errno.h>
#include <string.h>

#include "common/nearest.h"
#include "common/usage.h"

#define USAGE_NAMES_MAX 64
#define USAGE_TYPED_MAX 80      /* bytes of a name that are repeated */

int
usage_unknown (const char *what, const char *typed,
               const char *const *known, struct error *err)
{
  const char *near = nearest_name (typed, known);

  if (near)
    return error_set (err, EINVAL, "%s: %.*s: unknown, did you mean %s?",
                      what, USAGE_TYPED_MAX, typed, near);
  return error_set (err, EINVAL, "%s: %.*s: unknown",
                    what, USAGE_TYPED_MAX, typed);
}

static int
unknown_long (const char *typed, const struct option *options,
              struct error *err)
{
  const char *names[USAGE_NAMES_MAX + 1];
  char name[USAGE_TYPED_MAX + 1];
  size_t n = 0, len = strcspn (typed, "=");
  const char *near;

  if (len >= sizeof name)
    len = sizeof name - 1;
  memcpy (name, typed, len);
  name[len] = '\0';
  for (; options->name && n < USAGE_NAMES_MAX; ++options)
    names[n++] = options->name;
  names[n] = NULL;

  near = nearest_name (name, names);
  if (near)
    return error_set (err, EINVAL, "option: --%s: unknown, did you mean --%s?",
                      name, near);
  return error_set (err, EINVAL, "option: --%s: unknown", name);
}

int
usage_option_error (int opt, char *const argv[],
                    const struct option *options, struct error *err)
{
  const char *last = argv[optind - 1];
  const struct option *o;

  if (optopt == 0)
    return unknown_long (last + strspn (last, "-"), options, err);
  for (o = options; o->name; ++o)
    if (o->val == optopt)
      break;
  if (opt == ':' && o->name)
    return error_set (err, EINVAL, "option: --%s: needs a value", o->name);
  if (o->name)
    return error_set (err, EINVAL, "option: --%s: takes no value", o->name);
  return error_set (err, EINVAL, "option: -%c: unknown", optopt);
}
