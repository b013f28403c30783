/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a host asks a controller, in the order in which Linux asks it: one
 * step is a state, the command that is sent on entering it, and a function
 * that judges the answer and names the next state.  No step waits.  Here:
 * queues, properties, and the way from step to step; what is asked for by
 * Identify is in association-identify.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nvme/types.h>

#include "lib/association-steps.h"
#include "nvmeof/status.h"

enum {
  CSTS_POLL_MS = 10,
  NOT_ALLOWED_MS = 5000,                /* then that is meant */
  CC_ENABLE = 1 | 6 << 16 | 4 << 20,    /* EN, IOSQES 64, IOCQES 16 */
  CC_MPS_SHIFT = 7,
  CSTS_RDY = 1 << 0,
  CSTS_CFS = 1 << 1,
  CONNECT_AUTHREQ = 3 << 16,            /* dw0: ASCR, ATR */
};

static const struct step *const steps[ASSOCIATION_NR_STATES];

const char *
association_step_name (struct association *association,
                       enum association_state state)
{
  struct queue *queue = association->step_queue;

  if (queue && !queue_transport (queue)->ready)
    return queue_transport (queue)->ops->handshake;
  return steps[state] ? steps[state]->name : "";
}

/* --- commands ----------------------------------------------------------- */

static void
step_done (struct request *request)
{
  struct association *association =
    (struct association *) ((char *) request -
                            offsetof (struct association, step));

  association->step_done = true;
  /* Whoever reads a connection may find its answer: the descriptor is then
   * quiet when the keeper looks at it. */
  if (association->params.reconnects)
    keeper_wake ();
}

static int
submit (struct association *association, struct queue *queue,
        const union nvme_command *sqe, enum transport_data data,
        uint32_t bytes)
{
  struct request *request = &association->step;
  int r;

  assert (bytes <= ASSOCIATION_BUFFER_BYTES);
  association->step_queue = queue;
  request->transport.sqe = *sqe;
  request->transport.data = data;
  request->transport.iov = (struct iovec) {
    .iov_base = association->buffer,
    .iov_len = bytes,
  };
  request->fleeting = true;
  request->done = step_done;
  association->step_done = false;
  queue_lock (queue);
  queue_set_now_locked (queue, association->now_ms);
  r = queue_submit_locked (queue, request, true);
  queue_unlock (queue);
  return r;
}

int
association_admin (struct association *association,
                   const union nvme_command *sqe, enum transport_data data,
                   uint32_t bytes)
{
  return submit (association, association->admin, sqe, data, bytes);
}

void
association_submit_admin (struct association *association,
                          const union nvme_command *sqe,
                          enum transport_data data, uint32_t bytes)
{
  /* A queue that is dead has said so already, by its lost callback. */
  association_admin (association, sqe, data, bytes);
}

static void
property_get (struct association *association, uint32_t offset, bool wide)
{
  union nvme_command sqe = { .property = {
      .opcode = nvme_admin_fabrics,
      .fctype = NVMF_FCTYPE_PROPERTY_GET,
      .attrib = wide ? 1 : 0,
      .offset = cpu_to_le32 (offset),
    } };

  association_submit_admin (association, &sqe, TRANSPORT_NO_DATA, 0);
}

/* --- Connect ------------------------------------------------------------ */

static void
connect_queue (struct association *association, struct queue *queue,
               uint16_t qid, uint16_t sqsize_0based, uint32_t kato_ms)
{
  const struct association_params *params = &association->params;
  struct nvmf_connect_data *data = association->buffer;
  union nvme_command sqe = { .connect = {
      .opcode = nvme_admin_fabrics,
      .fctype = NVMF_FCTYPE_CONNECT,
      .qid = cpu_to_le16 (qid),
      .sqsize_0based = cpu_to_le16 (sqsize_0based),
      .cattr = NVMF_CATTR_DISABLE_SQFLOW,
      .kato_ms = cpu_to_le32 (kato_ms),
    } };

  memset (data, 0, sizeof *data);
  memcpy (data->hostid, params->options.hostid, sizeof data->hostid);
  data->cntlid = cpu_to_le16 (qid == 0 ? 0xffff : association->cntlid);
  static_assert (sizeof data->subsysnqn > NVMEOF_NQN_MAX, "");
  memcpy (data->subsysnqn, params->subnqn, sizeof params->subnqn);
  memcpy (data->hostnqn, params->options.hostnqn,
          sizeof params->options.hostnqn);
  submit (association, queue, &sqe, TRANSPORT_TO_CONTROLLER, sizeof *data);
}

