/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVMe status and errno, both ways, and names of statuses.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <nvme/types.h>

#include "nvmeof/status.h"

/* Status code type and code: without CRD, More and DNR. */
#define CODE_MASK 0x7ff

enum {
  GENERIC = NVME_SCT_GENERIC << 8,
  SPECIFIC = NVME_SCT_CMD_SPECIFIC << 8,
  MEDIA = NVME_SCT_MEDIA << 8,
  PATH = NVME_SCT_PATH << 8,
  CONNECT_ONLY = 1 << 15,       /* above CODE_MASK: no status has it */
  CONNECT = SPECIFIC | CONNECT_ONLY,
};

/* A code, its name (Base 2.0 section 3.3.3.2), and the errno of a command that
 * failed with it. */
struct code {
  uint16_t code;
  int err;
  const char *name;
};

/*
 * Why these: the storage's own errors (nvmet sends CAP_EXCEEDED for ENOSPC,
 * INTERNAL for EIO) keep their meaning.  ACCESS_DENIED is EIO, because nvmet
 * sends it for ENODATA, a medium error, and the Linux host takes it for one;
 * a refusal by policy is OP_DENIED.
 */
static const struct code codes[] = {
  /* Connect's own (section 3.3 of Fabrics) come first: in I/O commands these
   * numbers mean something else.  Its others are as below. */
  { CONNECT | NVME_SC_CONNECT_FORMAT, EPROTO, "Connect Incompatible Format" },
  { CONNECT | NVME_SC_CONNECT_CTRL_BUSY, EBUSY, "Connect Controller Busy" },
  { CONNECT | NVME_SC_CONNECT_INVALID_PARAM, ENOENT,
    "Connect Invalid Parameters" },
  { CONNECT | NVME_SC_CONNECT_RESTART_DISC, ENOENT,
    "Connect Restart Discovery" },
  { CONNECT | NVME_SC_CONNECT_INVALID_HOST, EACCES, "Connect Invalid Host" },

  { GENERIC | NVME_SC_SUCCESS, 0, "Successful Completion" },
  { GENERIC | NVME_SC_INVALID_OPCODE, EOPNOTSUPP, "Invalid Command Opcode" },
  { GENERIC | NVME_SC_INVALID_FIELD, EINVAL, "Invalid Field in Command" },
  { GENERIC | NVME_SC_CMDID_CONFLICT, EIO, "Command ID Conflict" },
  { GENERIC | NVME_SC_DATA_XFER_ERROR, EIO, "Data Transfer Error" },
  { GENERIC | NVME_SC_POWER_LOSS, EIO,
    "Commands Aborted due to Power Loss Notification" },
  { GENERIC | NVME_SC_INTERNAL, EIO, "Internal Error" },
  { GENERIC | NVME_SC_ABORT_REQ, EIO, "Command Abort Requested" },
  { GENERIC | NVME_SC_ABORT_QUEUE, EIO,
    "Command Aborted due to SQ Deletion" },
  { GENERIC | NVME_SC_FUSED_FAIL, EIO,
    "Command Aborted due to Failed Fused Command" },
  { GENERIC | NVME_SC_FUSED_MISSING, EIO,
    "Command Aborted due to Missing Fused Command" },
  { GENERIC | NVME_SC_INVALID_NS, EIO, "Invalid Namespace or Format" },
  { GENERIC | NVME_SC_CMD_SEQ_ERROR, EIO, "Command Sequence Error" },
  { GENERIC | NVME_SC_SGL_INVALID_LAST, EIO,
    "Invalid SGL Segment Descriptor" },
  { GENERIC | NVME_SC_SGL_INVALID_COUNT, EIO,
    "Invalid Number of SGL Descriptors" },
  { GENERIC | NVME_SC_SGL_INVALID_DATA, EIO, "Data SGL Length Invalid" },
  { GENERIC | NVME_SC_SGL_INVALID_METADATA, EIO,
    "Metadata SGL Length Invalid" },
  { GENERIC | NVME_SC_SGL_INVALID_TYPE, EIO, "SGL Descriptor Type Invalid" },
  { GENERIC | NVME_SC_OP_DENIED, EPERM, "Operation Denied" },
  { GENERIC | NVME_SC_SGL_INVALID_OFFSET, EIO, "SGL Offset Invalid" },
  { GENERIC | NVME_SC_HOSTID_FORMAT, EINVAL,
    "Host Identifier Inconsistent Format" },
  { GENERIC | NVME_SC_KAT_EXPIRED, EIO, "Keep Alive Timeout Expired" },
  { GENERIC | NVME_SC_KAT_INVALID, EINVAL, "Keep Alive Timeout Invalid" },
  { GENERIC | NVME_SC_CMD_ABORTED_PREMEPT, EIO,
    "Command Aborted due to Preempt and Abort" },
  { GENERIC | NVME_SC_SANITIZE_FAILED, EIO, "Sanitize Failed" },
  { GENERIC | NVME_SC_SANITIZE_IN_PROGRESS, EIO, "Sanitize In Progress" },
  { GENERIC | NVME_SC_NS_WRITE_PROTECTED, EROFS,
    "Namespace is Write Protected" },
  { GENERIC | NVME_SC_CMD_INTERRUPTED, EIO, "Command Interrupted" },
  { GENERIC | NVME_SC_TRAN_TPORT_ERROR, EIO, "Transient Transport Error" },
  { GENERIC | NVME_SC_ADMIN_CMD_MEDIA_NOT_READY, EIO,
    "Admin Command Media Not Ready" },
  { GENERIC | NVME_SC_LBA_RANGE, EINVAL, "LBA Out of Range" },
  { GENERIC | NVME_SC_CAP_EXCEEDED, ENOSPC, "Capacity Exceeded" },
  { GENERIC | NVME_SC_NS_NOT_READY, EIO, "Namespace Not Ready" },
  { GENERIC | NVME_SC_RESERVATION_CONFLICT, EPERM, "Reservation Conflict" },
  { GENERIC | NVME_SC_FORMAT_IN_PROGRESS, EIO, "Format In Progress" },

  { SPECIFIC | NVME_SC_QID_INVALID, EINVAL, "Invalid Queue Identifier" },
  { SPECIFIC | NVME_SC_QUEUE_SIZE, EINVAL, "Invalid Queue Size" },
  { SPECIFIC | NVME_SC_ABORT_LIMIT, EIO, "Abort Command Limit Exceeded" },
  { SPECIFIC | NVME_SC_ASYNC_LIMIT, EIO,
    "Asynchronous Event Request Limit Exceeded" },
  { SPECIFIC | NVME_SC_INVALID_LOG_PAGE, EOPNOTSUPP, "Invalid Log Page" },
  { SPECIFIC | NVME_SC_FEATURE_NOT_SAVEABLE, EINVAL,
    "Feature Identifier Not Saveable" },
  { SPECIFIC | NVME_SC_FEATURE_NOT_CHANGEABLE, EINVAL,
    "Feature Not Changeable" },
  { SPECIFIC | NVME_SC_NS_INSUFFICIENT_CAP, ENOSPC,
    "Namespace Insufficient Capacity" },
  { SPECIFIC | NVME_SC_BAD_ATTRIBUTES, EINVAL, "Conflicting Attributes" },
  { SPECIFIC | NVME_SC_INVALID_PI, EINVAL, "Invalid Protection Information" },
  { SPECIFIC | NVME_SC_READ_ONLY, EROFS, "Attempted Write to Read Only Range" },
  /* Also what the Linux target says, by an older name of the code, where its
   * storage cannot write zeroes or deallocate. */
  { SPECIFIC | NVME_SC_CMD_SIZE_LIMIT_EXCEEDED, EOPNOTSUPP,
    "Command Size Limit Exceeded" },
  { SPECIFIC | NVME_SC_AUTH_REQUIRED, EACCES, "Authentication Required" },

  { MEDIA | NVME_SC_WRITE_FAULT, EIO, "Write Fault" },
  { MEDIA | NVME_SC_READ_ERROR, EIO, "Unrecovered Read Error" },
  { MEDIA | NVME_SC_GUARD_CHECK, EIO, "End-to-end Guard Check Error" },
  { MEDIA | NVME_SC_APPTAG_CHECK, EIO,
    "End-to-end Application Tag Check Error" },
  { MEDIA | NVME_SC_REFTAG_CHECK, EIO,
    "End-to-end Reference Tag Check Error" },
  { MEDIA | NVME_SC_COMPARE_FAILED, EIO, "Compare Failure" },
  { MEDIA | NVME_SC_ACCESS_DENIED, EIO, "Access Denied" },
  { MEDIA | NVME_SC_UNWRITTEN_BLOCK, EIO,
    "Deallocated or Unwritten Logical Block" },

  { PATH | NVME_SC_ANA_INTERNAL_PATH_ERROR, EIO, "Internal Path Error" },
  { PATH | NVME_SC_ANA_PERSISTENT_LOSS, EIO,
    "Asymmetric Access Persistent Loss" },
  { PATH | NVME_SC_ANA_INACCESSIBLE, EIO, "Asymmetric Access Inaccessible" },
  { PATH | NVME_SC_ANA_TRANSITION, EIO, "Asymmetric Access Transition" },
  { PATH | NVME_SC_CTRL_PATH_ERROR, EIO, "Controller Pathing Error" },
  { PATH | NVME_SC_HOST_PATH_ERROR, EIO, "Host Pathing Error" },
  { PATH | NVME_SC_CMD_ABORTED_BY_HOST, EIO, "Command Aborted By Host" },
};

