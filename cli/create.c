/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd create POOL/VOL SIZE
 */
#include <errno.h>

#include "cli/cli.h"
#include "common/size.h"

static int
check (struct cli *cli, char *const operands[], struct error *err)
{
  return size_parse ("create: size", operands[1], &cli->size_bytes, err);
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  struct call call = { .method = "POST", .path = "/v1/volumes" };
  json_t *reply;
  int r;

  call.body = json_pack ("{s:s, s:I}", "name", operands[0],
                         "size_bytes", (json_int_t) cli->size_bytes);
  if (!call.body)
    return error_set (err, EINVAL, "create: name: is not UTF-8");
  if (cli->given & CLI_BLOCK_SIZE)
    json_object_set_new (call.body, "block_size",
                         json_integer (cli->block_size));
  r = client_call (cli, &call, &reply, err);
  if (r < 0)
    return r;
  if (cli->json)
    output_json (reply);
  json_decref (reply);
  return 0;
}

const struct command command_create = {
  .name = "create",
  .operands = { "POOL/VOL", "SIZE" },
  .options = CLI_BLOCK_SIZE,
  .summary = "make a volume, which reads as zeroes",
  .help =
    "SIZE is in bytes, or with a suffix in powers of 1024: 512M, 10G, 1.5T.\n",
  .check = check,
  .run = run,
};
