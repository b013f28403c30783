/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directories that this process has locked.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/dir-lock.h"

/* As many as there are pools; one that is not noted costs a wait. */
#define DIR_LOCK_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  int fd;
  dev_t dev;
  ino_t ino;
} dirs[DIR_LOCK_MAX];           /* lock */
static unsigned nr_dirs;        /* lock */

void
dir_lock_note (int fd)
{
  LOCK_SCOPE (&lock);
  struct stat st;

  if (nr_dirs == DIR_LOCK_MAX || fstat (fd, &st) == -1)
    return;
  dirs[nr_dirs].fd = fd;
  dirs[nr_dirs].dev = st.st_dev;
  dirs[nr_dirs++].ino = st.st_ino;
}

void
dir_lock_forget (int fd)
{
  LOCK_SCOPE (&lock);

  for (unsigned i = 0; i < nr_dirs; ++i)
    if (dirs[i].fd == fd) {
      dirs[i] = dirs[--nr_dirs];
      return;
    }
}

bool
dir_lock_is_ours (int fd)
{
  LOCK_SCOPE (&lock);
  struct stat st;

  if (fstat (fd, &st) == -1)
    return false;
  for (unsigned i = 0; i < nr_dirs; ++i)
    if (dirs[i].dev == st.st_dev && dirs[i].ino == st.st_ino)
      return true;
  return false;
}
