/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe/RDMA binding: making and checking what goes over it.
 */
#include <string.h>

#include "nvmeof/command-check.h"
#include "nvmeof/rdma.h"

/* A keyed data block descriptor; of its length and key the wire has 24 and
 * 32 bits that are not aligned. */
struct keyed_sgl {
  __le64 addr;
  __u8 length[3];
  __u8 key[4];
  __u8 type;
} __attribute__ ((packed));
static_assert (sizeof (struct keyed_sgl) == sizeof (struct nvme_sgl), "");
static_assert (offsetof (struct keyed_sgl, type) ==
               offsetof (struct nvme_sgl, type), "");

enum { KEYED_BYTES_MAX = (1 << 24) - 1 };

static uint32_t
get_bytes (const __u8 *p, unsigned n)
{
  uint32_t v = 0;

  while (n-- > 0)
    v = v << 8 | p[n];
  return v;
}

static void
put_bytes (__u8 *p, unsigned n, uint32_t v)
{
  for (unsigned i = 0; i < n; i++, v >>= 8)
    p[i] = v & 0xff;
}

/* --- the controller's side ------------------------------------------------ */

const char *
rdma_cm_status_name (uint16_t sts)
{
  switch (sts) {
  case NVME_RDMA_CM_INVALID_LEN: return "invalid length of private data";
  case NVME_RDMA_CM_INVALID_RECFMT: return "invalid RECFMT";
  case NVME_RDMA_CM_INVALID_QID: return "invalid QID";
  case NVME_RDMA_CM_INVALID_HSQSIZE: return "invalid HSQSIZE";
  case NVME_RDMA_CM_INVALID_HRQSIZE: return "invalid HRQSIZE";
  case NVME_RDMA_CM_NO_RSC: return "no resources";
  case NVME_RDMA_CM_INVALID_IRD: return "invalid IRD";
  case NVME_RDMA_CM_INVALID_ORD: return "invalid ORD";
  case NVME_RDMA_CM_INVALID_CNTLID: return "invalid CNTLID";
  default: return "unknown reason";
  }
}

uint16_t
rdma_check_request (const void *private_data, size_t bytes,
                    uint16_t entries_max, struct rdma_asked *asked)
{
  struct nvme_rdma_cm_request wire;
  uint32_t entries, receives;
  uint16_t qid;

  if (!private_data || bytes < sizeof wire)
    return NVME_RDMA_CM_INVALID_LEN;
  memcpy (&wire, private_data, sizeof wire);
  if (le16_to_cpu (wire.recfmt) != 0)
    return NVME_RDMA_CM_INVALID_RECFMT;
  qid = le16_to_cpu (wire.qid);
  entries = le16_to_cpu (wire.hsqsize_0based) + UINT32_C (1);
  receives = le16_to_cpu (wire.hrqsize);
  if (entries < 2 ||
      entries > (qid == 0 ? NVME_RDMA_ADMIN_ENTRIES : entries_max))
    return NVME_RDMA_CM_INVALID_HSQSIZE;
  if (receives == 0)
    return NVME_RDMA_CM_INVALID_HRQSIZE;
  *asked = (struct rdma_asked) {
    .qid = qid,
    .entries = (uint16_t) entries,
    .depth = (uint16_t) (receives < entries ? receives : entries),
  };
  return 0;
}

static uint16_t
check_in_capsule (const struct nvme_sgl *sgl, uint32_t capsule_bytes,
                  uint32_t in_capsule_max, struct rdma_data *data)
{
  uint32_t bytes = le32_to_cpu (sgl->length);

  /* ICDOFF is 0. */
  if (le64_to_cpu (sgl->addr) != 0)
    return STATUS_DNR (NVME_SC_SGL_INVALID_OFFSET);
  if (bytes > in_capsule_max ||
      bytes != capsule_bytes - sizeof (struct nvme_sqe))
    return STATUS_DNR (NVME_SC_SGL_INVALID_DATA);
  *data = (struct rdma_data) { .in_capsule = true, .bytes = bytes };
  return 0;
}

