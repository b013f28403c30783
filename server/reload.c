/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings anew, compared with those in force.
 *
 * Pools stay: the reactors' rings hold their locks, and take no more files
 * once they run.  With them stay listeners, reactors and the control socket.
 */
#include <string.h>

#include "common/log.h"
#include "server/reload.h"

static int
read_anew (struct options *options, int argc, char *argv[],
           struct error *err)
{
  int r;

  r = options_parse (options, argc, argv, err);
  if (r == 0)
    r = options_read_file (options, options->config, err);
  if (r == 0)
    r = options_complete (options, err);
  return r;
}

static bool
same_listeners (const struct options *a, const struct options *b)
{
  char text_a[ADDRESS_TEXT_MAX], text_b[ADDRESS_TEXT_MAX];

  if (a->nr_listen != b->nr_listen)
    return false;
  for (unsigned i = 0; i < a->nr_listen; ++i) {
    address_format (&a->listen[i], text_a, sizeof text_a);
    address_format (&b->listen[i], text_b, sizeof text_b);
    if (strcmp (text_a, text_b) != 0)
      return false;
  }
  return true;
}

static bool
same_pool (const struct options_pool *a, const struct options_pool *b)
{
  return strcmp (a->name, b->name) == 0 && a->engine == b->engine
    && strcmp (a->argument, b->argument) == 0;
}

static bool
has_pool (const struct options *options, const struct options_pool *pool)
{
  for (unsigned i = 0; i < options->nr_pools; ++i)
    if (same_pool (&options->pools[i], pool))
      return true;
  return false;
}

static void
takes_restart (const char *what, const char *object)
{
  log_warning ("reload: %s%s%s: the change takes a restart", what,
               object[0] ? ": " : "", object);
}

static void
tell_what_stays (const struct options *asked, const struct options *anew)
{
  if (!same_listeners (asked, anew))
    takes_restart ("listen", "");
  if (strcmp (asked->control, anew->control) != 0)
    takes_restart ("control", anew->control);
  if (asked->nr_reactors != anew->nr_reactors)
    takes_restart ("reactors", "");
  for (unsigned i = 0; i < asked->nr_pools; ++i)
    if (!has_pool (anew, &asked->pools[i]))
      takes_restart ("pool", asked->pools[i].name);
  for (unsigned i = 0; i < anew->nr_pools; ++i)
    if (!has_pool (asked, &anew->pools[i]))
      takes_restart ("pool", anew->pools[i].name);
}

void
reload (const struct options *asked, int argc, char *argv[])
{
  static struct options anew;
  struct error err;

  if (read_anew (&anew, argc, argv, &err) < 0)
    log_error ("%s; reload: nothing is changed", err.message);
  else {
    tell_what_stays (asked, &anew);
    log_set_level (anew.log_level);
    log_info ("reload: %s: log level %s", anew.config,
              log_level_name (anew.log_level));
  }
  options_free (&anew);
}
