/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engine `rbd`: what qbd keeps in an image's metadata (rbd image-meta list).
 * What has its default has no key.  Blocks; the caller serialises.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "server/engine/rbd-internal.h"

/* Stored: never change one. */
#define KEY_BLOCK_SIZE "qbd.block_size" /* "4096" */
#define KEY_HOSTS "qbd.hosts"           /* a name, a newline, ... */
#define KEY_LEAVING "qbd.leaving"       /* until when, in Unix time */
#define KEY_READ_ONLY "qbd.read_only"   /* "on" */

/* *value: to be freed.  -ENOENT: there is no such key. */
static int
get (rbd_image_t image, const char *key, char **value)
{
  size_t bytes = 64;
  int r;

  *value = NULL;
  do {
    char *grown = realloc (*value, bytes + 1);

    if (!grown) {
      r = -ENOMEM;
      break;
    }
    *value = grown;
    r = rbd_metadata_get (image, key, grown, &bytes);
  } while (r == -ERANGE);
  if (r < 0) {
    free (*value);
    *value = NULL;
    return r;
  }
  (*value)[bytes] = '\0';
  return 0;
}

/* NULL: its default, so no key. */
static int
set (rbd_image_t image, const char *key, const char *value)
{
  int r;

  if (value)
    return rbd_metadata_set (image, key, value);
  r = rbd_metadata_remove (image, key);
  return r == -ENOENT ? 0 : r;
}

/* --- settings --------------------------------------------------------- */

int
ceph_get_settings (rbd_image_t image, struct ceph_settings *settings)
{
  CLEANUP_FREE char *block_size = NULL;
  CLEANUP_FREE char *read_only = NULL;
  CLEANUP_FREE char *leaving = NULL;
  uint64_t features;
  int r;

  *settings = (struct ceph_settings) { .block_size = 512 };
  r = get (image, KEY_BLOCK_SIZE, &block_size);
  if (r == 0 || r == -ENOENT)
    r = get (image, KEY_READ_ONLY, &read_only);
  if (r == 0 || r == -ENOENT)
    r = get (image, KEY_LEAVING, &leaving);
  if (r == 0 || r == -ENOENT)
    r = rbd_get_features (image, &features);
  if (r < 0)
    return r;
  if (block_size && strcmp (block_size, "4096") == 0)
    settings->block_size = 4096;
  else if (block_size && strcmp (block_size, "512") != 0)
    return -EINVAL;
  settings->leaving = leaving && strtoll (leaving, NULL, 10) > time (NULL);
  settings->non_primary = (features & RBD_FEATURE_NON_PRIMARY) != 0;
  settings->read_only = read_only && strcmp (read_only, "on") == 0;
  return 0;
}

int
ceph_set_block_size (rbd_image_t image, uint32_t block_size)
{
  return set (image, KEY_BLOCK_SIZE, block_size == 4096 ? "4096" : NULL);
}

int
ceph_set_read_only (rbd_image_t image, bool read_only)
{
  return set (image, KEY_READ_ONLY, read_only ? "on" : NULL);
}

int
ceph_set_leaving (rbd_image_t image, bool leaving)
{
  char text[32];

  snprintf (text, sizeof text, "%lld",
            (long long) time (NULL) + CEPH_LEAVING_S);
  return set (image, KEY_LEAVING, leaving ? text : NULL);
}

/* --- hosts ------------------------------------------------------------ */

static int
parse_hosts (char *text, struct host_list *hosts)
{
  char *name;
  int r;

  hosts->masked = true;
  while ((name = strsep (&text, "\n"))) {
    r = name[0] ? host_list_add (hosts, name) : 0;
    if (r < 0 && r != -EEXIST)
      return r;
  }
  return 0;
}

int
ceph_get_hosts (rbd_image_t image, struct host_list *hosts)
{
  CLEANUP_FREE char *text = NULL;
  int r;

  r = get (image, KEY_HOSTS, &text);
  if (r == -ENOENT)
    return 0;
  if (r == 0)
    r = parse_hosts (text, hosts);
  if (r < 0)
    host_list_clear (hosts);
  return r;
}

static char *
format_hosts (const struct host_list *hosts)
{
  size_t bytes;
  char *text;
  FILE *f = open_memstream (&text, &bytes);

  if (!f)
    return NULL;
  for (unsigned i = 0; i < hosts->nr; i++)
    fprintf (f, "%s\n", hosts->names[i]);
  if (fclose (f) == 0)
    return text;
  free (text);
  return NULL;
}

int
ceph_set_hosts (rbd_image_t image, const struct host_list *hosts)
{
  CLEANUP_FREE char *text = hosts->masked ? format_hosts (hosts) : NULL;

  if (hosts->masked && !text)
    return -ENOMEM;
  return set (image, KEY_HOSTS, text);
}
