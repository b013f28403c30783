/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The durability epoch of a namespace, between our own two halves: a number
 * that changes when writes that were completed, and not flushed, may have been
 * lost.  It is in the vendor specific bytes of Identify Namespace, behind a word
 * that says so.  Pure.
 */
#ifndef QBD_NVMEOF_EPOCH_H
#define QBD_NVMEOF_EPOCH_H

#include <stdint.h>

#include "nvmeof/command.h"

/* epoch is not 0. */
void epoch_put (struct nvme_id_ns *id, uint64_t epoch);
/* 0: the controller has none. */
uint64_t epoch_get (const struct nvme_id_ns *id);

#endif
