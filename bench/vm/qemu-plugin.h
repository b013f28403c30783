/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As much of QEMU's plugin interface as instructions.c uses; Debian packages
 * no header of it.  The names and types are QEMU's ABI, version 1.
 */
#ifndef QBD_BENCH_QEMU_PLUGIN_H
#define QBD_BENCH_QEMU_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

/* What a plugin has. */
#define PLUGIN_EXPORT __attribute__ ((visibility ("default"))) extern
PLUGIN_EXPORT int qemu_plugin_version;
PLUGIN_EXPORT int qemu_plugin_install (qemu_plugin_id_t id,
                                       const struct qemu_info *info,
                                       int argc, char **argv);

/* What QEMU has. */
void qemu_plugin_register_vcpu_tb_trans_cb
  (qemu_plugin_id_t id, void (*) (qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb
  (struct qemu_plugin_tb *tb, void (*) (unsigned vcpu, void *),
   enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_insn_exec_cb
  (struct qemu_plugin_insn *insn, void (*) (unsigned vcpu, void *),
   enum qemu_plugin_cb_flags, void *);
size_t qemu_plugin_tb_n_insns (const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr (const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn
  (const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data (const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size (const struct qemu_plugin_insn *insn);

#endif
