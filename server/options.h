/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What qbd-server was asked to do, by its command line and its
 * configuration file.  Text to structures: nothing is opened here but the
 * file itself.
 */
#ifndef QBD_SERVER_OPTIONS_H
#define QBD_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/control-path.h"
#include "common/error.h"
#include "common/log.h"
#include "server/engine/engine.h"
#include "server/target/limits.h"

#define OPTIONS_LISTEN_MAX 16           /* LISTENERS_MAX */
#define OPTIONS_POOL_MAX 64             /* two locks each: REACTOR_HOLD_MAX */
#define OPTIONS_REACTORS_MAX 64
#define OPTIONS_POLL_US_MAX 1000
#define OPTIONS_SANDBOX_PATHS_MAX 16

struct options_pool {
  char name[ENGINE_NAME_MAX];
  const struct engine_ops *engine;      /* NULL until its url was seen */
  char *argument;                       /* what follows "ENGINE:" */
};

enum options_action {
  OPTIONS_SERVE,
  OPTIONS_HELP,
  OPTIONS_VERSION,
};

struct options {
  enum options_action action;
  bool verbose;
  bool allow_any_host;
  enum log_level log_level;             /* 0: not said */
  const char *config;                   /* a pointer into argv, or NULL */
  char control[CONTROL_PATH_MAX];       /* empty: not said */
  unsigned nr_reactors;                 /* 0: not said */
  bool no_sandbox, sandbox_said;
  unsigned nr_sandbox_paths;
  char *sandbox_paths[OPTIONS_SANDBOX_PATHS_MAX];
  bool poll_us_said;
  unsigned poll_us;
  unsigned limits[LIMIT_NR];            /* 0: not said */
  unsigned nr_listen;
  struct address listen[OPTIONS_LISTEN_MAX];
  uint8_t ana[OPTIONS_LISTEN_MAX];      /* of each, enum nvme_ana_state */
  unsigned nr_pools;
  struct options_pool pools[OPTIONS_POOL_MAX];
};

/* The command line.  -errno: it is wrong, the message says how. */
int options_parse (struct options *options, int argc, char *argv[],
                   struct error *err);

/* The configuration file: what the command line did not say.  Pools are
 * added to those of the command line. */
int options_read_file (struct options *options, const char *filename,
                       struct error *err);

/* Fill in what nobody said; -errno when that cannot be. */
int options_complete (struct options *options, struct error *err);

void options_free (struct options *options);

/* One setting, as text, for both: shared by options.c and options-file.c. */
int options_set_reactors (struct options *options, const char *text,
                          struct error *err);
int options_set_sandbox (struct options *options, const char *text,
                         struct error *err);
int options_add_sandbox_path (struct options *options, const char *text,
                              struct error *err);
int options_set_poll_us (struct options *options, const char *text,
                         struct error *err);
/* text: URI[?ana=STATE] */
int options_add_listen (struct options *options, const char *text,
                        struct error *err);
/* text: ENGINE:ARGUMENT. */
int options_add_pool (struct options *options, const char *name,
                      const char *text, struct error *err);

extern const char options_help[];

#endif
