/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd info POOL/VOL
 */
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define FIELD "%-12s"

static void
print_exact_size (const char *title, const json_t *volume, const char *key)
{
  const char *exact = output_integer (volume, key);
  const char *human = output_size (volume, key);

  if (strcmp (exact, human) == 0)
    printf (FIELD "%s\n", title, exact);
  else
    printf (FIELD "%s (%s bytes)\n", title, human, exact);
}

static void
print_host (const json_t *host)
{
  time_t since = json_integer_value (json_object_get (host, "since"));
  char text[32] = "-";
  struct tm tm;

  if (localtime_r (&since, &tm))
    strftime (text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
  printf (FIELD "%s from %s, I/O queues: %s, since %s\n", "host",
          output_string (host, "nqn"), output_string (host, "address"),
          output_integer (host, "io_queues"), text);
}

static void
print_allowed (const json_t *list)
{
  const json_t *host;
  size_t i;

  if (!json_is_array (list))
    printf (FIELD "%s\n", "allowed", "no list (see qbd host)");
  else if (json_array_size (list) == 0)
    printf (FIELD "%s\n", "allowed", "none");
  json_array_foreach (list, i, host)
    printf (FIELD "%s\n", "allowed", json_string_value (host));
}

static void
print (const json_t *volume)
{
  const json_t *host;
  size_t i;

  printf (FIELD "%s\n", "name", output_string (volume, "name"));
  printf (FIELD "%s\n", "state", output_string (volume, "state"));
  if (json_object_get (volume, "reason")) {
    printf (FIELD "%s\n", "reason", output_string (volume, "reason"));
    return;
  }
  print_exact_size ("size", volume, "size_bytes");
  print_exact_size ("allocated", volume, "allocated_bytes");
  printf (FIELD "%s\n", "block size", output_integer (volume, "block_size"));
  printf (FIELD "%s\n", "read-only", output_string (volume, "read_only"));
  printf (FIELD "%s\n", "uuid", output_string (volume, "uuid"));
  printf (FIELD "%s\n", "nqn", output_string (volume, "nqn"));
  printf (FIELD "%s\n", "serial", output_string (volume, "serial"));
  print_allowed (json_object_get (volume, "allowed_hosts"));
  printf (FIELD "%s\n", "attached", output_integer (volume, "attached"));
  json_array_foreach (json_object_get (volume, "hosts"), i, host)
    print_host (host);
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", .name = operands[0],
  };

  return client_show (cli, &call, NULL, print, err);
}

const struct command command_info = {
  .name = "info",
  .operands = { "POOL/VOL" },
  .summary = "show a volume and its hosts, allowed and attached",
  .run = run,
};
