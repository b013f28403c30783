/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe-oF target: subsystems, controllers, queues and commands.  No
 * sockets.  Two sides use it:
 *
 *   control/ and main    target_create, subsystem_*: any thread, may block
 *   transport/           target_queue_*, target_command_*: the queue's reactor
 *
 *   transport --- target_command_prepare ---> handler chosen, data sized
 *             --- (fetches the data) -------->
 *             --- target_command_execute ---> engine.submit
 *             <-- ops->complete ------------- CQE (and data) ready
 *
 * Threads: a queue and its commands belong to one reactor.  A controller's
 * queues may live on several; what they share (lists of subsystems,
 * controllers and queues, states of controllers) is under the target's one
 * lock, which is taken when hosts come and go and never for a command of an
 * I/O queue.  It is not held over a call into transport or engine.
 */
#ifndef QBD_TARGET_H
#define QBD_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/address.h"
#include "common/error.h"
#include "nvmeof/command-check.h"
#include "server/engine/engine.h"
#include "server/reactor/reactor.h"
#include "server/target/limits.h"

struct target;
struct subsystem;
struct controller;

/* --- subsystems: one per volume, one namespace, NSID 1 ------------------ */

int target_create (struct target **target, struct error *err);
void target_destroy (struct target *target);    /* no queue, no subsystem */

/* engine_pool.asked, with the target. */
int target_asked (void *target, const char *text);

/* Whether volumes without a list of hosts are for all hosts (true), or only
 * for those of this machine.  Any time; who is attached stays. */
void target_allow_any_host (struct target *target, bool allow);

/* The volume becomes visible, to these hosts; the list is taken over, and
 * empty afterwards.  The volume stays the caller's and stays open until
 * subsystem_remove succeeded.  -EEXIST, -ENAMETOOLONG. */
int subsystem_add (struct target *target, struct engine_volume *volume,
                   struct host_list *hosts, struct subsystem **subsystem,
                   struct error *err);
/* -EBUSY while a host is attached: one that fell silent too, until its
 * keep-alive timer ends it.  Here and below, what is the operation, for
 * messages. */
int subsystem_remove (struct subsystem *subsystem, const char *what,
                      struct error *err);

const char *subsystem_nqn (const struct subsystem *subsystem);
/* Identify's serial number: 20 digits of the UUID. */
#define SUBSYSTEM_SERIAL_BYTES 20       /* without the NUL */
void subsystem_serial (const struct subsystem *subsystem,
                       char serial[SUBSYSTEM_SERIAL_BYTES + 1]);

/* Bar new associations while a slow operation (shrink, remove) runs:
 * -EBUSY while a host is attached, or barred already. */
int subsystem_bar (struct subsystem *subsystem, const char *what,
                   struct error *err);
void subsystem_unbar (struct subsystem *subsystem);

/* Begin to end all that are attached, and bar new ones: *left is how many
 * have not left yet (with something in flight), and *seen what
 * target_await_left takes.  At 0 the subsystem can be removed; until then it
 * is called again, or unbarred.  -EBUSY: it was barred already, unless
 * again. */
int subsystem_fence (struct subsystem *subsystem, const char *what,
                     bool again, unsigned *left, uint64_t *seen,
                     struct error *err);
/* Until a controller has left since then, or until deadline_ms (clock_now_ms).
 * Blocks, and needs no lock of the caller's. */
void target_await_left (struct target *target, uint64_t seen,
                        uint64_t deadline_ms);

/* Who may attach: exchanges the list.  -EBUSY when a host is attached that
 * would not be allowed any more; force: it is fenced instead, and has
 * perhaps not left yet. */
int subsystem_set_hosts (struct subsystem *subsystem,
                         struct host_list *hosts, bool force,
                         struct error *err);

/* After the volume's size changed: tells the attached hosts. */
void subsystem_resized (struct subsystem *subsystem);
/* Tell attached hosts that their paths are inaccessible from now on, as the
 * pool's is_fenced says. */
void subsystem_fenced_off (struct subsystem *subsystem);

