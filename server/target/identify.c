/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Identify (Base 2.0 section 5.17, NVM Command Set 1.0 section 4.1.5).
 *
 * The version is 1.4: it has the controller type and traffic based keep
 * alive, and hosts make none of the demands of 2.0 (log pages of supported
 * commands, CRMS).  The I/O command set independent structures that newer
 * hosts probe for are answered all the same.
 */
#include <string.h>

#include "nvmeof/epoch.h"
#include "server/target/internal.h"

enum { IDENTIFY_BYTES = 4096 };

/* ASCII fields are padded with spaces and not terminated. */
static void
fill_text (char *field, size_t field_bytes, const char *text)
{
  size_t n = strlen (text);

  memset (field, ' ', field_bytes);
  memcpy (field, text, n < field_bytes ? n : field_bytes);
}

static void
fill_serial (char sn[SUBSYSTEM_SERIAL_BYTES],
             const struct subsystem *subsystem)
{
  char text[SUBSYSTEM_SERIAL_BYTES + 1] = "discovery";

  if (subsystem->volume)
    subsystem_serial (subsystem, text);
  fill_text (sn, SUBSYSTEM_SERIAL_BYTES, text);
}

static void
fill_common (struct nvme_id_ctrl *id, const struct controller *controller)
{
  fill_serial (id->sn, controller->subsystem);
  fill_text (id->mn, sizeof id->mn, "qbd");
  fill_text (id->fr, sizeof id->fr, PACKAGE_VERSION);
  id->mdts = 8;                 /* 2^8 pages of 4 KiB */
  static_assert (TARGET_MAX_TRANSFER == 4096 << 8, "");
  id->cntlid = cpu_to_le16 (controller->cntlid);
  id->ver = cpu_to_le32 (TARGET_VERSION);
  id->ctratt = cpu_to_le32 (NVME_CTRL_CTRATT_128_ID
                            | NVME_CTRL_CTRATT_TBKAS);
  id->aerl = TARGET_AERL_0BASED;
  id->lpa = NVME_CTRL_LPA_EXTENDED;
  id->kas = cpu_to_le16 (TARGET_KAS_MS / 100);
  id->maxcmd = cpu_to_le16 (target_mqes_0based () + 1);
  id->sgls = cpu_to_le32 (controller->ops->sgls);
  strcpy (id->subnqn, controller->subsystem->nqn);
  id->ioccsz = cpu_to_le32 ((64 + controller->ops->in_capsule_bytes) / 16);
  id->iorcsz = cpu_to_le32 (1);
  id->msdbd = 1;
}

/* A namespace stays in its group; MNAN goes with ANA. */
static void
fill_ana (struct nvme_id_ctrl *id)
{
  id->anatt = TARGET_ANATT_S;
  id->anacap = NVME_CTRL_ANACAP_OPT | NVME_CTRL_ANACAP_NON_OPT
    | NVME_CTRL_ANACAP_INACCESSIBLE | NVME_CTRL_ANACAP_GRPID_NO_CHG;
  id->anagrpmax = id->nanagrpid = cpu_to_le32 (TARGET_ANA_GROUP);
  id->mnan = cpu_to_le32 (TARGET_NSID);
}

