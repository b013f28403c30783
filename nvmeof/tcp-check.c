/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of NVMe/TCP PDUs (TCP Transport 1.0 section 3.6), once, at the
 * edge.  Nothing here trusts a field: lengths are compared before they are
 * subtracted.  What a peer in the field does otherwise than the text of the
 * specification asks is allowed here by name, and tested.
 */
#include "nvmeof/tcp-check.h"

/* A PDU's fault, in the words of a TermReq (figure "Fatal Error Status"):
 * FEI is only defined for the first and the last of these. */
static int
fault_set (struct tcp_fault *fault, enum nvme_tcp_fes fes, uint32_t offset,
           const char *field)
{
  bool named = fes == NVME_TCP_FES_INVALID_HEADER ||
               fes == NVME_TCP_FES_UNSUPPORTED;

  *fault = (struct tcp_fault) {
    .fes = fes, .fei = named ? offset : 0, .field = field
  };
  return -1;
}

#define FAULT(fault, fes, type, field)                                  \
  fault_set (fault, NVME_TCP_FES_##fes, offsetof (struct type, field), #field)

/* What the types are. */
struct pdu_type {
  enum tcp_peer from;
  uint8_t hlen;                 /* 0: there is no such type */
  uint8_t flags;                /* that have a meaning, digests included */
  bool ic;                      /* before the IC exchange is over */
  bool data;                    /* may carry data */
};

#define DIGESTS (NVME_TCP_F_HDGST | NVME_TCP_F_DDGST)

static const struct pdu_type pdu_types[] = {
  [NVME_TCP_ICREQ] = { .from = TCP_PEER_HOST, .ic = true,
                       .hlen = sizeof (struct nvme_tcp_icreq) },
  [NVME_TCP_ICRESP] = { .from = TCP_PEER_CONTROLLER, .ic = true,
                        .hlen = sizeof (struct nvme_tcp_icresp) },
  [NVME_TCP_H2C_TERM] = { .from = TCP_PEER_HOST,
                          .hlen = sizeof (struct nvme_tcp_term) },
  [NVME_TCP_C2H_TERM] = { .from = TCP_PEER_CONTROLLER,
                          .hlen = sizeof (struct nvme_tcp_term) },
  [NVME_TCP_CMD] = { .from = TCP_PEER_HOST, .data = true, .flags = DIGESTS,
                     .hlen = sizeof (struct nvme_tcp_cmd) },
  [NVME_TCP_RSP] = { .from = TCP_PEER_CONTROLLER, .flags = NVME_TCP_F_HDGST,
                     .hlen = sizeof (struct nvme_tcp_rsp) },
  [NVME_TCP_H2C_DATA] = { .from = TCP_PEER_HOST, .data = true,
                          .flags = DIGESTS | NVME_TCP_F_DATA_LAST,
                          .hlen = sizeof (struct nvme_tcp_data) },
  [NVME_TCP_C2H_DATA] = { .from = TCP_PEER_CONTROLLER, .data = true,
                          .flags = DIGESTS | NVME_TCP_F_DATA_LAST |
                                   NVME_TCP_F_DATA_SUCCESS,
                          .hlen = sizeof (struct nvme_tcp_data) },
  [NVME_TCP_R2T] = { .from = TCP_PEER_CONTROLLER, .flags = NVME_TCP_F_HDGST,
                     .hlen = sizeof (struct nvme_tcp_r2t) },
};

static const struct pdu_type *
type_find (uint8_t type)
{
  if (type >= sizeof pdu_types / sizeof pdu_types[0] ||
      pdu_types[type].hlen == 0)
    return NULL;
  return &pdu_types[type];
}

static bool
is_term (uint8_t type)
{
  return type == NVME_TCP_H2C_TERM || type == NVME_TCP_C2H_TERM;
}

/* ICReq, ICResp and TermReq never have digests (section 3.3.1.1). */
static bool
may_have_digests (uint8_t type)
{
  return type >= NVME_TCP_CMD;
}

uint32_t
tcp_header_bytes (const struct nvme_tcp_hdr *hdr,
                  const struct tcp_agreed *agreed)
{
  return hdr->hlen + (agreed->hdgst && may_have_digests (hdr->type) ?
                      NVME_TCP_DIGEST_BYTES : 0);
}

uint32_t
tcp_data_bytes (const struct nvme_tcp_hdr *hdr,
                const struct tcp_agreed *agreed)
{
  uint32_t left = le32_to_cpu (hdr->plen) - tcp_header_bytes (hdr, agreed);

  if (left > 0 && agreed->ddgst && may_have_digests (hdr->type))
    left -= NVME_TCP_DIGEST_BYTES;
  return left;
}

static int
check_term (const struct nvme_tcp_hdr *hdr, struct tcp_fault *fault)
{
  uint32_t plen = le32_to_cpu (hdr->plen);

  /* Flags and PDO are reserved here: who ends the connection is heard,
   * whatever else it set. */
  if (plen < sizeof (struct nvme_tcp_term) ||
      plen > sizeof (struct nvme_tcp_term) + NVME_TCP_TERM_DATA_MAX)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, plen);
  return 0;
}

