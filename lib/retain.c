/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes that were acknowledged and that no flush has covered yet, in the
 * order of their acknowledgement: the data in a ring of bytes, what it was for
 * in a ring of entries.  Both are made when the volume is opened.  A change
 * that finds no room is flushed before it is acknowledged, and with it all that
 * are in the rings.
 *
 * When a server has lost its cache, the driver sends them once more: behind
 * the fence, and before anything else, reads as well, gets through.  They stay
 * until a flush covers them.  A connection that is lost meanwhile goes on where
 * the last one was; so does a server that cannot take them now, a few times.
 *
 * Of changes of the same bytes that were under way at once nobody knows which
 * came last on the server, but readers may have seen it.  So the one that is
 * acknowledged later is flushed before, and not kept.
 *
 * The rings have a lock, below a queue's.  The replay belongs to the driver, its
 * commands to the lock of the queue that they take.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lib/internal.h"
#include "nvmeof/status.h"

enum {
  ENTRY_BYTES = 4096,           /* of data to one entry, on average */
  ENTRIES_MIN = 64,
  PIECE_MAX_BYTES = 128 << 10,  /* of data in one command */
  PIECES = 8,                   /* commands in flight */
  DSM_DEALLOCATE = 1 << 2,      /* AD */
  MEETS_MAX = 256,              /* entries that are looked at */
  RECENT_MAX = 1024,            /* changes that are remembered */
  TURNS = 4,                    /* of the driver's time, at once */
  REFUSALS_MAX = 10,            /* of one replay, while they may pass */
};

struct entry {
  uint64_t offset_bytes, bytes;
  uint64_t data;                /* position of its data */
  uint16_t control;
  uint8_t opcode;
  bool has_data;
};

struct range {
  uint64_t offset_bytes, bytes;
};

/* A command of the replay. */
struct piece {
  struct request request;       /* first member */
  struct retain *retain;
  struct association *association;      /* that it takes */
  struct nvme_dsm_range range;
  uint64_t entry, entry_bytes;  /* where in them it begins */
  uint64_t offset_bytes, bytes;
  bool busy;
};

struct retain {
  /* Positions grow, and are taken modulo the size. */
  pthread_mutex_t lock;
  uint8_t *ring;
  struct entry *entries;
  uint64_t ring_bytes, nr_entries;      /* constant */
  uint64_t first_data, end_data;
  uint64_t first, end;                  /* entries */
  struct range recent[RECENT_MAX];      /* kept or not */
  uint64_t nr_changes;
  bool disorderly;                      /* constant */

  bool wanted;                  /* the driver's: a replay is */
  uint64_t next;                /* entry */
  uint64_t next_bytes;          /* of it that are sent */
  struct piece pieces[PIECES];
  unsigned in_flight;
  unsigned refusals;
  bool broken;                  /* the connection was lost meanwhile */
  bool failed;                  /* the server refused one */
};

/* --- the rings ---------------------------------------------------------- */

struct retain *
retain_create (uint64_t bytes, uint32_t block_bytes, bool disorderly)
{
  struct retain *retain = calloc (1, sizeof *retain);

  if (!retain)
    return NULL;
  /* A block's data is in one piece. */
  retain->ring_bytes = bytes - bytes % block_bytes;
  retain->nr_entries = bytes / ENTRY_BYTES;
  if (retain->nr_entries < ENTRIES_MIN)
    retain->nr_entries = ENTRIES_MIN;
  retain->ring = malloc (retain->ring_bytes);
  retain->entries = calloc (retain->nr_entries, sizeof *retain->entries);
  if (!retain->ring || !retain->entries) {
    free (retain->ring);
    free (retain->entries);
    free (retain);
    return NULL;
  }
  /* The pages are there from now on. */
  memset (retain->ring, 0xff, retain->ring_bytes);
  memset (retain->entries, 0xff, retain->nr_entries * sizeof *retain->entries);
  retain->disorderly = disorderly;
  pthread_mutex_init (&retain->lock, NULL);
  for (unsigned i = 0; i < PIECES; i++)
    retain->pieces[i].retain = retain;
  return retain;
}

