/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd inflight [POOL/VOL]: of a server, and of an nbdkit that has control=.
 */
#include "cli/cli.h"

static const char *
seconds (const json_t *request, const char *key, char text[32])
{
  const json_t *value = json_object_get (request, key);

  if (!json_is_integer (value))
    return "-";
  snprintf (text, 32, "%.3f", json_integer_value (value) / 1000.0);
  return text;
}

static void
print_request (struct table *table, const json_t *request)
{
  char age[32], since[32];
  const char *const cells[] = {
    seconds (request, "age_ms", age),
    output_string (request, "stage"),
    seconds (request, "stage_ms", since),
    output_string (request, "op"),
    output_integer (request, "offset_bytes"),
    output_integer (request, "length_bytes"),
    output_string (request, "volume"),
    output_string (request, "path"),
  };

  table_row (table, cells);
}

/* Not in the table, which scripts read. */
static void
print_rest (const json_t *reply)
{
  json_int_t more = json_integer_value (json_object_get (reply, "more"));
  const json_t *reactor;
  size_t i;

  if (more > 0)
    fprintf (stderr, "and %" JSON_INTEGER_FORMAT " younger ones\n", more);
  json_array_foreach (json_object_get (reply, "silent_reactors"), i, reactor)
    fprintf (stderr, "reactor %" JSON_INTEGER_FORMAT " does not answer: "
             "its requests are not shown\n", json_integer_value (reactor));
}

static void
print (const json_t *reply)
{
  static const char *const titles[] = {
    ">AGE", "STAGE", ">SINCE", "OP", ">OFFSET", ">LENGTH", "VOLUME", "PATH",
  };
  struct table *table = table_new (8, titles);
  const json_t *request;
  size_t i;

  json_array_foreach (json_object_get (reply, "requests"), i, request)
    print_request (table, request);
  table_print_and_free (table);
  print_rest (reply);
}

static int
run (const struct cli *cli, char *const operands[], struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/inflight", .name = operands[0],
    .timeout_s = CALL_ANSWER_S,
  };

  return client_show (cli, &call, NULL, print, err);
}

const struct command command_inflight = {
  .name = "inflight",
  .operands = { "[POOL/VOL]" },
  .summary = "list requests in flight, and what each waits for",
  .help =
    "The oldest comes first.  AGE and SINCE are seconds: of the request, and\n"
    "in its STAGE, which is what it waits for; qbd-troubleshooting(7) says\n"
    "what to do about each.  --control may also name the socket of an nbdkit\n"
    "that has the parameter control=, whose list then begins where the\n"
    "server's ends.\n",
  .run = run,
};
