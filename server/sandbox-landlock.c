/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Landlock: which files the process can reach.  The C library has no functions
 * for it, and the headers of Debian 12 are older than some kernels: what they
 * lack is here, and what the kernel lacks is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "server/sandbox-internal.h"

enum { ABI_TRUNCATE = 3, ABI_NET = 4, ABI_IOCTL_DEV = 5, ABI_SCOPE = 6 };

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_CONNECT_TCP
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* struct landlock_ruleset_attr of ABI 6.  A kernel that knows less of it takes
 * it when the rest is 0. */
struct ruleset {
  uint64_t fs;
  uint64_t net;
  uint64_t scoped;
};

#define FILE_RIGHTS                                                     \
  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE           \
   | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE         \
   | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* All that the kernel can forbid. */
static uint64_t
handled (int abi)
{
  uint64_t rights = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;

  if (abi >= ABI_TRUNCATE)
    rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
  if (abi >= ABI_IOCTL_DEV)
    rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
  return rights;
}

int
landlock_begin (struct landlock *landlock, bool may_connect)
{
  struct ruleset ruleset = { 0 };
  long n;

  n = syscall (SYS_landlock_create_ruleset, NULL, 0,
               LANDLOCK_CREATE_RULESET_VERSION);
  if (n < 0)
    return -errno;
  if (n < LANDLOCK_ABI_MIN)
    return -EOPNOTSUPP;
  landlock->abi = (int) n;
  ruleset.fs = handled (landlock->abi);
  if (landlock->abi >= ABI_NET && !may_connect)
    ruleset.net = LANDLOCK_ACCESS_NET_CONNECT_TCP;
  if (landlock->abi >= ABI_SCOPE)
    ruleset.scoped = LANDLOCK_SCOPE_SIGNAL;
  n = syscall (SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
  if (n < 0)
    return -errno;
  landlock->fd = (int) n;
  return 0;
}

static uint64_t
rights_of (unsigned access)
{
  uint64_t rights = 0;

  if (access & (LANDLOCK_READ | LANDLOCK_WRITE))
    rights |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  if (access & LANDLOCK_WRITE)
    rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE
      | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR
      | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR
      | LANDLOCK_ACCESS_FS_REFER;
  if (access & LANDLOCK_SOCKETS)
    rights |= LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK
      | LANDLOCK_ACCESS_FS_REMOVE_FILE;
  if (access & LANDLOCK_DEVICES)
    rights |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE
      | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_IOCTL_DEV;
  return rights;
}

int
landlock_allow (struct landlock *landlock, const char *path, unsigned access)
{
  CLEANUP_CLOSE int fd = open (path, O_PATH | O_CLOEXEC);
  struct landlock_path_beneath_attr rule = {
    .allowed_access = rights_of (access) & handled (landlock->abi),
    .parent_fd = fd,
  };
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0)
    return -errno;
  if (!S_ISDIR (st.st_mode))
    rule.allowed_access &= FILE_RIGHTS;
  if (syscall (SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH,
               &rule, 0) < 0)
    return -errno;
  return 0;
}

int
landlock_enforce (struct landlock *landlock)
{
  int r = 0;

  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
      || syscall (SYS_landlock_restrict_self, landlock->fd, 0) < 0)
    r = -errno;
  close (landlock->fd);
  return r;
}
