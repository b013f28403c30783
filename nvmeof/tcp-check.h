/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of NVMe/TCP PDUs (TCP Transport 1.0 section 3.6), once, at the
 * edge.  Pure functions: no state, no clock, no allocation.  A function
 * returns 0, or -1 with the fault that a TermReq must name; its caller then
 * ends the connection.
 *
 * A receiver calls, in this order: tcp_check_header on the first 8 bytes
 * (it knows then how much to read), the header digest if there is one, and
 * the type's own function on the whole header.
 */
#ifndef QBD_NVMEOF_TCP_CHECK_H
#define QBD_NVMEOF_TCP_CHECK_H

#include "nvmeof/tcp-pdu.h"

struct tcp_fault {
  uint16_t fes;         /* enum nvme_tcp_fes */
  uint32_t fei;         /* byte offset of the field in the PDU header, when
                           FES is INVALID_HEADER or UNSUPPORTED, else 0 */
  const char *field;    /* its name, for the log: constant */
};

enum tcp_peer {
  TCP_PEER_HOST,        /* we are the controller */
  TCP_PEER_CONTROLLER,  /* we are the host */
};

/* What a receiver has agreed with its peer. */
struct tcp_agreed {
  enum tcp_peer peer;
  bool ic_done;         /* the IC exchange is over */
  bool hdgst;
  bool ddgst;
  uint32_t plen_max;    /* bytes: the longest PDU this receiver takes */
};

/* Type known and allowed from this peer now, HLEN the type's, PLEN between
 * header and plen_max and equal to the header where no data may follow, flags
 * known to the type and digest flags as agreed, PDO where data begins
 * (alignment: HPDA/CPDA 0); without data it is 0, or in a command capsule also
 * the length of the header.  Of a TermReq only type and lengths matter: it is
 * accepted at any time, with 0 to 128 bytes of data. */
int tcp_check_header (const struct nvme_tcp_hdr *hdr,
                      const struct tcp_agreed *agreed,
                      struct tcp_fault *fault);

/* Bytes of header with its digest, then of data without its digest, that a PDU
 * with a checked header has.  A data digest follows exactly when there is data
 * and agreed->ddgst says so (never in a TermReq). */
uint32_t tcp_header_bytes (const struct nvme_tcp_hdr *hdr,
                           const struct tcp_agreed *agreed);
uint32_t tcp_data_bytes (const struct nvme_tcp_hdr *hdr,
                         const struct tcp_agreed *agreed);

/* PFV 0, HPDA 0..31, only known digest bits.  Another PFV and HPDA != 0 are
 * UNSUPPORTED: our data never has padding. */
int tcp_check_icreq (const struct nvme_tcp_icreq *icreq,
                     struct tcp_fault *fault);

/* PFV 0, CPDA 0, digests no more than offered (fewer is for the caller to
 * judge), MAXH2CDATA a multiple of 4 and at least 4096. */
int tcp_check_icresp (const struct nvme_tcp_icresp *icresp,
                      uint8_t digest_offered, struct tcp_fault *fault);

/* FES known; never fails the connection twice: the caller only logs. */
const char *tcp_fes_name (uint16_t fes);

/* A command capsule: with data in the PDU, at most in_capsule_max, the SGL is
 * one in-capsule descriptor (offset 0) of that length.  Without, an in-capsule
 * descriptor has length 0, and any other type is left to the target, as PSDT
 * is (01b: SGL): those are the command's errors, not the connection's.
 *
 * SPDK's host sends descriptor type 00h (data block, address) of length 0 with
 * a command that has no data, and old ones (19.01) with reads too: a target
 * should take it for 5Ah, as nvmet does. */
int tcp_check_cmd (const struct nvme_tcp_cmd *cmd,
                   const struct tcp_agreed *agreed, uint32_t in_capsule_max,
                   struct tcp_fault *fault);

/* One transfer that a receiver of data expects. */
struct tcp_expect {
  uint16_t cccid;       /* as on the wire */
  uint16_t ttag;        /* as on the wire; H2C only */
  uint32_t datao;       /* the next byte, absolute in the command's data */
  uint32_t left;        /* bytes still to come in this transfer */
  uint32_t pdu_max;     /* H2C: MAXH2CDATA; C2H: no limit (UINT32_MAX) */
};

/* H2CData: cccid, ttag and datao as expected, DATAL equal to the PDU's data
 * (never 0), at most left and at most pdu_max, LAST exactly on the last byte.
 *
 * A Linux host before 5.17 answers an R2T with one PDU whatever MAXH2CDATA
 * says: never ask for more than MAXH2CDATA in one R2T. */
int tcp_check_h2c_data (const struct nvme_tcp_data *data,
                        const struct tcp_agreed *agreed,
                        const struct tcp_expect *expect,
                        struct tcp_fault *fault);

/* C2HData: the same without ttag; SUCCESS only with LAST and only when
 * success_allowed.  SPDK's target sets SUCCESS by its own option c2h_success
 * (default on) whether or not the host disabled SQ flow control: a host that
 * wants to talk to it allows SUCCESS always. */
int tcp_check_c2h_data (const struct nvme_tcp_data *data,
                        const struct tcp_agreed *agreed,
                        const struct tcp_expect *expect,
                        bool success_allowed, struct tcp_fault *fault);

/* R2T: r2to equal to the bytes solicited so far, 1 <= r2tl <= what the
 * command has left.  data_bytes is 0 for a command that does not write.  That
 * one R2T is outstanding at a time is for the caller to see. */
int tcp_check_r2t (const struct nvme_tcp_r2t *r2t, uint32_t solicited,
                   uint32_t data_bytes, struct tcp_fault *fault);

/* Build headers.  plen, pdo and digest flags follow from agreed and the
 * type.  The first data_bytes (at most NVME_TCP_TERM_DATA_MAX) of the PDU at
 * fault follow a TermReq; SPDK refuses one without any. */
void tcp_make_hdr (struct nvme_tcp_hdr *hdr, enum nvme_tcp_type type,
                   uint8_t flags, uint32_t data_bytes,
                   const struct tcp_agreed *agreed);
void tcp_make_term (struct nvme_tcp_term *term, enum nvme_tcp_type type,
                    const struct tcp_fault *fault, uint32_t data_bytes);

#endif
