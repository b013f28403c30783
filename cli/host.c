/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd host add|rm|ls|reset POOL/VOL [NQN|any] [--force]
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
  json_t *reply;
  int r;

  r = client_call (cli, &call, &reply, err);
  if (r < 0)
    return r;
  /* One that could not be opened has its list, but does not tell it. */
  if (!json_object_get (reply, "allowed_hosts"))
    r = error_set (err, EREMOTEIO, "host: %s: is not served: %s", operands[1],
                   output_string (reply, "reason"));
  else if (cli->json)
    output_json (reply);
  else
    print_allowed (reply);
  json_decref (reply);
  return r;
}

static int
add (const struct cli *cli, char *const operands[], struct error *err)
{
  struct call call = {
    .method = "POST", .path = "/v1/hosts", .name = operands[1],
  };

  call.body = json_pack ("{s:s, s:b}", "nqn", operands[2],
                         "force", (cli->given & CLI_FORCE) != 0);
  if (!call.body)
    return error_set (err, EINVAL, "host: NQN: is not UTF-8");
  return client_show (cli, &call, NULL, NULL, err);
}

/* One host, or the list itself. */
static int
delete (const struct cli *cli, const char *name, const char *key,
        const char *value, struct error *err)
{
  const struct call call = {
    .method = "DELETE", .path = "/v1/hosts", .name = name,
    .query = {
      { key, value },
      { "force", cli->given & CLI_FORCE ? "true" : NULL },
    },
  };

  return client_show (cli, &call, NULL, NULL, err);
}

static int
rm (const struct cli *cli, char *const operands[], struct error *err)
{
  return delete (cli, operands[1], "nqn", operands[2], err);
}

static int
reset (const struct cli *cli, char *const operands[], struct error *err)
{
  return delete (cli, operands[1], "list", "true", err);
}

static const struct verb {
  const char *name;
  bool takes_nqn;
  int (*run) (const struct cli *cli, char *const operands[],
              struct error *err);
} verbs[] = {
  { "add", true, add },
  { "ls", false, list },
  { "reset", false, reset },
  { "rm", true, rm },
};
#define NR_VERBS (sizeof verbs / sizeof verbs[0])

static const struct verb *
find_verb (const char *name)
{
  for (size_t i = 0; i < NR_VERBS; i++)
    if (strcmp (verbs[i].name, name) == 0)
      return &verbs[i];
  return NULL;
}

static int
check (struct cli *cli, char *const operands[], struct error *err)
{
  const struct verb *verb = find_verb (operands[0]);
  const char *names[NR_VERBS + 1] = { NULL };

  if (!verb) {
    for (size_t i = 0; i < NR_VERBS; i++)
      names[i] = verbs[i].name;
    return usage_unknown ("host: command", operands[0], names, err);
  }
  if (operands[2] && !verb->takes_nqn)
    return error_set (err, EINVAL, "host: %.80s: is one argument too many",
                      operands[2]);
  if (!operands[2] && verb->takes_nqn)
    return error_set (err, EINVAL, "host: NQN: is missing");
  return 0;
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  return find_verb (operands[0])->run (cli, operands, err);
}

const struct command command_host = {
  .name = "host",
  .operands = { "add|rm|ls|reset", "POOL/VOL", "[NQN|any]" },
  .options = CLI_FORCE,
  .summary = "say which hosts may attach a volume",
  .help =
    "The first host that is added masks the volume from all others: they\n"
    "neither see it nor connect.  \"any\" stands for every host.  Before that,\n"
    "and again after \"reset\", a volume is for every host of the server's own\n"
    "machine, and for others when the server was told to allow any host.  When\n"
    "the last host is removed, it is for nobody.  A change that would leave an\n"
    "attached host without permission is refused; with --force it is ended.\n",
  .check = check,
  .run = run,
};
