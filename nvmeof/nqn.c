/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of volumes, and the NVMe qualified names that carry them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nvmeof/nqn.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
                   "0123456789._-+"

/* Error texts quote this much of what was typed. */
#define QUOTED "%.230s"

#define UUID_TEXT_BYTES 36

/* NULL, or what is wrong with the name. */
static const char *
name_fault (const char *name)
{
  if (*name == '\0')
    return "the name is empty";
  if (strchr (name, '/'))
    return "a name cannot hold '/'";
  if (name[strspn (name, NAME_BYTES)] != '\0')
    return "a name holds only letters, digits and . _ - +";
  if (strstr (name, ".."))
    return "a name cannot hold '..'";
  if (strchr (".-+", *name))
    return "a name begins with a letter, a digit or '_'";
  return NULL;
}

int
name_check (const char *what, const char *name, struct error *err)
{
  const char *fault = name_fault (name);

  if (!fault)
    return 0;
  if (*name == '\0')
    return error_set (err, EINVAL, "%s: %s", what, fault);
  return error_set (err, EINVAL, "%s: " QUOTED ": %s", what, name, fault);
}

/* VOL or VOL@SNAP */
static int
volume_check (const char *name, struct error *err)
{
  char head[NVMEOF_NQN_MAX + 1];
  const char *at = strchr (name, '@');

  if (!at)
    return name_check ("volume", name, err);
  memcpy (head, name, (size_t) (at - name));
  head[at - name] = '\0';
  if (name_check ("volume", head, err) < 0
      || name_check ("snapshot", at + 1, err) < 0)
    return -EINVAL;
  return 0;
}

int
name_split (const char *text, char *pool, char *vol, struct error *err)
{
  const char *slash = strchr (text, '/');
  char head[NVMEOF_NQN_MAX + 1];
  size_t head_len;

  if (*text == '\0')
    return error_set (err, EINVAL, "volume: the name is empty "
                      "(expected POOL/VOL)");
  if (!slash)
    return error_set (err, EINVAL, "volume: " QUOTED
                      ": the pool is missing (expected POOL/VOL)", text);
  head_len = (size_t) (slash - text);
  if (head_len > NVMEOF_NQN_MAX || strlen (slash + 1) > NVMEOF_NQN_MAX)
    return error_set (err, ENAMETOOLONG, "volume: " QUOTED
                      ": the name is too long", text);
  memcpy (head, text, head_len);
  head[head_len] = '\0';
  if (name_check ("pool", head, err) < 0 ||
      volume_check (slash + 1, err) < 0)
    return -EINVAL;
  strcpy (pool, head);
  strcpy (vol, slash + 1);
  return 0;
}

int
nqn_of_volume (const char *domain, const char *pool, const char *vol,
               char nqn[NVMEOF_NQN_MAX + 1], struct error *err)
{
  char text[NVMEOF_NQN_MAX + 1];
  int len = snprintf (text, sizeof text, NQN_PREFIX ":%s:%s/%s", domain, pool,
                      vol);

  if (len < 0 || (size_t) len >= sizeof text)
    return error_set (err, ENAMETOOLONG, "volume: %.100s/%.130s: the name is "
                      "too long: its NQN would have %d bytes, %d at most",
                      pool, vol, len, NVMEOF_NQN_MAX);
  memcpy (nqn, text, (size_t) len + 1);
  return 0;
}

/* The domain is a UUID's text. */
static bool
domain_valid (const char *domain)
{
  for (size_t i = 0; i < UUID_TEXT_BYTES; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;

    if (dash ? domain[i] != '-' : !isxdigit ((unsigned char) domain[i]))
      return false;
  }
  return true;
}

const char *
nqn_volume_name (const char *nqn)
{
  char pool[NVMEOF_NQN_MAX + 1], vol[NVMEOF_NQN_MAX + 1];
  const char *domain = nqn + strlen (NQN_PREFIX ":");
  const char *name;
  struct error err;

  if (strncmp (nqn, NQN_PREFIX ":", strlen (NQN_PREFIX ":")) != 0 ||
      !domain_valid (domain) || domain[UUID_TEXT_BYTES] != ':')
    return NULL;
  name = domain + UUID_TEXT_BYTES + 1;
  return name_split (name, pool, vol, &err) == 0 ? name : NULL;
}

bool
nqn_field_valid (const char *field, size_t field_bytes)
{
  const char *end = memchr (field, '\0', field_bytes);

  if (!end || end - field > NVMEOF_NQN_MAX ||
      strncmp (field, "nqn.", 4) != 0)
    return false;
  for (const char *p = field; p < end; p++)
    if (*p <= ' ' || *p > '~')
      return false;
  return true;
}
