/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engines that this build has.
 */
#include <stddef.h>
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

const struct engine_ops *const engines[] = {
  &engine_file,
  &engine_ram,
#if HAVE_RBD
  &engine_rbd,
#endif
  NULL,
};
