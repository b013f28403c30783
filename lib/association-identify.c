/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps of set-up that ask what controller and namespaces are; after a
 * loss, whether they are what they were, and that the old controller's
 * commands are over.  The driver's.
 */
#include <errno.h>
#include <stdio.h>

#include <nvme/types.h>

#include "lib/association-steps.h"
#include "nvmeof/command-check.h"
#include "nvmeof/status.h"

enum {
  IDENTIFY_BYTES = 4096,
  HOLD_PAUSE_MS = 1000,
  FENCE_RETRY_MS = 100,
  FENCE_MOST_MS = 30000,        /* an open asks again */
};

static void
identify (struct association *association, uint8_t cns, uint32_t nsid)
{
  union nvme_command sqe = { .common = {
      .opcode = nvme_admin_identify,
      .nsid = cpu_to_le32 (nsid),
      .cdw10 = cpu_to_le32 (cns),
    } };

  association_submit_admin (association, &sqe, TRANSPORT_FROM_CONTROLLER,
                            IDENTIFY_BYTES);
}

/* --- Identify Controller ------------------------------------------------ */

static void
submit_identify (struct association *association)
{
  identify (association, NVME_IDENTIFY_CNS_CTRL, 0);
}

static void
answered_identify (struct association *association, uint16_t status,
                   uint64_t value)
{
  const struct controller_expect expect = {
    .cntlid = association->cntlid,
    .discovery = association->params.discovery,
    .keep_alive = association_kato_ms (association) > 0,
    .mpsmin = association_mpsmin (association),
    .keyed = association->server.family == ADDRESS_RDMA,
  };
  struct controller_info *fresh = &association->fresh;
  const char *fault;

  if (identify_check_controller (association->buffer, &expect, fresh,
                                 &fault) < 0) {
    association_fail (association, EPROTO, "Identify Controller: %s", fault);
    return;
  }
  if (association->server.family == ADDRESS_RDMA &&
      fresh->max_transfer_bytes > RDMA_TRANSFER_MAX_BYTES)
    fresh->max_transfer_bytes = RDMA_TRANSFER_MAX_BYTES;
  if (!association->was_live)
    association->controller = association->fresh;
  if (association->params.discovery)
    association_advance (association, ASSOCIATION_LIVE);
  else
    association_step (association, ASSOCIATION_IDENTIFY_NVM);
}

const struct step association_step_identify = {
  "Identify Controller", submit_identify, answered_identify, false,
};

static void
submit_identify_nvm (struct association *association)
{
  identify (association, NVME_IDENTIFY_CNS_CSI_CTRL, 0);
}

/* One that was left behind is named, or it is waited for. */
static void
step_inherited (struct association *association)
{
  association_step (association, reconnect_can_fence (association) ?
                    ASSOCIATION_FENCE : ASSOCIATION_HOLD);
}

/* Controllers before 2.0 do not know it. */
static void
answered_identify_nvm (struct association *association, uint16_t status,
                       uint64_t value)
{
  const char *fault;

  if (status == 0)
    identify_apply_nvm (association->buffer, association_mpsmin (association),
                        &association->fresh);
  if (!association->was_live)
    association->controller = association->fresh;
  else if (identify_check_no_less (&association->controller,
                                   &association->fresh, &fault) < 0) {
    association_fail (association, EPROTO, "Identify Controller: %s", fault);
    return;
  }
  if (reconnect_inherits (association))
    step_inherited (association);
  else
    association_step (association, reconnect_can_fence (association) ?
                      ASSOCIATION_FENCE : ASSOCIATION_QUEUES);
}

const struct step association_step_identify_nvm = {
  "Identify, NVM command set", submit_identify_nvm, answered_identify_nvm,
  true,
};

/* --- Cross-Controller Reset --------------------------------------------- */

/* In an open, which takes as long as that: there is nobody yet who would try
 * again. */
