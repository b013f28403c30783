/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A user of libqbd.h for the functional tests:
 *
 *   lib-client open KEY=VALUE...        attach, say what it is, read a block
 *   lib-client reopen N KEY=VALUE...    N times; no descriptor may be left
 *   lib-client stress THREADS SECONDS SEED KEY=VALUE...
 *   lib-client aio DEPTH SECONDS SEED KEY=VALUE...
 *       random reads, writes, zeroes, discards and flushes of all sizes,
 *       compared with a model; SECONDS 0: until the server is gone, which
 *       must end every request
 *   lib-client latency N KEY=VALUE...   N reads of 4 KiB, one by one
 *   lib-client fork KEY=VALUE...        parent and child, each with its own
 *   lib-client silent ADDRESS KEY=VALUE...
 *       opens of a server at ADDRESS that says nothing delay no others, and
 *       end when they are interrupted
 *   lib-client mixed SECONDS KEY=VALUE...
 *       long asynchronous writes beside a thread of short reads, both on one
 *       connection: neither may hang
 *   lib-client pollers N KEY=VALUE...
 *       N times: one read, and two threads that poll for it without limit
 *
 * "PREFIX: N requests" is said at the end.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib-client.h"

static struct qbd_config *config;
struct qbd_volume *volume;
uint64_t end_ms;
unsigned long nr_requests;

void
die (const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  vfprintf (stderr, fmt, args);
  va_end (args);
  fputc ('\n', stderr);
  exit (EXIT_FAILURE);
}