struct subsystem_host {         /* one controller */
  char hostnqn[NVMEOF_NQN_MAX + 1];
  char address[ADDRESS_TEXT_MAX];       /* the peer's, as a URI */
  uint16_t cntlid;
  unsigned nr_io_queues;
  int64_t since_s;              /* Unix time */
};

/* Calls each for every attached controller; returns how many.  each runs
 * under the target's lock: it must not call back into the target. */
unsigned subsystem_each_host (struct subsystem *subsystem,
                              void (*each) (void *opaque,
                                            const struct subsystem_host *),
                              void *opaque);

/* What the I/O commands that were executed add up to, since subsystem_add;
 * those that were refused for their fields do not count. */
#define SUBSYSTEM_NR_OPS (ENGINE_WRITE_ZEROES + 1)
#define SUBSYSTEM_LATENCY_BUCKETS 18

/* The upper bounds of all buckets but the last, in microseconds. */
extern const uint32_t subsystem_latency_us[SUBSYSTEM_LATENCY_BUCKETS - 1];

struct subsystem_op_stats {
  uint64_t started;             /* less finished: in flight */
  uint64_t finished;
  uint64_t errors;              /* of those finished */
  uint64_t bytes;               /* of those without an error */
  uint64_t sum_us;              /* from execution to completion */
  uint64_t latency[SUBSYSTEM_LATENCY_BUCKETS];  /* each for itself */
};

/* Indexed by enum engine_op.  Any thread; never a moment of all reactors
 * at once. */
void subsystem_stats (struct subsystem *subsystem,
                      struct subsystem_op_stats stats[SUBSYSTEM_NR_OPS]);

/* --- what is in flight: for who asks where a request hangs --------------- */

enum target_stage {             /* what a command waits for */
  TARGET_STAGE_CAPSULE,         /* the rest of its capsule */
  TARGET_STAGE_BUFFER,          /* memory for its data */
  TARGET_STAGE_DATA,            /* data that the host was asked for */
  TARGET_STAGE_ENGINE,          /* the storage, or what makes its answer */
  TARGET_STAGE_CONTROLLER,      /* the end of an old controller */
  TARGET_STAGE_RESPONSE,        /* its response to be sent */
};
#define TARGET_NR_STAGES (TARGET_STAGE_RESPONSE + 1)

struct target_inflight {        /* one command */
  uint64_t age_ms;
  uint64_t stage_ms;            /* since it is in this stage */
  enum target_stage stage;
  const char *op;               /* constant */
  uint64_t offset_bytes;
  uint64_t length_bytes;
  char volume[2 * ENGINE_NAME_MAX];     /* POOL/VOL, or empty */
  char hostnqn[NVMEOF_NQN_MAX + 1];     /* empty before Connect is over */
  char address[ADDRESS_TEXT_MAX];       /* the peer's, as a URI */
  uint16_t cntlid;
  uint16_t qid;
  uint16_t cid;
  bool fenced;                  /* its host has lost the connection */
};

/* The oldest of them, in no order. */
struct target_inflight_list {
  uint64_t total;               /* also those that found no place */
  unsigned nr;
  unsigned nr_max;              /* at least 1 */
  unsigned youngest;            /* index, when it is full */
  struct target_inflight commands[];
};

/* On the reactor: adds what it has in flight, of one volume (POOL/VOL), or of
 * all and of none (NULL); but not Asynchronous Event Requests. */
void target_list_inflight (struct target *target,
                           const struct reactor *reactor, const char *volume,
                           struct target_inflight_list *list);
/* Any thread. */
bool target_has_volume (struct target *target, const char *volume);

/* Any thread: refuse new associations and end the attached ones; their
 * commands in flight are executed and awaited.  For shutdown: the transports
 * see ops->close for each queue, connected or not. */
void target_drain (struct target *target);

/* Listeners have numbers, by which hosts that come differ. */
#define TARGET_LISTENERS_MAX 256
uint8_t target_add_listener (struct target *target);
void target_remove_listener (struct target *target, uint8_t listener);
/* From NVME_ANA_STATE_OPTIMIZED on; NULL ends them. */
extern const char *const target_ana_names[];
/* What the path by this listener is good for: optimized (as each is at
 * first), non-optimized or inaccessible.  Attached hosts are told.  Any
 * thread. */
