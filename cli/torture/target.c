/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which kind of target a URI means.
 */
#include <errno.h>
#include <string.h>

#include "cli/torture/target.h"
#include "common/address.h"

static bool
has_scheme (const char *uri, const char *scheme)
{
  size_t n = strlen (scheme);

  return strncmp (uri, scheme, n) == 0 && strncmp (uri + n, "://", 3) == 0;
}

static const char *const nbd_schemes[] = {
  "nbd", "nbd+unix", "nbds", "nbds+unix",
};

static int
choose_nbd (struct target *target, struct error *err)
{
  if (target->name)
    return error_set (err, EINVAL, "torture: %.200s: an NBD export is named "
                      "in the URI", target->name);
#ifdef HAVE_LIBNBD
  target->ops = &target_nbd;
  return 0;
#else
  return error_set (err, EINVAL, "torture: %.200s: this qbd was built without "
                    "libnbd", target->uri);
#endif
}

int
target_choose (struct target *target, struct error *err)
{
  struct address address;
  int r;

  for (size_t i = 0; i < sizeof nbd_schemes / sizeof nbd_schemes[0]; i++)
    if (has_scheme (target->uri, nbd_schemes[i]))
      return choose_nbd (target, err);
  r = address_parse ("torture", target->uri, &address, err);
  if (r < 0)
    return r;
  if (address.family == ADDRESS_RDMA)
    return error_set (err, EINVAL, "torture: %.200s: RDMA does not go through "
                      "the fault proxy", target->uri);
  if (target->name == NULL)
    return error_set (err, EINVAL, "torture: %.200s: say POOL/VOL, or an NQN, "
                      "behind it", target->uri);
  target->ops = &target_nvme;
  return 0;
}