/* Keep-alive of a discovery controller is for those who stay. */
uint32_t
association_kato_ms (const struct association *association)
{
  return association->params.discovery ? 0 :
    association->params.options.keep_alive_tmo_ms;
}

static void
submit_connect (struct association *association)
{
  connect_queue (association, association->admin, 0, ADMIN_SLOTS,
                 association_kato_ms (association));
}

enum {
  INVALID_PARAM = NVME_SCT_CMD_SPECIFIC << NVME_SCT_SHIFT |
    NVME_SC_CONNECT_INVALID_PARAM,
  INVALID_HOST = NVME_SCT_CMD_SPECIFIC << NVME_SCT_SHIFT |
    NVME_SC_CONNECT_INVALID_HOST,
  BUSY = NVME_SCT_CMD_SPECIFIC << NVME_SCT_SHIFT | NVME_SC_CONNECT_CTRL_BUSY,
};

static bool
names_data (uint16_t status, uint32_t dw0, size_t offset)
{
  return (status & 0x7ff) == INVALID_PARAM && dw0 & NVMF_IATTR_DATA &&
    (dw0 & 0xffff) == offset;
}

static bool
is_no_such_subsystem (uint16_t status, uint32_t dw0)
{
  return names_data (status, dw0,
                     offsetof (struct nvmf_connect_data, subsysnqn));
}

static bool
is_host_not_allowed (uint16_t status, uint32_t dw0)
{
  return (status & 0x7ff) == INVALID_HOST ||
    names_data (status, dw0, offsetof (struct nvmf_connect_data, hostnqn));
}

static void
describe_refusal (struct association *association, uint16_t status,
                  uint32_t dw0, struct error *err)
{
  const struct association_params *params = &association->params;
  const char *uri = association->uri;

  if (is_no_such_subsystem (status, dw0))
    error_set (err, ENOENT, "connect: %s: no such subsystem: %s", uri,
               params->subnqn);
  else if (is_host_not_allowed (status, dw0))
    error_set (err, EACCES, "connect: %s: host not allowed: %s", uri,
               params->options.hostnqn);
  else if ((status & 0x7ff) == INVALID_PARAM)
    error_set (err, EPROTO, "connect: %s: Connect: the server does not like "
               "byte %u of the %s", uri, (unsigned) (dw0 & 0xffff),
               dw0 & NVMF_IATTR_DATA ? "data" : "command");
  else if ((status & 0x7ff) == BUSY)
    error_set (err, EBUSY, "connect: %s: Connect: the server is busy, or a "
               "limit of it is reached: try again", uri);
  else
    error_set (err, status_connect_to_errno (status), "connect: %s: Connect: "
               "%s", uri, status_connect_name (status));
}

/* Who changes a list of hosts may take one out, and add it again; also while
 * this one was away for long: it counts from the first of the tries that all
 * were refused for that. */
static bool
stays_not_allowed (struct association *association)
{
  unsigned tries = association->re.tries;

  if (association->re.not_allowed_ms == 0 ||
      association->re.not_allowed_tries + 1 != tries)
    association->re.not_allowed_ms = association->now_ms;
  association->re.not_allowed_tries = tries;
  return association->now_ms - association->re.not_allowed_ms >=
    NOT_ALLOWED_MS;
}

/* A controller that is wanted anew says "do not retry", and is believed.  Not
 * where it only does not know the subsystem: servers that start have some of
 * them later than others; nor where it has no controller to give just now (Linux
 * adds it to that, too), because those of lost hosts come back.  Nor of an I/O
 * queue: there the controller may be gone meanwhile.  Of several paths one is
 * never for good what it is now. */
static bool
is_for_good (struct association *association, uint16_t status, uint32_t dw0)
{
  bool at_once = !is_host_not_allowed (status, dw0) ||
    stays_not_allowed (association);

  return association->was_live && !association->params.several &&
    status & NVME_SC_DNR && (status & 0x7ff) != BUSY && at_once &&
    association_get_state (association, NULL) == ASSOCIATION_CONNECT &&
    !is_no_such_subsystem (status, dw0);
}

static bool
connect_accepted (struct association *association, uint16_t status,
                  uint64_t value)
{
  struct error err;

  if ((status & 0x7ff) == 0 && !(value & CONNECT_AUTHREQ))
    return true;
  if ((status & 0x7ff) == 0) {
    error_set (&err, EACCES, "connect: %s: the server asks for "
               "authentication, which is not supported", association->uri);
    status = NVME_SC_DNR;
  } else {
    describe_refusal (association, status, (uint32_t) value, &err);
  }
  if (is_for_good (association, status, (uint32_t) value))
    association_give_up (association, &err, EIO);
  else
    association_end (association, &err);
  return false;
}

