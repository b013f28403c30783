/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Submission and completion queue entries (NVM Express Base 2.0 sections
 * 3.3.3 and 4.4; NVMe over Fabrics capsules, section 6).  libnvme has the
 * opcodes, data structures and status codes, but not these.
 */
#ifndef QBD_NVMEOF_COMMAND_H
#define QBD_NVMEOF_COMMAND_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include <nvme/types.h>

#include "nvmeof/endian.h"

/* SGL descriptor (section 4.1.2), type byte = type << 4 | subtype. */
struct nvme_sgl {
  __le64 addr;
  __le32 length;        /* bytes */
  __u8 rsvd12[3];
  __u8 type;
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_sgl) == 16, "");

enum {
  NVME_SGL_DATA_OFFSET = 0x01,      /* data block, offset: in the capsule */
  NVME_SGL_TRANSPORT = 0x5a,        /* transport data block: by PDUs */
  NVME_SGL_KEYED = 0x40,            /* keyed data block (RDMA) */
  NVME_SGL_KEYED_INVALIDATE = 0x4f,
};

enum {
  NVME_SQE_PSDT_MASK = 0xc0,        /* flags byte */
  NVME_SQE_PSDT_SGL = 0x40,
  NVME_SQE_FUSE_MASK = 0x03,
};

/* The common form of every command. */
struct nvme_sqe {
  __u8 opcode;
  __u8 flags;
  __u16 cid;            /* opaque to the receiver, so not swapped */
  __le32 nsid;
  __le32 cdw2;
  __le32 cdw3;
  __le64 mptr;
  struct nvme_sgl dptr;
  __le32 cdw10;
  __le32 cdw11;
  __le32 cdw12;
  __le32 cdw13;
  __le32 cdw14;
  __le32 cdw15;
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_sqe) == 64, "");
static_assert (offsetof (struct nvme_sqe, dptr) == 24, "");
static_assert (offsetof (struct nvme_sqe, cdw10) == 40, "");

/* Read, Write, Write Zeroes, Compare (NVM Command Set section 3.2). */
struct nvme_rw_sqe {
  __u8 opcode;
  __u8 flags;
  __u16 cid;
  __le32 nsid;
  __le64 rsvd8;
  __le64 mptr;
  struct nvme_sgl dptr;
  __le64 slba;
  __le16 nlb_0based;
  __le16 control;       /* NVME_RW_CONTROL_* */
  __le32 dsmgmt;
  __le32 cdw14;
  __le32 cdw15;
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_rw_sqe) == 64, "");
static_assert (offsetof (struct nvme_rw_sqe, control) == 50, "");

enum {
  NVME_RW_CONTROL_DEAC = 1 << 9,    /* Write Zeroes: deallocate */
  NVME_RW_CONTROL_FUA = 1 << 14,
};

/* Fabrics commands, opcode 7Fh (section 6). */
enum {
  NVMF_FCTYPE_PROPERTY_SET = 0x00,
  NVMF_FCTYPE_CONNECT = 0x01,
  NVMF_FCTYPE_PROPERTY_GET = 0x04,
};

struct nvmf_connect_sqe {
  __u8 opcode;
  __u8 flags;
  __u16 cid;
  __u8 fctype;
  __u8 rsvd5[19];
  struct nvme_sgl dptr;
  __le16 recfmt;
  __le16 qid;
  __le16 sqsize_0based;
  __u8 cattr;
  __u8 rsvd47;
  __le32 kato_ms;
  __u8 rsvd52[12];
} __attribute__ ((packed));
static_assert (sizeof (struct nvmf_connect_sqe) == 64, "");
static_assert (offsetof (struct nvmf_connect_sqe, kato_ms) == 48, "");

enum {
  NVMF_CATTR_DISABLE_SQFLOW = 1 << 2,
};

struct nvmf_property_sqe {
  __u8 opcode;
  __u8 flags;
  __u16 cid;
  __u8 fctype;
  __u8 rsvd5[35];
  __u8 attrib;          /* 0: 4 bytes, 1: 8 bytes */
  __u8 rsvd41[3];
  __le32 offset;
  __le64 value;
  __u8 rsvd56[8];
} __attribute__ ((packed));
static_assert (sizeof (struct nvmf_property_sqe) == 64, "");
static_assert (offsetof (struct nvmf_property_sqe, offset) == 44, "");

/* Cross-Controller Reset (Base 2.3 section 5.4.3). */
struct nvme_cross_reset_sqe {
  __u8 opcode;
  __u8 flags;
  __u16 cid;
  __le32 nsid;
  __u8 rsvd8[32];
  __le16 icid;          /* impacted controller: its CNTLID */
  __u8 ciu;             /* and instance */
  __u8 rsvd43;
  __le32 cdw11;
  __le64 cirn;
  __u8 rsvd56[8];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_cross_reset_sqe) == 64, "");
static_assert (offsetof (struct nvme_cross_reset_sqe, icid) == 40, "");
static_assert (offsetof (struct nvme_cross_reset_sqe, cirn) == 48, "");

union nvme_command {
  struct nvme_sqe common;
  struct nvme_rw_sqe rw;
  struct nvmf_connect_sqe connect;
  struct nvmf_property_sqe property;
  struct nvme_cross_reset_sqe cross_reset;
};
static_assert (sizeof (union nvme_command) == 64, "");

struct nvme_cqe {
  union {
    __le64 value;       /* Property Get */
    struct {
      __le32 dw0;
      __le32 dw1;
    };
  };
  __le16 sqhd;
  __le16 sqid;          /* reserved in fabrics */
  __u16 cid;            /* as the command had it */
  __le16 status;        /* bits 15:1 status, bit 0 reserved (phase) */
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_cqe) == 16, "");

/* The status as enum nvme_status_field counts it: DNR is bit 14.  0 is success,
 * and nothing else is: "do not retry" and the like mean nothing then, and a
 * controller that says so all the same is not to get past a test for 0. */
static inline uint16_t
nvme_cqe_status (const struct nvme_cqe *cqe)
{
  uint16_t status = le16_to_cpu (cqe->status) >> 1;

  return (status & 0x7ff) == NVME_SC_SUCCESS ? 0 : status;
}

/* Connect's dw0 on success: CNTLID; on Invalid Parameter: IPO and IATTR. */
/* The offset is in the data, not in the SQE. */
enum { NVMF_IATTR_DATA = 1 << 16 };

/* Fabrics limits (section 3.1.2). */
enum {
  NVMEOF_NQN_MAX = 223,               /* bytes without the NUL */
  NVMEOF_ADMIN_CAPSULE_DATA = 8192,   /* in-capsule data always accepted on
                                         the admin queue, TCP 1.0 3.3.2.2 */
};

#define NVMEOF_DISCOVERY_NQN "nqn.2014-08.org.nvmexpress.discovery"

#endif
