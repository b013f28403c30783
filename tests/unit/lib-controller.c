/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller of lib-controller.h: its answers by the names of commands.
 */
#include "tests/unit/lib-controller.h"

#include <stdio.h>

struct controller peer;
struct association *association;
struct paths *several;
struct association_params params;
uint64_t now_ms;
struct qbd_volume *volume;
struct qbd_aio aio[REQUESTS];
int results[REQUESTS];
unsigned nr_done;
uint8_t buf[65536];

static void
answer_at_once (struct wire *wire)
{
  if (peer.at_once)
    serve ();
}

/* opaque: of a path, its first queue. */
static struct stream *
dial (void *opaque, uint16_t qid, int timeout_ms, struct error *err)
{
  qid += (uint16_t) (uintptr_t) opaque;
  if (qid >= QUEUES) {
    error_set (err, ECONNREFUSED,
               "connect: tcp://test:4420: no more queues");
    return NULL;
  }
  peer.nr_dials++;
  wire_init (&peer.wire[qid]);
  peer.wire[qid].hungry = answer_at_once;
  peer.since_ms[qid] = now_ms;
  return &peer.wire[qid].stream;
}

int
setup (void **state)
{
  struct error err;

  memset (&peer, 0, sizeof peer);
  peer.cap = 127 | UINT64_C (1) << 24;  /* MQES, TO 500 ms */
  peer.vs = 0x00020000;
  peer.connect_dw0 = 3;
  peer.ctrl.cntlid = cpu_to_le16 (3);
  peer.ctrl.kas = cpu_to_le16 (10);
  peer.ctrl.sgls = cpu_to_le32 (1);
  peer.ctrl.maxcmd = cpu_to_le16 (64);
  peer.ctrl.ioccsz = cpu_to_le32 ((64 + 8192) / 16);
  peer.ctrl.iorcsz = cpu_to_le32 (1);
  peer.ctrl.vwc = 1;
  peer.ctrl.oncs = cpu_to_le16 (NVME_CTRL_ONCS_DSM |
                                NVME_CTRL_ONCS_WRITE_ZEROES);
  peer.ctrl.mdts = 1;
  peer.ns.nsze = cpu_to_le64 (2048);
  peer.ns.lbaf[0].ds = 9;
  peer.list[0] = cpu_to_le32 (1);
  memset (&params, 0, sizeof params);
  strcpy (params.options.volume, "p/v");
  assert_int_equal (address_parse ("server", "tcp://test",
                                   &params.options.server, &err), 0);
  strcpy (params.options.hostnqn, "nqn.2014-08.org.example:host");
  strcpy (params.subnqn, "nqn.2014-08.org.example:subsystem");
  params.options.nr_io_queues = 1;
  params.options.queue_size = 128;
  params.options.keep_alive_tmo_ms = 5000;
  params.options.connect_tmo_ms = 10000;
  params.options.io_tmo_ms = 30000;
  params.dial = dial;
  now_ms = 1000000;
  return 0;
}

int
teardown (void **state)
{
  if (several)
    paths_free (several);
  else
    association_free (association);
  association = NULL;
  several = NULL;
  left_behind_forget ();
  for (unsigned i = 0; i < QUEUES; i++)
    assert_true (peer.wire[i].closed || !peer.wire[i].stream.ops);
  return 0;
}

/* --- the controller's answers ------------------------------------------- */

static const char *
name_of (const union nvme_command *sqe, bool admin)
{
  static char name[32];
  const char *s = "?";

  if (sqe->common.opcode == nvme_admin_fabrics)
    switch (sqe->connect.fctype) {
    case NVMF_FCTYPE_CONNECT: s = "connect"; break;
    case NVMF_FCTYPE_PROPERTY_SET: s = "cc"; break;
    case NVMF_FCTYPE_PROPERTY_GET:
      s = le32_to_cpu (sqe->property.offset) == NVME_REG_CAP ? "cap" :
        le32_to_cpu (sqe->property.offset) == NVME_REG_VS ? "vs" : "csts";
      break;
    }
  else if (!admin)
    s = sqe->common.opcode == nvme_cmd_read ? "read" :
      sqe->common.opcode == nvme_cmd_write ? "write" :
      sqe->common.opcode == nvme_cmd_dsm ? "discard" :
      sqe->common.opcode == nvme_cmd_flush ? "flush" : "other";
  else if (sqe->common.opcode == nvme_admin_identify) {
    snprintf (name, sizeof name, "identify%02x",
              le32_to_cpu (sqe->common.cdw10));
    return name;
  } else if (sqe->common.opcode == nvme_admin_set_features)
    s = le32_to_cpu (sqe->common.cdw10) == NVME_FEAT_FID_ASYNC_EVENT ?
      "events" : "features";
  else if (sqe->common.opcode == nvme_admin_get_log_page)
    s = (le32_to_cpu (sqe->common.cdw10) & 0xff) == 4 ? "log04" : "log0c";
  else if (sqe->common.opcode == nvme_admin_async_event)
    s = "aer";
  else if (sqe->common.opcode == nvme_admin_keep_alive)
    s = "keep-alive";
  else if (sqe->common.opcode == nvme_admin_abort_cmd)
    s = "abort";
  else if (sqe->common.opcode == NVME_ADMIN_CROSS_RESET)
    s = "cross-reset";
  return s;
}

