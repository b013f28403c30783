/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd: the command line.  Options stand anywhere on it, also before the
 * subcommand; which of them a subcommand takes is its own matter.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "common/usage.h"

#define EXIT_USAGE 2

static const struct command *const commands[] = {
  &command_bench,
  &command_check,
  &command_create,
  &command_discover,
  &command_export,
  &command_host,
  &command_import,
  &command_inflight,
  &command_info,
  &command_ls,
  &command_pools,
  &command_resize,
  &command_rm,
  &command_set,
  &command_status,
  &command_torture,
};

#define HELP_INDENT "                         "      /* its second column */

#define NR_COMMANDS (sizeof commands / sizeof commands[0])

enum {
  OPT_CONTROL = 256,
  OPT_HELP,
  OPT_JSON,
  OPT_VERSION,
  OPT_OF_COMMANDS,              /* and the index in cli_options */
};

#define LONG_OPTIONS_MAX 64

static const struct option *
long_options (void)
{
  static struct option options[LONG_OPTIONS_MAX] = {
    { "control", required_argument, NULL, OPT_CONTROL },
    { "help", no_argument, NULL, OPT_HELP },
    { "json", no_argument, NULL, OPT_JSON },
    { "version", no_argument, NULL, OPT_VERSION },
  };
  struct option *option = &options[OPT_OF_COMMANDS - OPT_CONTROL];

  assert (nr_cli_options < LONG_OPTIONS_MAX - (OPT_OF_COMMANDS - OPT_CONTROL));
  for (unsigned i = 0; i < nr_cli_options; i++)
    *option++ = (struct option) {
      cli_options[i].name, cli_options[i].argument ? required_argument
      : no_argument, NULL, OPT_OF_COMMANDS + (int) i,
    };
  return options;
}

/* Of the command line, before any of it is executed. */
struct line {
  struct cli cli;
  bool help;
  bool version;
  const char *command;
  unsigned nr_operands;
  char *operands[CLI_OPERANDS_MAX + 1];         /* one more, to refuse it */
};

/* --- help ------------------------------------------------------------- */

static void
print_common_options (void)
{
  puts ("  --control PATH         the server's control socket [$QBD_CONTROL, "
        "else\n"
        "                         /run/qbd/control, else\n"
        "                         $XDG_RUNTIME_DIR/qbd/control]\n"
        "  --json                 print JSON\n"
        "  --help                 show this text, or that of a COMMAND\n"
        "  --version              show the version");
}

static void
print_options_of (const struct command *command, int indent)
{
  char option[32];

  for (unsigned i = 0; i < nr_cli_options; i++) {
    const struct cli_option *o = &cli_options[i];

    if (!(command->options & o->bit))
      continue;
    snprintf (option, sizeof option, "--%s%s%s", o->name,
              o->argument ? " " : "", o->argument ? o->argument : "");
    printf ("%*s%-*s%s\n", indent, "", 25 - indent, option, o->help);
  }
}

/* "name OPERAND...", which is one line of the help. */
static void
format_usage (const struct command *command, char *text, size_t bytes)
{
  int n = snprintf (text, bytes, "%s", command->name);

  for (unsigned i = 0; command->operands[i] && n < (int) bytes; ++i)
    n += snprintf (text + n, bytes - n, " %s", command->operands[i]);
}

static void
print_help (void)
{
  char usage[64];

  puts ("Usage: qbd [OPTION]... COMMAND [ARGUMENT]...\n"
        "\n"
        "Manage the volumes of a qbd-server.\n"
        "\n"
        "Commands:");
  for (size_t i = 0; i < NR_COMMANDS; ++i) {
    const struct command *c = commands[i];

    format_usage (c, usage, sizeof usage);
    /* What does not fit has a line of its own. */
    printf ("  %-23s", usage);
    printf ("%s%s\n", strlen (usage) < 23 ? "" : "\n" HELP_INDENT,
            c->summary);
    print_options_of (c, 4);
  }
  puts ("\nOptions, anywhere on the line:");
  print_common_options ();
}

static void
print_command_help (const struct command *command)
{
  printf ("Usage: qbd [OPTION]... %s", command->name);
  for (unsigned i = 0; command->operands[i]; ++i)
    printf (" %s", command->operands[i]);
  printf ("\n\n%c%s.\n\n", toupper ((unsigned char) command->summary[0]),
          command->summary + 1);
  if (command->help)
    printf ("%s\n", command->help);
  puts ("Options:");
  print_options_of (command, 2);
  print_common_options ();
}

/* --- the command line -------------------------------------------------- */

static int
take_argument (struct line *line, char *argument)
{
  if (!line->command)
    line->command = argument;
  else if (line->nr_operands <= CLI_OPERANDS_MAX)
    line->operands[line->nr_operands++] = argument;
  return 0;
}

