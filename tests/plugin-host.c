/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit's part towards the plugin.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>

#include "tests/plugin-host.h"

/* What the plugin takes from nbdkit. */

void __attribute__ ((format (printf, 1, 2)))
nbdkit_error (const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  vfprintf (stderr, fmt, args);
  fprintf (stderr, "\n");
  va_end (args);
}

void
nbdkit_debug (const char *fmt, ...)
{
}

int
nbdkit_nanosleep (unsigned sec, unsigned nsec)
{
  return 0;
}

int
nbdkit_add_extent (struct nbdkit_extents *extents, uint64_t offset,
                   uint64_t length, uint32_t type)
{
  return 0;
}

struct nbdkit_plugin *
plugin_host_load (const char *path, void **library)
{
  struct nbdkit_plugin *(*init) (void);
  struct nbdkit_plugin *plugin;

  /* Lazy: functions of nbdkit that are not called need not be here. */
  *library = dlopen (path, RTLD_LAZY);
  if (*library == NULL)
    fprintf (stderr, "%s\n", dlerror ());
  CHECK (*library);
  *(void **) &init = dlsym (*library, "plugin_init");
  CHECK (init);
  plugin = init ();
  plugin->load ();
  return plugin;
}

void
plugin_host_configure (struct nbdkit_plugin *plugin, char *argv[])
{
  for (; *argv; argv++) {
    char *equals = strchr (*argv, '=');

    CHECK (equals);
    *equals = '\0';
    CHECK (plugin->config (*argv, equals + 1) == 0);
  }
  CHECK (!plugin->config_complete || plugin->config_complete () == 0);
}
