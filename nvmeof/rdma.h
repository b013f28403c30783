/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe/RDMA binding (NVMe RDMA Transport 1.0): what host and controller
 * say to each other in the private data of the connection manager (section
 * 3.2), and how a capsule describes its data (section 3.1.5).  Each
 * function checks every field that a peer controls, once; its results are
 * plain numbers, and left alone where it fails.  Pure functions that know no
 * verbs.
 *
 * The connection manager pads private data with zeroes up to what its
 * messages hold, so the length is only a lower bound.
 */
#ifndef QBD_NVMEOF_RDMA_H
#define QBD_NVMEOF_RDMA_H

#include "nvmeof/command.h"

struct nvme_rdma_cm_request {
  __le16 recfmt;
  __le16 qid;
  __le16 hrqsize;               /* entries of the host's receive queue */
  __le16 hsqsize_0based;        /* of its send queue: SQSIZE of Connect */
  __le16 cntlid;                /* I/O queues, since 1.0; older hosts: 0 */
  __u8 rsvd10[22];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_rdma_cm_request) == 32, "");

struct nvme_rdma_cm_accept {
  __le16 recfmt;
  __le16 crqsize;               /* entries of the controller's receive queue */
  __u8 rsvd4[28];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_rdma_cm_accept) == 32, "");

struct nvme_rdma_cm_reject {
  __le16 recfmt;
  __le16 sts;                   /* NVME_RDMA_CM_* */
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_rdma_cm_reject) == 4, "");

enum nvme_rdma_cm_status {
  NVME_RDMA_CM_INVALID_LEN = 1,
  NVME_RDMA_CM_INVALID_RECFMT = 2,
  NVME_RDMA_CM_INVALID_QID = 3,
  NVME_RDMA_CM_INVALID_HSQSIZE = 4,
  NVME_RDMA_CM_INVALID_HRQSIZE = 5,
  NVME_RDMA_CM_NO_RSC = 6,
  NVME_RDMA_CM_INVALID_IRD = 7,
  NVME_RDMA_CM_INVALID_ORD = 8,
  NVME_RDMA_CM_INVALID_CNTLID = 9,
};

/* For people; "unknown reason" for others. */
const char *rdma_cm_status_name (uint16_t sts);

enum { NVME_RDMA_ADMIN_ENTRIES = 32 };

/* --- the controller's side ------------------------------------------------ */

/* What a host asks for. */
struct rdma_asked {
  uint16_t qid;
  uint16_t entries;             /* HSQSIZE, 1-based */
  uint16_t depth;               /* commands that may be in flight: no more
                                   than the host can receive answers of */
};

/* 0, or the status to reject with.  At most entries_max on an I/O queue. */
uint16_t rdma_check_request (const void *private_data, size_t bytes,
                             uint16_t entries_max,
                             struct rdma_asked *asked);

/* Where the data of a command are: the keyed SGL descriptor (Base 2.0
 * figure 118), or in the capsule behind the SQE. */
struct rdma_data {
  bool in_capsule;
  bool invalidate;              /* the response is to invalidate rkey */
  uint32_t bytes;               /* 0: no data */
  uint32_t rkey;
  uint64_t addr;
};

/* A capsule of so many bytes, SQE included, of which in_capsule_max may be
 * data.  0 or the status of the command.  A capsule shorter than an SQE is
 * the connection's error: its caller sees to that. */
uint16_t rdma_check_capsule (const struct nvme_sqe *sqe,
                             uint32_t capsule_bytes, uint32_t in_capsule_max,
                             struct rdma_data *data);

struct nvme_rdma_cm_accept rdma_make_accept (uint16_t crqsize);
struct nvme_rdma_cm_reject rdma_make_reject (uint16_t sts);

/* --- the host's side -------------------------------------------------------- */

/* depth commands in flight: entries are one more. */
struct nvme_rdma_cm_request rdma_make_request (uint16_t qid, uint16_t depth,
                                               uint16_t cntlid);

/* Lowers *depth to what the controller can receive.  0, or -1 with *fault. */
int rdma_check_accept (const void *private_data, size_t bytes,
                       uint16_t *depth, const char **fault);

/* The reason of a reject, 0: none was given. */
uint16_t rdma_reject_status (const void *private_data, size_t bytes);

/* Data in the capsule behind the SQE, or at addr under rkey. */
void rdma_make_in_capsule (struct nvme_sqe *sqe, uint32_t bytes);
void rdma_make_keyed (struct nvme_sqe *sqe, uint64_t addr, uint32_t bytes,
                      uint32_t rkey);

#endif
