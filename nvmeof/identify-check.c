/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of Identify data and of the discovery log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nvmeof/ana.h"
#include "nvmeof/epoch.h"
#include "nvmeof/identify-check.h"
#include "nvmeof/nqn.h"

static int
fail (const char **fault, const char *text)
{
  *fault = text;
  return -1;
}

/* 2^exponent pages of the controller's minimum size, or no limit. */
static uint32_t
pages_bytes (uint8_t exponent, uint8_t mpsmin)
{
  unsigned shift = 12u + mpsmin + exponent;

  return exponent == 0 || shift >= 32 ? UINT32_MAX : UINT32_C (1) << shift;
}

/* OAES bit 8 (Base 2.0 figure 276). */
enum { OAES_NAMESPACE = 1 << 8, OAES_ANA = 1 << 11 };

/* --- Identify Controller ------------------------------------------------ */

static int
check_fabrics (const struct nvme_id_ctrl *id,
               const struct controller_expect *expect, const char **fault)
{
  uint32_t ioccsz = le32_to_cpu (id->ioccsz);

  if (le16_to_cpu (id->cntlid) != expect->cntlid)
    return fail (fault, "CNTLID is not the one that Connect returned");
  /* Units of 16 bytes: an SQE is 4, a CQE is 1. */
  if (ioccsz < 4)
    return fail (fault, "IOCCSZ is less than an SQE");
  if (ioccsz > UINT32_MAX / 16)
    return fail (fault, "IOCCSZ is too large");
  if (le32_to_cpu (id->iorcsz) < 1)
    return fail (fault, "IORCSZ is less than a CQE");
  if (le16_to_cpu (id->icdoff) != 0)
    return fail (fault, "ICDOFF is not 0");
  if ((le32_to_cpu (id->sgls) & 3) == 0 || (le32_to_cpu (id->sgls) & 3) == 3)
    return fail (fault, "SGLS: no support for SGLs");
  if (expect->keyed && !(le32_to_cpu (id->sgls) & NVME_CTRL_SGLS_KEYED))
    return fail (fault, "SGLS: no support for keyed SGLs");
  if (le16_to_cpu (id->maxcmd) == 0)
    return fail (fault, "MAXCMD is 0");
  if (expect->keep_alive && le16_to_cpu (id->kas) == 0)
    return fail (fault, "KAS is 0: no support for keep-alive");
  return 0;
}

/* One without a group has no ANA; nor has one that does not tell of changes
 * (it has to), as what it said once would be believed for ever. */
static void
get_ana (const struct nvme_id_ctrl *id, struct controller_info *info)
{
  uint32_t nr_groups = le32_to_cpu (id->nanagrpid);
  uint32_t nr_namespaces = le32_to_cpu (id->mnan);

  if (!(id->cmic & NVME_CTRL_CMIC_MULTI_ANA_REPORTING) || nr_groups == 0 ||
      !(le32_to_cpu (id->oaes) & OAES_ANA))
    return;
  info->ana_log_bytes =
    ana_log_bytes (nr_groups, nr_namespaces > 0 ? nr_namespaces :
                   le32_to_cpu (id->nn));
  info->anatt_ms = id->anatt * UINT32_C (1000);
}

int
identify_check_controller (const struct nvme_id_ctrl *id,
                           const struct controller_expect *expect,
                           struct controller_info *info, const char **fault)
{
  uint16_t oncs = le16_to_cpu (id->oncs);

  /* A discovery controller has no I/O queues, and leaves what is about them
   * alone. */
  if (expect->discovery) {
    if (le16_to_cpu (id->cntlid) != expect->cntlid)
      return fail (fault, "CNTLID is not the one that Connect returned");
  } else if (check_fabrics (id, expect, fault) < 0)
    return -1;

