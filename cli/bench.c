/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd bench POOL/VOL: a load on a volume over libqbd's asynchronous API, and
 * what came of it.  One thread; bench-report.c prints.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/bench.h"
#include "cli/transfer.h"
#include "common/clock.h"
#include "common/usage.h"

#define DEPTH_DEFAULT 16
#define IO_SIZE_DEFAULT 4096
#define SECONDS_DEFAULT 10
#define READ_PERCENT_DEFAULT 70
#define POLL_MS 100
#define BUFFER_ALIGN 4096

struct request {
  struct qbd_aio aio;           /* first member */
  struct run *run;
  uint8_t *buf;
  enum bench_op op;
  uint64_t start_ns;
};

struct run {
  const struct bench *bench;
  struct bench_result *result;
  struct qbd_volume *volume;
  uint8_t *memory;
  struct request *requests;
  struct request **idle;        /* a stack */
  unsigned nr_idle;
  uint64_t nr_blocks;           /* of io_size_bytes */
  uint64_t next_block;          /* sequential */
  uint64_t random;
  uint64_t end_ns;
  unsigned nr_in_flight;
  int error;                    /* errno of the first that failed */
};

/* --- requests ----------------------------------------------------------- */

/* xorshift64*: fast, and repeats after 2^64. */
static uint64_t
next_random (struct run *run)
{
  run->random ^= run->random >> 12;
  run->random ^= run->random << 25;
  run->random ^= run->random >> 27;
  return run->random * UINT64_C (0x2545f4914f6cdd1d);
}

static uint64_t
next_offset (struct run *run)
{
  uint64_t block;

  if (run->bench->sequential) {
    block = run->next_block++ % run->nr_blocks;
    return block * run->bench->io_size_bytes;
  }
  block = (uint64_t) ((unsigned __int128) next_random (run) * run->nr_blocks
                      >> 64);
  return block * run->bench->io_size_bytes;
}

static enum bench_op
next_op (struct run *run)
{
  switch (run->bench->type) {
  case BENCH_READS: return BENCH_READ;
  case BENCH_WRITES: return BENCH_WRITE;
  case BENCH_MIX: break;
  }
  return next_random (run) >> 32 < ((uint64_t) run->bench->read_percent << 32)
    / 100 ? BENCH_READ : BENCH_WRITE;
}

/* What storage could compress or leave out would flatter it: each write has
 * a first word of its own in every 512 bytes. */
static void
refresh (struct run *run, struct request *request)
{
  for (uint64_t at = 0; at < run->bench->io_size_bytes; at += 512) {
    uint64_t word = next_random (run);

    memcpy (request->buf + at, &word, sizeof word);
  }
}

/* -EAGAIN: the queue has no room; else the run is over. */
static int
submit (struct run *run, struct request *request)
{
  uint64_t offset = next_offset (run);
  size_t count = run->bench->io_size_bytes;
  int r;

  request->op = next_op (run);
  if (request->op == BENCH_WRITE)
    refresh (run, request);
  request->start_ns = clock_now_ns ();
  r = request->op == BENCH_READ
    ? qbd_aio_pread (run->volume, &request->aio, request->buf, count, offset,
                     0)
    : qbd_aio_pwrite (run->volume, &request->aio, request->buf, count, offset,
                      run->bench->fua ? QBD_FUA : 0);
  if (r == 0)
    run->nr_in_flight++;
  return r < 0 ? -errno : 0;
}

/* As many as are idle and find room. */
static void
submit_idle (struct run *run)
{
  int r = 0;

  while (run->nr_idle > 0 && run->error == 0 && !transfer_interrupted ()
         && clock_now_ns () < run->end_ns) {
    r = submit (run, run->idle[run->nr_idle - 1]);
    if (r == -EAGAIN && run->nr_in_flight > 0)
      break;                    /* the server grants shorter queues */
    if (r < 0)
      run->error = -r;
    else
      run->nr_idle--;
  }
}

static void
request_done (struct qbd_aio *aio, int error)
{
  struct request *request = (struct request *) aio;
  struct run *run = request->run;

  run->nr_in_flight--;
  run->idle[run->nr_idle++] = request;
  if (error == 0)
    latency_add (&run->result->latency[request->op],
                 clock_now_ns () - request->start_ns);
  else if (run->error == 0)
    run->error = error;
}

