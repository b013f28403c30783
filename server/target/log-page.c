/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get Log Page (Base 2.0 section 5.16): the pages that every I/O controller
 * has, and the discovery log of a discovery controller.
 */
#include <string.h>

#include "server/target/internal.h"

static uint32_t
log_bytes (const struct target_command *command, struct log_request *request)
{
  uint16_t status = command_check_get_log (&command->sqe.common,
                                           TARGET_MAX_TRANSFER, request);

  assert (status == 0);
  return request->bytes;
}

/* The part of a page that was asked for; beyond its end are zeroes. */
static void
complete_part (struct target_command *command, const void *page,
               size_t page_bytes)
{
  struct log_request request;
  uint32_t bytes = log_bytes (command, &request);
  size_t n = page_bytes - request.offset_bytes;

  memset (command->buffer, 0, bytes);
  memcpy (command->buffer,
          (const uint8_t *) page + request.offset_bytes,
          n < bytes ? n : bytes);
  command_complete (command, 0);
}

/* One entry (ELPE 0), which says that there was no error: errors are in the
 * completions and in the server's log. */
static void
error_execute (struct target_command *command)
{
  const struct nvme_error_log_page page = { 0 };

  complete_part (command, &page, sizeof page);
}

/* There is no medium that wears; what the storage thinks of itself is for its
 * own tools to say. */
static void
smart_execute (struct target_command *command)
{
  const struct nvme_smart_log page = { .avail_spare = 100 };

  complete_part (command, &page, sizeof page);
}

static void
firmware_execute (struct target_command *command)
{
  struct nvme_firmware_slot page = { .afi = 1 };
  size_t n = strlen (PACKAGE_VERSION);

  memset (page.frs[0], ' ', sizeof page.frs[0]);
  memcpy (page.frs[0], PACKAGE_VERSION,
          n < sizeof page.frs[0] ? n : sizeof page.frs[0]);
  complete_part (command, &page, sizeof page);
}

static void
changed_namespaces_execute (struct target_command *command)
{
  struct controller *controller = command->queue->controller;
  struct log_request request;
  __le32 list[1024] = { 0 };

  log_bytes (command, &request);
  if (controller->notices[NOTICE_NAMESPACE].changed)
    list[0] = cpu_to_le32 (TARGET_NSID);
  if (!request.retain_event)
    events_read (controller, NOTICE_NAMESPACE);
  complete_part (command, list, sizeof list);
}

static void
ana_execute (struct target_command *command)
{
  struct log_request request;
  uint8_t page[ANA_LOG_BYTES];
  size_t page_bytes;

  log_bytes (command, &request);
  page_bytes = ana_fill_log (command->queue, request.groups_only, page);
  if (!request.retain_event)
    events_read (command->queue->controller, NOTICE_ANA);
  memset (page + page_bytes, 0, sizeof page - page_bytes);
  complete_part (command, page, sizeof page);
}

static void
discovery_execute (struct target_command *command)
{
  struct log_request request;
  uint32_t bytes = log_bytes (command, &request);

  discovery_log (command, request.offset_bytes, command->buffer, bytes);
  command_complete (command, 0);
}

static uint16_t
choose_page (struct target_command *command, uint8_t lid,
             uint64_t *page_bytes)
{
  if (command->queue->controller->subsystem->volume == NULL) {
    if (lid != NVME_LOG_LID_DISCOVER)
      return STATUS_DNR (STATUS_SPECIFIC (NVME_SC_INVALID_LOG_PAGE));
    command->handler = discovery_execute;
    *page_bytes = UINT64_MAX;   /* it may have grown since it was sized */
    return 0;
  }
  switch (lid) {
  case NVME_LOG_LID_ERROR:
    command->handler = error_execute;
    *page_bytes = sizeof (struct nvme_error_log_page);
    return 0;
  case NVME_LOG_LID_SMART:
    command->handler = smart_execute;
    *page_bytes = sizeof (struct nvme_smart_log);
    return 0;
  case NVME_LOG_LID_FW_SLOT:
    command->handler = firmware_execute;
    *page_bytes = sizeof (struct nvme_firmware_slot);
    return 0;
  case NVME_LOG_LID_CHANGED_NS:
    command->handler = changed_namespaces_execute;
    *page_bytes = sizeof (__le32) * 1024;
    return 0;
  case NVME_LOG_LID_ANA:
    command->handler = ana_execute;
    *page_bytes = ANA_LOG_BYTES;
    return 0;
  default:
    return STATUS_DNR (STATUS_SPECIFIC (NVME_SC_INVALID_LOG_PAGE));
  }
}

uint16_t
log_parse (struct target_command *command)
{
  struct log_request request;
  uint64_t page_bytes = 0;
  uint16_t status;

  status = command_check_get_log (&command->sqe.common, TARGET_MAX_TRANSFER,
                                  &request);
  if (status)
    return status;
  if ((status = choose_page (command, request.lid, &page_bytes)) != 0)
    return status;
  if (request.offset_bytes > page_bytes)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  command->data = TARGET_DATA_TO_HOST;
  command->data_bytes = request.bytes;
  return 0;
}
