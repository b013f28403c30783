/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of commands as a controller receives them.
 */
#include "nvmeof/command-check.h"
#include "nvmeof/lba-status.h"
#include "nvmeof/nqn.h"

#define INVALID_FIELD STATUS_DNR (NVME_SC_INVALID_FIELD)

uint16_t
command_check_flags (const struct nvme_sqe *sqe)
{
  if ((sqe->flags & NVME_SQE_PSDT_MASK) != NVME_SQE_PSDT_SGL)
    return INVALID_FIELD;
  if (sqe->flags & NVME_SQE_FUSE_MASK)
    return INVALID_FIELD;
  return 0;
}

/* --- fabrics ------------------------------------------------------------ */

static uint16_t
invalid_parameter (uint32_t *dw0, uint32_t where)
{
  *dw0 = where;
  return STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM));
}

uint16_t
command_check_connect (const struct nvmf_connect_sqe *sqe,
                       uint16_t mqes_0based, uint32_t *dw0)
{
  uint16_t sqsize_0based = le16_to_cpu (sqe->sqsize_0based);

  if (le16_to_cpu (sqe->recfmt) != 0)
    return STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_FORMAT));
  if (sqsize_0based == 0 || sqsize_0based > (uint32_t) mqes_0based + 1)
    return invalid_parameter (dw0, CONNECT_IPO_SQE (sqsize_0based));
  return 0;
}

uint16_t
command_check_connect_data (const struct nvmf_connect_data *data, bool admin,
                            uint32_t *dw0)
{
  uint16_t cntlid = le16_to_cpu (data->cntlid);

  if (admin ? cntlid != 0xffff : cntlid > 0xffef)
    return invalid_parameter (dw0, CONNECT_IPO_DATA (cntlid));
  if (!nqn_field_valid (data->subsysnqn, sizeof data->subsysnqn))
    return invalid_parameter (dw0, CONNECT_IPO_DATA (subsysnqn));
  if (!nqn_field_valid (data->hostnqn, sizeof data->hostnqn))
    return invalid_parameter (dw0, CONNECT_IPO_DATA (hostnqn));
  return 0;
}

uint16_t
command_check_property_get (const struct nvmf_property_sqe *sqe)
{
  bool eight_bytes;

  switch (le32_to_cpu (sqe->offset)) {
  case NVME_REG_CAP:
    eight_bytes = true;
    break;
  case NVME_REG_VS:
  case NVME_REG_CC:
  case NVME_REG_CSTS:
    eight_bytes = false;
    break;
  default:
    return INVALID_FIELD;
  }
  return (sqe->attrib & 7) == eight_bytes ? 0 : INVALID_FIELD;
}

uint16_t
command_check_property_set (const struct nvmf_property_sqe *sqe)
{
  if (le32_to_cpu (sqe->offset) != NVME_REG_CC || (sqe->attrib & 7) != 0)
    return INVALID_FIELD;
  return 0;
}

bool
command_cc_valid (uint32_t cc)
{
  return NVME_CC_MPS (cc) == 0
    && NVME_CC_AMS (cc) == NVME_CC_AMS_RR
    && NVME_CC_CSS (cc) == NVME_CC_CSS_NVM
    && NVME_CC_IOSQES (cc) == 6
    && NVME_CC_IOCQES (cc) == 4;
}

/* --- admin -------------------------------------------------------------- */

uint16_t
command_check_get_log (const struct nvme_sqe *sqe, uint32_t max_bytes,
                       struct log_request *request)
{
  uint32_t cdw10 = le32_to_cpu (sqe->cdw10);
  uint32_t numd_0based = cdw10 >> 16 | le32_to_cpu (sqe->cdw11) << 16;
  uint64_t bytes = ((uint64_t) numd_0based + 1) * 4;
  uint64_t offset_bytes = le32_to_cpu (sqe->cdw12)
    | (uint64_t) le32_to_cpu (sqe->cdw13) << 32;

  /* An index instead of an offset (CDW14.OT) is for newer log pages. */
  if (bytes > max_bytes || offset_bytes % 4 != 0
      || le32_to_cpu (sqe->cdw14) & 1u << 23)
    return INVALID_FIELD;
  request->lid = cdw10 & 0xff;
  request->bytes = (uint32_t) bytes;
  request->offset_bytes = offset_bytes;
  request->retain_event = cdw10 & 1 << 15;
  request->groups_only = cdw10 & 1 << 8;
  return 0;
}

uint16_t
command_check_set_features (const struct nvme_sqe *sqe, uint8_t *fid)
{
  uint32_t cdw10 = le32_to_cpu (sqe->cdw10);

  if (cdw10 & 1u << 31)
    return STATUS_DNR (STATUS_SPECIFIC (NVME_SC_FEATURE_NOT_SAVEABLE));
  *fid = cdw10 & 0xff;
  return 0;
}

uint16_t
command_check_get_features (const struct nvme_sqe *sqe, uint8_t *fid)
{
  uint32_t cdw10 = le32_to_cpu (sqe->cdw10);

  if (cdw10 >> 8 & 7)
    return INVALID_FIELD;
  *fid = cdw10 & 0xff;
  return 0;
}

uint16_t
command_check_nr_queues (uint32_t cdw11, unsigned *nr_queues)
{
  uint16_t nsqr_0based = cdw11 & 0xffff, ncqr_0based = cdw11 >> 16;

  if (nsqr_0based == 0xffff || ncqr_0based == 0xffff)
    return INVALID_FIELD;
  *nr_queues =
    (nsqr_0based < ncqr_0based ? nsqr_0based : ncqr_0based) + 1u;
  return 0;
}

