/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two locks of a pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/dir-lock.h"
#include "common/log.h"
#include "server/engine/file-lock.h"

/* A process that was just killed may show no sign of it for a moment. */
#define JUDGE_AGAIN_MS 50
#define JUDGEMENTS 3

#define FLAG_EXITING 0x4        /* the kernel's PF_EXITING */
#define SIGKILL_BIT (1ull << 8)

static int
open_file (const char *dir, int dir_fd, const char *name, struct error *err)
{
  int fd = openat (dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                   0600);

  if (fd < 0)
    return error_set (err, errno, "pool: %s: cannot be written: %s", dir,
                      strerror (errno));
  return fd;
}

/* --- who has it? ------------------------------------------------------ */

static pid_t
read_owner (int fd)
{
  char text[32] = "";
  long pid;

  if (pread (fd, text, sizeof text - 1, 0) <= 0)
    return 0;
  pid = strtol (text, NULL, 10);
  return pid > 0 && pid < 1 << 30 ? (pid_t) pid : 0;
}

static int
write_owner (int fd)
{
  char text[32];
  int n = snprintf (text, sizeof text, "%ld\n", (long) getpid ());

  if (ftruncate (fd, 0) < 0 || pwrite (fd, text, (size_t) n, 0) < 0)
    return -errno;
  return 0;
}

/* /proc/PID/stat, fields 3 and 9: state and flags (proc(5)). */
static bool
stat_says_dying (pid_t pid)
{
  char path[64], text[512], state, *p;
  unsigned flags = 0;
  bool dying = false;
  FILE *f;

  snprintf (path, sizeof path, "/proc/%ld/stat", (long) pid);
  f = fopen (path, "re");
  if (!f)
    return false;
  if (fgets (text, sizeof text, f) && (p = strrchr (text, ')')) &&
      sscanf (p + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) == 2)
    dying = state == 'Z' || state == 'X' || (flags & FLAG_EXITING);
  fclose (f);
  return dying;
}

static bool
status_says_dying (pid_t pid)
{
  char path[64], line[256];
  unsigned long long pending;
  bool dying = false;
  FILE *f;

  snprintf (path, sizeof path, "/proc/%ld/status", (long) pid);
  f = fopen (path, "re");
  if (!f)
    return false;
  while (!dying && fgets (line, sizeof line, f)) {
    if (sscanf (line, "SigPnd: %llx", &pending) == 1 ||
        sscanf (line, "ShdPnd: %llx", &pending) == 1)
      dying = (pending & SIGKILL_BIT) != 0;
    else if (strncmp (line, "CoreDumping:", 12) == 0)
      dying = atoi (line + 12) != 0;
  }
  fclose (f);
  return dying;
}

/* Its descriptors close before the pidfd tells. */
static int
wait_for_exit (pid_t pid, int timeout_ms)
{
  struct pollfd fd = { .events = POLLIN };
  int r;

  fd.fd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (fd.fd < 0 && errno != ESRCH)
    return -errno;
  /* Gone already: poll skips a negative descriptor, and gives the lock a
   * moment to follow. */
  if (fd.fd < 0)
    timeout_ms = JUDGE_AGAIN_MS;
  r = poll (&fd, 1, timeout_ms);
  if (r < 0)
    r = -errno;
  if (fd.fd >= 0)
    close (fd.fd);
  return r;
}

static int
in_use (const char *dir, pid_t pid, struct error *err)
{
  if (pid == 0)
    return error_set (err, EBUSY, "pool: %s: in use by another process", dir);
  if (pid == getpid ())
    return error_set (err, EBUSY, "pool: %s: in use by this process already",
                      dir);
  return error_set (err, EBUSY, "pool: %s: in use by process %ld", dir,
                    (long) pid);
}

static int
interrupted (const char *dir, struct error *err)
{
  return error_set (err, EINTR, "pool: %s: interrupted while waiting for the "
                    "writes of a killed process", dir);
}

/* Some file systems (NFS) lock no directories.  Then the files must do. */
static bool
cannot_lock_directory (int error)
{
  return error == EBADF || error == EINVAL || error == ENOLCK
    || error == EOPNOTSUPP || error == ENOSYS;
}

