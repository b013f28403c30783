/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engines that this build has, and what they all begin with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "server/engine/engine.h"

uint64_t
engine_new_epoch (void)
{
  struct timespec now;
  uint64_t epoch;

  if (getrandom (&epoch, sizeof epoch, GRND_NONBLOCK) != sizeof epoch) {
    clock_gettime (CLOCK_REALTIME, &now);
    epoch = (uint64_t) now.tv_sec << 30 ^ (uint64_t) now.tv_nsec;
  }
  return epoch | (epoch == 0);
}

void *
engine_pool_new (size_t bytes, const struct engine_ops *ops, const char *name,
                 struct error *err)
{
  struct engine_pool *pool;

  if (strlen (name) >= ENGINE_NAME_MAX) {
    error_set (err, ENAMETOOLONG, "pool: %s: the name is too long", name);
    return NULL;
  }
  pool = calloc (1, bytes);
  if (!pool) {
    error_set (err, ENOMEM, "pool: %s: %s", name, strerror (ENOMEM));
    return NULL;
  }
  pool->ops = ops;
  strcpy (pool->name, name);
  return pool;
}

const struct engine_ops *const engines[] = {
  &engine_file,
  &engine_ram,
#if HAVE_RBD
  &engine_rbd,
#endif
  NULL,
};