  *info = (struct controller_info) {
    .max_transfer_bytes = pages_bytes (id->mdts, expect->mpsmin),
    .maxcmd = le16_to_cpu (id->maxcmd),
    .volatile_cache = id->vwc & NVME_CTRL_VWC_PRESENT,
    .namespace_events = le32_to_cpu (id->oaes) & OAES_NAMESPACE,
    .can_dsm = oncs & NVME_CTRL_ONCS_DSM,
    .can_write_zeroes = oncs & NVME_CTRL_ONCS_WRITE_ZEROES,
    .can_lba_status = le16_to_cpu (id->oacs) & NVME_CTRL_OACS_LBA_STATUS,
    .dsm_max_blocks = UINT32_MAX,
  };
  if (!expect->discovery &&
      (!expect->keyed || le32_to_cpu (id->sgls) & NVME_CTRL_SGLS_OFFSET))
    info->in_capsule_bytes = le32_to_cpu (id->ioccsz) * 16 - 64;
  get_ana (id, info);
  info->can_cross_reset = cross_reset_get_identify (id, &info->instance);
  info->traffic_keeps_alive =
    le32_to_cpu (id->ctratt) & NVME_CTRL_CTRATT_TBKAS;
  info->kato_unit_ms = le16_to_cpu (id->kas) * 100u;
  memcpy (info->serial, id->sn, 20);
  memcpy (info->serial + 20, id->mn, 40);
  /* Without the page of the command set: as Linux has it. */
  info->zeroes_max_bytes = info->max_transfer_bytes;
  return 0;
}

/* libnvme types these fields as plain integers; they are little-endian. */
void
identify_apply_nvm (const struct nvme_id_ctrl_nvm *id, uint8_t mpsmin,
                    struct controller_info *info)
{
  __le32 wire;
  uint32_t dmrsl;

  memcpy (&wire, &id->dmrsl, sizeof wire);
  dmrsl = le32_to_cpu (wire);
  info->zeroes_max_bytes = pages_bytes (id->wzsl, mpsmin);
  info->dsm_max_blocks = dmrsl == 0 ? UINT32_MAX : dmrsl;
}

int
identify_check_no_less (const struct controller_info *old,
                        const struct controller_info *now,
                        const char **fault)
{
  if (now->max_transfer_bytes < old->max_transfer_bytes)
    return fail (fault, "MDTS is less than before");
  if (now->zeroes_max_bytes < old->zeroes_max_bytes)
    return fail (fault, "WZSL is less than before");
  if (now->dsm_max_blocks < old->dsm_max_blocks)
    return fail (fault, "DMRSL is less than before");
  if (now->volatile_cache && !old->volatile_cache)
    return fail (fault, "VWC: there was no volatile write cache before");
  if ((old->can_dsm && !now->can_dsm) ||
      (old->can_write_zeroes && !now->can_write_zeroes))
    return fail (fault, "ONCS: a command is missing that was there before");
  if (old->can_lba_status && !now->can_lba_status)
    return fail (fault, "OACS: a command is missing that was there before");
  return 0;
}

static uint32_t
less (uint32_t a, uint32_t b)
{
  return a < b ? a : b;
}

void
identify_merge (struct controller_info *info,
                const struct controller_info *other)
{
  info->max_transfer_bytes = less (info->max_transfer_bytes,
                                   other->max_transfer_bytes);
  info->zeroes_max_bytes = less (info->zeroes_max_bytes,
                                 other->zeroes_max_bytes);
  info->dsm_max_blocks = less (info->dsm_max_blocks, other->dsm_max_blocks);
  info->volatile_cache |= other->volatile_cache;
  info->can_dsm &= other->can_dsm;
  info->can_write_zeroes &= other->can_write_zeroes;
  info->can_lba_status &= other->can_lba_status;
}

/* --- Identify Namespace ------------------------------------------------- */

enum { PREFERRED_MAX_BYTES = 1 << 20 };

/* NOWS, else NPWG, where OPTPERF says that they mean something; as consumers
 * want it: a power of two. */
static uint32_t
preferred_bytes (const struct nvme_id_ns *id, uint32_t block_bytes)
{
  uint32_t nows = le16_to_cpu (id->nows), npwg = le16_to_cpu (id->npwg);
  uint64_t bytes = 0;

  if (id->nsfeat & 1 << 4)
    bytes = ((uint64_t) (nows > 0 ? nows : npwg) + 1) * block_bytes;
  if (bytes < 4096 || bytes > PREFERRED_MAX_BYTES ||
      (bytes & (bytes - 1)) != 0)
    bytes = block_bytes > 4096 ? block_bytes : 4096;
  return (uint32_t) bytes;
}

int
identify_check_namespace (const struct nvme_id_ns *id,
                          struct namespace_info *info, const char **fault)
{
  unsigned format = (id->flbas & 0x0f) | (id->flbas & 0x60) >> 1;
  const struct nvme_lbaf *lbaf = &id->lbaf[format];
  uint64_t nsze = le64_to_cpu (id->nsze);

