/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options that only some subcommands take: one table, in alphabetical
 * order, for the command line and for --help.
 */
#include <errno.h>
#include <stdlib.h>

#include "cli/options.h"
#include "common/size.h"

#define SIZE(member) OPTION_SIZE, offsetof (struct cli, member), 0, 0
#define NUMBER(member, min, max) \
  OPTION_NUMBER, offsetof (struct cli, member), min, max
#define TEXT(member) OPTION_TEXT, offsetof (struct cli, member), 0, 0
#define FLAG OPTION_FLAG, 0, 0, 0

const struct cli_option cli_options[] = {
  { CLI_BLOCK_SIZE, "block-size", "N", SIZE (block_size),
    "512 or 4096: bytes of a logical block [512]" },
  { CLI_CLIENTS, "clients", "N", NUMBER (clients, 1, 64),
    "each with connections of its own [4]" },
  { CLI_DEPTH, "depth", "N", NUMBER (depth, 1, 4096),
    "requests in flight [16]" },
  { CLI_FAULTS, "faults", "LIST", TEXT (faults),
    "delay, cut, duplicate, with commas; or none [all]" },
  { CLI_FORCE, "force", NULL, FLAG,
    "end the hosts that are in the way" },
  { CLI_FORMAT, "format", "FORMAT", TEXT (format),
    "of FILE: raw, or what qemu-img knows [raw]" },
  { CLI_FROM, "from", "N", SIZE (from_bytes),
    "go on where an earlier import ended" },
  { CLI_FUA, "fua", NULL, FLAG,
    "writes reach stable storage before they end" },
  { CLI_IO_PATTERN, "io-pattern", "P", TEXT (io_pattern),
    "rand or seq [rand]" },
  { CLI_IO_SIZE, "io-size", "SIZE", SIZE (io_size_bytes),
    "of a request [4K]" },
  { CLI_IO_TYPE, "io-type", "TYPE", TEXT (io_type),
    "read, write or mix [read]" },
  { CLI_OPS, "ops", "N", NUMBER (ops, 1, 1000000000),
    "end when each client has made so many requests" },
  { CLI_OVERWRITE, "overwrite", NULL, FLAG,
    "yes, destroy what is in the volume" },
  { CLI_QUEUES, "queues", "N", NUMBER (queues, 1, 64),
    "I/O queues, each a connection [1]" },
  { CLI_QUIET, "quiet", NULL, FLAG,
    "show no progress" },
  { CLI_RANGE, "range", "SIZE", SIZE (range_bytes),
    "of the volume, from its beginning [4M]" },
  { CLI_READ_PERCENT, "read-percent", "N", NUMBER (read_percent, 0, 100),
    "of a mix [70]" },
  { CLI_REPAIR, "repair", NULL, FLAG,
    "set right what loses nothing" },
  { CLI_RESEND, "resend", NULL, FLAG,
    "NBD: send again what a lost connection left" },
  { CLI_RESTART, "restart-command", "CMD", TEXT (restart_command),
    "restarts the target, now and then" },
  { CLI_SECONDS, "seconds", "N", NUMBER (seconds, 1, 1000000),
    "how long [10]" },
  { CLI_SEED, "seed", "N", NUMBER (seed, 0, UINT32_MAX),
    "requests and faults of an earlier run [by chance]" },
  { CLI_SHRINK, "shrink", NULL, FLAG,
    "allow a smaller size" },
  { CLI_SIZE, "size", "SIZE", SIZE (size_bytes),
    "of a new volume [that of FILE]" },
  { CLI_VOLATILE, "volatile", NULL, FLAG,
    "a restart may lose what was not flushed" },
};

const unsigned nr_cli_options = sizeof cli_options / sizeof cli_options[0];

static int
parse_number (const struct cli_option *option, const char *text,
              unsigned *number, struct error *err)
{
  unsigned long n;
  char *end;

  errno = 0;
  n = strtoul (text, &end, 10);
  if (errno || end == text || *end || text[0] == '-'
      || n < option->min || n > option->max)
    return error_set (err, EINVAL, "option: --%s: %.80s: must be a number "
                      "from %u to %u", option->name, text, option->min,
                      option->max);
  *number = n;
  return 0;
}

int
cli_option_take (struct cli *cli, const struct cli_option *option,
                 const char *text, struct error *err)
{
  void *value = (char *) cli + option->offset;
  char what[32];

  cli->given |= option->bit;
  switch (option->kind) {
  case OPTION_FLAG:
    break;
  case OPTION_NUMBER:
    return parse_number (option, text, value, err);
  case OPTION_SIZE:
    snprintf (what, sizeof what, "option: --%s", option->name);
    return size_parse (what, text, value, err);
  case OPTION_TEXT:
    *(const char **) value = text;
    break;
  }
  return 0;
}
