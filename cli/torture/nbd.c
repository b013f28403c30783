/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A target behind NBD, over libnbd.  A lost connection is the caller's to see,
 * as a program's that uses libnbd.
 */
#include <errno.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "cli/torture/target.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/percent.h"

#define CONNECT_TMO_MS 5000    /* also for its handshake */
#define POLL_MS 100
#define BLOCK_SIZE_MIN 512      /* bytes: what storage writes whole */

struct link {
  struct nbd_handle *nbd;
  unsigned nr_done;             /* by this poll */
};

static int
failed (const char *uri, struct error *err)
{
  int code = nbd_get_errno ();

  return error_set (err, code ? code : EIO, "torture: %.200s: %s", uri,
                    nbd_get_error ());
}

/* --- the URI -------------------------------------------------------------- */

/* Decoded; NULL without memory. */
static char *
decode (const char *text, size_t length)
{
  char *copy = strndup (text, length);

  if (copy)
    percent_decode (copy);
  return copy;
}

/* The value of NAME=VALUE in its query.  NULL: it has none; else malloc'ed. */
static char *
query_of (const char *uri, const char *name)
{
  const char *at = strchr (uri, '?');
  size_t length = strlen (name);

  while (at && (strncmp (at + 1, name, length) != 0 || at[length + 1] != '='))
    at = strpbrk (at + 1, "&;");
  return at ? decode (at + length + 2, strcspn (at + length + 2, "&;#"))
    : NULL;
}

/* NULL: it names none; else malloc'ed. */
static char *
user_of (const char *uri)
{
  const char *at = strstr (uri, "://") + 3;     /* target_choose saw them */
  size_t length = strcspn (at, "@/?#");

  return at[length] == '@' ? decode (at, length) : NULL;
}

static bool
is_over_tls (const char *uri)
{
  return strncmp (uri, "nbds", 4) == 0;
}

/* As libnbd takes it from a URI; but a link does not go where that says. */
static int
set_tls (struct nbd_handle *nbd, const char *uri)
{
  CLEANUP_FREE char *user = user_of (uri);
  CLEANUP_FREE char *keys = query_of (uri, "tls-psk-file");
  CLEANUP_FREE char *certificates = query_of (uri, "tls-certificates");

  if (nbd_set_uri_allow_local_file (nbd, true) < 0)
    return -1;
  if (!is_over_tls (uri))
    return 0;
  if (nbd_set_tls (nbd, LIBNBD_TLS_REQUIRE) < 0
      || (user && nbd_set_tls_username (nbd, user) < 0)
      || (keys && nbd_set_tls_psk_file (nbd, keys) < 0)
      || (certificates && nbd_set_tls_certificates (nbd, certificates) < 0))
    return -1;
  return 0;
}

/* --- a connection --------------------------------------------------------- */

/* through: a Unix socket, instead of what the URI says; or NULL. */
static int
connect_nbd (struct nbd_handle *nbd, const char *uri, const char *through,
             struct error *err)
{
  uint64_t until_ms = clock_now_ms () + CONNECT_TMO_MS;
  int r = through ? nbd_aio_connect_unix (nbd, through)
    : nbd_aio_connect_uri (nbd, uri);

  while (r >= 0 && nbd_aio_is_connecting (nbd)) {
    if (clock_now_ms () > until_ms)
      return error_set (err, ETIMEDOUT, "torture: %.200s: its handshake takes "
                        "too long", uri);
    r = nbd_poll (nbd, POLL_MS);
  }
  return r < 0 || !nbd_aio_is_ready (nbd) ? failed (uri, err) : 0;
}

/* --- what it is ----------------------------------------------------------- */

/* Where the connection leads; but a Unix socket by the name that we know it by:
 * the server may know it by another, in another place. */
static int
find_place (struct target *target, struct nbd_handle *nbd, struct error *err)
{
  struct stream_place *place = &target->route.places[0];
  struct sockaddr_un *sun = (struct sockaddr_un *) &place->sa;
  CLEANUP_FREE char *path = query_of (target->uri, "socket");

  place->sa_bytes = sizeof place->sa;
  if (getpeername (nbd_aio_get_fd (nbd), (struct sockaddr *) &place->sa,
                   &place->sa_bytes) < 0)
    return error_set (err, errno, "torture: %.200s: %s", target->uri,
                      strerror (errno));
  if (path && sun->sun_family == AF_UNIX
      && strlen (path) < sizeof sun->sun_path) {
    strcpy (sun->sun_path, path);
    place->sa_bytes = sizeof *sun;
  }
  target->route.nr = 1;
  return 0;
}