static const void *
page_of (const union nvme_command *sqe)
{
  static uint8_t zeroes[4096];

  switch (le32_to_cpu (sqe->common.cdw10)) {
  case NVME_IDENTIFY_CNS_CTRL: return &peer.ctrl;
  case NVME_IDENTIFY_CNS_NS: return &peer.ns;
  case NVME_IDENTIFY_CNS_NS_ACTIVE_LIST: return peer.list;
  case NVME_IDENTIFY_CNS_NS_DESC_LIST: return peer.descriptors;
  case NVME_IDENTIFY_CNS_CSI_INDEPENDENT_ID_NS: return peer.independent;
  default: return zeroes;
  }
}

static const void *
ana_page (unsigned path)
{
  static struct {
    struct nvme_ana_log header;
    struct nvme_ana_group_desc groups[2];
    uint8_t rest[4096];
  } __attribute__ ((packed)) page;

  page.header.ngrps = cpu_to_le16 (2);
  page.groups[0].grpid = cpu_to_le32 (1);
  page.groups[0].state = peer.ana[path];
  page.groups[1].grpid = cpu_to_le32 (2);
  page.groups[1].state = NVME_ANA_STATE_OPTIMIZED;
  return &page;
}

static uint64_t
value_of (const char *name)
{
  if (strcmp (name, "cap") == 0)
    return peer.cap;
  if (strcmp (name, "vs") == 0)
    return peer.vs;
  if (strcmp (name, "connect") == 0)
    return peer.connect_dw0;
  if (strcmp (name, "features") == 0)
    return peer.granted_0based << 16 | peer.granted_0based;
  if (strcmp (name, "cross-reset") == 0)
    return peer.cross_reset;
  if (strcmp (name, "csts") == 0)
    return peer.not_ready > 0 ? (peer.not_ready--, 0) : 1;
  return 0;
}

static bool
is_refused (const char *name, unsigned path)
{
  if (strcmp (name, peer.refuse) != 0 ||
      (peer.refuse_paths > 0 && !(peer.refuse_paths & 1u << path)))
    return false;
  if (peer.refuse_nr > 0 && --peer.refuse_nr == 0)
    peer.refuse[0] = '\0';
  return true;
}

static void
answer (struct wire *wire, const union nvme_command *sqe, uint32_t data_bytes)
{
  unsigned at = (unsigned) (wire - peer.wire);
  unsigned path = several ? at / PATH_QUEUES : 0;
  bool admin = at == path * PATH_QUEUES, refused;
  const char *name = name_of (sqe, admin);
  struct nvme_tcp_rsp rsp = { .cqe = { .cid = sqe->common.cid } };
  static uint8_t block[8192];

  if (!admin) {
    peer.last = sqe->common.cid;
    peer.nr_io[path] += strcmp (name, "connect") != 0;
  }
  strcat (peer.order, name);
  strcat (peer.order, " ");
  if (strcmp (name, "connect") == 0)
    assert_int_equal (data_bytes, 1024);
  if (strcmp (name, "aer") == 0) {
    peer.aer[path] = sqe->common.cid;
    if (strcmp (name, peer.refuse) != 0)
      return;
  }
  refused = is_refused (name, path);
  if (strcmp (name, peer.silent) == 0 ||
      (!admin && peer.mute && !refused && strcmp (name, "connect") != 0))
    return;
  rsp.cqe.value = cpu_to_le64 (value_of (name));
  if (refused) {
    rsp.cqe.status = cpu_to_le16 ((uint16_t) (peer.refuse_status << 1));
    rsp.cqe.value = cpu_to_le64 (peer.refuse_dw0);
  } else if (strncmp (name, "identify", 8) == 0 ||
             strcmp (name, "log04") == 0)
    say_data (wire, sqe->common.cid, 0, page_of (sqe), 4096,
              NVME_TCP_F_DATA_LAST);
  else if (strcmp (name, "log0c") == 0)
    say_data (wire, sqe->common.cid, 0, ana_page (path),
              le32_to_cpu (sqe->common.dptr.length), NVME_TCP_F_DATA_LAST);
  else if (strcmp (name, "read") == 0)
    say_data (wire, sqe->common.cid, 0, block,
              le32_to_cpu (sqe->common.dptr.length), NVME_TCP_F_DATA_LAST);
  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &wire->agreed);
  say_header (wire, &rsp, sizeof rsp);
}

