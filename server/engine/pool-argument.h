/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What follows "ENGINE:" in a pool's url: PLACE[?key=value&...].  Taken apart
 * here; what a place or a value means is its engine's.
 */
#ifndef QBD_ENGINE_POOL_ARGUMENT_H
#define QBD_ENGINE_POOL_ARGUMENT_H

#include "common/error.h"

struct pool_option {
  const char *key;              /* NULL ends an array */
  const char *value;            /* NULL: not given; else not empty */
};

struct pool_argument {
  char *text;                   /* place, and the values, are in it */
  const char *place;            /* may be empty */
};

/* form says how it is written, like "file:DIR".  The options' values are set.
 * -errno with err set; all to be freed also then. */
int pool_argument_parse (const char *pool, const char *form,
                         const char *argument, struct pool_option *options,
                         struct pool_argument *parsed, struct error *err);

void pool_argument_free (struct pool_argument *parsed);

#define CLEANUP_POOL_ARGUMENT \
  __attribute__ ((cleanup (pool_argument_free))) struct pool_argument

#endif