void
retain_free (struct retain *retain)
{
  if (!retain)
    return;
  pthread_mutex_destroy (&retain->lock);
  free (retain->ring);
  free (retain->entries);
  free (retain);
}

static struct entry *
entry_at (struct retain *retain, uint64_t at)
{
  return &retain->entries[at % retain->nr_entries];
}

static void
put_data_locked (struct retain *retain, const uint8_t *data, uint64_t bytes)
{
  uint64_t at = retain->end_data % retain->ring_bytes;
  uint64_t n = retain->ring_bytes - at < bytes ? retain->ring_bytes - at :
    bytes;

  memcpy (retain->ring + at, data, n);
  memcpy (retain->ring, data + n, bytes - n);
  retain->end_data += bytes;
}

/* Was a change of these bytes completed since then?  Of too many nobody
 * knows. */
static bool
crossed_locked (const struct retain *retain, uint64_t begun, uint64_t offset,
                uint64_t bytes)
{
  if (retain->disorderly)
    return false;
  if (retain->nr_changes - begun > RECENT_MAX)
    return true;
  for (uint64_t at = begun; at < retain->nr_changes; at++) {
    const struct range *range = &retain->recent[at % RECENT_MAX];

    if (offset < range->offset_bytes + range->bytes &&
        range->offset_bytes < offset + bytes)
      return true;
  }
  return false;
}

/* Would one of those that are kept undo a change of these bytes?  Where there
 * are many that is not looked at. */
static bool
meets_locked (struct retain *retain, uint64_t offset, uint64_t bytes)
{
  if (retain->end - retain->first > MEETS_MAX)
    return true;
  for (uint64_t at = retain->first; at < retain->end; at++) {
    const struct entry *entry = entry_at (retain, at);

    if (offset < entry->offset_bytes + entry->bytes &&
        entry->offset_bytes < offset + bytes)
      return true;
  }
  return false;
}

uint64_t
retain_begin (struct retain *retain)
{
  LOCK_SCOPE (&retain->lock);
  return retain->nr_changes;
}

bool
retain_keep (struct retain *retain, uint64_t begun, uint8_t opcode,
             uint16_t control, const void *data, uint64_t offset,
             uint64_t bytes, bool stable)
{
  uint64_t data_bytes = data ? bytes : 0;
  bool crossed;

  LOCK_SCOPE (&retain->lock);
  crossed = crossed_locked (retain, begun, offset, bytes);
  retain->recent[retain->nr_changes++ % RECENT_MAX] = (struct range) {
    offset, bytes,
  };
  /* It needs no replay, nor may an older one's undo it, even for a moment:
   * who replays may be gone before he gets to it. */
  if (stable)
    return !meets_locked (retain, offset, bytes);
  if (crossed || retain->end - retain->first == retain->nr_entries ||
      data_bytes > retain->ring_bytes - (retain->end_data -
                                         retain->first_data))
    return false;
  *entry_at (retain, retain->end++) = (struct entry) {
    .offset_bytes = offset,
    .bytes = bytes,
    .data = retain->end_data,
    .control = control,
    .opcode = opcode,
    .has_data = data != NULL,
  };
  if (data)
    put_data_locked (retain, data, bytes);
  return true;
}

uint64_t
retain_so_far (struct retain *retain)
{
  LOCK_SCOPE (&retain->lock);
  return retain->end;
}

void
retain_flushed (struct retain *retain, uint64_t so_far)
{
  LOCK_SCOPE (&retain->lock);
  for (; retain->first < so_far; retain->first++) {
    const struct entry *entry = entry_at (retain, retain->first);

    if (entry->has_data)
      retain->first_data = entry->data + entry->bytes;
  }
}

/* --- the replay --------------------------------------------------------- */

void
retain_reconnected (struct retain *retain, bool lost)
{
  LOCK_SCOPE (&retain->lock);
  if (lost) {
    retain->wanted = retain->first != retain->end;
    retain->next = retain->first;
    retain->next_bytes = 0;
  }
  retain->broken = retain->failed = false;
}

bool
retain_is_wanted (const struct retain *retain)
{
  return retain->wanted;
}