static uint64_t
now_ms (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

static void
configure (char **keys)
{
  config = qbd_config_new ();
  for (; *keys; keys++) {
    char *value = strchr (*keys, '=');

    if (!value)
      die ("%s: KEY=VALUE is missing", *keys);
    *value++ = '\0';
    if (qbd_config_set (config, *keys, value) < 0)
      die ("%s", qbd_errmsg ());
  }
}

struct qbd_volume *
open_volume (unsigned flags)
{
  struct qbd_volume *v = qbd_open (config, flags);

  if (!v)
    die ("%s (%s)", qbd_errmsg (), strerrorname_np (errno));
  return v;
}

static unsigned
nr_descriptors (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  unsigned n = 0;

  while (readdir (dir))
    n++;
  closedir (dir);
  return n;
}

bool
time_is_up (void)
{
  return end_ms != 0 && now_ms () >= end_ms;
}

/* --- a silent server ---------------------------------------------------- */

enum { SILENT_THREADS = 6 };

static struct qbd_config *silent_config;
static unsigned nr_silent;              /* atomic: threads that are back */

static void *
silent_thread (void *arg)
{
  struct qbd_config *copy = qbd_config_copy (silent_config);

  /* Half of them wait for one another. */
  if ((uintptr_t) arg & 1 && qbd_config_set (copy, "volume", "p/other") < 0)
    die ("%s", qbd_errmsg ());
  if (qbd_open (copy, 0) || errno != ESHUTDOWN)
    die ("open of a silent server: %s (%s)", qbd_errmsg (),
         strerrorname_np (errno));
  qbd_config_free (copy);
  __atomic_fetch_add (&nr_silent, 1, __ATOMIC_RELAXED);
  return NULL;
}

/* All of it takes much less time than a connect_tmo. */
static void
silent (char *address)
{
  pthread_t threads[SILENT_THREADS];
  struct qbd_volume *a, *b;
  uint64_t begin = now_ms ();

  silent_config = qbd_config_copy (config);
  if (qbd_config_set (silent_config, "server", address) < 0 ||
      qbd_config_set (silent_config, "connect_tmo", "600") < 0)
    die ("%s", qbd_errmsg ());
  a = open_volume (0);
  for (uintptr_t i = 0; i < SILENT_THREADS; i++)
    pthread_create (&threads[i], NULL, silent_thread, (void *) i);
  for (unsigned i = 0; i < 20; i++) {
    b = open_volume (i & 1 ? QBD_OPEN_PROBE : 0);
    qbd_close (a);
    a = b;
  }
  qbd_close (a);
  if (__atomic_load_n (&nr_silent, __ATOMIC_RELAXED) != 0)
    die ("an open of a silent server is over");
  puts ("opened");
  /* silent_config is a copy: one interruption is for all of them */
  qbd_config_interrupt (config);
  for (unsigned i = 0; i < SILENT_THREADS; i++)
    pthread_join (threads[i], NULL);
  if (qbd_open (config, 0) || errno != ESHUTDOWN)
    die ("open after interruption: %s", qbd_errmsg ());
  if (now_ms () - begin > 30000)
    die ("%u ms", (unsigned) (now_ms () - begin));
  qbd_config_free (silent_config);
}

/* --- fork ---------------------------------------------------------------- */

enum { FORK_BLOCKS = 64, FORK_ROUNDS = 300 };

static void
check_blocks (struct qbd_volume *v, const char *who)
{
  uint32_t bytes = qbd_get_block_size (v);
  uint8_t *buf = malloc (bytes);

  for (unsigned i = 0; i < FORK_ROUNDS; i++) {
    unsigned k = i * 7 % FORK_BLOCKS;

    if (qbd_pread (v, buf, bytes, k * bytes, 0) < 0)
      die ("%s: %s", who, qbd_errmsg ());
    if (buf[0] != k + 1 || buf[bytes - 1] != k + 1)
      die ("%s: wrong data", who);
  }
  free (buf);
}

static void
expect_refused (int r, const char *what)
{
  if (r != -1 || errno != ENOTCONN ||
      !strstr (qbd_errmsg (), "opened before fork"))
    die ("%s of an inherited volume: %d, %s", what, r, qbd_errmsg ());
}

static void
in_child (unsigned before)
{
  struct qbd_volume *own = open_volume (0);
  static struct qbd_aio aio;
  static uint8_t block[65536];

  expect_refused (qbd_pread (volume, block, qbd_get_block_size (volume), 0,
                             0), "pread");
  expect_refused (qbd_flush (volume), "flush");
  expect_refused (qbd_check (volume), "check");
  expect_refused (qbd_aio_flush (volume, &aio), "aio_flush");
  expect_refused (qbd_aio_poll (volume, -1), "aio_poll");
  expect_refused (qbd_aio_fd (volume), "aio_fd");
  check_blocks (own, "child");
  qbd_interrupt (volume);
  qbd_close (volume);
  check_blocks (own, "child");
  qbd_close (own);
  /* libqbd keeps one, to wake its thread, for the process's life. */
  if (nr_descriptors () != before + 1)
    die ("child: %u descriptors left, not %u", nr_descriptors (), before + 1);
  exit (0);
}

static void *
fork_thread (void *arg)
{
  check_blocks (volume, "thread");
  return NULL;
}

static void
forked (void)
{
  unsigned before = nr_descriptors ();
  uint8_t *block;
  pthread_t thread;

  volume = open_volume (0);
  block = malloc (qbd_get_block_size (volume));
  for (unsigned i = 0; i < FORK_BLOCKS; i++) {
    memset (block, (int) i + 1, qbd_get_block_size (volume));
    if (qbd_pwrite (volume, block, qbd_get_block_size (volume),
                    i * qbd_get_block_size (volume), 0) < 0)
      die ("%s", qbd_errmsg ());
  }
  free (block);
  if (qbd_aio_fd (volume) < 0)
    die ("%s", qbd_errmsg ());
  for (unsigned i = 0; i < 20; i++) {
    int status;
    pid_t pid;

    pthread_create (&thread, NULL, fork_thread, NULL);
    pid = fork ();
    if (pid == 0)
      in_child (before);
    check_blocks (volume, "parent");
    pthread_join (thread, NULL);
    if (waitpid (pid, &status, 0) != pid || status != 0)
      die ("the child ended with %d", status);
  }
  check_blocks (volume, "parent");
  if (qbd_check (volume) < 0)
    die ("%s", qbd_errmsg ());
  qbd_close (volume);
}

/* --- the rest ----------------------------------------------------------- */

static void
reopen (unsigned n)
{
  unsigned before;

  qbd_close (open_volume (0));
  before = nr_descriptors ();
  for (unsigned i = 0; i < n; i++) {
    struct qbd_volume *a = open_volume (i & 1 ? QBD_OPEN_PROBE : 0);
    struct qbd_volume *b = open_volume (0);
    uint8_t block[65536];

    if (qbd_pread (a, block, qbd_get_block_size (a), 0, 0) < 0)
      die ("%s", qbd_errmsg ());
    qbd_close (a);
    if (qbd_pread (b, block, qbd_get_block_size (b), 0, 0) < 0)
      die ("%s", qbd_errmsg ());
    qbd_close (b);
  }
  if (nr_descriptors () != before)
    die ("%u descriptors before, %u after", before, nr_descriptors ());
}

static void
latency (unsigned n)
{
  uint8_t *buf = malloc (4096);
  uint64_t begin = now_ms ();

  for (unsigned i = 0; i < n; i++)
    if (qbd_pread (volume, buf, 4096, (i * 4096ull) % qbd_get_size (volume),
                   0) < 0)
      die ("%s", qbd_errmsg ());
  printf ("%.2f us a read\n", (double) (now_ms () - begin) * 1000 / n);
  free (buf);
}

/* --- synchronous and asynchronous at once ------------------------------- */

static pthread_barrier_t together;
static bool mixed_end;                  /* set while the reader waits at the
                                           first of two barriers */

static void *
mixed_reader (void *arg)
{
  static uint8_t buf[65536];

  for (;;) {
    pthread_barrier_wait (&together);
    if (mixed_end)
      return NULL;
    for (unsigned i = 0; i < 4; i++)
      if (qbd_pread (volume, buf, sizeof buf, 0, 0) < 0)
        die ("%s", qbd_errmsg ());
    pthread_barrier_wait (&together);
  }
}

static void
count_done (struct qbd_aio *aio, int error)
{
  if (error != 0)
    die ("a request that nothing disturbs: %s", strerror (error));
  __atomic_fetch_add ((unsigned *) aio->opaque, 1, __ATOMIC_RELAXED);
}

static void
mixed (unsigned seconds)
{
  static struct qbd_aio aio;
  size_t bytes = 4 << 20;
  unsigned char *buf = calloc (1, bytes);
  unsigned nr_done = 0;
  pthread_t thread;

  aio.done = count_done;
  aio.opaque = &nr_done;
  end_ms = now_ms () + 1000 * seconds;
  pthread_barrier_init (&together, NULL, 2);
  pthread_create (&thread, NULL, mixed_reader, NULL);
  while (!mixed_end) {
    mixed_end = time_is_up ();
    pthread_barrier_wait (&together);
    nr_done = 0;
    if (qbd_aio_pwrite (volume, &aio, buf, bytes, 1 << 20, 0) < 0)
      die ("%s", qbd_errmsg ());
    while (nr_done == 0)
      if (qbd_aio_poll (volume, -1) < 0)
        die ("%s", qbd_errmsg ());
    nr_requests++;
    if (!mixed_end)
      pthread_barrier_wait (&together);
  }
  pthread_join (thread, NULL);
  free (buf);
}

static void *
poller (void *arg)
{
  int n = qbd_aio_poll (volume, -1);

  if (n < 0)
    die ("%s", qbd_errmsg ());
  return NULL;
}

/* The volume's io_tmo is long: a poller that is forgotten is seen by the
 * test's time. */
static void
pollers (unsigned n)
{
  static struct qbd_aio aio;
  static uint8_t buf[1 << 20];
  unsigned nr_done = 0;

  aio.done = count_done;
  aio.opaque = &nr_done;
  for (unsigned i = 0; i < n; i++) {
    pthread_t threads[2];

    if (qbd_aio_pread (volume, &aio, buf, sizeof buf, 0, 0) < 0)
      die ("%s", qbd_errmsg ());
    for (unsigned k = 0; k < 2; k++)
      pthread_create (&threads[k], NULL, poller, NULL);
    for (unsigned k = 0; k < 2; k++)
      pthread_join (threads[k], NULL);
    if (__atomic_load_n (&nr_done, __ATOMIC_RELAXED) != i + 1)
      die ("the read is not done");
  }
  nr_requests = n;
}

static unsigned
number (char **argv, int i)
{
  return argv[i] ? (unsigned) strtoul (argv[i], NULL, 10) :
    (die ("an argument is missing"), 0u);
}

int
main (int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";
  bool load = strcmp (what, "stress") == 0 || strcmp (what, "aio") == 0;
  bool one = strcmp (what, "reopen") == 0 || strcmp (what, "latency") == 0 ||
    strcmp (what, "silent") == 0 || strcmp (what, "mixed") == 0 ||
    strcmp (what, "pollers") == 0;
  int first = load ? 5 : one ? 3 : 2;

  if (argc < first || (!load && !one && strcmp (what, "open") != 0 &&
                       strcmp (what, "fork") != 0))
    die ("what? see the head of my source");
  configure (argv + first);
  if (strcmp (what, "reopen") == 0) {
    reopen (number (argv, 2));
    qbd_config_free (config);
    return 0;
  }
  if (strcmp (what, "fork") == 0) {
    forked ();
    qbd_config_free (config);
    return 0;
  }
  if (strcmp (what, "silent") == 0) {
    silent (argv[2]);
    qbd_config_free (config);
    return 0;
  }
  volume = open_volume (0);
  if (load && number (argv, 3) > 0)
    end_ms = now_ms () + 1000ull * number (argv, 3);
  if (strcmp (what, "stress") == 0)
    stress (number (argv, 2), number (argv, 4));
  else if (strcmp (what, "aio") == 0)
    aio (number (argv, 2), number (argv, 4));
  else if (strcmp (what, "mixed") == 0)
    mixed (number (argv, 2));
  else if (strcmp (what, "pollers") == 0)
    pollers (number (argv, 2));
  else if (one)
    latency (number (argv, 2));
  printf ("%s: %s: size %llu block %u preferred %u max_transfer %u: "
          "%lu requests\n", what, qbd_get_nqn (volume),
          (unsigned long long) qbd_get_size (volume),
          qbd_get_block_size (volume), qbd_get_preferred_size (volume),
          qbd_get_max_transfer (volume), nr_requests);
  qbd_close (volume);
  qbd_config_free (config);
  return 0;
}
