/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's half of the fixture: PDUs over a blocking socket, one command
 * at a time.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "nvmeof/digest.h"
#include "tests/unit/server-fixture.h"

/* --- bytes ------------------------------------------------------------------ */

static int
dial_tcp (const struct address *address)
{
  struct sockaddr_in sin = {
    .sin_family = AF_INET,
    .sin_port = htons ((uint16_t) atoi (address->port)),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
  };
  const int one = 1;
  int fd = socket (AF_INET, SOCK_STREAM, 0);

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  assert_int_equal (connect (fd, (struct sockaddr *) &sin, sizeof sin), 0);
  return fd;
}

static int
dial_unix (const struct address *address)
{
  struct sockaddr_un sun = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM, 0);

  strcpy (sun.sun_path, address->path);
  assert_int_equal (connect (fd, (struct sockaddr *) &sun, sizeof sun), 0);
  return fd;
}

void
host_dial (struct host *host, const struct server *server)
{
  const struct timeval timeout = { .tv_sec = HOST_TIMEOUT_S };

  *host = (struct host) { .hostid = 1 };
  host->agreed.peer = TCP_PEER_CONTROLLER;
  host->agreed.plen_max = UINT32_MAX;
  host->fd = server->address.family == ADDRESS_UNIX
    ? dial_unix (&server->address) : dial_tcp (&server->address);
  setsockopt (host->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

void
host_close (struct host *host)
{
  close (host->fd);
}

void
host_send (struct host *host, const void *bytes, size_t n)
{
  const uint8_t *p = bytes;

  while (n > 0) {
    ssize_t r = send (host->fd, p, n, MSG_NOSIGNAL);

    if (r < 0 && errno == EINTR)
      continue;
    assert_true (r > 0);
    p += r;
    n -= (size_t) r;
  }
}

/* io_uring interrupts the thread that made a ring, even when that ring is
 * on its way out. */
static ssize_t
receive_some (struct host *host, void *bytes, size_t n)
{
  ssize_t r;

  do
    r = recv (host->fd, bytes, n, 0);
  while (r < 0 && errno == EINTR);
  return r;
}

void
host_receive (struct host *host, void *bytes, size_t n)
{
  uint8_t *p = bytes;

  while (n > 0) {
    ssize_t r = receive_some (host, p, n);

    assert_true (r > 0);
    p += r;
    n -= (size_t) r;
  }
}

void
host_expect_end (struct host *host)
{
  uint8_t buffer[4096];
  ssize_t r;

  /* What was on its way may come first. */
  do
    r = receive_some (host, buffer, sizeof buffer);
  while (r > 0);
  assert_true (r == 0 || errno == ECONNRESET);
}

/* --- PDUs ------------------------------------------------------------------- */

void
host_send_icreq (struct host *host, uint8_t digests)
{
  struct nvme_tcp_icreq icreq = { .digest = digests };

  tcp_make_hdr (&icreq.hdr, NVME_TCP_ICREQ, 0, 0, &host->agreed);
  host_send (host, &icreq, sizeof icreq);
}

void
host_open (struct host *host, const struct server *server, uint8_t digests)
{
  union nvme_tcp_pdu pdu;
  struct tcp_fault fault;

  host_dial (host, server);
  host_send_icreq (host, digests);
  host_read_pdu (host, &pdu, NULL, 0);
  assert_int_equal (pdu.hdr.type, NVME_TCP_ICRESP);
  assert_int_equal (tcp_check_icresp (&pdu.icresp, digests, &fault), 0);
  assert_int_equal (pdu.icresp.digest, digests);
  host->agreed.ic_done = true;
  host->agreed.hdgst = digests & NVME_TCP_DIGEST_HEADER;
  host->agreed.ddgst = digests & NVME_TCP_DIGEST_DATA;
}

static void
send_pdu (struct host *host, const void *header, size_t hlen,
          const void *data, uint32_t bytes)
{
  uint8_t buffer[NVME_TCP_HLEN_MAX + NVME_TCP_DIGEST_BYTES];
  __le32 digest;

  memcpy (buffer, header, hlen);
  if (host->agreed.hdgst) {
    digest_header_put (buffer, hlen);
    hlen += NVME_TCP_DIGEST_BYTES;
  }
  host_send (host, buffer, hlen);
  if (bytes == 0)
    return;
  host_send (host, data, bytes);
  digest = digest_end (digest_feed (digest_begin (), data, bytes));
  if (host->agreed.ddgst)
    host_send (host, &digest, sizeof digest);
}

void
host_send_capsule (struct host *host, const union nvme_command *sqe,
                   const void *data, uint32_t bytes)
{
  struct nvme_tcp_cmd cmd = { .sqe = *sqe };

  tcp_make_hdr (&cmd.hdr, NVME_TCP_CMD, 0, bytes, &host->agreed);
  send_pdu (host, &cmd, sizeof cmd, data, bytes);
}

void
host_send_h2c (struct host *host, const struct nvme_tcp_r2t *r2t,
               uint32_t datao, const void *data, uint32_t bytes, bool last)
{
  struct nvme_tcp_data h2c = {
    .cccid = r2t->cccid,
    .ttag = r2t->ttag,
    .datao = cpu_to_le32 (datao),
    .datal = cpu_to_le32 (bytes),
  };

  tcp_make_hdr (&h2c.hdr, NVME_TCP_H2C_DATA,
                last ? NVME_TCP_F_DATA_LAST : 0, bytes, &host->agreed);
  send_pdu (host, &h2c, sizeof h2c, data, bytes);
}

void
host_read_pdu (struct host *host, union nvme_tcp_pdu *pdu, void *data,
               uint32_t data_max)
{
  struct tcp_fault fault;
  uint32_t header_bytes, bytes;
  __le32 digest;

  host_receive (host, &pdu->hdr, sizeof pdu->hdr);
  if (tcp_check_header (&pdu->hdr, &host->agreed, &fault) < 0)
    fail_msg ("the server's PDU %02x: %s", pdu->hdr.type, fault.field);
  header_bytes = tcp_header_bytes (&pdu->hdr, &host->agreed);
  host_receive (host, pdu->bytes + sizeof pdu->hdr,
                header_bytes - sizeof pdu->hdr);
  if (header_bytes > pdu->hdr.hlen)
    assert_true (digest_header_good (pdu, pdu->hdr.hlen));
  bytes = tcp_data_bytes (&pdu->hdr, &host->agreed);
  assert_in_range (bytes, 0, data_max);
  if (bytes == 0)
    return;
  host_receive (host, data, bytes);
  if (host->agreed.ddgst && pdu->hdr.type == NVME_TCP_C2H_DATA) {
    host_receive (host, &digest, sizeof digest);
    assert_memory_equal (&(__le32) { digest_end
                         (digest_feed (digest_begin (), data, bytes)) },
                         &digest, sizeof digest);
  }
}

void
host_expect_term (struct host *host, uint16_t fes, uint32_t fei)
{
  uint8_t data[NVME_TCP_TERM_DATA_MAX];
  union nvme_tcp_pdu pdu;

  do
    host_read_pdu (host, &pdu, data, sizeof data);
  while (pdu.hdr.type == NVME_TCP_RSP); /* answers that were on their way */
  assert_int_equal (pdu.hdr.type, NVME_TCP_C2H_TERM);
  assert_int_equal (le16_to_cpu (pdu.term.fes), fes);
  assert_int_equal (le32_to_cpu (pdu.term.fei), fei);
  assert_true (le32_to_cpu (pdu.hdr.plen) > sizeof pdu.term);
}

/* --- commands --------------------------------------------------------------- */

void
host_begin (struct host *host, union nvme_command *sqe, enum host_data kind,
            const void *data, uint32_t bytes)
{
  sqe->common.flags |= NVME_SQE_PSDT_SGL;
  sqe->common.cid = ++host->last_cid;
  sqe->common.dptr = (struct nvme_sgl) {
    .type = kind == HOST_IN_CAPSULE
      ? NVME_SGL_DATA_OFFSET : NVME_SGL_TRANSPORT,
    .length = cpu_to_le32 (kind == HOST_NONE ? 0 : bytes),
  };
  host_send_capsule (host, sqe, data, kind == HOST_IN_CAPSULE ? bytes : 0);
}

/* Takes PDUs until the command is over. */
static struct nvme_cqe
await_answer (struct host *host, const union nvme_command *sqe,
              enum host_data kind, void *data, uint32_t bytes)
{
  const struct tcp_expect expect = {
    .cccid = sqe->common.cid, .left = bytes, .pdu_max = UINT32_MAX,
  };
  struct tcp_fault fault;
  union nvme_tcp_pdu pdu;

  for (;;) {
    host_read_pdu (host, &pdu, data, kind == HOST_READ ? bytes : 0);
    switch (pdu.hdr.type) {
    case NVME_TCP_R2T:
      assert_int_equal (kind, HOST_SOLICITED);
      assert_int_equal (tcp_check_r2t (&pdu.r2t, 0, bytes, &fault), 0);
      assert_int_equal (le32_to_cpu (pdu.r2t.r2tl), bytes);
      host_send_h2c (host, &pdu.r2t, 0, data, bytes, true);
      break;
    case NVME_TCP_C2H_DATA:
      assert_int_equal (kind, HOST_READ);
      assert_int_equal (tcp_check_c2h_data (&pdu.data, &host->agreed, &expect,
                                            host->sqflow_disabled, &fault),
                        0);
      if (pdu.hdr.flags & NVME_TCP_F_DATA_SUCCESS)
        return (struct nvme_cqe) { .cid = sqe->common.cid };
      break;
    case NVME_TCP_RSP:
      assert_int_equal (pdu.rsp.cqe.cid, sqe->common.cid);
      return pdu.rsp.cqe;
    default:
      fail_msg ("PDU %02x", pdu.hdr.type);
    }
  }
}

struct nvme_cqe
host_command (struct host *host, union nvme_command *sqe,
              enum host_data kind, void *data, uint32_t bytes)
{
  host_begin (host, sqe, kind, data, bytes);
  return await_answer (host, sqe, kind, data, bytes);
}

uint16_t
host_status (struct host *host, union nvme_command *sqe, enum host_data kind,
             void *data, uint32_t bytes)
{
  struct nvme_cqe cqe = host_command (host, sqe, kind, data, bytes);

  return nvme_cqe_status (&cqe);
}

struct nvme_rw_sqe
host_rw (uint8_t opcode, uint64_t slba, uint16_t nlb)
{
  return (struct nvme_rw_sqe) {
    .opcode = opcode,
    .nsid = cpu_to_le32 (1),
    .slba = cpu_to_le64 (slba),
    .nlb_0based = cpu_to_le16 (nlb - 1),
  };
}

/* --- set-up ----------------------------------------------------------------- */

void
host_connect_prepare (const struct host *host, const struct server *server,
                      uint16_t qid, struct nvmf_connect_sqe *sqe,
                      struct nvmf_connect_data *data)
{
  *sqe = (struct nvmf_connect_sqe) {
    .opcode = nvme_admin_fabrics,
    .fctype = NVMF_FCTYPE_CONNECT,
    .qid = cpu_to_le16 (qid),
    .sqsize_0based = cpu_to_le16 (31),
    .cattr = host->sqflow_disabled ? NVMF_CATTR_DISABLE_SQFLOW : 0,
  };
  memset (data, 0, sizeof *data);
  memset (data->hostid, host->hostid, sizeof data->hostid);
  data->cntlid = cpu_to_le16 (qid == 0 ? 0xffff : host->cntlid);
  strcpy (data->subsysnqn, subsystem_nqn (server->subsystem));
  strcpy (data->hostnqn, "nqn.2014-08.org.example:host");
}

struct nvme_cqe
host_connect_with (struct host *host, const struct nvmf_connect_sqe *sqe,
                   const struct nvmf_connect_data *data)
{
  union nvme_command command = { .connect = *sqe };
  struct nvmf_connect_data copy = *data;

  return host_command (host, &command, HOST_IN_CAPSULE, &copy, sizeof copy);
}

void
host_connect (struct host *host, const struct server *server, uint16_t qid)
{
  struct nvmf_connect_sqe sqe;
  struct nvmf_connect_data data;
  struct nvme_cqe cqe;

  host_connect_prepare (host, server, qid, &sqe, &data);
  cqe = host_connect_with (host, &sqe, &data);
  assert_int_equal (nvme_cqe_status (&cqe), 0);
  if (qid > 0)
    assert_int_equal (le32_to_cpu (cqe.dw0), host->cntlid);
  host->cntlid = (uint16_t) le32_to_cpu (cqe.dw0);
}

uint64_t
host_property_get (struct host *host, uint32_t offset, bool eight)
{
  union nvme_command sqe = { .property = {
    .opcode = nvme_admin_fabrics,
    .fctype = NVMF_FCTYPE_PROPERTY_GET,
    .attrib = eight,
    .offset = cpu_to_le32 (offset),
  } };
  struct nvme_cqe cqe = host_command (host, &sqe, HOST_NONE, NULL, 0);

  assert_int_equal (nvme_cqe_status (&cqe), 0);
  return le64_to_cpu (cqe.value);
}

uint16_t
host_property_set (struct host *host, uint32_t offset, uint32_t value)
{
  union nvme_command sqe = { .property = {
    .opcode = nvme_admin_fabrics,
    .fctype = NVMF_FCTYPE_PROPERTY_SET,
    .offset = cpu_to_le32 (offset),
    .value = cpu_to_le64 (value),
  } };

  return host_status (host, &sqe, HOST_NONE, NULL, 0);
}

void
host_admin (struct host *admin, const struct server *server, uint8_t digests)
{
  host_open (admin, server, digests);
  host_connect (admin, server, 0);
  assert_int_equal (host_property_set (admin, NVME_REG_CC, HOST_CC_ENABLE),
                    0);
  assert_int_equal (host_property_get (admin, NVME_REG_CSTS, false), 1);
}

void
host_attach (struct host *admin, struct host *io, const struct server *server,
             uint8_t digests)
{
  host_admin (admin, server, digests);
  host_open (io, server, digests);
  io->cntlid = admin->cntlid;
  host_connect (io, server, 1);
}
