/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instruction by which the guest says "now": it does nothing, and no
 * compiler makes it: nopl 0x71626471 (%rax).
 */
#ifndef QBD_BENCH_MARK_H
#define QBD_BENCH_MARK_H

#define MARK_BYTES 0x0f, 0x1f, 0x80, 0x71, 0x64, 0x62, 0x71
#define MARK_ASM ".byte 0x0f, 0x1f, 0x80, 0x71, 0x64, 0x62, 0x71"

#endif
