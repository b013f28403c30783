/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directories that this process has locked (flock) for itself, and for long.
 *
 * A second descriptor of a directory waits for the lock on the first, also in
 * the process that has it.  Who wants to keep others out of a directory asks
 * here whether they are already.  Any thread.
 */
#ifndef QBD_DIR_LOCK_H
#define QBD_DIR_LOCK_H

#include <stdbool.h>

/* fd is the directory's, and its lock was taken.  Before it is closed it is
 * forgotten. */
void dir_lock_note (int fd);
void dir_lock_forget (int fd);          /* one that was never noted, too */
bool dir_lock_is_ours (int fd);         /* any descriptor of the directory */

#endif
