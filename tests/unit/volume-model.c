/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The judge of reads calls things by their names: what must not be, and what
 * may.  One client after the other; the simulator has the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/volume-model.h"

#define BLOCK_SIZE 512
#define NR_BLOCKS 4

struct fixture {
  struct model *model;
  unsigned nr_wrong;
  struct model_finding last;
  uint8_t data[NR_BLOCKS * BLOCK_SIZE];
};

static void
note_wrong (void *opaque, const struct model_finding *finding)
{
  struct fixture *f = opaque;

  f->nr_wrong++;
  f->last = *finding;
}

static int
setup (void **state)
{
  static struct fixture f;

  f = (struct fixture) { .model = model_new (BLOCK_SIZE, NR_BLOCKS) };
  model_set_salt (f.model, 0x123456789abcdef0);
  model_on_wrong (f.model, note_wrong, &f);
  *state = &f;
  return 0;
}

static int
teardown (void **state)
{
  model_free (((struct fixture *) *state)->model);
  return 0;
}

/* A whole write of block 1. */
static uint64_t
put (struct fixture *f, bool stable)
{
  uint64_t at, number = model_write_begins (f->model, f, 1, 1, false, &at);

  model_write_ends (f->model, 1, 1, at, stable);
  return number;
}

static bool
get (struct fixture *f, uint64_t number)
{
  uint64_t at = model_read_begins (f->model);

  model_fill (f->model, number, 1, 1, f->data);
  return model_read_ends (f->model, 1, 1, at, f->data);
}

static void
flush (struct fixture *f)
{
  uint64_t at = model_flush_begins (f->model);

  model_flush_ends (f->model, f, at);
}

static void
test_lost_and_stale (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, false), second = put (f, false);

  assert_false (get (f, first));
  assert_int_equal (f->last.wrong, MODEL_LOST);
  assert_int_equal (f->last.number, first);
  assert_int_equal (f->last.expected, second);
  assert_int_equal (f->last.nr_allowed, 1);
  assert_int_equal (f->last.allowed[0], second);
  assert_true (get (f, second));
  assert_false (get (f, first));
  assert_int_equal (f->last.wrong, MODEL_STALE);
  assert_false (get (f, 0));
  assert_int_equal (f->nr_wrong, 3);
}

static void
test_unknown_outcome (void **state)
{
  struct fixture *f = *state;
  uint64_t at, lost, later;

  lost = model_write_begins (f->model, f, 1, 1, false, &at);
  later = put (f, false);
  assert_true (get (f, later));
  assert_true (get (f, lost));
  assert_true (get (f, later));
  assert_false (get (f, 0));
}

static void
test_lost_zeroes (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, false), at;

  assert_int_equal (model_write_begins (f->model, f, 1, 1, true, &at), 0);
  assert_true (get (f, first));
  model_write_ends (f->model, 1, 1, at, false);
  assert_false (get (f, first));
  assert_int_equal (f->last.wrong, MODEL_LOST_ZEROES);
  assert_true (get (f, 0));
  assert_false (get (f, first));
  assert_int_equal (f->last.wrong, MODEL_STALE);
}

/* Block 1. */
static void
trim (struct fixture *f, bool zeroes, bool stable)
{
  uint64_t at;

  model_trim_begins (f->model, f, 1, 1, zeroes, &at);
  model_write_ends (f->model, 1, 1, at, stable);
}

/* Zeroes or as before; but what was read stays so. */
static void
test_trim (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, false), second = put (f, false);

  trim (f, true, true);
  assert_true (get (f, second));
  assert_false (get (f, first));
  assert_true (get (f, 0));
  assert_true (get (f, 0));
  assert_false (get (f, second));
  assert_int_equal (f->last.wrong, MODEL_UNTRIMMED);
  first = put (f, false);
  assert_false (get (f, 0));
  assert_true (get (f, first));
}

/* Two of them: nobody knows which was read. */
static void
test_trim_twice (void **state)
{
  struct fixture *f = *state;
  uint64_t between;

  put (f, false);
  trim (f, true, false);
  between = put (f, false);
  trim (f, true, false);
  assert_true (get (f, 0));
  assert_false (get (f, between));
  put (f, false);
  between = put (f, false);
  trim (f, true, false);
  trim (f, true, false);
  assert_true (get (f, 0));
  assert_true (get (f, between));
}

