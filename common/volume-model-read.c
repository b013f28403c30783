/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a read of a volume shows, and whether it may.  Writes that were under
 * way at once may have come in any order; but once a read has told which, it
 * stays so.
 */
#include <stdio.h>
#include <string.h>

#include "common/volume-model-internal.h"

#define WORD_BITS 12            /* of the pattern: which word of the block */
#define BLOCK_BITS 20           /* and which block; the rest is the write */

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
