/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Associations: what one is, how it comes to live, is lost, and is connected
 * again; its namespaces and events.  Part of internal.h, which says who is
 * above whom.
 */
#ifndef QBD_LIB_ASSOCIATION_H
#define QBD_LIB_ASSOCIATION_H

#include "common/address.h"
#include "common/error.h"
#include "common/stream.h"
#include "lib/options.h"
#include "lib/queue.h"
#include "nvmeof/identify-check.h"
#include "nvmeof/lba-status.h"
#include "nvmeof/nqn.h"

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
  ASSOCIATION_HOLD,             /* the end, by themselves, of controllers that
                                   were left behind; Keep Alive meanwhile */
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
  struct attempt *attempt;      /* that can be interrupted; or NULL */
  bool reconnects;              /* a keeper drives it, once it was live */
  bool several;                 /* it is one of several paths */
  uint64_t seed;                /* of its pauses; 0: by chance */
  /* The simulator's, too: the server is taken for one that does not know
   * Cross-Controller Reset. */
  bool foreign;
  /* The simulator's, which shows that it notices.  Changes are sent again
   * while an old controller may still have them; */
  bool unfenced;
  bool forgetful;               /* and: what was left behind is forgotten; */
  bool epochless;               /* and: durability epochs mean nothing */
  bool disorderly;              /* and: changes that were under way at once are
                                   retained as they come; */
  bool hasty;                   /* and: what is sent again over another path
                                   waits for nothing there */
  /* And the simulator's: of several paths none has the cache of another, as
   * their numbers say. */
  uint64_t cache;
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
    _Atomic bool missing;               /* some are, and are kept: of several
                                           paths */
    _Atomic unsigned losses;            /* of caches that may have had some */
    _Atomic uint64_t epoch;             /* of the connection */
  } durable;
  struct retain *retain;                /* constant after open; NULL: not
                                           asked for.  Of several paths: of
                                           them all, and theirs */
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
  EVENTS_ANA,                   /* Get Log Page, Asymmetric Namespace
                                   Access */
  EVENTS_ARMED,                 /* an event */
  EVENTS_NR_STATES
};

/* A controller as its host has to remember it. */
struct old_controller {
  bool used;                            /* it may have taken changes */
  uint16_t cntlid;
  struct controller_instance instance;  /* cirn 0: it cannot be named */
  bool traffic_keeps_alive;
  uint32_t kato_unit_ms;                /* 0: no keep-alive */
};

/* How good a path is. */
enum path_use {
  PATH_NONE,                    /* none at the moment */
  PATH_SECOND,                  /* where there is no better one */
  PATH_FIRST,
};

struct association {
  struct association_params params;     /* constant after create */
  struct address server;                /* constant after start */
  char uri[ADDRESS_TEXT_MAX];           /* constant after start */
  struct error fallback;                /* why not RDMA; code 0: not asked for.
                                           Constant when LIVE */
  bool reached;                         /* the driver's: a server answered */
  pthread_mutex_t lock;                 /* state, error, was_live; and
                                           writing of re.old, re.fenced */
  enum association_state state;         /* one setter: set_state */
  struct error error;                   /* why DOWN, FAILED or LOST */
  bool was_live;
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

  /* Of one of several paths. */
  struct paths *paths;                  /* constant after open; or NULL */
  struct {
    /* Raised under the lock only, by the keeper.  Lowered under it, too, or,
     * where nothing is retained, by paths_doubt, which sets doubted first. */
    _Atomic enum path_use use;
    _Atomic bool unfenced;              /* its old controller may have changes
                                           that did not end */
    _Atomic unsigned depth;             /* commands in flight, where the
                                           policy counts them */
    _Atomic bool doubted;               /* it refused a command: the keeper
                                           looks at it */
    _Atomic bool refused;               /* so it did, and none got through
                                           since */
    _Atomic uint8_t ana;                /* enum nvme_ana_state; 0: not known
                                           yet, or the target has none */
    uint32_t ana_group;                 /* events.c's */
    uint64_t ana_change_ms;             /* the driver's: since when it is
                                           about to change; 0: it is not */
    uint64_t doubt_until_ms;            /* the driver's */
    bool nameless;                      /* the driver's: of the old controller
                                           no other one knows */
    uint64_t hold_until_ms;             /* the driver's; 0: not known yet */
  } path;

  /* Grows by one opening at a time; the driver's until LIVE. */
  struct namespace namespaces[NAMESPACES_MAX];
  _Atomic uint32_t nr_namespaces;

  /* The driver's, while it sets up. */
  uint64_t now_ms;
  uint64_t deadline_ms;
  uint64_t reach_until_ms;              /* of the first set-up: when its admin
                                           connection is to be there; 0: by
                                           deadline_ms */
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
    unsigned slow_tries;                /* that no server answered in time */
    unsigned not_allowed_tries;         /* the last that was refused because the
                                           host is not allowed */
    uint64_t not_allowed_ms;            /* the first of those in a row */
    bool trying;
    bool fast_failed;
    bool let_go;                        /* dead, and its queues have nothing */
    /* Fencing: the controller that took changes of the volume last, and the
     * one that is connected. */
    struct old_controller old, now;
    bool changing;                      /* changes may go to `now` */
    bool fenced;                        /* no command of `old` is left */
    bool replaying;                     /* retained changes are sent again */
    uint64_t hold_until_ms;             /* when `old` is over by itself */
    /* The first set-up: what is done about those that were left behind. */
    bool inherits;                      /* `old` is one of them */
    uint64_t behind_first, behind_last; /* their numbers */
    uint64_t fence_until_ms;            /* they are asked for again; 0: they
                                           were not yet */
  } re;
  struct left_behind *behind;           /* what this one will leave */

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
/* Any thread: its connections end.  Where they are not made again, what was in
 * flight ends with ENOTCONN, or ESHUTDOWN when interrupted. */
