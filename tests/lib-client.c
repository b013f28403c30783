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
 * Threads of `stress` have an equal part of the volume each, and so have
 * the requests in flight of `aio`.  "PREFIX: N requests" is said at the end.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libqbd.h>

enum { LONGEST_BYTES = 3 << 20 };

static struct qbd_config *config;
static struct qbd_volume *volume;
static uint64_t end_ms;                 /* 0: until the server is gone */
static unsigned long nr_requests;       /* of all threads, atomic */

static void __attribute__ ((noreturn, format (printf, 1, 2)))
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

static struct qbd_volume *
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

/* --- one part of the volume, and what should be in it ------------------- */

struct part {
  uint64_t offset_bytes, size_bytes;
  uint8_t *model;               /* what it holds */
  uint8_t *buf;                 /* what was read */
  uint64_t seed;
  uint32_t block_bytes;
  /* the request under way */
  enum { READ, READ_DISCARDED, WRITE, ZEROES, DISCARD, FLUSH } op;
  uint64_t at_bytes, bytes;     /* in the part */
  unsigned flags;
  struct qbd_volume *own;       /* stress: instead of the common handle */
  struct qbd_aio aio;
};

static uint64_t
random_next (struct part *part)
{
  part->seed ^= part->seed << 13;
  part->seed ^= part->seed >> 7;
  part->seed ^= part->seed << 17;
  return part->seed;
}

static void
part_init (struct part *part, unsigned i, unsigned n, uint64_t seed)
{
  uint32_t block_bytes = qbd_get_block_size (volume);
  uint64_t blocks = qbd_get_size (volume) / block_bytes / n;

  memset (part, 0, sizeof *part);
  part->block_bytes = block_bytes;
  part->size_bytes = blocks * block_bytes;
  part->offset_bytes = part->size_bytes * i;
  part->model = malloc (part->size_bytes);
  part->buf = malloc (part->size_bytes);
  part->seed = (seed + 1) * UINT64_C (0x9e3779b97f4a7c15) + i;
  if (qbd_pread (volume, part->model, part->size_bytes, part->offset_bytes,
                 0) < 0)
    die ("%s", qbd_errmsg ());
}

static void
part_free (struct part *part)
{
  free (part->model);
  free (part->buf);
}

/* What comes next; a discarded range is looked at before all else, because
 * it may read as zeroes or as before. */
static void
choose (struct part *part)
{
  uint64_t r = random_next (part), blocks = part->size_bytes /
    part->block_bytes, longest, n;

  part->flags = 0;
  if (part->op == DISCARD) {
    part->op = READ_DISCARDED;
    return;
  }
  longest = r & 0xf000 ? 64 : LONGEST_BYTES / part->block_bytes;
  if (longest > blocks)
    longest = blocks;
  n = 1 + random_next (part) % longest;
  part->at_bytes = random_next (part) % (blocks - n + 1) * part->block_bytes;
  part->bytes = n * part->block_bytes;
  switch (r % 16) {
  case 0:
    part->op = qbd_can_write_zeroes (volume) ? ZEROES : WRITE;
    part->flags = (r & 64 ? QBD_NO_UNMAP : 0) | (r & 128 ? QBD_FUA : 0);
    break;
  case 1:
    part->op = qbd_can_discard (volume) ? DISCARD : READ;
    break;
  case 2:
    part->op = FLUSH;
    break;
  case 3: case 4: case 5: case 6: case 7: case 8:
    part->op = WRITE;
    part->flags = r & 64 ? QBD_FUA : 0;
    break;
  default:
    part->op = READ;
    break;
  }
  if (part->op == WRITE)
    for (uint64_t i = 0; i < part->bytes; i += sizeof r) {
      r = random_next (part);
      memcpy (part->model + part->at_bytes + i, &r, sizeof r);
    }
}

static void
compare (struct part *part)
{
  uint8_t *model = part->model + part->at_bytes;

  for (uint64_t i = 0; i < part->bytes; i += part->block_bytes) {
    static const uint8_t zeroes[65536];

    if (memcmp (part->buf + i, model + i, part->block_bytes) == 0)
      continue;
    if (part->op == READ_DISCARDED &&
        memcmp (part->buf + i, zeroes, part->block_bytes) == 0) {
      memset (model + i, 0, part->block_bytes);
      continue;
    }
    die ("offset %llu: the volume does not hold what was written",
         (unsigned long long) (part->offset_bytes + part->at_bytes + i));
  }
}

