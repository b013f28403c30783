/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a volume may contain: the judge of every read.
 *
 * Each write has a number, and fills each of its blocks with a pattern made
 * of that number and the block's address; number 0 is zeroes (never written,
 * discarded, zeroed).  A read may see, block by block, any write that began
 * before the read ended, unless another write that began after that one had
 * ended was itself over before the read began.  A write whose outcome is
 * unknown stays possible for ever.
 */
#ifndef QBD_VOLUME_MODEL_H
#define QBD_VOLUME_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model;

struct model *model_new (uint32_t block_size, uint32_t nr_blocks);
void model_free (struct model *model);

/* A write, or (zeroes) a discard or write zeroes, begins: returns its number,
 * 0 for zeroes.  at orders it among everything that happens.  writer: the
 * client, to be compared. */
uint64_t model_write_begins (struct model *model, const void *writer,
                             uint32_t block, uint32_t count, bool zeroes,
                             uint64_t *at);
/* It was acknowledged; stable: and is on stable storage (FUA).  Not called
 * when its outcome is unknown. */
void model_write_ends (struct model *model, uint32_t block, uint32_t count,
                       uint64_t at, bool stable);
/* A flush: what had ended before it began is stable when it has succeeded;
 * after a loss of power, what that writer had written. */
uint64_t model_flush_begins (struct model *model);
void model_flush_ends (struct model *model, const void *writer, uint64_t at);
/* What is not stable may be lost, or not, block by block.  in_pieces: of
 * what is under way, too: a part of it may have been done before. */
void model_power_lost (struct model *model, bool in_pieces);
/* The pattern of that write, for count blocks. */
void model_fill (const struct model *model, uint64_t number, uint32_t block,
                 uint32_t count, uint8_t *data);

uint64_t model_read_begins (struct model *model);
/* False with a sentence on standard error when the data cannot be right. */
bool model_read_ends (struct model *model, uint32_t block, uint32_t count,
                      uint64_t begun_at, const uint8_t *data);

#endif
