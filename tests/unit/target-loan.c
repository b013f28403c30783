/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large reads of a file in tmpfs, whose data are sent from where they are:
 * what arrives, what is left alone, and that nobody waits for a host that does
 * not read.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/vfs.h>

#include <linux/magic.h>

#include "server/transport/transport.h"
#include "tests/unit/engine-helpers.h"
#include "tests/unit/server-fixture.h"

enum { MIB = 1 << 20, SIZE_MIB = 24, MIB_BLOCKS = MIB / 512 };

static char *directory;
static struct server server;
static struct host admin, io;
static uint8_t data[MIB];

/* --- how often it lends ------------------------------------------------------- */

static struct engine_ops counting_ops;
static int (*real_end_loan) (struct engine_volume *volume,
                             struct engine_request *request,
                             uint64_t from_bytes);
static int (*real_submit) (struct engine_volume *volume,
                           struct engine_request *request);
static _Atomic unsigned loans, copies;
static atomic_bool cuts;        /* what is lent, in the midst */

static int
counting_end_loan (struct engine_volume *volume,
                   struct engine_request *request, uint64_t from_bytes)
{
  atomic_fetch_add (&loans, 1);
  if (from_bytes < request->length_bytes)
    atomic_fetch_add (&copies, 1);
  return real_end_loan (volume, request, from_bytes);
}

static void
cut_file (uint64_t length_bytes)
{
  char *volumes = join (directory, "volumes");
  char *file = join (volumes, "vol.raw");

  assert_int_equal (truncate (file, (off_t) length_bytes), 0);
  free (file);
  free (volumes);
}

static int
cutting_submit (struct engine_volume *volume, struct engine_request *request)
{
  int r = real_submit (volume, request);

  if (r == 0 && request->lent && atomic_exchange (&cuts, false))
    cut_file (request->offset_bytes + request->length_bytes / 2);
  return r;
}

static void
count_loans (void)
{
  counting_ops = *server.volume->ops;
  real_submit = counting_ops.submit;
  counting_ops.submit = cutting_submit;
  real_end_loan = counting_ops.end_loan;
  counting_ops.end_loan = counting_end_loan;
  server.volume->ops = &counting_ops;
  atomic_store (&loans, 0);
  atomic_store (&copies, 0);
}

/* --- commands ----------------------------------------------------------------- */

static uint16_t
read_status (uint64_t slba, uint32_t blocks)
{
  union nvme_command sqe = {
    .rw = host_rw (nvme_cmd_read, slba, (uint16_t) blocks),
  };

  return host_status (&io, &sqe, HOST_READ, data, blocks * 512);
}

/* Each block begins with its number, and is of this byte else. */
static void
make_blocks (uint64_t slba, uint32_t blocks, int byte)
{
  memset (data, byte, blocks * 512);
  for (uint32_t i = 0; i < blocks; i++) {
    uint64_t number = slba + i;

    memcpy (data + 512 * i, &number, sizeof number);
  }
}

static void
check_blocks (uint64_t slba, uint32_t blocks, int byte)
{
  for (uint32_t i = 0; i < blocks; i++) {
    const uint8_t *block = data + 512 * i;
    uint64_t number;

    memcpy (&number, block, sizeof number);
    assert_int_equal (number, slba + i);
    assert_filled (block + 8, 504, byte);
  }
}

static void
write_mib (struct host *host, unsigned mib, int byte)
{
  uint64_t slba = (uint64_t) mib * MIB_BLOCKS;
  union nvme_command sqe = {
    .rw = host_rw (nvme_cmd_write, slba, MIB_BLOCKS),
  };

  make_blocks (slba, MIB_BLOCKS, byte);
  assert_int_equal (host_status (host, &sqe, HOST_SOLICITED, data, MIB), 0);
}

static int
setup (void **state)
{
  struct statfs fs;

  if (statfs ("/dev/shm", &fs) < 0 || fs.f_type != TMPFS_MAGIC)
    return 0;                   /* each test skips */
  directory = make_dir ("/dev/shm");
  server_start (&server, &(struct server_options) {
    .size_bytes = (uint64_t) SIZE_MIB << 20, .directory = directory,
  });
  count_loans ();
  return 0;
}

static int
teardown (void **state)
{
  if (directory) {
    server_stop (&server);
    remove_dir (directory);
  }
  directory = NULL;
  return 0;
}

