/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Simulated connections.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim-stream.h"
#include "tests/sim/world.h"

/* One direction.  Bytes [read, arrived) can be received, [arrived, sent)
 * are under way; counters only grow. */
struct way {
  uint8_t *window;
  uint64_t sent, arrived, read;
  uint64_t last_arrival_us;
  bool sender_waits;
  bool ended;                   /* no more will be sent */
};

struct sim_end {
  struct stream stream;
  struct sim_link *link;
  unsigned index;
  bool open;
  void (*ready) (void *opaque);
  void *opaque;
};

struct sim_link {
  struct sim_network network;
  struct sim_end ends[2];
  struct way ways[2];           /* ways[i]: from end i */
  bool cut;
  uint64_t stalled_until_us;
  unsigned references;          /* open ends, owner, events under way */
};

static void
put (struct sim_link *link)
{
  if (--link->references > 0)
    return;
  free (link->ways[0].window);
  free (link->ways[1].window);
  free (link);
}

/* --- events ----------------------------------------------------------------- */

struct arrival {
  struct sim_link *link;
  unsigned way;
  uint64_t up_to;
};

static void
tell (struct sim_end *end)
{
  if (end->open && end->ready)
    end->ready (end->opaque);
}

static void
tell_later (void *arg)
{
  struct sim_end *end = arg;
  struct sim_link *link = end->link;

  if (!link->cut && world_now_us () < link->stalled_until_us) {
    world_after (link->stalled_until_us - world_now_us (), tell_later, end);
    return;
  }
  tell (end);
  put (link);
}

static void
schedule_tell (struct sim_end *end, uint64_t delay_us)
{
  end->link->references++;
  world_after (delay_us, tell_later, end);
}

static void
arrive (void *arg)
{
  struct arrival *arrival = arg;
  struct sim_link *link = arrival->link;

  if (!link->cut && world_now_us () < link->stalled_until_us) {
    world_after (link->stalled_until_us - world_now_us (), arrive, arrival);
    return;
  }
  if (!link->cut) {
    /* After a stall, who waited for it comes in any order. */
    if (link->ways[arrival->way].arrived < arrival->up_to)
      link->ways[arrival->way].arrived = arrival->up_to;
    world_note (arrival->up_to);
    tell (&link->ends[!arrival->way]);
  }
  free (arrival);
  put (link);
}

static uint64_t
travel_us (struct sim_link *link, struct way *way)
{
  uint64_t at = world_now_us ()
                + world_chance (link->network.delay_min_us,
                                link->network.delay_max_us);

  if (at < way->last_arrival_us)        /* a stream keeps its order */
    at = way->last_arrival_us;
  way->last_arrival_us = at;
  return at - world_now_us ();
}

/* --- the stream's operations -------------------------------------------------- */

static size_t
piece (struct sim_link *link, size_t bytes)
{
  if (!link->network.pieces || bytes < 2)
    return bytes;
  switch (world_chance (0, 7)) {
  case 0:
    return 1;
  case 1:
    return world_chance (1, bytes);
  case 2:
    return bytes < 9 ? bytes : world_chance (1, 9);
  default:
    return bytes;
  }
}

/* The window is a ring: where the next bytes are, and how many in a row. */
static uint8_t *
in_a_row (struct sim_link *link, struct way *way, uint64_t at, size_t *bytes)
{
  size_t place = at % link->network.window_bytes;

  if (*bytes > link->network.window_bytes - place)
    *bytes = link->network.window_bytes - place;
  return way->window + place;
}

static void
take (struct sim_link *link, struct way *way, uint8_t *to, size_t bytes)
{
  while (bytes > 0) {
    size_t n = bytes;
    const uint8_t *from = in_a_row (link, way, way->read, &n);

    memcpy (to, from, n);
    way->read += n;
    to += n;
    bytes -= n;
  }
}

static void
put_bytes (struct sim_link *link, struct way *way, const uint8_t *from,
           size_t bytes)
{
  while (bytes > 0) {
    size_t n = bytes;
    uint8_t *to = in_a_row (link, way, way->sent, &n);

    memcpy (to, from, n);
    way->sent += n;
    from += n;
    bytes -= n;
  }
}

