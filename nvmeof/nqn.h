/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVMe qualified names (Base 2.0 section 4.5) and what qbd puts in them:
 *
 *   nqn.2026-11.org.qbd:DOMAIN:POOL/VOL[@SNAP]
 *
 * DOMAIN is the pool's own UUID, so that pools of one name on two servers
 * never collide.
 */
#ifndef QBD_NVMEOF_NQN_H
#define QBD_NVMEOF_NQN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "nvmeof/command.h"

#define NQN_PREFIX "nqn.2026-11.org.qbd"

/* A volume's, a snapshot's or a pool's name: 1.. bytes of A-Z a-z 0-9 . _ - +, beginning
 * with a letter, a digit or '_', without "..".  what is "pool", "volume" or
 * "snapshot". */
int name_check (const char *what, const char *name, struct error *err);

/* Splits POOL/VOL or POOL/VOL@SNAP, and checks the parts; vol may so hold
 * "VOL@SNAP".  The buffers hold NVMEOF_NQN_MAX + 1. */
int name_split (const char *text, char *pool, char *vol, struct error *err);

/* Builds the volume's NQN; -ENAMETOOLONG when above NVMEOF_NQN_MAX. */
int nqn_of_volume (const char *domain, const char *pool, const char *vol,
                   char nqn[NVMEOF_NQN_MAX + 1], struct error *err);

/* The POOL/VOL inside an NQN of ours, else NULL: a pointer into nqn. */
const char *nqn_volume_name (const char *nqn);

/* A fixed NQN field of a peer: NUL terminated inside the field, 1..223 bytes,
 * begins with "nqn.", printable ASCII and without spaces. */
bool nqn_field_valid (const char *field, size_t field_bytes);

#endif
