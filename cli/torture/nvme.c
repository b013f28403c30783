/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A target behind NVMe/TCP, over libqbd: which connects again by itself, and
 * sends again what was under way.  So a link is lost only for good.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/torture/target.h"
#include "common/address.h"

#define PLACE_TMO_MS 10000

struct link {
  struct qbd_volume *volume;
};

static int
failed (struct error *err)
{
  return error_set (err, errno ? errno : EIO, "torture: %s", qbd_errmsg ());
}

/* --- what it is ----------------------------------------------------------- */

static void
look_for (void *opaque, const struct qbd_discovered *discovered)
{
  struct target *target = opaque;

  if (discovered->name && strcmp (discovered->name, target->name) == 0)
    snprintf (target->nqn, sizeof target->nqn, "%s", discovered->nqn);
}

static int
find_nqn (struct target *target, struct error *err)
{
  struct qbd_config *config;
  int r = 0;

  if (strncmp (target->name, "nqn.", 4) == 0) {
    snprintf (target->nqn, sizeof target->nqn, "%s", target->name);
    return 0;
  }
  config = qbd_config_new ();
  if (config == NULL || qbd_config_set (config, "server", target->uri) < 0
      || qbd_discover (config, look_for, target) < 0)
    r = failed (err);
  else if (target->nqn[0] == '\0')
    r = error_set (err, ENOENT, "torture: %.200s: %.200s: no such volume, or "
                   "not for this host", target->uri, target->name);
  qbd_config_free (config);
  return r;
}

static int
open_volume (const struct target *target, const char *through, unsigned depth,
             unsigned flags, struct qbd_volume **volume, struct error *err)
{
  char server[ADDRESS_TEXT_MAX], queue_size[16];
  struct qbd_config *config = qbd_config_new ();
  int r = 0;

  snprintf (server, sizeof server, through ? "unix://%s" : "%s",
            through ? through : target->uri);
  snprintf (queue_size, sizeof queue_size, "%u", depth < 62 ? 64 : depth + 2);
  if (config == NULL || qbd_config_set (config, "server", server) < 0
      || qbd_config_set (config, "nqn", target->nqn) < 0
      || qbd_config_set (config, "queue_size", queue_size) < 0
      || qbd_config_set (config, "keep_alive_tmo", "2") < 0
      || qbd_config_set (config, "reconnect_delay", "1") < 0)
    r = failed (err);
  if (r == 0) {
    *volume = qbd_open (config, flags);
    if (*volume == NULL)
      r = failed (err);
  }
  qbd_config_free (config);
  return r;
}

/* A name may have several addresses, and a server listen on one of them. */
static int
find_place (struct target *target, struct error *err)
{
  struct stream_route *route = &target->route;
  struct address address;
  struct stream *stream;
  unsigned which;
  int r = address_parse ("torture", target->uri, &address, err);

  if (r == 0)
    r = stream_resolve (&address, PLACE_TMO_MS, -1, route, err);
  if (r < 0)
    return r;
  stream = stream_connect_route (route, &address, PLACE_TMO_MS, -1, &which,
                                 err);
  if (stream == NULL)
    return -err->code;
  stream_close (stream);
  route->places[0] = route->places[which];
  route->nr = 1;
  return 0;
}

static int
probe (struct target *target, struct error *err)
{
  struct qbd_volume *volume;
  int r;

  target->protocol = "NVMe/TCP";
  r = find_place (target, err);
  if (r == 0)
    r = find_nqn (target, err);
  if (r == 0)
    r = open_volume (target, NULL, 0, QBD_OPEN_PROBE, &volume, err);
  if (r < 0)
    return r;
  target->size_bytes = qbd_get_size (volume);
  target->block_size = qbd_get_block_size (volume);
  target->request_bytes_max = UINT32_MAX;       /* libqbd splits them */
  target->read_only = qbd_is_read_only (volume);
  target->can_zero = qbd_can_write_zeroes (volume);
  target->can_trim = qbd_can_discard (volume);
  /* DLFEAT says how deallocated blocks read. */
  target->trim_zeroes = qbd_can_fast_zero (volume);
  target->can_fua = target->can_flush = target->shared = true;
  target->atomic = true;        /* AWUN is one block at the least */
  qbd_close (volume);
  return 0;
}

/* --- a link --------------------------------------------------------------- */

static struct link *
open_link (const struct target *target, const char *through, unsigned depth,
           struct error *err)
{
  struct link *link = calloc (1, sizeof *link);

  if (link == NULL) {
    error_set (err, ENOMEM, "torture: out of memory");
    return NULL;
  }
  if (open_volume (target, through, depth, 0, &link->volume, err) < 0) {
    free (link);
    return NULL;
  }
  return link;
}

static void
op_done (struct qbd_aio *aio, int error)
{
  struct target_op *op = aio->opaque;

  op->done (op, error);
}

static int
submit (struct link *link, struct target_op *op)
{
  unsigned fua = op->fua ? QBD_FUA : 0;
  int r = -1;

  memset (&op->aio, 0, sizeof op->aio);
  op->aio.done = op_done;
  op->aio.opaque = op;
  op->link = link;
  switch (op->kind) {
  case TARGET_READ:
    r = qbd_aio_pread (link->volume, &op->aio, op->data, op->count_bytes,
                       op->offset_bytes, 0);
    break;
  case TARGET_WRITE:
    r = qbd_aio_pwrite (link->volume, &op->aio, op->data, op->count_bytes,
                        op->offset_bytes, fua);
    break;
  case TARGET_ZERO:
    r = qbd_aio_write_zeroes (link->volume, &op->aio, op->count_bytes,
                              op->offset_bytes, fua);
    break;
  case TARGET_TRIM:
    r = qbd_aio_discard (link->volume, &op->aio, op->count_bytes,
                         op->offset_bytes, fua);
    break;
  case TARGET_FLUSH:
    r = qbd_aio_flush (link->volume, &op->aio);
    break;
  }
  if (r == 0)
    return 0;
  return errno == EAGAIN ? -EAGAIN : -ENOTCONN;
}

static int
poll_link (struct link *link, int timeout_ms)
{
  int r = qbd_aio_poll (link->volume, timeout_ms);

  return r < 0 ? -ENOTCONN : r;
}

static void
close_link (struct link *link)
{
  qbd_interrupt (link->volume);
  qbd_close (link->volume);
  free (link);
}

const struct target_ops target_nvme = {
  .probe = probe,
  .open = open_link,
  .submit = submit,
  .poll = poll_link,
  .close = close_link,
};
