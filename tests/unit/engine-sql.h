/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests that change a pool's catalogue behind the engine's back.
 */
#ifndef QBD_ENGINE_SQL_H
#define QBD_ENGINE_SQL_H

/* It succeeds. */
void sql (const char *pool_dir, const char *text);

#endif
