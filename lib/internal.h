/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume client's own declarations, grouped by file, top to bottom.
 *
 *   volume.c  io.c  aio.c  block-status.c      the functions of libqbd.h
 *      |        \    /
 *      |       transfer (io.c)     one call: split into commands
 *      |          |
 *   registry.c    |                shares associations between volumes
 *   keeper.c      |                one thread: keep-alive, stale timeouts
 *   reconnect.c   |                and what becomes of a lost association
 *   events.c      |                asynchronous events: sizes that change
 *   namespace.c   |                the namespaces of an association
 *   admin.c       |                one admin command, waited for
 *      |          |
 *   association.c |                set-up as a state machine, loss
 *   discover.c    |                discovery logs, POOL/VOL to NQN
 *          \      |
 *         queue.c                  requests, from submission to completion
 *         queue-roles.c            the lock, the roles of sender and receiver
 *            |
 *       transport.h                tcp-queue.c, tcp-send.c, tcp-receive.c;
 *            |                     rdma-queue.c, -connect.c, -transfer.c
 *            |
 *      common/stream.h             socket, or the simulator's network
 *
 * Everything from association.c down is driven: it takes the time as an
 * argument, makes no thread and waits for nothing but what `dial` does.  The
 * simulator uses: association_create, _start, _drive, _next_ms, _free;
 * volume_create, aio_submit, volume_pump, volume_free.
 *
 * Lock order: registry, keeper, association, volume (fds), queue, volume
 * (aio).  A
 * request's done callback runs with its queue's lock held.
 *
 * Functions return 0 or -errno and fill an error where they have one; only
 * the functions of libqbd.h set errno and the thread's message.
 */
#ifndef QBD_LIB_INTERNAL_H
#define QBD_LIB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libqbd.h>

#include "common/address.h"
#include "common/error.h"
#include "common/stream.h"
#include "lib/transport.h"
#include "nvmeof/identify-check.h"
#include "nvmeof/lba-status.h"
#include "nvmeof/nqn.h"

/* --- error.c ------------------------------------------------------------ */

/* Makes err the thread's message and its code errno; returns -1. */
int error_publish (const struct error *err);

/* --- config.c ----------------------------------------------------------- */

#define IO_QUEUES_MAX 64
#define QUEUE_SIZE_MAX 1024
#define IDENTITY_UUID_BYTES 16

enum options_transport {
  OPTIONS_TRANSPORT_SERVER,             /* as the server's address says */
  OPTIONS_TRANSPORT_TCP,
  OPTIONS_TRANSPORT_RDMA,
  OPTIONS_TRANSPORT_AUTO,               /* RDMA, else TCP */
};

/* Everything an association is made from.  Two of equal bytes share. */
struct options {
  char volume[NVMEOF_NQN_MAX + 1];      /* POOL/VOL; "": not given */
  char nqn[NVMEOF_NQN_MAX + 1];         /* or the subsystem's; "" */
  uint32_t nsid;                        /* 0: the only one */
  struct address server;
  char hostnqn[NVMEOF_NQN_MAX + 1];
  uint8_t hostid[IDENTITY_UUID_BYTES];
  uint32_t nr_io_queues;
  uint32_t queue_size;                  /* entries */
  uint32_t keep_alive_tmo_ms;           /* 0: off */
  uint32_t connect_tmo_ms;
  uint32_t io_tmo_ms;
  uint32_t ctrl_loss_tmo_ms;            /* UINT32_MAX: for ever; 0: a lost
                                           connection is not made again */
  uint32_t fast_io_fail_tmo_ms;         /* UINT32_MAX: off */
  uint32_t reconnect_delay_ms;          /* the longest pause between tries */
  bool hdr_digest;
  bool data_digest;
  enum options_transport transport;
  uint32_t poll_us;                     /* RDMA */
};

/* Fills in what the configuration leaves to defaults. */
int options_resolve (const struct qbd_config *config,
                     struct options *options, struct error *err);
struct interrupt *config_interrupt (const struct qbd_config *config);
/* It names one volume. */
int options_check_volume (const struct options *options, struct error *err);
/* What a user calls it. */
const char *options_name (const struct options *options);

