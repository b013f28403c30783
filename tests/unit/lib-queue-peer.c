/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller of tests/unit/lib-queue: see lib-queue-peer.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/queue-internal.h"
#include "lib/tcp-queue.h"
#include "tests/unit/lib-queue-peer.h"

struct lib_queue_peer peer;

static const struct tcp_agreed agreed = {
  .peer = TCP_PEER_HOST, .ic_done = true, .plen_max = UINT32_MAX,
};

uint8_t
pattern (uint64_t slba, uint32_t i)
{
  return (uint8_t) (slba * 31 + i * 7 + (i >> 8));
}

static bool
read_all (void *p, size_t bytes)
{
  while (bytes > 0) {
    ssize_t n = read (peer.fd, p, bytes);

    if (n <= 0)
      return false;
    p = (uint8_t *) p + n;
    bytes -= (size_t) n;
  }
  return true;
}

static bool
write_all (const void *p, size_t bytes)
{
  while (bytes > 0) {
    ssize_t n = send (peer.fd, p, bytes, MSG_NOSIGNAL);

    if (n <= 0)
      return false;
    p = (const uint8_t *) p + n;
    bytes -= (size_t) n;
  }
  return true;
}

static void
todo (const union nvme_tcp_pdu *pdu)
{
  pthread_mutex_lock (&peer.lock);
  if (peer.nr_todo == ANSWERS_MAX)
    abort ();
  peer.todo[peer.nr_todo++] = *pdu;
  pthread_cond_signal (&peer.cond);
  pthread_mutex_unlock (&peer.lock);
}

/* False at the end of the connection. */
static bool
take_data (uint16_t cid, uint32_t offset, uint32_t bytes)
{
  static uint8_t data[DATA_BYTES];

  if (!read_all (data, bytes))
    return false;
  for (uint32_t i = 0; i < bytes; i++)
    peer.damaged |= data[i] != pattern (peer.slba[cid], offset + i);
  return true;
}

/* Capsules and data of writes; what is complete is to be answered. */
static void *
reader_main (void *arg)
{
  union nvme_tcp_pdu pdu;

  for (;;) {
    uint32_t bytes, cid;

    memset (&pdu, 0, sizeof pdu);
    if (!read_all (&pdu.hdr, sizeof pdu.hdr) ||
        !read_all (pdu.bytes + sizeof pdu.hdr,
                   pdu.hdr.hlen - sizeof pdu.hdr))
      break;
    bytes = le32_to_cpu (pdu.hdr.plen) - pdu.hdr.hlen;
    if (pdu.hdr.type == NVME_TCP_CMD) {
      cid = pdu.cmd.sqe.common.cid;
      peer.slba[cid] = le64_to_cpu (pdu.cmd.sqe.rw.slba);
      if (bytes > 0 && !take_data ((uint16_t) cid, 0, bytes))
        break;
    } else if (pdu.hdr.type == NVME_TCP_H2C_DATA) {
      cid = pdu.data.cccid;
      if (!take_data ((uint16_t) cid, le32_to_cpu (pdu.data.datao), bytes))
        break;
      if (!(pdu.hdr.flags & NVME_TCP_F_DATA_LAST))
        continue;
    }
    if (pdu.hdr.type != NVME_TCP_ICREQ && peer.mute)
      continue;
    if (pdu.hdr.type == NVME_TCP_CMD && peer.mute_flush &&
        pdu.cmd.sqe.common.opcode == nvme_cmd_flush)
      continue;
    todo (&pdu);
  }
  pthread_mutex_lock (&peer.lock);
  peer.end = true;
  pthread_cond_signal (&peer.cond);
  pthread_mutex_unlock (&peer.lock);
  return NULL;
}

static void
answer_read (const struct nvme_rw_sqe *sqe)
{
  static uint8_t data[DATA_BYTES];
  uint32_t bytes = le32_to_cpu (sqe->dptr.length);
  struct nvme_tcp_data pdu = {
    .cccid = sqe->cid, .datal = cpu_to_le32 (bytes),
  };

  for (uint32_t i = 0; i < bytes; i++)
    data[i] = pattern (le64_to_cpu (sqe->slba), i);
  tcp_make_hdr (&pdu.hdr, NVME_TCP_C2H_DATA,
                NVME_TCP_F_DATA_LAST | NVME_TCP_F_DATA_SUCCESS, bytes,
                &agreed);
  write_all (&pdu, sizeof pdu);
  write_all (data, bytes);
}

static void
answer_rsp (uint16_t cid)
{
  struct nvme_tcp_rsp rsp = { .cqe = { .cid = cid } };

  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &agreed);
  write_all (&rsp, sizeof rsp);
}

static void
answer (const union nvme_tcp_pdu *pdu)
{
  const struct nvme_rw_sqe *sqe = &pdu->cmd.sqe.rw;
  struct nvme_tcp_icresp icresp = {
    .hdr = { .type = NVME_TCP_ICRESP, .hlen = sizeof icresp,
             .plen = cpu_to_le32 (sizeof icresp) },
    .maxh2cdata = cpu_to_le32 (8192),
  };
  struct nvme_tcp_r2t r2t = { .cccid = sqe->cid, .r2tl = sqe->dptr.length };

  if (pdu->hdr.type == NVME_TCP_ICREQ)
    write_all (&icresp, sizeof icresp);
  else if (pdu->hdr.type == NVME_TCP_H2C_DATA)
    answer_rsp (pdu->data.cccid);
  else if (sqe->opcode == nvme_cmd_read)
    answer_read (sqe);
  else if (sqe->opcode == nvme_cmd_write &&
           sqe->dptr.type == NVME_SGL_TRANSPORT) {
    tcp_make_hdr (&r2t.hdr, NVME_TCP_R2T, 0, 0, &agreed);
    write_all (&r2t, sizeof r2t);
  } else
    answer_rsp (sqe->cid);
}

/* Answers any of those that wait. */
static void *
writer_main (void *arg)
{
  unsigned seed = 1;

  pthread_mutex_lock (&peer.lock);
  for (;;) {
    union nvme_tcp_pdu pdu;
    unsigned i;

    while (peer.nr_todo == 0 && !peer.end)
      pthread_cond_wait (&peer.cond, &peer.lock);
    if (peer.nr_todo == 0)
      break;
    i = (unsigned) rand_r (&seed) % peer.nr_todo;
    pdu = peer.todo[i];
    peer.todo[i] = peer.todo[--peer.nr_todo];
    pthread_mutex_unlock (&peer.lock);
    answer (&pdu);
    pthread_mutex_lock (&peer.lock);
  }
  pthread_mutex_unlock (&peer.lock);
  return NULL;
}

void
peer_start (int fd, bool mute)
{
  memset (&peer, 0, sizeof peer);
  peer.fd = fd;
  peer.mute = mute;
  pthread_mutex_init (&peer.lock, NULL);
  pthread_cond_init (&peer.cond, NULL);
  pthread_create (&peer.reader, NULL, reader_main, NULL);
  pthread_create (&peer.writer, NULL, writer_main, NULL);
}

void
peer_join (void)
{
  pthread_join (peer.reader, NULL);
  pthread_join (peer.writer, NULL);
}
