/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mutations that know a session's input: the settings, then instructions.
 * Fields that matter are likelier to be hit, with values at which lengths,
 * counts and offsets break.
 */
#include <string.h>

#include "common/random.h"
#include "fuzzing/fuzz.h"
#include "fuzzing/mangler.h"
#include "fuzzing/session.h"

static uint64_t random_state;

static uint32_t
below (uint32_t limit)
{
  return random_below (&random_state, limit);
}

/* Of PDU headers, SQEs and CQEs behind them, and of pages. */
static uint16_t
choose_offset (void)
{
  static const uint16_t fields[] = {
    0, 1, 2, 3, 4, 8, 9, 10, 12, 14, 16, 20, 22, 26, 32, 36, 40, 44, 47, 48,
    50, 52, 54, 56, 60, 77, 78, 80, 96, 110, 256, 257, 258, 320, 514, 516,
    520, 525, 536, 1792,
  };

  return below (3) == 0 ? (uint16_t) below (4200)
                        : fields[below (sizeof fields / sizeof fields[0])];
}

static uint32_t
choose_value (void)
{
  static const uint32_t edges[] = {
    0, 1, 2, 3, 4, 5, 7, 8, 24, 72, 127, 128, 255, 256, 511, 512, 4095, 4096,
    4097, 8192, 65535, 65536, 131072, 0x7fffffff, 0x80000000, 0xfffffffe,
    0xffffffff,
  };

  switch (below (4)) {
  case 0: return below (UINT32_MAX);
  case 1: return 1u << below (32);
  case 2: return below (256);
  default: return edges[below (sizeof edges / sizeof edges[0])];
  }
}

static void
choose_instruction (struct instruction *instruction)
{
  const uint16_t offset = choose_offset ();
  const uint32_t value = choose_value ();

  instruction->skip = (uint8_t) (below (2) ? below (4) : below (48));
  instruction->action = (uint8_t) below (MANGLE_NR);
  instruction->offset[0] = (uint8_t) offset;
  instruction->offset[1] = (uint8_t) (offset >> 8);
  for (unsigned i = 0; i < 4; i++)
    instruction->value[i] = (uint8_t) (value >> 8 * i);
}

static void
change_field (struct instruction *instruction)
{
  struct instruction other;

  choose_instruction (&other);
  switch (below (4)) {
  case 0: instruction->skip = other.skip; break;
  case 1: instruction->action = other.action; break;
  case 2: memcpy (instruction->offset, other.offset, 2); break;
  default: memcpy (instruction->value, other.value, 4); break;
  }
}

/* All but the settings, as an array that may grow up to max. */
static size_t
mutate_program (struct instruction *program, size_t nr, size_t max)
{
  size_t at = nr ? below ((uint32_t) nr) : 0;

  switch (nr == 0 ? 0 : below (6)) {
  case 0: case 1:               /* one more */
    if (nr == max)
      return nr;
    memmove (program + at + 1, program + at, (nr - at) * sizeof *program);
    choose_instruction (&program[at]);
    return nr + 1;
  case 2:                       /* one less */
    memmove (program + at, program + at + 1,
             (nr - at - 1) * sizeof *program);
    return nr - 1;
  default:
    change_field (&program[at]);
    return nr;
  }
}

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t bytes, size_t max_bytes,
                         unsigned seed)
{
  struct instruction program[SESSION_INSTRUCTIONS_MAX];
  size_t nr, max;

  random_state = seed;
  if (below (16) == 0 || max_bytes < SESSION_SETTINGS_BYTES)
    return LLVMFuzzerMutate (data, bytes, max_bytes);
  if (bytes < SESSION_SETTINGS_BYTES)
    memset (data + bytes, 0, SESSION_SETTINGS_BYTES - bytes);
  nr = bytes < SESSION_SETTINGS_BYTES
       ? 0 : (bytes - SESSION_SETTINGS_BYTES) / sizeof program[0];
  max = (max_bytes - SESSION_SETTINGS_BYTES) / sizeof program[0];
  if (max > SESSION_INSTRUCTIONS_MAX)
    max = SESSION_INSTRUCTIONS_MAX;
  if (nr > max)
    nr = max;
  if (below (12) == 0)
    data[below (SESSION_SETTINGS_BYTES)] = (uint8_t) below (256);
  memcpy (program, data + SESSION_SETTINGS_BYTES, nr * sizeof program[0]);
  nr = mutate_program (program, nr, max);
  memcpy (data + SESSION_SETTINGS_BYTES, program, nr * sizeof program[0]);
  return SESSION_SETTINGS_BYTES + nr * sizeof program[0];
}