/* --- interrupt.c -------------------------------------------------------- */

struct association;

/* A configuration's and its copies'. */
struct interrupt {
  _Atomic unsigned refs;
  _Atomic bool set;
};

struct interrupt *interrupt_new (void);         /* NULL: out of memory */
struct interrupt *interrupt_ref (struct interrupt *interrupt);
void interrupt_unref (struct interrupt *interrupt);
void interrupt_set (struct interrupt *interrupt);

struct attempt {
  TAILQ_ENTRY (attempt) link;
  struct interrupt *interrupt;
  int fd;                               /* readable: interrupted */
  struct association *joins;            /* that is asked for a namespace */
};

int attempt_begin (struct attempt *attempt, struct interrupt *interrupt,
                   struct error *err);
void attempt_end (struct attempt *attempt);
void attempt_join (struct attempt *attempt, struct association *association);
bool attempt_interrupted (const struct attempt *attempt);       /* or NULL */
void attempts_forget (void);    /* after fork, in the child */

/* --- host-identity.c ---------------------------------------------------- */

struct host_identity {
  char hostnqn[NVMEOF_NQN_MAX + 1];
  uint8_t hostid[IDENTITY_UUID_BYTES];
};

/* NULL or "" means: not given.  directory is "/etc" but in tests. */
int host_identity_get (const char *directory, const char *hostnqn,
                       const char *hostid, struct host_identity *identity,
                       struct error *err);

/* --- tcp-queue.c -------------------------------------------------------- */

struct tcp_queue_params {
  uint16_t qid;
  uint16_t depth;               /* slots */
  bool hdr_digest;
  bool data_digest;
};

/* Takes the stream, on failure too.  NULL: -ENOMEM. */
struct transport_queue *tcp_queue_create (struct stream *stream,
                                          const struct tcp_queue_params *p);
/* A queue that failed and was abandoned begins anew: no deeper than it was
 * made.  Nothing is allocated. */
void tcp_queue_renew (struct transport_queue *queue, struct stream *stream,
                      const struct tcp_queue_params *p);

/* --- rdma-queue.c, which a build may lack ------------------------------- */

/* What one command can carry. */
enum { RDMA_TRANSFER_MAX_BYTES = 1 << 20 };

struct rdma_queue_params {
  uint16_t qid;
  uint16_t depth;               /* slots */
  uint16_t cntlid;              /* I/O queues */
  uint32_t poll_us;             /* at most, before it sleeps */
};

/* Looks up the server's name, begins to connect, and waits for nothing. */
struct transport_queue *rdma_queue_create (const struct address *server,
                                           const struct rdma_queue_params *,
                                           struct error *err);
/* A queue that failed and was abandoned begins anew: no deeper than it was
 * made.  0 or -errno; of memory it takes what the verbs take. */
int rdma_queue_renew (struct transport_queue *queue,
                      const struct rdma_queue_params *params);

/* --- queue.c, queue-roles.c ------------------------------------------------ */

struct queue;

/* A command with the shell's part. */
struct request {
  struct transport_request transport;   /* first member */
  TAILQ_ENTRY (request) link;           /* in flight by due_ms, or backlog */
  uint64_t due_ms;
  /* The caller's, constant from submit on.  fleeting: it belongs to this
   * connection, and ends with it, whatever the gate says.  changes: it changes
   * the volume. */
  bool fleeting;
  bool changes;
  /* the queue's */
  bool aborting;                /* its time is over, Abort is asked for */
  uint8_t aborts;               /* how many were done */
  /* [locked] transport.error is 0 with a CQE, or: ENOTCONN lost, ETIMEDOUT
   * this one was not answered in time, ESHUTDOWN interrupted, else the gate's
   * error. */
  void (*done) (struct request *request);
};

/* What requests wait for before they are submitted, all but fleeting ones. */
enum queue_gate {
  QUEUE_OPEN,                   /* a slot */
  QUEUE_READS,                  /* those that change the volume: an old
                                   controller's end */
  QUEUE_SHUT,                   /* a connection */
  QUEUE_FAILING,                /* nothing: they end with an error */
};

