/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random requests, many at once, overlapping, from two reactors; then the
 * history is judged.  Every write fills its blocks with a number of its own.
 * A block that was read must be of one piece, and of a write that was not over
 * and overwritten, by one that followed it, before the read began.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "tests/unit/engine-helpers.h"

#define BLOCKS 48u
#define BLOCKS_MAX 12u          /* of one request */
#define OPS 3000u
#define CHAINS 24u              /* requests in flight */

struct op {
  enum engine_op op;
  unsigned flags;
  unsigned first, n;            /* blocks */
  uint64_t value;               /* what it writes; 0: zeroes */
  unsigned start, end;          /* by the clock below */
  int result;
  uint64_t *seen;               /* READ: per block; UINT64_MAX: mixed */
};

struct chain {
  struct engine_request request;
  struct iovec iov[3];
  uint8_t *buffer;
  unsigned seed;
  struct op *op;
  struct reactor_task task;
};

static struct op ops[OPS];
static struct chain chains[CHAINS];
static struct test_pool pool;
static struct engine_volume *volume;
static atomic_uint next_op, now, nr_running;
static int all_over;

static void
fill (uint8_t *buffer, const struct op *op)
{
  size_t words = (size_t) op->n * volume->block_size / sizeof op->value;
  size_t i;

  for (i = 0; i < words; ++i)
    memcpy (buffer + i * sizeof op->value, &op->value, sizeof op->value);
}

static void
note_seen (const uint8_t *buffer, struct op *op)
{
  size_t words = volume->block_size / sizeof (uint64_t);
  uint64_t word, first;
  unsigned b;
  size_t i;

  for (b = 0; b < op->n; ++b) {
    memcpy (&first, buffer + (size_t) b * volume->block_size, sizeof first);
    op->seen[b] = first;
    for (i = 1; i < words; ++i) {
      memcpy (&word, buffer + (size_t) b * volume->block_size +
                     i * sizeof word, sizeof word);
      if (word != first)
        op->seen[b] = UINT64_MAX;
    }
  }
}

/* One element, or three with odd bounds. */
static void
make_iov (struct chain *chain, size_t bytes)
{
  size_t a = 0, b = bytes;

  if (rand_r (&chain->seed) % 4 == 0) {
    a = (unsigned) rand_r (&chain->seed) % bytes;
    b = a + (unsigned) rand_r (&chain->seed) % (bytes - a);
  }
  chain->request.iovcnt = a == 0 && b == bytes ? 1 : 3;
  chain->request.iov = chain->iov;
  chain->iov[0] = (struct iovec) { chain->buffer, a };
  chain->iov[1] = (struct iovec) { chain->buffer + a, b - a };
  chain->iov[2] = (struct iovec) { chain->buffer + b, bytes - b };
  if (chain->request.iovcnt == 1)
    chain->iov[0] = (struct iovec) { chain->buffer, bytes };
}

static void
choose (struct op *op, unsigned index, unsigned *seed)
{
  static const enum engine_op kinds[] = {
    ENGINE_READ, ENGINE_READ, ENGINE_READ, ENGINE_READ, ENGINE_READ,
    ENGINE_WRITE, ENGINE_WRITE, ENGINE_WRITE, ENGINE_WRITE,
    ENGINE_DISCARD, ENGINE_WRITE_ZEROES, ENGINE_FLUSH,
  };

  op->op = kinds[(unsigned) rand_r (seed) % (sizeof kinds / sizeof kinds[0])];
  op->n = 1 + (unsigned) rand_r (seed) % BLOCKS_MAX;
  op->first = (unsigned) rand_r (seed) % (BLOCKS - op->n + 1);
  op->value = op->op == ENGINE_WRITE ? index + 1 : 0;
  op->flags = rand_r (seed) % 8 == 0 ? ENGINE_FUA : 0;
  if (op->op == ENGINE_WRITE_ZEROES && rand_r (seed) % 2)
    op->flags |= ENGINE_UNMAP;
  if (op->op == ENGINE_READ)
    op->flags = 0;
}

static void run_chain (struct reactor_task *task);

static void
over (struct chain *chain, int result)
{
  struct op *op = chain->op;

  op->end = atomic_fetch_add (&now, 1);
  op->result = result;
  if (op->op == ENGINE_READ && result == 0)
    note_seen (chain->buffer, op);
  reactor_post (chain->request.reactor, &chain->task);
}

static void
done (struct engine_request *request, int result)
{
  over ((struct chain *) request, result);
}

static void
run_chain (struct reactor_task *task)
{
  struct chain *chain = (struct chain *)
    ((char *) task - offsetof (struct chain, task));
  unsigned index = atomic_fetch_add (&next_op, 1);
  struct op *op = &ops[index < OPS ? index : 0];
  size_t bytes;
  int r;

  if (index >= OPS) {
    if (atomic_fetch_sub (&nr_running, 1) == 1)
      eventfd_write (all_over, 1);
    return;
  }
  choose (op, index, &chain->seed);
  bytes = (size_t) op->n * volume->block_size;
  chain->op = op;
  chain->request.op = op->op;
  chain->request.flags = op->flags;
  chain->request.offset_bytes = (uint64_t) op->first * volume->block_size;
  chain->request.length_bytes = bytes;
  make_iov (chain, bytes);
  if (op->op == ENGINE_READ) {
    op->seen = calloc (op->n, sizeof op->seen[0]);
    memset (chain->buffer, 0xee, bytes);
  }
  else
    fill (chain->buffer, op);
  op->start = atomic_fetch_add (&now, 1);
  r = volume->ops->submit (volume, &chain->request);
  if (r != ENGINE_PENDING)
    over (chain, r);
}