/* Another connection would begin with it, and what follows it. */
static void
step_back (struct retain *retain, const struct piece *piece)
{
  if (piece->entry < retain->next ||
      (piece->entry == retain->next &&
       piece->entry_bytes < retain->next_bytes)) {
    retain->next = piece->entry;
    retain->next_bytes = piece->entry_bytes;
  }
}

/* False: not now, or not by this controller.  SQ deletion: it is on its way
 * out. */
static bool
is_final (struct retain *retain, uint16_t status)
{
  if ((status & ~NVME_SC_DNR) == NVME_SC_ABORT_QUEUE || retain->broken)
    return false;
  return status & NVME_SC_DNR || ++retain->refusals > REFUSALS_MAX;
}

/* Of several paths.  Another one will do, and what may still take effect over
 * this one must not come after it. */
static bool
goes_elsewhere (struct piece *piece, uint16_t status)
{
  struct association *association = piece->association;

  if (!association->params.several)
    return false;
  if (piece->request.transport.error != 0)
    association->path.unfenced = true;
  else if (status_is_path (status))
    paths_doubt (association);
  else
    return false;
  piece->retain->broken = true;
  return true;
}

static void
piece_done (struct request *request)
{
  struct piece *piece = (struct piece *) request;
  struct transport_queue *transport =
    queue_transport (piece->association->io[0]);
  struct retain *retain = piece->retain;
  uint16_t status = nvme_cqe_status (&request->transport.cqe);

  piece->busy = false;
  retain->in_flight--;
  keeper_wake ();
  if (request->transport.error == 0 && status == 0)
    return;
  step_back (retain, piece);
  if (goes_elsewhere (piece, status))
    return;
  if (request->transport.error != 0) {
    retain->broken = true;
  } else if (is_final (retain, status)) {
    retain->failed = true;
  } else if (!retain->broken) {
    /* Pauses between connections are its patience. */
    retain->broken = true;
    transport->ops->fail (transport, ECONNRESET, "the server does not take "
                          "what it has lost");
  }
}

/* In the order in which they were acknowledged, where they meet. */
static struct piece *
free_piece (struct retain *retain, uint64_t offset, uint64_t bytes)
{
  struct piece *found = NULL;

  for (unsigned i = 0; i < PIECES; i++) {
    struct piece *piece = &retain->pieces[i];

    if (!piece->busy)
      found = piece;
    else if (offset < piece->offset_bytes + piece->bytes &&
             piece->offset_bytes < offset + bytes)
      return NULL;
  }
  return found;
}

/* How much of the entry the next command takes. */
static uint64_t
piece_bytes (const struct association *association,
             const struct namespace *ns, const struct entry *entry)
{
  const struct retain *retain = ns->retain;
  const struct controller_info *controller = &association->controller;
  uint32_t block_bytes = ns->info.block_bytes;
  uint64_t most = UINT64_C (65536) * block_bytes, to_end;

  if (entry->opcode == nvme_cmd_dsm) {
    most = (uint64_t) controller->dsm_max_blocks * block_bytes;
  } else if (!entry->has_data) {
    if (controller->zeroes_max_bytes < most)
      most = controller->zeroes_max_bytes;
  } else {
    if (most > PIECE_MAX_BYTES)
      most = PIECE_MAX_BYTES;
    if (most > controller->max_transfer_bytes)
      most = controller->max_transfer_bytes;
    to_end = retain->ring_bytes -
      (entry->data + retain->next_bytes) % retain->ring_bytes;
    if (most > to_end)
      most = to_end;
  }
  most -= most % block_bytes;
  if (most < block_bytes)
    most = block_bytes;
  return most < entry->bytes - retain->next_bytes ? most :
    entry->bytes - retain->next_bytes;
}