/* A synchronous caller, on its stack. */
struct waiter {
  TAILQ_ENTRY (waiter) link;    /* locked: sleepers */
  struct waiter *next_wake;     /* of the waker */
  bool asleep;                  /* locked: on the list of sleepers */
  bool finished;                /* locked */
  uint32_t wake_word;           /* of the waker: what to store */
  _Atomic uint32_t word;        /* futex */
};

/* An epoll instance that follows what a queue waits for. */
struct queue_watch {
  TAILQ_ENTRY (queue_watch) link;
  int epoll_fd;
  bool watching;                /* the owner's: between the two calls */
};

struct queue_params {
  uint32_t timeout_ms;          /* io_tmo */
  /* What was in flight on a connection that is lost waits for the next, in
   * any order; the gate says for how long. */
  bool keeps;
  /* Both without a lock, by the thread that saw it: once for a connection,
   * that it died; and with keeps, that a command should be aborted
   * (queue_take_overdue). */
  void (*lost) (void *opaque, struct queue *queue);
  void (*overdue) (void *opaque, struct queue *queue);
  void *opaque;
};

/* Takes the transport, on failure too. */
struct queue *queue_create (struct transport_queue *transport,
                            const struct queue_params *params);
void queue_destroy (struct queue *queue);       /* failed or idle */
/* After fork, in the child: queue_destroy may follow, and nothing else. */
void queue_abandon (struct queue *queue);

void queue_lock (struct queue *queue);
void queue_unlock (struct queue *queue);

/* [locked] -EAGAIN: no slot (backlog false); -errno: dead. */
int queue_submit_locked (struct queue *queue, struct request *request,
                         bool backlog);
/* [locked] For a command whose answer may take for ever: an Asynchronous
 * Event Request.  With backlog. */
int queue_submit_untimed_locked (struct queue *queue,
                                 struct request *request);
/* [locked], unlocks.  Returns when waiter_finish_locked was called. */
void queue_wait_locked_unlock (struct queue *queue, struct waiter *waiter);
void waiter_finish_locked (struct queue *queue, struct waiter *waiter);

/* [locked] Time as the next submissions see it. */
void queue_set_now_locked (struct queue *queue, uint64_t now_ms);

/* Send and receive what can be without waiting; judge timeouts. */
void queue_pump (struct queue *queue, uint64_t now_ms);
/* Send only: submissions go out. */
void queue_flush_sends (struct queue *queue);

/* POLLIN, and POLLOUT where a send was cut short; -1: no descriptor. */
int queue_poll_fd (struct queue *queue, short *events);
/* From now on the instance polls readable when there is something to receive,
 * or room for what was cut short.  Not for a dead queue.  -errno: out of
 * memory. */
int queue_watch (struct queue *queue, struct queue_watch *watch,
                 int epoll_fd);
/* Does nothing when it is not watched. */
void queue_unwatch (struct queue *queue, struct queue_watch *watch);
uint64_t queue_next_due_ms (struct queue *queue);       /* UINT64_MAX: none */
uint64_t queue_received (struct queue *queue);          /* a counter */
bool queue_driven (struct queue *queue);        /* someone waits in receive */
void queue_fail (struct queue *queue, int error, const char *reason);
/* The connection ends, if there is one, and the gate is shut: unless it was
 * failing. */
void queue_shut (struct queue *queue, int error, const char *reason);
/* The connection ends, if there is one, and every request, now and later,
 * with gate_error. */
void queue_end (struct queue *queue, int error, const char *reason,
                int gate_error);
/* Does not open the gate of a queue that is dead.  error is for
 * QUEUE_FAILING; what waits ends with it. */
void queue_set_gate (struct queue *queue, enum queue_gate gate, int error);
/* The connection is over and no thread is inside any more. */
bool queue_is_idle (struct queue *queue);
/* [idle] Another connection: renew (transport, opaque), under the lock, lets
 * the transport begin anew; -errno: it could not, and it stays dead.  The
 * gate stays as it is. */
int queue_renew (struct queue *queue,
                 int (*renew) (struct transport_queue *transport,
                               void *opaque),
                 void *opaque);
