/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building NVMe/TCP PDU headers (TCP Transport 1.0 section 3.6): what this
 * side sends passes tcp-check.h on the other.
 */
#include "nvmeof/tcp-check.h"

static uint8_t
hlen_of (enum nvme_tcp_type type)
{
  switch (type) {
  case NVME_TCP_ICREQ: return sizeof (struct nvme_tcp_icreq);
  case NVME_TCP_ICRESP: return sizeof (struct nvme_tcp_icresp);
  case NVME_TCP_H2C_TERM:
  case NVME_TCP_C2H_TERM: return sizeof (struct nvme_tcp_term);
  case NVME_TCP_CMD: return sizeof (struct nvme_tcp_cmd);
  case NVME_TCP_RSP: return sizeof (struct nvme_tcp_rsp);
  case NVME_TCP_H2C_DATA:
  case NVME_TCP_C2H_DATA: return sizeof (struct nvme_tcp_data);
  case NVME_TCP_R2T: return sizeof (struct nvme_tcp_r2t);
  }
  assert (!"no such PDU type");
  return 0;
}

void
tcp_make_hdr (struct nvme_tcp_hdr *hdr, enum nvme_tcp_type type,
              uint8_t flags, uint32_t data_bytes,
              const struct tcp_agreed *agreed)
{
  uint8_t hlen = hlen_of (type);
  uint32_t plen = hlen;
  uint8_t pdo = 0;

  assert (data_bytes == 0 || type == NVME_TCP_CMD ||
          type == NVME_TCP_H2C_DATA || type == NVME_TCP_C2H_DATA);
  if (agreed->hdgst && type >= NVME_TCP_CMD) {
    flags |= NVME_TCP_F_HDGST;
    plen += NVME_TCP_DIGEST_BYTES;
  }
  if (data_bytes > 0) {
    pdo = (uint8_t) plen;
    plen += data_bytes;
    if (agreed->ddgst) {
      flags |= NVME_TCP_F_DDGST;
      plen += NVME_TCP_DIGEST_BYTES;
    }
  }
  *hdr = (struct nvme_tcp_hdr) {
    .type = type, .flags = flags, .hlen = hlen, .pdo = pdo,
    .plen = cpu_to_le32 (plen),
  };
}

void
tcp_make_term (struct nvme_tcp_term *term, enum nvme_tcp_type type,
               const struct tcp_fault *fault, uint32_t data_bytes)
{
  assert (type == NVME_TCP_H2C_TERM || type == NVME_TCP_C2H_TERM);
  assert (data_bytes <= NVME_TCP_TERM_DATA_MAX);
  *term = (struct nvme_tcp_term) {
    .hdr = {
      .type = type, .hlen = sizeof *term,
      .plen = cpu_to_le32 ((uint32_t) sizeof *term + data_bytes),
    },
    .fes = cpu_to_le16 (fault->fes),
    .fei = cpu_to_le32 (fault->fei),
  };
}
