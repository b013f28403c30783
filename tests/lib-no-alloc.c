/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether libqbd allocates memory where it must not: the process may be the
 * only way to the machine's own swap.
 *
 *   lib-no-alloc KEY=VALUE...
 *
 * Every allocator of libc is ours here, and counts once all is warm.  Threads
 * do synchronous I/O of all kinds, one does asynchronous I/O, some of it
 * refused; keep-alive and events go on beside.  Says "running", "grown" when
 * the volume's size has changed, and goes on until the server is gone for
 * good.
 * Ends with 0 if nothing was allocated, from "running" to the last error.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libqbd.h>

#include "tests/allocations.h"

enum { NR_THREADS = 4, PART_BYTES = 4 << 20, LONGEST_BYTES = 2 << 20 };

static _Atomic bool failed;
static struct qbd_volume *volume;
static pthread_barrier_t warm, go;

/* --- the load ----------------------------------------------------------- */

static void
say (const char *text)
{
  if (write (1, text, strlen (text)) < 0)
    _exit (1);
}

static int
ignore_extent (void *opaque, uint64_t offset, uint64_t bytes,
               unsigned status)
{
  return 0;
}

static bool
expected (int r, int error)
{
  if (r == 0 || (r == -1 && errno == error))
    return true;
  if (errno != EIO) {
    say (qbd_errmsg ());
    say ("\n");
    failed = true;
  }
  return false;
}

/* False: the server is gone. */
static bool
round_of_all (uint8_t *buf, uint64_t at)
{
  return expected (qbd_pwrite (volume, buf, 4096, at, 0), 0)
    && expected (qbd_pread (volume, buf, 4096, at, 0), 0)
    && expected (qbd_pwrite (volume, buf, LONGEST_BYTES, at, QBD_FUA), 0)
    && expected (qbd_pread (volume, buf, LONGEST_BYTES, at, 0), 0)
    && expected (qbd_write_zeroes (volume, 65536, at, 0), 0)
    && expected (qbd_discard (volume, 65536, at, 0), 0)
    && expected (qbd_flush (volume), 0)
    && expected (qbd_block_status (volume, PART_BYTES, at, 0, ignore_extent,
                                   NULL), 0)
    && expected (qbd_pread (volume, buf, 1, at, 0), EINVAL)
    && expected (qbd_pwrite (volume, buf, 512, UINT64_C (1) << 50, 0),
                 ENOSPC);
}

static void *
synchronous (void *arg)
{
  uint64_t at = (uint64_t) (uintptr_t) arg * PART_BYTES;
  uint8_t *buf = malloc (LONGEST_BYTES);

  memset (buf, 1, LONGEST_BYTES);
  round_of_all (buf, at);
  pthread_barrier_wait (&warm);
  pthread_barrier_wait (&go);
  while (round_of_all (buf, at))
    ;
  return NULL;
}

static int aio_error;

static void
aio_done (struct qbd_aio *aio, int error)
{
  aio_error = error;
}

static bool
one_aio (struct qbd_aio *aio, uint8_t *buf)
{
  if (qbd_aio_pread (volume, aio, buf, 65536, 0, 0) == -1) {
    failed = true;
    return false;
  }
  while (qbd_aio_poll (volume, -1) == 0)
    ;
  if (aio_error != 0 && aio_error != EIO)
    failed = true;
  return aio_error == 0;
}

static void *
asynchronous (void *arg)
{
  struct qbd_aio aio = { .done = aio_done };
  uint8_t *buf = malloc (65536);

  one_aio (&aio, buf);
  pthread_barrier_wait (&warm);
  pthread_barrier_wait (&go);
  while (one_aio (&aio, buf))
    ;
  return NULL;
}

static void
wait_until_grown (uint64_t size_bytes)
{
  const struct timespec moment = { .tv_nsec = 10000000 };

  while (qbd_get_size (volume) == size_bytes && qbd_check (volume) == 0)
    nanosleep (&moment, NULL);
  say ("grown\n");
}

/* The library's calls are counted, or all this shows nothing. */
static void
check_counting (void)
{
  allocations_armed = true;
  qbd_config_free (qbd_config_new ());
  allocations_armed = false;
  if (nr_allocations == 0)
    abort ();
  nr_allocations = 0;
}

static int
run (void)
{
  uint64_t size_bytes = qbd_get_size (volume);
  pthread_t threads[NR_THREADS + 1];

  pthread_barrier_init (&warm, NULL, NR_THREADS + 2);
  pthread_barrier_init (&go, NULL, NR_THREADS + 2);
  for (uintptr_t i = 0; i < NR_THREADS; i++)
    if (pthread_create (&threads[i], NULL, synchronous, (void *) i) != 0)
      abort ();
  if (pthread_create (&threads[NR_THREADS], NULL, asynchronous, NULL) != 0)
    abort ();
  pthread_barrier_wait (&warm);
  allocations_armed = true;
  pthread_barrier_wait (&go);
  say ("running\n");
  wait_until_grown (size_bytes);
  for (unsigned i = 0; i <= NR_THREADS; i++)
    pthread_join (threads[i], NULL);
  allocations_armed = false;
  printf ("%u allocations\n", nr_allocations);
  return failed || nr_allocations > 0;
}

int
main (int argc, char *argv[])
{
  struct qbd_config *config = qbd_config_new ();
  int r;

  for (int i = 1; i < argc; i++) {
    char *value = strchr (argv[i], '=');

    if (value)
      *value++ = '\0';
    if (!value || qbd_config_set (config, argv[i], value) == -1)
      return 2;
  }
  check_counting ();
  volume = qbd_open (config, 0);
  if (!volume) {
    fprintf (stderr, "%s\n", qbd_errmsg ());
    return 1;
  }
  r = run ();
  qbd_close (volume);
  qbd_config_free (config);
  return r;
}