bool
serve (void)
{
  union nvme_tcp_pdu pdu;
  bool any = false;
  uint32_t bytes;

  for (unsigned i = 0; i < QUEUES; i++) {
    struct wire *wire = &peer.wire[i];

    while (now_ms >= peer.since_ms[i] + peer.slow_ms && !heard_all (wire)) {
      any = true;
      hear (wire, &pdu, &bytes);
      if (pdu.hdr.type == NVME_TCP_ICREQ)
        say_icresp (wire, 0, 8192);
      else if (pdu.hdr.type == NVME_TCP_CMD)
        answer (wire, &pdu.cmd.sqe, bytes);
    }
  }
  return any;
}

enum association_state
drive_on (void)
{
  do
    association_drive (association, now_ms);
  while (serve ());
  return association_drive (association, now_ms);
}

enum association_state
start (void)
{
  struct error err;

  association = association_create (&params, &err);
  assert_non_null (association);
  association_start (association, now_ms);
  return drive_on ();
}

/* --- in use ------------------------------------------------------------- */

static void
aio_done (struct qbd_aio *a, int error)
{
  results[a - aio] = error;
  nr_done++;
}

void
make_lasting (void)
{
  params.reconnects = true;
  params.seed = 1;
  params.options.ctrl_loss_tmo_ms = UINT32_MAX;
  params.options.fast_io_fail_tmo_ms = UINT32_MAX;
  params.options.reconnect_delay_ms = 1000;
}

void
lose (void)
{
  association_lose (association, ECONNRESET, "test");
}

unsigned
count (const char *name)
{
  unsigned n = 0;

  for (const char *at = peer.order; (at = strstr (at, name)); at++)
    n++;
  return n;
}

static void
open_over (struct paths *paths)
{
  struct error err;

  peer.order[0] = '\0';
  volume = volume_create (paths, &association->namespaces[0], 0, &err);
  assert_non_null (volume);
  nr_done = 0;
  for (unsigned i = 0; i < REQUESTS; i++) {
    aio[i].done = aio_done;
    results[i] = -1;
  }
}

void
go_live (void)
{
  static struct paths paths;

  assert_int_equal (start (), ASSOCIATION_LIVE);
  memset (&paths, 0, sizeof paths);
  paths_add (&paths, association);
  open_over (&paths);
}

void
go_live_over (unsigned nr_paths)
{
  struct error err;

  params.several = true;
  several = paths_create (&params.options, &err);
  assert_non_null (several);
  for (unsigned i = 0; i < nr_paths; i++) {
    params.opaque = (void *) (uintptr_t) (i * PATH_QUEUES);
    params.cache = peer.caches ? (uint64_t) i << 32 : 0;
    assert_int_equal (start (), ASSOCIATION_LIVE);
    paths_add (several, association);
    paths_look (association, now_ms);
  }
  association = several->association[0];
  assert_int_equal (paths_retain (several, &err), 0);
  open_over (several);
}

int
submit (unsigned i, enum io_op op, uint64_t bytes, uint64_t offset)
{
  return aio_submit (volume, &aio[i], op, buf, bytes, offset, 0, now_ms);
}

void
pump (void)
{
  do
    volume_pump (volume, now_ms);
  while (serve ());
  volume_pump (volume, now_ms);
}

void
tick (void)
{
  do
    for (unsigned i = 0; i < (several ? several->nr : 1); i++)
      keeper_tick (several ? several->association[i] : association, now_ms);
  while (serve ());
}

void
let_pass (unsigned ms)
{
  const uint64_t until_ms = now_ms + ms;

  for (; now_ms < until_ms; now_ms += 10) {
    tick ();
    pump ();
  }
  tick ();
  pump ();
}
