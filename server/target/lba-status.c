/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get LBA Status (NVM Command Set section 4.2.1): which blocks are
 * allocated.  The engine may block over it, so it runs on a worker thread;
 * the command counts as executing meanwhile, and its queue is not drained
 * before it is over.
 *
 * The worker thread owns the command's buffer and nothing else of it.
 */
#include <string.h>

#include "nvmeof/lba-status.h"
#include "nvmeof/status.h"
#include "server/target/internal.h"

enum {
  CHUNK_EXTENTS = 64,
  /* A command finds no more: it shall not keep a worker for long. */
  DESCRIPTORS_MAX = 1024,
};

struct filler {
  struct nvme_lba_status *list;
  uint32_t nr, nr_max;
  unsigned lba_shift;
};

/* NLB has 32 bits: an extent may take several descriptors.  False: no room;
 * then *extent is what did not fit. */
static bool
put_extent (struct filler *filler, struct engine_extent *extent)
{
  while (extent->length_bytes > 0) {
    uint64_t blocks = extent->length_bytes >> filler->lba_shift;

    if (filler->nr == filler->nr_max)
      return false;
    if (blocks > UINT64_C (1) << 32)
      blocks = UINT64_C (1) << 32;
    filler->list->descs[filler->nr++] = (struct nvme_lba_status_desc) {
      .dslba = cpu_to_le64 (extent->offset_bytes >> filler->lba_shift),
      .nlb = cpu_to_le32 ((uint32_t) (blocks - 1)),
    };
    extent->offset_bytes += blocks << filler->lba_shift;
    extent->length_bytes -= blocks << filler->lba_shift;
  }
  return true;
}

/* CMPC, or -errno. */
static int
fill_list (struct engine_volume *volume, struct byte_range range,
           struct filler *filler)
{
  struct engine_extent extents[CHUNK_EXTENTS];
  uint64_t end_bytes = range.offset_bytes + range.length_bytes;

  for (;;) {
    int n = volume->ops->allocated (volume, range.offset_bytes,
                                    end_bytes - range.offset_bytes, extents,
                                    CHUNK_EXTENTS);

    if (n < 0)
      return n;
    for (int i = 0; i < n; i++) {
      if (!put_extent (filler, &extents[i]))
        return LBA_STATUS_MORE;
      range.offset_bytes = extents[i].offset_bytes;
    }
    if (n < CHUNK_EXTENTS || range.offset_bytes == end_bytes)
      return LBA_STATUS_COMPLETE;
  }
}

static void
lba_status_work (struct reactor_work *work)
{
  struct target_command *command =
    (void *) ((char *) work - offsetof (struct target_command, work));
  const struct subsystem *subsystem = command->queue->controller->subsystem;
  struct filler filler = {
    .list = command->buffer,
    .nr_max = LBA_STATUS_NR (command->data_bytes),
    .lba_shift = subsystem->lba_shift,
  };

  if (filler.nr_max > DESCRIPTORS_MAX)
    filler.nr_max = DESCRIPTORS_MAX;
  memset (command->buffer, 0, command->data_bytes);
  command->work_result = fill_list (subsystem->volume, command->work_range,
                                    &filler);
  if (command->work_result < 0)
    return;
  filler.list->nlsd = cpu_to_le32 (filler.nr);
  filler.list->cmpc = (uint8_t) command->work_result;
}

static void
lba_status_done (struct reactor_work *work)
{
  struct target_command *command =
    (void *) ((char *) work - offsetof (struct target_command, work));
  int r = command->work_result;

  command_complete (command, r < 0 ? status_from_errno (-r) : 0);
}

static void
lba_status_execute (struct target_command *command)
{
  const struct engine_volume *volume =
    command->queue->controller->subsystem->volume;

  command->work.work = lba_status_work;
  command->work.done = lba_status_done;
  if (volume->ops->connects)
    reactor_work_submit_far (command->queue->reactor, &command->work);
  else
    reactor_work_submit (command->queue->reactor, &command->work);
}

uint16_t
lba_status_parse (struct target_command *command)
{
  struct command_namespace ns;
  struct byte_range range;
  uint32_t bytes;
  uint16_t status = ana_check (command->queue);

  if (status)
    return status;
  subsystem_namespace (command->queue->controller->subsystem, &ns);
  status = command_check_lba_status (&command->sqe.common, &ns,
                                     TARGET_MAX_TRANSFER, &bytes, &range);
  if (status)
    return status;
  command->work_range = range;
  command->data = TARGET_DATA_TO_HOST;
  command->data_bytes = bytes;
  command->handler = lba_status_execute;
  return 0;
}
