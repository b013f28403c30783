/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting an association up, step by step, against a controller in memory and
 * on a clock of our own: the order of commands, every step's refusal, time
 * limits; then requests, their timeouts, and the end.
 */
#include "tests/unit/lib-wire.h"

#include <stdio.h>

enum { QUEUES = 5 };

/* The controller.  A test changes what it says before it starts. */
static struct {
  struct wire wire[QUEUES];     /* by QID */
  unsigned nr_dials;
  char order[4096];             /* commands, as they came */
  uint64_t cap;
  uint32_t vs, csts;
  unsigned not_ready;           /* CSTS answers before RDY */
  uint32_t granted_0based;
  __u16 aer;                    /* the CID of the request that waits */
  uint16_t refuse_status;       /* for the command that is refused: */
  char refuse[32];
  uint32_t refuse_dw0;
  char silent[32];              /* no answer to this one */
  uint32_t connect_dw0;
  struct nvme_id_ctrl ctrl;
  struct nvme_id_ns ns;
  __le32 list[1024];
  uint8_t descriptors[4096];
  bool mute;                    /* no answers to I/O */
} peer;

static struct association *association;
static struct association_params params;
static uint64_t now_ms;

static struct stream *
dial (void *opaque, uint16_t qid, int timeout_ms, struct error *err)
{
  if (qid >= QUEUES) {
    error_set (err, ECONNREFUSED,
               "connect: tcp://test:4420: no more queues");
    return NULL;
  }
  peer.nr_dials++;
  wire_init (&peer.wire[qid]);
  return &peer.wire[qid].stream;
}

static int
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

static int
teardown (void **state)
{
  association_free (association);
  association = NULL;
  for (unsigned i = 0; i < peer.nr_dials; i++)
    assert_true (peer.wire[i].closed);
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
    s = (le32_to_cpu (sqe->common.cdw10) & 0xffff) == 4 ? "log04" : "log";
  else if (sqe->common.opcode == nvme_admin_async_event)
    s = "aer";
  else if (sqe->common.opcode == nvme_admin_keep_alive)
    s = "keep-alive";
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
  default: return zeroes;
  }
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
  if (strcmp (name, "csts") == 0)
    return peer.not_ready > 0 ? (peer.not_ready--, 0) : 1;
  return 0;
}

static void
answer (struct wire *wire, const union nvme_command *sqe, uint32_t data_bytes)
{
  bool admin = wire == &peer.wire[0];
  const char *name = name_of (sqe, admin);
  struct nvme_tcp_rsp rsp = { .cqe = { .cid = sqe->common.cid } };
  static uint8_t block[8192];

  strcat (peer.order, name);
  strcat (peer.order, " ");
  if (strcmp (name, "connect") == 0)
    assert_int_equal (data_bytes, 1024);
  if (strcmp (name, "aer") == 0) {
    peer.aer = sqe->common.cid;
    if (strcmp (name, peer.refuse) != 0)
      return;
  }
  if (strcmp (name, peer.silent) == 0 || (!admin && peer.mute &&
                                          strcmp (name, "connect") != 0))
    return;
  rsp.cqe.value = cpu_to_le64 (value_of (name));
  if (strcmp (name, peer.refuse) == 0) {
    rsp.cqe.status = cpu_to_le16 ((uint16_t) (peer.refuse_status << 1));
    rsp.cqe.value = cpu_to_le64 (peer.refuse_dw0);
  } else if (strncmp (name, "identify", 8) == 0 ||
             strcmp (name, "log04") == 0)
    say_data (wire, sqe->common.cid, 0, page_of (sqe), 4096,
              NVME_TCP_F_DATA_LAST);
  else if (strcmp (name, "read") == 0)
    say_data (wire, sqe->common.cid, 0, block,
              le32_to_cpu (sqe->common.dptr.length), NVME_TCP_F_DATA_LAST);
  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &wire->agreed);
  say_header (wire, &rsp, sizeof rsp);
}

