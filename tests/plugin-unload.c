/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit's part of the plugin's life, without nbdkit: two handles, a write
 * and a read, and then the end as nbdkit makes it after a signal: cleanup
 * and unload, but no close.  No thread may be left that runs in a plugin that
 * is gone; under ASan, no memory either.
 *
 * Usage: plugin-unload PLUGIN KEY=VALUE...
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      fprintf (stderr, "plugin-unload: line %d: %s\n", __LINE__, #what); \
      exit (EXIT_FAILURE);                                              \
    }                                                                   \
  } while (0)

/* What the plugin takes from nbdkit. */

void __attribute__ ((format (printf, 1, 2)))
nbdkit_error (const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  fprintf (stderr, "plugin-unload: ");
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

static unsigned
count_threads (void)
{
  DIR *dir = opendir ("/proc/self/task");
  unsigned n = 0;

  CHECK (dir);
  for (struct dirent *entry; (entry = readdir (dir)) != NULL; )
    n += entry->d_name[0] != '.';
  closedir (dir);
  return n;
}

static void
configure (struct nbdkit_plugin *plugin, char *argv[])
{
  for (; *argv; argv++) {
    char *equals = strchr (*argv, '=');

    CHECK (equals);
    *equals = '\0';
    CHECK (plugin->config (*argv, equals + 1) == 0);
  }
  CHECK (!plugin->config_complete || plugin->config_complete () == 0);
}

static void
use (struct nbdkit_plugin *plugin, void *handle, char c)
{
  static char data[4096], back[4096];

  memset (data, c, sizeof data);
  CHECK (plugin->pwrite (handle, data, sizeof data, 0, 0) == 0);
  CHECK (plugin->pread (handle, back, sizeof back, 0, 0) == 0);
  CHECK (memcmp (data, back, sizeof data) == 0);
}

int
main (int argc, char *argv[])
{
  struct nbdkit_plugin *(*init) (void);
  unsigned before = count_threads ();
  struct nbdkit_plugin *plugin;
  void *library, *handles[3];

  CHECK (argc > 2);
  /* Lazy: functions of nbdkit that are not called need not be here. */
  library = dlopen (argv[1], RTLD_LAZY);
  if (library == NULL)
    fprintf (stderr, "%s\n", dlerror ());
  CHECK (library);
  *(void **) &init = dlsym (library, "plugin_init");
  CHECK (init);
  plugin = init ();
  plugin->load ();
  configure (plugin, argv + 2);
  CHECK (plugin->get_ready () == 0);
  CHECK (count_threads () == before);   /* nbdkit may fork now */
  CHECK (plugin->after_fork () == 0);

  for (unsigned i = 0; i < 3; i++) {
    handles[i] = plugin->open (0);
    CHECK (handles[i]);
    use (plugin, handles[i], (char) i);
  }
  CHECK (count_threads () > before);
  plugin->close (handles[1]);
  use (plugin, handles[2], 'x');

  plugin->cleanup ();
  CHECK (count_threads () == before);
  plugin->unload ();
  dlclose (library);
  return EXIT_SUCCESS;
}
