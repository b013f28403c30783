/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * working-set MIB ROUNDS: memory that is used again and again.
 *
 * Each page is full of a word that no other page has, and no other round of
 * it.  A round finds every page as the round before left it, and writes it
 * anew; after the last one all are compared once more.  It says when a round
 * is over, and ends with 1 and a line that names the page when one is not as
 * it was.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096, PAGE_WORDS = PAGE_BYTES / sizeof (uint64_t) };

static uint64_t
word_of (uint64_t page, uint64_t round)
{
  return (page << 16 | round) * UINT64_C (0x9e3779b97f4a7c15);
}

static void
fill (uint64_t *words, uint64_t word)
{
  for (unsigned i = 0; i < PAGE_WORDS; i++)
    words[i] = word;
}

static void
compare (const uint64_t *words, uint64_t page, uint64_t round)
{
  uint64_t word = word_of (page, round);

  for (unsigned i = 0; i < PAGE_WORDS; i++)
    if (words[i] != word) {
      fprintf (stderr, "working-set: page %" PRIu64 ", word %u, round %"
               PRIu64 ": %016" PRIx64 " instead of %016" PRIx64 "\n", page, i,
               round, words[i], word);
      exit (EXIT_FAILURE);
    }
}

int
main (int argc, char *argv[])
{
  uint64_t pages, rounds, *memory;

  if (argc != 3) {
    fputs ("usage: working-set MIB ROUNDS\n", stderr);
    return 2;
  }
  pages = strtoull (argv[1], NULL, 10) * (1 << 20) / PAGE_BYTES;
  rounds = strtoull (argv[2], NULL, 10);
  memory = mmap (NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror ("working-set: mmap");
    return EXIT_FAILURE;
  }
  for (uint64_t round = 0; round <= rounds; round++) {
    for (uint64_t page = 0; page < pages; page++) {
      uint64_t *words = memory + page * PAGE_WORDS;

      if (round > 0)
        compare (words, page, round - 1);
      if (round < rounds)
        fill (words, word_of (page, round));
    }
    printf ("working-set: round %" PRIu64 " is over\n", round);
    fflush (stdout);
  }
  return EXIT_SUCCESS;
}