/* A command whose time is over and that nobody has aborted yet. */
bool queue_take_overdue (struct queue *queue, uint16_t *cid);
int queue_error (struct queue *queue, char *reason, size_t reason_bytes);
struct transport_queue *queue_transport (struct queue *queue);

/* --- association.c ------------------------------------------------------ */

enum association_state {
  ASSOCIATION_NEW,              /* waits for association_start */
  ASSOCIATION_DOWN,             /* was live; waits for its next try */
  ASSOCIATION_CONNECT,          /* admin Connect's answer */
  ASSOCIATION_CAP,              /* Property Get of CAP */
  ASSOCIATION_VS,               /* Property Get of VS */
  ASSOCIATION_ENABLE,           /* Property Set of CC */
  ASSOCIATION_READY,            /* Property Get of CSTS until RDY */
  ASSOCIATION_IDENTIFY,         /* Identify Controller */
  ASSOCIATION_IDENTIFY_NVM,     /* Identify Controller, NVM command set */
  ASSOCIATION_FENCE,            /* Cross-Controller Reset of the controller
                                   that was used before */
  ASSOCIATION_QUEUES,           /* Set Features, Number of Queues */
  ASSOCIATION_CONNECT_IO,       /* an I/O queue's Connect */
  ASSOCIATION_NAMESPACES,       /* Identify, active namespace list */
  ASSOCIATION_DESCRIPTORS,      /* Identify, namespace descriptors */
  ASSOCIATION_INDEPENDENT,      /* Identify Namespace, I/O command set
                                   independent */
  ASSOCIATION_NAMESPACE,        /* Identify Namespace */
  ASSOCIATION_LIVE,             /* nothing: in use */
  ASSOCIATION_FAILED,           /* set-up ended; waits to be freed */
  ASSOCIATION_LOST,             /* was live, for good; waits to be freed */
  ASSOCIATION_NR_STATES
};

struct association_params {
  struct options options;
  char subnqn[NVMEOF_NQN_MAX + 1];
  bool discovery;               /* admin queue only, to a discovery controller */
  /* A new connection to the server, for the queue qid.  May block for
   * timeout_ms (sockets) or not at all (simulator). */
  struct stream *(*dial) (void *opaque, uint16_t qid, int timeout_ms,
                          struct error *err);
  void *opaque;                 /* dial's; NULL dial: a socket to the server */
  const struct attempt *attempt;        /* that can be interrupted; or NULL */
  bool reconnects;              /* a keeper drives it, once it was live */
  uint64_t seed;                /* of its pauses; 0: by chance */
  /* The simulator's, too: the server is taken for one that does not know
   * Cross-Controller Reset. */
  bool foreign;
  /* The simulator's, which shows that it notices.  Changes are sent again
   * while an old controller may still have them; */
  bool unfenced;
  bool epochless;               /* and: durability epochs mean nothing */
};

/* A namespace that volumes of the association use. */
struct namespace {
  uint32_t nsid;                        /* constant */
  bool only;                            /* found without an NSID; constant */
  struct namespace_info info;           /* constant; identity, too */
  _Atomic uint64_t size_bytes;          /* as events change it */
  struct {                              /* durable.c's */
    _Atomic uint64_t changes;           /* completed, in the cache */
    _Atomic uint64_t stable;            /* so many of them were flushed */
    _Atomic bool lost;                  /* some may be gone */
    _Atomic unsigned losses;            /* of caches that may have had some */
    uint64_t epoch;                     /* of the connection */
  } durable;
};

enum { NAMESPACES_MAX = 16 };

/* What the events' machine waits for. */
enum events_state {
  EVENTS_NEW,                   /* the first keeper_tick */
  EVENTS_OFF,                   /* nothing: the controller sends none */
  EVENTS_CONFIGURE,             /* Set Features, Asynchronous Event
                                   Configuration */
  EVENTS_LOG,                   /* Get Log Page, Changed Namespace List */
  EVENTS_IDENTIFY,              /* Identify of namespaces[events_next] */
  EVENTS_ARMED,                 /* an event */
  EVENTS_NR_STATES
};

/* A controller as its host has to remember it. */
struct old_controller {
  uint16_t cntlid;
  struct controller_instance instance;  /* cirn 0: it cannot be named */
  bool traffic_keeps_alive;
};

