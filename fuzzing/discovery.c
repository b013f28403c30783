/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The discovery log as libqbd reads it from a hostile server: all of
 * qbd_discover, and of looking for a volume, over a Unix socket, whose other end
 * is a thread here.  An input is eight bytes of settings and the log, as
 * long as it is there; one PDU of the server may be damaged.
 */
#include <errno.h>
#include <fcntl.h>
#include <libqbd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/stream.h"
#include "fuzzing/fuzz.h"
#include "nvmeof/tcp-check.h"

#define SETTINGS_BYTES 8
#define LOG_BYTES_MAX (64u << 10)
#define COMMANDS_MAX 64         /* of one connection: then it ends */
#define PATIENCE_MS 20          /* for a client that may wait for more */
#define PDU_BYTES_MAX (64u << 10)

enum {
  SETTING_CHANGES = 1 << 0,     /* each header has another generation */
  SETTING_HALVES = 1 << 1,      /* data come in two PDUs */
  SETTING_REFUSES = 1 << 2,     /* the third Get Log Page fails */
};

/* Written before a client connects, and read while it is there; of one that
 * gave up the thread may still read what is the next one's already. */
static uint8_t input[SETTINGS_BYTES + LOG_BYTES_MAX];
static size_t input_bytes;
static struct address address = { .family = ADDRESS_UNIX };
static int listen_fd = -1;

/* One connection. */
struct peer {
  int fd;
  unsigned nr_sent;             /* PDUs */
  unsigned nr_logs;             /* Get Log Page */
};

static bool
transfer (int fd, void *data, size_t bytes, bool sends)
{
  for (size_t done = 0; done < bytes; ) {
    uint8_t *at = (uint8_t *) data + done;
    ssize_t n = sends ? send (fd, at, bytes - done, MSG_NOSIGNAL)
      : recv (fd, at, bytes - done, 0);

    if (n <= 0)
      return false;
    done += (size_t) n;
  }
  return true;
}

/* Its bytes may be wrong from then on: whoever waits then waits in vain. */
static bool
say (struct peer *peer, void *pdu, size_t bytes)
{
  const struct timeval patience = { .tv_usec = PATIENCE_MS * 1000 };
  size_t at = (size_t) (input[2] | input[3] << 8) % bytes;

  if (++peer->nr_sent == input[1]) {
    for (unsigned i = 0; i < 4 && at + i < bytes; i++)
      ((uint8_t *) pdu)[at + i] ^= input[4 + i];
    setsockopt (peer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
                sizeof patience);
  }
  return transfer (peer->fd, pdu, bytes, true);
}

static bool
say_data (struct peer *peer, uint16_t cid, const uint8_t *data,
          uint32_t offset, uint32_t bytes, bool last)
{
  static uint8_t pdu[PDU_BYTES_MAX + sizeof (struct nvme_tcp_data)];
  const struct tcp_agreed agreed = { .ic_done = true };
  struct nvme_tcp_data *head = (void *) pdu;

  *head = (struct nvme_tcp_data) {
    .cccid = cid, .datao = cpu_to_le32 (offset), .datal = cpu_to_le32 (bytes),
  };
  tcp_make_hdr (&head->hdr, NVME_TCP_C2H_DATA,
                last ? NVME_TCP_F_DATA_LAST : 0, bytes, &agreed);
  memcpy (pdu + sizeof *head, data + offset, bytes);
  return say (peer, pdu, sizeof *head + bytes);
}

static bool
say_page (struct peer *peer, uint16_t cid, const uint8_t *page,
          uint32_t bytes)
{
  uint32_t half = bytes / 8 * 4;

  if (!(input[0] & SETTING_HALVES) || half == 0)
    return say_data (peer, cid, page, 0, bytes, true);
  return say_data (peer, cid, page, 0, half, false)
         && say_data (peer, cid, page, half, bytes - half, true);
}

static bool
say_end (struct peer *peer, uint16_t cid, uint64_t value, uint16_t status)
{
  const struct tcp_agreed agreed = { .ic_done = true };
  struct nvme_tcp_rsp rsp = {
    .cqe = { .cid = cid, .value = cpu_to_le64 (value),
             .status = cpu_to_le16 ((uint16_t) (status << 1)) },
  };

  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &agreed);
  return say (peer, &rsp, sizeof rsp);
}

/* --- commands ----------------------------------------------------------- */

static bool
answer_log (struct peer *peer, const union nvme_command *sqe)
{
  static uint8_t page[PDU_BYTES_MAX];
  uint64_t offset = le32_to_cpu (sqe->common.cdw12)
    | (uint64_t) le32_to_cpu (sqe->common.cdw13) << 32;
  uint32_t bytes = le32_to_cpu (sqe->common.dptr.length);
  size_t have = input_bytes - SETTINGS_BYTES;

  if (bytes > sizeof page || bytes == 0)
    return false;
  peer->nr_logs++;
  if (input[0] & SETTING_REFUSES && peer->nr_logs == 3)
    return say_end (peer, sqe->common.cid, 0, NVME_SC_INTERNAL);
  memset (page, 0, bytes);
  if (offset < have)
    memcpy (page, input + SETTINGS_BYTES + offset,
            have - offset < bytes ? have - offset : bytes);
  if (input[0] & SETTING_CHANGES && offset == 0)
    page[0] ^= (uint8_t) peer->nr_logs;
  return say_page (peer, sqe->common.cid, page, bytes)
         && say_end (peer, sqe->common.cid, 0, 0);
}

