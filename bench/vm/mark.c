/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In the guest: tells instructions.c that the next piece begins.
 */
#include "bench/vm/mark.h"

int
main (void)
{
  __asm__ volatile (MARK_ASM);
  return 0;
}
