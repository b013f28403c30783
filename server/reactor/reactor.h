/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reactor: one event loop on one thread.  Sockets by epoll, file I/O that
 * would block by io_uring (or, where that is forbidden, by worker threads),
 * timers, and a mailbox.  It knows no NVMe.
 *
 * Unless a function says "any thread", it is called on the reactor's own
 * thread.  No function allocates after reactor_create but where it says so:
 * what a reactor keeps is embedded in memory of the caller, who keeps it in
 * place until the callback ran.
 *
 * The simulator links its own implementation of this header: one thread and
 * a virtual clock.  So nothing outside reactor/ reads a clock, polls, or
 * makes a thread that touches a reactor's data.
 */
#ifndef QBD_REACTOR_H
#define QBD_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/error.h"

struct reactor;

/* --- life ------------------------------------------------------------- */

/* Allocates all that the loop will need; no thread yet. */
int reactor_create (unsigned index, struct reactor **reactor,
                    struct error *err);
/* Start the thread. */
int reactor_start (struct reactor *reactor, struct error *err);
/* Before reactor_start: look for events for at most so many microseconds before
 * each sleep, while that pays.  0, the default: never. */
void reactor_set_poll (struct reactor *reactor, unsigned poll_us);
/* What somebody waits for began, and is over: while it is one at a time,
 * looking pays. */
void reactor_request_begins (struct reactor *reactor);
void reactor_request_ends (struct reactor *reactor);
/* Any thread but a reactor's.  Ends the loop after the current turn, joins,
 * waits for file I/O in flight, frees.  Nothing may be posted any more. */
void reactor_destroy (struct reactor *reactor);

struct reactor *reactor_current (void);         /* NULL off a reactor */
unsigned reactor_index (const struct reactor *reactor);
/* "io_uring" or "threads": how file I/O that blocks is done. */
const char *reactor_file_backend (const struct reactor *reactor);

/* --- mailbox ---------------------------------------------------------- */

struct reactor_task {
  void (*run) (struct reactor_task *task);
  struct reactor_task *next;            /* the reactor's */
};

/* Any thread: run the task on the reactor, in the order of posting by one
 * thread.  Lock-free, wakes the loop when it sleeps. */
void reactor_post (struct reactor *reactor, struct reactor_task *task);

/* Run the task on this reactor after the events of this turn were handled
 * and before the loop sleeps; for batching.  Not while it is deferred
 * already. */
void reactor_defer (struct reactor *reactor, struct reactor_task *task);

/* Any thread but a reactor's: run fn (arg) on the reactor and wait for it. */
void reactor_call (struct reactor *reactor, void (*fn) (void *arg),
                   void *arg);

/* --- time ------------------------------------------------------------- */

/* Monotonic, as of this turn. */
uint64_t reactor_now_ms (const struct reactor *reactor);
/* Monotonic, as of this call; to measure with.  About 25 ns. */
uint64_t reactor_clock_us (const struct reactor *reactor);

/* Expires at or after due_ms, resolution about 10 ms.  After a gap in the loop of
 * more than a second, sockets are read for one turn before timers are judged
 * (a stopped process must not kill its peers). */
struct reactor_timer {
  void (*expired) (struct reactor_timer *timer);
  uint64_t due_ms;
  /* the reactor's */
  struct reactor_timer *next;
  struct reactor_timer **pprev;         /* NULL while not armed */
};

void reactor_timer_arm (struct reactor *reactor, struct reactor_timer *timer,
                        uint64_t due_ms);       /* re-arming moves it */
void reactor_timer_disarm (struct reactor *reactor,
                           struct reactor_timer *timer); /* idempotent */

/* --- descriptors ------------------------------------------------------ */

struct reactor_watch {
  void (*ready) (struct reactor_watch *watch, uint32_t epoll_events);
  int fd;
};

/* epoll_events as in epoll_ctl, EPOLLET included where wanted.  -errno. */
int reactor_watch_add (struct reactor *reactor, struct reactor_watch *watch,
                       uint32_t epoll_events);
/* Other events from now on.  With EPOLLET, what is ready then is one. */
void reactor_watch_change (struct reactor *reactor,
                           struct reactor_watch *watch,
                           uint32_t epoll_events);
/* After it returns, ready is not called again, not even for an event that
 * this turn had already fetched.  Before closing the descriptor. */
void reactor_watch_remove (struct reactor *reactor,
                           struct reactor_watch *watch);

/* --- file I/O that may block ------------------------------------------ */

enum reactor_file_op {
  REACTOR_READV,
  REACTOR_WRITEV,
  REACTOR_FDATASYNC,
  REACTOR_FALLOCATE,
};

struct reactor_file_io {
  void (*done) (struct reactor_file_io *io, int64_t result);
  enum reactor_file_op op;
  int fd;
  int rw_flags;                 /* READV, WRITEV: RWF_* */
  int mode;                     /* FALLOCATE */
  const struct iovec *iov;      /* stays in place until done */
  int iovcnt;                   /* at most IOV_MAX */
  uint64_t offset_bytes;
  uint64_t length_bytes;        /* FALLOCATE */
  struct reactor_file_io *next; /* the reactor's */
};

/* done gets bytes or -errno, on this reactor, never inside this call.
 * Requests of one turn go to the kernel in one system call; more than there is
 * room for wait in the reactor, where files take turns and none has it all. */
void reactor_file_submit (struct reactor *reactor,
                          struct reactor_file_io *io);

/* The kernel keeps a reference to fd for as long as file I/O of this reactor is
 * in flight, even after this process was killed: the ring holds it as a
 * registered file.  For a pool's write lock.  Any thread but a reactor's, before
 * reactor_start or while the loop runs.  Bounded: REACTOR_HOLD_MAX
 * descriptors, else -ENOSPC. */
#define REACTOR_HOLD_MAX 128
int reactor_hold_file (struct reactor *reactor, int fd);
/* The end of that, before fd is closed; idempotent.  The reference may live on
 * until the requests that are in flight are over. */
void reactor_let_file_go (struct reactor *reactor, int fd);

/* --- slow work -------------------------------------------------------- */

/* A function that may block, run on a worker thread (a small pool, shared by
 * all reactors), and then done on the reactor that submitted it. */
struct reactor_work {
  void (*work) (struct reactor_work *work);     /* worker thread */
  void (*done) (struct reactor_work *work);     /* the reactor */
  /* the reactor's */
  struct reactor *reactor;
  struct reactor_task task;
  struct reactor_work *next;
};

void reactor_work_submit (struct reactor *reactor, struct reactor_work *work);
/* The same for what waits for other machines, which may not answer. */
void reactor_work_submit_far (struct reactor *reactor,
                              struct reactor_work *work);

#endif
