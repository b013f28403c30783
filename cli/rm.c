/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd rm POOL/VOL
 */
#include "cli/cli.h"

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "DELETE", .path = "/v1/volumes", .name = operands[0],
  };
  json_t *reply;
  int r;

  r = client_call (cli, &call, &reply, err);
  if (r < 0)
    return r;
  if (cli->json)
    output_json (reply);
  json_decref (reply);
  return 0;
}

const struct command command_rm = {
  .name = "rm",
  .operands = { "POOL/VOL" },
  .summary = "remove a volume and its data",
  .help = "A volume that a host is attached to stays.\n",
  .run = run,
};