struct association {
  struct association_params params;     /* constant after create */
  struct address server;                /* constant after start */
  char uri[ADDRESS_TEXT_MAX];           /* constant after start */
  struct error fallback;                /* why not RDMA; code 0: not asked for.
                                           Constant when LIVE */
  bool reached;                         /* the driver's: a server answered */
  pthread_mutex_t lock;                 /* state, error, was_live */
  enum association_state state;         /* one setter: set_state */
  struct error error;                   /* why DOWN, FAILED or LOST */
  bool was_live;
  _Atomic bool interrupted;
  _Atomic bool dead;                    /* state is FAILED or LOST */

  /* The driver's, until LIVE; constant then, but for what the keeper's
   * reconnect changes: not nr_io, and controller only once. */
  struct queue *admin;
  struct queue *io[IO_QUEUES_MAX];
  uint32_t nr_io;
  uint16_t io_slots;                    /* of each, at most */
  uint32_t nr_io_granted;
  uint32_t nr_io_connected;             /* in this set-up */
  uint16_t cntlid;
  uint64_t cap;
  uint32_t vs;
  struct controller_info controller;    /* of the first: what users rely on */
  struct controller_info fresh;         /* of this one: no less */
  struct stream_route route;            /* nr 0: not looked up yet */
  unsigned place;                       /* of the route, in use */
  struct stream sockets[1 + IO_QUEUES_MAX];     /* by QID, of later ones */

  /* Grows by one opening at a time; the driver's until LIVE. */
  struct namespace namespaces[NAMESPACES_MAX];
  _Atomic uint32_t nr_namespaces;

  /* The driver's, while it sets up. */
  uint64_t now_ms;
  uint64_t deadline_ms;
  uint64_t ready_deadline_ms;           /* CAP.TO */
  uint64_t retry_ms;                    /* 0: no retry waits */
  uint32_t step_nsid;                   /* the namespace under way */
  bool step_rotational;                 /* and what is known of it */
  uint32_t step_namespace;              /* its index, when it is known */
  struct namespace_ids step_ids;        /* as its descriptors say */
  struct request step;                  /* the command under way */
  struct queue *step_queue;
  _Atomic bool step_done;
  void *buffer;                         /* ASSOCIATION_BUFFER_BYTES; the
                                           events' when LIVE */

  /* events.c's, under the admin queue's lock. */
  struct request event;
  enum events_state events;
  uint32_t events_next;                 /* index into namespaces */
  _Atomic bool format_changed;          /* a namespace's blocks */

  /* reconnect.c's: the driver's. */
  struct {
    uint64_t lost_ms;                   /* 0: not lost */
    uint64_t since_ms;                  /* of the loss, over connections that
                                           were lost at once */
    uint64_t planned_ms;                /* the next tick */
    uint64_t start_ms;                  /* of this try */
    uint64_t next_ms;                   /* of the next one */
    uint64_t live_ms;                   /* since when it is */
    uint64_t chance;
    unsigned tries;
    bool trying;
    bool fast_failed;
    /* Fencing: the controller that took changes of the volume last, and the
     * one that is connected. */
    struct old_controller old, now;
    bool changing;                      /* changes may go to `now` */
    bool fenced;                        /* no command of `old` is left */
    uint64_t hold_until_ms;             /* when `old` is over by itself */
  } re;

  /* The keeper's. */
  struct request abort;
  _Atomic bool abort_pending;
  struct queue *step_watched;           /* an I/O queue that is connected */
  struct queue_watch step_watch;
  struct request keep_alive;
  _Atomic bool keep_alive_pending;
  uint64_t keep_alive_sent_ms;
  uint64_t keep_alive_next_ms;
  uint64_t keep_alive_seen;             /* queue_received, summed */
  struct queue_watch keeper_watch;      /* of admin */
  TAILQ_ENTRY (association) keeper_link;

  /* The registry's. */
  TAILQ_ENTRY (association) registry_link;
  unsigned refs;
  bool registered;

  /* fork.c's. */
  TAILQ_ENTRY (association) fork_link;
  bool inherited;               /* made before fork, by the parent */
};

