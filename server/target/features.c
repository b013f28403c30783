/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get and Set Features (Base 2.0 sections 5.15 and 5.27).  Those that only
 * have to be remembered are in a table; the others mean something here.
 */
#include <string.h>

#include "common/cleanup.h"
#include "server/target/internal.h"

/* Mandatory for I/O controllers; settable holds the bits that a host may
 * choose without consequence. */
static const struct {
  uint8_t fid;
  uint32_t initial;
  uint32_t settable;
} remembered[CONTROLLER_NR_FEATURES] = {
  { NVME_FEAT_FID_ARBITRATION, 7, 0xffffff07 }, /* no burst limit */
  { NVME_FEAT_FID_POWER_MGMT, 0, 0xe0 },        /* only state 0; hint */
  { NVME_FEAT_FID_TEMP_THRESH, 0, 0x3fffff },
  { NVME_FEAT_FID_ERR_RECOVERY, 0, 0xffff },
  { NVME_FEAT_FID_WRITE_ATOMIC, 0, 1 },
  /* No SMART event occurs. */
  { NVME_FEAT_FID_ASYNC_EVENT, 0, 0xff | TARGET_OAES },
};

static int
find_remembered (uint8_t fid)
{
  for (int i = 0; i < CONTROLLER_NR_FEATURES; i++)
    if (remembered[i].fid == fid)
      return i;
  return -1;
}

void
features_init (struct controller *controller)
{
  for (int i = 0; i < CONTROLLER_NR_FEATURES; i++)
    controller->features[i] = remembered[i].initial;
}

uint32_t
features_events (const struct controller *controller)
{
  return controller->features[find_remembered (NVME_FEAT_FID_ASYNC_EVENT)];
}

/* Discovery controllers have few. */
static bool
has_feature (const struct controller *controller, uint8_t fid)
{
  if (fid == NVME_FEAT_FID_KATO || fid == NVME_FEAT_FID_ASYNC_EVENT)
    return true;
  if (controller->subsystem->volume == NULL)
    return false;
  return fid == NVME_FEAT_FID_NUM_QUEUES || fid == NVME_FEAT_FID_VOLATILE_WC
    || fid == NVME_FEAT_FID_HOST_ID || find_remembered (fid) >= 0;
}

static uint32_t
nr_queues_dw0 (const struct controller *controller)
{
  uint32_t n_0based = controller->nr_io_queues_granted - 1;

  return n_0based | n_0based << 16;
}

/* --- Set Features ----------------------------------------------------------- */

/* Before the first I/O queue. */
static uint16_t
set_nr_queues (struct target_command *command, uint32_t cdw11)
{
  struct controller *controller = command->queue->controller;
  unsigned wanted, most = limit_value (LIMIT_IO_QUEUES);
  uint16_t status = command_check_nr_queues (cdw11, &wanted);

  if (status)
    return status;
  LOCK_SCOPE (&command->queue->target->lock);
  if (controller->nr_io_queues > 0)
    return STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  controller->nr_io_queues_granted = wanted < most ? wanted : most;
  command_set_dw0 (command, nr_queues_dw0 (controller));
  return 0;
}

/* The cache below (page cache, disk) cannot be switched off. */
static uint16_t
set_volatile_wc (uint32_t cdw11)
{
  return cdw11 & 1
    ? 0 : STATUS_DNR (STATUS_SPECIFIC (NVME_SC_FEATURE_NOT_CHANGEABLE));
}

static uint16_t
set_remembered (struct controller *controller, uint8_t fid, uint32_t cdw11)
{
  int i = find_remembered (fid);

  if (cdw11 & ~remembered[i].settable)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  if (fid == NVME_FEAT_FID_ASYNC_EVENT && cdw11 & TARGET_OAES
      && controller->subsystem->volume == NULL)
    return STATUS_DNR (NVME_SC_INVALID_FIELD);  /* it has no namespace */
  controller->features[i] = cdw11;
  if (fid == NVME_FEAT_FID_ASYNC_EVENT)
    events_look (controller);
  return 0;
}

static void
set_features_execute (struct target_command *command)
{
  struct controller *controller = command->queue->controller;
  uint32_t cdw11 = le32_to_cpu (command->sqe.common.cdw11);
  uint8_t fid = le32_to_cpu (command->sqe.common.cdw10) & 0xff;
  uint16_t status = 0;

  switch (fid) {
  case NVME_FEAT_FID_NUM_QUEUES:
    status = set_nr_queues (command, cdw11);
    break;
  case NVME_FEAT_FID_KATO:
    controller_set_kato (controller, cdw11);
    break;
  case NVME_FEAT_FID_VOLATILE_WC:
    status = set_volatile_wc (cdw11);
    break;
  case NVME_FEAT_FID_HOST_ID:   /* comes with Connect */
    status = STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
    break;
  default:
    status = set_remembered (controller, fid, cdw11);
    break;
  }
  command_complete (command, status);
}

uint16_t
set_features_parse (struct target_command *command)
{
  uint8_t fid = 0;
  uint16_t status = command_check_set_features (&command->sqe.common, &fid);

  if (status)
    return status;
  if (!has_feature (command->queue->controller, fid))
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  if (fid == NVME_FEAT_FID_HOST_ID) {
    command->data = TARGET_DATA_FROM_HOST;
    command->data_bytes = TARGET_HOSTID_BYTES;
  }
  command->handler = set_features_execute;
  return 0;
}

/* --- Get Features ----------------------------------------------------------- */

static void
get_features_execute (struct target_command *command)
{
  const struct controller *controller = command->queue->controller;
  uint8_t fid = le32_to_cpu (command->sqe.common.cdw10) & 0xff;

  switch (fid) {
  case NVME_FEAT_FID_NUM_QUEUES:
    command_set_dw0 (command, nr_queues_dw0 (controller));
    break;
  case NVME_FEAT_FID_KATO:
    command_set_dw0 (command, controller->kato_ms);
    break;
  case NVME_FEAT_FID_VOLATILE_WC:
    command_set_dw0 (command, 1);
    break;
  case NVME_FEAT_FID_HOST_ID:
    memcpy (command->buffer, controller->hostid, TARGET_HOSTID_BYTES);
    break;
  default:
    command_set_dw0 (command, controller->features[find_remembered (fid)]);
    break;
  }
  command_complete (command, 0);
}

uint16_t
get_features_parse (struct target_command *command)
{
  uint8_t fid = 0;
  uint16_t status = command_check_get_features (&command->sqe.common, &fid);

  if (status)
    return status;
  if (!has_feature (command->queue->controller, fid))
    return STATUS_DNR (NVME_SC_INVALID_FIELD);
  if (fid == NVME_FEAT_FID_HOST_ID) {
    /* Fabrics has the 128 bit form only (EXHID). */
    if (!(le32_to_cpu (command->sqe.common.cdw11) & 1))
      return STATUS_DNR (NVME_SC_INVALID_FIELD);
    command->data = TARGET_DATA_TO_HOST;
    command->data_bytes = TARGET_HOSTID_BYTES;
  }
  command->handler = get_features_execute;
  return 0;
}
