/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd ls [POOL]
 */
#include "cli/cli.h"

static void
print (const json_t *volumes)
{
  static const char *const titles[] = {
    "NAME", ">SIZE", ">ALLOCATED", ">BLOCK", ">ATTACHED", "STATE",
  };
  struct table *table = table_new (6, titles);
  const json_t *volume;
  size_t i;

  json_array_foreach (volumes, i, volume) {
    const char *const cells[] = {
      output_string (volume, "name"),
      output_size (volume, "size_bytes"),
      output_size (volume, "allocated_bytes"),
      output_integer (volume, "block_size"),
      output_integer (volume, "attached"),
      output_string (volume, "state"),
    };

    table_row (table, cells);
  }
  table_print_and_free (table);
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", 
    .query = { { "pool", operands[0] } },
  };

  return client_show (cli, &call, "volumes", print, err);
}

const struct command command_ls = {
  .name = "ls",
  .operands = { "[POOL]" },
  .summary = "list the volumes of a pool, or of all",
  .run = run,
};