uint16_t
rdma_check_capsule (const struct nvme_sqe *sqe, uint32_t capsule_bytes,
                    uint32_t in_capsule_max, struct rdma_data *data)
{
  const struct nvme_sgl *sgl = &sqe->dptr;
  struct keyed_sgl keyed;
  uint32_t bytes;

  assert (capsule_bytes >= sizeof *sqe);
  if (sgl->type == NVME_SGL_DATA_OFFSET)
    return check_in_capsule (sgl, capsule_bytes, in_capsule_max, data);
  if (sgl->type != NVME_SGL_KEYED && sgl->type != NVME_SGL_KEYED_INVALIDATE)
    return STATUS_DNR (NVME_SC_SGL_INVALID_TYPE);
  memcpy (&keyed, sgl, sizeof keyed);
  bytes = get_bytes (keyed.length, sizeof keyed.length);
  if (bytes > 0 && le64_to_cpu (keyed.addr) > UINT64_MAX - (bytes - 1))
    return STATUS_DNR (NVME_SC_SGL_INVALID_DATA);
  *data = (struct rdma_data) {
    .invalidate = sgl->type == NVME_SGL_KEYED_INVALIDATE,
    .bytes = bytes,
    .rkey = get_bytes (keyed.key, sizeof keyed.key),
    .addr = le64_to_cpu (keyed.addr),
  };
  return 0;
}

struct nvme_rdma_cm_accept
rdma_make_accept (uint16_t crqsize)
{
  return (struct nvme_rdma_cm_accept) { .crqsize = cpu_to_le16 (crqsize) };
}

struct nvme_rdma_cm_reject
rdma_make_reject (uint16_t sts)
{
  return (struct nvme_rdma_cm_reject) { .sts = cpu_to_le16 (sts) };
}

/* --- the host's side -------------------------------------------------------- */

struct nvme_rdma_cm_request
rdma_make_request (uint16_t qid, uint16_t depth, uint16_t cntlid)
{
  return (struct nvme_rdma_cm_request) {
    .qid = cpu_to_le16 (qid),
    .hrqsize = cpu_to_le16 (depth + 1),
    .hsqsize_0based = cpu_to_le16 (depth),
    .cntlid = cpu_to_le16 (cntlid),
  };
}

static int
fail (const char **fault, const char *text)
{
  *fault = text;
  return -1;
}

int
rdma_check_accept (const void *private_data, size_t bytes, uint16_t *depth,
                   const char **fault)
{
  struct nvme_rdma_cm_accept wire;
  uint16_t crqsize;

  if (!private_data || bytes < sizeof wire)
    return fail (fault, "the private data are too short");
  memcpy (&wire, private_data, sizeof wire);
  if (le16_to_cpu (wire.recfmt) != 0)
    return fail (fault, "RECFMT is not 0");
  crqsize = le16_to_cpu (wire.crqsize);
  if (crqsize == 0)
    return fail (fault, "CRQSIZE is 0");
  if (*depth > crqsize)
    *depth = crqsize;
  return 0;
}

uint16_t
rdma_reject_status (const void *private_data, size_t bytes)
{
  struct nvme_rdma_cm_reject wire;

  if (!private_data || bytes < sizeof wire)
    return 0;
  memcpy (&wire, private_data, sizeof wire);
  return le16_to_cpu (wire.recfmt) == 0 ? le16_to_cpu (wire.sts) : 0;
}

void
rdma_make_in_capsule (struct nvme_sqe *sqe, uint32_t bytes)
{
  sqe->dptr = (struct nvme_sgl) {
    .length = cpu_to_le32 (bytes),
    .type = NVME_SGL_DATA_OFFSET,
  };
}

void
rdma_make_keyed (struct nvme_sqe *sqe, uint64_t addr, uint32_t bytes,
                 uint32_t rkey)
{
  struct keyed_sgl keyed = {
    .addr = cpu_to_le64 (addr),
    .type = NVME_SGL_KEYED,
  };

  assert (bytes <= KEYED_BYTES_MAX);
  put_bytes (keyed.length, sizeof keyed.length, bytes);
  put_bytes (keyed.key, sizeof keyed.key, rkey);
  memcpy (&sqe->dptr, &keyed, sizeof keyed);
}