  if (nsze == 0)
    return fail (fault, "NSZE is 0: the namespace is not there");
  if (lbaf->ds < 9 || lbaf->ds > 15)
    return fail (fault, "LBADS: blocks are not 512 bytes to 32 KiB");
  if (le16_to_cpu (lbaf->ms) != 0)
    return fail (fault, "MS: metadata in blocks is not supported");
  if (id->dps & 7)
    return fail (fault, "DPS: protection information is not supported");
  if (nsze > (uint64_t) INT64_MAX >> lbaf->ds)
    return fail (fault, "NSZE is too large");
  *info = (struct namespace_info) {
    .size_bytes = nsze << lbaf->ds,
    .block_bytes = UINT32_C (1) << lbaf->ds,
    .preferred_bytes = preferred_bytes (id, UINT32_C (1) << lbaf->ds),
    .read_only = id->nsattr & 1,
    .deallocated_zero =
      (id->dlfeat & NVME_NS_DLFEAT_RB) == NVME_NS_DLFEAT_RB_ALL_0S,
    .zeroes_deallocate = id->dlfeat & NVME_NS_DLFEAT_WRITE_ZEROES,
  };
  memcpy (info->ids.eui64, id->eui64, sizeof info->ids.eui64);
  memcpy (info->ids.nguid, id->nguid, sizeof info->ids.nguid);
  info->epoch = epoch_get (id);
  info->ana_group = le32_to_cpu (id->anagrpid);
  return 0;
}

/* Bit 4 of this NSFEAT, where CNS 00h has OPTPERF (Base 2.0 figure 280). */
bool
identify_is_rotational (const struct nvme_id_independent_id_ns *id)
{
  return id->nsfeat & 1 << 4;
}

static bool
is_zero (const uint8_t *p, size_t bytes)
{
  return p[0] == 0 && memcmp (p, p + 1, bytes - 1) == 0;
}

void
identify_merge_ids (struct namespace_info *info,
                    const struct namespace_ids *descriptors)
{
  struct namespace_ids *ids = &info->ids;

  if (!is_zero (descriptors->eui64, sizeof ids->eui64))
    memcpy (ids->eui64, descriptors->eui64, sizeof ids->eui64);
  if (!is_zero (descriptors->nguid, sizeof ids->nguid))
    memcpy (ids->nguid, descriptors->nguid, sizeof ids->nguid);
  memcpy (ids->uuid, descriptors->uuid, sizeof ids->uuid);
}

bool
identify_ids_known (const struct namespace_ids *ids)
{
  return !is_zero (ids->eui64, sizeof ids->eui64) ||
    !is_zero (ids->nguid, sizeof ids->nguid) ||
    !is_zero (ids->uuid, sizeof ids->uuid);
}

static void
describe_several (const __le32 list[1024], char fault[IDENTIFY_PICK_FAULT])
{
  enum { SHOWN = 8 };
  int n = snprintf (fault, IDENTIFY_PICK_FAULT, "several namespaces:");

  for (unsigned i = 0; i < SHOWN && le32_to_cpu (list[i]) != 0; i++)
    n += snprintf (fault + n, IDENTIFY_PICK_FAULT - (size_t) n, "%s %u",
                   i > 0 ? "," : "", le32_to_cpu (list[i]));
  snprintf (fault + n, IDENTIFY_PICK_FAULT - (size_t) n,
            "%s (nsid= chooses one)",
            le32_to_cpu (list[SHOWN]) != 0 ? ", ..." : "");
}

int
identify_pick_namespace (const __le32 list[1024], uint32_t wanted,
                         uint32_t *nsid, char fault[IDENTIFY_PICK_FAULT])
{
  uint32_t first = le32_to_cpu (list[0]);

  if (first >= UINT32_C (0xfffffffe)) {
    snprintf (fault, IDENTIFY_PICK_FAULT,
              "the namespace list holds an NSID out of range");
    return -EPROTO;
  }
  if (wanted != 0 && first != wanted) {
    snprintf (fault, IDENTIFY_PICK_FAULT, "no active namespace %u", wanted);
    return -ENOENT;
  }
  if (first == 0) {
    snprintf (fault, IDENTIFY_PICK_FAULT, "no active namespace");
    return -ENODEV;
  }
  if (wanted == 0 && le32_to_cpu (list[1]) != 0) {
    describe_several (list, fault);
    return -EINVAL;
  }
  *nsid = first;
  return 0;
}