/* Answer all that was sent; false when there was nothing. */
static bool
serve (void)
{
  union nvme_tcp_pdu pdu;
  bool any = false;
  uint32_t bytes;

  for (unsigned i = 0; i < QUEUES; i++) {
    struct wire *wire = &peer.wire[i];

    while (!heard_all (wire)) {
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

static enum association_state
drive_on (void)
{
  do
    association_drive (association, now_ms);
  while (serve ());
  return association_drive (association, now_ms);
}

static enum association_state
start (void)
{
  struct error err;

  association = association_create (&params, &err);
  assert_non_null (association);
  association_start (association, now_ms);
  return drive_on ();
}

/* FAILED with this errno and these words. */
static void
fails (int code, const char *words)
{
  struct error err;

  assert_int_equal (start (), ASSOCIATION_FAILED);
  association_get_state (association, &err);
  if (err.code != code || !strstr (err.message, words))
    fail_msg ("%d: %s", err.code, err.message);
  assert_int_equal (strncmp (err.message, "connect: tcp://test:4420: ", 26),
                    0);
}

/* --- set-up ------------------------------------------------------------- */

static void
test_order_of_commands (void **state)
{
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_string_equal (peer.order,
                       "connect cap vs cc csts identify01 identify06 "
                       "features connect identify02 identify03 identify00 ");
  assert_int_equal (association->namespaces[0].nsid, 1);
  assert_int_equal (association->namespaces[0].size_bytes, 1 << 20);
  /* queue_size 128, MQES 128 entries, MAXCMD 64: one less than 64 */
  assert_int_equal (queue_transport (association->io[0])->depth, 63);
}

static void
test_queues_granted (void **state)
{
  params.options.nr_io_queues = 4;
  peer.granted_0based = 2;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (association->nr_io, 3);
  assert_int_equal (peer.nr_dials, 4);
}

static void
test_more_queues_granted_than_asked_for (void **state)
{
  peer.granted_0based = 65535;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (association->nr_io, 1);
}

static void
test_discovery_has_no_io_queues (void **state)
{
  params.discovery = true;
  peer.ctrl.kas = 0;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_string_equal (peer.order, "connect cap vs cc csts identify01 ");
}

static void
test_small_queue (void **state)
{
  peer.cap = 1 | UINT64_C (1) << 24;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (queue_transport (association->io[0])->depth, 1);
}

static void
test_ready_is_asked_for_again (void **state)
{
  peer.not_ready = 3;
  assert_int_equal (start (), ASSOCIATION_READY);
  for (unsigned i = 0; i < 3; i++) {
    uint64_t next_ms = association_next_ms (association);

    assert_true (next_ms > now_ms && next_ms <= now_ms + 100);
    now_ms = next_ms;
    drive_on ();
  }
  assert_int_equal (association_drive (association, now_ms),
                    ASSOCIATION_LIVE);
}

static void
test_ready_takes_too_long (void **state)
{
  struct error err;

  peer.not_ready = UINT32_MAX;
  start ();
  for (unsigned i = 0; i < 200; i++) {
    now_ms += 10;
    drive_on ();
  }
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_FAILED);
  assert_int_equal (err.code, ETIMEDOUT);
}

/* A status at every step that needs an answer. */
static void
test_each_step_refused (void **state)
{
  static const struct { const char *step, *words; } t[] = {
    { "connect", "Connect: " }, { "cap", "Property Get of CAP: " },
    { "vs", "Property Get of VS: " }, { "cc", "Property Set of CC: " },
    { "csts", "Property Get of CSTS: " },
    { "identify01", "Identify Controller: " },
    { "features", "Number of Queues: " },
    { "identify02", "active namespaces: " },
    { "identify03", "namespace descriptors: " },
    { "identify00", "Identify Namespace: " },
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    setup (NULL);
    strcpy (peer.refuse, t[i].step);
    peer.refuse_status = NVME_SC_INTERNAL;
    fails (strcmp (t[i].step, "identify03") == 0 ? EPROTO : EIO, t[i].words);
    teardown (NULL);
  }
  setup (NULL);
}

static void
test_what_may_be_refused (void **state)
{
  strcpy (peer.refuse, "identify06");
  peer.refuse_status = NVME_SC_INVALID_FIELD;
  assert_int_equal (start (), ASSOCIATION_LIVE);
  teardown (NULL);
  setup (NULL);
  peer.vs = 0x00010200;
  strcpy (peer.refuse, "identify03");
  peer.refuse_status = NVME_SC_INVALID_FIELD;
  assert_int_equal (start (), ASSOCIATION_LIVE);
}

static void
test_each_step_unanswered (void **state)
{
  static const char *const t[] = {
    "connect", "cap", "vs", "cc", "csts", "identify01", "identify06",
    "features", "identify02", "identify03", "identify00",
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    struct error err;

    setup (NULL);
    strcpy (peer.silent, t[i]);
    assert_true (start () < ASSOCIATION_LIVE);
    assert_int_equal (association_next_ms (association), now_ms + 10000);
    now_ms += 9999;
    assert_true (drive_on () < ASSOCIATION_LIVE);
    now_ms += 1;
    assert_int_equal (drive_on (), ASSOCIATION_FAILED);
    association_get_state (association, &err);
    assert_int_equal (err.code, ETIMEDOUT);
    assert_non_null (strstr (err.message, "no answer to "));
    teardown (NULL);
  }
  setup (NULL);
}

static void
test_connection_ends_at_each_step (void **state)
{
  static const char *const t[] = {
    "connect", "cap", "vs", "cc", "csts", "identify01", "identify06",
    "features", "identify02", "identify03", "identify00",
  };

  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    struct error err;

    setup (NULL);
    strcpy (peer.silent, t[i]);
    assert_true (start () < ASSOCIATION_LIVE);
    peer.wire[0].eof = true;
    assert_int_equal (drive_on (), ASSOCIATION_FAILED);
    association_get_state (association, &err);
    assert_int_equal (err.code, ECONNRESET);
    assert_non_null (strstr (err.message, "closed the connection before it "
                             "answered "));
    teardown (NULL);
  }
  setup (NULL);
}

static void
refuse_connect (uint16_t status, uint32_t dw0)
{
  strcpy (peer.refuse, "connect");
  peer.refuse_status = status | NVME_SC_DNR;
  peer.refuse_dw0 = dw0;
}

static void
test_no_such_subsystem (void **state)
{
  refuse_connect (0x182, NVMF_IATTR_DATA | 256);
  fails (ENOENT, "no such subsystem: nqn.2014-08.org.example:subsystem");
}

static void
test_host_not_allowed (void **state)
{
  refuse_connect (0x184, 0);
  fails (EACCES, "host not allowed: nqn.2014-08.org.example:host");
  teardown (NULL);
  setup (NULL);
  refuse_connect (0x182, NVMF_IATTR_DATA | 512);
  fails (EACCES, "host not allowed");
}

static void
test_controller_busy (void **state)
{
  refuse_connect (0x181, 0);
  fails (EBUSY, "try again");
}

static void
test_authentication_asked_for (void **state)
{
  peer.connect_dw0 = 3 | 1 << 16;
  fails (EACCES, "authentication");
}

static void
test_controller_that_is_not_usable (void **state)
{
  peer.ctrl.cntlid = cpu_to_le16 (4);
  fails (EPROTO, "Identify Controller: CNTLID");
  teardown (NULL);
  setup (NULL);
  peer.cap = UINT64_C (1) << 24;
  fails (EPROTO, "MQES");
  teardown (NULL);
  setup (NULL);
  peer.list[0] = 0;
  fails (ENODEV, "no active namespace");
  teardown (NULL);
  setup (NULL);
  peer.ns.nsze = 0;
  fails (EPROTO, "NSZE");
  teardown (NULL);
  setup (NULL);
  peer.ns.lbaf[0].ds = 14;      /* 16 KiB, and MDTS is 8 KiB */
  fails (EPROTO, "MDTS");
}

static void
test_io_queue_refused (void **state)
{
  params.options.nr_io_queues = QUEUES;         /* dial has one less */
  peer.granted_0based = 63;
  fails (ECONNREFUSED, "no more queues");
}

/* --- in use ------------------------------------------------------------- */

static struct qbd_volume *volume;
static struct qbd_aio aio[80];
static int results[80];
static unsigned nr_done;
static uint8_t buf[65536];

static void
aio_done (struct qbd_aio *a, int error)
{
  results[a - aio] = error;
  nr_done++;
}

static void
go_live (void)
{
  struct error err;

  assert_int_equal (start (), ASSOCIATION_LIVE);
  peer.order[0] = '\0';
  volume = volume_create (association, &association->namespaces[0], 0,
                          &err);
  assert_non_null (volume);
  nr_done = 0;
  for (unsigned i = 0; i < 80; i++) {
    aio[i].done = aio_done;
    results[i] = -1;
  }
}

static int
submit (unsigned i, enum io_op op, uint64_t bytes, uint64_t offset)
{
  return aio_submit (volume, &aio[i], op, buf, bytes, offset, 0, now_ms);
}

static void
pump (void)
{
  do
    volume_pump (volume, now_ms);
  while (serve ());
  volume_pump (volume, now_ms);
}

static void
test_transfers_are_split (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 20480, 512), 0);
  pump ();
  assert_int_equal (nr_done, 1);
  assert_int_equal (results[0], 0);
  assert_string_equal (peer.order, "read read read ");  /* MDTS 8 KiB */
  volume_free (volume);
}

