/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit's part of the plugin's life, without nbdkit: two handles, a write
 * and a read, and then the end as nbdkit makes it after a signal: cleanup
 * and unload, but no close.  No thread may be left that runs in a plugin that
 * is gone; under ASan, no memory either.
 *
 * Usage: plugin-unload PLUGIN KEY=VALUE...
 */
#include <dirent.h>
#include <dlfcn.h>
#include <string.h>

#include "tests/plugin-host.h"

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
  unsigned before = count_threads ();
  struct nbdkit_plugin *plugin;
  void *library, *handles[3];

  CHECK (argc > 2);
  plugin = plugin_host_load (argv[1], &library);
  plugin_host_configure (plugin, argv + 2);
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
