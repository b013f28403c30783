/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From what the control API says of a volume and of the server's listeners to
 * an open volume.  By its NQN, not by discovery: a volume that is masked from
 * this host is then refused, and not unknown.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/transfer.h"
#include "common/address.h"

#define LISTENERS_MAX 64
#define NQN_BYTES 224

/* A server that listens everywhere is reached here, too. */
static void
make_reachable (struct address *address)
{
  if (address->family != ADDRESS_TCP)
    return;
  if (strcmp (address->host, "0.0.0.0") == 0)
    strcpy (address->host, "127.0.0.1");
  else if (strcmp (address->host, "::") == 0)
    strcpy (address->host, "::1");
}

/* The smaller, the better. */
static unsigned
distance (const struct address *address)
{
  if (address->family == ADDRESS_UNIX)
    return 0;
  if (strncmp (address->host, "127.", 4) == 0
      || strcmp (address->host, "::1") == 0)
    return 1;
  return 2;
}

static unsigned
collect_listeners (const json_t *status, struct address *listeners)
{
  const json_t *element;
  struct error ignored;
  unsigned n = 0;
  size_t i;

  json_array_foreach (json_object_get (status, "listeners"), i, element) {
    const char *text = output_string (element, "address");

    if (n < LISTENERS_MAX
        && strcmp (output_string (element, "ana"), "inaccessible") != 0
        && address_parse ("listener", text, &listeners[n], &ignored) == 0)
      make_reachable (&listeners[n++]);
  }
  return n;
}

static int
open_over (const struct address *address, const char *nqn, unsigned flags,
           const struct attach_key *keys, struct qbd_volume **volume)
{
  char text[ADDRESS_TEXT_MAX];
  struct qbd_config *config = qbd_config_new ();
  int r = -1;

  address_format (address, text, sizeof text);
  if (config && qbd_config_set (config, "server", text) == 0
      && qbd_config_set (config, "nqn", nqn) == 0)
    r = 0;
  for (; r == 0 && keys->name; keys++)
    r = qbd_config_set (config, keys->name, keys->value);
  if (r == 0) {
    *volume = qbd_open (config, flags);
    r = *volume ? 0 : -1;
  }
  r = r < 0 ? -errno : 0;
  qbd_config_free (config);
  return r;
}

int
check_unattached (const char *what, const char *name, const json_t *volume,
                  struct error *err)
{
  json_int_t attached =
    json_integer_value (json_object_get (volume, "attached"));

  if (attached == 0)
    return 0;
  return error_set (err, EBUSY, "%s: %s: hosts are attached: %"
                    JSON_INTEGER_FORMAT " (qbd info shows them)", what, name,
                    attached);
}

static int
get_nqn (const struct cli *cli, const char *what, const char *name,
         char nqn[NQN_BYTES], struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/volumes", .name = name,
  };
  const char *reason;
  json_t *info;
  int r;

  r = client_call (cli, &call, &info, err);
  if (r == -ENOENT)
    return error_set (err, ENOENT, "%s: %s: no such volume", what, name);
  if (r < 0)
    return r;
  reason = json_string_value (json_object_get (info, "reason"));
  if (reason)
    r = error_set (err, EIO, "%s: %s: is not served: %s", what, name, reason);
  else
    snprintf (nqn, NQN_BYTES, "%s", output_string (info, "nqn"));
  json_decref (info);
  return r;
}

int
attach_volume (const struct cli *cli, const char *what, const char *name,
               unsigned flags, struct qbd_volume **volume, struct error *err)
{
  const struct attach_key none = { NULL, NULL };

  return attach_volume_with (cli, what, name, flags, &none, volume, err);
}

int
attach_volume_with (const struct cli *cli, const char *what, const char *name,
                    unsigned flags, const struct attach_key *keys,
                    struct qbd_volume **volume, struct error *err)
{
  const struct call call = {
    .method = "GET", .path = "/v1/status", .timeout_s = CALL_ANSWER_S,
  };
  struct address listeners[LISTENERS_MAX];
  char nqn[NQN_BYTES];
  json_t *status;
  unsigned n;
  int r;

  r = get_nqn (cli, what, name, nqn, err);
  if (r < 0)
    return r;
  r = client_call (cli, &call, &status, err);
  if (r < 0)
    return r;
  n = collect_listeners (status, listeners);
  json_decref (status);
  if (n == 0)
    return error_set (err, ENOTCONN, "%s: %s: the server listens nowhere, "
                      "or is inaccessible there", what, cli->control);
  for (unsigned d = 0; d <= 2; ++d)
    for (unsigned i = 0; i < n; ++i)
      if (distance (&listeners[i]) == d) {
        r = open_over (&listeners[i], nqn, flags, keys, volume);
        if (r == 0)
          return 0;
        if (r == -EACCES)       /* the others would say the same */
          return error_set (err, EACCES, "%s: %s: qbd host add %s allows it",
                            what, qbd_errmsg (), name);
      }
  return error_set (err, -r, "%s: %s", what, qbd_errmsg ());
}