/* Power takes it back, also when it was read before. */
static void
test_trim_power (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, true);

  trim (f, true, false);
  assert_true (get (f, 0));
  model_power_goes (f->model);
  assert_true (get (f, 0));
  model_power_is_back (f->model);
  assert_true (get (f, first));
  assert_true (get (f, 0));
  assert_false (get (f, first));
  assert_int_equal (f->last.wrong, MODEL_UNTRIMMED);
}

/* That a trim was not lost does not tell whether it did anything; but it is
 * over, and does not come over later writes. */
static void
test_trim_survives (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, true), second;

  model_power_goes (f->model);
  model_power_is_back (f->model);
  trim (f, true, false);
  flush (f);
  assert_true (get (f, first));
  trim (f, true, false);
  model_power_goes (f->model);
  model_power_is_back (f->model);
  flush (f);
  assert_true (get (f, first));
  second = put (f, true);
  assert_false (get (f, 0));
  assert_true (get (f, second));
}

/* Of a device that does not say how its blocks read then. */
static void
test_trim_open (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, false), second = put (f, false), at, third;

  trim (f, false, false);
  assert_true (get (f, 0));
  assert_true (get (f, first));
  assert_true (get (f, second));
  assert_true (get (f, 1234));
  third = put (f, false);
  assert_false (get (f, second));
  assert_true (get (f, third));
  assert_int_equal (model_trim_begins (f->model, f, 1, 1, false, &at),
                    MODEL_ANYTHING);
  put (f, false);
  assert_true (get (f, first));
}

static void
test_torn (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, false), second, at, read_at;
  uint8_t *block = f->data + BLOCK_SIZE;

  read_at = model_read_begins (f->model);
  second = model_write_begins (f->model, f, 1, 1, false, &at);
  model_fill (f->model, first, 1, 1, block);
  model_fill (f->model, second, 1, 1, f->data);
  memcpy (block, f->data, BLOCK_SIZE / 2);
  assert_false (model_read_ends (f->model, 1, 1, read_at, block));
  assert_int_equal (f->last.wrong, MODEL_MIXED);
  model_write_ends (f->model, 1, 1, at, false);
  read_at = model_read_begins (f->model);
  assert_false (model_read_ends (f->model, 1, 1, read_at, block));
  assert_int_equal (f->last.wrong, MODEL_TORN);
  assert_int_equal (f->last.number, second);
  assert_int_equal (f->last.other, first);
}

static void
test_never (void **state)
{
  struct fixture *f = *state;
  uint64_t number = put (f, false), at;

  memset (f->data, 0x5a, BLOCK_SIZE);
  at = model_read_begins (f->model);
  assert_false (model_read_ends (f->model, 1, 1, at, f->data));
  assert_int_equal (f->last.wrong, MODEL_NEVER);
  assert_false (f->last.readable);
  /* Of another block, and of a write that is still to come. */
  model_fill (f->model, number, 2, 1, f->data);
  assert_false (model_read_ends (f->model, 1, 1, at, f->data));
  assert_int_equal (f->last.wrong, MODEL_NEVER);
  assert_false (get (f, number + 1));
  assert_int_equal (f->last.wrong, MODEL_NEVER);
}

static void
test_power (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, false), second, third, during;

  flush (f);
  second = put (f, true);
  third = put (f, false);
  assert_true (get (f, third));
  model_power_goes (f->model);
  during = put (f, false);
  assert_true (get (f, during));
  assert_true (get (f, third));
  assert_true (get (f, second));
  model_power_is_back (f->model);
  assert_true (get (f, second));
  assert_false (get (f, first));
  assert_int_equal (f->last.wrong, MODEL_UNFLUSHED);
  assert_int_equal (f->last.expected, second);
  third = put (f, false);
  assert_false (get (f, second));
  assert_int_equal (f->last.wrong, MODEL_LOST);
}

/* An answer on its way when the power went says nothing of what was lost; what
 * was lost then does not come back over later writes. */