static void
begin (uint8_t digests)
{
  if (!directory)
    skip ();
  host_attach (&admin, &io, &server, digests);
}

static void
end (void)
{
  host_close (&io);
  host_close (&admin);
}

static uint64_t
allocated_bytes (void)
{
  uint64_t bytes;
  struct error err;

  assert_int_equal (engine_file.volume_allocated (server.volume, &bytes,
                                                  &err), 0);
  return bytes;
}

/* --- tests -------------------------------------------------------------------- */

static void
test_what_arrives (void **state)
{
  static const struct { uint64_t slba; uint32_t blocks; } reads[] = {
    { 0, MIB_BLOCKS }, { 1, MIB_BLOCKS }, { 77, 300 }, { MIB_BLOCKS - 1, 257 },
    { MIB_BLOCKS, 256 }, { 2 * MIB_BLOCKS, MIB_BLOCKS },
  };
  unsigned n = sizeof reads / sizeof reads[0];

  begin (0);
  for (unsigned mib = 0; mib < 3; mib++)
    write_mib (&io, mib, 0x5a);
  for (unsigned i = 0; i < n; i++) {
    memset (data, 0, sizeof data);
    assert_int_equal (read_status (reads[i].slba, reads[i].blocks), 0);
    check_blocks (reads[i].slba, reads[i].blocks, 0x5a);
  }
  assert_int_equal (atomic_load (&loans), n);
  end ();
}

/* A page that is looked at by way of a map is there from then on. */
static void
test_holes_stay (void **state)
{
  begin (0);
  write_mib (&io, 1, 1);
  assert_int_equal (allocated_bytes (), MIB);
  assert_int_equal (read_status (0, MIB_BLOCKS), 0);
  assert_filled (data, MIB, 0);
  assert_int_equal (read_status (MIB_BLOCKS + 1, MIB_BLOCKS), 0);
  assert_filled (data + MIB - 512, 512, 0);
  assert_int_equal (allocated_bytes (), MIB);
  assert_int_equal (atomic_load (&loans), 0);
  end ();
}

/* Of a file that is neither ours nor to be written the kernel does not tell. */
static void
test_holes_of_others_stay (void **state)
{
  const uid_t nobody = 65534;

  if (geteuid () != 0)
    skip ();
  begin (0);
  server.volume->read_only = true;
  assert_int_equal (seteuid (nobody), 0);
  assert_int_equal (read_status (0, MIB_BLOCKS), 0);
  assert_int_equal (seteuid (0), 0);
  assert_filled (data, MIB, 0);
  assert_int_equal (allocated_bytes (), 0);
  assert_int_equal (atomic_load (&loans), 0);
  end ();
}

static void
test_digests_look (void **state)
{
  begin (NVME_TCP_DIGEST_DATA);
  write_mib (&io, 0, 2);
  assert_int_equal (read_status (0, MIB_BLOCKS), 0);
  check_blocks (0, MIB_BLOCKS, 2);
  assert_int_equal (atomic_load (&loans), 0);
  end ();
}

/* Where the file has been cut there is nothing to send. */
static void
test_cut (void **state)
{
  begin (0);
  write_mib (&io, 0, 3);
  write_mib (&io, 1, 3);
  assert_int_equal (read_status (0, MIB_BLOCKS), 0);
  assert_int_equal (atomic_load (&loans), 1);
  cut_file (MIB);
  assert_int_not_equal (read_status (MIB_BLOCKS, MIB_BLOCKS), 0);
  assert_int_equal (read_status (0, MIB_BLOCKS), 0);
  check_blocks (0, MIB_BLOCKS, 3);
  end ();
}

/* It is cut when half of it may be on its way: the connection ends, as no status
 * can follow any more, and nobody else's.  The volume is known to be damaged
 * from then on. */