static void
test_refused_at_once (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 100, 0), -EINVAL);
  assert_int_equal (submit (0, IO_READ, 512, 100), -EINVAL);
  assert_int_equal (submit (0, IO_READ, 512, 1 << 20), -EINVAL);
  assert_int_equal (submit (0, IO_WRITE, 512, 1 << 20), -ENOSPC);
  assert_int_equal (submit (0, IO_WRITE, 1024, (1 << 20) - 512), -ENOSPC);
  assert_int_equal (submit (0, IO_DISCARD, UINT64_MAX - 511, 512), -ENOSPC);
  assert_int_equal (submit (0, IO_READ, 512, UINT64_MAX - 511), -EINVAL);
  assert_int_equal (aio_submit (volume, &aio[0], IO_READ, buf, 512, 0,
                                QBD_FUA, now_ms), -EINVAL);
  assert_int_equal (volume_pump (volume, now_ms), 0);
  volume_free (volume);
}

static void
test_nothing_to_do_is_done (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 0, 1 << 20), 0);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_int_equal (results[0], 0);
  volume_free (volume);
  teardown (NULL);

  setup (NULL);
  peer.ctrl.vwc = 0;            /* no cache: a flush is no command */
  go_live ();
  assert_int_equal (submit (0, IO_FLUSH, 0, 0), 0);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_string_equal (peer.order, "");
  volume_free (volume);
}

