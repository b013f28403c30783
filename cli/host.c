/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd host add|rm|ls POOL/VOL [NQN|any] [--force]
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "common/usage.h"

static void
print_allowed (const json_t *volume)
{
  const json_t *list = json_object_get (volume, "allowed_hosts"), *host;
  size_t i;

  /* Not among the names, which scripts read. */
  if (!json_is_array (list))
    fputs ("no list: any host of the server's own machine, and others with "
           "--allow-any-host\n", stderr);
  else if (json_array_size (list) == 0)
    fputs ("an empty list: no host\n", stderr);
  json_array_foreach (list, i, host)
    puts (json_string_value (host));
}

static int
list (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", .name = operands[1],
  };

  return client_show (cli, &call, NULL, print_allowed, err);
}

static int
change (const struct cli *cli, bool add, char *const operands[],
        struct error *err)
{
  bool force = cli->given & CLI_FORCE;
  struct call call = {
    .method = add ? "POST" : "DELETE", .path = "/v1/hosts",
    .name = operands[1],
  };

  if (add) {
    call.body = json_pack ("{s:s, s:b}", "nqn", operands[2],
                           "force", (int) force);
    if (!call.body)
      return error_set (err, EINVAL, "host: NQN: is not UTF-8");
  } else {
    call.query[0].key = "nqn";
    call.query[0].value = operands[2];
    call.query[1].key = "force";
    call.query[1].value = force ? "true" : NULL;
  }
  return client_show (cli, &call, NULL, NULL, err);
}

static int
check (const struct cli *cli, char *const operands[], struct error *err)
{
  static const char *const verbs[] = { "add", "ls", "rm", NULL };
  const char *verb = operands[0];

  if (strcmp (verb, "ls") == 0)
    return operands[2] ? error_set (err, EINVAL, "host: %.80s: is one "
                                    "argument too many", operands[2]) : 0;
  if (strcmp (verb, "add") != 0 && strcmp (verb, "rm") != 0)
    return usage_unknown ("host: command", verb, verbs, err);
  return operands[2] ? 0 : error_set (err, EINVAL, "host: NQN: is missing");
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  if (strcmp (operands[0], "ls") == 0)
    return list (cli, operands, err);
  return change (cli, strcmp (operands[0], "add") == 0, operands, err);
}

const struct command command_host = {
  .name = "host",
  .operands = { "add|rm|ls", "POOL/VOL", "[NQN|any]" },
  .options = CLI_FORCE,
  .summary = "say which hosts may attach a volume",
  .help =
    "The first host that is added masks the volume from all others: they\n"
    "neither see it nor connect.  \"any\" stands for every host.  Before that,\n"
    "a volume is for every host of the server's own machine, and for others\n"
    "when the server was told to allow any host.  A change that would leave\n"
    "an attached host without permission is refused; with --force it is\n"
    "ended.\n",
  .check = check,
  .run = run,
};
