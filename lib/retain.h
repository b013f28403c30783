/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Acknowledged changes that no flush has covered yet (key retain).  Part of
 * internal.h, which says who is above whom.
 */
#ifndef QBD_LIB_RETAIN_H
#define QBD_LIB_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

struct association;
struct namespace;
struct retain;

/* Of one namespace, with room for so many bytes of data.  NULL: out of memory.
 * disorderly: see struct association_params. */
struct retain *retain_create (uint64_t bytes, uint32_t block_bytes,
                              bool disorderly);
void retain_free (struct retain *retain);

/* A change is about to be sent: returns what retain_keep wants to know.  Any
 * thread. */
uint64_t retain_begin (struct retain *retain);
/* A change of a range that was completed, and is about to be acknowledged.
 * data: what was written, or NULL; op and control are the command's opcode and
 * its control field.  stable: by itself.  False: it has to be flushed first, as
 * there is no room, or nobody knows what it came over.  Any thread. */
bool retain_keep (struct retain *retain, uint64_t begun, uint8_t opcode,
                  uint16_t control, const void *data, uint64_t offset,
                  uint64_t bytes, bool stable);
/* What a flush that is submitted now covers; and it succeeded. */
uint64_t retain_so_far (struct retain *retain);
void retain_flushed (struct retain *retain, uint64_t so_far);

/* [driver] There is another connection; [keeper] of several paths a replay
 * begins.  lost: the cache that had them is gone, all are to be sent, from the
 * first on. */
void retain_reconnected (struct retain *retain, bool lost);
/* [driver] They are to be sent again, before anything else is sent. */
bool retain_is_wanted (const struct retain *retain);
enum retain_replay {
  RETAIN_REPLAY_OVER,
  RETAIN_REPLAY_WAITS,          /* for answers, or another connection */
  RETAIN_REPLAY_GOES_ON,        /* at once, but others want the driver, too */
};

/* [driver] Sends them, behind the fence.  What fails is lost (durable.c). */
enum retain_replay retain_replay (struct association *association,
                                  struct namespace *ns, uint64_t now_ms);
/* [keeper] Of several paths: it cannot end over this one, and has to begin
 * again. */
bool retain_is_broken (struct retain *retain,
                       struct association *association);
/* [keeper] That is to go on over another path: none is under way over this
 * one any more. */
bool retain_is_idle (struct retain *retain, struct association *association);

#endif
