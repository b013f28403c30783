/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fabrics commands: Connect, Property Get and Property Set (NVMe over
 * Fabrics, Base 2.0 section 6).
 */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/target/internal.h"

#define BUSY ((uint16_t) STATUS_SPECIFIC (NVME_SC_CONNECT_CTRL_BUSY))
#define INVALID_HOST \
  STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_HOST))
#define INVALID_PARAM \
  STATUS_DNR (STATUS_SPECIFIC (NVME_SC_CONNECT_INVALID_PARAM))

/* --- Connect ---------------------------------------------------------------- */

static void
connect_finish (struct target_queue *queue, uint16_t status)
{
  struct target_command *command = queue->connect;

  queue->connect = NULL;
  if (status && queue->state == TARGET_QUEUE_CONNECTING)
    queue_set_state (queue, TARGET_QUEUE_NEW);
  command_complete (command, status);
}

static uint16_t
refuse_data (struct target_command *command, uint32_t dw0)
{
  command_set_dw0 (command, dw0);
  return INVALID_PARAM;
}

static void
queue_take_sqe (struct target_queue *queue,
                const struct nvmf_connect_sqe *sqe)
{
  queue->qid = le16_to_cpu (sqe->qid);
  queue->sqsize = le16_to_cpu (sqe->sqsize_0based) + 1;
  queue->sqhd = 1;              /* past this Connect */
  queue->sqflow_disabled = sqe->cattr & NVMF_CATTR_DISABLE_SQFLOW;
}

static bool
locked_host_drained (struct subsystem *subsystem,
                     const struct nvmf_connect_data *data)
{
  struct controller *controller;

  TAILQ_FOREACH (controller, &subsystem->controllers, in_subsystem)
    if (controller_same_host (controller, data)
        && controller_locked_undrained (controller))
      return false;
  return true;
}

static bool
locked_wait (struct target_queue *queue)
{
  if (!queue->waits)
    command_hold (queue->connect);
  return target_locked_wait (queue, connect_retry);
}

enum { WAIT = 0xffff };         /* no status */

/* There is room for one more connection of this host, and it is taken. */
static bool
locked_take_place (struct target_queue *queue)
{
  const struct nvmf_connect_data *data = queue->connect->buffer;

  return attached_locked_add (queue->target, data->hostnqn, &queue->full);
}

/* The admin queue: a new controller, as soon as no old one of this host can
 * change the volume any more. */
static uint16_t
locked_connect_admin (struct target_queue *queue)
{
  struct target_command *command = queue->connect;
  const struct nvmf_connect_sqe *sqe = &command->sqe.connect;
  const struct nvmf_connect_data *data = command->buffer;
  struct subsystem *subsystem;
  struct controller *controller;

  if (queue->target->draining)
    return BUSY;
  subsystem = subsystem_locked_find (queue->target, data->subsysnqn);
  if (subsystem == NULL)
    return refuse_data (command, CONNECT_IPO_DATA (subsysnqn));
  if (subsystem->volume
      && !subsystem_locked_allows (subsystem, data->hostnqn,
                                   address_is_local (&queue->portal->local)))
    return INVALID_HOST;
  if (subsystem->barred)
    return BUSY;
  if (!locked_host_drained (subsystem, data))
    return locked_wait (queue) ? WAIT : BUSY;

  if (!locked_take_place (queue))
    return BUSY;
  queue_take_sqe (queue, sqe);
  controller = controller_locked_new (subsystem, queue, data);
  if (controller == NULL) {
    attached_locked_remove (queue->target, data->hostnqn);
    queue->sqsize = 0;
    return BUSY;
  }
  command_set_dw0 (command, controller->cntlid);
  return 0;
}

static bool
locked_qid_used (struct controller *controller, uint16_t qid)
{
  struct target_queue *queue;

  TAILQ_FOREACH (queue, &controller->queues, in_controller)
    if (queue->qid == qid)
      return true;
  return false;
}

static uint16_t
locked_connect_io (struct target_queue *queue)
{
  struct target_command *command = queue->connect;
  const struct nvmf_connect_sqe *sqe = &command->sqe.connect;
  const struct nvmf_connect_data *data = command->buffer;
  uint16_t qid = le16_to_cpu (sqe->qid);
  struct subsystem *subsystem;
  struct controller *controller;

  subsystem = subsystem_locked_find (queue->target, data->subsysnqn);
  if (subsystem == NULL)
    return refuse_data (command, CONNECT_IPO_DATA (subsysnqn));
  controller = controller_locked_find (subsystem, le16_to_cpu (data->cntlid));
  if (controller == NULL || controller->state == CONTROLLER_DEAD)
    return refuse_data (command, CONNECT_IPO_DATA (cntlid));
  if (strcmp (controller->hostnqn, data->hostnqn) != 0)
    return refuse_data (command, CONNECT_IPO_DATA (hostnqn));
  if (!controller_same_host (controller, data))
    return refuse_data (command, CONNECT_IPO_DATA (hostid));
  if (controller->state != CONTROLLER_ENABLED)
    return STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  if (qid > controller->nr_io_queues_granted)
    return refuse_data (command, CONNECT_IPO_SQE (qid));
  if (locked_qid_used (controller, qid))
    return STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  if (!locked_take_place (queue))
    return BUSY;

  queue_take_sqe (queue, sqe);
  controller_locked_add_queue (controller, queue);
  command_set_dw0 (command, controller->cntlid);
  return 0;
}

