/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin for QEMU's TCG: counts the instructions that the guest executes,
 * in user and kernel mode, and appends both to a file (its argument
 * marks=NAME) whenever the guest executes mark.h's instruction.
 *
 * Each emulated processor has counters of its own, so that they may run in
 * parallel; a mark reads those of the others a few instructions early or
 * late.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/vm/mark.h"
#include "bench/vm/qemu-plugin.h"

#define VCPUS_MAX 16

int qemu_plugin_version = 1;

static struct {
  _Alignas (64) uint64_t user;
  uint64_t kernel;
} counters[VCPUS_MAX];

static const uint8_t mark[] = { MARK_BYTES };
static FILE *output;

/* How many instructions: udata. */
static void
count_user (unsigned vcpu, void *udata)
{
  counters[vcpu % VCPUS_MAX].user += (uintptr_t) udata;
}

static void
count_kernel (unsigned vcpu, void *udata)
{
  counters[vcpu % VCPUS_MAX].kernel += (uintptr_t) udata;
}

static void
write_counters (unsigned vcpu, void *udata)
{
  uint64_t user = 0, kernel = 0;

  for (unsigned i = 0; i < VCPUS_MAX; i++) {
    user += counters[i].user;
    kernel += counters[i].kernel;
  }
  fprintf (output, "%" PRIu64 " %" PRIu64 "\n", user, kernel);
  fflush (output);
}

static void
translated (qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
  size_t n = qemu_plugin_tb_n_insns (tb);
  int in_kernel = qemu_plugin_tb_vaddr (tb) >> 63;

  qemu_plugin_register_vcpu_tb_exec_cb (tb, in_kernel ? count_kernel
                                        : count_user, QEMU_PLUGIN_CB_NO_REGS,
                                        (void *) (uintptr_t) n);
  for (size_t i = 0; i < n; i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn (tb, i);

    if (qemu_plugin_insn_size (insn) == sizeof mark
        && memcmp (qemu_plugin_insn_data (insn), mark, sizeof mark) == 0)
      qemu_plugin_register_vcpu_insn_exec_cb (insn, write_counters,
                                              QEMU_PLUGIN_CB_NO_REGS, NULL);
  }
}

int
qemu_plugin_install (qemu_plugin_id_t id, const struct qemu_info *info,
                     int argc, char **argv)
{
  if (argc != 1 || strncmp (argv[0], "marks=", 6) != 0)
    return -1;
  output = fopen (argv[0] + 6, "a");
  if (!output)
    return -1;
  qemu_plugin_register_vcpu_tb_trans_cb (id, translated);
  return 0;
}