static void
test_full_queue (void **state)
{
  go_live ();
  peer.mute = true;
  for (unsigned i = 0; i < 63; i++)
    assert_int_equal (submit (i, IO_READ, 512, 0), 0);
  assert_int_equal (submit (63, IO_READ, 512, 0), -EAGAIN);
  association_lose (association, ECONNRESET, "test");
  volume_pump (volume, now_ms);
  assert_int_equal (nr_done, 63);
  assert_int_equal (results[62], ENOTCONN);
  assert_int_equal (results[63], -1);
  volume_free (volume);
}

/* Each request's error, when one of two was not answered in time. */
static void
test_io_timeout (void **state)
{
  go_live ();
  peer.mute = true;
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  now_ms += 1000;
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  now_ms += 28999;
  pump ();
  assert_int_equal (nr_done, 0);
  assert_int_equal (association_next_ms (association), now_ms + 1);
  now_ms += 1;
  pump ();
  assert_int_equal (nr_done, 2);
  assert_int_equal (results[0], ETIMEDOUT);
  assert_int_equal (results[1], ENOTCONN);
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  /* what comes later fails by done (), too */
  assert_int_equal (submit (2, IO_READ, 512, 0), 0);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_int_equal (results[2], ENOTCONN);
  volume_free (volume);
}