static void
identify_controller (struct target_command *command)
{
  const struct controller *controller = command->queue->controller;
  struct nvme_id_ctrl *id = command->buffer;

  memset (id, 0, sizeof *id);
  fill_common (id, controller);
  if (controller->subsystem->volume) {
    id->cntrltype = NVME_CTRL_CNTRLTYPE_IO;
    id->oaes = cpu_to_le32 (TARGET_OAES);
    id->rab = 6;
    id->cmic = NVME_CTRL_CMIC_MULTI_PORT | NVME_CTRL_CMIC_MULTI_CTRL
      | NVME_CTRL_CMIC_MULTI_ANA_REPORTING;
    fill_ana (id);
    id->oacs = cpu_to_le16 (NVME_CTRL_OACS_LBA_STATUS);
    id->acl = 3;
    id->frmw = NVME_CTRL_FRMW_1ST_RO | 1 << 1;  /* one slot */
    id->sqes = 6 << 4 | 6;
    id->cqes = 4 << 4 | 4;
    id->nn = cpu_to_le32 (TARGET_NSID);
    id->oncs = cpu_to_le16 (NVME_CTRL_ONCS_COMPARE | NVME_CTRL_ONCS_DSM
                            | NVME_CTRL_ONCS_WRITE_ZEROES);
    /* Present; Flush takes the broadcast NSID, too (bits 2:1 = 11b). */
    id->vwc = NVME_CTRL_VWC_PRESENT | NVME_CTRL_VWC_FLUSH;
    /* Reserved in 1.4, so that no other host minds. */
    cross_reset_put_identify (id, &controller->instance, 1);
  }
  else
    id->cntrltype = NVME_CTRL_CNTRLTYPE_DISCOVERY;
  command_complete (command, 0);
}

/* --- the namespace ---------------------------------------------------------- */

static uint8_t
nsattr (const struct subsystem *subsystem)
{
  return subsystem->volume->read_only ? NVME_NS_NSATTR_WRITE_PROTECTED : 0;
}

/* What storage and page cache work in: writes and deallocations of whole,
 * aligned 4 KiB are best, even where blocks are smaller. */
static void
fill_granularity (struct nvme_id_ns *id, unsigned lba_shift)
{
  __le16 blocks_0based = cpu_to_le16 ((4096 >> lba_shift) - 1);

  id->nsfeat |= NVME_NS_FEAT_IO_OPT;
  id->npwg = id->npwa = blocks_0based;
  id->npdg = id->npda = blocks_0based;
  id->nows = blocks_0based;
}

static void
identify_namespace (struct target_command *command)
{
  const struct subsystem *subsystem = command->queue->controller->subsystem;
  struct nvme_id_ns *id = command->buffer;
  struct command_namespace ns;

  subsystem_namespace (subsystem, &ns);
  memset (id, 0, sizeof *id);
  /* NUSE is NCAP at all times, as section 4.1.5.1 lets controllers report
   * that are not made for hosts which watch thin provisioning by it: none is
   * known that does.  To ask the storage may block or, with Ceph, take
   * seconds, and every attaching host waits for this answer.  Get LBA Status
   * and qbd info tell what is allocated. */
  id->nsze = id->ncap = cpu_to_le64 (ns.nsze);
  if (ana_check (command->queue) == 0)
    id->nuse = id->nsze;
  id->nsfeat = NVME_NS_FEAT_THIN;
  id->nmic = NVME_NS_NMIC_SHARED;
  id->anagrpid = cpu_to_le32 (TARGET_ANA_GROUP);
  /* Deallocated blocks read as zeroes.  DEAC is accepted in any case; what
   * hosts want to know is whether it is worth while. */
  id->dlfeat = NVME_NS_DLFEAT_RB_ALL_0S;
  if (subsystem->volume->unmaps)
    id->dlfeat |= NVME_NS_DLFEAT_WRITE_ZEROES;
  id->nsattr = nsattr (subsystem);
  memcpy (id->nguid, subsystem->uuid, sizeof id->nguid);
  id->lbaf[0].ds = subsystem->lba_shift;
  fill_granularity (id, subsystem->lba_shift);
  epoch_put (id, subsystem->volume->epoch);
  command_complete (command, 0);
}

static void
identify_active_list (struct target_command *command)
{
  __le32 *list = command->buffer;

  memset (list, 0, IDENTIFY_BYTES);
  if (le32_to_cpu (command->sqe.common.nsid) < TARGET_NSID)
    list[0] = cpu_to_le32 (TARGET_NSID);
  command_complete (command, 0);
}

static uint8_t *
put_descriptor (uint8_t *p, uint8_t nidt, uint8_t nidl, const void *nid)
{
  p[0] = nidt;
  p[1] = nidl;
  p[2] = p[3] = 0;
  memcpy (p + 4, nid, nidl);
  return p + 4 + nidl;
}