void target_set_ana (struct target *target, uint8_t listener,
                     enum nvme_ana_state state);

/* --- queues and commands: transport's side ------------------------------ */

struct target_queue;
struct target_command;

struct target_transport_ops {
  uint8_t trtype;                       /* NVMF_TRTYPE_* */
  uint32_t in_capsule_bytes;            /* for IOCCSZ, I/O queues */
  uint32_t sgls;                        /* Identify Controller SGLS */
  /* The command's CQE is filled (and the data, when it reads): send it and
   * call target_command_done once nothing refers to it any more.  May be
   * called inside target_command_execute, target_queue_fail and
   * target_queue_closed. */
  void (*complete) (struct target_command *command);
  /* The target wants the connection to end: the transport parses no more,
   * sends what is complete (within a time limit), closes, and then calls
   * target_queue_disconnected.  Called at most once, on the queue's
   * reactor, and never inside another call into the target. */
  void (*close) (struct target_queue *queue);
  /* Calls each for the commands between prepare and done, in the order in
   * which they came, but for those whose answer is taken to have arrived; where
   * the target has one, the stage is ENGINE.  Under the target's lock: it only
   * reads. */
  void (*each_command) (struct target_queue *queue,
                        void (*each) (void *opaque,
                                      const struct target_command *command,
                                      enum target_stage stage),
                        void *opaque);
};

/* Where the asker came in: what discovery tells it. */
struct target_portal {
  struct address local;         /* as the asker used it, numeric */
  char peer[ADDRESS_TEXT_MAX];  /* for logs and lists */
  uint8_t listener;             /* its number */
};

enum target_queue_state {
  TARGET_QUEUE_NEW,             /* waits for Connect */
  TARGET_QUEUE_CONNECTING,      /* Connect executes, perhaps waits for the
                                   host's dead controllers to drain */
  TARGET_QUEUE_LIVE,            /* belongs to a controller */
  TARGET_QUEUE_DEAD,            /* executes nothing more; waits for what the
                                   engine still has, then for the transport */
};

/* Embedded in the transport's connection. */
struct target_queue {
  const struct target_transport_ops *ops;       /* constant after init */
  struct target *target;                        /* constant after init */
  struct reactor *reactor;                      /* constant after init */
  const struct target_portal *portal;           /* constant after init */

  /* the reactor's; the transport may read them */
  enum target_queue_state state;
  uint16_t qid;
  uint16_t sqsize;              /* entries; 0 until connected */
  uint16_t sqhd;
  bool sqflow_disabled;         /* SQHD is FFFFh, SUCCESS allowed */

  /* the target's, this reactor only */
  struct controller *controller;        /* from Connect until drained */
  struct counters *counters;            /* I/O queues, from Connect on */
  unsigned nr_executing;        /* executed, not complete or with a loan, not
                                   held */
  bool disconnected;
  void (*drained) (struct target_queue *queue);
  struct target_command *connect;       /* while CONNECTING */
  enum limit full;              /* why Connect found no place; or LIMIT_NR */
  struct target_command *reset;         /* a Cross-Controller Reset that
                                           waits; or NULL */
  bool asks;                    /* one of another gateway's controller */
  struct reactor_timer wait_limit;
  void (*retry) (struct target_queue *queue);   /* of what waits */

  /* the reactor writes it, any thread may read it */
  _Atomic unsigned nr_inflight; /* prepared, not done */

  /* the target's, any thread */
  struct reactor_task task;     /* posted while mail is not 0 */
  _Atomic unsigned mail;
  _Atomic bool traffic;         /* bytes came since the last look */
  bool waits;                   /* locked: on the target's list of those
                                   that wait */
  TAILQ_ENTRY (target_queue) in_target;         /* locked */
  TAILQ_ENTRY (target_queue) in_controller;     /* locked */
  TAILQ_ENTRY (target_queue) in_waiting;        /* locked */
};

/* On the queue's reactor. */
void target_queue_init (struct target_queue *queue, struct target *target,
                        struct reactor *reactor,
                        const struct target_transport_ops *ops,
                        const struct target_portal *portal);

