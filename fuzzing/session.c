/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole session between libqbd and qbd-server's target, in the simulator's
 * world, in which what one of them sends is damaged as the input says:
 * fuzz-server damages what the server gets, fuzz-client what the client gets.
 * Whatever comes, both stay whole: every request ends, the server lets go of
 * every connection, nothing leaks, and a server that was wronged still ends.
 * What the client reads may be anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "fuzzing/fuzz.h"
#include "fuzzing/mangler.h"
#include "fuzzing/session.h"
#include "lib/internal.h"
#include "tests/sim/sim-server.h"
#include "tests/sim/world.h"

#define SECOND_US UINT64_C (1000000)
#define SESSION_LIMIT_US (600 * SECOND_US)
#define BLOCK_BYTES 512u
#define NR_BLOCKS 1024u
#define OPS 28u
#define OP_BYTES_MAX (128u << 10)

struct op {
  struct qbd_aio aio;
  struct session *session;
  uint8_t data[OP_BYTES_MAX];
};

/* Static: an input finds it as the one before left it, zeroed. */
static struct session {
  struct sim_server *server;
  struct sim_port port;
  struct mangler mangler;
  struct association *association;
  struct paths *paths;
  struct qbd_volume *volume;
  struct world_source clock;
  uint64_t tick_ms;
  unsigned submitted, ended, depth;
  bool grows;
  bool over;                    /* it never was attached, or all ops ended */
  struct {                      /* block status, once */
    struct block_status status;
    struct request request;
    bool begun, answered, over;
  } map;
  struct op ops[OPS];
} session;

static struct stream *
dial (void *opaque, uint16_t qid, int timeout_ms, struct error *err)
{
  struct stream *stream = sim_server_dial (opaque, qid, timeout_ms, err);

  return stream ? mangler_open (&session.mangler, stream) : NULL;
}

/* --- the load --------------------------------------------------------------- */

static void
op_over (struct qbd_aio *aio, int error)
{
  session.ended++;
}

/* One of each kind and shape, again and again. */
static int
submit (struct op *op, unsigned i)
{
  static const struct {
    enum io_op kind;
    uint32_t blocks;
    unsigned flags;
  } kinds[] = {
    { IO_WRITE, 8, 0 }, { IO_READ, 1, 0 }, { IO_WRITE, 256, 0 },
    { IO_READ, 256, 0 }, { IO_FLUSH, 0, 0 }, { IO_DISCARD, 100, 0 },
    { IO_WRITE_ZEROES, 64, 0 }, { IO_WRITE, 17, QBD_FUA },
    { IO_READ, 16, 0 },
  };
  const unsigned k = i % (sizeof kinds / sizeof kinds[0]);

  memset (&op->aio, 0, sizeof op->aio);
  op->aio.done = op_over;
  return aio_submit (session.volume, &op->aio, kinds[k].kind, op->data,
                     (uint64_t) kinds[k].blocks * BLOCK_BYTES,
                     (uint64_t) (i * 13) * BLOCK_BYTES, kinds[k].flags,
                     world_now_ms ());
}

static void
submit_what_fits (void)
{
  int r;

  while (session.submitted < OPS
         && session.submitted - session.ended < session.depth) {
    r = submit (&session.ops[session.submitted], session.submitted);
    if (r == -EAGAIN)
      return;
    session.submitted++;
    if (r < 0)
      session.ended++;
  }
}

static int
map_extent (void *opaque, uint64_t offset, uint64_t count, unsigned status)
{
  return 0;
}

/* [the admin queue is locked] */
static void
map_done (struct request *request)
{
  session.map.answered = true;
}

static void
map_submit (void)
{
  struct queue *admin = session.association->admin;
  struct transport_request *t = &session.map.request.transport;
  int r;

  memset (&session.map.request, 0, sizeof session.map.request);
  session.map.request.done = map_done;
  t->sqe = block_status_ask (&session.map.status);
  t->data = TRANSPORT_FROM_CONTROLLER;
  t->iov = (struct iovec) { &session.map.status.answer,
                            session.map.status.bytes };
  queue_lock (admin);
  queue_set_now_locked (admin, world_now_ms ());
  r = queue_submit_locked (admin, &session.map.request, true);
  queue_unlock (admin);
  queue_flush_sends (admin);
  session.map.over = r < 0;
}

static void
map_drive (void)
{
  const struct transport_request *t = &session.map.request.transport;
  int r;

  if (!session.map.begun) {
    session.map.begun = true;
    if (block_status_init (&session.map.status, session.volume,
                           64 * BLOCK_BYTES, 0, 0, map_extent, NULL) == 0)
      map_submit ();
    else
      session.map.over = true;
  }
  if (!session.map.answered)
    return;
  session.map.answered = false;
  r = t->error ? -t->error
      : block_status_answered (&session.map.status,
                               nvme_cqe_status (&t->cqe));
  if (r > 0)
    map_submit ();
  else
    session.map.over = true;
}

/* --- driving ------------------------------------------------------------------ */

static void
pump (void)
{
  submit_what_fits ();
  while (volume_pump (session.volume, world_now_ms ()) > 0)
    submit_what_fits ();
}

