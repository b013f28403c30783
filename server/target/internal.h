/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the target: what its files share.
 *
 *   target --< subsystem --< controller --< target_queue --< target_command
 *     |                                        (one reactor each)
 *     +---- queues that wait in Connect for a host's dead controllers
 *
 * "locked" below means: under target->lock.  The lock is never held over a
 * call into transport or engine, nor over a line of log.
 */
#ifndef QBD_TARGET_INTERNAL_H
#define QBD_TARGET_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "nvmeof/command-check.h"
#include "nvmeof/cross-reset.h"
#include "server/target/target.h"

enum {
  TARGET_NSID = 1,
  TARGET_ADMIN_SQSIZE_0BASED = 127,     /* at most; hosts ask for 31 */
  TARGET_QUEUE_SLACK = 2,       /* commands above SQSIZE, for sloppy hosts */
  TARGET_AERL_0BASED = 3,
  TARGET_KAS_MS = 1000,         /* granularity of KATO */
  TARGET_KATO_GRACE_MS = 1000,
  TARGET_CONNECT_WAIT_MS = 10000,       /* for dead controllers to drain */
  TARGET_FAILED_MS = 5000,      /* for the host to follow a lost I/O queue */
  TARGET_HOSTID_BYTES = 16,
  TARGET_CNTLID_MAX = 0xffef,
  TARGET_COUNTERS_MAX = 64,     /* reactors */
};

#define TARGET_VERSION 0x00010400u      /* NVMe 1.4: see identify.c */

static inline uint16_t
target_mqes_0based (void)
{
  return (uint16_t) (limit_value (LIMIT_QUEUE_SIZE) - 1);
}

/* --- attached.c: connections that passed Connect, by host ------------------ */

enum { TARGET_HOST_BUCKETS = 256 };

struct attached_host {
  LIST_ENTRY (attached_host) in_bucket;
  char nqn[NVMEOF_NQN_MAX + 1];
  unsigned nr_queues;
};

struct attached {               /* all locked */
  unsigned nr_queues;
  LIST_HEAD (, attached_host) buckets[TARGET_HOST_BUCKETS];
};

/* One more of this host: *full says which limit forbids it.  False: that, or
 * (LIMIT_NR) there is no memory. */
bool attached_locked_add (struct target *target, const char *hostnqn,
                          enum limit *full);
void attached_locked_remove (struct target *target, const char *hostnqn);

/* --- target.c, subsystem.c, hosts.c ---------------------------------------------- */

struct target {
  pthread_mutex_t lock;
  TAILQ_HEAD (, subsystem) subsystems;          /* locked, by NQN */
  TAILQ_HEAD (, target_queue) queues;           /* locked */
  TAILQ_HEAD (, target_queue) waiting;          /* locked */
  struct subsystem *discovery;                  /* constant after create */
  uint64_t genctr;                              /* locked */
  struct attached attached;                     /* locked */
  pthread_cond_t controller_left;               /* with lock; monotonic */
  uint64_t nr_left;                             /* locked: how many have */
  _Atomic bool allow_any_host;
  bool draining;                                /* locked */
  /* ana.c's, by listener. */
  _Atomic uint8_t ana[TARGET_LISTENERS_MAX];    /* enum nvme_ana_state; 0:
                                           nobody listened there yet */
  _Atomic uint64_t ana_changes;
  bool listens[TARGET_LISTENERS_MAX];           /* locked */
  uint8_t last_listener;                        /* locked */
};

struct subsystem {
  struct target *target;                /* constant */
  struct engine_volume *volume;         /* constant; NULL: discovery */
  char nqn[NVMEOF_NQN_MAX + 1];         /* constant */
  uint8_t uuid[16];                     /* constant */
  unsigned lba_shift;                   /* constant */
  TAILQ_ENTRY (subsystem) in_target;    /* locked */
  TAILQ_HEAD (, controller) controllers;        /* locked */
  uint16_t last_cntlid;                 /* locked */
  bool barred;                          /* locked */
  struct host_list hosts;               /* locked */
  struct counters *counters[TARGET_COUNTERS_MAX];       /* locked, by
                                           reactor; see counters.h */
};

/* All locked. */
struct subsystem *subsystem_locked_find (struct target *target,
                                         const char *nqn);
/* A free CNTLID, or 0 when there is none. */
uint16_t subsystem_locked_new_cntlid (struct subsystem *subsystem);
/* Whose controllers have such numbers: engine_pool.gateway. */
unsigned subsystem_gateway (const struct subsystem *subsystem,
                            uint16_t cntlid);

void subsystem_namespace (const struct subsystem *subsystem,
                          struct command_namespace *ns);

/* hosts.c: a host, and whether it came in where only this machine can. */
bool subsystem_locked_allows (const struct subsystem *subsystem,
                              const char *hostnqn, bool is_local);

