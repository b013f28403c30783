/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PDUs on their way: collected whole, damaged, passed on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzzing/mangler.h"
#include "nvmeof/digest.h"
#include "nvmeof/tcp-pdu.h"

#define PDU_MAX_BYTES (4u << 20)        /* more is not a PDU of ours */
#define RESIZE_MAX_BYTES 65536u

struct bytes {
  uint8_t *data;
  size_t nr, room;
};

struct mangled_stream {
  struct stream stream;         /* first member */
  struct mangler *mangler;
  struct stream *inner;
  struct bytes in;              /* not a whole PDU yet */
  struct bytes held;            /* for a swap */
  struct bytes out;             /* to be passed on */
  size_t out_at;
  bool cut;                     /* nothing more passes */
  bool shut;                    /* and the inner stream knows */
};

static void
append (struct bytes *bytes, const void *data, size_t nr)
{
  if (nr == 0)
    return;
  if (bytes->nr + nr > bytes->room) {
    bytes->room = 2 * (bytes->nr + nr);
    bytes->data = realloc (bytes->data, bytes->room);
    if (bytes->data == NULL)
      abort ();
  }
  memcpy (bytes->data + bytes->nr, data, nr);
  bytes->nr += nr;
}

static void
take_away (struct bytes *bytes, size_t nr)
{
  bytes->nr -= nr;
  if (bytes->nr > 0)
    memmove (bytes->data, bytes->data + nr, bytes->nr);
}

static uint32_t
little (const uint8_t *bytes, unsigned nr)
{
  uint32_t v = 0;

  while (nr-- > 0)
    v = v << 8 | bytes[nr];
  return v;
}

static void
put (uint8_t *bytes, unsigned nr, uint32_t v)
{
  for (unsigned i = 0; i < nr; i++)
    bytes[i] = (uint8_t) (v >> 8 * i);
}

/* --- damage --------------------------------------------------------------- */

static void
set (uint8_t *part, size_t part_bytes, const struct instruction *how,
     unsigned bytes, bool xor)
{
  size_t offset;
  uint32_t v = little (how->value, 4);

  if (part_bytes < bytes)
    return;
  offset = little (how->offset, 2) % (part_bytes - bytes + 1);
  if (xor)
    v ^= little (part + offset, bytes);
  put (part + offset, bytes, v);
}

/* Lengths that agree with each other: PLEN, and DATAL or the SGL's. */
static void
resize (struct bytes *pdu, size_t header_bytes, const struct instruction *how)
{
  static const uint8_t filling[1024];
  size_t data_bytes = little (how->value, 4) % RESIZE_MAX_BYTES, more;

  if (pdu->nr > header_bytes + data_bytes)
    pdu->nr = header_bytes + data_bytes;
  while (pdu->nr < header_bytes + data_bytes) {
    more = header_bytes + data_bytes - pdu->nr;
    append (pdu, filling, more < sizeof filling ? more : sizeof filling);
  }
  put (pdu->data + 4, 4, (uint32_t) pdu->nr);
  pdu->data[3] = (uint8_t) (data_bytes ? header_bytes : 0);
  if (pdu->data[0] == NVME_TCP_H2C_DATA || pdu->data[0] == NVME_TCP_C2H_DATA)
    put (pdu->data + offsetof (struct nvme_tcp_data, datal), 4,
         (uint32_t) data_bytes);
  if (pdu->data[0] == NVME_TCP_CMD)
    put (pdu->data
         + offsetof (struct nvme_tcp_cmd, sqe.common.dptr.length),
         4, (uint32_t) data_bytes);
}

/* Bytes of the header, with its digest. */
static size_t
header_bytes_of (const struct bytes *pdu)
{
  size_t bytes = pdu->data[2];

  if (pdu->data[1] & NVME_TCP_F_HDGST && pdu->data[0] >= NVME_TCP_CMD)
    bytes += NVME_TCP_DIGEST_BYTES;
  return bytes < pdu->nr ? bytes : pdu->nr;
}