/* --- the run ------------------------------------------------------------ */

static int
prepare (struct run *run, const char *name, struct error *err)
{
  const struct bench *bench = run->bench;
  uint64_t size_bytes = qbd_get_size (run->volume);
  size_t stride = (bench->io_size_bytes + BUFFER_ALIGN - 1)
    / BUFFER_ALIGN * BUFFER_ALIGN;
  uint32_t block_size = qbd_get_block_size (run->volume);

  if (bench->io_size_bytes % block_size != 0)
    return error_set (err, EINVAL, "bench: %s: --io-size: is no multiple of "
                      "the block size %u", name, (unsigned) block_size);
  run->nr_blocks = size_bytes / bench->io_size_bytes;
  if (run->nr_blocks == 0)
    return error_set (err, EINVAL, "bench: %s: --io-size: is larger than the "
                      "volume", name);
  run->memory = aligned_alloc (BUFFER_ALIGN, stride * bench->depth);
  run->requests = calloc (bench->depth, sizeof *run->requests);
  run->idle = calloc (bench->depth, sizeof *run->idle);
  if (!run->memory || !run->requests || !run->idle)
    return error_set (err, ENOMEM, "bench: %s: out of memory: use less "
                      "--depth or --io-size", name);
  if (getrandom (&run->random, sizeof run->random, 0) != sizeof run->random)
    return error_set (err, errno, "bench: random: %s", strerror (errno));
  run->random |= 1;             /* 0 is the one state that stays */
  for (size_t at = 0; at + 8 <= stride * bench->depth; at += 8) {
    uint64_t word = next_random (run);

    memcpy (run->memory + at, &word, sizeof word);
  }
  for (unsigned i = 0; i < bench->depth; i++) {
    run->requests[i] = (struct request) {
      .aio.done = request_done, .run = run, .buf = run->memory + i * stride,
    };
    run->idle[run->nr_idle++] = &run->requests[i];
  }
  return 0;
}

static int
drive (struct run *run, const char *name, struct error *err)
{
  struct bench_progress progress;
  uint64_t start_ns = clock_now_ns ();

  run->end_ns = start_ns + run->bench->seconds * UINT64_C (1000000000);
  bench_progress_start (&progress, run->bench, run->result);
  submit_idle (run);
  while (run->nr_in_flight > 0) {
    if (qbd_aio_poll (run->volume, POLL_MS) < 0) {
      run->error = errno;
      break;
    }
    submit_idle (run);
    bench_progress_tick (&progress);
  }
  run->result->elapsed_ns = clock_now_ns () - start_ns;
  bench_progress_end (&progress);
  if (run->error == ENOTCONN && qbd_check (run->volume) == -1)
    return error_set (err, ENOTCONN, "bench: %s: %s", name, qbd_errmsg ());
  if (run->error != 0)
    return error_set (err, run->error, "bench: %s: %s", name,
                      strerror (run->error));
  return 0;
}

/* --- the command -------------------------------------------------------- */

static int
choose (const char *option, const char *text, const char *const names[],
        int *chosen, struct error *err)
{
  for (*chosen = 0; names[*chosen]; ++*chosen)
    if (strcmp (names[*chosen], text) == 0)
      return 0;
  return usage_unknown (option, text, names, err);
}