#define ASSOCIATION_BUFFER_BYTES 16384

struct association *association_create (const struct association_params *,
                                        struct error *err);
/* Dial the admin queue and submit its Connect. */
int association_start (struct association *association, uint64_t now_ms);
/* Pump all queues and take the steps that became possible. */
enum association_state association_drive (struct association *association,
                                          uint64_t now_ms);
/* When to drive at the latest if no descriptor is ready. */
uint64_t association_next_ms (struct association *association);
/* Start and drive with poll until LIVE.  For real streams. */
int association_attach (struct association *association, struct error *err);
/* Create and attach, over RDMA or, where the options leave it open and there
 * is none, over TCP. */
int association_open (const struct association_params *params,
                      struct association **association, struct error *err);
/* Any thread: its connections end.  Where they are not made again, what was in
 * flight ends with ENOTCONN, or ESHUTDOWN when interrupted. */
void association_lose (struct association *association, int code,
                       const char *reason);
/* Any thread: for good, and every request with io_error. */
void association_give_up (struct association *association,
                          const struct error *err, int io_error);
void association_interrupt (struct association *association);
enum association_state association_get_state (struct association *,
                                              struct error *err);
/* No request in flight but its own. */
void association_free (struct association *association);
/* Wait on the descriptors of all its queues; for attach and discover. */
void association_poll (struct association *association);
struct queue *association_step_io_queue (struct association *association);
/* [driver] One admin command with done setting step_done. */
int association_admin (struct association *association,
                       const union nvme_command *sqe, enum transport_data data,
                       uint32_t bytes);

/* After fork, in the child: close the descriptors, tell the peer nothing,
 * touch no lock.  Then association_free is all that may be done. */
void association_abandon (struct association *association);

/* --- reconnect.c -------------------------------------------------------- */

/* From each keeper_tick while it is not LIVE.  Returns when to come again. */
uint64_t reconnect_tick (struct association *association, uint64_t now_ms);
/* From each keeper_tick while it is LIVE, first of all. */
uint64_t reconnect_live_tick (struct association *association,
                              uint64_t now_ms);
/* [driver] Set-up is over, and the association LIVE in a moment. */
void reconnect_before_live (struct association *association);

/* --- fork.c ------------------------------------------------------------- */

/* Every association, from its making on: none survives fork. */
void fork_watch (struct association *association);
void fork_unwatch (struct association *association);

/* --- admin.c ------------------------------------------------------------ */

/* One admin command: any thread, waits for the answer.  0: *status is NVMe's,
 * *value (may be NULL) is DW0 and DW1.  -errno: there was no answer.  fleeting:
 * nor is one waited for over a lost connection.  Nothing is allocated. */
int association_call (struct association *association,
                      const union nvme_command *sqe,
                      enum transport_data data, void *buf, uint32_t bytes,
                      bool fleeting, uint16_t *status, uint64_t *value);

/* --- namespace.c -------------------------------------------------------- */

/* Commands that ask for namespaces, and what their answers say: for set-up
 * and for namespaces that are added later.  The pages are 4096 bytes. */
union nvme_command namespace_ask_list (uint32_t wanted);
union nvme_command namespace_ask_descriptors (uint32_t nsid);
union nvme_command namespace_ask_independent (uint32_t nsid);
union nvme_command namespace_ask (uint32_t nsid);
int namespace_judge_list (const struct association *association,
                          const void *page, uint32_t wanted, uint32_t *nsid,
                          struct error *err);
int namespace_judge_descriptors (const struct association *association,
                                 uint16_t status, const void *page,
                                 struct namespace_ids *ids,
                                 struct error *err);
/* ids: of its descriptors. */
int namespace_judge (const struct association *association, const void *page,
                     const struct namespace_ids *ids,
                     struct namespace_info *info, struct error *err);
/* Whether the media are rotational. */
bool namespace_judge_independent (uint16_t status, const void *page);
/* After reconnecting: it is the namespace that it was, as info says now. */
int namespace_judge_again (const struct association *association,
                           const struct namespace *ns,
                           const struct namespace_info *info,
                           struct error *err);
