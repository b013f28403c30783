/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd resize POOL/VOL SIZE [--shrink]
 */
#include "cli/cli.h"
#include "common/size.h"

static int
check (struct cli *cli, char *const operands[], struct error *err)
{
  return size_parse ("resize: size", operands[1], &cli->size_bytes, err);
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  struct call call = {
    .method = "PATCH", .path = "/v1/volumes", .name = operands[0],
  };

  call.body = json_pack ("{s:I, s:b}",
                         "size_bytes", (json_int_t) cli->size_bytes,
                         "shrink", (cli->given & CLI_SHRINK) != 0);
  return client_show (cli, &call, NULL, NULL, err);
}

const struct command command_resize = {
  .name = "resize",
  .operands = { "POOL/VOL", "SIZE" },
  .options = CLI_SHRINK,
  .summary = "change a volume's size",
  .help =
    "A volume grows while hosts use it.  It shrinks only with --shrink, which\n"
    "gives the data behind the new end up, and only while no host is\n"
    "attached.\n",
  .check = check,
  .run = run,
};