static void
damage (struct bytes *pdu, const struct instruction *how)
{
  const size_t header_bytes = header_bytes_of (pdu);
  uint8_t *data = pdu->data + header_bytes;
  const size_t data_bytes = pdu->nr - header_bytes;
  size_t offset;

  switch (how->action % MANGLE_NR) {
  case MANGLE_HEADER_XOR: set (pdu->data, header_bytes, how, 4, true); break;
  case MANGLE_HEADER_SET8: set (pdu->data, header_bytes, how, 1, false); break;
  case MANGLE_HEADER_SET16:
    set (pdu->data, header_bytes, how, 2, false);
    break;
  case MANGLE_HEADER_SET32:
    set (pdu->data, header_bytes, how, 4, false);
    break;
  case MANGLE_DATA_XOR: set (data, data_bytes, how, 4, true); break;
  case MANGLE_DATA_SET8: set (data, data_bytes, how, 1, false); break;
  case MANGLE_DATA_SET16: set (data, data_bytes, how, 2, false); break;
  case MANGLE_DATA_SET32: set (data, data_bytes, how, 4, false); break;
  case MANGLE_DATA_FILL:
    if (data_bytes > 0) {
      offset = little (how->offset, 2) % data_bytes;
      memset (data + offset, how->value[0], data_bytes - offset);
    }
    break;
  case MANGLE_RESIZE:
    if (header_bytes >= NVME_TCP_HLEN_MAX / 8)
      resize (pdu, header_bytes, how);
    break;
  default:
    break;
  }
}

/* The header's digest as it should be, so that what is behind it is seen. */
static void
repair (struct bytes *pdu, size_t hlen)
{
  if (pdu->data[0] >= NVME_TCP_CMD && pdu->data[1] & NVME_TCP_F_HDGST
      && pdu->nr >= hlen + NVME_TCP_DIGEST_BYTES)
    digest_header_put (pdu->data, hlen);
}

/* --- passing on ------------------------------------------------------------- */

static void
pass (struct mangled_stream *s, const struct bytes *pdu)
{
  append (&s->out, pdu->data, pdu->nr);
  append (&s->out, s->held.data, s->held.nr);
  s->held.nr = 0;
}

static const struct instruction *
next_instruction (struct mangler *mangler)
{
  if (mangler->nr == 0 || mangler->skipped++ < mangler->next->skip)
    return NULL;
  mangler->skipped = 0;
  mangler->nr--;
  return mangler->next++;
}

static void
insert (struct mangled_stream *s, const struct instruction *how)
{
  struct mangler *mangler = s->mangler;
  size_t nr = little (how->value, 4) % 32;

  if (nr > mangler->nr)
    nr = mangler->nr;
  append (&s->out, mangler->next, nr * sizeof *mangler->next);
  mangler->next += nr;
  mangler->nr -= nr;
}

/* One whole PDU, as it was sent. */
static void
one_pdu (struct mangled_stream *s, struct bytes *pdu)
{
  const struct instruction *how = next_instruction (s->mangler);
  const size_t hlen = pdu->data[2];

  if (how == NULL) {
    pass (s, pdu);
    return;
  }
  switch (how->action % MANGLE_NR) {
  case MANGLE_DROP:
    return;
  case MANGLE_TWICE:
    append (&s->out, pdu->data, pdu->nr);
    break;
  case MANGLE_SWAP:
    append (&s->held, pdu->data, pdu->nr);
    return;
  case MANGLE_CUT:
    pdu->nr = little (how->offset, 2) % (pdu->nr + 1);
    s->cut = true;
    break;
  case MANGLE_INSERT:
    insert (s, how);
    break;
  default:
    damage (pdu, how);
    if (s->mangler->repair_digest)
      repair (pdu, hlen);
  }
  pass (s, pdu);
}

static void
take_pdus (struct mangled_stream *s)
{
  struct bytes pdu = { 0 };
  uint32_t plen;

  while (!s->cut && s->in.nr >= sizeof (struct nvme_tcp_hdr)) {
    plen = little (s->in.data + 4, 4);
    if (plen < sizeof (struct nvme_tcp_hdr) || plen > PDU_MAX_BYTES)
      abort ();                 /* the other side is the real one */
    if (s->in.nr < plen)
      break;
    pdu.nr = 0;
    append (&pdu, s->in.data, plen);
    take_away (&s->in, plen);
    one_pdu (s, &pdu);
  }
  free (pdu.data);
}

