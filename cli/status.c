/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd status
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"

#define FIELD "%-14s"

static void
print_listeners (const json_t *list)
{
  const json_t *element;
  size_t i;

  json_array_foreach (list, i, element) {
    const char *ana = output_string (element, "ana");

    printf (FIELD "%s", "listener", output_string (element, "address"));
    if (strcmp (ana, "optimized") != 0)
      printf (" (%s)", ana);
    putchar ('\n');
  }
}

static void
print (const json_t *status)
{
  const json_t *pool;
  size_t i;

  printf (FIELD "%s\n", "state", output_string (status, "state"));
  printf (FIELD "%s\n", "version", output_string (status, "version"));
  printf (FIELD "%s\n", "pid", output_integer (status, "pid"));
  printf (FIELD "%s\n", "reactors", output_integer (status, "reactors"));
  printf (FIELD "%s\n", "file I/O", output_string (status, "file_backend"));
  printf (FIELD "%s\n", "connections",
          output_integer (status, "connections"));
  json_array_foreach (json_object_get (status, "pools"), i, pool)
    printf (FIELD "%s (%s)%s\n", "pool", output_string (pool, "name"),
            output_string (pool, "url"),
            strcmp (output_string (pool, "state"), "fenced") == 0
            ? ": fenced by another gateway" : "");
  print_listeners (json_object_get (status, "listeners"));
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/status", .timeout_s = CALL_ANSWER_S,
  };
  json_t *reply;
  int r;

  r = client_call (cli, &call, &reply, err);
  if (r < 0)
    return r;
  if (cli->json)
    output_json (reply);
  else
    print (reply);
  if (strcmp (output_string (reply, "state"), "ready") != 0)
    r = error_set (err, EAGAIN, "status: %s: the server is not ready",
                   cli->control);
  json_decref (reply);
  return r;
}

const struct command command_status = {
  .name = "status",
  .summary = "show the server; succeeds only when it is ready",
  .run = run,
};
