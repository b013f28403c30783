/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What follows "ENGINE:" in a pool's url.  Any thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "server/engine/pool-argument.h"

#define OPTIONS_MAX 8

static int
unknown (const char *pool, const char *form, const char *key,
         const struct pool_option *options, struct error *err)
{
  const char *keys[OPTIONS_MAX + 1], *near;
  size_t n = 0;

  for (; options->key && n < OPTIONS_MAX; options++)
    keys[n++] = options->key;
  keys[n] = NULL;
  near = nearest_name (key, keys);
  return error_set (err, EINVAL, "pool: %s: %.64s: unknown option of "
                    "%s%s%s%s", pool, key, form, near ? ", did you mean " : "",
                    near ? near : "", near ? "?" : "");
}

static int
take_option (const char *pool, const char *form, char *text,
             struct pool_option *options, struct error *err)
{
  char *value = text + strcspn (text, "=");
  int engine_len = (int) strcspn (form, ":");
  struct pool_option *option = options;

  if (*value == '=')
    *value++ = '\0';
  while (option->key && strcmp (option->key, text) != 0)
    option++;
  if (!option->key)
    return unknown (pool, form, text, options, err);
  if (*value == '\0')
    return error_set (err, EINVAL, "pool: %s: %.*s: %s= needs a value", pool,
                      engine_len, form, text);
  if (option->value)
    return error_set (err, EINVAL, "pool: %s: %.*s: %s= is given twice", pool,
                      engine_len, form, text);
  option->value = value;
  return 0;
}

int
pool_argument_parse (const char *pool, const char *form,
                     const char *argument, struct pool_option *options,
                     struct pool_argument *parsed, struct error *err)
{
  char *text, *next;
  int r;

  parsed->text = strdup (argument);
  if (!parsed->text)
    return error_set (err, ENOMEM, "pool: %s: %s", pool, strerror (ENOMEM));
  parsed->place = parsed->text;
  next = strrchr (parsed->text, '?');
  if (next)
    *next++ = '\0';
  while ((text = strsep (&next, "&"))) {
    r = take_option (pool, form, text, options, err);
    if (r < 0)
      return r;
  }
  return 0;
}

void
pool_argument_free (struct pool_argument *parsed)
{
  free (parsed->text);
}
