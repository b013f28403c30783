/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all reactors have in flight, for who asks where a request hangs: it
 * answers whatever hangs, and so takes no pool's lock.
 */
#ifndef QBD_CONTROL_INFLIGHT_H
#define QBD_CONTROL_INFLIGHT_H

#include "server/control/volumes.h"

#define INFLIGHT_MAX 256                /* commands that are described */
#define INFLIGHT_WAIT_MS 1000           /* for the reactors to answer */

struct inflight {
  uint64_t total;                       /* of the reactors that answered */
  unsigned nr;
  struct target_inflight *commands;     /* the oldest; oldest first */
  unsigned nr_silent;
  unsigned *silent;                     /* reactors that did not, by index */
};

/* Of one volume (-ENOENT), or of all (NULL).  Any thread but a reactor's;
 * ends with inflight_free. */
int inflight_gather (struct volumes *volumes, const char *volume,
                     struct inflight *inflight, struct error *err);
void inflight_free (struct inflight *inflight);

#endif
