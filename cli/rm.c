/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd rm POOL/VOL [--force]
 */
#include "cli/cli.h"

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "DELETE", .path = "/v1/volumes", .name = operands[0],
    .query = { { "force", cli->given & CLI_FORCE ? "true" : NULL } },
  };

  return client_show (cli, &call, NULL, NULL, err);
}

const struct command command_rm = {
  .name = "rm",
  .operands = { "POOL/VOL" },
  .options = CLI_FORCE,
  .summary = "remove a volume and its data",
  .help =
    "A volume that a host is attached to stays; so does one whose host fell\n"
    "silent, until its keep-alive timer has ended it.  With --force all hosts\n"
    "are ended first, and what they have in flight is awaited.\n",
  .run = run,
};