/* The command line's words, and what it did not say. */
static int
take_options (const struct cli *cli, struct bench *bench, struct error *err)
{
  int type = BENCH_READS, pattern = 0, r = 0;

  if (cli->given & CLI_IO_TYPE)
    r = choose ("option: --io-type", cli->io_type, bench_type_names, &type,
                err);
  if (r == 0 && cli->given & CLI_IO_PATTERN)
    r = choose ("option: --io-pattern", cli->io_pattern,
                bench_pattern_names, &pattern, err);
  if (r < 0)
    return r;
  *bench = (struct bench) {
    .type = type,
    .sequential = pattern == 1,
    .fua = cli->given & CLI_FUA,
    .quiet = cli->given & CLI_QUIET,
    .depth = cli->given & CLI_DEPTH ? cli->depth : DEPTH_DEFAULT,
    .queues = cli->given & CLI_QUEUES ? cli->queues : 1,
    .seconds = cli->given & CLI_SECONDS ? cli->seconds : SECONDS_DEFAULT,
    .read_percent = cli->given & CLI_READ_PERCENT ? cli->read_percent
      : READ_PERCENT_DEFAULT,
    .io_size_bytes = cli->given & CLI_IO_SIZE ? cli->io_size_bytes
      : IO_SIZE_DEFAULT,
  };
  if (bench->io_size_bytes > BENCH_IO_SIZE_MAX)
    return error_set (err, EINVAL, "option: --io-size: must be at most 64M");
  if (bench->fua && type == BENCH_READS)
    return error_set (err, EINVAL, "option: --fua: is for writes: say "
                      "--io-type write or mix");
  if (type != BENCH_READS && !(cli->given & CLI_OVERWRITE))
    return error_set (err, EINVAL, "bench: --io-type %s: destroys what is in "
                      "the volume: say --overwrite", cli->io_type);
  return 0;
}

/* Between this and our own attaching another may come: as with import, it is
 * there to spare an accident. */
static int
refuse_attached (const struct cli *cli, const char *name, struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", .name = name,
  };
  json_t *volume;
  int r;

  r = client_call (cli, &call, &volume, err);
  if (r < 0)
    return r;
  r = check_unattached ("bench", name, volume, err);
  json_decref (volume);
  return r;
}

static int
attach (const struct cli *cli, const struct bench *bench, const char *name,
        struct qbd_volume **volume, struct error *err)
{
  char queues[16], queue_size[16];
  /* Requests take turns on the queues; one entry stays empty. */
  unsigned entries = (bench->depth + bench->queues - 1) / bench->queues + 2;
  const struct attach_key keys[] = {
    { "nr_io_queues", queues },
    { "queue_size", queue_size },
    { NULL, NULL },
  };

  snprintf (queues, sizeof queues, "%u", bench->queues);
  snprintf (queue_size, sizeof queue_size, "%u",
            entries < 128 ? 128 : entries);
  return attach_volume_with (cli, "bench", name, bench->type == BENCH_READS
                             ? QBD_OPEN_READONLY : 0, keys, volume, err);
}

static int
check (struct cli *cli, char *const operands[], struct error *err)
{
  struct bench bench;

  return take_options (cli, &bench, err);
}

static int
run_bench (const struct cli *cli, char *const operands[], struct error *err)
{
  static struct bench_result result;
  struct bench bench;
  struct run run = { .bench = &bench, .result = &result };
  int r;

  r = take_options (cli, &bench, err);
  if (r < 0)
    return r;
  transfer_catch_signals ();
  if (bench.type != BENCH_READS) {
    r = refuse_attached (cli, operands[0], err);
    if (r < 0)
      return r;
  }
  r = attach (cli, &bench, operands[0], &run.volume, err);
  if (r < 0)
    return r;
  r = prepare (&run, operands[0], err);
  if (r == 0)
    r = drive (&run, operands[0], err);
  qbd_close (run.volume);
  free (run.idle);
  free (run.requests);
  free (run.memory);
  if (r == 0)
    bench_print (operands[0], &bench, &result, cli->json);
  return r;
}

const struct command command_bench = {
  .name = "bench",
  .operands = { "POOL/VOL" },
  .options = CLI_DEPTH | CLI_FUA | CLI_IO_PATTERN | CLI_IO_SIZE | CLI_IO_TYPE
    | CLI_OVERWRITE | CLI_QUEUES | CLI_QUIET | CLI_READ_PERCENT
    | CLI_SECONDS,
  .summary = "measure a volume: operations a second, latency",
  .help =
    "Reads random blocks, unless the options say otherwise.  Writing destroys\n"
    "what is in the volume, and takes --overwrite.  A new volume is all hole:\n"
    "fill it first, or only holes are measured.  Ctrl-C ends it early, and\n"
    "prints what was measured until then.\n",
  .check = check,
  .run = run_bench,
};