/* One line when a host attaches: with its first I/O queue. */
static void
log_attached (struct target_queue *queue)
{
  struct controller *controller = queue->controller;
  unsigned granted;
  bool first;

  pthread_mutex_lock (&queue->target->lock);
  first = !controller->had_io_queues;
  granted = controller->nr_io_queues_granted;
  controller->had_io_queues = true;
  pthread_mutex_unlock (&queue->target->lock);
  if (first)
    log_info ("%s: controller %u serves %s at %s, up to %u I/O queues",
              controller->subsystem->nqn, controller->cntlid,
              controller->hostnqn, controller->peer, granted);
}

/* The names were checked: printable, without spaces. */
static void
log_not_allowed (const struct target_queue *queue)
{
  const struct nvmf_connect_data *data = queue->connect->buffer;

  log_warning ("%s: host %s at %s: is not allowed: neither a list of hosts "
               "(qbd host) nor --allow-any-host names it",
               data->subsysnqn, data->hostnqn, queue->portal->peer);
}

static void
log_full (const struct target_queue *queue)
{
  const struct nvmf_connect_data *data = queue->connect->buffer;
  char what[NVMEOF_NQN_MAX + 48];

  snprintf (what, sizeof what, "host %s: refused", data->hostnqn);
  limit_reached (queue->full, queue->portal->peer, what);
}

void
connect_retry (struct target_queue *queue)
{
  uint16_t status;

  if (queue->state != TARGET_QUEUE_CONNECTING)
    return;
  queue->full = LIMIT_NR;
  pthread_mutex_lock (&queue->target->lock);
  if (le16_to_cpu (queue->connect->sqe.connect.qid) == 0)
    status = locked_connect_admin (queue);
  else
    status = locked_connect_io (queue);
  if (status != WAIT)
    target_locked_stop_waiting (queue);
  pthread_mutex_unlock (&queue->target->lock);

  if (status == WAIT)
    return;
  if (status == 0) {
    queue_set_state (queue, TARGET_QUEUE_LIVE);
    if (queue->qid == 0)
      controller_set_kato (queue->controller, le32_to_cpu
                           (queue->connect->sqe.connect.kato_ms));
    else
      log_attached (queue);
  }
  else if (status == INVALID_HOST)
    log_not_allowed (queue);
  else if (status == BUSY && queue->full < LIMIT_NR)
    log_full (queue);
  connect_finish (queue, status);
}

void
connect_abandon (struct target_queue *queue)
{
  pthread_mutex_lock (&queue->target->lock);
  target_locked_stop_waiting (queue);
  pthread_mutex_unlock (&queue->target->lock);
  connect_finish (queue, NVME_SC_ABORT_QUEUE);
}

static void
connect_execute (struct target_command *command)
{
  struct target_queue *queue = command->queue;
  const struct nvmf_connect_sqe *sqe = &command->sqe.connect;
  uint32_t dw0 = 0;
  uint16_t status;

  status = command_check_connect_data (command->buffer,
                                       le16_to_cpu (sqe->qid) == 0, &dw0);
  if (status) {
    command_set_dw0 (command, dw0);
    command_complete (command, status);
    return;
  }
  queue_set_state (queue, TARGET_QUEUE_CONNECTING);
  queue->connect = command;
  connect_retry (queue);
}

static uint16_t
connect_parse (struct target_command *command)
{
  uint32_t dw0 = 0;
  uint16_t status;

  if (command->queue->state != TARGET_QUEUE_NEW)
    return STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  status = command_check_connect (&command->sqe.connect,
                                  le16_to_cpu (command->sqe.connect.qid) == 0
                                  ? TARGET_ADMIN_SQSIZE_0BASED
                                  : target_mqes_0based (), &dw0);
  if (status) {
    command_set_dw0 (command, dw0);
    return status;
  }
  command->data = TARGET_DATA_FROM_HOST;
  command->data_bytes = sizeof (struct nvmf_connect_data);
  command->handler = connect_execute;
  return 0;
}

/* --- properties ------------------------------------------------------------- */

static void
property_get_execute (struct target_command *command)
{
  struct controller *controller = command->queue->controller;
  uint64_t value = 0;

  switch (le32_to_cpu (command->sqe.property.offset)) {
  case NVME_REG_CAP:
    value = controller_cap ();
    break;
  case NVME_REG_VS:
    value = TARGET_VERSION;
    break;
  case NVME_REG_CC:
    value = controller->cc;
    break;
  case NVME_REG_CSTS:
    value = controller_csts (controller);
    break;
  default:
    assert (!"checked");
  }
  command->cqe.value = cpu_to_le64 (value);
  command_complete (command, 0);
}

static void
property_set_execute (struct target_command *command)
{
  controller_set_cc (command->queue->controller,
                     (uint32_t) le64_to_cpu (command->sqe.property.value));
  command_complete (command, 0);
}

uint16_t
fabrics_parse (struct target_command *command)
{
  const struct target_queue *queue = command->queue;
  uint8_t fctype = command->sqe.connect.fctype;
  uint16_t status;

  if (fctype == NVMF_FCTYPE_CONNECT)
    return connect_parse (command);
  if (queue->state != TARGET_QUEUE_LIVE)
    return STATUS_DNR (NVME_SC_CMD_SEQ_ERROR);
  if (queue->qid != 0)
    return STATUS_DNR (NVME_SC_INVALID_OPCODE);
  switch (fctype) {
  case NVMF_FCTYPE_PROPERTY_GET:
    status = command_check_property_get (&command->sqe.property);
    command->handler = property_get_execute;
    return status;
  case NVMF_FCTYPE_PROPERTY_SET:
    status = command_check_property_set (&command->sqe.property);
    command->handler = property_set_execute;
    return status;
  default:
    return STATUS_DNR (NVME_SC_INVALID_OPCODE);
  }
}
