/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated connection: two streams whose bytes travel with delay, in
 * pieces of any length, through windows that fill up, and that can stall and be
 * cut.
 */
#ifndef QBD_SIM_STREAM_H
#define QBD_SIM_STREAM_H

#include "common/stream.h"

struct sim_link;

struct sim_network {
  uint32_t delay_min_us, delay_max_us;
  uint32_t window_bytes;        /* each way, in flight and unread */
  bool pieces;                  /* short sends and receives, by chance */
};

/* Ends 0 and 1 of a new link.  ready (opaque) tells an end that bytes came,
 * that there is room again, or that the link is over. */
struct sim_link *sim_link_open (const struct sim_network *network,
                                struct stream *ends[2]);
void sim_link_on_ready (struct stream *end, void (*ready) (void *opaque),
                        void *opaque);
/* Not closed; while the link is there. */
bool sim_end_is_open (const struct stream *end);
/* What is under way, and what is sent, arrives no sooner than that. */
void sim_link_stall (struct sim_link *link, uint64_t until_us);
/* Lost both ways: what has not arrived never does. */
void sim_link_cut (struct sim_link *link);
/* The link lives until both ends are closed and this is called. */
void sim_link_release (struct sim_link *link);

#endif
