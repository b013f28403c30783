/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks of a copy in flight, on libqbd's asynchronous API.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/transfer.h"

#define POLL_MS 200             /* how soon a signal is noticed */

static volatile sig_atomic_t interrupted;

static void
take_signal (int number)
{
  interrupted = 1;
}

void
transfer_catch_signals (void)
{
  struct sigaction action = {
    .sa_handler = take_signal, .sa_flags = SA_RESETHAND,
  };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  signal (SIGPIPE, SIG_IGN);    /* EPIPE says it */
}

bool
transfer_interrupted (void)
{
  return interrupted;
}

/* A signal that comes just before a read or write would be noticed only
 * after it, which may be never. */
int
transfer_await (int fd, short events)
{
  struct pollfd pollfd = { .fd = fd, .events = events };
  int r;

  do {
    if (interrupted)
      return -EINTR;
    r = poll (&pollfd, 1, POLL_MS);
  } while (r == 0 || (r == -1 && errno == EINTR));
  return r == -1 ? -errno : 0;
}

int
transfer_init (struct transfer *transfer, struct qbd_volume *volume,
               struct progress *progress, struct error *err)
{
  memset (transfer, 0, sizeof *transfer);
  transfer->volume = volume;
  transfer->progress = progress;
  transfer->memory = aligned_alloc (4096, TRANSFER_DEPTH * TRANSFER_CHUNK);
  if (!transfer->memory)
    return error_set (err, ENOMEM, "transfer: buffers: out of memory");
  for (unsigned i = 0; i < TRANSFER_DEPTH; ++i)
    transfer->chunks[i].buf = transfer->memory + i * TRANSFER_CHUNK;
  return 0;
}

void
transfer_free (struct transfer *transfer)
{
  if (transfer->memory)
    for (unsigned i = 0; i < TRANSFER_DEPTH; ++i)
      transfer_wait (transfer, &transfer->chunks[i]);
  free (transfer->memory);
  transfer->memory = NULL;
}

static void
request_done (struct qbd_aio *aio, int error)
{
  struct chunk *chunk = aio->opaque;

  chunk->nr_pending--;
  if (error != 0 && chunk->error == 0)
    chunk->error = error;
}

static int
try_submit (struct transfer *transfer, struct chunk *chunk,
            struct qbd_aio *aio, enum transfer_op op, uint64_t at_bytes,
            uint64_t count_bytes)
{
  uint64_t offset_bytes = chunk->offset_bytes + at_bytes;

  switch (op) {
  case TRANSFER_READ:
    return qbd_aio_pread (transfer->volume, aio, chunk->buf + at_bytes,
                          count_bytes, offset_bytes, 0);
  case TRANSFER_WRITE:
    return qbd_aio_pwrite (transfer->volume, aio, chunk->buf + at_bytes,
                           count_bytes, offset_bytes, 0);
  case TRANSFER_ZERO:
    return qbd_aio_write_zeroes (transfer->volume, aio, count_bytes,
                                 offset_bytes, 0);
  }
  abort ();
}

void
transfer_submit (struct transfer *transfer, struct chunk *chunk,
                 enum transfer_op op, uint64_t at_bytes,
                 uint64_t count_bytes)
{
  struct qbd_aio *aio = &chunk->aio[chunk->nr_used++];

  memset (aio, 0, sizeof *aio);
  aio->done = request_done;
  aio->opaque = chunk;
  while (try_submit (transfer, chunk, aio, op, at_bytes, count_bytes) < 0) {
    if (errno != EAGAIN) {
      chunk->error = errno;
      return;
    }
    if (qbd_aio_poll (transfer->volume, POLL_MS) < 0) {
      chunk->error = errno;
      return;
    }
  }
  chunk->nr_pending++;
}

void
transfer_wait (struct transfer *transfer, struct chunk *chunk)
{
  while (chunk->nr_pending > 0) {
    progress_tick (transfer->progress);
    if (qbd_aio_poll (transfer->volume, POLL_MS) < 0 && chunk->error == 0)
      chunk->error = errno;
  }
  chunk->nr_used = 0;
}

static bool
is_zero (const uint8_t *buf, size_t count)
{
  /* The first 16 are, and each byte is what the one 16 before it is. */
  static const uint8_t zeroes[16];
  size_t head = count < sizeof zeroes ? count : sizeof zeroes;

  return memcmp (buf, zeroes, head) == 0
    && memcmp (buf, buf + head, count - head) == 0;
}

size_t
transfer_run (const uint8_t *buf, size_t count, bool *zero)
{
  size_t length = 0, granule;
  bool this_zero;

  while (length < count) {
    granule = count - length < TRANSFER_GRANULE ? count - length
      : TRANSFER_GRANULE;
    this_zero = is_zero (buf + length, granule);
    if (length == 0)
      *zero = this_zero;
    else if (this_zero != *zero)
      break;
    length += granule;
  }
  return length;
}
