/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of engines share: a pool with reactors, one request at a
 * time, directories.
 */
#ifndef QBD_TESTS_ENGINE_HELPERS_H
#define QBD_TESTS_ENGINE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/engine/engine.h"

#define TEST_REACTORS 2

struct test_pool {
  struct reactor *reactors[TEST_REACTORS];
  struct engine_pool *pool;
};

/* 0 or -errno, nothing left behind then. */
int try_pool (struct test_pool *t, const struct engine_ops *ops,
              const char *argument, struct error *err);
void open_pool (struct test_pool *t, const struct engine_ops *ops,
                const char *argument);
void close_pool (struct test_pool *t);

struct engine_volume *make_volume (struct test_pool *t, const char *name,
                                   uint64_t size_bytes, uint32_t block_size);
struct engine_volume *open_volume (struct test_pool *t, const char *name);

/* One request on reactor 0; its result. */
int request (struct test_pool *t, struct engine_volume *volume,
             enum engine_op op, unsigned flags, void *buffer,
             uint64_t length_bytes, uint64_t offset_bytes);
int request_iov (struct test_pool *t, struct engine_volume *volume,
                 enum engine_op op, unsigned flags, struct iovec *iov,
                 int iovcnt, uint64_t length_bytes, uint64_t offset_bytes);

/* 4096-aligned, filled with byte. */
void *make_buffer (size_t bytes, int byte);
void assert_filled (const void *buffer, size_t bytes, int byte);

/* A directory below $TMPDIR (a disk) or /dev/shm; removed by remove_dir. */
char *make_dir (const char *where);
void remove_dir (char *dir);
char *join (const char *dir, const char *name); /* freed by the caller */

#endif
