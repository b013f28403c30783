/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between association.c, which keeps the state, association-open.c, which gets
 * it to LIVE for the first time, association-steps.c and
 * association-identify.c, which know what each state asks of the controller,
 * association-queues.c and reconnect.c.  One thread drives an association that
 * is not LIVE; nothing here is for any other.
 */
#ifndef QBD_LIB_ASSOCIATION_STEPS_H
#define QBD_LIB_ASSOCIATION_STEPS_H

#include "lib/internal.h"

enum { ADMIN_SLOTS = 31 };      /* a queue of 32 entries, as Linux has it */

struct step {
  const char *name;
  /* Submit the command; ends the association where it cannot. */
  void (*submit) (struct association *association);
  /* The answer: dw0 and dw1 are value.  Status 0, or optional is set. */
  void (*answered) (struct association *association, uint16_t status,
                    uint64_t value);
  bool optional;        /* a status other than 0 goes to answered */
};

/* association.c */
bool association_is_setting_up (enum association_state state);
const struct queue_params *
association_queue_params (struct association *association,
                          struct queue_params *params);
/* A line of the log, of one that lasts. */
void association_tell (const struct association *association,
                       const char *message);
/* Before it is started. */
void association_set_server (struct association *association,
                             enum address_family family);
void association_advance (struct association *association,
                          enum association_state state);
/* The end, with this message as it is. */
void association_end (struct association *association,
                      const struct error *err);
/* Set-up ends with "connect: URI: ...". */
void association_fail (struct association *association, int code,
                       const char *fmt, ...)
  __attribute__ ((format (printf, 3, 4)));

/* association-queues.c */
/* A connection for a queue: one that is new, or one that was renewed. */
int association_open_queue (struct association *association,
                            struct queue **queue, uint16_t qid,
                            uint16_t depth, struct error *err);
/* Those that renewing needs, without a connection. */
int association_prepare_queues (struct association *association,
                                uint32_t nr_io, struct error *err);
/* Its addresses, unless they are known; waits for that. */
int association_look_up (struct association *association, struct error *err);
/* The next address, when the one that was tried leads nowhere. */
void association_next_place (struct association *association);

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
void association_submit_admin (struct association *association,
                               const union nvme_command *sqe,
                               enum transport_data data, uint32_t bytes);
uint32_t association_kato_ms (const struct association *association);
uint8_t association_mpsmin (const struct association *association);

/* association-identify.c */
extern const struct step association_step_identify;
extern const struct step association_step_identify_nvm;
extern const struct step association_step_fence;
extern const struct step association_step_hold;
extern const struct step association_step_namespaces;
extern const struct step association_step_descriptors;
extern const struct step association_step_independent;
extern const struct step association_step_namespace;

/* reconnect.c */
bool reconnect_can_fence (const struct association *association);
/* [first set-up] A controller was left behind, and is re.old now. */
bool reconnect_inherits (struct association *association);

#endif