/* NULL: the association has no room for one more. */
struct namespace *namespace_add (struct association *association,
                                 uint32_t nsid, bool only,
                                 const struct namespace_info *info);
/* One that is in use already, or NULL. */
struct namespace *namespace_find (struct association *association,
                                  uint32_t wanted);
/* [its only opening] Of a live association, by asking its controller. */
int namespace_attach (struct association *association, uint32_t wanted,
                      struct namespace **ns, struct error *err);

/* --- durable.c ---------------------------------------------------------- */

/* One more change was completed, and is in the controller's cache. */
void durable_changed (struct namespace *ns);
/* What a flush that is submitted now covers. */
uint64_t durable_so_far (struct namespace *ns);
/* It succeeded.  False: it has to fail all the same. */
bool durable_flushed (struct namespace *ns, uint64_t changes);
bool durable_is_lost (struct namespace *ns);
/* How often a cache was lost: what is made of several commands has to be whole
 * in one. */
unsigned durable_losses (struct namespace *ns);
/* [driver] There is another connection, with this epoch. */
void durable_reconnected (struct association *association,
                          struct namespace *ns, uint64_t epoch);

/* --- events.c ----------------------------------------------------------- */

/* From each keeper_tick: starts them once. */
void events_start (struct association *association, uint64_t now_ms);
/* The connection is another one. */
void events_restart (struct association *association);

/* --- discover.c, discover-list.c ---------------------------------------- */

struct discovery_reader {
  /* What was told so far is void: the log has changed. */
  void (*restart) (void *opaque);
  /* 0, or -errno that ends it. */
  int (*entry) (void *opaque, const struct nvmf_disc_log_entry *entry);
  void *opaque;
};

/* Tells the reader the server's whole log.  Until deadline_ms at most. */
int discover (const struct options *options, const struct attempt *attempt,
              uint64_t deadline_ms,
              const struct discovery_reader *reader, struct error *err);

/* The NQN of POOL/VOL on the server.  Takes until deadline_ms at most. */
int discover_volume (const struct options *options,
                     const struct attempt *attempt, uint64_t deadline_ms,
                     char nqn[NVMEOF_NQN_MAX + 1], struct error *err);

/* --- keeper.c ----------------------------------------------------------- */

/* A live association; it stays until keeper_remove. */
int keeper_add (struct association *association, struct error *err);
void keeper_remove (struct association *association);
void keeper_wake (void);        /* any thread: it has something to do */
void keeper_forget (void);      /* after fork, in the child */
/* Pure: what is due at now_ms; also the simulator's.  Returns when to call
 * again. */
uint64_t keeper_tick (struct association *association, uint64_t now_ms);

/* --- registry.c --------------------------------------------------------- */

int registry_get (const struct options *options, bool shared,
                  struct attempt *attempt, struct association **association, struct namespace **ns,
                  struct error *err);
void registry_put (struct association *association);
void registry_wake (void);      /* an attempt was interrupted */
void registry_forget (void);    /* after fork, in the child */

/* --- io.c --------------------------------------------------------------- */

enum io_op {
  IO_READ,
  IO_WRITE,
  IO_FLUSH,
  IO_DISCARD,
  IO_WRITE_ZEROES,
};

struct transfer;

/* One command of a transfer. */
struct io_request {
  struct request request;               /* first member */
  struct transfer *transfer;
  struct nvme_dsm_range range;          /* DISCARD's data */
};

/* One call of the user, split into commands.  Locked by its queue. */
struct transfer {
  struct qbd_volume *volume;
  struct queue *queue;
  enum io_op op;
  unsigned flags;
  uint8_t *buf;
  uint64_t offset_bytes;        /* of the next command */
  uint64_t left_bytes;          /* in no command yet */
  bool flush_left;              /* FLUSH, or DISCARD with FUA: the Flush that
                                   ends it is not submitted yet */
  unsigned pending;             /* commands in flight */
  uint64_t covers;              /* of the Flush: durable_so_far */
  /* As the call was, to begin it again when a cache was lost in its midst. */
  uint8_t *whole_buf;
  uint64_t whole_offset_bytes, whole_bytes;
  unsigned losses;              /* durable_losses, at its beginning */
  int error;                    /* errno of the first that failed */
  uint16_t status;              /* its NVMe status, 0: none */
  void (*over) (struct transfer *transfer);     /* [locked] */
};