static void
test_power_late_answer (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, true), late, at, second;

  late = model_write_begins (f->model, f, 1, 1, false, &at);
  model_power_goes (f->model);
  model_power_is_back (f->model);
  model_write_ends (f->model, 1, 1, at, false);
  assert_true (get (f, first));
  assert_true (get (f, late));
  flush (f);
  assert_false (get (f, first));
  second = put (f, false);
  model_power_goes (f->model);
  model_power_is_back (f->model);
  assert_true (get (f, late));
  put (f, false);
  assert_false (get (f, second));
  assert_int_equal (f->last.wrong, MODEL_LOST);
}

/* A write whose outcome is unknown may be under way; not when its writer is
 * known to be gone, nor after a loss of power when it was acknowledged. */
static void
test_torn_unknown (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, true), lost, at, read_at;
  uint8_t *block = f->data + BLOCK_SIZE;

  lost = model_write_begins (f->model, f, 1, 1, false, &at);
  model_fill (f->model, first, 1, 1, block);
  model_fill (f->model, lost, 1, 1, f->data);
  memcpy (block, f->data, BLOCK_SIZE / 2);
  read_at = model_read_begins (f->model);
  assert_false (model_read_ends (f->model, 1, 1, read_at, block));
  assert_int_equal (f->last.wrong, MODEL_MIXED);
  model_writer_gone (f->model, NULL);
  read_at = model_read_begins (f->model);
  assert_false (model_read_ends (f->model, 1, 1, read_at, block));
  assert_int_equal (f->last.wrong, MODEL_TORN);
  assert_true (get (f, lost));
  assert_true (get (f, first));
  lost = put (f, false);
  model_fill (f->model, lost, 1, 1, f->data);
  memcpy (block, f->data, BLOCK_SIZE / 2);
  model_power_goes (f->model);
  model_power_is_back (f->model);
  read_at = model_read_begins (f->model);
  assert_false (model_read_ends (f->model, 1, 1, read_at, block));
  assert_int_equal (f->last.wrong, MODEL_TORN);
}

static void
test_forget (void **state)
{
  struct fixture *f = *state;
  uint64_t first = put (f, true), second = put (f, false), at;

  /* A loss of power may bring the first back, but not the zeroes. */
  model_forget (f->model, UINT64_MAX, true);
  model_power_lost (f->model, false);
  assert_true (get (f, first));
  assert_true (get (f, second));
  assert_false (get (f, 0));
  assert_int_equal (f->last.nr_allowed, 2);
  /* What is under way is not forgotten, nor what it may have begun before. */
  at = model_read_begins (f->model);
  second = put (f, true);
  model_forget (f->model, at, false);
  model_fill (f->model, first, 1, 1, f->data);
  assert_true (model_read_ends (f->model, 1, 1, at, f->data));
  model_forget (f->model, UINT64_MAX, false);
  assert_false (get (f, first));
  assert_int_equal (f->last.nr_allowed, 2);     /* one may come again */
  assert_true (get (f, second));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_lost_and_stale, setup, teardown),
    cmocka_unit_test_setup_teardown (test_unknown_outcome, setup, teardown),
    cmocka_unit_test_setup_teardown (test_lost_zeroes, setup, teardown),
    cmocka_unit_test_setup_teardown (test_trim, setup, teardown),
    cmocka_unit_test_setup_teardown (test_trim_twice, setup, teardown),
    cmocka_unit_test_setup_teardown (test_trim_power, setup, teardown),
    cmocka_unit_test_setup_teardown (test_trim_survives, setup, teardown),
    cmocka_unit_test_setup_teardown (test_trim_open, setup, teardown),
    cmocka_unit_test_setup_teardown (test_torn, setup, teardown),
    cmocka_unit_test_setup_teardown (test_never, setup, teardown),
    cmocka_unit_test_setup_teardown (test_power, setup, teardown),
    cmocka_unit_test_setup_teardown (test_power_late_answer, setup, teardown),
    cmocka_unit_test_setup_teardown (test_torn_unknown, setup, teardown),
    cmocka_unit_test_setup_teardown (test_forget, setup, teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
