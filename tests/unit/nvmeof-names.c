/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statuses and names: what crosses the wire and comes back to a person.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nvme/types.h>

#include "nvmeof/command-describe.h"
#include "nvmeof/nqn.h"
#include "nvmeof/status.h"

#define COUNT(array) (sizeof array / sizeof array[0])
#define DOMAIN "01234567-89ab-cdef-0123-456789ABCDEF"

/* --- status -------------------------------------------------------------- */

static void
status_round_trip (void **state)
{
  static const int kept[] = { 0, ENOSPC, EROFS, EPERM, EIO, EINVAL,
                              EOPNOTSUPP };
  static const struct { int from, to; } changed[] = {
    { EDQUOT, ENOSPC }, { EFBIG, ENOSPC }, { EACCES, EPERM },
    { ENOSYS, EOPNOTSUPP }, { ENOMEM, EIO }, { EAGAIN, EIO }, { EBUSY, EIO },
    { ETIMEDOUT, EIO }, { ENODATA, EIO }, { ESHUTDOWN, EIO },
    { 99999, EIO },
  };

  for (size_t i = 0; i < COUNT (kept); i++)
    assert_int_equal (status_to_errno (status_from_errno (kept[i])), kept[i]);
  for (size_t i = 0; i < COUNT (changed); i++)
    assert_int_equal (status_to_errno (status_from_errno (changed[i].from)),
                      changed[i].to);
}

/* The numbers on the wire, and whether the host should try again. */
static void
status_on_the_wire (void **state)
{
  static const struct { int err; uint16_t status; } table[] = {
    { 0, 0x0000 }, { ENOSPC, 0x4081 }, { EROFS, 0x4020 }, { EPERM, 0x4015 },
    { EIO, 0x4006 }, { EINVAL, 0x4002 }, { EOPNOTSUPP, 0x4001 },
    { ENOMEM, 0x0082 }, { EAGAIN, 0x0082 }, { EBUSY, 0x0082 },
    { ESHUTDOWN, 0x0300 },
  };

  for (size_t i = 0; i < COUNT (table); i++)
    assert_int_equal (status_from_errno (table[i].err), table[i].status);
}

/* What nvmet, SPDK and devices behind them send. */
static void
status_of_peers (void **state)
{
  static const struct { uint16_t status; int err; const char *name; }
  table[] = {
    { 0x000, 0, "Successful Completion" },
    { 0x001, EOPNOTSUPP, "Invalid Command Opcode" },
    { 0x002, EINVAL, "Invalid Field in Command" },
    { 0x004, EIO, "Data Transfer Error" },
    { 0x006, EIO, "Internal Error" },
    { 0x00b, EIO, "Invalid Namespace or Format" },
    { 0x015, EPERM, "Operation Denied" },
    { 0x020, EROFS, "Namespace is Write Protected" },
    { 0x080, EINVAL, "LBA Out of Range" },
    { 0x081, ENOSPC, "Capacity Exceeded" },
    { 0x082, EIO, "Namespace Not Ready" },
    { 0x083, EPERM, "Reservation Conflict" },
    { 0x115, ENOSPC, "Namespace Insufficient Capacity" },
    { 0x182, EROFS, "Attempted Write to Read Only Range" },
    { 0x183, EOPNOTSUPP,        /* nvmet's EOPNOTSUPP */
      "Command Size Limit Exceeded" },
    { 0x280, EIO, "Write Fault" },
    { 0x281, EIO, "Unrecovered Read Error" },
    { 0x286, EIO, "Access Denied" },    /* nvmet's ENODATA */
    { 0x303, EIO, "Asymmetric Access Transition" },
    { 0x370, EIO, "Host Pathing Error" },
    { 0x07f, EIO, "unknown generic status" },
    { 0x1ff, EIO, "unknown command specific status" },
    { 0x2ff, EIO, "unknown media error" },
    { 0x3ff, EIO, "unknown path error" },
    { 0x4ff, EIO, "unknown status" },
    { 0x7ff, EIO, "vendor specific status" },
  };

  for (size_t i = 0; i < COUNT (table); i++)
    for (unsigned high = 0; high < 16; high++) {
      /* CRD, More and DNR change nothing. */
      uint16_t status = (uint16_t) (table[i].status | high << 11);

      assert_int_equal (status_to_errno (status), table[i].err);
      assert_string_equal (status_name (status), table[i].name);
    }
  for (unsigned status = 0; status <= 0x7ff; status++) {
    assert_true ((status_to_errno ((uint16_t) status) == 0) == (status == 0));
    assert_non_null (status_name ((uint16_t) status));
    assert_true ((status_connect_to_errno ((uint16_t) status) == 0) ==
                 (status == 0));
    assert_non_null (status_connect_name ((uint16_t) status));
  }
}

