/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes both ways, and what a duplicate is: PAIR_KEEPS, PAIR_ALONE, PAIR_LATE.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/pair.h"

#define LINGER_MS 200           /* for the target to act on what came late */

static const uint8_t legal[] = {
  [PAIR_RELAYS] = 1 << PAIR_KEEPS | 1 << PAIR_OVER,
  [PAIR_KEEPS] = 1 << PAIR_ALONE | 1 << PAIR_OVER,
  [PAIR_ALONE] = 1 << PAIR_LATE | 1 << PAIR_OVER,
  [PAIR_LATE] = 1 << PAIR_OVER,
  [PAIR_OVER] = 0,
};

static void
set_state (struct pair *pair, enum pair_state state, uint64_t due_ms)
{
  assert (legal[pair->state] & 1 << state);
  pair->state = state;
  pair->due_ms = due_ms;
}

struct pair *
pair_new (unsigned client, int fd, const struct stream_place *there)
{
  struct pair *pair = calloc (1, sizeof *pair);

  if (pair) {
    pair->up.data = malloc (PIPE_BYTES);
    pair->down.data = malloc (PIPE_BYTES);
  }
  if (!pair || !pair->up.data || !pair->down.data
      || stream_connect_begin (there, &pair->there) < 0) {
    if (pair) {
      free (pair->up.data);
      free (pair->down.data);
    }
    free (pair);
    close (fd);
    return NULL;
  }
  pair->client = client;
  pair->due_ms = UINT64_MAX;
  stream_init_socket (&pair->here, fd);
  pair->here_open = true;
  return pair;
}

static void
close_here (struct pair *pair)
{
  if (!pair->here_open)
    return;
  stream_shutdown (&pair->here);
  stream_close (&pair->here);
  pair->here_open = false;
}

void
pair_free (struct pair *pair)
{
  close_here (pair);
  stream_close (&pair->there);
  free (pair->up.data);
  free (pair->down.data);
  free (pair);
}

void
pair_cut (struct pair *pair, bool reset)
{
  if (reset)
    stream_abort (&pair->there);
  else
    stream_shutdown (&pair->there);
  set_state (pair, PAIR_OVER, 0);
}

void
pair_keep (struct pair *pair, uint64_t cut_ms, uint64_t release_ms)
{
  pair->release_ms = release_ms;
  set_state (pair, PAIR_KEEPS, cut_ms);
}

/* --- bytes ---------------------------------------------------------------- */

static size_t
used (const struct pipe *pipe)
{
  return pipe->end - pipe->start;
}

/* The pipe is full, empty or the stream has no more for now. */
static void
fill (struct pipe *pipe, struct stream *from)
{
  struct iovec iov;
  ssize_t n;

  if (pipe->ended)
    return;
  if (pipe->start > 0) {
    memmove (pipe->data, pipe->data + pipe->start, used (pipe));
    pipe->end -= pipe->start;
    pipe->start = 0;
  }
  if (pipe->end == PIPE_BYTES)
    return;
  iov = (struct iovec) { pipe->data + pipe->end, PIPE_BYTES - pipe->end };
  n = stream_receive (from, &iov, 1);
  if (n > 0)
    pipe->end += (size_t) n;
  else if (n != -EAGAIN)
    pipe->ended = true;
}

/* At most max.  Bytes that went, or -errno when the other end is gone. */
static ssize_t
drain (struct pipe *pipe, struct stream *to, size_t max, uint64_t now_ms)
{
  size_t count = used (pipe) < max ? used (pipe) : max;
  struct iovec iov = { pipe->data + pipe->start, count };
  ssize_t n;

  if (count == 0 || now_ms < pipe->not_before_ms)
    return 0;
  n = stream_send (to, &iov, 1);
  if (n == -EAGAIN)
    return 0;
  if (n > 0)
    pipe->start += (size_t) n;
  return n;
}