/* A queue with a command that waits for a controller to leave: Connect, or
 * Cross-Controller Reset.  True while there is time; then, and when one has
 * left, retry is called on the queue's reactor.  From the first call until
 * stop_waiting. */
bool target_locked_wait (struct target_queue *queue,
                         void (*retry) (struct target_queue *queue));
void target_locked_stop_waiting (struct target_queue *queue);
/* Those that wait look again. */
void target_locked_wake_waiting (struct target *target);

/* --- controller.c --------------------------------------------------------- */

enum controller_state {
  CONTROLLER_IDLE,      /* waits for CC.EN */
  CONTROLLER_ENABLED,   /* serves its host; CSTS.RDY */
  CONTROLLER_FAILED,    /* its host closed an I/O queue; waits for it to shut
                           the controller down, to clear CC.EN or to
                           disconnect, and for TARGET_FAILED_MS; CSTS.CFS */
  CONTROLLER_DISABLING, /* CC.EN was cleared; waits for its I/O queues */
  CONTROLLER_SHUTDOWN,  /* CC.SHN was set; waits for its I/O queues, then for
                           the host to disconnect or to clear CC.EN */
  CONTROLLER_DEAD,      /* waits for all its queues, then is freed */
};
enum { CONTROLLER_NR_STATES = CONTROLLER_DEAD + 1 };

enum { CONTROLLER_NR_FEATURES = 6 };

/* What is told by asynchronous events: events.c. */
enum controller_notice { NOTICE_NAMESPACE, NOTICE_ANA };
enum { CONTROLLER_NR_NOTICES = NOTICE_ANA + 1 };

struct controller {
  struct subsystem *subsystem;          /* constant */
  uint16_t cntlid;                      /* constant */
  struct controller_instance instance;  /* constant */
  char hostnqn[NVMEOF_NQN_MAX + 1];     /* constant */
  uint8_t hostid[TARGET_HOSTID_BYTES];  /* constant */
  char peer[ADDRESS_TEXT_MAX];          /* constant */
  bool is_local;                        /* constant: see hosts.c */
  uint64_t since_ms;                    /* constant; monotonic */
  const struct target_transport_ops *ops;       /* constant */

  _Atomic enum controller_state state;  /* changes locked */
  const char *reason;                   /* locked: why it left */
  TAILQ_ENTRY (controller) in_subsystem;        /* locked */
  TAILQ_HEAD (, target_queue) queues;   /* locked */
  unsigned nr_io_queues;                /* locked */

  unsigned nr_io_queues_granted;        /* locked */
  bool had_io_queues;                   /* locked: a line was logged */

  /* the admin queue's reactor only */
  struct target_queue *admin;           /* while the timer may run */
  uint32_t cc;
  bool fatal;                           /* CSTS.CFS */
  uint32_t features[CONTROLLER_NR_FEATURES];
  uint32_t kato_ms;
  uint64_t last_traffic_ms;
  bool had_commands;                    /* when it was looked at last */
  struct reactor_timer keep_alive;
  struct reactor_timer failed;
  TAILQ_HEAD (, target_command) events; /* AERs held */
  unsigned nr_events;
  struct notice {
    bool changed;               /* what the host has not read yet */
    bool sent;                  /* and was told; masks the next */
  } notices[CONTROLLER_NR_NOTICES];
  bool told_hidden;             /* discovery: a line was logged */
};

/* Locked; NULL for want of memory or of a CNTLID.  The admin queue belongs
 * to it when it returns. */
struct controller *controller_locked_new (struct subsystem *subsystem,
                                          struct target_queue *admin,
                                          const struct nvmf_connect_data *);
/* The admin queue's reactor.  0: only the limit idle_ms. */
void controller_set_kato (struct controller *controller, uint32_t kato_ms);

struct controller *controller_locked_find (struct subsystem *subsystem,
                                           uint16_t cntlid);
bool controller_same_host (const struct controller *controller,
                           const struct nvmf_connect_data *data);
/* Something of this controller may still change the volume although it
 * serves its host no more. */
bool controller_locked_undrained (const struct controller *controller);

void controller_locked_add_queue (struct controller *controller,
                                  struct target_queue *queue);
/* The queue is dead and the engine has nothing of it. */
void controller_remove_queue (struct target_queue *queue);

/* Fence it: any thread.  reason is constant, for the log. */
void controller_locked_die (struct controller *controller,
                            const char *reason);
/* On the queue's reactor: its connection ends, by our decision or that of
 * the host. */
void controller_lost_queue (struct target_queue *queue, const char *reason);
void controller_queue_closed (struct target_queue *queue, const char *reason);

/* It is in state FAILED, or was: the admin queue's reactor. */
void controller_failed (struct controller *controller);
/* The admin queue dies; on its reactor. */
void controller_disarm (struct controller *controller);

