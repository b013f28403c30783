/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is tortured: a volume behind NBD (nbd.c, over libnbd) or NVMe over
 * Fabrics (nvme.c, over libqbd), as a client's requests see it.  A link is one
 * client's way to it, and that client's thread's alone.
 */
#ifndef QBD_CLI_TORTURE_TARGET_H
#define QBD_CLI_TORTURE_TARGET_H

#include <libqbd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/stream.h"

enum target_kind {
  TARGET_READ,
  TARGET_WRITE,
  TARGET_ZERO,
  TARGET_TRIM,
  TARGET_FLUSH,
};
enum { TARGET_NR_KINDS = TARGET_FLUSH + 1 };

static inline bool
target_kind_changes (enum target_kind kind)
{
  return kind == TARGET_WRITE || kind == TARGET_ZERO || kind == TARGET_TRIM;
}

struct link;

struct target_op {
  struct qbd_aio aio;           /* libqbd's */
  enum target_kind kind;
  bool fua;
  void *data;
  uint64_t offset_bytes;
  size_t count_bytes;
  /* ENOTCONN: with the link, the outcome is unknown.  Must not submit. */
  void (*done) (struct target_op *op, int error);
  void *opaque;
  struct link *link;            /* since it was submitted */
};

#define TARGET_NAME_BYTES 256
struct target {
  const struct target_ops *ops;
  const char *uri;
  const char *name;             /* POOL/VOL, an NQN, or NULL */
  /* The rest is told by probe. */
  const char *protocol;         /* "NBD", "NBD over TLS", "NVMe/TCP" */
  struct stream_route route;    /* to its server */
  char nqn[TARGET_NAME_BYTES];
  char export_name[4097];
  uint64_t size_bytes;
  uint32_t block_size;          /* bytes: what is written whole */
  uint32_t request_bytes_max;
  bool read_only;
  bool can_zero, can_trim, can_fua, can_flush;
  bool trim_zeroes;             /* or leaves as it was; else: anything */
  bool shared;                  /* what one link wrote, another reads; and its
                                   flush covers it */
  bool atomic;                  /* a read beside a write sees all of a block, or
                                   nothing */
};

struct target_ops {
  int (*probe) (struct target *target, struct error *err);
  /* through: a Unix socket, instead of the server's address; or NULL. */
  struct link *(*open) (const struct target *target, const char *through,
                        unsigned depth, struct error *err);
  /* -EAGAIN: no room; -ENOTCONN: the link is lost, and done was not
   * called. */
  int (*submit) (struct link *link, struct target_op *op);
  /* Calls done.  How many were called; -ENOTCONN: the link is lost. */
  int (*poll) (struct link *link, int timeout_ms);
  /* What is in flight ends with ENOTCONN, or (after a poll that failed) is
   * forgotten. */
  void (*close) (struct link *link);
};

#ifdef HAVE_LIBNBD
extern const struct target_ops target_nbd;
#endif
extern const struct target_ops target_nvme;

/* By the URI's scheme. */
int target_choose (struct target *target, struct error *err);

#endif
