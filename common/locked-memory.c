/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The limit on locked memory (RLIMIT_MEMLOCK), which does not hold for those
 * with CAP_IPC_LOCK.
 */
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/locked-memory.h"

static bool
ignores_limit (void)
{
  struct __user_cap_header_struct header = {
    .version = _LINUX_CAPABILITY_VERSION_3,
  };
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

  return syscall (SYS_capget, &header, data) == 0 &&
    data[0].effective & 1u << CAP_IPC_LOCK;
}

uint64_t
locked_memory_limit (void)
{
  struct rlimit limit;

  if (ignores_limit () || getrlimit (RLIMIT_MEMLOCK, &limit) < 0)
    return UINT64_MAX;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit (RLIMIT_MEMLOCK, &limit) < 0)
      getrlimit (RLIMIT_MEMLOCK, &limit);
  }
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}
