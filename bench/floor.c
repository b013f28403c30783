/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin of nbdkit for bench/run: memory, but each request is handed to
 * another thread, which does it and wakes the one that asked.  A plugin with
 * a network behind it does at least that, so none of them is faster, as long
 * as nbdkit waits for each request in a thread.  It knows nothing of qbd.
 *
 * Requests are the asking thread's, on its stack, and the other's between
 * the list and the wake-up.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

enum { WAIT, SLEEPING, OVER };

struct request {
  STAILQ_ENTRY (request) link;
  void *to;
  const void *from;
  size_t bytes;
  _Atomic uint32_t word;        /* futex */
};
STAILQ_HEAD (list, request);

static int64_t size_bytes;      /* constant after load */
static char *memory;            /* constant after get_ready */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list list = STAILQ_HEAD_INITIALIZER (list);       /* lock */
static _Atomic uint32_t bell;   /* futex: 0 while the other thread sleeps */

static void
futex_wait (_Atomic uint32_t *word, uint32_t value)
{
  while (atomic_load (word) == value)
    syscall (SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
futex_wake (_Atomic uint32_t *word)
{
  syscall (SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* --- the other thread ------------------------------------------------------ */

/* After the store the request's memory is gone. */
static void
answer (struct request *request)
{
  _Atomic uint32_t *word = &request->word;

  if (atomic_exchange (word, OVER) == SLEEPING)
    futex_wake (word);
}

static void
take_all (struct list *taken)
{
  STAILQ_INIT (taken);
  pthread_mutex_lock (&lock);
  STAILQ_CONCAT (taken, &list);
  if (STAILQ_EMPTY (taken))
    atomic_store (&bell, 0);
  pthread_mutex_unlock (&lock);
}

static void *
answer_all (void *arg)
{
  struct request *request, *next;
  struct list taken;

  for (;;) {
    take_all (&taken);
    if (STAILQ_EMPTY (&taken))
      futex_wait (&bell, 0);
    STAILQ_FOREACH (request, &taken, link)
      memcpy (request->to, request->from, request->bytes);
    for (request = STAILQ_FIRST (&taken); request; request = next) {
      next = STAILQ_NEXT (request, link);
      answer (request);
    }
  }
  return NULL;
}

/* --- nbdkit's threads -------------------------------------------------------- */

static int
hand_over (void *to, const void *from, size_t bytes)
{
  struct request request = { .to = to, .from = from, .bytes = bytes };
  uint32_t word = WAIT;
  bool asleep;

  pthread_mutex_lock (&lock);
  STAILQ_INSERT_TAIL (&list, &request, link);
  asleep = atomic_exchange (&bell, 1) == 0;
  pthread_mutex_unlock (&lock);
  if (asleep)
    futex_wake (&bell);
  if (atomic_compare_exchange_strong (&request.word, &word, SLEEPING))
    futex_wait (&request.word, SLEEPING);
  return 0;
}

static int
floor_pread (void *handle, void *buf, uint32_t count, uint64_t offset,
             uint32_t flags)
{
  return hand_over (buf, memory + offset, count);
}

static int
floor_pwrite (void *handle, const void *buf, uint32_t count, uint64_t offset,
              uint32_t flags)
{
  return hand_over (memory + offset, buf, count);
}

/* --- life ---------------------------------------------------------------------- */

static int
floor_config (const char *key, const char *value)
{
  if (strcmp (key, "size") != 0) {
    nbdkit_error ("%s: not a parameter", key);
    return -1;
  }
  size_bytes = nbdkit_parse_size (value);
  return size_bytes < 0 ? -1 : 0;
}

static int
floor_get_ready (void)
{
  memory = mmap (NULL, (size_t) size_bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    nbdkit_error ("size: %s", strerror (errno));
    return -1;
  }
  return 0;
}

static int
floor_after_fork (void)
{
  pthread_t thread;
  int error = pthread_create (&thread, NULL, answer_all, NULL);

  if (error != 0) {
    nbdkit_error ("thread: %s", strerror (error));
    return -1;
  }
  return pthread_detach (thread);
}

static void *
floor_open (int readonly)
{
  return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t
floor_get_size (void *handle)
{
  return size_bytes;
}

static struct nbdkit_plugin plugin = {
  .name = "floor",
  .config = floor_config,
  .magic_config_key = "size",
  .get_ready = floor_get_ready,
  .after_fork = floor_after_fork,
  .open = floor_open,
  .get_size = floor_get_size,
  .pread = floor_pread,
  .pwrite = floor_pwrite,
};

/* The macro defines what no header declares. */
struct nbdkit_plugin *plugin_init (void);
NBDKIT_REGISTER_PLUGIN (plugin)