static void
test_cut_while_lent (void **state)
{
  union nvme_command sqe = {
    .rw = host_rw (nvme_cmd_read, MIB_BLOCKS, MIB_BLOCKS),
  }, write = { .rw = host_rw (nvme_cmd_write, 0, 1) };
  struct host other_admin, other;

  begin (0);
  host_attach (&other_admin, &other, &server, 0);
  write_mib (&io, 0, 8);
  write_mib (&io, 1, 8);
  atomic_store (&cuts, true);
  host_begin (&io, &sqe, HOST_READ, NULL, MIB);
  host_expect_end (&io);
  host_close (&io);
  io = other;
  assert_int_not_equal (host_status (&io, &write, HOST_IN_CAPSULE, data, 512),
                        0);
  assert_int_not_equal (read_status (MIB_BLOCKS, MIB_BLOCKS), 0);
  assert_int_equal (read_status (0, MIB_BLOCKS), 0);
  check_blocks (0, MIB_BLOCKS, 8);
  host_close (&other_admin);
  end ();
}

/* What it grew by is not in the map. */
static void
test_grown (void **state)
{
  uint64_t slba = (uint64_t) SIZE_MIB * MIB_BLOCKS;
  struct error err;

  begin (0);
  assert_int_equal (engine_file.volume_resize
                    (server.volume, (uint64_t) (SIZE_MIB + 2) << 20, &err),
                    0);
  subsystem_resized (server.subsystem);
  write_mib (&io, SIZE_MIB, 4);
  write_mib (&io, SIZE_MIB + 1, 4);
  assert_int_equal (read_status (slba, MIB_BLOCKS), 0);
  check_blocks (slba, MIB_BLOCKS, 4);
  assert_int_equal (atomic_load (&loans), 0);
  end ();
}

/* One host asks for everything and takes nothing.  Another one writes all of
 * it; then the first one reads on. */
static void
test_nobody_waits (void **state)
{
  struct host other_admin, other;
  union nvme_tcp_pdu pdu;
  union nvme_command sqe;
  unsigned reads = 0;

  begin (0);
  host_attach (&other_admin, &other, &server, 0);
  for (unsigned mib = 0; mib < SIZE_MIB; mib++)
    write_mib (&io, mib, 5);
  for (unsigned mib = 0; mib < SIZE_MIB; mib++) {
    sqe.rw = host_rw (nvme_cmd_read, (uint64_t) mib * MIB_BLOCKS, MIB_BLOCKS);
    host_begin (&io, &sqe, HOST_READ, NULL, MIB);
  }
  /* The socket may also have taken all data of the last loan, and be full. */
  WAIT_UNTIL (atomic_load (&copies) > 0 || atomic_load (&loans) > 1);
  for (unsigned mib = 0; mib < SIZE_MIB; mib++)
    write_mib (&other, mib, 6);
  while (reads < SIZE_MIB) {
    host_read_pdu (&io, &pdu, data, sizeof data);
    if (pdu.hdr.type == NVME_TCP_C2H_DATA) {
      /* Either is right, but not a mix. */
      for (uint32_t i = 0; i < MIB_BLOCKS; i++) {
        const uint8_t *block = data + 512 * i;

        assert_true (block[8] == 5 || block[8] == 6);
        assert_filled (block + 8, 504, block[8]);
      }
      reads++;
    }
  }
  host_close (&other);
  host_close (&other_admin);
  end ();
}

/* The connection ends under it. */
static void
test_gone (void **state)
{
  union nvme_command sqe;

  begin (0);
  for (unsigned mib = 0; mib < SIZE_MIB; mib++)
    write_mib (&io, mib, 7);
  for (unsigned mib = 0; mib < SIZE_MIB; mib++) {
    sqe.rw = host_rw (nvme_cmd_read, (uint64_t) mib * MIB_BLOCKS, MIB_BLOCKS);
    host_begin (&io, &sqe, HOST_READ, NULL, MIB);
  }
  WAIT_UNTIL (atomic_load (&loans) > 0);
  end ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_what_arrives, setup, teardown),
    cmocka_unit_test_setup_teardown (test_holes_stay, setup, teardown),
    cmocka_unit_test_setup_teardown (test_holes_of_others_stay, setup,
                                     teardown),
    cmocka_unit_test_setup_teardown (test_digests_look, setup, teardown),
    cmocka_unit_test_setup_teardown (test_cut, setup, teardown),
    cmocka_unit_test_setup_teardown (test_cut_while_lent, setup, teardown),
    cmocka_unit_test_setup_teardown (test_grown, setup, teardown),
    cmocka_unit_test_setup_teardown (test_nobody_waits, setup, teardown),
    cmocka_unit_test_setup_teardown (test_gone, setup, teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
