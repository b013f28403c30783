/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd torture URI [POOL/VOL]: concurrent clients, a faulty network between
 * them and a target, and the judgement of the simulator's model.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/torture/torture.h"
#include "cli/transfer.h"
#include "common/cleanup.h"
#include "common/random.h"
#include "common/size.h"
#include "common/usage.h"

#define CLIENTS_DEFAULT 4
#define DEPTH_DEFAULT 16
#define SECONDS_DEFAULT 10
#define RANGE_DEFAULT (4u << 20)
#define TICK_MS 20
#define RESTART_MIN_MS 300      /* of traffic, between two restarts */
#define RESTART_MAX_MS 1500
#define END_TMO_MS 60000        /* for what is under way, without faults */

/* --- the command line ----------------------------------------------------- */

static int
take_fault (const char *name, size_t length, unsigned *faults,
            struct error *err)
{
  char word[32];

  snprintf (word, sizeof word, "%.*s", (int) length, name);
  for (unsigned i = 0; fault_names[i]; i++)
    if (strcmp (fault_names[i], word) == 0) {
      *faults |= 1u << i;
      return 0;
    }
  return usage_unknown ("option: --faults", word, fault_names, err);
}

static int
take_faults (const char *list, unsigned *faults, struct error *err)
{
  int r = 0;

  *faults = 0;
  if (strcmp (list, "none") == 0)
    return 0;
  do {
    size_t length = strcspn (list, ",");

    r = take_fault (list, length, faults, err);
    list += length;
  } while (r == 0 && *list++ == ',');
  return r;
}

static int
take_options (const struct cli *cli, char *const operands[],
              struct torture *torture, struct error *err)
{
  *torture = (struct torture) {
    .target = { .uri = operands[0], .name = operands[1] },
    .seed = cli->seed,
    .range_bytes = cli->given & CLI_RANGE ? cli->range_bytes : RANGE_DEFAULT,
    .nr_clients = cli->given & CLI_CLIENTS ? cli->clients : CLIENTS_DEFAULT,
    .depth = cli->given & CLI_DEPTH ? cli->depth : DEPTH_DEFAULT,
    .seconds = cli->given & CLI_SECONDS ? cli->seconds
      : cli->given & CLI_OPS ? UINT32_MAX : SECONDS_DEFAULT,
    .ops_each = cli->given & CLI_OPS ? cli->ops : 0,
    .faults = (1u << FAULT_NR) - 1,
    .resend = cli->given & CLI_RESEND,
    .volatile_cache = cli->given & CLI_VOLATILE,
    .restart_command = cli->given & CLI_RESTART ? cli->restart_command : NULL,
    .quiet = cli->given & CLI_QUIET,
    .json = cli->json,
  };
  if (torture->depth > TORTURE_DEPTH_MAX)
    return error_set (err, EINVAL, "option: --depth: %u: must be at most %u "
                      "here", torture->depth, TORTURE_DEPTH_MAX);
  if (torture->volatile_cache && torture->restart_command == NULL)
    return error_set (err, EINVAL, "option: --volatile: says what "
                      "--restart-command does, and that is not given");
  return cli->given & CLI_FAULTS
    ? take_faults (cli->faults, &torture->faults, err) : 0;
}

static int
check (struct cli *cli, char *const operands[], struct error *err)
{
  static struct torture torture;
  int r = take_options (cli, operands, &torture, err);

  return r < 0 ? r : target_choose (&torture.target, err);
}

/* --- before --------------------------------------------------------------- */

static int
refuse (const struct torture *torture, const char *why, struct error *err)
{
  return error_set (err, EINVAL, "torture: %.200s: %s", torture->target.uri,
                    why);
}