static bool
answer_identify (struct peer *peer, const union nvme_command *sqe)
{
  static struct nvme_id_ctrl ctrl;

  ctrl.cntlid = cpu_to_le16 (1);
  ctrl.cntrltype = NVME_CTRL_CNTRLTYPE_DISCOVERY;
  ctrl.ver = cpu_to_le32 (0x00020000);
  ctrl.maxcmd = cpu_to_le16 (32);
  ctrl.sgls = cpu_to_le32 (1);
  ctrl.ioccsz = cpu_to_le32 (4);
  ctrl.iorcsz = cpu_to_le32 (1);
  strcpy (ctrl.subnqn, "nqn.2014-08.org.nvmexpress.discovery");
  return say_page (peer, sqe->common.cid, (const uint8_t *) &ctrl,
                   sizeof ctrl)
         && say_end (peer, sqe->common.cid, 0, 0);
}

static bool
answer_property (struct peer *peer, const union nvme_command *sqe)
{
  switch (le32_to_cpu (sqe->property.offset)) {
  case NVME_REG_CAP:
    return say_end (peer, sqe->common.cid, 31 | UINT64_C (1) << 24
                    | UINT64_C (1) << 37, 0);
  case NVME_REG_VS:
    return say_end (peer, sqe->common.cid, 0x00020000, 0);
  default:                      /* CSTS: ready */
    return say_end (peer, sqe->common.cid, 1, 0);
  }
}

static bool
answer (struct peer *peer, const union nvme_command *sqe)
{
  if (sqe->common.opcode == nvme_admin_fabrics)
    return sqe->connect.fctype == NVMF_FCTYPE_PROPERTY_GET
           ? answer_property (peer, sqe)
           : say_end (peer, sqe->common.cid,
                      sqe->connect.fctype == NVMF_FCTYPE_CONNECT, 0);
  if (sqe->common.opcode == nvme_admin_get_log_page)
    return answer_log (peer, sqe);
  if (sqe->common.opcode == nvme_admin_identify)
    return answer_identify (peer, sqe);
  return say_end (peer, sqe->common.cid, 0, 0);
}

/* What comes from libqbd is well formed. */
static bool
hear (struct peer *peer)
{
  static uint8_t pdu[8192];
  struct nvme_tcp_hdr *hdr = (void *) pdu;
  struct nvme_tcp_icresp icresp = {
    .hdr = { .type = NVME_TCP_ICRESP, .hlen = sizeof icresp,
             .plen = cpu_to_le32 (sizeof icresp) },
    .maxh2cdata = cpu_to_le32 (8192),
  };
  uint32_t bytes;

  if (!transfer (peer->fd, hdr, sizeof *hdr, false))
    return false;
  bytes = le32_to_cpu (hdr->plen);
  if (bytes < sizeof *hdr || bytes > sizeof pdu)
    abort ();
  if (!transfer (peer->fd, pdu + sizeof *hdr, bytes - sizeof *hdr, false))
    return false;
  if (hdr->type == NVME_TCP_ICREQ)
    return say (peer, &icresp, sizeof icresp);
  return hdr->type == NVME_TCP_CMD
         && answer (peer, &((struct nvme_tcp_cmd *) hdr)->sqe);
}

static void *
serve (void *opaque)
{
  for (;;) {
    struct peer peer = { .fd = accept (listen_fd, NULL, NULL) };

    for (unsigned i = 0; peer.fd >= 0 && i < COMMANDS_MAX && hear (&peer); i++)
      ;
    if (peer.fd >= 0)
      close (peer.fd);
  }
  return NULL;
}

/* --- the client --------------------------------------------------------- */

static void
remove_socket (void)
{
  unlink (address.path);
}

static void
start (void)
{
  struct error err;
  pthread_t thread;

  snprintf (address.path, sizeof address.path, "/tmp/qbd-fuzz-discovery.%d",
            (int) getpid ());
  listen_fd = stream_listen (&address, &err);
  /* It blocks. */
  if (listen_fd < 0 || fcntl (listen_fd, F_SETFL, 0) < 0
      || pthread_create (&thread, NULL, serve, NULL) != 0)
    abort ();
  atexit (remove_socket);
}

static void
each (void *opaque, const struct qbd_discovered *discovered)
{
  if (discovered->nqn[0] == '\0' || discovered->transport[0] == '\0'
      || discovered->address == NULL)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
  char server[128];
  struct qbd_config *config;
  struct qbd_volume *volume;

  if (bytes < SETTINGS_BYTES || bytes > sizeof input)
    return -1;
  memcpy (input, data, bytes);
  input_bytes = bytes;
  if (listen_fd == -1)
    start ();
  snprintf (server, sizeof server, "unix://%s", address.path);
  config = qbd_config_new ();
  if (config == NULL || qbd_config_set (config, "server", server) < 0
      || qbd_config_set (config, "volume", "demo/disk") < 0
      || qbd_config_set (config, "hostnqn", "nqn.2014-08.org.example:host") < 0
      || qbd_config_set (config, "hostid",
                         "11111111-2222-4333-8444-555555555555") < 0
      || qbd_config_set (config, "connect_tmo", "1") < 0)
    abort ();
  if (qbd_discover (config, each, NULL) < 0 && errno == 0)
    abort ();
  /* What it finds is no such volume here, whatever the log says. */
  volume = qbd_open (config, QBD_OPEN_PROBE);
  qbd_close (volume);
  qbd_config_free (config);
  return 0;
}