/* lock_fd is the directory's, then fd, which names the owner. */
static int
take_owner (int lock_fd, int fd, const char *dir, struct error *err)
{
  int judgements = 0, r;
  bool told = false;
  pid_t pid;

  while (flock (lock_fd, LOCK_EX | LOCK_NB) < 0) {
    if (lock_fd != fd && cannot_lock_directory (errno))
      return 0;
    if (errno != EWOULDBLOCK)
      return error_set (err, errno, "pool: %s: cannot be locked: %s", dir,
                        strerror (errno));
    pid = read_owner (fd);
    if (pid == 0 || pid == getpid ()) {
      if (pid != 0 || ++judgements >= JUDGEMENTS)
        return in_use (dir, pid, err);
      poll (NULL, 0, JUDGE_AGAIN_MS);   /* it is about to write its name */
      continue;
    }
    if (status_says_dying (pid) || stat_says_dying (pid)) {
      if (!told)
        log_info ("pool: %s: waiting for killed process %ld to be gone", dir,
                  (long) pid);
      told = true;
      r = wait_for_exit (pid, -1);
    }
    else {
      if (++judgements >= JUDGEMENTS)
        return in_use (dir, pid, err);
      r = wait_for_exit (pid, JUDGE_AGAIN_MS);
    }
    if (r == -EINTR)
      return interrupted (dir, err);
  }
  return 0;
}

static int
take_ownership (int dir_fd, int fd, const char *dir, struct error *err)
{
  int r = take_owner (dir_fd, fd, dir, err);

  if (r == 0)
    r = take_owner (fd, fd, dir, err);
  if (r < 0)
    return r;
  r = write_owner (fd);
  if (r < 0)
    return error_set (err, -r, "pool: %s: cannot be written: %s", dir,
                      strerror (-r));
  return 0;
}

/* --- what did it leave behind? ---------------------------------------- */

static int
take_writes (int fd, const char *dir, struct error *err)
{
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  if (errno == EWOULDBLOCK) {
    log_info ("pool: %s: waiting for the writes of a killed process to end",
              dir);
    if (flock (fd, LOCK_EX) == 0)
      return 0;
    if (errno == EINTR)
      return interrupted (dir, err);
  }
  return error_set (err, errno, "pool: %s: cannot be locked: %s", dir,
                    strerror (errno));
}

int
file_lock_take_volumes (const char *dir, int volumes_fd, struct error *err)
{
  int r = take_writes (volumes_fd, dir, err);

  return r < 0 && cannot_lock_directory (-r) ? 0 : r;
}

int
file_lock_take (struct file_lock *lock, const char *dir, int dir_fd,
                struct error *err)
{
  struct file_lock taken = FILE_LOCK_NONE;
  int r;

  r = taken.owner_fd = open_file (dir, dir_fd, FILE_LOCK_OWNER, err);
  if (r >= 0)
    r = take_ownership (dir_fd, taken.owner_fd, dir, err);
  if (r >= 0)
    r = taken.writes_fd = open_file (dir, dir_fd, FILE_LOCK_WRITES, err);
  if (r >= 0)
    r = take_writes (taken.writes_fd, dir, err);
  if (r < 0) {
    if (taken.writes_fd >= 0)
      close (taken.writes_fd);
    if (taken.owner_fd >= 0)
      close (taken.owner_fd);
    flock (dir_fd, LOCK_UN);
    return r;
  }
  dir_lock_note (dir_fd);
  *lock = taken;
  return 0;
}

void
file_lock_release (struct file_lock *lock)
{
  if (lock->writes_fd >= 0) {
    /* close would leave it to the rings, which may live on. */
    flock (lock->writes_fd, LOCK_UN);
    close (lock->writes_fd);
  }
  if (lock->owner_fd >= 0)
    close (lock->owner_fd);
  *lock = (struct file_lock) FILE_LOCK_NONE;
}

void
file_lock_release_volumes (int volumes_fd)
{
  if (volumes_fd >= 0)
    flock (volumes_fd, LOCK_UN);
}