void association_lose (struct association *association, int code,
                       const char *reason);
/* Any thread: for good, and every request with io_error. */
void association_give_up (struct association *association,
                          const struct error *err, int io_error);
/* As another one was, which has told. */
void association_give_up_too (struct association *association,
                              const struct error *err, int io_error);
void association_interrupt (struct association *association);
enum association_state association_get_state (struct association *,
                                              struct error *err);
bool association_is_live (struct association *association);
/* No request in flight but its own.  What it leaves behind is known when the
 * first of these returns; the second does both. */
void association_close (struct association *association);
void association_free (struct association *association);
struct queue *association_step_io_queue (struct association *association);
/* [driver] One admin command with done setting step_done. */
int association_admin (struct association *association,
                       const union nvme_command *sqe, enum transport_data data,
                       uint32_t bytes);

/* After fork, in the child: close the descriptors, tell the peer nothing,
 * touch no lock.  Then association_free is all that may be done. */
void association_abandon (struct association *association);

/* --- association-open.c ------------------------------------------------  */

/* Wait on the descriptors of all its queues; for attach and discover. */
void association_poll (struct association *association);
/* Start and drive with poll until LIVE.  For real streams. */
int association_attach (struct association *association, struct error *err);
/* As one that was lost before it could be used, of the same subsystem as one
 * that is live: it is connected in the background. */
int association_prepare (struct association *association,
                         const struct association *like, struct error *err);
/* Create and attach, over RDMA or, where the options leave it open and there
 * is none, over TCP.  *reached: it was a server's answer that it failed
 * with. */
int association_open (const struct association_params *params,
                      struct association **association, bool *reached,
                      struct error *err);

/* --- reconnect.c -------------------------------------------------------- */

/* From each keeper_tick while it is not LIVE.  Returns when to come again. */
uint64_t reconnect_tick (struct association *association, uint64_t now_ms);
/* From each keeper_tick when it is dead, until its last user leaves. */
uint64_t reconnect_dead_tick (struct association *association,
                              uint64_t now_ms);
/* From each keeper_tick while it is LIVE, first of all. */
uint64_t reconnect_live_tick (struct association *association,
                              uint64_t now_ms);
/* [driver] Set-up is over, and the association LIVE in a moment. */
void reconnect_before_live (struct association *association);
/* [driver] For how long the controller that was used before may have commands,
 * from when it is known to run. */
uint64_t reconnect_hold_ms (const struct association *association);
/* [driver] No command of the controller that was used before is left. */
void reconnect_fenced (struct association *association);

/* --- left-behind.c ------------------------------------------------------ */

struct left_behind;

struct left_behind *left_behind_new (void);
void left_behind_free (struct left_behind *behind);     /* not added */
/* [locked: the association] It was given up, and re.old may have changes. */
void left_behind_add (struct left_behind *behind,
                      const struct association *association);
/* The first that was left behind where this one connects to, as its host. */
bool left_behind_find (const struct association *association,
                       struct old_controller *controller, uint64_t *nr);
/* For how long to wait for all of them; *last: the number of the last. */
uint64_t left_behind_hold_ms (const struct association *association,
                              uint64_t *last);
/* Those with these numbers are over. */
void left_behind_over (const struct association *association, uint64_t first,
                       uint64_t last);
/* Tests, between two worlds. */
void left_behind_forget (void);
void left_behind_inherited (void);      /* after fork, in the child */

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
/* It has another size: over all paths to it. */
void namespace_resized (struct association *association,
                        struct namespace *ns, uint64_t size_bytes);
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
/* From now on no flush succeeds. */
void durable_lose (struct namespace *ns);
/* There are changes that no flush has covered. */
bool durable_is_dirty (const struct namespace *ns);
/* Both of the same server process, or both of servers that have none. */
bool durable_same_epoch (const struct namespace *a,
                         const struct namespace *b);
/* A flush of the one covers the other, too. */
bool durable_same_cache (const struct namespace *a,
                         const struct namespace *b);
/* How often a cache was lost: what is made of several commands has to be whole
 * in one. */
unsigned durable_losses (struct namespace *ns);
/* There are, and their cache is known to be gone; they are kept. */
bool durable_is_missing (const struct namespace *ns);
/* [keeper, nothing is under way] All of them were sent again, over another
 * path. */
void durable_moved (struct namespace *ns);
/* [keeper, nothing is in flight] What was done over any path, and neither
 * acknowledged nor kept, may be undone by what is sent again over this one. */
void durable_disturbed (struct namespace *ns);
/* What the controller says, in its path's terms. */
uint64_t durable_epoch (const struct association *association,
                        uint64_t epoch);
/* [driver] There is another connection, with this epoch. */
void durable_reconnected (struct association *association,
                          struct namespace *ns, uint64_t epoch);

/* --- events.c ----------------------------------------------------------- */

/* From each keeper_tick: starts them once. */
void events_start (struct association *association, uint64_t now_ms);
/* The connection is another one. */
void events_restart (struct association *association);

/* --- keeper.c ----------------------------------------------------------- */

/* A live association; it stays until keeper_remove. */
int keeper_add (struct association *association, struct error *err);
void keeper_remove (struct association *association);
void keeper_wake (void);        /* any thread: it has something to do */
void keeper_forget (void);      /* after fork, in the child */
/* Pure: what is due at now_ms; also the simulator's.  Returns when to call
 * again. */
uint64_t keeper_tick (struct association *association, uint64_t now_ms);

#endif
