/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the model of a volume remembers.  volume-model.c adds and forgets;
 * volume-model-read.c judges by it.
 */
#ifndef QBD_VOLUME_MODEL_INTERNAL_H
#define QBD_VOLUME_MODEL_INTERNAL_H

#include "common/volume-model.h"

struct write {
  uint64_t number;
  uint64_t begun, ended;        /* UINT64_MAX: not ended, or unknown */
  uint64_t gone;                /* since a read told so; UINT64_MAX */
  uint64_t acked;               /* UINT64_MAX: not yet */
  const void *writer;
  bool stable;
  uint64_t settled;             /* it had its effect before, or never;
                                   UINT64_MAX */
  bool torn;                    /* part of it went before the power did */
  bool seen;                    /* by a read */
  bool trim;
};

struct block {
  struct write *writes;
  unsigned nr, allocated;
};

struct model {
  uint32_t block_size, nr_blocks;
  uint64_t now;                 /* orders beginnings and ends */
  uint64_t last_number;
  uint64_t stable_before;       /* what ended before is */
  uint64_t lost_at;             /* when power was lost last, */
  uint64_t stable_at_loss;      /* and stable_before then */
  uint64_t salt;
  bool lost_power;
  bool losing_power;            /* it is, or will be in a moment */
  uint64_t back_at;             /* and then it was back, the last time */
  struct block *blocks;
  void (*wrong) (void *opaque, const struct model_finding *finding);
  void *opaque;
};

/* It may have been taken for advice. */
static inline bool
may_do_nothing (const struct write *write)
{
  return write->trim && write->number != MODEL_ANYTHING;
}

/* It had its effect by then, or never has any. */
static inline uint64_t
over_at (const struct write *write)
{
  return write->ended < write->settled ? write->ended : write->settled;
}

#endif