static int
take_option (struct line *line, int opt, struct error *err)
{
  switch (opt) {
  case 1:                       /* no option: "-" in the option string */
    return take_argument (line, optarg);
  case OPT_CONTROL:
    return control_path_set (line->cli.control, optarg, err);
  case OPT_HELP:
    line->help = true;
    return 0;
  case OPT_JSON:
    line->cli.json = true;
    return 0;
  case OPT_VERSION:
    line->version = true;
    return 0;
  default:
    return cli_option_take (&line->cli, &cli_options[opt - OPT_OF_COMMANDS],
                            optarg, err);
  }
}

/* "-5G" is a size that somebody got wrong, and no option: the size's own
 * message says more. */
static bool
looks_like_number (const char *argument)
{
  return argument[0] == '-'
    && (isdigit ((unsigned char) argument[1]) || argument[1] == '.');
}

static int
parse_line (struct line *line, int argc, char *argv[], struct error *err)
{
  const struct option *options = long_options ();
  int opt, r;

  opterr = 0;
  for (;;) {
    /* In order, so that optind is at the next argument here. */
    while (optind < argc && looks_like_number (argv[optind]))
      take_argument (line, argv[optind++]);
    opt = getopt_long (argc, argv, "-:", options, NULL);
    if (opt == -1)
      break;
    if (opt == '?' || opt == ':')
      return usage_option_error (opt, argv, options, err);
    r = take_option (line, opt, err);
    if (r < 0)
      return r;
  }
  while (optind < argc)         /* behind "--" */
    take_argument (line, argv[optind++]);
  return 0;
}

static const struct command *
find_command (const char *name, struct error *err)
{
  const char *names[NR_COMMANDS + 1];

  for (size_t i = 0; i < NR_COMMANDS; ++i) {
    if (strcmp (commands[i]->name, name) == 0)
      return commands[i];
    names[i] = commands[i]->name;
  }
  names[NR_COMMANDS] = NULL;
  usage_unknown ("command", name, names, err);
  return NULL;
}

/* The options and operands fit the subcommand. */
static int
check_line (struct line *line, const struct command *command,
            struct error *err)
{
  unsigned n = 0;

  for (unsigned i = 0; i < nr_cli_options; ++i)
    if (line->cli.given & ~command->options & cli_options[i].bit)
      return error_set (err, EINVAL, "%s: --%s: is no option of this command",
                        command->name, cli_options[i].name);
  for (; command->operands[n]; ++n)
    if (n >= line->nr_operands && command->operands[n][0] != '[')
      return error_set (err, EINVAL, "%s: %s: is missing", command->name,
                        command->operands[n]);
  if (line->nr_operands > n)
    return error_set (err, EINVAL, "%s: %.80s: is one argument too many",
                      command->name, line->operands[n]);
  return command->check
    ? command->check (&line->cli, line->operands, err) : 0;
}

static int
execute (struct line *line, const struct command *command, struct error *err)
{
  int r;

  if (!command->no_control && line->cli.control[0] == '\0') {
    r = control_path_find (line->cli.control, err);
    if (r < 0)
      return r;
  }
  r = command->run (&line->cli, line->operands, err);
  if (fflush (stdout) == EOF || ferror (stdout))
    return error_set (err, errno, "output: standard output: %s",
                      strerror (errno));
  return r;
}

static int
fail (int status, const struct error *err)
{
  fflush (stdout);
  fprintf (stderr, "qbd: %s\n", err->message);
  return status;
}

int
main (int argc, char *argv[])
{
  const struct command *command = NULL;
  struct line line = { 0 };
  struct error err;

  if (parse_line (&line, argc, argv, &err) < 0)
    return fail (EXIT_USAGE, &err);
  if (line.version) {
    puts ("qbd " PACKAGE_VERSION);
    return EXIT_SUCCESS;
  }
  if (line.command) {
    command = find_command (line.command, &err);
    if (!command)
      return fail (EXIT_USAGE, &err);
  }
  if (line.help) {
    if (command)
      print_command_help (command);
    else
      print_help ();
    return EXIT_SUCCESS;
  }
  if (!command) {
    error_set (&err, EINVAL, "command: none is given (see qbd --help)");
    return fail (EXIT_USAGE, &err);
  }
  if (check_line (&line, command, &err) < 0)
    return fail (EXIT_USAGE, &err);
  if (execute (&line, command, &err) < 0)
    return fail (err.code == CLI_PROBLEMS_LEFT ? EXIT_LEFT : EXIT_FAILURE,
                 &err);
  return EXIT_SUCCESS;
}
