/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver's main where there is no libFuzzer: each file that is named, or
 * that a named folder has, is an input; --runs N then makes N more from them,
 * by the driver's own mutations if it has any.  AFL++ runs it with a file.
 */
#include <dirent.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/random.h"
#include "fuzzing/fuzz.h"

#define INPUT_MAX_BYTES (64u << 10)
#define CORPUS_MAX 4096u
#define MUTATIONS_MAX 8u

#pragma weak LLVMFuzzerCustomMutator

static struct input {
  uint8_t *data;
  size_t bytes;
} corpus[CORPUS_MAX];
static unsigned nr_corpus;
static uint64_t random_state;

static uint32_t
below (uint32_t limit)
{
  return random_below (&random_state, limit);
}

size_t
LLVMFuzzerMutate (uint8_t *data, size_t bytes, size_t max_bytes)
{
  if (bytes < max_bytes && (bytes == 0 || below (4) == 0)) {
    data[bytes] = (uint8_t) below (256);
    return bytes + 1;
  }
  switch (below (4)) {
  case 0: return below ((uint32_t) bytes + 1);
  case 1: data[below ((uint32_t) bytes)] ^= (uint8_t) (1u << below (8)); break;
  default: data[below ((uint32_t) bytes)] = (uint8_t) below (256); break;
  }
  return bytes;
}

static void
run (const uint8_t *data, size_t bytes)
{
  /* Exactly its size, for the sanitizers. */
  uint8_t *copy = malloc (bytes);

  if (copy == NULL && bytes > 0)
    abort ();
  if (bytes > 0)
    memcpy (copy, data, bytes);
  LLVMFuzzerTestOneInput (copy, bytes);
  free (copy);
}

static void
take_file (const char *filename)
{
  struct input *input = &corpus[nr_corpus];
  FILE *file = fopen (filename, "r");

  if (file == NULL) {
    perror (filename);
    exit (2);
  }
  input->data = malloc (INPUT_MAX_BYTES);
  if (input->data == NULL)
    abort ();
  input->bytes = fread (input->data, 1, INPUT_MAX_BYTES, file);
  fclose (file);
  run (input->data, input->bytes);
  if (nr_corpus < CORPUS_MAX - 1)
    nr_corpus++;
  else
    free (input->data);
}

static void
take (const char *name)
{
  char path[4096];
  struct stat st;
  struct dirent *entry;
  DIR *dir;

  if (stat (name, &st) == -1 || !S_ISDIR (st.st_mode)) {
    take_file (name);
    return;
  }
  dir = opendir (name);
  if (dir == NULL) {
    perror (name);
    exit (2);
  }
  while ((entry = readdir (dir)))
    if (entry->d_name[0] != '.') {
      snprintf (path, sizeof path, "%s/%s", name, entry->d_name);
      take (path);
    }
  closedir (dir);
}

static void
run_mutated (void)
{
  static uint8_t data[INPUT_MAX_BYTES];
  const struct input *from = &corpus[below (nr_corpus + 1)];
  size_t bytes = from->bytes;

  if (bytes > 0)
    memcpy (data, from->data, bytes);
  for (uint32_t i = below (MUTATIONS_MAX) + 1; i > 0; i--)
    if (LLVMFuzzerCustomMutator)
      bytes = LLVMFuzzerCustomMutator (data, bytes, sizeof data,
                                       below (UINT32_MAX));
    else
      bytes = LLVMFuzzerMutate (data, bytes, sizeof data);
  run (data, bytes);
}

int
main (int argc, char *argv[])
{
  static const struct option options[] = {
    { "runs", required_argument, NULL, 'r' },
    { "seed", required_argument, NULL, 's' },
    { "verbose", no_argument, NULL, 'v' },
    { NULL, 0, NULL, 0 },
  };
  unsigned long runs = 0, seed = 1, i;
  bool verbose = false;
  int c;

  while ((c = getopt_long (argc, argv, "", options, NULL)) != -1)
    switch (c) {
    case 'r': runs = strtoul (optarg, NULL, 0); break;
    case 'v': verbose = true; break;
    case 's': seed = strtoul (optarg, NULL, 0); break;
    default:
      fprintf (stderr, "Usage: %s [--runs N] [--seed N] [--verbose] [FILE|DIR]...\n",
               argv[0]);
      return 2;
    }
  for (; optind < argc; optind++)
    take (argv[optind]);
  for (i = 0; i < runs; i++) {
    if (verbose)
      fprintf (stderr, "run %lu\n", i);
    random_state = (seed << 32) + i;
    run_mutated ();
  }
  printf ("%u inputs, %lu made from them\n", nr_corpus, runs);
  for (i = 0; i < nr_corpus; i++)
    free (corpus[i].data);
  return 0;
}