static int
choose_range (struct torture *torture, struct error *err)
{
  const struct target *target = &torture->target;
  uint32_t block_size = target->block_size;
  uint64_t bytes = torture->range_bytes < target->size_bytes
    ? torture->range_bytes : target->size_bytes;

  if (block_size > MODEL_BLOCK_SIZE_MAX || block_size % 8 != 0)
    return refuse (torture, "its blocks are too large", err);
  if (bytes / block_size > MODEL_BLOCKS_MAX)
    return error_set (err, EINVAL, "option: --range: must be at most %" PRIu64
                      " blocks of %u bytes", (uint64_t) MODEL_BLOCKS_MAX,
                      block_size);
  torture->nr_blocks = (uint32_t) (bytes / block_size);
  torture->range_bytes = (uint64_t) torture->nr_blocks * block_size;
  if (torture->nr_blocks == 0)
    return refuse (torture, "it has no block to write to", err);
  torture->blocks_each = TORTURE_BLOCKS_EACH_MAX;
  if (torture->blocks_each > torture->nr_blocks)
    torture->blocks_each = torture->nr_blocks;
  if (torture->blocks_each > target->request_bytes_max / block_size)
    torture->blocks_each = target->request_bytes_max / block_size;
  if (torture->blocks_each == 0)
    return refuse (torture, "it takes no request of a block", err);
  /* Else a client need not see what another wrote, nor a flush cover it. */
  if (!target->shared) {
    torture->nr_clients = 1;
    if (torture->volatile_cache)
      torture->faults &= 1u << FAULT_DELAY;
  }
  return 0;
}

/* It destroys: not by accident. */
static int
ask (const struct cli *cli, const struct torture *torture, struct error *err)
{
  char range[32], size[32], answer[8] = "";

  if (cli->given & CLI_OVERWRITE)
    return 0;
  size_format (torture->range_bytes, range, sizeof range);
  size_format (torture->target.size_bytes, size, sizeof size);
  if (!isatty (STDIN_FILENO) || !isatty (STDERR_FILENO))
    return error_set (err, EINVAL, "torture: %.200s: the first %s of %s would "
                      "be lost: say --overwrite", torture->target.uri, range,
                      size);
  fprintf (stderr, "qbd: the first %s of the %s of %s%s%s will be lost. "
           "Go on? [y/N] ", range, size, torture->target.uri,
           torture->target.name ? " " : "",
           torture->target.name ? torture->target.name : "");
  if (fgets (answer, sizeof answer, stdin) == NULL
      || (answer[0] != 'y' && answer[0] != 'Y'))
    return refuse (torture, "left as it is", err);
  return 0;
}

static int
prepare (const struct cli *cli, struct torture *torture, struct error *err)
{
  uint64_t salt;
  int r = torture->target.ops->probe (&torture->target, err);

  if (r == 0 && torture->target.read_only)
    r = error_set (err, EROFS, "torture: %.200s: is read-only",
                   torture->target.uri);
  if (r == 0)
    r = choose_range (torture, err);
  if (r == 0)
    r = ask (cli, torture, err);
  if (r < 0)
    return r;
  if (getrandom (&salt, sizeof salt, 0) != sizeof salt
      || (!(cli->given & CLI_SEED)
          && getrandom (&torture->seed, 4, 0) != 4))
    return error_set (err, errno, "torture: random: %s", strerror (errno));
  torture->model = model_new (torture->target.block_size, torture->nr_blocks);
  model_set_salt (torture->model, salt);
  torture->history = history_new (torture->model, !torture->target.atomic);
  if (torture->history == NULL)
    return error_set (err, ENOMEM, "torture: out of memory");
  pthread_mutex_init (&torture->lock, NULL);
  torture->start_ns = clock_now_ns ();
  return whole_clear (torture, err);
}

/* --- restarts ------------------------------------------------------------- */

/* What it says is no part of the report. */
static int
run_command (const char *command)
{
  CLEANUP_FREE char *line = NULL;

  if (asprintf (&line, "exec >&2\n%s", command) < 0)
    return -1;
  return system (line);
}