static void
attach (void)
{
  struct error err = { 0 };

  association_drive (session.association, world_now_ms ());
  session.tick_ms = association_next_ms (session.association);
  switch (association_get_state (session.association, &err)) {
  case ASSOCIATION_LIVE:
    paths_add (session.paths, session.association);
    session.volume = volume_create (session.paths,
                                    &session.association->namespaces[0], 0,
                                    &err);
    session.over = session.volume == NULL;
    break;
  case ASSOCIATION_FAILED: case ASSOCIATION_LOST:
    session.over = true;
    break;
  default:
    break;
  }
}

static void
drive (void *opaque)
{
  if (session.over)
    return;
  if (session.volume == NULL) {
    attach ();
    if (session.volume)
      world_after (0, drive, NULL);
    return;
  }
  pump ();
  session.tick_ms = keeper_tick (session.association, world_now_ms ());
  pump ();
  map_drive ();
  if (session.grows && session.ended > OPS / 2) {
    session.grows = false;
    sim_server_grow (session.server, 2 * NR_BLOCKS);
  }
  session.over = session.ended == OPS && session.map.over;
}

static uint64_t
next_due_us (void *opaque)
{
  if (session.over || session.tick_ms >= UINT64_MAX / 1000)
    return UINT64_MAX;
  /* Not in this instant again: time must pass. */
  if (session.tick_ms <= world_now_ms ())
    return world_now_us () + 1000;
  return session.tick_ms * 1000;
}

/* --- a session ---------------------------------------------------------------- */

static void
begin (const uint8_t *settings)
{
  const struct sim_network network = {
    .delay_min_us = 10, .delay_max_us = 100, .window_bytes = 512u << 10,
  };
  struct association_params params = {
    .dial = dial,
    .reconnects = settings[0] & SESSION_RECONNECTS,
    .seed = 1,
    .options = {
      .nr_io_queues = 1 + (settings[1] & 1),
      .queue_size = 16,
      .keep_alive_tmo_ms = 5000,
      .connect_tmo_ms = 10000,
      .io_tmo_ms = 10000,
      .ctrl_loss_tmo_ms = settings[0] & SESSION_RECONNECTS ? 20000 : 0,
      .fast_io_fail_tmo_ms = UINT32_MAX,
      .reconnect_delay_ms = 2000,
      .hdr_digest = settings[0] & SESSION_HDR_DIGEST,
      .data_digest = settings[0] & SESSION_DATA_DIGEST,
      .hostnqn = "nqn.2014-08.org.example:host",
      .hostid = { 1 },
    },
  };
  struct error err = { 0 };

  session.depth = 1 + settings[1] / 2 % OPS;
  session.grows = settings[0] & SESSION_GROWS;
  session.server = sim_server_new (1, &network, BLOCK_BYTES, NR_BLOCKS,
                                   2 * NR_BLOCKS);
  session.port = (struct sim_port) { session.server, 0, drive, NULL };
  params.opaque = &session.port;
  snprintf (params.subnqn, sizeof params.subnqn, "%s",
            sim_server_nqn (session.server));
  session.clock = (struct world_source) {
    .next_due_us = next_due_us, .run = drive,
  };
  world_add_source (&session.clock);
  session.paths = paths_create (&params.options, &err);
  session.association = association_create (&params, &err);
  if (session.paths == NULL || session.association == NULL)
    abort ();
  if (association_start (session.association, world_now_ms ()) < 0)
    session.over = true;
  world_after (0, drive, NULL);
}

static void
end (void)
{
  if (session.volume)
    volume_free (session.volume);
  if (session.paths->nr == 0)
    association_free (session.association);
  paths_free (session.paths);
  world_remove_source (&session.clock);
}

static void
let_it_run (void)
{
  while (!session.over && world_step (SESSION_LIMIT_US))
    ;
  if (session.over)
    return;
  fprintf (stderr, "session: it hangs: %u of %u requests ended\n",
           session.ended, session.submitted);
  abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
  static bool opened;
  static struct instruction program[SESSION_INSTRUCTIONS_MAX];
  size_t nr;

  if (!opened)
    log_open ("fuzz", 0);       /* nothing is worth a line */
  opened = true;
  if (bytes < SESSION_SETTINGS_BYTES)
    return -1;
  nr = (bytes - SESSION_SETTINGS_BYTES) / sizeof program[0];
  if (nr > SESSION_INSTRUCTIONS_MAX)
    nr = SESSION_INSTRUCTIONS_MAX;
  memcpy (program, data + SESSION_SETTINGS_BYTES, nr * sizeof program[0]);

  memset (&session, 0, sizeof session);
  session.mangler = (struct mangler) {
    .next = program,
    .nr = nr,
    .repair_digest = data[0] & SESSION_REPAIR_DIGEST,
    .sends = FUZZ_SERVER,
  };
  world_begin (1);
  begin (data);
  let_it_run ();
  end ();
  while (world_step (world_now_us () + SESSION_LIMIT_US))
    ;
  if (!sim_server_retire (session.server))
    abort ();
  world_end ();
  left_behind_forget ();
  sim_server_free (session.server);
  return 0;
}