static void
begin_fence (struct association *association)
{
  association->re.fence_until_ms = association->now_ms + FENCE_MOST_MS;
  attempt_take_longer (association->params.attempt, FENCE_MOST_MS);
  association->deadline_ms = association->re.fence_until_ms +
    association->params.options.connect_tmo_ms;
}

static void
submit_fence (struct association *association)
{
  const struct old_controller *old = &association->re.old;
  union nvme_command sqe = cross_reset_command (old->cntlid, &old->instance);

  if (association->re.inherits && association->re.fence_until_ms == 0)
    begin_fence (association);
  association_submit_admin (association, &sqe, TRANSPORT_NO_DATA, 0);
}

/* There may be others, as each of several paths leaves one. */
static void
inherited_answered (struct association *association)
{
  uint64_t nr = association->re.behind_first;

  if (!association->re.fenced) {
    association_step (association, ASSOCIATION_HOLD);
    return;
  }
  left_behind_over (association, nr, nr);
  if (!reconnect_inherits (association))
    association_step (association, ASSOCIATION_QUEUES);
  else if (reconnect_can_fence (association))
    association_step_again (association);
  else
    association_step (association, ASSOCIATION_HOLD);
}

/* A controller that resets the other one in its own time tells the end by an
 * event that we do not follow: its commands are waited out, as they are with
 * controllers that do not know this. */
static void
answered_fence (struct association *association, uint16_t status,
                uint64_t value)
{
  if (status == STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS) &&
      association->re.inherits &&
      association->now_ms < association->re.fence_until_ms) {
    association->retry_ms = association->now_ms + FENCE_RETRY_MS;
    return;
  }
  if (status == STATUS_SPECIFIC (NVME_SC_CROSS_RESET_IN_PROGRESS)) {
    association_fail (association, EBUSY, "Cross-Controller Reset: the old "
                      "controller still has commands");
    return;
  }
  if (status == 0 && value & CROSS_RESET_IMMEDIATE)
    reconnect_fenced (association);
  if (association->re.inherits)
    inherited_answered (association);
  else
    association_step (association, ASSOCIATION_QUEUES);
}

const struct step association_step_fence = {
  "Cross-Controller Reset", submit_fence, answered_fence, true,
};

/* --- the hold ----------------------------------------------------------- */

/* In an open that takes as long as that: there is nobody yet who reads. */
static void
begin_hold (struct association *association)
{
  uint64_t hold_ms =
    left_behind_hold_ms (association, &association->re.behind_last);

  association->re.hold_until_ms = association->now_ms + hold_ms;
  attempt_take_longer (association->params.attempt, hold_ms);
  association->deadline_ms = association->re.hold_until_ms +
    association->params.options.connect_tmo_ms;
}

static void
submit_hold (struct association *association)
{
  union nvme_command sqe = { .common = {
      .opcode = nvme_admin_keep_alive,
    } };

  if (association->re.hold_until_ms == 0)
    begin_hold (association);
  association_submit_admin (association, &sqe, TRANSPORT_NO_DATA, 0);
}

static void
answered_hold (struct association *association, uint16_t status,
               uint64_t value)
{
  uint64_t pause_ms = association_kato_ms (association) / 2;

  if (association->now_ms >= association->re.hold_until_ms) {
    left_behind_over (association, 0, association->re.behind_last);
    association->re.inherits = false;
    association_step (association, ASSOCIATION_QUEUES);
    return;
  }
  if (pause_ms == 0 || pause_ms > HOLD_PAUSE_MS)
    pause_ms = HOLD_PAUSE_MS;
  association->retry_ms = association->now_ms + pause_ms;
  if (association->retry_ms > association->re.hold_until_ms)
    association->retry_ms = association->re.hold_until_ms;
}

const struct step association_step_hold = {
  "Keep Alive", submit_hold, answered_hold, true,
};

/* --- the namespace ------------------------------------------------------ */

static void
submit_namespaces (struct association *association)
{
  union nvme_command sqe =
    namespace_ask_list (association->params.options.nsid);

  association_submit_admin (association, &sqe, TRANSPORT_FROM_CONTROLLER,
                            IDENTIFY_BYTES);
}