static int
restart (struct torture *torture, struct error *err)
{
  struct event event = {
    .kind = EVENT_RESTART, .start_ns = torture_now_ns (torture),
  };
  uint64_t sequence;
  int status;

  pthread_mutex_lock (&torture->lock);
  sequence = history_add (torture->history, &event);
  if (torture->volatile_cache)
    model_power_goes (torture->model);
  pthread_mutex_unlock (&torture->lock);
  atomic_store (&torture->restarting, true);
  status = run_command (torture->restart_command);
  atomic_store (&torture->restarting, false);
  pthread_mutex_lock (&torture->lock);
  if (torture->volatile_cache)
    model_power_is_back (torture->model);
  torture->nr_restarts++;
  history_end (torture->history, sequence, torture_now_ns (torture), 0);
  pthread_mutex_unlock (&torture->lock);
  if (status == 0)
    return 0;
  return error_set (err, ECHILD, "torture: --restart-command: ended with %d",
                    WIFEXITED (status) ? WEXITSTATUS (status) : status);
}

/* When the next is due; 0 the first time. */
static int
restart_when_due (struct torture *torture, uint64_t *random, uint64_t *due_ms,
                  struct error *err)
{
  int r = 0;

  if (torture->restart_command == NULL || clock_now_ms () < *due_ms)
    return 0;
  if (*due_ms != 0)
    r = restart (torture, err);
  *due_ms = clock_now_ms () + RESTART_MIN_MS
    + random_below (random, RESTART_MAX_MS - RESTART_MIN_MS);
  return r;
}

/* --- the run -------------------------------------------------------------- */

static void
note_fault (void *opaque, unsigned client, enum fault fault,
            unsigned duration_ms)
{
  struct torture *torture = opaque;
  struct event event = {
    .kind = EVENT_FAULT, .client = client, .fault = fault,
    .duration_ms = duration_ms, .start_ns = torture_now_ns (torture),
  };

  pthread_mutex_lock (&torture->lock);
  torture->nr_faults[fault]++;
  history_add (torture->history, &event);
  pthread_mutex_unlock (&torture->lock);
}

static bool
all_idle (struct client *const clients[], unsigned nr)
{
  for (unsigned i = 0; i < nr; i++)
    if (!client_is_idle (clients[i]))
      return false;
  return true;
}

static int
run_until_over (struct torture *torture, struct client *const clients[],
                struct error *err)
{
  uint64_t until_ns = clock_now_ns ()
    + torture->seconds * UINT64_C (1000000000);
  uint64_t random = ~torture->seed, due_ms = 0;
  int r = 0;

  while (r == 0 && clock_now_ns () < until_ns && !transfer_interrupted ()
         && !all_idle (clients, torture->nr_clients)) {
    usleep (TICK_MS * 1000);
    r = restart_when_due (torture, &random, &due_ms, err);
    report_progress (torture, torture_now_ns (torture));
  }
  report_progress_end ();
  return r;
}

/* False: they wait for answers that do not come. */
static bool
await_end (struct torture *torture, struct client *const clients[])
{
  uint64_t until_ms = clock_now_ms () + END_TMO_MS;

  atomic_store (&torture->over, true);
  proxy_calm (torture->proxy);
  while (!all_idle (clients, torture->nr_clients)
         || !proxy_is_calm (torture->proxy)) {
    if (clock_now_ms () > until_ms)
      break;
    usleep (TICK_MS * 1000);
  }
  torture->elapsed_ns = torture_now_ns (torture);
  for (unsigned i = 0; i < torture->nr_clients; i++)
    if (!client_is_idle (clients[i])) {
      unsigned nr = client_nr_waiting (clients[i]);

      torture->nr_unanswered += nr > 0 ? nr : 1;
    }
  return all_idle (clients, torture->nr_clients);
}

/* The first error counts; what the others say comes of it. */
static int
join_all (struct client *const clients[], unsigned nr, int r,
          struct error *err)
{
  struct error other;

  for (unsigned i = 0; i < nr; i++)
    if (client_join (clients[i], r < 0 ? &other : err) < 0 && r == 0)
      r = -err->code;
  return r;
}

/* What is there in the end, also after a last restart. */
static int
judge_end (struct torture *torture, struct error *err)
{
  int r;

  /* Nothing is under way any more: what is in pieces now stays so. */
  model_writer_gone (torture->model, NULL);
  r = whole_read (torture, err);
  if (r < 0 || torture->restart_command == NULL)
    return r;
  r = whole_flush (torture, err);
  if (r == 0)
    r = restart (torture, err);
  return r < 0 ? r : whole_read (torture, err);
}

