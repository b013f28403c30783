/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a sparse file has data: what engines whose volumes are files (or
 * memfds) have in common.  Any thread that may block.
 */
#ifndef QBD_ENGINE_SPARSE_H
#define QBD_ENGINE_SPARSE_H

#include "server/engine/engine.h"

/* engine_ops.allocated over a descriptor. */
int sparse_allocated (int fd, uint32_t block_size, uint64_t offset_bytes,
                      uint64_t length_bytes, struct engine_extent *extents,
                      unsigned nr_max);

/* Does the file system take holes out of this file?  Nothing changes. */
bool sparse_can_punch_hole (int fd);

#endif
