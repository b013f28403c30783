/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd pools
 */
#include "cli/cli.h"

static void
print (const json_t *pools)
{
  static const char *const titles[] = {
    "NAME", ">VOLUMES", ">CAPACITY", ">FREE", "STATE", "URL",
  };
  struct table *table = table_new (6, titles);
  const json_t *pool;
  size_t i;

  json_array_foreach (pools, i, pool) {
    const char *const cells[] = {
      output_string (pool, "name"),
      output_integer (pool, "volumes"),
      output_size (pool, "capacity_bytes"),
      output_size (pool, "free_bytes"),
      output_string (pool, "state"),
      output_string (pool, "url"),
    };

    table_row (table, cells);
  }
  table_print_and_free (table);
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = { .method = "GET", .path = "/v1/pools" };

  return client_show (cli, &call, "pools", print, err);
}

const struct command command_pools = {
  .name = "pools",
  .summary = "list the pools and their space",
  .run = run,
};