static bool
has_succeeded (const struct torture *torture)
{
  for (unsigned i = 0; i < TARGET_NR_KINDS; i++)
    if (torture->nr_ops[i] > 0)
      return true;
  return false;
}

static int
run_clients (struct torture *torture, struct error *err)
{
  struct client *clients[TORTURE_CLIENTS_MAX];
  unsigned nr = torture->nr_clients;
  int r;

  for (unsigned i = 0; i < nr; i++) {
    clients[i] = client_start (torture, i, err);
    if (clients[i] == NULL) {
      torture->clients_left = true;
      return -err->code;
    }
  }
  r = run_until_over (torture, clients, err);
  if (!await_end (torture, clients)) {
    torture->clients_left = true;
    return r;
  }
  r = join_all (clients, nr, r, err);
  if (r == 0 && !has_succeeded (torture))
    r = error_set (err, EIO, "torture: %.200s: no request succeeded, so that "
                   "nothing is known", torture->target.uri);
  torture->clients = NULL;
  for (unsigned i = 0; i < nr; i++)
    client_free (clients[i]);
  return r < 0 ? r : judge_end (torture, err);
}

static int
verdict (const struct torture *torture, struct error *err)
{
  uint64_t nr = torture_nr_violations (torture);

  if (nr > 0)
    return error_set (err, CLI_PROBLEMS_LEFT, "torture: %.200s: violations: %"
                      PRIu64, torture->target.uri, nr);
  return 0;
}

static int
run_torture (const struct cli *cli, char *const operands[], struct error *err)
{
  static struct torture torture;
  struct proxy_params params;
  int r = take_options (cli, operands, &torture, err);

  if (r == 0)
    r = target_choose (&torture.target, err);
  if (r < 0)
    return r;
  transfer_catch_signals ();
  r = prepare (cli, &torture, err);
  if (r < 0)
    return r;
  params = (struct proxy_params) {
    .route = torture.target.route, .nr_clients = torture.nr_clients,
    .faults = torture.faults, .seed = torture.seed, .happened = note_fault,
    .opaque = &torture,
  };
  torture.proxy = proxy_start (&params, err);
  if (torture.proxy == NULL)
    return -err->code;
  r = run_clients (&torture, err);
  if (r < 0)
    torture.stopped = *err;
  report_print (&torture);
  if (r == 0 || torture_nr_violations (&torture) > 0)
    r = verdict (&torture, err);
  proxy_unlink (torture.proxy);
  if (torture.clients_left)
    return r;                   /* they use the rest until the process ends */
  proxy_stop (torture.proxy);
  history_free (torture.history);
  model_free (torture.model);
  return r;
}

const struct command command_torture = {
  .name = "torture",
  .operands = { "URI", "[POOL/VOL|NQN]", NULL },
  .options = CLI_CLIENTS | CLI_DEPTH | CLI_FAULTS | CLI_OPS | CLI_OVERWRITE
    | CLI_QUIET | CLI_RANGE | CLI_RESEND | CLI_RESTART | CLI_SECONDS
    | CLI_SEED | CLI_VOLATILE,
  .summary = "look for lost, stale and torn writes under faults",
  .help = "URI is nbd://HOST[:PORT][/EXPORT], "
    "nbd+unix:///[EXPORT]?socket=PATH, the same\n"
    "with nbds for TLS, or that of an NVMe/TCP target, tcp://HOST[:PORT] or\n"
    "unix:///PATH, with POOL/VOL or an NQN.\n"
    "Clients read and write the beginning of it, through a proxy that delays "
    "and cuts\n"
    "connections, and lets what they carried arrive late.  Each block that is "
    "read is\n"
    "judged: what was acknowledged must be there.  Ends with 3 when something "
    "is wrong.\n",
  .no_control = true,
  .check = check,
  .run = run_torture,
};