/* --- NVM command set ---------------------------------------------------- */

static uint16_t
check_nsid (__le32 nsid, const struct command_namespace *ns)
{
  return le32_to_cpu (nsid) == ns->nsid ? 0 : STATUS_DNR (NVME_SC_INVALID_NS);
}

/* Inside the namespace, so that the products below cannot overflow. */
static uint16_t
check_blocks (uint64_t slba, uint64_t blocks,
              const struct command_namespace *ns, struct byte_range *range)
{
  if (slba > ns->nsze || blocks > ns->nsze - slba)
    return STATUS_DNR (NVME_SC_LBA_RANGE);
  range->offset_bytes = slba << ns->lba_shift;
  range->length_bytes = blocks << ns->lba_shift;
  return 0;
}

static uint16_t
check_rw (const struct nvme_rw_sqe *sqe, const struct command_namespace *ns,
          uint64_t max_bytes, struct byte_range *range)
{
  uint64_t blocks = (uint64_t) le16_to_cpu (sqe->nlb_0based) + 1;
  uint16_t status;

  if ((status = check_nsid (sqe->nsid, ns)) != 0)
    return status;
  /* No protection information, so nothing to check or insert (PRINFO). */
  if (le16_to_cpu (sqe->control) >> 10 & 0xf)
    return INVALID_FIELD;
  if (blocks << ns->lba_shift > max_bytes)
    return INVALID_FIELD;
  return check_blocks (le64_to_cpu (sqe->slba), blocks, ns, range);
}

uint16_t
command_check_read (const struct nvme_rw_sqe *sqe,
                    const struct command_namespace *ns, uint32_t max_bytes,
                    struct byte_range *range)
{
  return check_rw (sqe, ns, max_bytes, range);
}

static uint16_t
check_writable (const struct command_namespace *ns)
{
  return ns->read_only ? STATUS_DNR (NVME_SC_NS_WRITE_PROTECTED) : 0;
}

uint16_t
command_check_write (const struct nvme_rw_sqe *sqe,
                     const struct command_namespace *ns, uint32_t max_bytes,
                     struct byte_range *range)
{
  uint16_t status = check_writable (ns);

  return status ? status : check_rw (sqe, ns, max_bytes, range);
}

uint16_t
command_check_write_zeroes (const struct nvme_rw_sqe *sqe,
                            const struct command_namespace *ns,
                            struct byte_range *range)
{
  uint16_t status = check_writable (ns);

  /* No data is moved, so the maximum transfer does not apply. */
  return status ? status : check_rw (sqe, ns, UINT64_MAX, range);
}

uint16_t
command_check_flush (const struct nvme_sqe *sqe,
                     const struct command_namespace *ns)
{
  if (le32_to_cpu (sqe->nsid) == NVME_NSID_ALL)
    return 0;
  return check_nsid (sqe->nsid, ns);
}

uint16_t
command_check_dsm (const struct nvme_sqe *sqe,
                   const struct command_namespace *ns, uint32_t sgl_bytes,
                   unsigned *nr_ranges)
{
  unsigned n = (le32_to_cpu (sqe->cdw10) & 0xff) + 1;
  uint16_t status;

  if ((status = check_nsid (sqe->nsid, ns)) != 0)
    return status;
  if ((status = check_writable (ns)) != 0)
    return status;
  if (sgl_bytes < n * sizeof (struct nvme_dsm_range)
      || sgl_bytes > COMMAND_DSM_BYTES_MAX)
    return STATUS_DNR (NVME_SC_SGL_INVALID_DATA);
  *nr_ranges = n;
  return 0;
}

uint16_t
command_check_dsm_ranges (const struct nvme_dsm_range *ranges,
                          unsigned nr_ranges,
                          const struct command_namespace *ns)
{
  for (unsigned i = 0; i < nr_ranges; i++) {
    struct byte_range ignored;
    uint16_t status = check_blocks (le64_to_cpu (ranges[i].slba),
                                    le32_to_cpu (ranges[i].nlb), ns,
                                    &ignored);

    if (status)
      return status;
  }
  return 0;
}

uint16_t
command_check_lba_status (const struct nvme_sqe *sqe,
                          const struct command_namespace *ns,
                          uint32_t max_bytes, uint32_t *bytes,
                          struct byte_range *range)
{
  uint64_t slba = le32_to_cpu (sqe->cdw10)
    | (uint64_t) le32_to_cpu (sqe->cdw11) << 32;
  uint64_t room = ((uint64_t) le32_to_cpu (sqe->cdw12) + 1) * 4;
  uint32_t cdw13 = le32_to_cpu (sqe->cdw13);
  uint64_t blocks = cdw13 & 0xffff;
  uint16_t status;

  if ((status = check_nsid (sqe->nsid, ns)) != 0)
    return status;
  if (cdw13 >> 24 != LBA_STATUS_ATYPE_ALLOCATED)
    return INVALID_FIELD;
  if (room < sizeof (struct nvme_lba_status) || room > max_bytes)
    return INVALID_FIELD;
  if (slba >= ns->nsze)
    return STATUS_DNR (NVME_SC_LBA_RANGE);
  if (blocks == 0)
    blocks = ns->nsze - slba;
  if ((status = check_blocks (slba, blocks, ns, range)) != 0)
    return status;
  *bytes = (uint32_t) room;
  return 0;
}
