/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd-server's configuration file.  What is accepted can be completed, and a
 * mistake has a message that names the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzzing/fuzz.h"
#include "server/options.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
  static int fd = -1;
  static char filename[64];
  struct options options = { 0 };
  struct error err = { 0 };

  if (fd == -1) {
    fd = memfd_create ("config", 0);
    if (fd == -1)
      abort ();
    snprintf (filename, sizeof filename, "/proc/self/fd/%d", fd);
  }
  if (ftruncate (fd, 0) == -1
      || pwrite (fd, data, bytes, 0) != (ssize_t) bytes)
    abort ();
  if (options_read_file (&options, filename, &err) < 0
      || options_complete (&options, &err) < 0) {
    if (err.code == 0 || err.message[0] == '\0')
      abort ();
  }
  else if (options.nr_listen > OPTIONS_LISTEN_MAX
           || options.nr_pools > OPTIONS_POOL_MAX)
    abort ();
  options_free (&options);
  return 0;
}