/* Whoever was stopped finds the answer before it looks at the clock; and when
 * the server was stopped with it, waits a second more, once. */
static void
test_a_gap_is_no_timeout (void **state)
{
  go_live ();
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  serve ();
  now_ms += 3600000;
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], 0);

  peer.mute = true;
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  now_ms += 3600000;
  pump ();
  assert_int_equal (results[1], -1);
  assert_int_equal (association_next_ms (association), now_ms + 1000);
  now_ms += 1000;
  pump ();
  assert_int_equal (results[1], ETIMEDOUT);
  volume_free (volume);
}

static void
test_interrupt (void **state)
{
  go_live ();
  peer.mute = true;
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  qbd_interrupt (volume);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], ESHUTDOWN);
  assert_int_equal (submit (1, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[1], ESHUTDOWN);
  assert_int_equal (qbd_check (volume), -1);
  assert_int_equal (errno, ENOTCONN);
  volume_free (volume);
}

/* One that was lost before ends with ESHUTDOWN, too, once it is interrupted. */
static void
test_interrupt_after_loss (void **state)
{
  go_live ();
  association_lose (association, ECONNRESET, "test");
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], ENOTCONN);
  qbd_interrupt (volume);
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  assert_int_equal (results[0], ESHUTDOWN);
  volume_free (volume);
}

/* Dataset Management has no FUA: a Flush follows the last of its commands,
 * and is part of the call. */
static void
test_discard_with_fua (void **state)
{
  go_live ();
  assert_int_equal (aio_submit (volume, &aio[0], IO_DISCARD, NULL, 1024, 512,
                                QBD_FUA, now_ms), 0);
  pump ();
  assert_int_equal (results[0], 0);
  assert_string_equal (peer.order, "discard flush ");
  peer.order[0] = '\0';
  strcpy (peer.silent, "flush");
  assert_int_equal (aio_submit (volume, &aio[1], IO_DISCARD, NULL, 1024, 0,
                                QBD_FUA, now_ms), 0);
  pump ();
  assert_int_equal (results[1], -1);    /* not over without its flush */
  now_ms += 40000;
  pump ();
  now_ms += 2000;
  pump ();
  assert_int_equal (results[1], ETIMEDOUT);
  volume_free (volume);
}

static void
test_no_flush_without_a_cache (void **state)
{
  peer.ctrl.vwc = 0;
  go_live ();
  assert_int_equal (aio_submit (volume, &aio[0], IO_DISCARD, NULL, 1024, 512,
                                QBD_FUA, now_ms), 0);
  assert_int_equal (aio_submit (volume, &aio[1], IO_DISCARD, NULL, 0, 512,
                                QBD_FUA, now_ms), 0);
  pump ();
  assert_int_equal (nr_done, 2);
  assert_string_equal (peer.order, "discard ");
  volume_free (volume);
}

static void
test_one_queue_takes_the_others_with_it (void **state)
{
  params.options.nr_io_queues = 3;
  peer.granted_0based = 2;
  go_live ();
  peer.mute = true;
  for (unsigned i = 0; i < 9; i++)
    assert_int_equal (submit (i, IO_READ, 512, 0), 0);
  volume_pump (volume, now_ms);
  peer.wire[2].eof = true;
  volume_pump (volume, now_ms);
  assert_int_equal (nr_done, 9);
  for (unsigned i = 0; i < 4; i++)
    assert_true (peer.wire[i].shut);
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  volume_free (volume);
}

/* --- events ------------------------------------------------------------- */

enum { NAMESPACE_CHANGED = 0x040002 };

