/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit's part towards the plugin, for programs that do without nbdkit: they
 * are linked with -export-dynamic.
 */
#ifndef QBD_TESTS_PLUGIN_HOST_H
#define QBD_TESTS_PLUGIN_HOST_H

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      fprintf (stderr, "%s: line %d: %s\n", __FILE__, __LINE__, #what); \
      exit (EXIT_FAILURE);                                              \
    }                                                                   \
  } while (0)

/* dlopen, plugin_init and load; library is for dlclose. */
struct nbdkit_plugin *plugin_host_load (const char *path, void **library);
/* KEY=VALUE..., up to NULL. */
void plugin_host_configure (struct nbdkit_plugin *plugin, char *argv[]);

#endif
