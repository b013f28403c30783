/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between association.c, which keeps the state, and association-steps.c,
 * which knows what each state asks of the controller.  One thread drives an
 * association until it is LIVE; nothing here is for any other.
 */
#ifndef QBD_LIB_ASSOCIATION_STEPS_H
#define QBD_LIB_ASSOCIATION_STEPS_H

#include "lib/internal.h"

enum { ADMIN_SLOTS = 31 };      /* a queue of 32 entries, as Linux has it */

/* association.c */
void association_advance (struct association *association,
                          enum association_state state);
/* The end, with this message as it is. */
void association_end (struct association *association,
                      const struct error *err);
/* Set-up ends with "connect: URI: ...". */
void association_fail (struct association *association, int code,
                       const char *fmt, ...)
  __attribute__ ((format (printf, 3, 4)));
struct queue *association_open_queue (struct association *association,
                                      uint16_t qid, uint16_t depth,
                                      struct error *err);

/* association-steps.c */
/* Enter the state and submit its command. */
void association_step (struct association *association,
                       enum association_state state);
/* Submit the state's command once more. */
void association_step_again (struct association *association);
/* The command of the state is over: judge it, and go on. */
void association_step_answered (struct association *association);
const char *association_step_name (struct association *association,
                                   enum association_state state);

#endif
