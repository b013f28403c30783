/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume service: who may attach a volume.
 *
 * The target is told first, so that nobody is attached whom the pool does not
 * list; when the pool cannot be told, the target gets its old list again.
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "nvmeof/nqn.h"
#include "server/control/volumes-internal.h"

static_assert (HOST_NAME_MAX_BYTES == NVMEOF_NQN_MAX + 1, "");

static int
check_host (const char *name, const char *host, struct error *err)
{
  if (strcmp (host, HOST_ANY) == 0
      || nqn_field_valid (host, strlen (host) + 1))
    return 0;
  return error_set (err, EINVAL, "host: %s: %.230s: is neither a host's NQN "
                    "(as in /etc/nvme/hostnqn) nor " HOST_ANY, name, host);
}

static int
add (struct host_list *hosts, const char *name, const char *host,
     struct error *err)
{
  int r = host_list_add (hosts, host);

  if (r == -EEXIST)
    return error_set (err, EEXIST, "host: %s: %s: is on the list already",
                      name, host);
  if (r == -E2BIG)
    return error_set (err, E2BIG, "host: %s: %s: the list has %d hosts "
                      "already", name, host, HOST_LIST_MAX);
  return r < 0 ? error_set (err, -r, "host: %s: %s", name, strerror (-r)) : 0;
}

static int
take_off (struct host_list *hosts, const char *name, const char *host,
          struct error *err)
{
  if (host_list_remove (hosts, host) == 0)
    return 0;
  return error_set (err, ENOENT, "host: %s: %s: is not on the list%s", name,
                    host, hosts->masked ? "" : ": there is none, so any host "
                    "is allowed that the server allows; add those that "
                    "shall be");
}

static int
forget (struct host_list *hosts, const char *name, const char *host,
        struct error *err)
{
  if (!hosts->masked)
    return error_set (err, ENOENT, "host: %s: has no list", name);
  host_list_clear (hosts);
  return 0;
}

/* The volume's list becomes this one, which the call consumes. */
static int
set (struct volume *volume, struct host_list *hosts, bool force,
     struct error *err)
{
  struct host_list copy = { 0 };
  struct error ignored;
  int r;

  r = host_list_copy (&copy, hosts);
  if (r < 0)
    r = error_set (err, -r, "host: %s: %s", volume->name, strerror (-r));
  else
    r = subsystem_set_hosts (volume->subsystem, hosts, force, err);
  if (r == 0) {
    r = volume->engine->ops->volume_set_hosts (volume->engine, &copy, err);
    if (r < 0)
      subsystem_set_hosts (volume->subsystem, hosts, true, &ignored);
  }
  host_list_clear (&copy);
  host_list_clear (hosts);
  return r;
}

/* As it is now, whoever set it. */
static int
read_hosts (struct volume *volume, struct host_list *hosts, struct error *err)
{
  const struct engine_ops *ops = volume->engine->ops;

  return (ops->volume_read_hosts ? ops->volume_read_hosts
          : ops->volume_get_hosts) (volume->engine, hosts, err);
}

struct change {
  const char *done;             /* for the log */
  int (*apply) (struct host_list *hosts, const char *name, const char *host,
                struct error *err);
  const char *host;             /* NULL: the list itself */
  bool force;
};

static int
change_hosts (struct volumes *volumes, const char *name,
              const struct change *change, volumes_each_fn *each,
              void *opaque, struct error *err)
{
  char vol[NVMEOF_NQN_MAX + 1];
  struct host_list hosts = { 0 };
  struct volume *volume;
  CLEANUP_POOL struct pool *pool = NULL;
  int r = 0;

  if (change->host)
    r = check_host (name, change->host, err);
  if (r == 0)
    r = volumes_enter (volumes, "host", name, &pool, vol, err);
  if (r < 0)
    return r;
  volume = pool_find_volume (pool, "host", vol, err);
  if (!volume)
    return -ENOENT;
  r = volume_check_served (volume, "host", name, err);
  if (r == 0)
    r = read_hosts (volume, &hosts, err);
  if (r < 0)
    return r;
  r = change->apply (&hosts, name, change->host, err);
  if (r < 0) {
    host_list_clear (&hosts);
    return r;
  }
  r = set (volume, &hosts, change->force, err);
  if (r < 0)
    return r;
  log_info ("host: %s: %s %s", name, change->done,
            change->host ? change->host : "the list");
  volume_tell (pool, volume, each, opaque);
  return 0;
}

int
volumes_add_host (struct volumes *volumes, const char *name,
                  const char *host, bool force, volumes_each_fn *each,
                  void *opaque, struct error *err)
{
  const struct change change = { "added", add, host, force };

  return change_hosts (volumes, name, &change, each, opaque, err);
}

int
volumes_remove_host (struct volumes *volumes, const char *name,
                     const char *host, bool force, volumes_each_fn *each,
                     void *opaque, struct error *err)
{
  const struct change change = { "removed", take_off, host, force };

  return change_hosts (volumes, name, &change, each, opaque, err);
}

int
volumes_forget_hosts (struct volumes *volumes, const char *name, bool force,
                      volumes_each_fn *each, void *opaque, struct error *err)
{
  const struct change change = { "removed", forget, NULL, force };

  return change_hosts (volumes, name, &change, each, opaque, err);
}
