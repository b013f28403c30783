/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server may reach, from its settings.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/log.h"
#include "server/control/control.h"
#include "server/sandbox-internal.h"
#include "server/sandbox.h"

enum {
  /* A pool has its directory, or that of its configuration. */
  REACHED_MAX = OPTIONS_POOL_MAX + OPTIONS_LISTEN_MAX
    + OPTIONS_SANDBOX_PATHS_MAX + 2,
};

/* What settings named: a reload can name it again. */
static struct reached {
  char *path;                   /* no symbolic links in it */
  unsigned access;
} reached[REACHED_MAX];
static unsigned nr_reached;
static bool entered, may_connect;

struct usual {
  const char *path;
  unsigned access;
};

/* For libraries, and names of hosts.  What is not there is no loss.  As
 * directories where files are replaced by others of the same name. */
static const struct usual always[] = {
  { "/usr", LANDLOCK_READ },
  { "/lib", LANDLOCK_READ },
  { "/lib32", LANDLOCK_READ },
  { "/lib64", LANDLOCK_READ },
  { "/etc/gai.conf", LANDLOCK_READ },
  { "/etc/group", LANDLOCK_READ },
  { "/etc/host.conf", LANDLOCK_READ },
  { "/etc/hosts", LANDLOCK_READ },
  { "/etc/ld.so.cache", LANDLOCK_READ },
  { "/etc/libibverbs.d", LANDLOCK_READ },
  { "/etc/localtime", LANDLOCK_READ },
  { "/etc/machine-id", LANDLOCK_READ },
  { "/etc/nsswitch.conf", LANDLOCK_READ },
  { "/etc/passwd", LANDLOCK_READ },
  { "/etc/protocols", LANDLOCK_READ },
  { "/etc/resolv.conf", LANDLOCK_READ },
  { "/etc/services", LANDLOCK_READ },
  { "/run/NetworkManager", LANDLOCK_READ },
  { "/run/resolvconf", LANDLOCK_READ },
  { "/run/systemd/resolve", LANDLOCK_READ },
  { "/proc", LANDLOCK_READ },
  { "/sys", LANDLOCK_READ },
  { "/dev/infiniband", LANDLOCK_DEVICES },
  { "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE },
  { "/dev/random", LANDLOCK_READ },
  { "/dev/urandom", LANDLOCK_READ },
  { "/dev/zero", LANDLOCK_READ },
};

/* Besides, for pools of other machines: their configuration and keys, logs
 * and sockets of their libraries. */
static const struct usual for_cluster[] = {
  { "/etc", LANDLOCK_READ },
  { "/var/lib/ceph", LANDLOCK_READ },
  { "/run/ceph", LANDLOCK_WRITE | LANDLOCK_SOCKETS },
  { "/var/log/ceph", LANDLOCK_WRITE },
};

/* --- what the settings name --------------------------------------------- */

/* access is for the path, or for the directory that it is in. */
typedef int visit_fn (void *opaque, const char *what, const char *path,
                      unsigned access, struct error *err);

struct visit {
  visit_fn *fn;
  void *opaque;
  const char *what;
  int result;
  struct error *err;
};

static void
visit_pool_path (void *opaque, const char *path, bool writes)
{
  struct visit *visit = opaque;

  if (visit->result == 0)
    visit->result = visit->fn (visit->opaque, visit->what, path,
                               writes ? LANDLOCK_WRITE : LANDLOCK_READ,
                               visit->err);
}

static int
visit_parent (visit_fn *fn, void *opaque, const char *what, const char *path,
              unsigned access, struct error *err)
{
  char copy[PATH_MAX];

  if (strlen (path) >= sizeof copy)
    return error_set (err, ENAMETOOLONG, "%s: %s: %s", what, path,
                      strerror (ENAMETOOLONG));
  strcpy (copy, path);
  return fn (opaque, what, dirname (copy), access, err);
}

static int
visit_pools (const struct options *options, visit_fn *fn, void *opaque,
             struct error *err)
{
  struct visit visit = { .fn = fn, .opaque = opaque, .err = err };

  for (unsigned i = 0; i < options->nr_pools && visit.result == 0; ++i) {
    const struct options_pool *pool = &options->pools[i];

    visit.what = pool->name;
    if (pool->engine->pool_paths)
      pool->engine->pool_paths (pool->argument, visit_pool_path, &visit);
  }
  return visit.result;
}

static int
visit_all (const struct options *options, visit_fn *fn, void *opaque,
           struct error *err)
{
  int r = visit_pools (options, fn, opaque, err);

  for (unsigned i = 0; i < options->nr_listen && r == 0; ++i)
    if (options->listen[i].family == ADDRESS_UNIX)
      r = visit_parent (fn, opaque, "listen", options->listen[i].path,
                        LANDLOCK_SOCKETS, err);
  return r;
}

static bool
has_cluster (const struct options *options)
{
  for (unsigned i = 0; i < options->nr_pools; ++i)
    if (options->pools[i].engine->connects)
      return true;
  return false;
}

/* --- enter -------------------------------------------------------------- */

/* What is not there is missed by its owner, who says it better. */
static int
allow (void *opaque, const char *what, const char *path, unsigned access,
       struct error *err)
{
  struct landlock *landlock = opaque;
  char *real = realpath (path, NULL);
  int r;

  if (!real)
    return errno == ENOMEM
      ? error_set (err, ENOMEM, "sandbox: out of memory") : 0;
  r = landlock_allow (landlock, real, access);
  if (r < 0 || nr_reached == REACHED_MAX) {
    free (real);
    return error_set (err, r < 0 ? -r : E2BIG, "sandbox: %s: %s: %s", what,
                      path, strerror (r < 0 ? -r : E2BIG));
  }
  reached[nr_reached++] = (struct reached) { real, access };
  return 0;
}

/* What is not there, or not for us, needs no rule. */
static int
allow_each (struct landlock *landlock, const struct usual *usual, size_t nr,
            struct error *err)
{
  for (size_t i = 0; i < nr; ++i) {
    int r = landlock_allow (landlock, usual[i].path, usual[i].access);

    if (r < 0 && r != -ENOENT && r != -EACCES)
      return error_set (err, -r, "sandbox: %s: %s", usual[i].path,
                        strerror (-r));
  }
  return 0;
}

static int
allow_usual (struct landlock *landlock, struct error *err)
{
  int r = allow_each (landlock, always, sizeof always / sizeof always[0], err);

  if (r == 0 && may_connect)
    r = allow_each (landlock, for_cluster,
                    sizeof for_cluster / sizeof for_cluster[0], err);
  return r;
}

static int
allow_settings (struct landlock *landlock, const struct options *options,
                struct error *err)
{
  int r;

  /* It is replaced, and read again. */
  r = options->config
    ? visit_parent (allow, landlock, "config", options->config,
                    LANDLOCK_READ, err) : 0;
  if (r == 0)
    r = visit_parent (allow, landlock, "control", options->control,
                      LANDLOCK_SOCKETS, err);
  for (unsigned i = 0; i < options->nr_sandbox_paths && r == 0; ++i)
    r = allow (landlock, "sandbox_path", options->sandbox_paths[i],
               LANDLOCK_WRITE | LANDLOCK_SOCKETS, err);
  if (r == 0)
    r = visit_all (options, allow, landlock, err);
  return r;
}

/* Returns the kernel's version, or 0 when it has no Landlock. */
static int
enter_landlock (const struct options *options, struct error *err)
{
  struct landlock landlock;
  int r = landlock_begin (&landlock, may_connect);

  if (r == -ENOSYS || r == -EOPNOTSUPP)
    return 0;
  if (r < 0)
    return error_set (err, -r, "sandbox: Landlock: %s", strerror (-r));
  r = allow_usual (&landlock, err);
  if (r == 0)
    r = allow_settings (&landlock, options, err);
  if (r < 0)
    return r;
  r = landlock_enforce (&landlock);
  if (r < 0)
    return error_set (err, -r, "sandbox: Landlock: %s", strerror (-r));
  entered = true;
  return landlock.abi;
}

int
sandbox_enter (const struct options *options, struct error *err)
{
  int abi, r;

  may_connect = has_cluster (options);
  r = control_make_directory (options->control, err);
  if (r < 0)
    return r;
  abi = enter_landlock (options, err);
  if (abi < 0)
    return abi;
  r = seccomp_enforce ();
  if (r < 0 && r != -EINVAL && r != -ENOSYS && r != -EPERM)
    return error_set (err, -r, "sandbox: seccomp: %s", strerror (-r));
  /* Data and keys of others are in memory: no core dump, no debugger. */
  if (prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return error_set (err, errno, "sandbox: dumpable: %s", strerror (errno));
  if (abi > 0)
    log_info ("sandbox: Landlock %d, %s", abi,
              r == 0 ? "seccomp" : "no seccomp in this kernel");
  else
    log_warning ("sandbox: no Landlock in this kernel, %s",
                 r == 0 ? "but seccomp" : "and no seccomp");
  return 0;
}

/* --- check -------------------------------------------------------------- */

static bool
is_beneath (const char *path, const char *directory)
{
  size_t n = strlen (directory);

  return strncmp (path, directory, n) == 0
    && (path[n] == '\0' || path[n] == '/' || n == 1);
}

static int
check (void *opaque, const char *what, const char *path, unsigned access,
       struct error *err)
{
  char *real = realpath (path, NULL);
  bool found = !real;           /* what is not there is its owner's to say */

  for (unsigned i = 0; i < nr_reached && !found; ++i)
    found = (reached[i].access & access) == access
      && is_beneath (real, reached[i].path);
  free (real);
  return found ? 0
    : error_set (err, EACCES, "sandbox: %s: %s: the server cannot reach it "
                 "since its start: restart it, or see sandbox_path", what,
                 path);
}

int
sandbox_check (const struct options *anew, struct error *err)
{
  if (!entered)
    return 0;
  if (has_cluster (anew) && !may_connect)
    return error_set (err, EACCES, "sandbox: a first pool of another machine "
                      "takes a restart");
  return visit_all (anew, check, NULL, err);
}
