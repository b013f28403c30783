/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Static probes (USDT) of the provider qbd: a nop each, and a note in the
 * program, until somebody traces.  qbd-troubleshooting(7) documents them:
 * their names and arguments are an interface.  Without sys/sdt.h there are
 * none, and the arguments are not evaluated.
 */
#ifndef QBD_PROBE_H
#define QBD_PROBE_H

#if HAVE_USDT && !defined __CHECKER__     /* sparse does not know its types */
#include <sys/sdt.h>
#define PROBE1(name, a) DTRACE_PROBE1 (qbd, name, a)
#define PROBE2(name, a, b) DTRACE_PROBE2 (qbd, name, a, b)
#define PROBE5(name, a, b, c, d, e) DTRACE_PROBE5 (qbd, name, a, b, c, d, e)
#else
#define PROBE1(name, a) ((void) sizeof (a))
#define PROBE2(name, a, b) ((void) sizeof (a), (void) sizeof (b))
#define PROBE5(name, a, b, c, d, e) \
  ((void) sizeof (a), (void) sizeof (b), (void) sizeof (c), \
   (void) sizeof (d), (void) sizeof (e))
#endif

#endif
