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

/* Type known and allowed from this peer now, flags known to the type, HLEN
 * the type's, PDO where data begins (alignment: HPDA/CPDA 0) or 0, PLEN
 * between header and plen_max and equal to the header where no data may
 * follow. */
int tcp_check_header (const struct nvme_tcp_hdr *hdr,
                      const struct tcp_agreed *agreed,
                      struct tcp_fault *fault);

/* Bytes of header, then of data, that a PDU with a checked header has. */
uint32_t tcp_header_bytes (const struct nvme_tcp_hdr *hdr,
                           const struct tcp_agreed *agreed);
uint32_t tcp_data_bytes (const struct nvme_tcp_hdr *hdr,
                         const struct tcp_agreed *agreed);

/* PFV 0, HPDA 0..31, only known digest bits.  A peer that asks for HPDA != 0
 * is UNSUPPORTED: our data never has padding. */
int tcp_check_icreq (const struct nvme_tcp_icreq *icreq,
                     struct tcp_fault *fault);

/* PFV 0, CPDA 0, digests no more than offered, MAXH2CDATA a multiple of 4
 * and at least 4096. */
int tcp_check_icresp (const struct nvme_tcp_icresp *icresp,
                      uint8_t digest_offered, struct tcp_fault *fault);

/* FES known; never fails the connection twice: the caller only logs. */
const char *tcp_fes_name (uint16_t fes);

/* A command capsule: SGL is one descriptor; in-capsule (offset 0) with the
 * length of the PDU's data, at most in_capsule_max; or transport with no
 * data in the PDU.  PSDT must say SGL (01b); a violation of that is the
 * command's error, not the connection's, and is left to the target. */
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

/* H2CData: cccid, ttag and datao as expected, 1 <= DATAL <= left, DATAL equal
 * to the PDU's data, LAST exactly on the last byte, SUCCESS never. */
int tcp_check_h2c_data (const struct nvme_tcp_data *data,
                        const struct tcp_agreed *agreed,
                        const struct tcp_expect *expect,
                        struct tcp_fault *fault);

/* C2HData: the same without ttag; SUCCESS only with LAST and only when
 * success_allowed (SQ flow control was disabled); LAST exactly at the end. */
int tcp_check_c2h_data (const struct nvme_tcp_data *data,
                        const struct tcp_agreed *agreed,
                        const struct tcp_expect *expect,
                        bool success_allowed, struct tcp_fault *fault);

/* R2T: for a command that writes, r2to equal to the bytes solicited so far,
 * 1 <= r2tl <= what the command has left. */
int tcp_check_r2t (const struct nvme_tcp_r2t *r2t, uint32_t solicited,
                   uint32_t data_bytes, struct tcp_fault *fault);

/* Build headers.  plen and digest flags follow from agreed. */
void tcp_make_hdr (struct nvme_tcp_hdr *hdr, enum nvme_tcp_type type,
                   uint8_t flags, uint32_t data_bytes,
                   const struct tcp_agreed *agreed);
void tcp_make_term (struct nvme_tcp_term *term, enum nvme_tcp_type type,
                    const struct tcp_fault *fault, uint32_t data_bytes);

#endif