static void
status_of_connect (void **state)
{
  static const struct { uint16_t status; int err; const char *name; }
  table[] = {
    { 0x4180, EPROTO, "Connect Incompatible Format" },
    { 0x0181, EBUSY, "Connect Controller Busy" },
    { 0x4182, ENOENT, "Connect Invalid Parameters" },
    { 0x0183, ENOENT, "Connect Restart Discovery" },
    { 0x4184, EACCES, "Connect Invalid Host" },
    { 0x4191, EACCES, "Authentication Required" },
    { 0x4002, EINVAL, "Invalid Field in Command" },
    { 0x0006, EIO, "Internal Error" },
    { 0x0000, 0, "Successful Completion" },
  };

  for (size_t i = 0; i < COUNT (table); i++) {
    assert_int_equal (status_connect_to_errno (table[i].status),
                      table[i].err);
    assert_string_equal (status_connect_name (table[i].status),
                         table[i].name);
  }
}

/* --- names --------------------------------------------------------------- */

static void
name_rules (void **state)
{
  static const char *const good[] = {
    "a", "Z", "0", "_", "disk", "disk-1.img", "A+b_c", "a.b.c", "0.", "a-",
  };
  static const struct { const char *name, *message; } bad[] = {
    { "", "pool: the name is empty" },
    { "/", "pool: /: a name cannot hold '/'" },
    { "a/b", "pool: a/b: a name cannot hold '/'" },
    { "..", "pool: ..: a name cannot hold '..'" },
    { "a..b", "pool: a..b: a name cannot hold '..'" },
    { "../etc", "pool: ../etc: a name cannot hold '/'" },
    { ".hidden", "pool: .hidden: a name begins with a letter, a digit or '_'" },
    { ".", "pool: .: a name begins with a letter, a digit or '_'" },
    { "-rf", "pool: -rf: a name begins with a letter, a digit or '_'" },
    { "+a", "pool: +a: a name begins with a letter, a digit or '_'" },
    { "a b", "pool: a b: a name holds only letters, digits and . _ - +" },
    { "a:b", "pool: a:b: a name holds only letters, digits and . _ - +" },
    { "a@b", "pool: a@b: a name holds only letters, digits and . _ - +" },
    { "a\nb", "pool: a?b: a name holds only letters, digits and . _ - +" },
    { "caf\xc3\xa9",
      "pool: caf\xc3\xa9: a name holds only letters, digits and . _ - +" },
    { "a\\b", "pool: a\\b: a name holds only letters, digits and . _ - +" },
    { "a%b", "pool: a%b: a name holds only letters, digits and . _ - +" },
  };
  struct error err;

  for (size_t i = 0; i < COUNT (good); i++)
    assert_int_equal (name_check ("pool", good[i], &err), 0);
  for (size_t i = 0; i < COUNT (bad); i++) {
    assert_int_equal (name_check ("pool", bad[i].name, &err), -EINVAL);
    assert_int_equal (err.code, EINVAL);
    assert_string_equal (err.message, bad[i].message);
  }
  /* Every byte alone: 63 may begin a name, no other. */
  for (unsigned c = 1; c < 256; c++) {
    char name[2] = { (char) c, '\0' };
    bool first = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 (c >= '0' && c <= '9') || c == '_';

    assert_int_equal (name_check ("volume", name, &err), first ? 0 : -EINVAL);
  }
}

