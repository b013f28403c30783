/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of reactor/ share.
 *
 *   reactor.c       life, the loop, deferred tasks
 *   mailbox.c       tasks from other threads
 *   timers.c        a wheel of intrusive timers
 *   watch.c         epoll
 *   poll.c          looking for events before the loop sleeps
 *   file.c          file I/O: the queue before the back end
 *   file-uring.c      back end io_uring
 *   file-threads.c    back end worker threads
 *   file-call.c         what they do
 *   workers.c       the process's worker threads
 *
 * One turn of the loop:
 *
 *   sleep -> watches -> file completions -> mailbox -> timers -> deferred
 *         -> file submissions (one system call) -> sleep
 *
 * All of struct reactor belongs to the reactor's thread, but for the mailbox
 * (atomic) and what is constant after reactor_create.
 */
#ifndef QBD_REACTOR_INTERNAL_H
#define QBD_REACTOR_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sys/epoll.h>

#include "common/spin.h"
#include "server/reactor/reactor.h"

/* --- mailbox.c -------------------------------------------------------- */

struct mailbox {
  struct reactor_task *_Atomic head; /* newest first */
  atomic_bool sleeping;         /* the reactor wants to be woken */
  int wake_fd;                  /* eventfd, constant after init; the ring
                                   signals it too */
};

int mailbox_init (struct mailbox *mailbox);
void mailbox_exit (struct mailbox *mailbox);
/* Any thread. */
void mailbox_post (struct mailbox *mailbox, struct reactor_task *task);
/* Before the loop sleeps: false if there is something to run instead. */
bool mailbox_sleep (struct mailbox *mailbox);
void mailbox_awake (struct mailbox *mailbox);
bool mailbox_has (const struct mailbox *mailbox);
void mailbox_run (struct mailbox *mailbox);

/* --- timers.c --------------------------------------------------------- */

#define TIMER_TICK_MS 8
#define TIMER_SLOTS 2048u       /* one round is 16 s */

struct timers {
  struct reactor_timer *slots[TIMER_SLOTS];
  uint64_t used[TIMER_SLOTS / 64];      /* bit: the slot is not empty */
  struct reactor_timer *expired;        /* being called */
  uint64_t tick;                        /* judged up to here */
  unsigned nr_armed;
};

void timers_init (struct timers *timers, uint64_t now_ms);
void timers_run (struct timers *timers, uint64_t now_ms);
/* How long the loop may sleep, for epoll_wait; -1 if no timer is armed. */
int timers_sleep_ms (const struct timers *timers, uint64_t now_ms);

/* --- file.c ----------------------------------------------------------- */

struct file_backend {
  const char *name;
  /* Negative errno; -EPERM, -ENOSYS, -ENOMEM, -EINVAL: not possible here. */
  int (*create) (struct reactor *reactor);
  void (*destroy) (struct reactor *reactor);
  /* On the reactor's thread, before and after all I/O. */
  int (*start) (struct reactor *reactor);
  void (*stop) (struct reactor *reactor);
  /* Takes one request; fewer than FILE_ROOM are in flight. */
  void (*take) (struct reactor *reactor, struct reactor_file_io *io);
  /* Starts what was taken.  False: some could not be, try again soon. */
  bool (*push) (struct reactor *reactor);
  /* reap would find something: do not sleep. */
  bool (*has_done) (struct reactor *reactor);
  void (*reap) (struct reactor *reactor);
  /* As start: the reactor's thread, or any before it runs. */
  int (*hold) (struct reactor *reactor, int fd);
  void (*let_go) (struct reactor *reactor, int fd);
};

extern const struct file_backend file_backend_uring;
extern const struct file_backend file_backend_threads;

struct file_slot;
struct io_uring;

/* Requests that were submitted and not taken, of one file (or of several,
 * where there are more than lists). */
struct file_list {
  struct reactor_file_io *head;
  struct reactor_file_io **tail;
  unsigned nr_inflight;                 /* taken, not done */
};

#define FILE_LISTS 64
#define FILE_ROOM 256u                  /* requests in flight */
struct file_queue {
  const struct file_backend *backend;   /* constant after create */
  struct file_list lists[FILE_LISTS];   /* they take turns */
  uint64_t waiting;                     /* a bit for each that is not empty */
  unsigned turn;                        /* of that one, or the next that is */
  unsigned nr_inflight;                 /* of all of them */
  bool stalled;                         /* push left some behind */
  /* file-uring.c */
  struct io_uring *ring;
  int held[REACTOR_HOLD_MAX];           /* by the ring's slots; -1: free */
  /* file-threads.c */
  struct file_slot *slots;
  struct file_slot *free_slots;
};

int file_queue_init (struct reactor *reactor);
void file_queue_exit (struct reactor *reactor);
void file_queue_push (struct reactor *reactor);
/* A back end's request is over. */
void file_queue_done (struct reactor *reactor, struct reactor_file_io *io,
                      int64_t result);

/* --- workers.c -------------------------------------------------------- */

enum workers_kind {
  WORKERS_SLOW,                 /* reactor_work_submit */
  WORKERS_FAR,                  /* reactor_work_submit_far */
  WORKERS_FILE,                 /* file-threads.c */
};

/* Each reactor holds a reference to the threads that it uses. */
int workers_get (enum workers_kind kind);
void workers_put (enum workers_kind kind);
void workers_submit (enum workers_kind kind, struct reactor *reactor,
                     struct reactor_work *work);
/* When it returns, no worker refers to a reactor whose work is all done. */
void workers_settle (void);

/* --- poll.c ----------------------------------------------------------- */

struct poll_state {
  struct spin spin;
  unsigned begun;               /* requests of this turn */
  unsigned nr_requests;         /* in progress */
  unsigned crowded;             /* turns until it may be tried again */
};

/* False: look no longer, sleep.  Else events are in place, if it is those. */
bool poll_spin (struct reactor *reactor);
/* epoll_wait, and how long it took. */
int poll_sleep (struct reactor *reactor, int timeout_ms);
void poll_turn_ends (struct reactor *reactor);

/* --- reactor.c -------------------------------------------------------- */

#define REACTOR_EVENTS_MAX 128

struct reactor {
  unsigned index;               /* constant after create */
  bool started;                 /* of who starts and destroys it */
  pthread_t thread;             /* constant after start */

  int epoll_fd;                 /* constant after create */
  struct epoll_event events[REACTOR_EVENTS_MAX]; /* of this turn */
  int nr_events;
  int next_event;               /* the first that was not handled yet */

  struct poll_state poll;
  struct mailbox mailbox;
  struct reactor_watch mailbox_watch;

  uint64_t now_ms;              /* of this turn */
  bool gap;                     /* do not judge timers this turn */
  struct timers timers;

  struct reactor_task *deferred;
  struct reactor_task **deferred_tail;

  struct file_queue files;
  unsigned nr_works;            /* submitted to workers, not done */

  struct reactor_task stop_task;
  bool stopping;
};

#endif
