/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The allocators of libc, counted.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/allocations.h"

_Atomic bool allocations_armed;
_Atomic unsigned nr_allocations;

void *__libc_malloc (size_t);
void *__libc_calloc (size_t, size_t);
void *__libc_realloc (void *, size_t);
void *__libc_memalign (size_t, size_t);

static void
count (void)
{
  if (allocations_armed)
    nr_allocations++;
}

void *
malloc (size_t n)
{
  count ();
  return __libc_malloc (n);
}

void *
calloc (size_t n, size_t m)
{
  count ();
  return __libc_calloc (n, m);
}

void *
realloc (void *p, size_t n)
{
  count ();
  return __libc_realloc (p, n);
}

void *
aligned_alloc (size_t alignment, size_t n)
{
  count ();
  return __libc_memalign (alignment, n);
}

int
posix_memalign (void **p, size_t alignment, size_t n)
{
  count ();
  *p = __libc_memalign (alignment, n);
  return *p ? 0 : ENOMEM;
}