static void
say_event (uint32_t dw0)
{
  struct nvme_tcp_rsp rsp = { .cqe = { .cid = peer.aer } };

  peer.order[0] = '\0';
  rsp.cqe.dw0 = cpu_to_le32 (dw0);
  tcp_make_hdr (&rsp.hdr, NVME_TCP_RSP, 0, 0, &peer.wire[0].agreed);
  say_header (&peer.wire[0], &rsp, sizeof rsp);
}

static void
tick (void)
{
  do
    keeper_tick (association, now_ms);
  while (serve ());
}

static void
test_size_follows_events (void **state)
{
  peer.ctrl.oaes = cpu_to_le32 (0x100);
  params.options.keep_alive_tmo_ms = 0;
  go_live ();
  peer.ns.nsze = cpu_to_le64 (2049);    /* before anybody was asked to tell */
  tick ();
  assert_string_equal (peer.order, "events log04 identify00 aer ");
  assert_int_equal (qbd_get_size (volume), 2049 * 512);

  peer.ns.nsze = cpu_to_le64 (4096);
  say_event (NAMESPACE_CHANGED);
  tick ();
  assert_string_equal (peer.order, "log04 identify00 aer ");
  assert_int_equal (qbd_get_size (volume), 4096 * 512);
  assert_int_equal (submit (0, IO_READ, 512, 4095 * 512), 0);
  pump ();
  assert_int_equal (results[0], 0);
  assert_int_equal (submit (0, IO_READ, 512, 4096 * 512), -EINVAL);

  say_event (0x020001);         /* SMART: nothing that anybody asked for */
  tick ();
  assert_string_equal (peer.order, "aer ");

  peer.ns.nsze = 0;             /* gone: its commands will say so */
  say_event (NAMESPACE_CHANGED);
  tick ();
  assert_string_equal (peer.order, "log04 identify00 aer ");
  assert_int_equal (qbd_get_size (volume), 4096 * 512);
  volume_free (volume);
}

/* It waits for ever, beside commands that may not. */
static void
test_an_event_is_never_late (void **state)
{
  peer.ctrl.oaes = cpu_to_le32 (0x100);
  params.options.keep_alive_tmo_ms = 10000;
  go_live ();
  tick ();
  for (unsigned i = 0; i < 100; i++) {
    now_ms += 5000;
    tick ();
  }
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LIVE);
  strcpy (peer.silent, "keep-alive");
  for (unsigned i = 0; i < 4; i++) {
    now_ms += 5000;
    tick ();
  }
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  volume_free (volume);
}

static void
test_no_events_where_there_are_none (void **state)
{
  go_live ();
  tick ();
  assert_string_equal (peer.order, "");
  volume_free (volume);
  teardown (NULL);

  for (unsigned i = 0; i < 2; i++) {
    setup (NULL);
    peer.ctrl.oaes = cpu_to_le32 (0x100);
    strcpy (peer.refuse, i ? "aer" : "events");
    peer.refuse_status = NVME_SC_INVALID_FIELD;
    go_live ();
    tick ();
    assert_string_equal (peer.order, i ? "events log04 identify00 aer " :
                         "events ");
    assert_int_equal (association_get_state (association, NULL),
                      ASSOCIATION_LIVE);
    volume_free (volume);
    if (i == 0)
      teardown (NULL);
  }
}

/* Offsets would mean other blocks. */
static void
test_another_block_size_ends_it (void **state)
{
  struct error err;

  peer.ctrl.oaes = cpu_to_le32 (0x100);
  go_live ();
  tick ();
  peer.ns.lbaf[0].ds = 12;
  say_event (NAMESPACE_CHANGED);
  tick ();
  keeper_tick (association, now_ms);
  assert_int_equal (association_get_state (association, &err),
                    ASSOCIATION_LOST);
  assert_non_null (strstr (err.message, "block size has changed"));
  volume_free (volume);
}

