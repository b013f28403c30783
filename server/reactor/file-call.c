/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One file request as one system call, which may block: for worker threads,
 * and for the simulator's reactor.  It knows no reactor.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/uio.h>

#include "server/reactor/file-call.h"

int64_t
file_call (const struct reactor_file_io *io)
{
  int64_t r = -1;

  switch (io->op) {
  case REACTOR_READV:
    r = preadv2 (io->fd, io->iov, io->iovcnt, (off_t) io->offset_bytes,
                 io->rw_flags);
    break;
  case REACTOR_WRITEV:
    r = pwritev2 (io->fd, io->iov, io->iovcnt, (off_t) io->offset_bytes,
                  io->rw_flags);
    break;
  case REACTOR_FDATASYNC:
    r = fdatasync (io->fd);
    break;
  case REACTOR_FALLOCATE:
    r = fallocate (io->fd, io->mode, (off_t) io->offset_bytes,
                   (off_t) io->length_bytes);
    break;
  }
  return r < 0 ? -errno : r;
}
