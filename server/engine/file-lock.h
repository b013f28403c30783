/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool has one owner, and a killed owner's writes are over before the next
 * one begins.  Two locks, because the two cases want opposite answers:
 *
 *   qbd-pool.owner   the process is alive: refuse at once, name it.  Held by
 *                    the process alone.
 *   qbd-pool.lock    its writes may be in the kernel: wait for them.  Held by
 *                    every ring too, as a registered file.
 *
 * The kernel closes a killed process's descriptors while direct writes that
 * it gave to a device by io_uring are still running there; a ring, and what it
 * holds, goes only behind its last request.  System calls of threads (the back
 * end `threads`, inline calls) keep the process's descriptors open until they
 * have returned, so both locks wait for those: a dying owner is told from a live
 * one and waited for.
 *
 * Files that look stale get removed, and then a second server locks new ones.
 * So each lock is also on what no pool can do without: the owner's on
 * the pool's directory, that of the writes on volumes/.
 */
#ifndef QBD_ENGINE_FILE_LOCK_H
#define QBD_ENGINE_FILE_LOCK_H

#include "common/error.h"

#define FILE_LOCK_OWNER "qbd-pool.owner"
#define FILE_LOCK_WRITES "qbd-pool.lock"

/* Besides the directories' descriptors, which are the pool's. */
struct file_lock {
  int owner_fd;                 /* -1: not taken */
  int writes_fd;                /* -1: not taken; rings hold this one */
};

#define FILE_LOCK_NONE { .owner_fd = -1, .writes_fd = -1 }

/* dir is the pool's, for messages; dir_fd the same directory, which is noted
 * in dir-lock.h and forgotten by who closes it.  May wait for a killed process;
 * a signal ends that with -EINTR.  -EBUSY. */
int file_lock_take (struct file_lock *lock, const char *dir, int dir_fd,
                    struct error *err);
/* The writes' lock on volumes/, which a new pool has later; rings are to hold
 * this descriptor as well. */
int file_lock_take_volumes (const char *dir, int volumes_fd,
                            struct error *err);
/* No write may be running: the rings' hold ends here too. */
void file_lock_release (struct file_lock *lock);
/* The descriptor may be -1. */
void file_lock_release_volumes (int volumes_fd);

#endif