static void
take_id (struct namespace_ids *ids, uint8_t nidt, const uint8_t *nid)
{
  switch (nidt) {
  case NVME_NIDT_EUI64:
    memcpy (ids->eui64, nid, sizeof ids->eui64);
    break;
  case NVME_NIDT_NGUID:
    memcpy (ids->nguid, nid, sizeof ids->nguid);
    break;
  case NVME_NIDT_UUID:
    memcpy (ids->uuid, nid, sizeof ids->uuid);
    break;
  }
}

int
identify_check_descriptors (const uint8_t *page, size_t page_bytes,
                            struct namespace_ids *ids, const char **fault)
{
  static const uint8_t lengths[] = {
    [NVME_NIDT_EUI64] = 8, [NVME_NIDT_NGUID] = 16, [NVME_NIDT_UUID] = 16,
    [NVME_NIDT_CSI] = 1,
  };
  size_t at = 0;

  memset (ids, 0, sizeof *ids);
  while (page_bytes - at >= 4) {
    uint8_t nidt = page[at], nidl = page[at + 1];

    if (nidl == 0)
      return 0;
    if (nidl > page_bytes - at - 4)
      return fail (fault, "a namespace descriptor ends beyond its page");
    if (nidt < sizeof lengths && lengths[nidt] != 0 && nidl != lengths[nidt])
      return fail (fault, "a namespace descriptor has a wrong length");
    if (nidt == NVME_NIDT_CSI && page[at + 4] != 0)
      return fail (fault, "the namespace is not of the NVM command set");
    take_id (ids, nidt, page + at + 4);
    at += 4 + (size_t) nidl;
  }
  return 0;
}

/* --- discovery ---------------------------------------------------------- */

int
discovery_check_header (const struct nvmf_discovery_log *log,
                        struct discovery_header *header, const char **fault)
{
  if (le16_to_cpu (log->recfmt) != 0)
    return fail (fault, "RECFMT is not 0");
  *header = (struct discovery_header) {
    .genctr = le64_to_cpu (log->genctr),
    .numrec = le64_to_cpu (log->numrec),
  };
  if (header->numrec > DISCOVERY_RECORDS_MAX)
    return fail (fault, "NUMREC is too large");
  return 0;
}

bool
discovery_entry_valid (const struct nvmf_disc_log_entry *entry)
{
  return entry->subtype == NVME_NQN_NVME &&
    nqn_field_valid (entry->subnqn, sizeof entry->subnqn);
}

bool
discovery_entry_usable (const struct nvmf_disc_log_entry *entry,
                        uint8_t trtype)
{
  return entry->trtype == trtype && discovery_entry_valid (entry);
}

/* The length of a text field: NUL or spaces end it.  -1: not printable. */
static int
text_bytes (const char *field, size_t field_bytes)
{
  size_t n = 0;

  for (; n < field_bytes && field[n] != '\0' && field[n] != ' '; n++)
    if (field[n] < ' ' || field[n] > '~')
      return -1;
  return (int) n;
}

static const char *
transport_name (const struct nvmf_disc_log_entry *entry)
{
  switch (entry->trtype) {
  case NVMF_TRTYPE_TCP:
    /* There is no address family for it: "this machine", and a path. */
    return entry->adrfam == NVMF_ADDR_FAMILY_LOOP &&
      entry->traddr[0] == '/' ? "unix" : "tcp";
  case NVMF_TRTYPE_RDMA:
    return "rdma";
  case NVMF_TRTYPE_FC:
    return "fc";
  case NVMF_TRTYPE_LOOP:
    return "loop";
  default:
    return "?";
  }
}

void
discovery_entry_where (const struct nvmf_disc_log_entry *entry,
                       struct discovery_where *where)
{
  int host = text_bytes (entry->traddr, sizeof entry->traddr);
  int port = text_bytes (entry->trsvcid, sizeof entry->trsvcid);
  bool ip6 = host > 0 && memchr (entry->traddr, ':', (size_t) host);

  static_assert (sizeof entry->traddr + sizeof entry->trsvcid + 13 <=
                 sizeof where->address, "");
  where->transport = transport_name (entry);
  where->address[0] = '\0';
  if (host <= 0 || port < 0)
    return;
  if (strcmp (where->transport, "tcp") == 0 ||
      strcmp (where->transport, "rdma") == 0)
    snprintf (where->address, sizeof where->address, "%s://%s%.*s%s:%.*s",
              where->transport, ip6 ? "[" : "", host, entry->traddr,
              ip6 ? "]" : "", port, entry->trsvcid);
  else
    snprintf (where->address, sizeof where->address, "%s%.*s",
              where->transport[0] == 'u' ? "unix://" : "", host,
              entry->traddr);
}