static void
make_command (struct piece *piece, const struct namespace *ns,
              const struct entry *entry)
{
  struct retain *retain = piece->retain;
  struct transport_request *request = &piece->request.transport;
  uint32_t block_bytes = ns->info.block_bytes;
  uint64_t slba = piece->offset_bytes / block_bytes;
  uint32_t nlb = (uint32_t) (piece->bytes / block_bytes);
  uint64_t data = entry->data + retain->next_bytes;

  memset (&request->sqe, 0, sizeof request->sqe);
  request->data = TRANSPORT_NO_DATA;
  request->iov = (struct iovec) { 0 };
  if (entry->opcode == nvme_cmd_dsm) {
    piece->range = (struct nvme_dsm_range) {
      .nlb = cpu_to_le32 (nlb), .slba = cpu_to_le64 (slba),
    };
    request->sqe.common.cdw11 = cpu_to_le32 (DSM_DEALLOCATE);
    request->iov = (struct iovec) { &piece->range, sizeof piece->range };
  } else {
    request->sqe.rw.slba = cpu_to_le64 (slba);
    request->sqe.rw.nlb_0based = cpu_to_le16 ((uint16_t) (nlb - 1));
    request->sqe.rw.control = cpu_to_le16 (entry->control);
  }
  if (entry->has_data)
    request->iov = (struct iovec) {
      retain->ring + data % retain->ring_bytes, piece->bytes,
    };
  if (request->iov.iov_len > 0)
    request->data = TRANSPORT_TO_CONTROLLER;
  request->sqe.common.opcode = entry->opcode;
  request->sqe.common.nsid = cpu_to_le32 (ns->nsid);
}

/* [locked: the queue] False: nothing more can be sent now. */
static bool
send_next_locked (struct association *association, struct namespace *ns)
{
  struct retain *retain = ns->retain;
  const struct entry *entry = entry_at (retain, retain->next);
  uint64_t offset, bytes;
  struct piece *piece;

  if (retain->broken || retain->failed || retain->next == retain->end)
    return false;
  offset = entry->offset_bytes + retain->next_bytes;
  bytes = piece_bytes (association, ns, entry);
  piece = free_piece (retain, offset, bytes);
  if (!piece)
    return false;
  piece->entry = retain->next;
  piece->entry_bytes = retain->next_bytes;
  piece->offset_bytes = offset;
  piece->bytes = bytes;
  piece->association = association;
  piece->request.fleeting = true;
  piece->request.changes = true;
  piece->request.done = piece_done;
  make_command (piece, ns, entry);
  if (queue_submit_locked (association->io[0], &piece->request, true) < 0)
    return false;               /* it is dead, and has said so */
  piece->busy = true;
  retain->in_flight++;
  retain->next_bytes += bytes;
  if (retain->next_bytes == entry->bytes) {
    retain->next++;
    retain->next_bytes = 0;
  }
  return true;
}

/* The server refuses what it had accepted: some of it is gone. */
static void
replay_ends (struct namespace *ns)
{
  struct retain *retain = ns->retain;

  retain->wanted = false;
  retain->refusals = 0;
  if (!retain->failed)
    return;
  ns->durable.lost = true;
  retain_flushed (retain, retain->end);
}

/* [locked: the queue] */
static bool
is_over_locked (const struct retain *retain)
{
  return retain->in_flight == 0 && !retain->broken &&
    (retain->failed || retain->next == retain->end);
}

enum retain_replay
retain_replay (struct association *association, struct namespace *ns,
               uint64_t now_ms)
{
  struct retain *retain = ns->retain;
  struct queue *queue = association->io[0];
  bool sent = true, over = false;

  if (!retain || !retain->wanted)
    return RETAIN_REPLAY_OVER;
  for (unsigned i = 0; i < TURNS && sent && !over; i++) {
    queue_lock (queue);
    queue_set_now_locked (queue, now_ms);
    sent = false;
    while (send_next_locked (association, ns))
      sent = true;
    queue_unlock (queue);
    queue_pump (queue, now_ms);
    queue_lock (queue);
    over = is_over_locked (retain);
    queue_unlock (queue);
  }
  if (!over)
    return sent ? RETAIN_REPLAY_GOES_ON : RETAIN_REPLAY_WAITS;
  replay_ends (ns);
  return RETAIN_REPLAY_OVER;
}

bool
retain_is_broken (struct retain *retain, struct association *association)
{
  struct queue *queue = association->io[0];
  bool broken;

  queue_lock (queue);
  broken = retain->broken;
  queue_unlock (queue);
  return broken;
}

bool
retain_is_idle (struct retain *retain, struct association *association)
{
  struct queue *queue = association->io[0];
  bool idle;

  queue_lock (queue);
  idle = retain->in_flight == 0;
  queue_unlock (queue);
  return idle;
}