/* Bytes came from the host: it lives.  Not only commands count, because the
 * data of one command may take longer than the keep-alive timeout. */
static inline void
target_queue_heard (struct target_queue *queue)
{
  if (!atomic_load_explicit (&queue->traffic, memory_order_relaxed))
    atomic_store_explicit (&queue->traffic, true, memory_order_relaxed);
}

/* The most commands that a host may have in flight here: SQSIZE and some
 * slack.  The transport ends a connection whose host exceeds it, before it
 * spends memory on the command. */
unsigned target_queue_limit (const struct target_queue *queue);

/* What the host is attached to; NULL before Connect.  To be compared. */
const struct subsystem *target_queue_subsystem (const struct target_queue
                                                *queue);

/* Something is wrong with the connection and it will end: from now on
 * nothing that came on it executes, and its controller dies.  reason is
 * constant, for the log.  Idempotent. */
void target_queue_fail (struct target_queue *queue, const char *reason);

/* The same where the host, or the network, has ended the connection: nothing
 * of it executes, but the admin queue answers for a while. */
void target_queue_closed (struct target_queue *queue, const char *reason);

/* The connection is gone; exactly once.  Closes the queue.  When the last
 * command is done, drained (queue) is called, perhaps inside this call or
 * inside target_command_done; the target then holds no pointer to the
 * queue. */
void target_queue_disconnected (struct target_queue *queue,
                                void (*drained) (struct target_queue *));

enum target_data {
  TARGET_DATA_NONE,
  TARGET_DATA_FROM_HOST,
  TARGET_DATA_TO_HOST,
};

/* Embedded in the transport's request. */
struct target_command {
  /* the transport's, before prepare */
  struct target_queue *queue;
  union nvme_command sqe;
  /* the transport's, whenever its stage changes: reactor_now_ms */
  uint64_t stage_since_ms;
  /* prepare's: */
  enum target_data data;
  uint32_t data_bytes;          /* what must be fetched or may be sent */
  /* the transport's, before execute: a buffer of data_bytes, 4096-aligned,
   * NULL when that is 0.  In place until complete (reads: until done). */
  void *buffer;
  bool may_borrow;              /* the transport's, after prepare */
  /* at complete: */
  struct nvme_cqe cqe;
  uint32_t result_bytes;        /* TO_HOST: bytes to send, data_bytes or 0 */
  /* With may_borrow: the data, which are not in buffer then, for system calls
   * to read.  Until target_command_return, before complete is over; else
   * NULL. */
  const uint8_t *lent;
  /* the target's */
  void (*handler) (struct target_command *command);
  bool executing;
  bool counted;
  uint64_t received_ms;
  uint64_t started_us;          /* when counted */
  unsigned range_index;         /* Dataset Management */
  unsigned nr_ranges;
  uint64_t range_done_bytes;
  void *compared;               /* Compare: what is there */
  struct iovec iov;             /* the engine may change it */
  union {
    struct engine_request request;
    struct {                    /* Get LBA Status: the worker's until done */
      struct reactor_work work;
      struct byte_range work_range;
      int work_result;
    };
  };
  TAILQ_ENTRY (target_command) in_events;       /* held AERs */
};

/* Parse and validate.  sgl_bytes, in_capsule: what the SGL says.  0: get a
 * buffer of data_bytes, fetch them when FROM_HOST, then execute.  Otherwise
 * the command is refused and its CQE filled: the transport discards
 * in-capsule data and sends the CQE, as after complete. */
uint16_t target_command_prepare (struct target_command *command,
                                 uint32_t sgl_bytes, bool in_capsule);
void target_command_execute (struct target_command *command);
/* Instead of execute: its data was damaged on the way, or never came, or
 * there is no memory.  Leads to complete. */
void target_command_fail (struct target_command *command, uint16_t status);
/* The end of a loan: data from from_bytes on are put into the buffer.  0, or
 * -errno: they are gone, after success was told. */
int target_command_return (struct target_command *command,
                           uint32_t from_bytes);
/* After the response is out, or the connection is gone. */
void target_command_done (struct target_command *command);

/* Bytes: MDTS. */
#define TARGET_MAX_TRANSFER (1u << 20)

#endif
