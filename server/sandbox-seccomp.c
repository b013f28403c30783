/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Seccomp: system calls that lead out of the process, or deeper into the
 * kernel, and that neither we nor librbd, libibverbs and SQLite need.  What is
 * listed fails with EPERM.  Not the other way round: a new version of a library
 * may call what nobody thought of, and the volumes would be gone with it.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server/sandbox-internal.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature (address_sanitizer) || __has_feature (thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const int denied[] = {
  /* other processes */
  SCMP_SYS (kcmp), SCMP_SYS (pidfd_getfd), SCMP_SYS (process_madvise),
  SCMP_SYS (process_vm_readv), SCMP_SYS (process_vm_writev),
  /* file systems and name spaces */
  SCMP_SYS (chroot), SCMP_SYS (fsconfig), SCMP_SYS (fsmount),
  SCMP_SYS (fsopen), SCMP_SYS (fspick), SCMP_SYS (mount),
  SCMP_SYS (mount_setattr), SCMP_SYS (move_mount), SCMP_SYS (open_by_handle_at),
  SCMP_SYS (open_tree), SCMP_SYS (pivot_root), SCMP_SYS (quotactl),
  SCMP_SYS (quotactl_fd), SCMP_SYS (setns), SCMP_SYS (swapoff),
  SCMP_SYS (swapon), SCMP_SYS (umount), SCMP_SYS (umount2),
  SCMP_SYS (unshare),
  /* users */
  SCMP_SYS (setfsgid), SCMP_SYS (setfsuid), SCMP_SYS (setgid),
  SCMP_SYS (setgroups), SCMP_SYS (setregid), SCMP_SYS (setresgid),
  SCMP_SYS (setresuid), SCMP_SYS (setreuid), SCMP_SYS (setuid),
  /* the machine */
  SCMP_SYS (acct), SCMP_SYS (adjtimex), SCMP_SYS (clock_adjtime),
  SCMP_SYS (clock_settime), SCMP_SYS (create_module),
  SCMP_SYS (delete_module), SCMP_SYS (finit_module), SCMP_SYS (init_module),
  SCMP_SYS (ioperm), SCMP_SYS (iopl), SCMP_SYS (kexec_file_load),
  SCMP_SYS (kexec_load), SCMP_SYS (reboot), SCMP_SYS (sethostname),
  SCMP_SYS (setdomainname), SCMP_SYS (settimeofday), SCMP_SYS (stime),
  SCMP_SYS (syslog), SCMP_SYS (vhangup),
  /* wide doors into the kernel */
  SCMP_SYS (add_key), SCMP_SYS (bpf), SCMP_SYS (fanotify_init),
  SCMP_SYS (keyctl), SCMP_SYS (lookup_dcookie), SCMP_SYS (modify_ldt),
  SCMP_SYS (perf_event_open), SCMP_SYS (request_key),
  SCMP_SYS (userfaultfd), SCMP_SYS (vmsplice),
};

/* A sanitizer's report needs these. */
static const int denied_unless_sanitized[] = {
  SCMP_SYS (execve), SCMP_SYS (execveat), SCMP_SYS (fork),
  SCMP_SYS (personality), SCMP_SYS (ptrace), SCMP_SYS (vfork),
};

static int
deny (scmp_filter_ctx filter, const int *calls, size_t n)
{
  int r = 0;

  for (size_t i = 0; i < n && r == 0; ++i) {
    r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (EPERM), calls[i], 0);
    if (r == -EDOM)             /* not on this architecture */
      r = 0;
  }
  return r;
}

/* Threads, but no processes.  The flags of clone3 are in memory, where a
 * filter cannot look: who is told that there is none, takes clone. */
static int
deny_processes (scmp_filter_ctx filter)
{
  int r;

  r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (EPERM), SCMP_SYS (clone), 1,
                        SCMP_A0 (SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  if (r == 0)
    r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (ENOSYS), SCMP_SYS (clone3),
                          0);
  return r;
}

/* Unix, IPv4, IPv6; and netlink, for RDMA and the choice of addresses.  The
 * last rule is for all beyond: most of them never had a good reason. */
static int
deny_sockets (scmp_filter_ctx filter)
{
  static const int between[] = {
    AF_UNSPEC, AF_AX25, AF_IPX, AF_APPLETALK, AF_NETROM, AF_BRIDGE,
    AF_ATMPVC, AF_X25, AF_ROSE, AF_DECnet, AF_NETBEUI, AF_SECURITY, AF_KEY,
  };
  int r = 0;

  static_assert (AF_UNIX == 1 && AF_INET == 2 && AF_INET6 == 10
                 && AF_NETLINK == 16, "the others are these");
  for (size_t i = 0; i < sizeof between / sizeof between[0] && r == 0; ++i)
    r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (EAFNOSUPPORT),
                          SCMP_SYS (socket), 1,
                          SCMP_A0 (SCMP_CMP_EQ, (scmp_datum_t) between[i],
                                   0));
  if (r == 0)
    r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (EAFNOSUPPORT),
                          SCMP_SYS (socket), 1,
                          SCMP_A0 (SCMP_CMP_GT, AF_NETLINK, 0));
  return r;
}

int
seccomp_enforce (void)
{
  scmp_filter_ctx filter = seccomp_init (SCMP_ACT_ALLOW);
  int r;

  if (!filter)
    return -ENOMEM;
  seccomp_attr_set (filter, SCMP_FLTATR_API_SYSRAWRC, 1);
  /* A tree of comparisons; the kernel remembers what is always allowed. */
  seccomp_attr_set (filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  r = deny (filter, denied, sizeof denied / sizeof denied[0]);
  if (r == 0 && !SANITIZED)
    r = deny (filter, denied_unless_sanitized,
              sizeof denied_unless_sanitized
              / sizeof denied_unless_sanitized[0]);
  if (r == 0 && !SANITIZED)
    r = deny_processes (filter);
  if (r == 0)
    r = deny_sockets (filter);
  /* Input for the terminal that we were started from. */
  if (r == 0)
    r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (EPERM), SCMP_SYS (ioctl), 1,
                          SCMP_A1 (SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI));
  if (r == 0)
    r = seccomp_load (filter);
  seccomp_release (filter);
  return r;
}
