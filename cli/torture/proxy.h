/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault proxy: a Unix socket for each client, and behind it the target.
 * What it does to the connections, and when, comes from a seed, for each
 * client by itself.  It has a thread of its own and knows bytes only.
 *
 *   delay      one direction stands still for a while
 *   cut        all of the client's connections end in the middle of something
 *   duplicate  they end for the client, but not for the target: what the client
 *              had sent last is kept back, and arrives when the client has long
 *              connected again
 */
#ifndef QBD_CLI_TORTURE_PROXY_H
#define QBD_CLI_TORTURE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/stream.h"

enum fault {
  FAULT_DELAY,
  FAULT_CUT,
  FAULT_DUPLICATE,
};
enum { FAULT_NR = FAULT_DUPLICATE + 1 };

#define PROXY_CLIENTS_MAX 64

extern const char *const fault_names[];         /* NULL terminated */

struct proxy_params {
  struct stream_route route;    /* to the target */
  unsigned nr_clients;
  unsigned faults;              /* bits, 1 << FAULT_* */
  uint64_t seed;
  /* In the proxy's thread. */
  void (*happened) (void *opaque, unsigned client, enum fault fault,
                    unsigned duration_ms);
  void *opaque;
};

struct proxy;
struct proxy *proxy_start (const struct proxy_params *params,
                           struct error *err);
/* The path of this client's socket; until proxy_stop. */
const char *proxy_socket (const struct proxy *proxy, unsigned client);
/* No more faults; what is kept back still arrives. */
void proxy_calm (struct proxy *proxy);
/* Nothing is kept back any more. */
bool proxy_is_calm (struct proxy *proxy);
/* Bytes that arrived late, of duplicates. */
uint64_t proxy_late_bytes (struct proxy *proxy);
/* No more connections: nothing of it is left in the file system. */
void proxy_unlink (struct proxy *proxy);
void proxy_stop (struct proxy *proxy);

#endif
