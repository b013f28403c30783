/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is asked for: options, who may interrupt it, and who asks.  Part of
 * internal.h, which says who is above whom.
 */
#ifndef QBD_LIB_OPTIONS_H
#define QBD_LIB_OPTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libqbd.h>

#include "common/address.h"
#include "common/error.h"
#include "nvmeof/nqn.h"

/* --- error.c ------------------------------------------------------------ */

/* Makes err the thread's message and its code errno; returns -1. */
int error_publish (const struct error *err);

/* --- config.c ----------------------------------------------------------- */

#define IO_QUEUES_MAX 64
#define QUEUE_SIZE_MAX 1024
#define PATHS_MAX 8
#define IDENTITY_UUID_BYTES 16

enum options_transport {
  OPTIONS_TRANSPORT_SERVER,             /* as the server's address says */
  OPTIONS_TRANSPORT_TCP,
  OPTIONS_TRANSPORT_RDMA,
  OPTIONS_TRANSPORT_AUTO,               /* RDMA, else TCP */
};

/* Among paths that are equally good. */
enum options_policy {
  OPTIONS_POLICY_FAILOVER,              /* the first, in the order given */
  OPTIONS_POLICY_ROUND_ROBIN,
  OPTIONS_POLICY_QUEUE_DEPTH,           /* the one with the fewest commands */
};

/* Everything an association is made from.  Two of equal bytes share. */
struct options {
  char volume[NVMEOF_NQN_MAX + 1];      /* POOL/VOL; "": not given */
  char nqn[NVMEOF_NQN_MAX + 1];         /* or the subsystem's; "" */
  uint32_t nsid;                        /* 0: the only one */
  struct address server;                /* an association's; the first */
  struct address servers[PATHS_MAX];
  uint32_t nr_servers;
  enum options_policy policy;
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
  uint32_t poll_us;                     /* at most, before sleeping */
  void (*notice) (void *opaque, const char *message);   /* NULL: none */
  void *notice_opaque;
  uint64_t retain_bytes;                /* 0: off */
};

/* Fills in what the configuration leaves to defaults. */
int options_resolve (const struct qbd_config *config,
                     struct options *options, struct error *err);
struct interrupt *config_interrupt (const struct qbd_config *config);
/* Those for the one server i of several. */
struct options options_of_server (const struct options *options, unsigned i);
/* It names one volume. */
int options_check_volume (const struct options *options, struct error *err);
/* What a user calls it. */
const char *options_name (const struct options *options);

/* --- interrupt.c -------------------------------------------------------- */

struct paths;

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
  struct paths *joins;                  /* that are asked for a namespace */
  _Atomic uint64_t longer_ms;           /* than connect_tmo it may take */
};

int attempt_begin (struct attempt *attempt, struct interrupt *interrupt,
                   struct error *err);
void attempt_end (struct attempt *attempt);
void attempt_join (struct attempt *attempt, struct paths *paths);
bool attempt_interrupted (const struct attempt *attempt);       /* or NULL */
/* There is something to wait for, which is no fault of the server's.  attempt
 * may be NULL. */
void attempt_take_longer (struct attempt *attempt, uint64_t ms);
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

#endif
