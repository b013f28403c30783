/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the sandbox is made of: Landlock rules and a filter of system calls.
 * They hold for the calling thread and those that it starts later.
 */
#ifndef QBD_SERVER_SANDBOX_INTERNAL_H
#define QBD_SERVER_SANDBOX_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* --- sandbox-landlock.c --------------------------------------------------- */

/* ABI 2 (Linux 5.19) first lets files be renamed between directories. */
enum { LANDLOCK_ABI_MIN = 2 };

enum landlock_access {
  LANDLOCK_READ = 1 << 0,       /* files, and the names of a directory */
  LANDLOCK_WRITE = 1 << 1,      /* also make and remove files */
  LANDLOCK_SOCKETS = 1 << 2,    /* make and remove sockets in a directory */
  LANDLOCK_DEVICES = 1 << 3,    /* ioctls */
};

struct landlock {
  int abi;                      /* of the kernel */
  int fd;                       /* the rules so far */
};

/* May it connect to others by TCP?  -ENOSYS, -EOPNOTSUPP: this kernel has no
 * Landlock, or one that is too old, or it is switched off. */
int landlock_begin (struct landlock *landlock, bool may_connect);
/* What is beneath path: access is a set of LANDLOCK_*.  -ENOENT. */
int landlock_allow (struct landlock *landlock, const char *path,
                    unsigned access);
/* From here on; it is over for landlock in any case. */
int landlock_enforce (struct landlock *landlock);

/* --- sandbox-seccomp.c ---------------------------------------------------- */

/* System calls that no part of the server needs fail with EPERM. */
int seccomp_enforce (void);

#endif
