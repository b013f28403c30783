/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Helper of tests/pool-kill9.sh: is a pool still after its lock changed hands?
 *
 *   pool-kill9 write DIR [--no-hold|--late]
 *                                      writes to the pool until it is killed;
 *                                      says "io_uring" or "threads" when it is
 *                                      in full swing
 *   pool-kill9 watch DIR PID           kills process PID, takes the pool's lock
 *                                      and prints how many chunks changed
 *                                      while it had it
 *
 * With --late the pool is opened when the reactor runs already, as a reload
 * does.  With --plain the watcher waits for the writes' lock and does nothing
 * else, because what opening a pool does besides may happen to wait for the
 * writes, too (a full journal).  With --no-hold the writer's ring does not
 * hold the lock: what happens then shows that the experiment can fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>

#include "server/engine/engine.h"

#define CHUNK_BYTES (128u * 1024)
#define CHUNKS 1024u
#define DEPTH 192u
#define WARM_UP 400u            /* writes before the line is printed */
#define READERS 8u
#define LOOKS 20u
#define LOOK_EVERY_MS 100

static struct engine_pool *pool;
static struct engine_volume *volume;
static struct reactor *reactor;

static void
die (const struct error *err)
{
  fprintf (stderr, "pool-kill9: %s\n", err->message);
  exit (1);
}

static void
open_pool (const char *dir, bool hold)
{
  struct error err;

  if (engine_file.pool_open ("kill9", dir, &reactor, hold ? 1 : 0, &pool,
                             &err) < 0)
    die (&err);
}

/* --- write ------------------------------------------------------------ */

struct writer {
  struct engine_request request;
  struct iovec iov;
  void *buffer;
};

static struct writer writers[DEPTH];
static uint64_t nr_written;
static unsigned seed = 1;

static void write_next (struct writer *w);

static void
written (struct engine_request *request, int result)
{
  if (result < 0) {
    fprintf (stderr, "pool-kill9: write: %s\n", strerror (-result));
    exit (1);
  }
  if (++nr_written == WARM_UP)
    puts (reactor_file_backend (reactor));
  write_next ((struct writer *) request);
}

/* Chunks of their own, so that no write waits for another. */
static void
write_next (struct writer *w)
{
  unsigned chunk = (unsigned) (w - writers) +
                   DEPTH * ((unsigned) rand_r (&seed) % (CHUNKS / DEPTH));
  int r;

  memset (w->buffer, rand_r (&seed), CHUNK_BYTES);
  memcpy ((char *) w->buffer + CHUNK_BYTES - 4096, &nr_written,
          sizeof nr_written);
  w->iov = (struct iovec) { w->buffer, CHUNK_BYTES };
  w->request = (struct engine_request) {
    .done = written,
    .reactor = reactor,
    .op = ENGINE_WRITE,
    .offset_bytes = (uint64_t) chunk * CHUNK_BYTES,
    .length_bytes = CHUNK_BYTES,
    .iov = &w->iov,
    .iovcnt = 1,
  };
  r = volume->ops->submit (volume, &w->request);
  if (r != ENGINE_PENDING) {
    fprintf (stderr, "pool-kill9: this must be a disk\n");
    exit (77);
  }
}

static void
start_writing (void *arg)
{
  unsigned i;

  for (i = 0; i < DEPTH; ++i) {
    if (posix_memalign (&writers[i].buffer, 4096, CHUNK_BYTES) != 0)
      abort ();
    write_next (&writers[i]);
  }
}

static void
run_writer (const char *dir, bool hold, bool late)
{
  struct error err;
  int r;

  setvbuf (stdout, NULL, _IOLBF, 0);
  if (reactor_create (0, &reactor, &err) < 0)
    die (&err);
  if (!late)
    open_pool (dir, hold);
  if (reactor_start (reactor, &err) < 0)
    die (&err);
  if (late)
    open_pool (dir, hold);
  r = pool->ops->volume_create (pool, "disk", (uint64_t) CHUNKS * CHUNK_BYTES,
                                4096, &err);
  if ((r < 0 && r != -EEXIST) ||
      pool->ops->volume_open (pool, "disk", &volume, &err) < 0)
    die (&err);
  reactor_call (reactor, start_writing, NULL);
  for (;;)
    pause ();
}