/* Property Set of CC; the admin queue's reactor. */
void controller_set_cc (struct controller *controller, uint32_t cc);
uint64_t controller_cap (void);
uint32_t controller_csts (struct controller *controller);

/* --- queue.c -------------------------------------------------------------- */

enum {
  MAIL_FENCE = 1 << 0,  /* die and close */
  MAIL_RETRY = 1 << 1,  /* what waits looks again */
  MAIL_NAMESPACE = 1 << 2,      /* admin queues: the namespace has changed */
  MAIL_FAILED = 1 << 3,         /* admin queues: an I/O queue was closed */
  MAIL_ANA = 1 << 4,            /* admin queues: another ANA state */
};

/* Locked, or on the queue's reactor: the queue exists. */
void queue_mail (struct target_queue *queue, unsigned mail);

/* On its reactor, which alone writes it: nothing is to be locked. */
static inline void
queue_count_inflight (struct target_queue *queue, int change)
{
  unsigned nr = atomic_load_explicit (&queue->nr_inflight,
                                      memory_order_relaxed);

  atomic_store_explicit (&queue->nr_inflight, nr + (unsigned) change,
                         memory_order_relaxed);
}

void queue_set_state (struct target_queue *queue,
                      enum target_queue_state state);
/* After the state became DEAD, or a command of a dead queue completed. */
void queue_check_drained (struct target_queue *queue);

/* --- command.c ------------------------------------------------------------ */

/* Fills the CQE and hands the command back to its transport.  dw0 and dw1
 * were set by the handler before. */
void command_complete (struct target_command *command, uint16_t status);
/* The command stays with the target for an unknown time (AER, Connect that
 * waits): nobody awaits it when the queue dies. */
void command_hold (struct target_command *command);

static inline void
command_set_dw0 (struct target_command *command, uint32_t dw0)
{
  command->cqe.dw0 = cpu_to_le32 (dw0);
}

/* --- one per kind of command: choose the handler, size the data ------------ */

uint16_t fabrics_parse (struct target_command *command);        /* fabrics-cmd.c */
uint16_t admin_parse (struct target_command *command);          /* admin-cmd.c */
uint16_t io_parse (struct target_command *command,              /* io-cmd.c */
                   uint32_t sgl_bytes);
uint16_t identify_parse (struct target_command *command);       /* identify.c */
uint16_t lba_status_parse (struct target_command *command);     /* lba-status.c */
uint16_t log_parse (struct target_command *command);            /* log-page.c */
uint16_t set_features_parse (struct target_command *command);   /* features.c */
uint16_t get_features_parse (struct target_command *command);
void features_init (struct controller *controller);
/* Feature 0Bh: the notices that the host wants. */
uint32_t features_events (const struct controller *controller);

/* fabrics-cmd.c: a Connect that waits. */
void connect_retry (struct target_queue *queue);
void connect_abandon (struct target_queue *queue);

/* cross-reset.c */
uint16_t cross_reset_parse (struct target_command *command);
void cross_reset_retry (struct target_queue *queue);
void cross_reset_abandon (struct target_queue *queue);

/* gateways.c: a Cross-Controller Reset.  Of another gateway's controller? */
bool gateways_foreign (const struct subsystem *subsystem, uint16_t cntlid);
void gateways_ask (struct target_command *command);

/* events.c; all on the admin queue's reactor. */
enum { TARGET_OAES = NVME_CTRL_OAES_NA | NVME_CTRL_OAES_ANA };
void event_request_execute (struct target_command *command);
/* Complete all the AERs held; or the one with this CID, if it is. */
void events_abort (struct controller *controller);
bool events_abort_one (struct controller *controller, uint16_t cid);
void events_changed (struct controller *controller,
                     enum controller_notice notice);
/* The host has read what there is. */
void events_read (struct controller *controller,
                  enum controller_notice notice);
/* What was not to be told may be now: feature 0Bh has changed. */
void events_look (struct controller *controller);

/* ana.c */
enum {
  TARGET_ANA_GROUP = 1,         /* the only one */
  TARGET_ANATT_S = 10,          /* no transition is ever shown */
  ANA_LOG_BYTES = sizeof (struct nvme_ana_log)
    + sizeof (struct nvme_ana_group_desc) + 4,
};
/* A status when the queue's path must not be used for I/O; or 0. */
uint16_t ana_check (const struct target_queue *queue);
/* Log page 0Ch as the queue's host has to see it; its size. */
size_t ana_fill_log (const struct target_queue *queue, bool groups_only,
                     uint8_t page[ANA_LOG_BYTES]);

/* discovery.c: the part of log page 70h at offset_bytes. */
void discovery_log (struct target_command *command, uint64_t offset_bytes,
                    uint8_t *buffer, uint32_t bytes);

#endif