static void
name_splitting (void **state)
{
  static const struct { const char *text; int code; const char *message; }
  bad[] = {
    { "", EINVAL, "volume: the name is empty (expected POOL/VOL)" },
    { "disk", EINVAL,
      "volume: disk: the pool is missing (expected POOL/VOL)" },
    { "/disk", EINVAL, "pool: the name is empty" },
    { "pool/", EINVAL, "volume: the name is empty" },
    { "/", EINVAL, "pool: the name is empty" },
    { "a/b/c", EINVAL, "volume: b/c: a name cannot hold '/'" },
    { "../b", EINVAL, "pool: ..: a name cannot hold '..'" },
    { "a/..", EINVAL, "volume: ..: a name cannot hold '..'" },
    { "a/b@", EINVAL, "snapshot: the name is empty" },
    { "a/@snap", EINVAL, "volume: the name is empty" },
    { "a/b@c@d", EINVAL,
      "snapshot: c@d: a name holds only letters, digits and . _ - +" },
  };
  char pool[NVMEOF_NQN_MAX + 1] = "keep", vol[NVMEOF_NQN_MAX + 1] = "keep";
  char text[600];
  struct error err;

  for (size_t i = 0; i < COUNT (bad); i++) {
    assert_int_equal (name_split (bad[i].text, pool, vol, &err),
                      -bad[i].code);
    assert_string_equal (err.message, bad[i].message);
    assert_string_equal (pool, "keep");
    assert_string_equal (vol, "keep");
  }
  assert_int_equal (name_split ("demo/disk@snap", pool, vol, &err), 0);
  assert_string_equal (vol, "disk@snap");
  assert_int_equal (name_split ("demo/disk", pool, vol, &err), 0);
  assert_string_equal (pool, "demo");
  assert_string_equal (vol, "disk");

  /* As long as the buffers hold, and a byte more, in either half. */
  memset (text, 'a', sizeof text);
  text[223] = '/';
  text[223 + 1 + 223] = '\0';
  assert_int_equal (name_split (text, pool, vol, &err), 0);
  assert_int_equal (strlen (pool), 223);
  assert_int_equal (strlen (vol), 223);
  text[223 + 1 + 223] = 'a';
  text[223 + 1 + 224] = '\0';
  assert_int_equal (name_split (text, pool, vol, &err), -ENAMETOOLONG);
  assert_non_null (strstr (err.message, ": the name is too long"));
  text[223] = 'a';
  text[224] = '/';
  text[226] = '\0';
  assert_int_equal (name_split (text, pool, vol, &err), -ENAMETOOLONG);
  assert_int_equal (strlen (pool), 223);
}

static void
nqn_building (void **state)
{
  char nqn[NVMEOF_NQN_MAX + 1] = "keep", vol[300];
  const size_t head = strlen (NQN_PREFIX ":" DOMAIN ":demo/");
  struct error err;

  assert_int_equal (nqn_of_volume (DOMAIN, "demo", "disk", nqn, &err), 0);
  assert_string_equal (nqn, "nqn.2026-11.org.qbd:" DOMAIN ":demo/disk");
  assert_string_equal (nqn_volume_name (nqn), "demo/disk");
  assert_true (nqn_field_valid (nqn, sizeof nqn));

  memset (vol, 'v', sizeof vol);
  vol[NVMEOF_NQN_MAX - head] = '\0';
  assert_int_equal (nqn_of_volume (DOMAIN, "demo", vol, nqn, &err), 0);
  assert_int_equal (strlen (nqn), NVMEOF_NQN_MAX);
  assert_true (nqn_field_valid (nqn, sizeof nqn));

  strcpy (nqn, "keep");
  vol[NVMEOF_NQN_MAX - head] = 'v';
  vol[NVMEOF_NQN_MAX - head + 1] = '\0';
  assert_int_equal (nqn_of_volume (DOMAIN, "demo", vol, nqn, &err),
                    -ENAMETOOLONG);
  assert_non_null (strstr (err.message, ": the name is too long: its NQN "
                           "would have 224 bytes, 223 at most"));
  assert_string_equal (nqn, "keep");
}

static void
nqn_of_others (void **state)
{
  static const char *const foreign[] = {
    "", "nqn.", NVMEOF_DISCOVERY_NQN,
    "nqn.2014-08.org.nvmexpress:uuid:" DOMAIN,
    "nqn.2026-11.org.qbd",
    "nqn.2026-11.org.qbd:",
    "nqn.2026-11.org.qbd:demo/disk",
    "nqn.2026-11.org.qbd:" DOMAIN,
    "nqn.2026-11.org.qbd:" DOMAIN ":",
    "nqn.2026-11.org.qbd:" DOMAIN ":demo",
    "nqn.2026-11.org.qbd:" DOMAIN ":demo/",
    "nqn.2026-11.org.qbd:" DOMAIN ":/disk",
    "nqn.2026-11.org.qbd:" DOMAIN ":demo/..",
    "nqn.2026-11.org.qbd:" DOMAIN ":a/b/c",
    "nqn.2026-11.org.qbd:" DOMAIN "0:demo/disk",
    "nqn.2026-11.org.qbd:g1234567-89ab-cdef-0123-456789ABCDEF:demo/disk",
    "nqn.2026-11.org.qbd:0123456789ab-cdef-0123-456789ABCDEF-:demo/disk",
    "nqn.2026-11.org.qbdx:" DOMAIN ":demo/disk",
    " nqn.2026-11.org.qbd:" DOMAIN ":demo/disk",
  };

  for (size_t i = 0; i < COUNT (foreign); i++)
    assert_null (nqn_volume_name (foreign[i]));
}

