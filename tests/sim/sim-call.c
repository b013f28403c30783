/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A synchronous call is an asynchronous one, and a fiber that waits for it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/internal.h"
#include "tests/sim/fiber.h"
#include "tests/sim/sim-call.h"
#include "tests/sim/world.h"

static bool without_locks;

/* --- who waits for no event in particular ----------------------------------- */

struct stuck {
  struct fiber *fiber;
  TAILQ_ENTRY (stuck) link;
};

TAILQ_HEAD (stuck_list, stuck);
static struct stuck_list stuck_fibers = TAILQ_HEAD_INITIALIZER (stuck_fibers);
static bool changed;            /* a lock is free, or a place in a queue */

static void
wait_to_try_again (void)
{
  struct stuck stuck = { .fiber = fiber_self () };

  assert (stuck.fiber);
  TAILQ_INSERT_TAIL (&stuck_fibers, &stuck, link);
  fiber_wait ();
}

/* Each once: whoever is stuck again is on the list anew. */
bool
sim_call_try_again (void)
{
  struct stuck_list list = TAILQ_HEAD_INITIALIZER (list);
  struct stuck *stuck;

  if (!changed)
    return false;
  changed = false;
  TAILQ_CONCAT (&list, &stuck_fibers, link);
  while ((stuck = TAILQ_FIRST (&list))) {
    TAILQ_REMOVE (&list, stuck, link);
    fiber_resume (stuck->fiber);
  }
  return changed;
}

/* --- locks ------------------------------------------------------------------ */

void
sim_call_without_locks (void)
{
  without_locks = true;
}

static int
take (pthread_rwlock_t *lock, int (*try) (pthread_rwlock_t *lock))
{
  while (!without_locks && try (lock) != 0)
    wait_to_try_again ();
  return 0;
}

int
sim_rdlock (pthread_rwlock_t *lock)
{
  return take (lock, pthread_rwlock_tryrdlock);
}

int
sim_wrlock (pthread_rwlock_t *lock)
{
  return take (lock, pthread_rwlock_trywrlock);
}

int
sim_unlock (pthread_rwlock_t *lock)
{
  changed = true;
  return without_locks ? 0 : pthread_rwlock_unlock (lock);
}

/* --- libqbd ----------------------------------------------------------------- */

struct call {
  struct qbd_aio aio;           /* first member */
  struct fiber *fiber;
  int error;
};

static void
call_done (struct qbd_aio *aio, int error)
{
  struct call *call = (struct call *) aio;

  changed = true;
  call->error = error;
  fiber_resume (call->fiber);
}

static int
run (struct qbd_volume *volume, enum io_op op, void *buf, uint64_t count,
     uint64_t offset, unsigned flags)
{
  struct call call = { .aio.done = call_done, .fiber = fiber_self () };
  int r;

  while ((r = aio_submit (volume, &call.aio, op, buf, count, offset, flags,
                          world_now_ms ())) == -EAGAIN)
    wait_to_try_again ();
  if (r == 0)
    fiber_wait ();
  else
    call.error = -r;
  errno = call.error;
  return call.error ? -1 : 0;
}

int
sim_pread (struct qbd_volume *volume, void *buf, size_t count,
           uint64_t offset, unsigned flags)
{
  return run (volume, IO_READ, buf, count, offset, flags);
}

int
sim_pwrite (struct qbd_volume *volume, const void *buf, size_t count,
            uint64_t offset, unsigned flags)
{
  return run (volume, IO_WRITE, (void *) (uintptr_t) buf, count, offset,
              flags);
}

int
sim_discard (struct qbd_volume *volume, uint64_t count, uint64_t offset,
             unsigned flags)
{
  return run (volume, IO_DISCARD, NULL, count, offset, flags);
}

int
sim_write_zeroes (struct qbd_volume *volume, uint64_t count,
                  uint64_t offset, unsigned flags)
{
  return run (volume, IO_WRITE_ZEROES, NULL, count, offset, flags);
}

int
sim_flush (struct qbd_volume *volume)
{
  return run (volume, IO_FLUSH, NULL, 0, 0, 0);
}