static void
set_sqflow_disabled (struct queue *queue, uint32_t in_capsule_bytes)
{
  queue_lock (queue);
  queue_transport (queue)->sqflow_disabled = true;
  queue_transport (queue)->in_capsule_bytes = in_capsule_bytes;
  queue_unlock (queue);
}

static void
answered_connect (struct association *association, uint16_t status,
                  uint64_t value)
{
  if (!connect_accepted (association, status, value))
    return;
  association->cntlid = value & 0xffff;
  set_sqflow_disabled (association->admin, NVMEOF_ADMIN_CAPSULE_DATA);
  association_step (association, ASSOCIATION_CAP);
}

/* --- properties --------------------------------------------------------- */

static void
submit_cap (struct association *association)
{
  property_get (association, NVME_REG_CAP, true);
}

static void
answered_cap (struct association *association, uint16_t status,
              uint64_t value)
{
  association->cap = value;
  if ((value & 0xffff) == 0)
    association_fail (association, EPROTO, "CAP: MQES is 0");
  else if (NVME_CAP_MPSMIN (value) > 8)
    association_fail (association, ENOTSUP,
                      "CAP: MPSMIN: pages above 1 MiB");
  else
    association_step (association, ASSOCIATION_VS);
}

static void
submit_vs (struct association *association)
{
  property_get (association, NVME_REG_VS, false);
}

static void
answered_vs (struct association *association, uint16_t status,
             uint64_t value)
{
  if (!association->was_live)           /* others read it now */
    association->vs = (uint32_t) value;
  association_step (association, ASSOCIATION_ENABLE);
}

uint8_t
association_mpsmin (const struct association *association)
{
  return NVME_CAP_MPSMIN (association->cap);
}

static void
submit_enable (struct association *association)
{
  uint64_t cc = CC_ENABLE |
    (uint64_t) association_mpsmin (association) << CC_MPS_SHIFT;
  union nvme_command sqe = { .property = {
      .opcode = nvme_admin_fabrics,
      .fctype = NVMF_FCTYPE_PROPERTY_SET,
      .offset = cpu_to_le32 (NVME_REG_CC),
      .value = cpu_to_le64 (cc),
    } };

  association_submit_admin (association, &sqe, TRANSPORT_NO_DATA, 0);
}

static void
answered_enable (struct association *association, uint16_t status,
                 uint64_t value)
{
  /* CAP.TO is in units of 500 ms; one more for the round trips. */
  association->ready_deadline_ms = association->now_ms +
    500 * ((uint64_t) NVME_CAP_TO (association->cap) + 1);
  association_step (association, ASSOCIATION_READY);
}

static void
submit_ready (struct association *association)
{
  property_get (association, NVME_REG_CSTS, false);
}

static void
answered_ready (struct association *association, uint16_t status,
                uint64_t value)
{
  if (value & CSTS_CFS)
    association_fail (association, EIO, "the controller has failed (CSTS.CFS)");
  else if (value & CSTS_RDY)
    association_step (association, ASSOCIATION_IDENTIFY);
  else if (association->now_ms >= association->ready_deadline_ms)
    association_fail (association, ETIMEDOUT,
                      "the controller did not become ready in the time it "
                      "asked for");
  else
    association->retry_ms = association->now_ms + CSTS_POLL_MS;
}

/* --- I/O queues --------------------------------------------------------- */

/* As many as there are, when there are. */
static uint32_t
wanted_io_queues (const struct association *association)
{
  return association->was_live ? association->nr_io :
    association->params.options.nr_io_queues;
}

static void
submit_queues (struct association *association)
{
  uint32_t n_0based = wanted_io_queues (association) - 1;
  union nvme_command sqe = { .common = {
      .opcode = nvme_admin_set_features,
      .cdw10 = cpu_to_le32 (NVME_FEAT_FID_NUM_QUEUES),
      .cdw11 = cpu_to_le32 (n_0based << 16 | n_0based),
    } };

  association_submit_admin (association, &sqe, TRANSPORT_NO_DATA, 0);
}

static void
answered_queues (struct association *association, uint16_t status,
                 uint64_t value)
{
  uint32_t nsqa = (value & 0xffff) + 1, ncqa = (value >> 16 & 0xffff) + 1;
  uint32_t n = wanted_io_queues (association);

  if (nsqa < n)
    n = nsqa;
  if (ncqa < n)
    n = ncqa;
  if (association->was_live && n < association->nr_io) {
    association_fail (association, ENOSPC,
                      "Number of Queues: %u, fewer than before", n);
    return;
  }
  association->nr_io_granted = n;
  association_step (association, ASSOCIATION_CONNECT_IO);
}

