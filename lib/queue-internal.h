/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between queue.c, which keeps the requests, queue-roles.c, which says what
 * thread sends and receives, and inflight.c, which lists the requests.  Nothing
 * here is for any other.
 */
#ifndef QBD_LIB_QUEUE_INTERNAL_H
#define QBD_LIB_QUEUE_INTERNAL_H

#include "common/spin.h"
#include "lib/internal.h"

TAILQ_HEAD (request_list, request);
TAILQ_HEAD (waiter_list, waiter);

struct queue {
  struct queue_params params;           /* constant after create */
  struct transport_queue *transport;    /* constant after create */
  int kick_fd;                          /* constant after create */

  pthread_mutex_t lock;                 /* everything below */
  bool sending;                         /* a thread has the role */
  bool receiving;
  struct waiter *leader;                /* the receiver, where it waits */
  struct spin spin;                     /* the receiver's */
  unsigned lone_turns;                  /* one request in flight, so often */
  bool polling;                         /* the receiver is in poll */
  bool polling_out;                     /* and waits for room, too */
  unsigned waking;                      /* threads that wake, and then send */
  enum queue_gate gate;                 /* one setter: queue_set_gate */
  int gate_error;                       /* of QUEUE_FAILING */
  struct request_list in_flight;        /* by due_ms */
  struct request_list backlog;          /* waits for a slot */
  struct request_list waiting;          /* waits at the gate */
  unsigned nr_waiting;
  struct waiter_list sleepers;
  TAILQ_HEAD (, queue_watch) watches;
  short watched;                        /* what for: as poll's events */
  struct waiter *wake_first;            /* to be woken by queue_unlock */
  struct waiter **wake_last;
  uint64_t now_ms;
  uint64_t grace_ms;                    /* no timeout before */
  uint64_t graced_due_ms;               /* for whom it was given */
  uint64_t received;                    /* receives that brought something */
  bool lost_reported;
  bool overdue;                         /* a command is */
  bool overdue_is_news;                 /* and it was not reported yet */
  uint16_t overdue_cid;                 /* as on the wire */
};

/* queue.c */
/* After anything that may have ended requests. */
void queue_complete_locked (struct queue *queue);
uint64_t queue_next_due_locked (struct queue *queue);
/* Nobody is to receive: the requests that are left wait for another
 * connection, which is made by others. */
bool queue_is_down_locked (const struct queue *queue);
/* After input was read, and there was none. */
void queue_judge_locked (struct queue *queue);
/* After what the queue waits for may have changed.  -errno: some do not watch
 * it any more. */
int queue_update_watches_locked (struct queue *queue);

#endif