/* Digest flags say what was agreed: a header digest always, a data digest
 * when there is data. */
static int
check_flags (const struct nvme_tcp_hdr *hdr, const struct pdu_type *type,
             const struct tcp_agreed *agreed, bool data,
             struct tcp_fault *fault)
{
  uint8_t digests = 0;

  if (agreed->hdgst && may_have_digests (hdr->type))
    digests |= NVME_TCP_F_HDGST;
  if (agreed->ddgst && data)
    digests |= NVME_TCP_F_DDGST;
  if ((hdr->flags & ~type->flags) != 0 || (hdr->flags & DIGESTS) != digests)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, flags);
  return 0;
}

/* Data begins right behind the header: HPDA and CPDA are 0. */
static int
check_pdo (const struct nvme_tcp_hdr *hdr, uint32_t header_bytes, bool data,
           struct tcp_fault *fault)
{
  if (data ? hdr->pdo == header_bytes
      /* Reserved without data; both values say the same thing. */
      : hdr->pdo == 0 ||
        (hdr->type == NVME_TCP_CMD && hdr->pdo == header_bytes))
    return 0;
  return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, pdo);
}

static int
check_plen (const struct nvme_tcp_hdr *hdr, const struct pdu_type *type,
            const struct tcp_agreed *agreed, uint32_t header_bytes,
            struct tcp_fault *fault)
{
  uint32_t plen = le32_to_cpu (hdr->plen);
  uint32_t digest = agreed->ddgst ? NVME_TCP_DIGEST_BYTES : 0;
  bool optional = hdr->type == NVME_TCP_CMD;

  if (!type->data) {
    if (plen != header_bytes)
      return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, plen);
    return 0;
  }
  if (plen > agreed->plen_max)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, plen);
  if (optional && plen == header_bytes)
    return 0;
  /* A digest of nothing is no PDU's. */
  if (plen <= header_bytes + digest)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, plen);
  return 0;
}

int
tcp_check_header (const struct nvme_tcp_hdr *hdr,
                  const struct tcp_agreed *agreed, struct tcp_fault *fault)
{
  const struct pdu_type *type = type_find (hdr->type);
  uint32_t header_bytes;
  bool data;

  if (!type || type->from != agreed->peer)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, type);
  /* A peer may give up at any time, before the IC exchange too. */
  if (!is_term (hdr->type) && type->ic == agreed->ic_done)
    return FAULT (fault, SEQUENCE, nvme_tcp_hdr, type);
  if (hdr->hlen != type->hlen)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_hdr, hlen);
  if (is_term (hdr->type))
    return check_term (hdr, fault);

  header_bytes = tcp_header_bytes (hdr, agreed);
  if (check_plen (hdr, type, agreed, header_bytes, fault) < 0)
    return -1;
  data = le32_to_cpu (hdr->plen) > header_bytes;
  if (check_flags (hdr, type, agreed, data, fault) < 0)
    return -1;
  return check_pdo (hdr, header_bytes, data, fault);
}

/* PFV, alignment and digest bits, which ICReq and ICResp have alike. */
static int
check_ic (uint16_t pfv, uint8_t alignment, const char *alignment_name,
          uint8_t digest, uint8_t digest_allowed, struct tcp_fault *fault)
{
  const uint32_t alignment_offset = offsetof (struct nvme_tcp_icreq, hpda);

  if (pfv != 0)
    return FAULT (fault, UNSUPPORTED, nvme_tcp_icreq, pfv);
  if (alignment > NVME_TCP_ALIGNMENT_MAX)
    return fault_set (fault, NVME_TCP_FES_INVALID_HEADER, alignment_offset,
                      alignment_name);
  if (alignment != 0)
    return fault_set (fault, NVME_TCP_FES_UNSUPPORTED, alignment_offset,
                      alignment_name);
  if ((digest & ~digest_allowed) != 0)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_icreq, digest);
  return 0;
}

int
tcp_check_icreq (const struct nvme_tcp_icreq *icreq, struct tcp_fault *fault)
{
  /* Any MAXR2T will do: one R2T is outstanding at most. */
  return check_ic (le16_to_cpu (icreq->pfv), icreq->hpda, "hpda",
                   icreq->digest,
                   NVME_TCP_DIGEST_HEADER | NVME_TCP_DIGEST_DATA, fault);
}

int
tcp_check_icresp (const struct nvme_tcp_icresp *icresp,
                  uint8_t digest_offered, struct tcp_fault *fault)
{
  uint32_t maxh2cdata = le32_to_cpu (icresp->maxh2cdata);

  if (check_ic (le16_to_cpu (icresp->pfv), icresp->cpda, "cpda",
                icresp->digest, digest_offered, fault) < 0)
    return -1;
  if (maxh2cdata < NVME_TCP_MAXH2CDATA_MIN || maxh2cdata % 4 != 0)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_icresp, maxh2cdata);
  return 0;
}