static const struct code *
code_find (uint16_t status, bool connect)
{
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if ((codes[i].code & CODE_MASK) == (status & CODE_MASK) &&
        (connect || !(codes[i].code & CONNECT_ONLY)))
      return &codes[i];
  return NULL;
}

static const char *
type_name (uint16_t status)
{
  switch (status >> 8 & 7) {
  case NVME_SCT_GENERIC: return "unknown generic status";
  case NVME_SCT_CMD_SPECIFIC: return "unknown command specific status";
  case NVME_SCT_MEDIA: return "unknown media error";
  case NVME_SCT_PATH: return "unknown path error";
  case NVME_SCT_VS: return "vendor specific status";
  }
  return "unknown status";
}

static int
code_errno (uint16_t status, bool connect)
{
  const struct code *code = code_find (status, connect);

  return code ? code->err : EIO;
}

static const char *
code_name (uint16_t status, bool connect)
{
  const struct code *code = code_find (status, connect);

  return code ? code->name : type_name (status);
}

int
status_to_errno (uint16_t status)
{
  return code_errno (status, false);
}

int
status_connect_to_errno (uint16_t status)
{
  return code_errno (status, true);
}

bool
status_is_path (uint16_t status)
{
  return (status >> 8 & 7) == NVME_SCT_PATH && !(status & NVME_SC_DNR);
}

const char *
status_name (uint16_t status)
{
  return code_name (status, false);
}

const char *
status_connect_name (uint16_t status)
{
  return code_name (status, true);
}

uint16_t
status_from_errno (int err)
{
  switch (err) {
  case 0:
    return NVME_SC_SUCCESS;
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
    return NVME_SC_CAP_EXCEEDED | NVME_SC_DNR;
  case EROFS:
    return NVME_SC_NS_WRITE_PROTECTED | NVME_SC_DNR;
  case EPERM:
  case EACCES:
    return NVME_SC_OP_DENIED | NVME_SC_DNR;
  case EINVAL:
    return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
  case EOPNOTSUPP:
  case ENOSYS:
    return NVME_SC_INVALID_OPCODE | NVME_SC_DNR;
  case ENOMEM:
  case EAGAIN:
  case EBUSY:
    /* The only "later" that needs no feature of the host. */
    return NVME_SC_NS_NOT_READY;
  case ESHUTDOWN:
    /* Of the way from here to the storage: another controller may have one. */
    return PATH | NVME_SC_ANA_INTERNAL_PATH_ERROR;
  default:
    return NVME_SC_INTERNAL | NVME_SC_DNR;
  }
}
