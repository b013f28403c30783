/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What hosts check in Identify data and in the discovery log, checked in pages
 * that nvme-host.py has saved:
 *
 *   identify-pages volume DIR NQN UUID SIZE_BYTES BLOCK_SIZE
 *   identify-pages discovery DIR ADDRESS PORT NQN...
 *   identify-pages same DIR DIR        two controllers of one subsystem
 *
 * The structures are libnvme's; nothing of the project is used, so that a field
 * in the wrong place, or a value that only our own client understands, shows.
 * (Base 2.0 section 5.17; the "must" of each line is what Linux 6.1 checks.)
 */
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nvme/types.h>

static unsigned nr_wrong;

#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) {                                                 \
      fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,       \
               #condition);                                             \
      nr_wrong++;                                                       \
    }                                                                   \
  } while (0)

struct registers {
  uint64_t cap;
  uint32_t vs;
  uint16_t cntlid;              /* as Connect returned it */
  uint16_t pad;
};

#define le16(field) le16toh ((uint16_t) (field))
#define le32(field) le32toh ((uint32_t) (field))
#define le64(field) le64toh ((uint64_t) (field))

enum { FILES_MAX = 8, FILE_MAX_BYTES = 1 << 20 };

/* The file of exactly so many bytes, or, with 0, of any size. */
static void *
load (const char *dir, const char *name, size_t bytes, size_t *got)
{
  static uint8_t pages[FILES_MAX][FILE_MAX_BYTES];
  static unsigned nr_pages;
  char path[4096];
  uint8_t *page;
  FILE *fp;
  size_t n;

  if (nr_pages == FILES_MAX)
    abort ();
  page = pages[nr_pages++];

  snprintf (path, sizeof path, "%s/%s", dir, name);
  fp = fopen (path, "rb");
  if (fp == NULL) {
    perror (path);
    exit (EXIT_FAILURE);
  }
  n = fread (page, 1, FILE_MAX_BYTES, fp);
  fclose (fp);
  if (bytes != 0 && n != bytes) {
    fprintf (stderr, "%s: %zu bytes\n", path, n);
    exit (EXIT_FAILURE);
  }
  if (got)
    *got = n;
  return page;
}

/* ASCII, padded with spaces, not terminated, not empty. */
static bool
is_text (const char *field, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (field[i] < 0x20 || field[i] > 0x7e)
      return false;
  return field[0] != ' ';
}

static bool
is_zero (const void *field, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (((const uint8_t *) field)[i] != 0)
      return false;
  return true;
}

