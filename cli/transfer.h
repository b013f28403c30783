/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What import, export and bench share: the way to a volume's blocks, how far
 * a copy has come, and images that are not raw.  One thread; Ctrl-C only sets
 * a flag that transfer_interrupted tells, to torture, too.
 *
 * The data goes over NVMe/TCP, as any host's; the control API only says
 * where the server listens.
 */
#ifndef QBD_CLI_TRANSFER_H
#define QBD_CLI_TRANSFER_H

#include <libqbd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

/* --- attach.c ----------------------------------------------------------- */

/* Over the best of the server's listeners: a Unix socket, then this machine,
 * then any other.  flags: QBD_OPEN_*. */
int attach_volume (const struct cli *cli, const char *what, const char *name,
                   unsigned flags, struct qbd_volume **volume,
                   struct error *err);

/* The same with more keys of libqbd's configuration, ended by a NULL name. */
struct attach_key {
  const char *name;
  const char *value;
};
int attach_volume_with (const struct cli *cli, const char *what,
                        const char *name, unsigned flags,
                        const struct attach_key *keys,
                        struct qbd_volume **volume, struct error *err);

/* volume is what the control API says of it.  -EBUSY: it is no time to write
 * over it. */
int check_unattached (const char *what, const char *name,
                      const json_t *volume, struct error *err);

/* --- transfer.c --------------------------------------------------------- */

#define TRANSFER_DEPTH 16               /* chunks in flight */
#define TRANSFER_CHUNK (512u << 10)     /* bytes of a chunk */
#define TRANSFER_GRANULE (64u << 10)    /* bytes: the shortest run of zeroes
                                           that is looked for */
#define TRANSFER_RUNS (TRANSFER_CHUNK / TRANSFER_GRANULE)

/* Part of a copy that is in flight: a buffer and the requests that use it. */
struct chunk {
  uint8_t *buf;                 /* TRANSFER_CHUNK bytes, page aligned */
  uint64_t offset_bytes;
  uint64_t count_bytes;
  unsigned nr_used;             /* elements of aio */
  unsigned nr_pending;          /* requests not done */
  int error;                    /* errno of the first that failed */
  struct qbd_aio aio[TRANSFER_RUNS];
};

struct transfer {
  struct qbd_volume *volume;
  struct progress *progress;
  uint8_t *memory;
  struct chunk chunks[TRANSFER_DEPTH];
};

/* Catches SIGINT and SIGTERM from now on; a second one ends the process. */
int transfer_init (struct transfer *transfer, struct qbd_volume *volume,
                   struct progress *progress, struct error *err);
void transfer_free (struct transfer *transfer);

void transfer_catch_signals (void);
bool transfer_interrupted (void);
/* Until a pipe can be read (POLLIN), or take PIPE_BUF bytes (POLLOUT).
 * -EINTR: interrupted. */
int transfer_await (int fd, short events);

enum transfer_op {
  TRANSFER_READ,
  TRANSFER_WRITE,
  TRANSFER_ZERO,                /* no buffer */
};

/* Start a request of the chunk, for count_bytes from at_bytes (in the
 * buffer, and behind the chunk's offset in the volume). */
void transfer_submit (struct transfer *transfer, struct chunk *chunk,
                      enum transfer_op op, uint64_t at_bytes,
                      uint64_t count_bytes);
/* Until the chunk has nothing in flight. */
void transfer_wait (struct transfer *transfer, struct chunk *chunk);

/* The length of the run that begins at buf: all zeroes (*zero), or data.
 * Runs of zeroes are whole granules, but for the last of a buffer. */
size_t transfer_run (const uint8_t *buf, size_t count, bool *zero);

/* --- progress.c --------------------------------------------------------- */

/* A bar on standard error, when that is a terminal; else nothing. */
struct progress {
  bool shown;
  uint64_t total_bytes;         /* UINT64_MAX: not known */
  uint64_t from_bytes;          /* where it began */
  uint64_t start_ms;
  uint64_t done_bytes;
  uint64_t drawn_ms;
};

void progress_start (struct progress *progress, bool quiet,
                     uint64_t from_bytes, uint64_t total_bytes);
void progress_update (struct progress *progress, uint64_t done_bytes);
/* Nothing new, but the clock goes on. */
void progress_tick (struct progress *progress);
void progress_end (struct progress *progress);

/* --- image.c: other formats, by qemu-img -------------------------------- */

/* The format that a user should name, when the file begins like one that
 * nobody means to copy byte by byte; or NULL. */
const char *image_looks_like (int fd);

/* Both go over a sparse temporary file without a name, in $TMPDIR or
 * /var/tmp.  label is "import: FILE", for messages; paths are absolute, so
 * that none is taken for a protocol of qemu-img's. */
/* Returns a descriptor of the raw bytes. */
int image_to_raw (const char *label, const char *format, const char *path,
                  struct error *err);
int image_open_temporary (const char *label, struct error *err);
/* From a raw descriptor to a file. */
int image_from_raw (const char *label, const char *format, int fd,
                    const char *path, struct error *err);

#endif