static void
test_nsid (void **state)
{
  peer.list[1] = cpu_to_le32 (2);
  fails (EINVAL, "several namespaces: 1, 2 (nsid= chooses one)");
  teardown (NULL);
  setup (NULL);
  params.options.nsid = 2;
  fails (ENOENT, "no active namespace 2");
  teardown (NULL);
  setup (NULL);
  params.options.nsid = 2;
  peer.list[0] = cpu_to_le32 (2);
  peer.list[1] = cpu_to_le32 (3);
  assert_int_equal (start (), ASSOCIATION_LIVE);
  assert_int_equal (association->namespaces[0].nsid, 2);
}

/* --- keep-alive --------------------------------------------------------- */

static void
test_keep_alive (void **state)
{
  uint64_t next_ms;

  go_live ();
  next_ms = keeper_tick (association, now_ms);
  assert_int_equal (next_ms, now_ms + 2500);
  for (unsigned i = 0; i < 3; i++) {
    peer.order[0] = '\0';
    now_ms = next_ms;
    next_ms = keeper_tick (association, now_ms);
    serve ();
    keeper_tick (association, now_ms);
    assert_string_equal (peer.order, "keep-alive ");
  }
  /* no answer any more */
  strcpy (peer.silent, "keep-alive");
  for (unsigned i = 0; i < 4; i++) {
    now_ms += 2500;
    keeper_tick (association, now_ms);
    serve ();
    assert_int_equal (association_get_state (association, NULL), i < 2 ?
                      ASSOCIATION_LIVE : ASSOCIATION_LOST);
  }
  volume_free (volume);
}

static void
test_keep_alive_off (void **state)
{
  params.options.keep_alive_tmo_ms = 0;
  go_live ();
  for (unsigned i = 0; i < 10; i++) {
    now_ms += 10000;
    keeper_tick (association, now_ms);
    serve ();
  }
  assert_string_equal (peer.order, "");
  volume_free (volume);
}

/* The keeper judges commands of a volume that nobody drives. */
static void
test_keeper_judges_timeouts (void **state)
{
  go_live ();
  peer.mute = true;
  keeper_tick (association, now_ms);
  assert_int_equal (submit (0, IO_READ, 512, 0), 0);
  for (unsigned i = 0; i < 30; i++) {
    now_ms += 1000;
    keeper_tick (association, now_ms);
    serve ();
  }
  assert_int_equal (association_get_state (association, NULL),
                    ASSOCIATION_LOST);
  assert_int_equal (volume_pump (volume, now_ms), 1);
  assert_int_equal (results[0], ETIMEDOUT);
  volume_free (volume);
}

#define TEST(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_order_of_commands),
    TEST (test_queues_granted),
    TEST (test_more_queues_granted_than_asked_for),
    TEST (test_discovery_has_no_io_queues),
    TEST (test_small_queue),
    TEST (test_ready_is_asked_for_again),
    TEST (test_ready_takes_too_long),
    TEST (test_each_step_refused),
    TEST (test_what_may_be_refused),
    TEST (test_each_step_unanswered),
    TEST (test_connection_ends_at_each_step),
    TEST (test_no_such_subsystem),
    TEST (test_host_not_allowed),
    TEST (test_controller_busy),
    TEST (test_authentication_asked_for),
    TEST (test_controller_that_is_not_usable),
    TEST (test_io_queue_refused),
    TEST (test_transfers_are_split),
    TEST (test_refused_at_once),
    TEST (test_nothing_to_do_is_done),
    TEST (test_full_queue),
    TEST (test_io_timeout),
    TEST (test_a_gap_is_no_timeout),
    TEST (test_interrupt),
    TEST (test_interrupt_after_loss),
    TEST (test_discard_with_fua),
    TEST (test_no_flush_without_a_cache),
    TEST (test_one_queue_takes_the_others_with_it),
    TEST (test_size_follows_events),
    TEST (test_an_event_is_never_late),
    TEST (test_no_events_where_there_are_none),
    TEST (test_another_block_size_ends_it),
    TEST (test_nsid),
    TEST (test_keep_alive),
    TEST (test_keep_alive_off),
    TEST (test_keeper_judges_timeouts),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
