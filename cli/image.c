/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Images that are not raw: qemu-img converts them, over a temporary file.
 *
 * A pipe would not do: qemu-img seeks in what it reads and writes.  The file
 * has no name, so nothing is left behind however we end, and it is as sparse
 * as the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/transfer.h"

extern char **environ;

const char *
image_looks_like (int fd)
{
  static const struct {
    const char *format;
    size_t bytes;
    const char *magic;
  } known[] = {
    { "qcow2", 4, "QFI\xfb" },
    { "vmdk", 4, "KDMV" },
    { "vhdx", 8, "vhdxfile" },
    { "vpc", 8, "conectix" },
  };
  char head[8];

  if (pread (fd, head, sizeof head, 0) != sizeof head)
    return NULL;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i)
    if (memcmp (head, known[i].magic, known[i].bytes) == 0)
      return known[i].format;
  return NULL;
}

int
image_open_temporary (const char *label, struct error *err)
{
  const char *dir = getenv ("TMPDIR");
  int fd;

  if (!dir || !dir[0])
    dir = "/var/tmp";
  /* qemu-img inherits it: no O_CLOEXEC. */
  fd = open (dir, O_TMPFILE | O_RDWR, 0600);
  if (fd == -1)
    return error_set (err, errno, "%s: temporary file in %s: %s (another "
                      "TMPDIR may do)", label, dir, strerror (errno));
  return fd;
}

/* qemu-img's own message, on standard error, tells why it failed. */
static int
run_qemu_img (const char *label, const char *format,
              const char *const argv[], struct error *err)
{
  pid_t pid;
  int status, r;

  r = posix_spawnp (&pid, "qemu-img", NULL, NULL, (char *const *) argv,
                    environ);
  if (r == ENOENT)
    return error_set (err, r, "%s: format %s needs qemu-img, which is not "
                      "installed", label, format);
  if (r != 0)
    return error_set (err, r, "%s: qemu-img: %s", label, strerror (r));
  while (waitpid (pid, &status, 0) == -1)
    if (errno != EINTR)
      return error_set (err, errno, "%s: qemu-img: %s", label,
                        strerror (errno));
  if (transfer_interrupted ())
    return error_set (err, EINTR, "%s: interrupted", label);
  if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
    return error_set (err, EIO, "%s: qemu-img failed", label);
  return 0;
}

int
image_to_raw (const char *label, const char *format, const char *path,
              struct error *err)
{
  char temporary[64];
  const char *argv[] = {
    "qemu-img", "convert", "-f", format, "-O", "raw", "--", path, temporary,
    NULL,
  };
  int fd, r;

  fd = image_open_temporary (label, err);
  if (fd < 0)
    return fd;
  snprintf (temporary, sizeof temporary, "/proc/self/fd/%d", fd);
  r = run_qemu_img (label, format, argv, err);
  if (r < 0) {
    close (fd);
    return r;
  }
  return fd;
}

int
image_from_raw (const char *label, const char *format, int fd,
                const char *path, struct error *err)
{
  char temporary[64];
  /* Its default is to leave the file to the page cache. */
  const char *argv[] = {
    "qemu-img", "convert", "-f", "raw", "-O", format, "-t", "writeback",
    "--", temporary, path, NULL,
  };

  snprintf (temporary, sizeof temporary, "/proc/self/fd/%d", fd);
  return run_qemu_img (label, format, argv, err);
}
