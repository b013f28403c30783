/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd set POOL/VOL read_only=on|off
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cli/cli.h"
#include "common/usage.h"

static const char *const names[] = { "read_only", NULL };

static int
check (struct cli *cli, char *const operands[], struct error *err)
{
  const char *text = operands[1], *equals = strchr (text, '=');
  char name[64] = "";

  if (!equals || equals - text >= (ptrdiff_t) sizeof name)
    return error_set (err, EINVAL, "set: %.80s: must be NAME=VALUE, like "
                      "read_only=on", text);
  memcpy (name, text, equals - text);
  if (strcmp (name, names[0]) != 0)
    return usage_unknown ("set: property", name, names, err);
  if (strcmp (equals + 1, "on") == 0)
    cli->read_only = true;
  else if (strcmp (equals + 1, "off") == 0)
    cli->read_only = false;
  else
    return error_set (err, EINVAL, "set: %.80s: must be on or off", text);
  return 0;
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  struct call call = {
    .method = "PATCH", .path = "/v1/volumes", .name = operands[0],
  };

  call.body = json_pack ("{s:b}", "read_only", (int) cli->read_only);
  return client_show (cli, &call, NULL, NULL, err);
}

const struct command command_set = {
  .name = "set",
  .operands = { "POOL/VOL", "read_only=on|off" },
  .summary = "make a volume read-only, or writable again",
  .help =
    "Only while no host is attached: hosts learn it when they attach.\n",
  .check = check,
  .run = run,
};
