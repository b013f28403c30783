/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd torture, and what its parts share: the command (torture.c), clients that
 * read and write (client.c), what happened and what was wrong (history.c), and
 * the report (report.c).
 *
 * Each client is a thread.  What they all touch, the model and the history, is
 * under one lock; the order in which they come to it is the order of events
 * that the model sees, and what a request does lies between its two visits.
 */
#ifndef QBD_CLI_TORTURE_H
#define QBD_CLI_TORTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/torture/proxy.h"
#include "cli/torture/target.h"
#include "common/clock.h"
#include "common/volume-model.h"

#define TORTURE_CLIENTS_MAX PROXY_CLIENTS_MAX
#define TORTURE_DEPTH_MAX 64
#define TORTURE_BLOCKS_EACH_MAX 16      /* of one request */

struct torture {
  /* Constant while it runs. */
  struct target target;
  uint64_t seed;
  uint64_t range_bytes;
  uint32_t nr_blocks;
  uint32_t blocks_each;         /* of one request, at most */
  unsigned nr_clients, depth, seconds;
  uint64_t ops_each;            /* 0: as many as there is time for */
  unsigned faults;
  bool resend;                  /* what was in flight on a lost connection */
  bool volatile_cache;          /* a restart may lose what was not flushed */
  const char *restart_command;
  bool quiet, json;
  struct proxy *proxy;
  uint64_t start_ns;

  pthread_mutex_t lock;
  /* [locked] */
  struct model *model;
  struct history *history;
  uint64_t nr_ops[TARGET_NR_KINDS];     /* that succeeded */
  uint64_t nr_failed;           /* an error was the answer */
  uint64_t nr_unknown;          /* went with a connection */
  uint64_t nr_resent;
  uint64_t nr_links;            /* connections, those after the first */
  uint64_t blocks_judged;
  uint64_t nr_faults[FAULT_NR];
  uint64_t nr_restarts;
  uint64_t nr_unanswered;       /* when all had been waited for */
  bool clients_left;            /* that cannot be joined */
  uint64_t nr_begun;
  struct client *clients;       /* a list */
  int zero_error, trim_error;   /* of whole_clear: clients do not */
  int whole_error;              /* whole.c's: errno of its request, or -1 */
  uint64_t elapsed_ns;
  struct error stopped;         /* before its end, and why; code 0: not */

  atomic_bool over;             /* no more requests begin */
  atomic_bool restarting;       /* the command is at it */
};

/* Since the run began. */
static inline uint64_t
torture_now_ns (const struct torture *torture)
{
  return clock_now_ns () - torture->start_ns;
}

/* --- client.c ------------------------------------------------------------- */

struct client;
struct client *client_start (struct torture *torture, unsigned nr,
                             struct error *err);
/* It has nothing left to do, and its thread ends. */
bool client_is_idle (struct client *client);
/* Waits for that.  -errno: it had to give up, and why. */
int client_join (struct client *client, struct error *err);
/* Requests that it waits for. */
unsigned client_nr_waiting (struct client *client);
/* After all of them were joined. */
void client_free (struct client *client);

/* --- whole.c: the whole range, while nothing else is under way ------------ */

/* It becomes zeroes.  What a target fails that says it can zero is not tried
 * again: zeroes would be possible for ever. */
int whole_clear (struct torture *torture, struct error *err);
/* All that was written is made stable; it is read, and judged. */
int whole_flush (struct torture *torture, struct error *err);
int whole_read (struct torture *torture, struct error *err);

/* --- history.c ------------------------------------------------------------ */

enum event_kind {
  EVENT_OP,
  EVENT_FAULT,
  EVENT_RESTART,
};

struct event {
  uint64_t sequence;
  enum event_kind kind;
  unsigned client;              /* from 0 */
  uint64_t start_ns, end_ns;    /* since the run began; end 0: not over */
  enum target_kind op;
  bool fua;
  uint32_t block, count;
  uint64_t number;              /* the model's, of a write */
  int error;
  unsigned nr_again;            /* how often it was sent again */
  enum fault fault;
  unsigned duration_ms;
};

#define FINDINGS_MAX 10         /* told in full; one of a block */
#define FINDING_EVENTS_MAX 24
struct finding {
  struct model_finding model;
  struct event read;            /* which told */
  unsigned nr_events;
  struct event events[FINDING_EVENTS_MAX];
};

struct history {
  uint64_t nr_events;           /* ever; the last HISTORY_MAX are there */
  struct event *events;
  bool tolerant;                /* torn reads are none of our business */
  uint64_t nr_wrong[MODEL_NR_WRONG];   /* blocks read */
  unsigned nr_findings;
  struct finding findings[FINDINGS_MAX];
  const struct event *reading;  /* what is being judged */
};

struct history *history_new (struct model *model, bool tolerant);
void history_free (struct history *history);
/* Returns the event's sequence.  An operation's end is told later. */
uint64_t history_add (struct history *history, const struct event *event);
void history_end (struct history *history, uint64_t sequence, uint64_t end_ns,
                  int error);
void history_again (struct history *history, uint64_t sequence);
/* The model's judgement of what that operation read. */
void history_judge (struct history *history, struct model *model,
                    const struct event *read, uint64_t begun_at,
                    const uint8_t *data);
/* Of what was read: what no target may do. */
uint64_t history_nr_violations (const struct history *history);

/* The same, and what had no answer. */
static inline uint64_t
torture_nr_violations (const struct torture *torture)
{
  return history_nr_violations (torture->history) + torture->nr_unanswered;
}

/* --- report.c ------------------------------------------------------------- */

void report_progress (struct torture *torture, uint64_t now_ns);
void report_progress_end (void);
void report_print (const struct torture *torture);

#endif
