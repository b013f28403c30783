/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model of a volume: for each block, the writes that it has seen, and what
 * becomes of them.  Reads are volume-model-read.c's.
 */
#include <stdlib.h>

#include "common/volume-model-internal.h"

static struct write *
add_write (struct block *block, const void *writer, uint64_t number,
           uint64_t begun, uint64_t ended)
{
  if (block->nr == block->allocated) {
    block->allocated = block->allocated ? 2 * block->allocated : 2;
    block->writes = realloc (block->writes,
                             block->allocated * sizeof *block->writes);
    if (block->writes == NULL)
      abort ();
  }
  block->writes[block->nr] = (struct write) {
    .number = number, .begun = begun, .ended = ended, .gone = UINT64_MAX,
    .acked = UINT64_MAX, .settled = UINT64_MAX, .writer = writer,
  };
  return &block->writes[block->nr++];
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
    add_write (&model->blocks[i], NULL, 0, 0, 0)->stable = true;
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

void
model_set_salt (struct model *model, uint64_t salt)
{
  model->salt = salt;
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

uint64_t
model_trim_begins (struct model *model, const void *writer, uint32_t block,
                   uint32_t count, bool zeroes, uint64_t *at)
{
  uint64_t number = zeroes ? 0 : MODEL_ANYTHING;

  *at = ++model->now;
  for (uint32_t i = block; i < block + count; i++)
    add_write (&model->blocks[i], writer, number, *at, UINT64_MAX)->trim
      = true;
  return number;
}

void
model_write_ends (struct model *model, uint32_t block, uint32_t count,
                  uint64_t at, bool stable)
{
  uint64_t now = ++model->now;
  /* An answer may be on its way for longer than power is away. */
  bool lasts = stable || (!model->losing_power && at >= model->back_at);

  for (uint32_t i = block; i < block + count; i++)
    for (unsigned j = model->blocks[i].nr; j-- > 0; ) {
      struct write *write = &model->blocks[i].writes[j];

      if (write->begun != at)
        continue;
      if ((stable || (lasts && !write->torn)) && !may_do_nothing (write))
        write->ended = now;
      else if (!write->torn)
        write->settled = now;
      write->acked = now;
      write->stable = stable;
      break;
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

    if (write->writer != writer || write->acked >= before || write->torn)
      continue;
    if (!may_do_nothing (write))
      write->ended = write->acked;
    else if (write->settled > write->acked)
      write->settled = write->acked;
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
  model->lost_at = model->now;
  model->stable_at_loss = model->stable_before;
  for (i = 0; i < model->nr_blocks; i++)
    for (j = 0; j < model->blocks[i].nr; j++) {
      struct write *write = &model->blocks[i].writes[j];

      write->gone = UINT64_MAX; /* perhaps not: what came over it is */
      write->torn |= in_pieces && write->ended == UINT64_MAX;
      if (!write->stable && write->ended >= model->stable_before)
        write->ended = UINT64_MAX;
    }
}

void
model_writer_gone (struct model *model, const void *writer)
{
  uint64_t now = ++model->now;

  for (uint32_t i = 0; i < model->nr_blocks; i++)
    for (unsigned j = 0; j < model->blocks[i].nr; j++) {
      struct write *write = &model->blocks[i].writes[j];

      if ((writer == NULL || write->writer == writer)
          && write->ended == UINT64_MAX && write->settled > now)
        write->settled = now;
    }
}

void
model_power_goes (struct model *model)
{
  model_power_lost (model, false);
  model->losing_power = true;
}

/* What was acknowledged is there now, or was lost for good. */
void
model_power_is_back (struct model *model)
{
  uint64_t now = ++model->now;

  model->losing_power = false;
  model->back_at = now;
  for (uint32_t i = 0; i < model->nr_blocks; i++)
    for (unsigned j = 0; j < model->blocks[i].nr; j++) {
      struct write *write = &model->blocks[i].writes[j];

      if (write->acked < now && write->settled > now)
        write->settled = now;
    }
}

/* --- what is forgotten -------------------------------------------------- */

static bool
is_safe (const struct model *model, const struct write *write,
         bool may_lose_power)
{
  return !may_lose_power || write->stable
         || write->ended < model->stable_before;
}

/* When the youngest of those began that will not be taken back. */
static uint64_t
youngest_safe_begun (const struct model *model, const struct block *block,
                     uint64_t oldest_at, bool may_lose_power)
{
  uint64_t begun = 0;

  for (unsigned j = 0; j < block->nr; j++)
    if (block->writes[j].ended < oldest_at && block->writes[j].begun > begun
        && is_safe (model, &block->writes[j], may_lose_power))
      begun = block->writes[j].begun;
  return begun;
}

void
model_forget (struct model *model, uint64_t oldest_at, bool may_lose_power)
{
  for (uint32_t i = 0; i < model->nr_blocks; i++) {
    struct block *block = &model->blocks[i];
    uint64_t youngest = youngest_safe_begun (model, block, oldest_at,
                                             may_lose_power);
    unsigned kept = 0;

    for (unsigned j = 0; j < block->nr; j++) {
      struct write write = block->writes[j];

      if (over_at (&write) < youngest
          || (write.gone < oldest_at && !may_lose_power))
        continue;
      block->writes[kept++] = write;
    }
    block->nr = kept;
  }
}