static ssize_t
sim_receive (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct sim_end *end = (struct sim_end *) stream;
  struct sim_link *link = end->link;
  struct way *way = &link->ways[!end->index];
  size_t left, done = 0;
  int i;

  if (link->cut)
    return -ECONNRESET;
  if (way->arrived == way->read)
    return way->ended && way->sent == way->arrived ? 0 : -EAGAIN;
  left = piece (link, way->arrived - way->read);
  for (i = 0; i < iovcnt && left > 0; i++) {
    size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

    take (link, way, iov[i].iov_base, n);
    left -= n;
    done += n;
  }
  /* Edge-triggered readiness: bytes that are left were announced already,
   * but a receiver that got less than it asked for may stop. */
  if (way->arrived > way->read)
    schedule_tell (end, 0);
  if (way->sender_waits && done > 0) {
    way->sender_waits = false;
    schedule_tell (&link->ends[!end->index], travel_us (link, way));
  }
  return (ssize_t) done;
}

static ssize_t
sim_send (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct sim_end *end = (struct sim_end *) stream;
  struct sim_link *link = end->link;
  struct way *way = &link->ways[end->index];
  size_t room = link->network.window_bytes - (way->sent - way->read);
  struct arrival *arrival;
  size_t done = 0;
  int i;

  if (link->cut)
    return -ECONNRESET;
  /* The news does not get through either. */
  if (world_now_us () >= link->stalled_until_us
      && (way->ended || !link->ends[!end->index].open))
    return -EPIPE;
  if (room == 0) {
    way->sender_waits = true;
    return -EAGAIN;
  }
  room = piece (link, room);
  for (i = 0; i < iovcnt && room > 0; i++) {
    size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;

    put_bytes (link, way, iov[i].iov_base, n);
    room -= n;
    done += n;
  }
  /* A short send promises, as a socket does, to tell when to go on. */
  if (room == 0)
    schedule_tell (end, world_chance (1, 50));
  arrival = malloc (sizeof *arrival);
  if (arrival == NULL)
    abort ();
  *arrival = (struct arrival) { link, end->index, way->sent };
  link->references++;
  world_after (travel_us (link, way), arrive, arrival);
  return (ssize_t) done;
}

static void
sim_shutdown (struct stream *stream)
{
  struct sim_end *end = (struct sim_end *) stream;
  struct sim_link *link = end->link;

  link->ways[0].ended = link->ways[1].ended = true;
  schedule_tell (&link->ends[0], 0);
  schedule_tell (&link->ends[1],
                 world_chance (link->network.delay_min_us,
                               link->network.delay_max_us));
}

static void
sim_close (struct stream *stream)
{
  struct sim_end *end = (struct sim_end *) stream;
  struct sim_link *link = end->link;

  end->open = false;
  link->ways[end->index].ended = true;
  schedule_tell (&link->ends[!end->index],
                 travel_us (link, &link->ways[end->index]));
  put (link);
}

static const struct stream_ops sim_stream_ops = {
  .receive = sim_receive,
  .send = sim_send,
  .shutdown = sim_shutdown,
  .abort = sim_shutdown,        /* what is under way arrives: the worse case */
  .close = sim_close,
};

/* --- links ------------------------------------------------------------------ */

struct sim_link *
sim_link_open (const struct sim_network *network, struct stream *ends[2])
{
  struct sim_link *link = calloc (1, sizeof *link);
  unsigned i;

  if (link == NULL)
    abort ();
  link->network = *network;
  link->references = 3;
  for (i = 0; i < 2; i++) {
    link->ways[i].window = malloc (network->window_bytes);
    if (link->ways[i].window == NULL)
      abort ();
    link->ends[i].stream.ops = &sim_stream_ops;
    link->ends[i].stream.fd = -1;
    link->ends[i].link = link;
    link->ends[i].index = i;
    link->ends[i].open = true;
    ends[i] = &link->ends[i].stream;
  }
  return link;
}

void
sim_link_on_ready (struct stream *stream, void (*ready) (void *opaque),
                   void *opaque)
{
  struct sim_end *end = (struct sim_end *) stream;

  end->ready = ready;
  end->opaque = opaque;
}

void
sim_link_cut (struct sim_link *link)
{
  unsigned i;

  if (link->cut)
    return;
  link->cut = true;
  for (i = 0; i < 2; i++)
    schedule_tell (&link->ends[i],
                   world_chance (0, link->network.delay_max_us));
}

bool
sim_end_is_open (const struct stream *end)
{
  return ((const struct sim_end *) end)->open;
}

void
sim_link_stall (struct sim_link *link, uint64_t until_us)
{
  if (until_us > link->stalled_until_us)
    link->stalled_until_us = until_us;
}

void
sim_link_release (struct sim_link *link)
{
  put (link);
}
