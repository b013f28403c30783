/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rations of what a reactor's connections share: who belong together may take
 * as much as they leave to others, and one piece in any case.  So those who
 * have much never keep one who has nothing from being served.
 *
 * On one reactor; whose they are and how much there is, is the transport's.
 */
#ifndef QBD_RATIONS_H
#define QBD_RATIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct ration {
  LIST_ENTRY (ration) link;
  const void *of;               /* compared only; may be NULL */
  unsigned users;
  uint64_t bytes;               /* taken */
};

LIST_HEAD (ration_list, ration);

/* That of `of`, which is made unless there is one.  NULL: out of memory. */
struct ration *ration_get (struct ration_list *rations, const void *of);
/* By each who got it; nothing is taken any more by the last.  NULL: nothing. */
void ration_put (struct ration *ration);

/* Whether it may take so much more, when all together have taken_bytes of
 * max_bytes. */
static inline bool
ration_has_room (const struct ration *ration, uint64_t bytes,
                 uint64_t taken_bytes, uint64_t max_bytes)
{
  return ration->bytes == 0
    || taken_bytes + bytes + ration->bytes + bytes <= max_bytes;
}

#endif
