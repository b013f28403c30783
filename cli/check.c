/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd check POOL [--repair]
 */
#include <errno.h>

#include "cli/cli.h"

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
    if (!quiet)
      printf ("%s: %s%s\n", output_string (finding, "object"),
              output_string (finding, "problem"),
              repaired ? " (repaired)" : "");
  }
  return left;
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  struct call call = { .method = "POST", .path = "/v1/check" };
  json_t *reply;
  unsigned left;
  int r;

  call.body = json_pack ("{s:s, s:b}", "pool", operands[0],
                         "repair", (cli->given & CLI_REPAIR) != 0);
  if (!call.body)
    return error_set (err, EINVAL, "check: name: is not UTF-8");
  r = client_call (cli, &call, &reply, err);
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
  .options = CLI_REPAIR,
  .summary = "compare a pool's catalogue with its files",
  .help =
    "Volumes are served meanwhile.  Exit status 3: a problem is left.  No file\n"
    "that may be somebody's is removed, not even by --repair.\n",
  .run = run,
};
