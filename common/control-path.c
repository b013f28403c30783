/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the control socket is when nobody says.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control-path.h"

int
control_path_set (char path[CONTROL_PATH_MAX], const char *text,
                  struct error *err)
{
  if (text[0] == '\0')
    return error_set (err, EINVAL, "control: socket path: is empty");
  if (strlen (text) >= CONTROL_PATH_MAX)
    return error_set (err, ENAMETOOLONG,
                      "control: %s: a socket's path has at most %d bytes",
                      text, CONTROL_PATH_MAX - 1);
  strcpy (path, text);
  return 0;
}

/* $XDG_RUNTIME_DIR/qbd/control; false where there is no such variable. */
static bool
user_path (char *buf, size_t buflen)
{
  const char *dir = getenv ("XDG_RUNTIME_DIR");

  if (!dir || dir[0] != '/')
    return false;
  return snprintf (buf, buflen, "%s/qbd/control", dir) < (int) buflen;
}

static const char *
from_environment (void)
{
  const char *text = getenv ("QBD_CONTROL");

  return text && text[0] ? text : NULL;
}

int
control_path_serve (char path[CONTROL_PATH_MAX], struct error *err)
{
  const char *text = from_environment ();
  char user[4096];

  if (text)
    return control_path_set (path, text, err);
  if (access ("/run/qbd", W_OK | X_OK) == 0
      || (access ("/run/qbd", F_OK) == -1 && access ("/run", W_OK | X_OK) == 0)
      || !user_path (user, sizeof user))
    return control_path_set (path, CONTROL_PATH_SYSTEM, err);
  return control_path_set (path, user, err);
}

int
control_path_find (char path[CONTROL_PATH_MAX], struct error *err)
{
  const char *text = from_environment ();
  char user[4096];

  if (text)
    return control_path_set (path, text, err);
  if (access (CONTROL_PATH_SYSTEM, F_OK) == -1
      && user_path (user, sizeof user) && access (user, F_OK) == 0)
    return control_path_set (path, user, err);
  return control_path_set (path, CONTROL_PATH_SYSTEM, err);
}
