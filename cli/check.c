/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd check POOL [--repair]
 */
#include <errno.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/clock.h"

#define SHOW_AFTER_MS 500       /* what is over by then needs no progress */

/* Returns how many are not repaired. */
static unsigned
print_findings (const json_t *findings, bool quiet)
{
  const json_t *finding;
  unsigned left = 0;
  size_t i;

  json_array_foreach (findings, i, finding) {
    bool repaired = json_is_true (json_object_get (finding, "repaired"));

    if (!repaired)
      left++;
    if (!quiet) {
      output_name (output_string (finding, "object"));
      printf (": %s%s\n", output_string (finding, "problem"),
              repaired ? " (repaired)" : "");
    }
  }
  return left;
}

/* --- how far it is, for somebody who watches ---------------------------- */

struct watch {
  const struct cli *cli;
  const char *pool;
  uint64_t started_ms;
  bool shown;
};

static void
show_progress (void *opaque)
{
  struct watch *watch = opaque;
  const struct call call = {
    .method = "GET", .path = "/v1/check", .name = watch->pool,
    .timeout_s = 1,
  };
  struct error ignored;
  json_t *reply;

  if (clock_now_ms () - watch->started_ms < SHOW_AFTER_MS
      || client_call (watch->cli, &call, &reply, &ignored) < 0)
    return;
  if (json_is_true (json_object_get (reply, "running"))) {
    fprintf (stderr, "\rcheck: %s: %s of %s\033[K", watch->pool,
             output_integer (reply, "done"), output_integer (reply, "total"));
    watch->shown = true;
  }
  json_decref (reply);
}

static void
clear_progress (const struct watch *watch)
{
  if (watch->shown)
    fputs ("\r\033[K", stderr);
}

/* ------------------------------------------------------------------------ */

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  struct watch watch = {
    .cli = cli, .pool = operands[0], .started_ms = clock_now_ms (),
  };
  struct call call = { .method = "POST", .path = "/v1/check" };
  json_t *reply;
  unsigned left;
  int r;

  call.body = json_pack ("{s:s, s:b}", "pool", operands[0],
                         "repair", (cli->given & CLI_REPAIR) != 0);
  if (!call.body)
    return error_set (err, EINVAL, "check: name: is not UTF-8");
  if (isatty (STDERR_FILENO) && !(cli->given & CLI_QUIET)) {
    call.waiting = show_progress;
    call.opaque = &watch;
  }
  r = client_call (cli, &call, &reply, err);
  clear_progress (&watch);
  if (r < 0)
    return r;
  left = print_findings (json_object_get (reply, "findings"), cli->json);
  if (cli->json)
    output_json (reply);
  json_decref (reply);
  if (left > 0)
    return error_set (err, CLI_PROBLEMS_LEFT,
                      "check: %s: problems that are left: %u", operands[0],
                      left);
  return 0;
}

const struct command command_check = {
  .name = "check",
  .operands = { "POOL" },
  .options = CLI_QUIET | CLI_REPAIR,
  .summary = "compare a pool's catalogue with its files",
  .help =
    "Volumes are served meanwhile.  Exit status 3: a problem is left.  No file\n"
    "that may be somebody's is removed, not even by --repair.\n",
  .run = run,
};
