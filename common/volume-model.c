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

#define WORD_BITS 12            /* of the pattern: which word of the block */
#define BLOCK_BITS 20           /* and which block; the rest is the write */

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

/* It may have been taken for advice. */
static bool
may_do_nothing (const struct write *write)
{
  return write->trim && write->number != MODEL_ANYTHING;
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

/* --- patterns ----------------------------------------------------------- */

static uint64_t
word_of (const struct model *model, uint64_t number, uint32_t block,
         uint32_t word)
{
  return number == 0 ? 0
    : (number << (BLOCK_BITS + WORD_BITS) | (uint64_t) block << WORD_BITS
       | word) ^ model->salt;
}

/* Of which write a word is.  False: of none that was made for that place. */
static bool
number_of (const struct model *model, const uint8_t *data, uint32_t block,
           uint32_t word, uint64_t *number)
{
  uint64_t value;

  memcpy (&value, data + 8 * word, 8);
  *number = value == 0 ? 0
    : (value ^ model->salt) >> (BLOCK_BITS + WORD_BITS);
  return value == word_of (model, *number, block, word);
}

void
model_fill (const struct model *model, uint64_t number, uint32_t block,
            uint32_t count, uint8_t *data)
{
  uint32_t i, j;

  for (i = 0; i < count; i++)
    for (j = 0; j < model->block_size / 8; j++) {
      uint64_t word = word_of (model, number, block + i, j);

      memcpy (data, &word, 8);
      data += 8;
    }
}

/* --- reads -------------------------------------------------------------- */

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

  if (number == MODEL_ANYTHING)
    return true;
  for (j = 0; j < model->block_size / 8; j++) {
    uint64_t word = word_of (model, number, block, j);

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

/* When the youngest of those began that were over before that. */
static uint64_t
youngest_begun (const struct block *block, uint64_t ended_before)
{
  uint64_t begun = 0;

  for (unsigned j = 0; j < block->nr; j++)
    if (block->writes[j].ended < ended_before && block->writes[j].begun > begun)
      begun = block->writes[j].begun;
  return begun;
}

/* It had its effect by then, or never has any. */
static uint64_t
over_at (const struct write *write)
{
  return write->ended < write->settled ? write->ended : write->settled;
}

static bool
overwritten (const struct write *write, uint64_t read_begun,
             uint64_t youngest)
{
  return write->gone < read_begun || over_at (write) < youngest;
}

/* --- what is wrong ------------------------------------------------------ */

const char *
model_wrong_name (enum model_wrong wrong)
{
  static const char *const names[] = {
    [MODEL_LOST] = "lost write",
    [MODEL_LOST_ZEROES] = "lost zeroes",
    [MODEL_UNTRIMMED] = "data after trim",
    [MODEL_STALE] = "stale write",
    [MODEL_UNFLUSHED] = "flush that lied",
    [MODEL_TORN] = "torn write",
    [MODEL_MIXED] = "torn read",
    [MODEL_NEVER] = "never written",
  };

  return names[wrong];
}

/* The numbers in it, at most two. */
static void
take_apart (const struct model *model, const uint8_t *data,
            struct model_finding *finding)
{
  uint64_t number;
  uint32_t j;

  finding->readable = number_of (model, data, finding->block, 0,
                                 &finding->number);
  finding->other = finding->number;
  for (j = 1; finding->readable && j < model->block_size / 8; j++) {
    finding->readable = number_of (model, data, finding->block, j, &number)
      && number <= model->last_number;
    if (number != finding->number && finding->other == finding->number)
      finding->other = number;
    else if (number != finding->number && number != finding->other)
      finding->readable = false;
  }
  if (finding->number > model->last_number)
    finding->readable = false;
}

/* The youngest of those that were over before the read began. */
static const struct write *
expected (const struct block *block, uint64_t read_begun)
{
  const struct write *found = NULL;

  for (unsigned j = 0; j < block->nr; j++)
    if (block->writes[j].ended < read_begun
        && (found == NULL || block->writes[j].begun > found->begun))
      found = &block->writes[j];
  return found;
}

static bool
is_beside (const struct block *block, uint64_t number, uint64_t read_begun)
{
  for (unsigned j = 0; j < block->nr; j++)
    if (block->writes[j].number == number
        && over_at (&block->writes[j]) >= read_begun)
      return true;
  return false;
}

static enum model_wrong
classify (const struct model *model, const struct block *block,
          const struct model_finding *finding, const struct write *newest,
          uint64_t read_begun)
{
  if (!finding->readable)
    return MODEL_NEVER;
  if (finding->number != finding->other)
    return is_beside (block, finding->number, read_begun)
           || is_beside (block, finding->other, read_begun)
           ? MODEL_MIXED : MODEL_TORN;
  if (newest == NULL)
    return MODEL_LOST;
  if (newest->acked < model->lost_at
      && (newest->stable || newest->ended < model->stable_at_loss))
    return MODEL_UNFLUSHED;
  if (newest->trim)
    return MODEL_UNTRIMMED;
  if (newest->seen)
    return MODEL_STALE;
  return newest->number == 0 ? MODEL_LOST_ZEROES : MODEL_LOST;
}

static void
judge_wrong (const struct model *model, uint32_t at, uint64_t read_begun,
             const uint8_t *data)
{
  const struct block *block = &model->blocks[at];
  const struct write *newest = expected (block, read_begun);
  uint64_t youngest = youngest_begun (block, read_begun);
  struct model_finding finding = { .block = at };

  take_apart (model, data, &finding);
  finding.expected = newest ? newest->number : 0;
  for (unsigned j = block->nr; j-- > 0; )
    if (!overwritten (&block->writes[j], read_begun, youngest)) {
      if (finding.nr_allowed < MODEL_ALLOWED_MAX)
        finding.allowed[finding.nr_allowed] = block->writes[j].number;
      finding.nr_allowed++;
    }
  finding.wrong = classify (model, block, &finding, newest, read_begun);
  model->wrong (model->opaque, &finding);
}

void
model_on_wrong (struct model *model,
                void (*wrong) (void *opaque,
                               const struct model_finding *finding),
                void *opaque)
{
  model->wrong = wrong;
  model->opaque = opaque;
}

static void
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
}

static void
is_wrong (const struct model *model, uint32_t at, uint64_t read_begun,
          const uint8_t *data)
{
  if (model->wrong != NULL)
    judge_wrong (model, at, read_begun, data);
  else
    explain (model, at, read_begun, data);
}

/* --- reads, judged ------------------------------------------------------- */

/* `write` was read, and it was no other. */
static void
was_seen (const struct model *model, struct block *block, struct write *write,
          uint64_t read_begun)
{
  write->seen = true;
  /* So it had its effect, and can have no other; but a cache may lose it. */
  if (write->ended == UINT64_MAX && write->settled != UINT64_MAX
      && may_do_nothing (write) && !model->losing_power
      && read_begun > model->lost_at && read_begun >= model->back_at)
    write->ended = write->settled;
  /* What has not ended may be lost with a cache, and come again later. */
  if (write->ended != UINT64_MAX)
    told (model, block, write, read_begun);
}

/* The first of those that may have been read; nr: how many. */
static struct write *
find_read (const struct model *model, uint32_t at, uint64_t read_begun,
           const uint8_t *data, unsigned *nr)
{
  const struct block *block = &model->blocks[at];
  uint64_t youngest = youngest_begun (block, read_begun);
  struct write *found = NULL;

  *nr = 0;
  for (unsigned j = 0; j < block->nr; j++)
    if (!overwritten (&block->writes[j], read_begun, youngest)
        && matches (model, block->writes[j].number, at, data)
        && (*nr)++ == 0)
      found = &block->writes[j];
  return found;
}

bool
model_read_ends (struct model *model, uint32_t at, uint32_t count,
                 uint64_t begun_at, const uint8_t *data)
{
  bool right = true;
  uint32_t i;

  model->now++;
  for (i = 0; i < count; i++) {
    unsigned nr;
    struct write *write = find_read (model, at + i, begun_at, data, &nr);

    right &= nr > 0;
    if (nr == 0)
      is_wrong (model, at + i, begun_at, data);
    else if (nr == 1)           /* zeroes may be of many, and anything any */
      was_seen (model, &model->blocks[at + i], write, begun_at);
    data += model->block_size;
  }
  return right;
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
