/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which names a volume can have.
 */
#include <string.h>

#include "server/engine/engine.h"
#include "server/engine/volume-name.h"

/* What names of volumes are made of, here and in nvmeof/nqn.c. */
#define NAME_BYTES \
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+"

bool
volume_name_fits (const char *name)
{
  size_t length = strlen (name);

  return length > 0 && length < ENGINE_NAME_MAX && name[0] != '.'
    && strspn (name, NAME_BYTES) == length;
}