/* 8-4-4-4-12, in the order of its text. */
static bool
is_uuid (const uint8_t *field, const char *text)
{
  char have[37], *p = have;

  for (unsigned i = 0; i < 16; i++)
    p += sprintf (p, "%s%02x",
                  i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", field[i]);
  return strcmp (have, text) == 0;
}

/* --- controllers -------------------------------------------------------- */

static void
check_any_controller (const struct nvme_id_ctrl *id,
                      const struct registers *registers, const char *nqn)
{
  CHECK (le16 (id->cntlid) == registers->cntlid);
  CHECK (registers->cntlid < 0xfff0);
  CHECK (le32 (id->ver) == registers->vs);
  CHECK (registers->vs >= 0x00010300);
  CHECK (is_text (id->sn, sizeof id->sn));
  CHECK (is_text (id->mn, sizeof id->mn));
  CHECK (is_text (id->fr, sizeof id->fr));
  CHECK (le16 (id->maxcmd) != 0);
  CHECK (le16 (id->maxcmd) <= (registers->cap & 0xffff) + 1);
  CHECK ((le32 (id->sgls) & 3) == 1 || (le32 (id->sgls) & 3) == 2);
  CHECK (memchr (id->subnqn, 0, sizeof id->subnqn) != NULL);
  CHECK (strcmp (id->subnqn, nqn) == 0);
  /* a transfer of 128 KiB or more, where it has a limit at all */
  CHECK (id->mdts == 0 || id->mdts >= 5);
  CHECK (id->lpa & 1 << 2);             /* offsets into log pages */
}

/* CAP: MQES, contiguous queues, a time limit, the NVM command set, 4 KiB. */
static void
check_cap (uint64_t cap)
{
  CHECK (NVME_CAP_MQES (cap) >= 1);
  CHECK (NVME_CAP_CQR (cap));
  CHECK (NVME_CAP_TO (cap) > 0);
  CHECK (NVME_CAP_CSS (cap) & 1);
  CHECK (NVME_CAP_MPSMIN (cap) == 0);
}

static void
check_io_controller (const struct nvme_id_ctrl *id)
{
  CHECK (id->cntrltype == NVME_CTRL_CNTRLTYPE_IO);
  CHECK (le16 (id->kas) != 0);
  CHECK (le32 (id->ioccsz) >= 4);
  CHECK (le32 (id->iorcsz) >= 1);
  CHECK (le16 (id->icdoff) == 0);
  CHECK (le32 (id->sgls) & 1 << 20);    /* offsets: data in the capsule */
  CHECK (id->cmic & NVME_CTRL_CMIC_MULTI_CTRL);
  CHECK (id->cmic & NVME_CTRL_CMIC_MULTI_ANA_REPORTING);
  CHECK (le32 (id->mnan) >= 1 && le32 (id->mnan) <= le32 (id->nn));
  CHECK (id->anacap & NVME_CTRL_ANACAP_OPT);
  CHECK (le32 (id->nanagrpid) >= 1);
  CHECK (le32 (id->nanagrpid) <= le32 (id->anagrpmax));
  CHECK (le32 (id->nn) >= 1);
  CHECK (id->sqes == 0x66 && id->cqes == 0x44);
  CHECK (id->vwc & NVME_CTRL_VWC_PRESENT);
  CHECK (le16 (id->oncs) & NVME_CTRL_ONCS_COMPARE);
  CHECK (le16 (id->oncs) & NVME_CTRL_ONCS_DSM);
  CHECK (le16 (id->oncs) & NVME_CTRL_ONCS_WRITE_ZEROES);
  CHECK (!(le16 (id->oncs) & NVME_CTRL_ONCS_RESERVATIONS));
  CHECK (le16 (id->oacs) & NVME_CTRL_OACS_LBA_STATUS);
  CHECK (le32 (id->oaes) & 1 << 8);     /* a namespace has changed */
  CHECK ((id->frmw >> 1 & 7) >= 1);
  CHECK (id->fuses == 0);
}

static void
check_discovery_controller (const struct nvme_id_ctrl *id)
{
  CHECK (id->cntrltype == NVME_CTRL_CNTRLTYPE_DISCOVERY);
  CHECK (le32 (id->nn) == 0);
  CHECK (le16 (id->oncs) == 0);
}

/* --- namespaces --------------------------------------------------------- */

static void
check_namespace (const struct nvme_id_ns *id, uint64_t size_bytes,
                 uint32_t block_size, const char *uuid)
{
  const struct nvme_lbaf *lbaf = &id->lbaf[id->flbas & 15];

  CHECK ((id->flbas & 15) <= id->nlbaf);
  CHECK (1u << lbaf->ds == block_size);
  CHECK (le16 (lbaf->ms) == 0);
  CHECK (le64 (id->nsze) == size_bytes / block_size);
  CHECK (le64 (id->ncap) <= le64 (id->nsze));
  CHECK (le64 (id->nuse) <= le64 (id->ncap));
  CHECK (id->dps == 0 && id->mc == 0);
  CHECK (id->nmic & NVME_NS_NMIC_SHARED);
  CHECK ((id->dlfeat & 7) == 1);        /* deallocated reads as zeroes */
  CHECK (id->dlfeat & 1 << 3);          /* Write Zeroes deallocates */
  CHECK (id->nsfeat & NVME_NS_FEAT_IO_OPT);
  CHECK ((le16 (id->nows) + 1u) * block_size == 4096);
  CHECK ((le16 (id->npdg) + 1u) * block_size == 4096);
  CHECK (!(id->nsattr & NVME_NS_NSATTR_WRITE_PROTECTED));
  CHECK (le32 (id->anagrpid) == 1);
  CHECK (is_uuid (id->nguid, uuid));
  CHECK (is_zero (id->eui64, sizeof id->eui64));
}

static void
check_descriptors (const uint8_t *page, const char *uuid)
{
  bool has_uuid = false, has_nguid = false, has_csi = false;
  size_t at = 0;

  while (at + 4 <= 4096 && page[at + 1] != 0) {
    const struct nvme_ns_id_desc *desc = (const void *) (page + at);

    CHECK (at + 4 + desc->nidl <= 4096);
    switch (desc->nidt) {
    case NVME_NIDT_UUID:
      CHECK (!has_uuid && desc->nidl == 16 && is_uuid (desc->nid, uuid));
      has_uuid = true;
      break;
    case NVME_NIDT_NGUID:
      CHECK (!has_nguid && desc->nidl == 16 && is_uuid (desc->nid, uuid));
      has_nguid = true;
      break;
    case NVME_NIDT_CSI:
      CHECK (!has_csi && desc->nidl == 1 && desc->nid[0] == NVME_CSI_NVM);
      has_csi = true;
      break;
    default:
      CHECK (!"a descriptor of another type");
    }
    at += 4 + (size_t) desc->nidl;
  }
  CHECK (is_zero (page + at, 4096 - at));
  CHECK (has_uuid && has_nguid && has_csi);
}

static void
check_volume (const char *dir, const char *nqn, const char *uuid,
              uint64_t size_bytes, uint32_t block_size)
{
  const struct registers *registers =
    load (dir, "registers", sizeof *registers, NULL);
  const struct nvme_id_ctrl *id = load (dir, "controller", 4096, NULL);
  const struct nvme_id_ctrl_nvm *nvm =
    load (dir, "nvm-controller", 4096, NULL);
  const struct nvme_id_independent_id_ns *independent =
    load (dir, "independent", 4096, NULL);
  const struct nvme_ns_list *list = load (dir, "list", 4096, NULL);

  check_cap (registers->cap);
  check_any_controller (id, registers, nqn);
  check_io_controller (id);
  CHECK (le32 (list->ns[0]) == 1);
  CHECK (is_zero (&list->ns[1], 4092));
  check_namespace (load (dir, "namespace", 4096, NULL), size_bytes, block_size,
                   uuid);
  check_descriptors (load (dir, "descriptors", 4096, NULL), uuid);
  /* zeroes of any length that a command can say, discards of any */
  CHECK (4096ull << nvm->wzsl == (uint64_t) block_size << 16);
  CHECK (nvm->dmrl == 0 && le32 (nvm->dmrsl) == 0 && le64 (nvm->dmsl) == 0);
  CHECK (independent->nstat & 1);       /* NRDY */
  CHECK (independent->nmic & NVME_NS_NMIC_SHARED);
  CHECK (independent->nsfeat == 0 && independent->nsattr == 0);
}

/* --- controllers of one subsystem --------------------------------------- */

static void
check_same (const char *one_dir, const char *other_dir)
{
  struct nvme_id_ctrl *one = load (one_dir, "controller", 4096, NULL);
  struct nvme_id_ctrl *other = load (other_dir, "controller", 4096, NULL);

  CHECK (one->cntlid != other->cntlid);
  CHECK (one->awupf == other->awupf && one->awun == other->awun);
  CHECK (memcmp (one->sn, other->sn, sizeof one->sn) == 0);
  /* CIRN (Base 2.3) tells them apart for ever */
  CHECK (memcmp ((uint8_t *) one + 136, (uint8_t *) other + 136, 8) != 0);
  memcpy ((uint8_t *) other + 136, (uint8_t *) one + 136, 8);
  /* and, as it is, in all else */
  other->cntlid = one->cntlid;
  CHECK (memcmp (one, other, sizeof *one) == 0);
  CHECK (memcmp (load (one_dir, "namespace", 4096, NULL),
                 load (other_dir, "namespace", 4096, NULL), 4096) == 0);
  CHECK (memcmp (load (one_dir, "descriptors", 4096, NULL),
                 load (other_dir, "descriptors", 4096, NULL), 4096) == 0);
}

/* --- the discovery log -------------------------------------------------- */

static void
check_entry (const struct nvmf_disc_log_entry *entry, const char *address,
             const char *port, const char *nqn)
{
  CHECK (entry->trtype == NVMF_TRTYPE_TCP);
  CHECK (entry->adrfam == NVMF_ADDR_FAMILY_IP4);
  CHECK (entry->subtype == NVME_NQN_NVME);
  CHECK (!(entry->treq & NVMF_TREQ_REQUIRED));  /* no secure channel */
  CHECK (le16 (entry->cntlid) == 0xffff);       /* dynamic controllers */
  CHECK (le16 (entry->asqsz) >= 32);
  CHECK (memchr (entry->subnqn, 0, sizeof entry->subnqn) != NULL);
  CHECK (strcmp (entry->subnqn, nqn) == 0);
  CHECK (strcmp (entry->traddr, address) == 0);
  CHECK (strcmp (entry->trsvcid, port) == 0);
  CHECK (entry->tsas.tcp.sectype == NVMF_TCP_SECTYPE_NONE);
}

static void
check_discovery (const char *dir, const char *address, const char *port,
                 char *nqns[], size_t nr_nqns)
{
  const struct registers *registers =
    load (dir, "registers", sizeof *registers, NULL);
  const struct nvme_id_ctrl *id = load (dir, "controller", 4096, NULL);
  const struct nvmf_discovery_log *log;
  size_t bytes;

  check_cap (registers->cap);
  check_any_controller (id, registers, NVME_DISC_SUBSYS_NAME);
  check_discovery_controller (id);
  log = load (dir, "discovery", 0, &bytes);
  CHECK (bytes == 1024 + 1024 * nr_nqns);
  CHECK (le64 (log->numrec) == nr_nqns);
  CHECK (le64 (log->genctr) != 0);
  CHECK (le16 (log->recfmt) == 0);
  for (size_t i = 0; i < nr_nqns && bytes == 1024 + 1024 * nr_nqns; i++)
    check_entry (&log->entries[i], address, port, nqns[i]);
}

int
main (int argc, char *argv[])
{
  if (argc == 7 && strcmp (argv[1], "volume") == 0)
    check_volume (argv[2], argv[3], argv[4], strtoull (argv[5], NULL, 10),
                  (uint32_t) strtoul (argv[6], NULL, 10));
  else if (argc == 4 && strcmp (argv[1], "same") == 0)
    check_same (argv[2], argv[3]);
  else if (argc >= 5 && strcmp (argv[1], "discovery") == 0)
    check_discovery (argv[2], argv[3], argv[4], argv + 5,
                     (size_t) argc - 5);
  else
    abort ();
  printf ("%u wrong\n", nr_wrong);
  return nr_wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
