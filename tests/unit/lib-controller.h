/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of associations: a controller in memory, which answers as the
 * test told it, and an association with it, or several that are paths, on a
 * clock of our own.  One thread.
 */
#ifndef QBD_TESTS_UNIT_LIB_CONTROLLER_H
#define QBD_TESTS_UNIT_LIB_CONTROLLER_H

#include "tests/unit/lib-wire.h"

enum { PATHS = 3, PATH_QUEUES = 2, QUEUES = PATHS * PATH_QUEUES };

/* The controller.  A test changes what it says before it starts. */
extern struct controller {
  struct wire wire[QUEUES];     /* by QID; by path and QID, of two */
  uint64_t since_ms[QUEUES];    /* of each wire */
  uint64_t slow_ms;             /* after that it is not heard */
  unsigned nr_dials;
  char order[4096];             /* commands, as they came */
  uint64_t cap;
  uint32_t vs, csts;
  unsigned not_ready;           /* CSTS answers before RDY */
  uint32_t granted_0based;
  __u16 aer[PATHS];             /* the CID of the request that waits */
  uint8_t ana[PATHS];           /* states of group 1, for log page 0Ch; that
                                   of group 2 is optimized */
  unsigned nr_io[PATHS];        /* I/O commands that came */
  uint64_t cross_reset;         /* the answer */
  __u16 last;                   /* and of the last I/O command */
  uint16_t refuse_status;       /* for the command that is refused: */
  char refuse[32];
  unsigned refuse_nr;           /* so often; 0: always */
  unsigned refuse_paths;        /* by these, a bit each; 0: by all */
  uint32_t refuse_dw0;
  char silent[32];              /* no answer to this one */
  uint32_t connect_dw0;
  struct nvme_id_ctrl ctrl;
  struct nvme_id_ns ns;
  __le32 list[1024];
  uint8_t descriptors[4096];
  uint8_t independent[4096];    /* CNS 08h */
  bool caches;                  /* each path leads to one of its own */
  bool mute;                    /* no answers to I/O, but that it is refused */
  bool at_once;                 /* answers when it is listened to */
} peer;

extern struct association *association;
extern struct paths *several;   /* of which that is the first; or NULL */
extern struct association_params params;
extern uint64_t now_ms;

/* A good controller, and parameters that suit it.  teardown checks that every
 * connection was closed. */
int setup (void **state);
int teardown (void **state);

/* Answers all that was sent; false when there was nothing. */
bool serve (void);
/* Drives the association and serves until nothing moves. */
enum association_state drive_on (void);
/* Creates and starts it, and drives on. */
enum association_state start (void);

/* --- in use ------------------------------------------------------------- */

enum { REQUESTS = 80 };

extern struct qbd_volume *volume;
extern struct qbd_aio aio[REQUESTS];
extern int results[REQUESTS];   /* errno; -1: not over */
extern unsigned nr_done;
extern uint8_t buf[65536];

/* Its params: it connects again, for ever. */
void make_lasting (void);
/* Starts it, and opens a volume, which the test frees. */
void go_live (void);
/* The same with several paths. */
void go_live_over (unsigned nr_paths);
/* Its connections are lost. */
void lose (void);
/* How often the command is in peer.order. */
unsigned count (const char *name);
/* With aio[i]. */
int submit (unsigned i, enum io_op op, uint64_t bytes, uint64_t offset);
/* Drives the volume, and serves until nothing moves. */
void pump (void);
/* The same with the keeper's part. */
void tick (void);
/* Both, while time passes. */
void let_pass (unsigned ms);

#endif
