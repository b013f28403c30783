/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The durability epoch of a volume's file.
 *
 * What a process wrote is the kernel's, in its page cache or in the disk's:
 * that the process is killed loses nothing.  The cache is lost with the boot;
 * and a write-back error, which the kernel tells one process only, loses some of
 * it.  So the epoch follows from the boot, and from a mark that is left on
 * the file when an error was seen: the process that comes next would not know
 * of it.  (Unmounting writes the cache back.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/engine/file-internal.h"

#define MARK "user.qbd.lost"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { MARK_BYTES = 16, BOOT_ID_BYTES = 36 };

/* FNV-1a. */
static uint64_t
mix (uint64_t hash, const void *bytes, size_t n)
{
  const uint8_t *p = bytes;

  while (n-- > 0)
    hash = (hash ^ *p++) * UINT64_C (0x100000001b3);
  return hash;
}

void
file_epoch_read (struct file_volume *v)
{
  CLEANUP_CLOSE int fd = open (BOOT_ID, O_RDONLY | O_CLOEXEC);
  uint64_t epoch = UINT64_C (0xcbf29ce484222325);
  char boot_id[BOOT_ID_BYTES];
  uint8_t mark[MARK_BYTES];
  ssize_t n;

  if (fd < 0 || read (fd, boot_id, sizeof boot_id) != sizeof boot_id) {
    v->volume.epoch = engine_new_epoch ();
    return;
  }
  epoch = mix (epoch, boot_id, sizeof boot_id);
  epoch = mix (epoch, v->volume.uuid, strlen (v->volume.uuid));
  n = fgetxattr (v->fd, MARK, mark, sizeof mark);
  if (n > 0)
    epoch = mix (epoch, mark, (size_t) n);
  v->volume.epoch = epoch | (epoch == 0);
}

/* --- the mark ----------------------------------------------------------- */

/* The volume may be closed meanwhile. */
struct mark {
  struct reactor_work work;     /* first member */
  int fd;
  char name[2 * ENGINE_NAME_MAX];
};

static void
make_mark (struct reactor_work *work)
{
  struct mark *mark = (struct mark *) work;
  uint8_t bytes[MARK_BYTES];

  if (getrandom (bytes, sizeof bytes, 0) != sizeof bytes
      || fsetxattr (mark->fd, MARK, bytes, sizeof bytes, 0) < 0)
    log_error ("flush: %s: the error cannot be noted on its file: %s: do not "
               "restart the server before all hosts were told", mark->name,
               strerror (errno));
  else
    fsync (mark->fd);           /* as far as that goes */
}

static void
mark_made (struct reactor_work *work)
{
  struct mark *mark = (struct mark *) work;

  close (mark->fd);
  free (mark);
}

void
file_epoch_ends (struct file_volume *v)
{
  struct file_pool *pool = file_pool (v->volume.pool);
  struct mark *mark = calloc (1, sizeof *mark);

  if (mark == NULL)
    return;
  mark->fd = fcntl (v->fd, F_DUPFD_CLOEXEC, 0);
  if (mark->fd < 0) {
    free (mark);
    return;
  }
  snprintf (mark->name, sizeof mark->name, "%s/%s", v->volume.pool->name,
            v->volume.name);
  mark->work.work = make_mark;
  mark->work.done = mark_made;
  reactor_work_submit (pool->reactors[0], &mark->work);
}