static void
succeeded (struct part *part)
{
  if (part->op == READ || part->op == READ_DISCARDED)
    compare (part);
  else if (part->op == ZEROES)
    memset (part->model + part->at_bytes, 0, part->bytes);
  __atomic_fetch_add (&nr_requests, 1, __ATOMIC_RELAXED);
}

/* The server may go away only when it is meant to. */
static void
failed (int error)
{
  if (end_ms != 0 ||
      (error != ENOTCONN && error != ETIMEDOUT && error != EIO))
    die ("%s", qbd_errmsg ());
}

static bool
time_is_up (void)
{
  return end_ms != 0 && now_ms () >= end_ms;
}

/* --- threads ------------------------------------------------------------ */

static int
run_sync (struct qbd_volume *v, struct part *part)
{
  uint64_t offset = part->offset_bytes + part->at_bytes;

  switch (part->op) {
  case READ:
  case READ_DISCARDED:
    return qbd_pread (v, part->buf, part->bytes, offset, 0);
  case WRITE:
    return qbd_pwrite (v, part->model + part->at_bytes, part->bytes, offset,
                       part->flags);
  case ZEROES:
    return qbd_write_zeroes (v, part->bytes, offset, part->flags);
  case DISCARD:
    return qbd_discard (v, part->bytes, offset, 0);
  default:
    return qbd_flush (v);
  }
}

static void *
stress_thread (void *arg)
{
  struct part *part = arg;

  while (!time_is_up ()) {
    choose (part);
    if (run_sync (part->own ? part->own : volume, part) < 0) {
      failed (errno);
      break;
    }
    succeeded (part);
  }
  qbd_close (part->own);
  return NULL;
}

static void
stress (unsigned nr_threads, uint64_t seed)
{
  struct part *parts = calloc (nr_threads, sizeof *parts);
  pthread_t *threads = calloc (nr_threads, sizeof *threads);

  for (unsigned i = 0; i < nr_threads; i++) {
    part_init (&parts[i], i, nr_threads, seed);
    /* Half of them share a handle, all of them the association. */
    parts[i].own = i & 1 ? open_volume (0) : NULL;
  }
  puts ("running");
  fflush (stdout);
  for (unsigned i = 0; i < nr_threads; i++)
    if (pthread_create (&threads[i], NULL, stress_thread, &parts[i]) != 0)
      die ("pthread_create");
  for (unsigned i = 0; i < nr_threads; i++)
    pthread_join (threads[i], NULL);
  for (unsigned i = 0; i < nr_threads; i++)
    part_free (&parts[i]);
  free (threads);
  free (parts);
}

/* --- requests in flight ------------------------------------------------- */

static unsigned nr_in_flight;

static void aio_next (struct part *part);

static void
aio_done (struct qbd_aio *aio, int error)
{
  struct part *part = aio->opaque;

  nr_in_flight--;
  if (error != 0) {
    errno = error;
    failed (error);
    return;
  }
  succeeded (part);
  if (!time_is_up ())
    aio_next (part);
}

static void
aio_next (struct part *part)
{
  uint64_t offset;
  int r;

  choose (part);
  offset = part->offset_bytes + part->at_bytes;
  part->aio.done = aio_done;
  part->aio.opaque = part;
  switch (part->op) {
  case READ:
  case READ_DISCARDED:
    r = qbd_aio_pread (volume, &part->aio, part->buf, part->bytes, offset, 0);
    break;
  case WRITE:
    r = qbd_aio_pwrite (volume, &part->aio, part->model + part->at_bytes,
                        part->bytes, offset, part->flags);
    break;
  case ZEROES:
    r = qbd_aio_write_zeroes (volume, &part->aio, part->bytes, offset,
                              part->flags);
    break;
  case DISCARD:
    r = qbd_aio_discard (volume, &part->aio, part->bytes, offset, 0);
    break;
  default:
    r = qbd_aio_flush (volume, &part->aio);
    break;
  }
  if (r < 0)
    die ("submit: %s", qbd_errmsg ());
  nr_in_flight++;
}

static void
aio (unsigned depth, uint64_t seed)
{
  struct part *parts = calloc (depth, sizeof *parts);

  for (unsigned i = 0; i < depth; i++)
    part_init (&parts[i], i, depth, seed);
  puts ("running");
  fflush (stdout);
  for (unsigned i = 0; i < depth; i++)
    aio_next (&parts[i]);
  while (nr_in_flight > 0)
    if (qbd_aio_poll (volume, -1) < 0)
      die ("%s", qbd_errmsg ());
  for (unsigned i = 0; i < depth; i++)
    part_free (&parts[i]);
  free (parts);
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
static bool mixed_end;                  /* between two barriers */

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
