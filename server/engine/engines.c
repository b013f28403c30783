/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engines that this build has.
 */
#include <stddef.h>

#include "server/engine/engine.h"

const struct engine_ops *const engines[] = {
  &engine_file,
  &engine_ram,
#if HAVE_RBD
  &engine_rbd,
#endif
  NULL,
};