/* --- the stream --------------------------------------------------------------- */

static struct mangled_stream *
mangled (struct stream *stream)
{
  return (struct mangled_stream *) stream;
}

/* What can be passed on to where it is sent. */
static ssize_t
flush_out (struct mangled_stream *s)
{
  struct iovec iov;
  ssize_t r;

  while (s->out_at < s->out.nr) {
    iov.iov_base = s->out.data + s->out_at;
    iov.iov_len = s->out.nr - s->out_at;
    r = stream_send (s->inner, &iov, 1);
    if (r < 0)
      return r;
    s->out_at += (size_t) r;
  }
  s->out.nr = s->out_at = 0;
  if (s->cut && !s->shut) {
    s->shut = true;
    stream_shutdown (s->inner);
  }
  return 0;
}

static ssize_t
mangled_send (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct mangled_stream *s = mangled (stream);
  ssize_t total = 0, r;

  if (!s->mangler->sends)
    return stream_send (s->inner, iov, iovcnt);
  r = flush_out (s);
  if (r < 0)
    return r;
  for (int i = 0; i < iovcnt; i++) {
    append (&s->in, iov[i].iov_base, iov[i].iov_len);
    total += (ssize_t) iov[i].iov_len;
  }
  take_pdus (s);
  r = flush_out (s);
  return r < 0 && r != -EAGAIN ? r : total;
}

/* All there is, from where it is received. */
static ssize_t
fill_in (struct mangled_stream *s)
{
  uint8_t buffer[8192];
  struct iovec iov = { buffer, sizeof buffer };
  ssize_t r;

  do {
    iov.iov_base = buffer;
    iov.iov_len = sizeof buffer;
    r = stream_receive (s->inner, &iov, 1);
    if (r > 0)
      append (&s->in, buffer, (size_t) r);
  } while (r > 0);
  take_pdus (s);
  return r;
}

static ssize_t
mangled_receive (struct stream *stream, struct iovec *iov, int iovcnt)
{
  struct mangled_stream *s = mangled (stream);
  ssize_t total = 0, end;
  size_t n;

  if (s->mangler->sends) {
    (void) flush_out (s);
    return stream_receive (s->inner, iov, iovcnt);
  }
  end = fill_in (s);
  for (int i = 0; i < iovcnt && s->out_at < s->out.nr; i++) {
    n = s->out.nr - s->out_at;
    if (n > iov[i].iov_len)
      n = iov[i].iov_len;
    memcpy (iov[i].iov_base, s->out.data + s->out_at, n);
    s->out_at += n;
    total += (ssize_t) n;
  }
  if (total > 0)
    return total;
  s->out.nr = s->out_at = 0;
  return s->cut ? 0 : end;
}

static void
mangled_shutdown (struct stream *stream)
{
  stream_shutdown (mangled (stream)->inner);
}

static void
mangled_abort (struct stream *stream)
{
  stream_abort (mangled (stream)->inner);
}

static void
mangled_close (struct stream *stream)
{
  struct mangled_stream *s = mangled (stream);

  stream_close (s->inner);
  free (s->in.data);
  free (s->held.data);
  free (s->out.data);
  free (s);
}

static const struct stream_ops mangled_ops = {
  .receive = mangled_receive,
  .send = mangled_send,
  .shutdown = mangled_shutdown,
  .abort = mangled_abort,
  .close = mangled_close,
};

struct stream *
mangler_open (struct mangler *mangler, struct stream *inner)
{
  struct mangled_stream *s = calloc (1, sizeof *s);

  if (s == NULL)
    abort ();
  s->stream.ops = &mangled_ops;
  s->stream.fd = inner->fd;
  s->mangler = mangler;
  s->inner = inner;
  return &s->stream;
}