static int
take_size (struct target *target, struct nbd_handle *nbd, struct error *err)
{
  int64_t size_bytes = nbd_get_size (nbd);
  int64_t block_size = nbd_get_block_size (nbd, LIBNBD_SIZE_MINIMUM);
  int64_t most_bytes = nbd_get_block_size (nbd, LIBNBD_SIZE_MAXIMUM);
  char *name = nbd_get_export_name (nbd);

  if (name)
    strncpy (target->export_name, name, sizeof target->export_name - 1);
  free (name);
  if (size_bytes < 0 || block_size < 0 || most_bytes < 0)
    return failed (target->uri, err);
  target->size_bytes = (uint64_t) size_bytes;
  target->block_size = block_size < BLOCK_SIZE_MIN ? BLOCK_SIZE_MIN
    : (uint32_t) block_size;
  target->request_bytes_max = most_bytes > 0 && most_bytes < UINT32_MAX
    ? (uint32_t) most_bytes : UINT32_MAX;
  return 0;
}

static int
probe (struct target *target, struct error *err)
{
  struct nbd_handle *nbd = nbd_create ();
  int r = 0;

  target->protocol = is_over_tls (target->uri) ? "NBD over TLS" : "NBD";
  if (nbd == NULL || set_tls (nbd, target->uri) < 0)
    r = failed (target->uri, err);
  if (r == 0)
    r = connect_nbd (nbd, target->uri, NULL, err);
  if (r == 0)
    r = find_place (target, nbd, err);
  if (r == 0)
    r = take_size (target, nbd, err);
  if (r == 0) {
    target->read_only = nbd_is_read_only (nbd) == 1;
    target->can_zero = nbd_can_zero (nbd) == 1;
    target->can_trim = nbd_can_trim (nbd) == 1;
    target->can_fua = nbd_can_fua (nbd) == 1;
    target->can_flush = nbd_can_flush (nbd) == 1;
    target->shared = nbd_can_multi_conn (nbd) == 1;
    nbd_shutdown (nbd, 0);
  }
  nbd_close (nbd);
  return r;
}

/* --- a link --------------------------------------------------------------- */

static struct link *
open_link (const struct target *target, const char *through, unsigned depth,
          struct error *err)
{
  struct link *link = calloc (1, sizeof *link);
  int r = 0;

  if (link == NULL) {
    error_set (err, ENOMEM, "torture: out of memory");
    return NULL;
  }
  link->nbd = nbd_create ();
  if (link->nbd == NULL
      || nbd_set_export_name (link->nbd, target->export_name) < 0
      || set_tls (link->nbd, target->uri) < 0)
    r = failed (target->uri, err);
  if (r == 0)
    r = connect_nbd (link->nbd, target->uri, through, err);
  if (r == 0)
    return link;
  nbd_close (link->nbd);
  free (link);
  return NULL;
}

/* libnbd's own, which no server can answer: the connection was lost. */
static int
op_done (void *opaque, int *error)
{
  struct target_op *op = opaque;

  op->link->nr_done++;
  op->done (op, *error == ESHUTDOWN ? ENOTCONN : *error);
  return 1;                     /* libnbd may forget it */
}

static int
submit (struct link *link, struct target_op *op)
{
  const nbd_completion_callback done = {
    .callback = op_done, .user_data = op,
  };
  uint32_t fua = op->fua ? LIBNBD_CMD_FLAG_FUA : 0;
  int64_t cookie = -1;

  op->link = link;
  switch (op->kind) {
  case TARGET_READ:
    cookie = nbd_aio_pread (link->nbd, op->data, op->count_bytes,
                            op->offset_bytes, done, 0);
    break;
  case TARGET_WRITE:
    cookie = nbd_aio_pwrite (link->nbd, op->data, op->count_bytes,
                             op->offset_bytes, done, fua);
    break;
  case TARGET_ZERO:
    cookie = nbd_aio_zero (link->nbd, op->count_bytes, op->offset_bytes, done,
                           fua);
    break;
  case TARGET_TRIM:
    cookie = nbd_aio_trim (link->nbd, op->count_bytes, op->offset_bytes, done,
                           fua);
    break;
  case TARGET_FLUSH:
    cookie = nbd_aio_flush (link->nbd, done, 0);
    break;
  }
  return cookie < 0 ? -ENOTCONN : 0;
}

static int
poll_link (struct link *link, int timeout_ms)
{
  link->nr_done = 0;
  if (nbd_poll (link->nbd, timeout_ms) < 0 || nbd_aio_is_dead (link->nbd)
      || nbd_aio_is_closed (link->nbd))
    return -ENOTCONN;
  return (int) link->nr_done;
}

static void
close_link (struct link *link)
{
  nbd_close (link->nbd);
  free (link);
}

const struct target_ops target_nbd = {
  .probe = probe,
  .open = open_link,
  .submit = submit,
  .poll = poll_link,
  .close = close_link,
};
