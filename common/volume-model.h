/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a volume may contain: the judge of every read, in the simulator and in
 * qbd torture.  Its caller makes the calls one at a time, in an order that is
 * that of the events.
 *
 * Each write has a number, and fills each of its blocks with a pattern made
 * of that number and the block's address; number 0 is zeroes (never written,
 * discarded, zeroed).  A read may see, block by block, any write that began
 * before the read ended, unless another write that began after that one had
 * ended was itself over before the read began.  A write whose outcome is
 * unknown stays possible for ever, or until its writer is known to be gone.
 * A trim is a write of zeroes that may leave out blocks, or one of anything.
 */
#ifndef QBD_VOLUME_MODEL_H
#define QBD_VOLUME_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model;

/* What the pattern has room for. */
#define MODEL_BLOCKS_MAX (1u << 20)
#define MODEL_BLOCK_SIZE_MAX (32u << 10)        /* bytes */

struct model *model_new (uint32_t block_size, uint32_t nr_blocks);
void model_free (struct model *model);
/* Before anything else: patterns that no other run makes. */
void model_set_salt (struct model *model, uint64_t salt);

/* --- what is wrong ------------------------------------------------------ */

enum model_wrong {
  MODEL_LOST,           /* an acknowledged write is not there */
  MODEL_LOST_ZEROES,    /* the same, of zeroes */
  MODEL_UNTRIMMED,      /* a trim had made it zeroes, and data is there again */
  MODEL_STALE,          /* an old write is, over one that was read before */
  MODEL_UNFLUSHED,      /* what was acknowledged as stable went with the
                           power */
  MODEL_TORN,           /* a block is of two writes, and neither is under way */
  MODEL_MIXED,          /* of two, and the read was beside one of them */
  MODEL_NEVER,          /* nobody wrote that there */
};
enum { MODEL_NR_WRONG = MODEL_NEVER + 1 };

/* "stale write", say; constant. */
const char *model_wrong_name (enum model_wrong wrong);

#define MODEL_ALLOWED_MAX 8
struct model_finding {
  enum model_wrong wrong;
  uint32_t block;
  bool readable;                /* one write's pattern, or two */
  uint64_t number, other;       /* of the writes that were read; other: when
                                   there are two */
  uint64_t expected;            /* what was over before the read began */
  unsigned nr_allowed;          /* also beyond MODEL_ALLOWED_MAX */
  uint64_t allowed[MODEL_ALLOWED_MAX];  /* the youngest first */
};

/* Called for each block that is wrong, instead of a few lines on standard
 * error. */
void model_on_wrong (struct model *model,
                     void (*wrong) (void *opaque,
                                    const struct model_finding *finding),
                     void *opaque);

/* --- what happens ------------------------------------------------------- */

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
/* A trim begins, and ends as a write does.  Of a device that says how trimmed
 * blocks read (zeroes) each of its blocks is zeroes or as before, the same for
 * all readers; else each is anything, until it is written.  Returns its number:
 * 0, or MODEL_ANYTHING. */
#define MODEL_ANYTHING UINT64_MAX
uint64_t model_trim_begins (struct model *model, const void *writer,
                            uint32_t block, uint32_t count, bool zeroes,
                            uint64_t *at);
/* A flush: what had ended before it began is stable when it has succeeded;
 * after a loss of power, what that writer had written. */
uint64_t model_flush_begins (struct model *model);
void model_flush_ends (struct model *model, const void *writer, uint64_t at);
/* What is not stable may be lost, or not, block by block.  in_pieces: of
 * what is under way, too: a part of it may have been done before. */
void model_power_lost (struct model *model, bool in_pieces);
/* Power is lost at some moment between the two: also what is acknowledged
 * meanwhile may be, and what was on its way then, until its writer flushes. */
void model_power_goes (struct model *model);
void model_power_is_back (struct model *model);
/* Whatever of that writer's, or with NULL of anybody's, has not ended has had
 * its effect by now, or never has any. */
void model_writer_gone (struct model *model, const void *writer);
/* The pattern of that write, for count blocks. */
void model_fill (const struct model *model, uint64_t number, uint32_t block,
                 uint32_t count, uint8_t *data);

uint64_t model_read_begins (struct model *model);
/* False when the data cannot be right. */
bool model_read_ends (struct model *model, uint32_t block, uint32_t count,
                      uint64_t begun_at, const uint8_t *data);

/* Nothing that began before oldest_at will end, but by those that are told
 * to: what no read can see any more is forgotten.  may_lose_power: and no loss
 * of power can bring back. */
void model_forget (struct model *model, uint64_t oldest_at,
                   bool may_lose_power);

#endif
