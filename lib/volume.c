/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Volumes: open, close, and what they are.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lib/internal.h"
#include "nvmeof/status.h"

/* A command has a 16-bit count of blocks; and where MDTS sets no limit, one
 * command should still not hold up the others of its connection for long. */
enum { TRANSFER_MAX_BYTES = 4 << 20, COMMAND_MAX_BLOCKS = 65536 };

static unsigned
count_queues (const struct paths *paths)
{
  unsigned n = 0;

  for (unsigned i = 0; i < paths->nr; i++)
    n += paths->association[i]->nr_io;
  return n;
}

struct queue *
volume_queue (const struct qbd_volume *volume, unsigned i)
{
  struct association *const *association = volume->paths->association;

  while (i >= (*association)->nr_io)
    i -= (*association++)->nr_io;
  return (*association)->io[i];
}

struct qbd_volume *
volume_create (struct paths *paths, struct namespace *ns, unsigned flags,
               struct error *err)
{
  unsigned nr_queues = count_queues (paths);
  struct qbd_volume *volume =
    calloc (1, sizeof *volume + nr_queues * sizeof volume->aio_watch[0]);

  if (!volume) {
    error_set (err, ENOMEM, "open: %s: out of memory",
               options_name (&paths->options));
    return NULL;
  }
  volume->paths = paths;
  volume->nr_queues = nr_queues;
  volume->ns = ns;
  volume->flags = flags;
  volume->epoll_fd = volume->event_fd = -1;
  pthread_mutex_init (&volume->aio_lock, NULL);
  pthread_mutex_init (&volume->fds_lock, NULL);
  TAILQ_INIT (&volume->aio_done);
  return volume;
}

void
volume_free (struct qbd_volume *volume)
{
  if (!volume)
    return;
  aio_close_fds (volume);
  if (!paths_inherited (volume->paths)) {
    assert (volume->aio_in_flight == 0);
    pthread_mutex_destroy (&volume->aio_lock);
    pthread_mutex_destroy (&volume->fds_lock);
  }
  free (volume);
}

struct qbd_volume *
qbd_open (const struct qbd_config *config, unsigned flags)
{
  struct paths *paths;
  struct qbd_volume *volume;
  struct namespace *ns;
  struct options options;
  struct attempt attempt;
  struct error err;
  int r;

  if (flags & ~(unsigned) (QBD_OPEN_READONLY | QBD_OPEN_PROBE)) {
    error_set (&err, EINVAL, "open: flags: unknown");
    goto err;
  }
  if (options_resolve (config, &options, &err) < 0 ||
      options_check_volume (&options, &err) < 0 ||
      attempt_begin (&attempt, config_interrupt (config), &err) < 0)
    goto err;
  r = registry_get (&options, !(flags & QBD_OPEN_PROBE), &attempt,
                    &paths, &ns, &err);
  attempt_end (&attempt);
  if (r < 0)
    goto err;
  volume = volume_create (paths, ns, flags, &err);
  if (volume)
    return volume;
  registry_put (paths);

 err:
  error_publish (&err);
  return NULL;
}

void
qbd_close (struct qbd_volume *volume)
{
  struct paths *paths;

  if (!volume)
    return;
  paths = volume->paths;
  aio_drain (volume);
  volume_free (volume);
  registry_put (paths);
}

/* --- what it is --------------------------------------------------------- */

uint64_t
qbd_get_size (struct qbd_volume *volume)
{
  return volume->ns->size_bytes;
}

uint32_t
qbd_get_block_size (struct qbd_volume *volume)
{
  return volume->ns->info.block_bytes;
}

uint32_t
qbd_get_preferred_size (struct qbd_volume *volume)
{
  return volume->ns->info.preferred_bytes;
}

uint32_t
qbd_get_max_transfer (struct qbd_volume *volume)
{
  uint32_t bytes = volume->paths->controller.max_transfer_bytes;
  uint32_t block_bytes = qbd_get_block_size (volume);

  if (bytes > TRANSFER_MAX_BYTES)
    bytes = TRANSFER_MAX_BYTES;
  if (bytes / block_bytes > COMMAND_MAX_BLOCKS)
    bytes = COMMAND_MAX_BLOCKS * block_bytes;
  return bytes - bytes % block_bytes;
}

const char *
qbd_get_nqn (struct qbd_volume *volume)
{
  return volume->paths->association[0]->params.subnqn;
}

int
qbd_is_read_only (struct qbd_volume *volume)
{
  return volume->flags & QBD_OPEN_READONLY || volume->ns->info.read_only;
}

int
qbd_is_rotational (struct qbd_volume *volume)
{
  return volume->ns->info.rotational;
}

int
qbd_can_discard (struct qbd_volume *volume)
{
  return volume->paths->controller.can_dsm &&
    !qbd_is_read_only (volume);
}

int
qbd_can_write_zeroes (struct qbd_volume *volume)
{
  return volume->paths->controller.can_write_zeroes &&
    !qbd_is_read_only (volume);
}

int
qbd_can_fast_zero (struct qbd_volume *volume)
{
  return qbd_can_write_zeroes (volume) &&
    volume->ns->info.deallocated_zero && volume->ns->info.zeroes_deallocate;
}

int
qbd_can_block_status (struct qbd_volume *volume)
{
  return volume->paths->controller.can_lba_status;
}

/* --- how it is ---------------------------------------------------------- */

void
qbd_interrupt (struct qbd_volume *volume)
{
  if (!paths_inherited (volume->paths))
    paths_interrupt (volume->paths);
}

static void
describe_loss (struct qbd_volume *volume, const char *what,
               struct error *err)
{
  error_set (err, EIO, "%s: %s: the server has lost its cache, and perhaps "
             "writes that were not flushed before: open the volume anew", what,
             options_name (&volume->paths->options));
}

int
qbd_check (struct qbd_volume *volume)
{
  struct error err;

  if (paths_dead (volume->paths)) {
    paths_describe (volume->paths, &err);
    err.code = ENOTCONN;
  } else if (paths_have_lost (volume->paths, volume->ns)) {
    describe_loss (volume, "check", &err);
  } else {
    return 0;
  }
  return error_publish (&err);
}

int
volume_fail (struct qbd_volume *volume, const char *what, int error,
             uint16_t status)
{
  const char *name = options_name (&volume->paths->options);
  struct error err, lost;

  if ((error == ENOTCONN || error == EIO) && status == 0 &&
      !paths_describe (volume->paths, &lost))
    error_set (&err, error, "%s: %s", what, lost.message);
  else if (error == EIO && status == 0 &&
           paths_have_lost (volume->paths, volume->ns))
    describe_loss (volume, what, &err);
  else
    error_set (&err, error, "%s: %s: %s", what, name,
               status ? status_name (status) : strerror (error));
  return error_publish (&err);
}

const char *
qbd_get_transport (struct qbd_volume *volume)
{
  return address_transport (&volume->paths->association[0]->server);
}

const char *
qbd_get_fallback (struct qbd_volume *volume)
{
  const struct error *why = &volume->paths->association[0]->fallback;

  return why->code != 0 ? why->message : NULL;
}
