/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who this host is to a controller: HOSTNQN and HOSTID (Base 2.0 section 4.5),
 * the same ones that nvme-cli and the kernel use.  Given ones come first, then
 * /etc/nvme/hostnqn and hostid, then what follows from the machine id, then
 * (a container without one) something random for this process.
 *
 * The two go together: a HOSTNQN that is given without a HOSTID does not get
 * the one of /etc, which belongs to another name.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <uuid/uuid.h>

#include "lib/internal.h"

#define HOSTNQN_PREFIX "nqn.2014-08.org.nvmexpress:uuid:"

/* The name space of what is derived here; any constant will do, for ever. */
static const uuid_t qbd_namespace = {
  0x6f, 0x1e, 0x0d, 0x9a, 0x53, 0x4b, 0x4c, 0x77,
  0x9b, 0x4e, 0x2d, 0x1c, 0x8a, 0x35, 0xe0, 0x42,
};

/* The first line without white space around it.  False: none. */
static bool
read_line (const char *directory, const char *name, char *buf, size_t bytes)
{
  char path[4096];
  FILE *f;
  char *line;
  size_t n;

  if ((size_t) snprintf (path, sizeof path, "%s/%s", directory, name) >=
      sizeof path)
    return false;
  f = fopen (path, "re");
  if (!f)
    return false;
  line = fgets (buf, (int) bytes, f);
  fclose (f);
  if (!line)
    return false;
  n = strcspn (buf, " \t\r\n");
  buf[n] = '\0';
  return n > 0;
}

static void
derive (const char *text, uuid_t uuid)
{
  uuid_generate_sha1 (uuid, qbd_namespace, text, strlen (text));
}

static uuid_t process_uuid;

static void
process_uuid_make (void)
{
  uuid_generate_random (process_uuid);
}

static void
machine_uuid (const char *directory, uuid_t uuid)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  char id[64];

  /* systemd writes "uninitialized" into an image that has not booted. */
  if (read_line (directory, "machine-id", id, sizeof id) &&
      strlen (id) == 32) {
    derive (id, uuid);
    return;
  }
  pthread_once (&once, process_uuid_make);
  uuid_copy (uuid, process_uuid);
}

static int
take_hostnqn (const char *what, const char *text,
              struct host_identity *identity, struct error *err)
{
  char field[NVMEOF_NQN_MAX + 1] = "";

  if (strlen (text) > NVMEOF_NQN_MAX)
    return error_set (err, EINVAL, "%s: longer than %u bytes", what,
                      NVMEOF_NQN_MAX);
  memcpy (field, text, strlen (text));
  if (!nqn_field_valid (field, sizeof field))
    return error_set (err, EINVAL, "%s: %s: not an NVMe qualified name "
                      "(nqn.YYYY-MM.DOMAIN:NAME)", what, text);
  memcpy (identity->hostnqn, field, sizeof field);
  return 0;
}

static int
take_hostid (const char *what, const char *text,
             struct host_identity *identity, struct error *err)
{
  if (uuid_parse (text, identity->hostid) < 0)
    return error_set (err, EINVAL, "%s: %s: not a UUID", what, text);
  return 0;
}

/* A HOSTID for a HOSTNQN that came without one. */
static void
hostid_of_hostnqn (struct host_identity *identity)
{
  const char *uuid = strstr (identity->hostnqn, "uuid:");

  if (!uuid || uuid_parse (uuid + strlen ("uuid:"), identity->hostid) < 0)
    derive (identity->hostnqn, identity->hostid);
}

int
host_identity_get (const char *directory, const char *hostnqn,
                   const char *hostid, struct host_identity *identity,
                   struct error *err)
{
  char text[512];
  bool nqn_given = hostnqn && hostnqn[0];
  bool have_nqn = true;
  int r = 0;

  memset (identity, 0, sizeof *identity);
  if (nqn_given)
    r = take_hostnqn ("hostnqn", hostnqn, identity, err);
  else if (read_line (directory, "nvme/hostnqn", text, sizeof text))
    r = take_hostnqn ("/etc/nvme/hostnqn", text, identity, err);
  else
    have_nqn = false;
  if (r < 0)
    return r;

  if (hostid && hostid[0])
    r = take_hostid ("hostid", hostid, identity, err);
  else if (!nqn_given &&
           read_line (directory, "nvme/hostid", text, sizeof text))
    r = take_hostid ("/etc/nvme/hostid", text, identity, err);
  else if (have_nqn)
    hostid_of_hostnqn (identity);
  else
    machine_uuid (directory, identity->hostid);
  if (r < 0)
    return r;

  if (!have_nqn) {
    uuid_t uuid;
    char uuid_text[37];

    machine_uuid (directory, uuid);
    uuid_unparse_lower (uuid, uuid_text);
    snprintf (identity->hostnqn, sizeof identity->hostnqn, "%s%s",
              HOSTNQN_PREFIX, uuid_text);
  }
  return 0;
}