static int
check_in_capsule (const struct nvme_sgl *sgl, uint32_t data_bytes,
                  struct tcp_fault *fault)
{
  if (sgl->type != NVME_SGL_DATA_OFFSET)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_cmd, sqe.common.dptr.type);
  if (le64_to_cpu (sgl->addr) != 0)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_cmd, sqe.common.dptr.addr);
  if (le32_to_cpu (sgl->length) != data_bytes)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_cmd,
                  sqe.common.dptr.length);
  return 0;
}

int
tcp_check_cmd (const struct nvme_tcp_cmd *cmd,
               const struct tcp_agreed *agreed, uint32_t in_capsule_max,
               struct tcp_fault *fault)
{
  const struct nvme_sgl *sgl = &cmd->sqe.common.dptr;
  uint32_t data_bytes = tcp_data_bytes (&cmd->hdr, agreed);

  if (data_bytes > in_capsule_max)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_cmd, hdr.plen);
  if (data_bytes > 0)
    return check_in_capsule (sgl, data_bytes, fault);
  /* SPDK's host describes no data as an in-capsule block of 0 bytes. */
  if (sgl->type == NVME_SGL_DATA_OFFSET && le32_to_cpu (sgl->length) != 0)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_cmd,
                  sqe.common.dptr.length);
  return 0;
}

/* What H2CData and C2HData have alike, after their tags. */
static int
check_data (const struct nvme_tcp_data *data, const struct tcp_agreed *agreed,
            const struct tcp_expect *expect, struct tcp_fault *fault)
{
  uint32_t datal = le32_to_cpu (data->datal);
  bool last = data->hdr.flags & NVME_TCP_F_DATA_LAST;

  if (le32_to_cpu (data->datao) != expect->datao)
    return FAULT (fault, RANGE, nvme_tcp_data, datao);
  if (datal != tcp_data_bytes (&data->hdr, agreed))
    return FAULT (fault, INVALID_HEADER, nvme_tcp_data, datal);
  if (datal > expect->left)
    return FAULT (fault, RANGE, nvme_tcp_data, datal);
  if (datal > expect->pdu_max)
    return FAULT (fault, LIMIT, nvme_tcp_data, datal);
  if (last != (datal == expect->left))
    return FAULT (fault, INVALID_HEADER, nvme_tcp_data, hdr.flags);
  return 0;
}

int
tcp_check_h2c_data (const struct nvme_tcp_data *data,
                    const struct tcp_agreed *agreed,
                    const struct tcp_expect *expect, struct tcp_fault *fault)
{
  if (data->cccid != expect->cccid)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_data, cccid);
  if (data->ttag != expect->ttag)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_data, ttag);
  return check_data (data, agreed, expect, fault);
}

int
tcp_check_c2h_data (const struct nvme_tcp_data *data,
                    const struct tcp_agreed *agreed,
                    const struct tcp_expect *expect, bool success_allowed,
                    struct tcp_fault *fault)
{
  bool success = data->hdr.flags & NVME_TCP_F_DATA_SUCCESS;
  bool last = data->hdr.flags & NVME_TCP_F_DATA_LAST;

  if (data->cccid != expect->cccid)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_data, cccid);
  if (success && (!last || !success_allowed))
    return FAULT (fault, INVALID_HEADER, nvme_tcp_data, hdr.flags);
  return check_data (data, agreed, expect, fault);
}

int
tcp_check_r2t (const struct nvme_tcp_r2t *r2t, uint32_t solicited,
               uint32_t data_bytes, struct tcp_fault *fault)
{
  uint32_t r2tl = le32_to_cpu (r2t->r2tl);

  /* Nothing to send, or nothing left: the command needs no R2T. */
  if (solicited >= data_bytes)
    return FAULT (fault, SEQUENCE, nvme_tcp_r2t, cccid);
  if (le32_to_cpu (r2t->r2to) != solicited)
    return FAULT (fault, RANGE, nvme_tcp_r2t, r2to);
  if (r2tl == 0)
    return FAULT (fault, INVALID_HEADER, nvme_tcp_r2t, r2tl);
  if (r2tl > data_bytes - solicited)
    return FAULT (fault, RANGE, nvme_tcp_r2t, r2tl);
  return 0;
}

const char *
tcp_fes_name (uint16_t fes)
{
  static const char *const names[] = {
    [NVME_TCP_FES_INVALID_HEADER] = "Invalid PDU Header Field",
    [NVME_TCP_FES_SEQUENCE] = "PDU Sequence Error",
    [NVME_TCP_FES_HDGST] = "Header Digest Error",
    [NVME_TCP_FES_RANGE] = "Data Transfer Out of Range",
    [NVME_TCP_FES_LIMIT] = "Data Transfer Limit Exceeded",
    [NVME_TCP_FES_UNSUPPORTED] = "Unsupported Parameter",
  };

  if (fes < sizeof names / sizeof names[0] && names[fes])
    return names[fes];
  return "unknown fatal error status";
}