/* Entries less one, so that the queue is never full: the slots. */
static uint16_t
io_sqsize_0based (const struct association *association)
{
  uint32_t size = association->params.options.queue_size;
  uint32_t mqes_0based = association->cap & 0xffff;

  if (size > mqes_0based + 1)
    size = mqes_0based + 1;
  if (size > association->fresh.maxcmd)
    size = association->fresh.maxcmd;
  return size < 2 ? 1 : (uint16_t) (size - 1);
}

static void
submit_connect_io (struct association *association)
{
  uint16_t sqsize = io_sqsize_0based (association);
  uint32_t i = association->nr_io_connected;
  uint16_t qid = (uint16_t) (i + 1);
  struct error err;

  /* What once had fewer slots has no memory for more. */
  if (i < association->nr_io && sqsize > association->io_slots)
    sqsize = association->io_slots;
  if (association_open_queue (association, &association->io[i], qid, sqsize,
                              &err) < 0) {
    association_end (association, &err);
    return;
  }
  if (i == association->nr_io) {
    association->nr_io++;
    association->io_slots = sqsize;
  }
  connect_queue (association, association->io[i], qid, sqsize, 0);
}

static void
answered_connect_io (struct association *association, uint16_t status,
                     uint64_t value)
{
  if (!connect_accepted (association, status, value))
    return;
  set_sqflow_disabled (association->step_queue,
                       association->fresh.in_capsule_bytes);
  association->nr_io_connected++;
  if (association->nr_io_connected < association->nr_io_granted)
    association_step_again (association);
  else if (association->was_live)
    association_step (association, ASSOCIATION_DESCRIPTORS);
  else
    association_step (association, ASSOCIATION_NAMESPACES);
}

/* --- from step to step -------------------------------------------------- */

void
association_step_again (struct association *association)
{
  enum association_state state = association_get_state (association, NULL);

  if (association_is_setting_up (state))
    steps[state]->submit (association);
}

void
association_step (struct association *association,
                  enum association_state state)
{
  association_advance (association, state);
  association_step_again (association);
}

void
association_step_answered (struct association *association)
{
  const struct step *step =
    steps[association_get_state (association, NULL)];
  const struct transport_request *request = &association->step.transport;
  uint16_t status;

  /* A dead queue: its lost callback has ended, or will end, the set-up. */
  if (request->error != 0 || !step)
    return;
  association->reached = true;
  status = nvme_cqe_status (&request->cqe);
  if (status == 0 || step->optional)
    step->answered (association, status, le64_to_cpu (request->cqe.value));
  else
    association_fail (association, status_to_errno (status), "%s: %s",
                      step->name, status_name (status));
}

static const struct step step_connect = {
  "Connect", submit_connect, answered_connect, true,
};
static const struct step step_cap = {
  "Property Get of CAP", submit_cap, answered_cap, false,
};
static const struct step step_vs = {
  "Property Get of VS", submit_vs, answered_vs, false,
};
static const struct step step_enable = {
  "Property Set of CC", submit_enable, answered_enable, false,
};
static const struct step step_ready = {
  "Property Get of CSTS", submit_ready, answered_ready, false,
};
static const struct step step_queues = {
  "Set Features, Number of Queues", submit_queues, answered_queues, false,
};
static const struct step step_connect_io = {
  "Connect of an I/O queue", submit_connect_io, answered_connect_io, true,
};

static const struct step *const steps[ASSOCIATION_NR_STATES] = {
  [ASSOCIATION_CONNECT] = &step_connect,
  [ASSOCIATION_CAP] = &step_cap,
  [ASSOCIATION_VS] = &step_vs,
  [ASSOCIATION_ENABLE] = &step_enable,
  [ASSOCIATION_READY] = &step_ready,
  [ASSOCIATION_IDENTIFY] = &association_step_identify,
  [ASSOCIATION_IDENTIFY_NVM] = &association_step_identify_nvm,
  [ASSOCIATION_FENCE] = &association_step_fence,
  [ASSOCIATION_HOLD] = &association_step_hold,
  [ASSOCIATION_QUEUES] = &step_queues,
  [ASSOCIATION_CONNECT_IO] = &step_connect_io,
  [ASSOCIATION_NAMESPACES] = &association_step_namespaces,
  [ASSOCIATION_DESCRIPTORS] = &association_step_descriptors,
  [ASSOCIATION_INDEPENDENT] = &association_step_independent,
  [ASSOCIATION_NAMESPACE] = &association_step_namespace,
};
