/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd(1): one file per subcommand, each of which ends in its struct command.
 * main.c reads the command line, client.c speaks to the server, output.c
 * prints.  One thread, but in torture/.
 *
 * What the server refuses it explains itself; nothing here repeats its
 * checks.
 */
#ifndef QBD_CLI_H
#define QBD_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/control-path.h"
#include "common/error.h"

/* --- main.c ----------------------------------------------------------- */

/* The code of an error that is no failure of the command: it did what it is
 * for, and ends with EXIT_LEFT. */
#define CLI_PROBLEMS_LEFT 10000
#define EXIT_LEFT 3

/* Options that only some subcommands take. */
enum {
  CLI_BLOCK_SIZE = 1 << 0,
  CLI_DEPTH = 1 << 1,
  CLI_FORCE = 1 << 2,
  CLI_FORMAT = 1 << 3,
  CLI_FROM = 1 << 4,
  CLI_FUA = 1 << 5,
  CLI_IO_PATTERN = 1 << 6,
  CLI_IO_SIZE = 1 << 7,
  CLI_IO_TYPE = 1 << 8,
  CLI_OVERWRITE = 1 << 9,
  CLI_QUEUES = 1 << 10,
  CLI_QUIET = 1 << 11,
  CLI_READ_PERCENT = 1 << 12,
  CLI_REPAIR = 1 << 13,
  CLI_SECONDS = 1 << 14,
  CLI_SHRINK = 1 << 15,
  CLI_SIZE = 1 << 16,
  CLI_CLIENTS = 1 << 17,
  CLI_FAULTS = 1 << 18,
  CLI_OPS = 1 << 19,
  CLI_RANGE = 1 << 20,
  CLI_RESEND = 1 << 21,
  CLI_RESTART = 1 << 22,
  CLI_SEED = 1 << 23,
  CLI_VOLATILE = 1 << 24,
};

struct cli {
  char control[CONTROL_PATH_MAX];
  bool json;
  unsigned given;               /* CLI_*; those with a value have it below */
  uint64_t block_size;
  uint64_t from_bytes;
  uint64_t io_size_bytes;
  uint64_t range_bytes;
  uint64_t size_bytes;          /* also the operand of create and resize */
  unsigned clients;
  unsigned depth;
  unsigned ops;
  unsigned queues;
  unsigned read_percent;
  unsigned seconds;
  unsigned seed;
  const char *faults;
  const char *format;           /* NULL: not said */
  const char *io_pattern;
  const char *io_type;
  const char *restart_command;
  bool read_only;               /* set's operand */
};

#define CLI_OPERANDS_MAX 3

struct command {
  const char *name;
  const char *operands[CLI_OPERANDS_MAX + 1];   /* "[X]" may be left out */
  unsigned options;                             /* CLI_* it takes */
  const char *summary;                          /* one line */
  const char *help;                             /* paragraphs, or NULL */
  bool no_control;                              /* does not ask the server's
                                                   control socket */
  /* What is wrong with the command line, before anything is done; or NULL.
   * Operands that it understands are in cli for run.  -errno with err set. */
  int (*check) (struct cli *cli, char *const operands[], struct error *err);
  /* Operands that were left out are NULL.  -errno with err set. */
  int (*run) (const struct cli *cli, char *const operands[],
              struct error *err);
};

extern const struct command command_bench;
extern const struct command command_check;
extern const struct command command_create;
extern const struct command command_discover;
extern const struct command command_export;
extern const struct command command_host;
extern const struct command command_import;
extern const struct command command_inflight;
extern const struct command command_info;
extern const struct command command_ls;
extern const struct command command_pools;
extern const struct command command_resize;
extern const struct command command_rm;
extern const struct command command_set;
extern const struct command command_status;
extern const struct command command_torture;

/* --- client.c --------------------------------------------------------- */

#define CALL_QUERY_MAX 2
#define CALL_ANSWER_S 10        /* what waits for nothing is answered by then */

struct call {
  const char *method;
  const char *path;             /* "/v1/volumes" */
  const char *name;             /* appended after '/', escaped; or NULL */
  /* "?key=value&...", escaped; those with a NULL value are left out. */
  struct {
    const char *key;
    const char *value;
  } query[CALL_QUERY_MAX];
  json_t *body;                 /* the call's own from here on; or NULL */
  long timeout_s;               /* 0: as long as the server answers others
                                   meanwhile */
  /* About once a second while the server does, or NULL.  May make calls. */
  void (*waiting) (void *opaque);
  void *opaque;
};

/* *reply is a new reference to what the server answered.  -ENOENT also when
 * it knows no such volume. */
int client_call (const struct cli *cli, const struct call *call,
                 json_t **reply, struct error *err);

/* The call, and what was answered as JSON (--json), or its member key (NULL:
 * all of it) by print, unless that is NULL; how most commands end. */
int client_show (const struct cli *cli, const struct call *call,
                 const char *key, void (*print) (const json_t *),
                 struct error *err);

/* --- output.c --------------------------------------------------------- */

void output_json (const json_t *json);

/* What anybody may have chosen, as the name of a file: what would steer the
 * terminal is printed as "\x1b". */
void output_name (const char *name);

/* Members as text: valid until the next OUTPUT_TEXTS_MAX calls.  "-" where
 * the member is missing or null. */
#define OUTPUT_TEXTS_MAX 16
const char *output_string (const json_t *object, const char *key);
const char *output_integer (const json_t *object, const char *key);
const char *output_size (const json_t *object, const char *key);

/* Aligned columns.  A title that begins with '>' is aligned to the right. */
struct table;
struct table *table_new (unsigned nr_columns, const char *const titles[]);
void table_row (struct table *table, const char *const cells[]);
void table_print_and_free (struct table *table);

#endif