/* --- watch ------------------------------------------------------------ */

/* The last block of each chunk tells which write was there last. */
static uint64_t looks[2][CHUNKS];
static const char *volume_path;

struct reader {
  pthread_t thread;
  unsigned index;
  uint64_t *into;
};

static void *
read_chunks (void *arg)
{
  struct reader *reader = arg;
  void *buffer;
  unsigned i;
  int fd;

  fd = open (volume_path, O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (fd < 0 || posix_memalign (&buffer, 4096, 4096) != 0)
    abort ();
  for (i = reader->index; i < CHUNKS; i += READERS) {
    if (pread (fd, buffer, 4096,
               (off_t) (i + 1) * CHUNK_BYTES - 4096) != 4096)
      abort ();
    memcpy (&reader->into[i], buffer, sizeof reader->into[i]);
  }
  free (buffer);
  close (fd);
  return NULL;
}

static void
look (uint64_t *into)
{
  struct reader readers[READERS];
  unsigned i;

  for (i = 0; i < READERS; ++i) {
    readers[i].index = i;
    readers[i].into = into;
    if (pthread_create (&readers[i].thread, NULL, read_chunks,
                        &readers[i]) != 0)
      abort ();
  }
  for (i = 0; i < READERS; ++i)
    pthread_join (readers[i].thread, NULL);
}

static void
lock_plainly (const char *dir)
{
  char path[4096];
  int fd;

  snprintf (path, sizeof path, "%s/qbd-pool.lock", dir);
  fd = open (path, O_RDWR | O_CLOEXEC);
  if (fd < 0 || flock (fd, LOCK_EX) < 0)
    abort ();
}

static void
run_watcher (const char *dir, pid_t victim, bool plain)
{
  struct error err;
  unsigned i, n, changed = 0;
  char path[4096];

  snprintf (path, sizeof path, "%s/volumes/disk.raw", dir);
  volume_path = path;
  if (reactor_create (0, &reactor, &err) < 0)
    die (&err);
  kill (victim, SIGKILL);
  if (plain)
    lock_plainly (dir);
  else
    open_pool (dir, true);
  look (looks[0]);              /* at once */
  for (n = 0; n < LOOKS; ++n) {
    poll (NULL, 0, LOOK_EVERY_MS);
    look (looks[1]);
    for (i = 0; i < CHUNKS; ++i)
      changed += looks[0][i] != looks[1][i];
    memcpy (looks[0], looks[1], sizeof looks[0]);
  }
  if (pool)
    pool->ops->pool_close (pool);
  reactor_destroy (reactor);
  printf ("%u\n", changed);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "write") == 0)
    run_writer (argv[2], true, false);
  else if (argc == 4 && strcmp (argv[1], "write") == 0 &&
           strcmp (argv[3], "--no-hold") == 0)
    run_writer (argv[2], false, false);
  else if (argc == 4 && strcmp (argv[1], "write") == 0 &&
           strcmp (argv[3], "--late") == 0)
    run_writer (argv[2], true, true);
  else if (argc == 4 && strcmp (argv[1], "watch") == 0 && atol (argv[3]) > 1)
    run_watcher (argv[2], (pid_t) atol (argv[3]), false);
  else if (argc == 5 && strcmp (argv[1], "watch") == 0 &&
           atol (argv[3]) > 1 && strcmp (argv[4], "--plain") == 0)
    run_watcher (argv[2], (pid_t) atol (argv[3]), true);
  else {
    fprintf (stderr, "usage: pool-kill9 write DIR [--no-hold|--late]\n"
             "       pool-kill9 watch DIR PID [--plain]\n");
    return 2;
  }
  return 0;
}