static void
nqn_fields (void **state)
{
  char field[256];

  memset (field, 0, sizeof field);
  assert_false (nqn_field_valid (field, sizeof field));
  strcpy (field, "nqn.2014-08.org.nvmexpress:uuid:" DOMAIN);
  assert_true (nqn_field_valid (field, sizeof field));
  /* What follows the NUL does not matter. */
  memset (field + 100, 0xff, 156);
  assert_true (nqn_field_valid (field, sizeof field));

  memset (field, 'x', sizeof field);
  memcpy (field, "nqn.", 4);
  assert_false (nqn_field_valid (field, sizeof field));     /* no NUL */
  field[223] = '\0';
  assert_true (nqn_field_valid (field, sizeof field));
  assert_true (nqn_field_valid (field, 224));
  assert_false (nqn_field_valid (field, 223));
  field[223] = 'x';
  field[224] = '\0';
  assert_false (nqn_field_valid (field, sizeof field));     /* too long */
  field[10] = '\0';

  for (unsigned c = 1; c < 256; c++) {
    field[6] = (char) c;
    assert_int_equal (nqn_field_valid (field, sizeof field),
                      c > 0x20 && c < 0x7f);
  }
  field[6] = 'x';
  field[0] = 'N';
  assert_false (nqn_field_valid (field, sizeof field));
  strcpy (field, "nqn");
  assert_false (nqn_field_valid (field, sizeof field));
  strcpy (field, "iqn.1994-05.com.example");
  assert_false (nqn_field_valid (field, sizeof field));
}

/* --- commands ------------------------------------------------------------- */

static void
commands_in_words (void **state)
{
  union nvme_command sqe = {
    .rw = { .opcode = nvme_cmd_write, .slba = cpu_to_le64 (3),
            .nlb_0based = cpu_to_le16 (7) },
  };
  const struct nvme_dsm_range range = {
    .nlb = cpu_to_le32 (2), .slba = cpu_to_le64 (5),
  };
  struct command_description d;

  command_describe (&sqe, false, 512, NULL, &d);
  assert_string_equal (d.op, "write");
  assert_int_equal (d.offset_bytes, 1536);
  assert_int_equal (d.length_bytes, 4096);
  /* Nobody has checked what a peer says. */
  sqe.rw.slba = cpu_to_le64 (UINT64_MAX);
  command_describe (&sqe, false, 4096, NULL, &d);
  assert_int_equal (d.offset_bytes, INT64_MAX);
  sqe.common.opcode = nvme_cmd_dsm;
  command_describe (&sqe, false, 512, &range, &d);
  assert_string_equal (d.op, "discard");
  assert_int_equal (d.offset_bytes, 2560);
  assert_int_equal (d.length_bytes, 1024);
  command_describe (&sqe, false, 512, NULL, &d);
  assert_int_equal (d.length_bytes, 0);
  /* On the admin queue the same opcode is another command. */
  sqe.common.opcode = nvme_admin_get_log_page;
  command_describe (&sqe, true, 512, NULL, &d);
  assert_string_equal (d.op, "log-page");
  assert_int_equal (d.length_bytes, 0);
  for (unsigned opcode = 0; opcode < 256; opcode++) {
    sqe.common.opcode = (uint8_t) opcode;
    command_describe (&sqe, opcode & 1, 512, NULL, &d);
    assert_non_null (d.op);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (status_round_trip),
    cmocka_unit_test (status_on_the_wire),
    cmocka_unit_test (status_of_peers),
    cmocka_unit_test (status_of_connect),
    cmocka_unit_test (name_rules),
    cmocka_unit_test (name_splitting),
    cmocka_unit_test (nqn_building),
    cmocka_unit_test (nqn_of_others),
    cmocka_unit_test (nqn_fields),
    cmocka_unit_test (commands_in_words),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
