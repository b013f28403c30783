/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loaded into nbdkit when qbd is built with --enable-sanitize: initializes
 * the sanitizer before any library does.
 *
 * ASan initializes itself in the first malloc.  In nbdkit that came from
 * p11-kit, which called newlocale; ASan then called dlsym, whose message is
 * translated under the lock that newlocale holds, and glibc's lock was never
 * good again: exit hung in freelocale.  Linked with -z initfirst.
 */
#include <stdlib.h>

static void __attribute__ ((constructor))
sanitize_first (void)
{
  void *volatile p = malloc (1);

  free (p);
}
