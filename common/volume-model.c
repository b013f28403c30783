/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model of a volume: for each block, the writes that it has seen.  Writes
 * that were under way at once may have come in any order; but once a read has
 * told which, it stays so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/volume-model.h"

struct write {
  uint64_t number;
  uint64_t begun, ended;        /* UINT64_MAX: not ended, or unknown */
  uint64_t gone;                /* since a read told so; UINT64_MAX */
  uint64_t acked;               /* UINT64_MAX: not yet */
  const void *writer;
  bool stable;
  bool torn;                    /* part of it went before the power did */
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
  bool lost_power;
  struct block *blocks;
};

static void
add_write (struct block *block, const void *writer, uint64_t number,
           uint64_t begun, uint64_t ended)
{
  if (block->nr == block->allocated) {
    block->allocated = block->allocated ? 2 * block->allocated : 8;
    block->writes = realloc (block->writes,
                             block->allocated * sizeof *block->writes);
    if (block->writes == NULL)
      abort ();
  }
  block->writes[block->nr++] = (struct write) {
    .number = number, .begun = begun, .ended = ended, .gone = UINT64_MAX,
    .acked = UINT64_MAX, .writer = writer,
  };
}

struct model *
model_new (uint32_t block_size, uint32_t nr_blocks)
{
  struct model *model = calloc (1, sizeof *model);
  uint32_t i;

  if (model == NULL)
    abort ();
  model->block_size = block_size;
  model->nr_blocks = nr_blocks;
  model->blocks = calloc (nr_blocks, sizeof *model->blocks);
  if (model->blocks == NULL)
    abort ();
  model->now = 1;
  for (i = 0; i < nr_blocks; i++)
    add_write (&model->blocks[i], NULL, 0, 0, 0);
  return model;
}

void
model_free (struct model *model)
{
  uint32_t i;

  for (i = 0; i < model->nr_blocks; i++)
    free (model->blocks[i].writes);
  free (model->blocks);
  free (model);
}

uint64_t
model_write_begins (struct model *model, const void *writer, uint32_t block,
                    uint32_t count, bool zeroes, uint64_t *at)
{
  uint64_t number = zeroes ? 0 : ++model->last_number;
  uint32_t i;

  *at = ++model->now;
  for (i = block; i < block + count; i++)
    add_write (&model->blocks[i], writer, number, *at, UINT64_MAX);
  return number;
}

void
model_write_ends (struct model *model, uint32_t block, uint32_t count,
                  uint64_t at, bool stable)
{
  uint64_t now = ++model->now;
  uint32_t i;
  unsigned j;

  for (i = block; i < block + count; i++)
    for (j = 0; j < model->blocks[i].nr; j++)
      if (model->blocks[i].writes[j].begun == at) {
        if (stable || !model->blocks[i].writes[j].torn)
          model->blocks[i].writes[j].ended = now;
        model->blocks[i].writes[j].acked = now;
        model->blocks[i].writes[j].stable = stable;
      }
}

uint64_t
model_flush_begins (struct model *model)
{
  return ++model->now;
}

/* What may have been lost was not, as the writer was told. */
static void
survived (struct block *block, const void *writer, uint64_t before)
{
  for (unsigned i = 0; i < block->nr; i++) {
    struct write *write = &block->writes[i];

    if (write->writer == writer && write->acked < before && !write->torn)
      write->ended = write->acked;
  }
}

void
model_flush_ends (struct model *model, const void *writer, uint64_t at)
{
  model->now++;
  if (at > model->stable_before)
    model->stable_before = at;
  for (uint32_t i = 0; model->lost_power && i < model->nr_blocks; i++)
    survived (&model->blocks[i], writer, at);
}

/* As if nobody knew whether they were done. */
void
model_power_lost (struct model *model, bool in_pieces)
{
  uint32_t i;
  unsigned j;

  model->now++;
  model->lost_power = true;
  for (i = 0; i < model->nr_blocks; i++)
    for (j = 0; j < model->blocks[i].nr; j++) {
      struct write *write = &model->blocks[i].writes[j];

      write->gone = UINT64_MAX; /* perhaps not: what came over it is */
      write->torn |= in_pieces && write->ended == UINT64_MAX;
      if (!write->stable && write->ended >= model->stable_before)
        write->ended = UINT64_MAX;
    }
}

static uint64_t
word_of (uint64_t number, uint32_t block, uint32_t word)
{
  return number == 0
         ? 0
         : (number << 40) ^ ((uint64_t) block << 16) ^ word
           ^ 0x5bd1e99500000000;
}

void
model_fill (const struct model *model, uint64_t number, uint32_t block,
            uint32_t count, uint8_t *data)
{
  uint32_t i, j;

  for (i = 0; i < count; i++)
    for (j = 0; j < model->block_size / 8; j++) {
      uint64_t word = word_of (number, block + i, j);

      memcpy (data, &word, 8);
      data += 8;
    }
}

uint64_t
model_read_begins (struct model *model)
{
  return ++model->now;
}

static bool
matches (const struct model *model, uint64_t number, uint32_t block,
         const uint8_t *data)
{
  uint32_t j;

  for (j = 0; j < model->block_size / 8; j++) {
    uint64_t word = word_of (number, block, j);

    if (memcmp (data + 8 * j, &word, 8) != 0)
      return false;
  }
  return true;
}

/* `write` was read: what had ended before the read began came before it. */
static void
told (const struct model *model, struct block *block,
      const struct write *write, uint64_t read_begun)
{
  unsigned j;

  for (j = 0; j < block->nr; j++)
    if (&block->writes[j] != write && block->writes[j].ended < read_begun
        && block->writes[j].gone > model->now)
      block->writes[j].gone = model->now;
}

static bool
overwritten (const struct block *block, const struct write *write,
             uint64_t read_begun)
{
  unsigned j;

  if (write->gone < read_begun)
    return true;
  for (j = 0; j < block->nr; j++)
    if (write->ended < block->writes[j].begun
        && block->writes[j].ended < read_begun)
      return true;
  return false;
}

static bool
explain (const struct model *model, uint32_t at, uint64_t read_begun,
         const uint8_t *data)
{
  const struct block *block = &model->blocks[at];
  unsigned j;

  fprintf (stderr, "block %u: a read that began at %llu is wrong:\n", at,
           (unsigned long long) read_begun);
  for (j = 0; j < block->nr; j++) {
    const struct write *write = &block->writes[j];

    fprintf (stderr, "  write %llu begun %llu ended %lld gone %lld%s%s\n",
             (unsigned long long) write->number,
             (unsigned long long) write->begun, (long long) write->ended,
             (long long) write->gone,
             write->stable ? " stable" : "",
             matches (model, write->number, at, data) ? ": was read" : "");
  }
  return false;
}

bool
model_read_ends (struct model *model, uint32_t at, uint32_t count,
                 uint64_t begun_at, const uint8_t *data)
{
  uint32_t i;

  model->now++;
  for (i = 0; i < count; i++) {
    struct block *block = &model->blocks[at + i];
    bool legal = false;
    unsigned j;

    for (j = 0; j < block->nr && !legal; j++)
      legal = matches (model, block->writes[j].number, at + i, data)
              && !overwritten (block, &block->writes[j], begun_at);
    if (!legal)
      return explain (model, at + i, begun_at, data);
    /* Zeroes are of many.  What has not ended may be lost with a cache, and
     * come again later. */
    if (block->writes[j - 1].number != 0
        && block->writes[j - 1].ended != UINT64_MAX)
      told (model, block, &block->writes[j - 1], begun_at);
    data += model->block_size;
  }
  return true;
}