static void
answered_namespaces (struct association *association, uint16_t status,
                     uint64_t value)
{
  struct error err;

  if (namespace_judge_list (association, association->buffer,
                            association->params.options.nsid,
                            &association->step_nsid, &err) < 0)
    association_end (association, &err);
  else
    association_step (association, ASSOCIATION_DESCRIPTORS);
}

const struct step association_step_namespaces = {
  "Identify, active namespaces", submit_namespaces, answered_namespaces,
  false,
};

/* Those that are known are looked at once more, one after the other. */
static void
submit_descriptors (struct association *association)
{
  if (association->was_live)
    association->step_nsid =
      association->namespaces[association->step_namespace].nsid;
  identify (association, NVME_IDENTIFY_CNS_NS_DESC_LIST,
            association->step_nsid);
}

static void
answered_descriptors (struct association *association, uint16_t status,
                      uint64_t value)
{
  struct error err;

  if (namespace_judge_descriptors (association, status, association->buffer,
                                   &association->step_ids, &err) < 0)
    association_end (association, &err);
  else
    association_step (association, association->was_live ?
                      ASSOCIATION_NAMESPACE : ASSOCIATION_INDEPENDENT);
}

const struct step association_step_descriptors = {
  "Identify, namespace descriptors", submit_descriptors,
  answered_descriptors, true,
};

static void
submit_independent (struct association *association)
{
  union nvme_command sqe = namespace_ask_independent (association->step_nsid);

  association_submit_admin (association, &sqe, TRANSPORT_FROM_CONTROLLER,
                            IDENTIFY_BYTES);
}

static void
answered_independent (struct association *association, uint16_t status,
                      uint64_t value)
{
  association->step_rotational =
    namespace_judge_independent (status, association->buffer);
  association_step (association, ASSOCIATION_NAMESPACE);
}

const struct step association_step_independent = {
  "Identify Namespace, independent", submit_independent,
  answered_independent, true,
};

static void
submit_namespace (struct association *association)
{
  union nvme_command sqe = namespace_ask (association->step_nsid);

  association_submit_admin (association, &sqe, TRANSPORT_FROM_CONTROLLER,
                            IDENTIFY_BYTES);
}

/* Whoever reads and writes it must not notice that it is another one. */
static void
judge_again (struct association *association,
             const struct namespace_info *info)
{
  struct namespace *ns =
    &association->namespaces[association->step_namespace];
  struct error err;

  if (namespace_judge_again (association, ns, info, &err) < 0) {
    /* One gateway of several may hear of a new size later than others. */
    if (association->params.several)
      association_end (association, &err);
    else
      association_give_up (association, &err, EIO);
    return;
  }
  namespace_resized (association, ns, info->size_bytes);
  durable_reconnected (association, ns,
                       durable_epoch (association, info->epoch));
  association->step_namespace++;
  if (association->step_namespace < association->nr_namespaces) {
    association_step (association, ASSOCIATION_DESCRIPTORS);
    return;
  }
  reconnect_before_live (association);
  association_advance (association, ASSOCIATION_LIVE);
}

static void
answered_namespace (struct association *association, uint16_t status,
                    uint64_t value)
{
  struct namespace_info info;
  struct error err;

  if (namespace_judge (association, association->buffer,
                       &association->step_ids, &info, &err) < 0) {
    association_end (association, &err);
    return;
  }
  if (association->was_live) {
    judge_again (association, &info);
    return;
  }
  info.rotational = association->step_rotational;
  if (!namespace_add (association, association->step_nsid,
                      association->params.options.nsid == 0, &info)) {
    association_fail (association, ENOMEM, "retain: out of memory");
    return;
  }
  reconnect_before_live (association);
  association_advance (association, ASSOCIATION_LIVE);
}

const struct step association_step_namespace = {
  "Identify Namespace", submit_namespace, answered_namespace, false,
};
