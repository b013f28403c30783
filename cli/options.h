/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of subcommands, as main.c reads and shows them.
 */
#ifndef QBD_CLI_OPTIONS_H
#define QBD_CLI_OPTIONS_H

#include <stddef.h>

#include "cli/cli.h"

enum cli_option_kind {
  OPTION_FLAG,
  OPTION_NUMBER,                /* an unsigned */
  OPTION_SIZE,                  /* a uint64_t, bytes */
  OPTION_TEXT,                  /* a const char * */
};

struct cli_option {
  unsigned bit;                 /* CLI_* */
  const char *name;             /* without the "--" */
  const char *argument;         /* for --help; NULL: a flag */
  enum cli_option_kind kind;
  size_t offset;                /* of the value in struct cli */
  unsigned min, max;            /* OPTION_NUMBER */
  const char *help;
};

extern const struct cli_option cli_options[];
extern const unsigned nr_cli_options;

/* text: its argument.  Sets the bit in cli->given. */
int cli_option_take (struct cli *cli, const struct cli_option *option,
                     const char *text, struct error *err);

#endif
