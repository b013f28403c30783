/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests that fail are told of: a line for each volume and errno, and when
 * it goes on, another one a minute later.  Any reactor.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "server/engine/engine.h"

#define TELL_AGAIN_MS 60000

static unsigned
kind_of (int error)
{
  switch (error) {
  case ENOSPC: return 1;
  case EROFS: return 2;
  case EPERM: return 3;
  case ENOMEM: return 4;
  }
  return 0;                     /* EIO */
}

void
engine_failed (struct engine_volume *volume,
               const struct engine_request *request, int error)
{
  static const char *const ops[] = {
    [ENGINE_READ] = "read",
    [ENGINE_WRITE] = "write",
    [ENGINE_FLUSH] = "flush",
    [ENGINE_DISCARD] = "discard",
    [ENGINE_WRITE_ZEROES] = "write zeroes",
  };
  _Atomic uint64_t *told = &volume->told_ms[kind_of (error)];
  uint64_t now = reactor_now_ms (request->reactor) | 1;
  uint64_t before = atomic_load (told);

  static_assert (ENGINE_ERROR_KINDS == 5, "kind_of");
  if ((before == 0 || now >= before + TELL_AGAIN_MS) &&
      atomic_compare_exchange_strong (told, &before, now))
    log_error ("%s: %s/%s: %s (%llu bytes at %llu)", ops[request->op],
               volume->pool->name, volume->name, strerror (error),
               (unsigned long long) request->length_bytes,
               (unsigned long long) request->offset_bytes);
}
