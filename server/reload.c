/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings anew, and what serves brought to them: listeners and pools
 * come and go, the log level changes.
 *
 * First the arguments of new and changed pools are checked, and everything
 * new is opened.  When something cannot be, that is closed
 * again, and nothing has changed.  Then what is gone from the settings is
 * closed; a pool with attached hosts stays, and a line says so.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/control/volumes.h"
#include "server/listeners.h"
#include "server/reload.h"
#include "server/sandbox.h"

#define WHAT "reload"

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

/* --- pools ------------------------------------------------------------ */

static enum volumes_pool_match
match (struct volumes *volumes, const struct options_pool *pool)
{
  return volumes_match_pool (volumes, pool->engine, pool->name,
                             pool->argument);
}

static void
close_pool (struct volumes *volumes, const char *name)
{
  struct error err;

  if (volumes_close_pool (volumes, WHAT, name, &err) < 0)
    log_warning ("%s; pool %s stays: reload again when no host is attached",
                 err.message, name);
}

/* Those that are new, or another than before. */
static int
check_pools (struct volumes *volumes, const struct options *anew,
             struct error *err)
{
  int r = 0;

  for (unsigned i = 0; i < anew->nr_pools && r == 0; ++i) {
    const struct options_pool *pool = &anew->pools[i];

    if (match (volumes, pool) != VOLUMES_POOL_SAME)
      r = pool->engine->pool_check_argument (pool->name, pool->argument, err);
  }
  return r;
}

static void
close_opened (struct volumes *volumes, const struct options *anew,
              const bool opened[OPTIONS_POOL_MAX])
{
  for (unsigned i = anew->nr_pools; i-- > 0; )
    if (opened[i])
      close_pool (volumes, anew->pools[i].name);
}

/* All that are new, or none. */
static int
open_pools (struct volumes *volumes, const struct options *anew,
            bool opened[OPTIONS_POOL_MAX], struct error *err)
{
  int r;

  for (unsigned i = 0; i < anew->nr_pools; ++i) {
    const struct options_pool *pool = &anew->pools[i];

    if (match (volumes, pool) != VOLUMES_POOL_ABSENT)
      continue;
    r = volumes_open_pool (volumes, pool->engine, pool->name, pool->argument,
                           err);
    if (r < 0) {
      close_opened (volumes, anew, opened);
      return r;
    }
    opened[i] = true;
  }
  return 0;
}

static void
change_pools (struct volumes *volumes, const struct options *anew)
{
  struct error err;

  for (unsigned i = 0; i < anew->nr_pools; ++i) {
    const struct options_pool *pool = &anew->pools[i];

    if (match (volumes, pool) == VOLUMES_POOL_OTHER
        && volumes_change_pool (volumes, WHAT, pool->engine, pool->name,
                                pool->argument, &err) < 0)
      log_warning ("%s; pool %s is not changed", err.message, pool->name);
  }
}

struct names {
  unsigned nr;
  char names[VOLUMES_POOL_MAX][ENGINE_NAME_MAX];
};

static void
append_name (void *opaque, const struct pool_info *info)
{
  struct names *names = opaque;

  strcpy (names->names[names->nr++], info->name);
}

static bool
is_wanted (const struct options *anew, const char *name)
{
  for (unsigned i = 0; i < anew->nr_pools; ++i)
    if (strcmp (anew->pools[i].name, name) == 0)
      return true;
  return false;
}

static void
close_pools (struct volumes *volumes, const struct options *anew)
{
  static struct names names;

  names.nr = 0;
  volumes_each_pool (volumes, append_name, &names);
  for (unsigned i = 0; i < names.nr; ++i)
    if (!is_wanted (anew, names.names[i]))
      close_pool (volumes, names.names[i]);
}

/* --- all of it -------------------------------------------------------- */

static int
apply (struct server *server, const struct options *anew, struct error *err)
{
  struct volumes *volumes = server_volumes (server);
  struct listeners *listeners = server_listeners (server);
  bool opened[OPTIONS_POOL_MAX] = { false };
  int r;

  r = sandbox_check (anew, err);
  if (r == 0)
    r = check_pools (volumes, anew, err);
  if (r == 0)
    r = listeners_prepare (listeners, anew->listen, anew->ana,
                           anew->nr_listen, err);
  if (r < 0)
    return r;
  r = open_pools (volumes, anew, opened, err);
  if (r < 0) {
    listeners_rollback (listeners);
    return r;
  }
  r = listeners_replace (listeners, err);
  if (r < 0) {
    close_opened (volumes, anew, opened);
    return r;
  }
  change_pools (volumes, anew);
  close_pools (volumes, anew);
  server_set_limits (anew);
  server_set_masking (server, anew);    /* before anybody can come in */
  listeners_commit (listeners);
  log_set_level (anew->log_level);
  return 0;
}

static void
takes_restart (const char *what, const char *object)
{
  log_warning (WHAT ": %s%s%s: the change takes a restart", what,
               object[0] ? ": " : "", object);
}

static bool
same_sandbox_paths (const struct options *a, const struct options *b)
{
  if (a->nr_sandbox_paths != b->nr_sandbox_paths)
    return false;
  for (unsigned i = 0; i < a->nr_sandbox_paths; i++)
    if (strcmp (a->sandbox_paths[i], b->sandbox_paths[i]) != 0)
      return false;
  return true;
}

static void
tell_what_stays (const struct options *asked, const struct options *anew)
{
  if (strcmp (asked->control, anew->control) != 0)
    takes_restart ("control", anew->control);
  if (asked->poll_us != anew->poll_us)
    takes_restart ("poll_us", "");
  if (asked->nr_reactors != anew->nr_reactors)
    takes_restart ("reactors", "");
  if (asked->no_sandbox != anew->no_sandbox)
    takes_restart ("sandbox", "");
  if (!same_sandbox_paths (asked, anew))
    takes_restart ("sandbox_path", "");
}

void
reload (struct server *server, const struct options *asked, int argc,
        char *argv[])
{
  static struct options anew;
  struct error err;

  if (read_anew (&anew, argc, argv, &err) < 0
      || apply (server, &anew, &err) < 0)
    log_error ("%s; " WHAT ": nothing is changed", err.message);
  else {
    tell_what_stays (asked, &anew);
    log_info (WHAT ": %s: log level %s", anew.config,
              log_level_name (anew.log_level));
  }
  options_free (&anew);
}