static void
move_relayed (struct pair *pair, uint64_t now_ms, uint32_t *room)
{
  ssize_t up = 0, down;

  fill (&pair->up, &pair->here);
  fill (&pair->down, &pair->there);
  if (pair->state == PAIR_RELAYS)
    up = drain (&pair->up, &pair->there, *room, now_ms);
  down = drain (&pair->down, &pair->here, SIZE_MAX, now_ms);
  if (up > 0 && *room != UINT32_MAX)
    *room -= (uint32_t) up;
  if (up < 0 || down < 0
      || (pair->up.ended && used (&pair->up) == 0)
      || (pair->down.ended && used (&pair->down) == 0))
    set_state (pair, PAIR_OVER, 0);
}

/* Nobody wants the answers. */
static void
move_late (struct pair *pair, uint64_t now_ms)
{
  ssize_t n = 0;

  pair->down.start = pair->down.end = 0;
  fill (&pair->down, &pair->there);
  if (pair->state == PAIR_LATE)
    n = drain (&pair->up, &pair->there, SIZE_MAX, now_ms);
  if (n > 0)
    pair->late_bytes += (uint64_t) n;
  if (n < 0 || pair->down.ended)
    set_state (pair, PAIR_OVER, 0);     /* the target had ended it */
  else if (pair->state == PAIR_LATE && used (&pair->up) == 0
           && pair->due_ms == UINT64_MAX)
    pair->due_ms = now_ms + LINGER_MS;
}

void
pair_move (struct pair *pair, uint64_t now_ms, uint32_t *room)
{
  switch (pair->state) {
  case PAIR_RELAYS:
    move_relayed (pair, now_ms, room);
    break;
  case PAIR_KEEPS:
    move_relayed (pair, now_ms, room);
    if (pair->state == PAIR_KEEPS && now_ms >= pair->due_ms) {
      close_here (pair);
      set_state (pair, PAIR_ALONE, pair->release_ms);
    }
    break;
  case PAIR_ALONE:
    move_late (pair, now_ms);
    if (pair->state == PAIR_ALONE && now_ms >= pair->due_ms)
      set_state (pair, PAIR_LATE, UINT64_MAX);
    break;
  case PAIR_LATE:
    move_late (pair, now_ms);
    if (pair->state == PAIR_LATE && now_ms >= pair->due_ms)
      set_state (pair, PAIR_OVER, 0);
    break;
  case PAIR_OVER:
    break;
  }
}

/* --- waiting -------------------------------------------------------------- */

static short
wants (const struct pipe *in, const struct pipe *out, bool held,
       uint64_t now_ms)
{
  short events = 0;

  if (!in->ended && used (in) < PIPE_BYTES)
    events |= POLLIN;
  if (used (out) > 0 && !held && now_ms >= out->not_before_ms)
    events |= POLLOUT;
  return events;
}

void
pair_poll (const struct pair *pair, struct pollfd fds[2], uint64_t now_ms)
{
  bool held = pair->state == PAIR_KEEPS || pair->state == PAIR_ALONE;

  fds[0] = (struct pollfd) { .fd = -1 };
  fds[1] = (struct pollfd) { .fd = pair->there.fd };
  fds[1].events = wants (&pair->down, &pair->up, held, now_ms);
  if (pair->here_open) {
    fds[0].fd = pair->here.fd;
    fds[0].events = wants (&pair->up, &pair->down, false, now_ms);
  }
  /* An end that was seen is reported again and again. */
  for (unsigned i = 0; i < 2; i++)
    if (fds[i].events == 0)
      fds[i].fd = -1;
}

uint64_t
pair_due_ms (const struct pair *pair, uint64_t now_ms)
{
  uint64_t due_ms = pair->due_ms;

  if (used (&pair->up) > 0 && pair->up.not_before_ms > now_ms
      && pair->up.not_before_ms < due_ms)
    due_ms = pair->up.not_before_ms;
  if (used (&pair->down) > 0 && pair->down.not_before_ms > now_ms
      && pair->down.not_before_ms < due_ms)
    due_ms = pair->down.not_before_ms;
  return due_ms;
}
