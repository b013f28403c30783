/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last error of each thread.
 */
#include <errno.h>

#include "lib/internal.h"

static _Thread_local struct error last;

int
error_publish (const struct error *err)
{
  last = *err;
  errno = err->code;
  return -1;
}

const char *
qbd_errmsg (void)
{
  return last.message;
}

const char *
qbd_version (void)
{
  return PACKAGE_VERSION;
}