/* --- the judge -------------------------------------------------------- */

static bool
writes_block (const struct op *op, unsigned block)
{
  return op->op != ENGINE_READ && op->op != ENGINE_FLUSH &&
         block >= op->first && block < op->first + op->n;
}

/* Another write came after w and was over before the read began. */
static bool
is_buried (const struct op *w, const struct op *read, unsigned block)
{
  size_t i;

  for (i = 0; i < OPS; ++i)
    if (writes_block (&ops[i], block) && &ops[i] != w &&
        (!w || w->end < ops[i].start) && ops[i].end < read->start)
      return true;
  return false;
}

static bool
is_possible (const struct op *read, unsigned block, uint64_t value)
{
  size_t i;

  /* As it was at first. */
  if (value == 0 && !is_buried (NULL, read, block))
    return true;
  for (i = 0; i < OPS; ++i)
    if (writes_block (&ops[i], block) && ops[i].value == value &&
        ops[i].start < read->end && !is_buried (&ops[i], read, block))
      return true;
  return false;
}

static void
judge (void)
{
  size_t i;
  unsigned b;

  for (i = 0; i < OPS; ++i) {
    assert_int_equal (ops[i].result, 0);
    if (ops[i].op != ENGINE_READ)
      continue;
    for (b = 0; b < ops[i].n; ++b) {
      if (ops[i].seen[b] == UINT64_MAX)
        fail_msg ("block %u is a mix", ops[i].first + b);
      if (!is_possible (&ops[i], ops[i].first + b, ops[i].seen[b]))
        fail_msg ("block %u cannot be of write %llu", ops[i].first + b,
                  (unsigned long long) ops[i].seen[b]);
    }
    free (ops[i].seen);
  }
}

/* --- the cases -------------------------------------------------------- */

struct test_case {
  const char *name;
  const struct engine_ops *engine;
  const char *where;            /* NULL: $TMPDIR */
  const char *option;
  bool threads;
  uint32_t block_size;
};

static void
run_case (const struct test_case *c, unsigned seed)
{
  char *dir = c->engine == &engine_file ? make_dir (c->where) : NULL;
  char *argument = join (dir ? dir : "", c->option);
  eventfd_t count;
  unsigned i;

  /* "DIR/?cache=..." is "DIR?cache=..." as well. */
  open_pool (&pool, c->engine, dir ? argument : "");
  volume = make_volume (&pool, "disk", (uint64_t) BLOCKS * c->block_size,
                        c->block_size);
  memset (ops, 0, sizeof ops);
  next_op = 0;
  nr_running = CHAINS;
  all_over = eventfd (0, EFD_CLOEXEC);
  for (i = 0; i < CHAINS; ++i) {
    chains[i].seed = seed * 1000 + i;
    chains[i].buffer = make_buffer ((size_t) BLOCKS_MAX * c->block_size, 0);
    chains[i].task.run = run_chain;
    chains[i].request.done = done;
    chains[i].request.reactor = pool.reactors[i % TEST_REACTORS];
    reactor_post (chains[i].request.reactor, &chains[i].task);
  }
  assert_int_equal (eventfd_read (all_over, &count), 0);
  close (all_over);
  judge ();
  volume->ops->volume_close (volume);
  close_pool (&pool);
  for (i = 0; i < CHAINS; ++i)
    free (chains[i].buffer);
  free (argument);
  if (dir)
    remove_dir (dir);
}

static void
test_random (void **state)
{
  const struct test_case *c = *state;
  const char *text = getenv ("QBD_RANDOM_SEEDS");
  unsigned n = text ? (unsigned) atoi (text) : 2;
  unsigned seed;

  setenv ("QBD_NO_IO_URING", c->threads ? "1" : "0", 1);
  for (seed = 1; seed <= n; ++seed)
    run_case (c, seed);
}

int
main (void)
{
  static struct test_case cases[] = {
    { "ram", &engine_ram, NULL, "", false, 512 },
    { "ram 4096", &engine_ram, NULL, "", false, 4096 },
    { "disk", &engine_file, NULL, "", false, 512 },
    { "disk 4096", &engine_file, NULL, "", false, 4096 },
    { "disk, threads", &engine_file, NULL, "", true, 512 },
    { "buffered", &engine_file, NULL, "?cache=buffered", false, 512 },
    { "buffered 4096", &engine_file, NULL, "?cache=buffered", false, 4096 },
    { "buffered, threads", &engine_file, NULL, "?cache=buffered", true, 512 },
    { "tmpfs", &engine_file, "/dev/shm", "", false, 512 },
    { "tmpfs 4096", &engine_file, "/dev/shm", "", false, 4096 },
    { "tmpfs, threads", &engine_file, "/dev/shm", "", true, 4096 },
  };
  enum { N = sizeof cases / sizeof cases[0] };
  struct CMUnitTest tests[N];
  size_t i;

  for (i = 0; i < N; ++i)
    tests[i] = (struct CMUnitTest) { cases[i].name, test_random, NULL, NULL,
                                     &cases[i] };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
