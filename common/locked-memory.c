/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The limit on locked memory (RLIMIT_MEMLOCK), which does not hold for those
 * with CAP_IPC_LOCK.  To the kernel's RDMA that is the machine's own
 * capability, and not one of a user namespace (a container's).
 */
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/locked-memory.h"

/* The machine's own maps all users to themselves. */
static bool
in_user_namespace (void)
{
  FILE *map = fopen ("/proc/self/uid_map", "re");
  unsigned long inside, outside, nr = 0;
  bool own = map && fscanf (map, "%lu %lu %lu", &inside, &outside, &nr) == 3
    && inside == 0 && outside == 0 && nr == UINT32_MAX;

  if (map)
    fclose (map);
  return map && !own;
}

static bool
ignores_limit (void)
{
  struct __user_cap_header_struct header = {
    .version = _LINUX_CAPABILITY_VERSION_3,
  };
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

  return syscall (SYS_capget, &header, data) == 0 &&
    data[0].effective & 1u << CAP_IPC_LOCK && !in_user_namespace ();
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
