/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVMe/TCP protocol data units (NVM Express TCP Transport 1.0 section 3.6).
 */
#ifndef QBD_NVMEOF_TCP_PDU_H
#define QBD_NVMEOF_TCP_PDU_H

#include "nvmeof/command.h"

enum nvme_tcp_type {
  NVME_TCP_ICREQ = 0x00,
  NVME_TCP_ICRESP = 0x01,
  NVME_TCP_H2C_TERM = 0x02,
  NVME_TCP_C2H_TERM = 0x03,
  NVME_TCP_CMD = 0x04,
  NVME_TCP_RSP = 0x05,
  NVME_TCP_H2C_DATA = 0x06,
  NVME_TCP_C2H_DATA = 0x07,
  NVME_TCP_R2T = 0x09,
};

enum nvme_tcp_flags {
  NVME_TCP_F_HDGST = 1 << 0,
  NVME_TCP_F_DDGST = 1 << 1,
  NVME_TCP_F_DATA_LAST = 1 << 2,
  NVME_TCP_F_DATA_SUCCESS = 1 << 3,
};

/* Digest bits of ICReq and ICResp. */
enum {
  NVME_TCP_DIGEST_HEADER = 1 << 0,
  NVME_TCP_DIGEST_DATA = 1 << 1,
};

/* Fatal error status of a TermReq. */
enum nvme_tcp_fes {
  NVME_TCP_FES_INVALID_HEADER = 0x01,
  NVME_TCP_FES_SEQUENCE = 0x02,
  NVME_TCP_FES_HDGST = 0x03,
  NVME_TCP_FES_RANGE = 0x04,
  NVME_TCP_FES_LIMIT = 0x05,        /* R2T or data transfer limit exceeded */
  NVME_TCP_FES_UNSUPPORTED = 0x06,
};

struct nvme_tcp_hdr {
  __u8 type;
  __u8 flags;
  __u8 hlen;            /* bytes, without the header digest */
  __u8 pdo;             /* bytes from the PDU's start to its data, or 0 */
  __le32 plen;          /* bytes of the whole PDU, digests included */
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_hdr) == 8, "");

struct nvme_tcp_icreq {
  struct nvme_tcp_hdr hdr;
  __le16 pfv;
  __u8 hpda;            /* 0-based dwords */
  __u8 digest;
  __le32 maxr2t_0based;
  __u8 rsvd16[112];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_icreq) == 128, "");

enum {
  NVME_TCP_ALIGNMENT_MAX = 31,      /* HPDA, CPDA: 0-based dwords */
  NVME_TCP_MAXH2CDATA_MIN = 4096,   /* bytes */
};

struct nvme_tcp_icresp {
  struct nvme_tcp_hdr hdr;
  __le16 pfv;
  __u8 cpda;            /* 0-based dwords */
  __u8 digest;
  __le32 maxh2cdata;    /* bytes */
  __u8 rsvd16[112];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_icresp) == 128, "");

struct nvme_tcp_term {
  struct nvme_tcp_hdr hdr;
  __le16 fes;
  __le32 fei;
  __u8 rsvd14[10];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_term) == 24, "");

enum { NVME_TCP_TERM_DATA_MAX = 128 };   /* bytes of the PDU at fault */

struct nvme_tcp_cmd {
  struct nvme_tcp_hdr hdr;
  union nvme_command sqe;
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_cmd) == 72, "");

struct nvme_tcp_rsp {
  struct nvme_tcp_hdr hdr;
  struct nvme_cqe cqe;
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_rsp) == 24, "");

/* H2CData and C2HData. */
struct nvme_tcp_data {
  struct nvme_tcp_hdr hdr;
  __u16 cccid;          /* the command's cid */
  __u16 ttag;           /* H2C: the R2T's tag */
  __le32 datao;         /* bytes into the command's data */
  __le32 datal;         /* bytes */
  __u8 rsvd20[4];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_data) == 24, "");

struct nvme_tcp_r2t {
  struct nvme_tcp_hdr hdr;
  __u16 cccid;
  __u16 ttag;
  __le32 r2to;          /* bytes */
  __le32 r2tl;          /* bytes */
  __u8 rsvd20[4];
} __attribute__ ((packed));
static_assert (sizeof (struct nvme_tcp_r2t) == 24, "");

enum {
  NVME_TCP_HLEN_MAX = 128,
  NVME_TCP_DIGEST_BYTES = 4,
};

/* Any PDU's header, as a receiver collects it. */
union nvme_tcp_pdu {
  struct nvme_tcp_hdr hdr;
  struct nvme_tcp_icreq icreq;
  struct nvme_tcp_icresp icresp;
  struct nvme_tcp_term term;
  struct nvme_tcp_cmd cmd;
  struct nvme_tcp_rsp rsp;
  struct nvme_tcp_data data;
  struct nvme_tcp_r2t r2t;
  uint8_t bytes[NVME_TCP_HLEN_MAX + NVME_TCP_DIGEST_BYTES];
};

#endif