/* What a call asks for: 0, or a positive errno. */
int transfer_check (struct qbd_volume *volume, enum io_op op, uint64_t count,
                    uint64_t offset, unsigned flags);
void transfer_init (struct transfer *transfer, struct qbd_volume *volume,
                    enum io_op op, void *buf, uint64_t count,
                    uint64_t offset, unsigned flags);
/* Nothing to do: 0 bytes, or a flush without a write cache. */
bool transfer_is_empty (const struct transfer *transfer);
/* [locked] Submit the next command on this request. */
int transfer_next_locked (struct transfer *transfer,
                          struct io_request *request, bool backlog);

/* --- block-status.c ----------------------------------------------------- */

/* As the argument of qbd_block_status. */
typedef int (*block_status_extent) (void *opaque, uint64_t offset,
                                    uint64_t count, unsigned status);

/* A question about [next_lba, end_lba), asked in rounds. */
struct block_status {
  struct qbd_volume *volume;
  uint64_t next_lba, end_lba;   /* not answered yet */
  uint32_t bytes;               /* room for an answer */
  block_status_extent extent;
  void *opaque;
  const char *fault;            /* what is wrong with the answer, or NULL */
  union {
    struct nvme_lba_status list;
    uint8_t page[4096];
  } answer;
};

/* 0 or a positive errno. */
int block_status_init (struct block_status *status,
                       struct qbd_volume *volume, uint64_t count,
                       uint64_t offset, unsigned flags,
                       block_status_extent extent, void *opaque);
/* The next admin command; its data goes to status->answer, status->bytes. */
union nvme_command block_status_ask (const struct block_status *status);
/* Its NVMe status came.  Calls extent for all that is known now.  1: there is
 * more to ask, 0: that was all, -errno. */
int block_status_answered (struct block_status *status, uint16_t sc);

/* --- volume.c ----------------------------------------------------------- */

struct aio;
TAILQ_HEAD (aio_list, aio);

struct qbd_volume {
  struct association *association;      /* constant after open */
  struct namespace *ns;                 /* one of its; constant after open */
  unsigned flags;                       /* QBD_OPEN_*, constant after open */
  _Atomic unsigned next_queue;          /* aio: round-robin */

  /* The descriptors are made under fds_lock, before a queue's. */
  pthread_mutex_t fds_lock;
  _Atomic int epoll_fd;                 /* -1, then constant */

  pthread_mutex_t aio_lock;             /* all below */
  struct aio_list aio_done;
  unsigned aio_in_flight;               /* submitted, done() not called */
  unsigned aio_waiting;                 /* threads that sleep on epoll_fd */
  unsigned aio_pumping;                 /* threads that will look at aio_done */
  bool aio_signalled;                   /* the eventfd is readable */
  bool aio_fd_given;                    /* the user polls by himself */
  int event_fd;                         /* -1, then constant */
  struct queue_watch aio_watch[IO_QUEUES_MAX];  /* of the I/O queues */
};

/* Takes a reference that the caller has. */
struct qbd_volume *volume_create (struct association *association,
                                  struct namespace *ns, unsigned flags,
                                  struct error *err);
/* Not the association.  No request in flight. */
void volume_free (struct qbd_volume *volume);
/* The thread's message for a failed call; returns -1. */
int volume_fail (struct qbd_volume *volume, const char *what, int error,
                 uint16_t status);

/* --- aio.c -------------------------------------------------------------- */

int aio_submit (struct qbd_volume *volume, struct qbd_aio *aio,
                enum io_op op, void *buf, uint64_t count, uint64_t offset,
                unsigned flags, uint64_t now_ms);
/* Send, receive, call done(), without waiting.  Returns how many. */
int volume_pump (struct qbd_volume *volume, uint64_t now_ms);
/* Returns when none is in flight. */
void aio_drain (struct qbd_volume *volume);
void aio_close_fds (struct qbd_volume *volume);

#endif
