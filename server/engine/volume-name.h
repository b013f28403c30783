/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which names a volume can have, for engines that find names in storage that
 * others may have written.  Pure.
 */
#ifndef QBD_ENGINE_VOLUME_NAME_H
#define QBD_ENGINE_VOLUME_NAME_H

#include <stdbool.h>

/* A file may be named after it: whoever edits a catalogue must not reach
 * other directories. */
bool volume_name_fits (const char *name);

#endif
