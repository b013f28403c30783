/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd discover [ADDRESS]
 */
#include <errno.h>
#include <libqbd.h>

#include "cli/cli.h"

/* Nothing else of libqbd is used here. */
static int
failed (struct error *err)
{
  return error_set (err, errno, "%s", qbd_errmsg ());
}

static void
append (void *opaque, const struct qbd_discovered *discovered)
{
  json_t *list = opaque;

  json_array_append_new (list, json_pack ("{s:s?, s:s, s:s, s:s}",
                                          "name", discovered->name,
                                          "nqn", discovered->nqn,
                                          "transport", discovered->transport,
                                          "address", discovered->address));
}

static void
print (const json_t *subsystems)
{
  static const char *const titles[] = { "NAME", "ADDRESS", "NQN" };
  struct table *table = table_new (3, titles);
  const json_t *subsystem;
  size_t i;

  json_array_foreach (subsystems, i, subsystem) {
    const char *const cells[] = {
      output_string (subsystem, "name"),
      output_string (subsystem, "address"),
      output_string (subsystem, "nqn"),
    };

    table_row (table, cells);
  }
  table_print_and_free (table);
}

static int
discover (const char *address, json_t *list, struct error *err)
{
  struct qbd_config *config = qbd_config_new ();
  int r = 0;

  if (!config
      || (address && qbd_config_set (config, "server", address) == -1)
      || qbd_discover (config, append, list) == -1)
    r = failed (err);
  qbd_config_free (config);
  return r;
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  json_t *list = json_array ();
  json_t *reply = json_pack ("{s:o}", "subsystems", list);
  int r;

  if (!reply)
    return error_set (err, ENOMEM, "discover: out of memory");
  r = discover (operands[0], list, err);
  if (r == 0 && cli->json)
    output_json (reply);
  else if (r == 0)
    print (list);
  json_decref (reply);
  return r;
}

const struct command command_discover = {
  .name = "discover",
  .operands = { "[ADDRESS]" },
  .summary = "list what a server offers over NVMe",
  .help = "ADDRESS is tcp://HOST[:PORT], unix:///PATH or HOST[:PORT] "
    "[$QBD_SERVER,\nelse tcp://127.0.0.1:4420].\n",
  .no_control = true,
  .run = run,
};