static void
identify_descriptors (struct target_command *command)
{
  const struct subsystem *subsystem = command->queue->controller->subsystem;
  const uint8_t csi = 0;        /* the NVM command set */
  uint8_t *p = command->buffer;

  memset (p, 0, IDENTIFY_BYTES);
  p = put_descriptor (p, NVME_NIDT_NGUID, NVME_NIDT_NGUID_LEN,
                      subsystem->uuid);
  p = put_descriptor (p, NVME_NIDT_UUID, NVME_NIDT_UUID_LEN,
                      subsystem->uuid);
  put_descriptor (p, NVME_NIDT_CSI, NVME_NIDT_CSI_LEN, &csi);
  command_complete (command, 0);
}

/* --- of the NVM command set, and independent of it --------------------------- */

static void
identify_nvm_controller (struct target_command *command)
{
  const struct subsystem *subsystem = command->queue->controller->subsystem;
  struct nvme_id_ctrl_nvm *id = command->buffer;

  memset (id, 0, IDENTIFY_BYTES);
  /* The most that NLB can say, as a power of two of 4 KiB pages. */
  id->wzsl = 16 + subsystem->lba_shift - 12;
  command_complete (command, 0);
}

static void
identify_independent (struct target_command *command)
{
  const struct subsystem *subsystem = command->queue->controller->subsystem;
  struct nvme_id_independent_id_ns *id = command->buffer;

  memset (id, 0, IDENTIFY_BYTES);
  /* Not the bits of CNS 00h: bit 4 of this NSFEAT says rotational media. */
  id->nmic = NVME_NS_NMIC_SHARED;
  id->nsattr = nsattr (subsystem);
  id->anagrpid = cpu_to_le32 (TARGET_ANA_GROUP);
  id->nstat = 1;                /* ready */
  command_complete (command, 0);
}

/* --- dispatch --------------------------------------------------------------- */

static uint16_t
parse_namespace (struct target_command *command,
                 void (*handler) (struct target_command *))
{
  if (le32_to_cpu (command->sqe.common.nsid) != TARGET_NSID)
    return STATUS_DNR (NVME_SC_INVALID_NS);
  command->handler = handler;
  return 0;
}

static uint16_t
parse_active_list (struct target_command *command)
{
  /* FFFFFFFEh and FFFFFFFFh have no successor. */
  if (le32_to_cpu (command->sqe.common.nsid) >= NVME_NSID_ALL - 1)
    return STATUS_DNR (NVME_SC_INVALID_NS);
  command->handler = identify_active_list;
  return 0;
}

static uint16_t
parse_nvm_controller (struct target_command *command)
{
  /* CDW11 31:24: the command set. */
  if (le32_to_cpu (command->sqe.common.cdw11) >> 24 != 0)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  command->handler = identify_nvm_controller;
  return 0;
}

uint16_t
identify_parse (struct target_command *command)
{
  uint8_t cns = le32_to_cpu (command->sqe.common.cdw10) & 0xff;

  command->data = TARGET_DATA_TO_HOST;
  command->data_bytes = IDENTIFY_BYTES;
  if (cns == NVME_IDENTIFY_CNS_CTRL) {
    command->handler = identify_controller;
    return 0;
  }
  if (command->queue->controller->subsystem->volume == NULL)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  switch (cns) {
  case NVME_IDENTIFY_CNS_NS:
    return parse_namespace (command, identify_namespace);
  case NVME_IDENTIFY_CNS_NS_ACTIVE_LIST:
    return parse_active_list (command);
  case NVME_IDENTIFY_CNS_NS_DESC_LIST:
    return parse_namespace (command, identify_descriptors);
  case NVME_IDENTIFY_CNS_CSI_CTRL:
    return parse_nvm_controller (command);
  case NVME_IDENTIFY_CNS_CSI_INDEPENDENT_ID_NS:
    return parse_namespace (command, identify_independent);
  default:
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  }
}
