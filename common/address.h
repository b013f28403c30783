/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a server listens, as users write it:
 *   tcp://HOST[:PORT]   tcp://[::1]:4420   unix:///PATH   HOST   HOST:PORT
 *   rdma://HOST[:PORT]
 * Pure text: names are resolved by stream_connect and stream_listen.
 */
#ifndef QBD_ADDRESS_H
#define QBD_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define ADDRESS_DEFAULT_PORT "4420"

enum address_family {
  ADDRESS_TCP,
  ADDRESS_UNIX,
  ADDRESS_RDMA,
};

struct address {
  enum address_family family;
  char host[256];       /* TCP, RDMA: no brackets; never empty */
  char port[8];         /* and decimal; "0" lets a listener pick one */
  char path[108];       /* Unix: absolute, fits sockaddr_un */
};

/* -EINVAL with "WHAT: TEXT: reason"; the scheme's nearest known name is
 * offered for an unknown one. */
int address_parse (const char *what, const char *text,
                   struct address *address, struct error *err);

/* Only this machine can reach it: a Unix socket, or a loopback address in
 * numbers.  A name is none: who knows what it means elsewhere. */
bool address_is_local (const struct address *address);

/* "tcp", "unix" or "rdma": its scheme. */
const char *address_transport (const struct address *address);

/* The canonical URI.  buf of ADDRESS_TEXT_MAX is enough. */
#define ADDRESS_TEXT_MAX 300
const char *address_format (const struct address *address,
                            char *buf, size_t buflen);

#endif
