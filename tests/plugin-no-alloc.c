/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the plugin allocates memory for requests: nbdkit may be the only way
 * to the machine's own swap.  (libqbd alone, through the loss of its server:
 * lib-no-alloc.)
 *
 *   plugin-no-alloc PLUGIN KEY=VALUE...
 *
 * Threads make requests of all kinds, whole blocks and parts of them, of the
 * same blocks, and some that fail; first to warm up, then counted.
 */
#include <pthread.h>
#include <string.h>

#include "tests/allocations.h"
#include "tests/plugin-host.h"

enum { NR_THREADS = 4, NR_ROUNDS = 50, REQUEST_BYTES = 300000 };

static struct nbdkit_plugin *plugin;
static void *handle;
static pthread_barrier_t warm, armed, over;

static void
round_of_requests (char *data, unsigned n)
{
  const uint32_t fua = n % 2 ? NBDKIT_FLAG_FUA : 0;
  const uint64_t offset = (uint64_t) n * 4096 + n;      /* parts of blocks */

  CHECK (plugin->pwrite (handle, data, 4096, (uint64_t) n * 4096, fua) == 0);
  CHECK (plugin->pwrite (handle, data, 5000, offset, fua) == 0);
  CHECK (plugin->pwrite (handle, data, REQUEST_BYTES, offset, 0) == 0);
  CHECK (plugin->pread (handle, data, REQUEST_BYTES, offset, 0) == 0);
  CHECK (plugin->zero (handle, 5000, offset, fua) == 0);
  CHECK (plugin->zero (handle, REQUEST_BYTES, 0, NBDKIT_FLAG_MAY_TRIM) == 0);
  CHECK (plugin->zero (handle, 4096, 0, NBDKIT_FLAG_FAST_ZERO) == -1);
  CHECK (plugin->trim (handle, REQUEST_BYTES, offset, fua) == 0);
  CHECK (plugin->flush (handle, 0) == 0);
  CHECK (plugin->extents (handle, REQUEST_BYTES, offset, 0, NULL) == 0);
}

static void *
work (void *arg)
{
  static char data[NR_THREADS][REQUEST_BYTES];
  char *mine = data[(size_t) arg];

  round_of_requests (mine, 0);
  pthread_barrier_wait (&warm);
  pthread_barrier_wait (&armed);
  for (unsigned i = 0; i < NR_ROUNDS; i++)
    round_of_requests (mine, i);
  pthread_barrier_wait (&over);
  return NULL;
}

int
main (int argc, char *argv[])
{
  pthread_t threads[NR_THREADS];
  void *library;

  CHECK (argc > 2);
  plugin = plugin_host_load (argv[1], &library);
  plugin_host_configure (plugin, argv + 2);
  CHECK (plugin->get_ready () == 0);
  CHECK (plugin->after_fork () == 0);
  handle = plugin->open (0);
  CHECK (handle);
  pthread_barrier_init (&warm, NULL, NR_THREADS + 1);
  pthread_barrier_init (&armed, NULL, NR_THREADS + 1);
  pthread_barrier_init (&over, NULL, NR_THREADS + 1);
  for (size_t i = 0; i < NR_THREADS; i++)
    CHECK (pthread_create (&threads[i], NULL, work, (void *) i) == 0);

  pthread_barrier_wait (&warm);
  /* That this counts at all. */
  allocations_armed = true;
  free (strdup ("counted"));
  CHECK (nr_allocations == 1);
  nr_allocations = 0;
  pthread_barrier_wait (&armed);
  pthread_barrier_wait (&over);
  allocations_armed = false;

  for (unsigned i = 0; i < NR_THREADS; i++)
    pthread_join (threads[i], NULL);
  plugin->close (handle);
  plugin->cleanup ();
  plugin->unload ();
  printf ("%u allocations\n", nr_allocations);
  return nr_allocations > 0;
}
