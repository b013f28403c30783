/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events (Base 2.0 section 5.2): one request waits at the
 * controller for "Namespace Attribute Changed"; then the Changed Namespace
 * List is read, which lets the next event come, and every namespace in use is
 * identified once more.
 *
 *   NEW -> CONFIGURE -> LOG -> IDENTIFY ... -> ARMED -> LOG -> ...
 *
 * One of several paths asks for "Asymmetric Namespace Access Change", too,
 * where the controller has it, and reads its log page: ANA, before each ARMED.
 * The namespace may be in another group since: so it is identified before.
 *
 * The first round looks before it waits, so that nothing is missed between
 * set-up and the first request.  Each step is submitted by the completion of
 * the one before, in the thread that received it, with the admin queue's lock
 * held; nothing is allocated.  A controller without these events (OAES), or
 * one that refuses a step, is left in peace: its sizes stay.  It ends with its
 * connection, and begins anew with the next.
 */
#include <assert.h>
#include <string.h>

#include "lib/internal.h"
#include "nvmeof/ana.h"

enum {
  IDENTIFY_BYTES = 4096,
  LOG_CHANGED_NAMESPACES = 0x04,
  LOG_ANA = 0x0c,
  LOG_ANA_GROUPS_ONLY = 1 << 8,         /* RGO */
  EVENT_NAMESPACE = 1 << 8,             /* feature 0Bh */
  EVENT_ANA = 1 << 11,
  EVENT_TYPE_NOTICE = 2,                /* dw0 2:0 */
  EVENT_INFO_NAMESPACE = 0,             /* dw0 15:8 */
  EVENT_INFO_ANA = 3,
};

#define TO(state) (1u << EVENTS_##state)

static const uint32_t legal[EVENTS_NR_STATES] = {
  [EVENTS_NEW] = TO (CONFIGURE) | TO (OFF),
  [EVENTS_CONFIGURE] = TO (LOG) | TO (OFF),
  [EVENTS_LOG] = TO (IDENTIFY) | TO (OFF),
  [EVENTS_IDENTIFY] = TO (IDENTIFY) | TO (ANA) | TO (ARMED) | TO (OFF),
  [EVENTS_ANA] = TO (ARMED) | TO (OFF),
  [EVENTS_ARMED] = TO (LOG) | TO (IDENTIFY) | TO (ARMED) | TO (OFF),
  [EVENTS_OFF] = TO (NEW),
};

static void answered_locked (struct request *request);

static bool
has_ana (const struct association *association)
{
  return association->params.several && association->fresh.ana_log_bytes > 0;
}

/* Groups beyond the buffer are none of ours, as targets number them from 1. */
static uint32_t
ana_bytes (const struct association *association)
{
  uint64_t bytes = association->fresh.ana_log_bytes;

  if (bytes > ASSOCIATION_BUFFER_BYTES)
    bytes = ASSOCIATION_BUFFER_BYTES;
  if (bytes > association->fresh.max_transfer_bytes)
    bytes = association->fresh.max_transfer_bytes;
  return (uint32_t) bytes;
}

static uint32_t
wanted_events (const struct association *association)
{
  return (association->controller.namespace_events ? EVENT_NAMESPACE : 0) |
    (has_ana (association) ? EVENT_ANA : 0);
}

static uint32_t
data_bytes (const struct association *association, enum events_state state)
{
  switch (state) {
  case EVENTS_LOG:
  case EVENTS_IDENTIFY:
    return IDENTIFY_BYTES;
  case EVENTS_ANA:
    return ana_bytes (association);
  default:
    return 0;
  }
}

static void
make_command_locked (struct association *association)
{
  struct nvme_sqe *sqe = &association->event.transport.sqe.common;

  switch (association->events) {
  case EVENTS_CONFIGURE:
    sqe->opcode = nvme_admin_set_features;
    sqe->cdw10 = cpu_to_le32 (NVME_FEAT_FID_ASYNC_EVENT);
    sqe->cdw11 = cpu_to_le32 (wanted_events (association));
    break;
  case EVENTS_LOG:
    sqe->opcode = nvme_admin_get_log_page;
    sqe->nsid = cpu_to_le32 (NVME_NSID_ALL);
    sqe->cdw10 = cpu_to_le32 (LOG_CHANGED_NAMESPACES |
                              (IDENTIFY_BYTES / 4 - 1) << 16);
    break;
  case EVENTS_IDENTIFY:
    association->event.transport.sqe =
      namespace_ask (association->namespaces[association->events_next].nsid);
    break;
  case EVENTS_ANA:
    sqe->opcode = nvme_admin_get_log_page;
    sqe->nsid = cpu_to_le32 (NVME_NSID_ALL);
    sqe->cdw10 = cpu_to_le32 (LOG_ANA | LOG_ANA_GROUPS_ONLY |
                              (ana_bytes (association) / 4 - 1) << 16);
    break;
  default:
    assert (association->events == EVENTS_ARMED);
    sqe->opcode = nvme_admin_async_event;
    break;
  }
}

static void
set_state_locked (struct association *association, enum events_state state)
{
  assert (legal[association->events] & 1u << state);
  association->events = state;
}

/* Nobody tells from now on. */
static void
off_locked (struct association *association)
{
  set_state_locked (association, EVENTS_OFF);
  association->path.ana = 0;
}

static void
enter_locked (struct association *association, enum events_state state)
{
  struct request *request = &association->event;
  struct transport_request *transport = &request->transport;
  uint32_t bytes = data_bytes (association, state);
  int r;

  if (state == EVENTS_OFF) {
    off_locked (association);
    return;
  }
  set_state_locked (association, state);
  memset (&transport->sqe, 0, sizeof transport->sqe);
  make_command_locked (association);
  transport->data = bytes > 0 ? TRANSPORT_FROM_CONTROLLER : TRANSPORT_NO_DATA;
  transport->iov = (struct iovec) {
    .iov_base = association->buffer,
    .iov_len = bytes,
  };
  request->fleeting = true;
  request->done = answered_locked;
  if (state == EVENTS_ARMED)
    r = queue_submit_untimed_locked (association->admin, request);
  else
    r = queue_submit_locked (association->admin, request, true);
  if (r < 0)
    off_locked (association);
}

/* One that is gone, or that makes no sense, keeps its size: its commands
 * fail by themselves. */
static void
look_at_namespace (struct association *association)
{
  struct namespace *ns = &association->namespaces[association->events_next];
  struct namespace_info info;
  const char *fault;

  if (identify_check_namespace (association->buffer, &info, &fault) < 0)
    return;
  if (association->events_next == 0)
    association->path.ana_group = info.ana_group;
  if (info.block_bytes != ns->info.block_bytes)
    association->format_changed = true;
  else
    namespace_resized (association, ns, info.size_bytes);
}

static void
look_at_path (struct association *association, bool good)
{
  association->path.ana = !good ? 0 :
    ana_find (association->buffer, ana_bytes (association),
              association->path.ana_group);
  keeper_wake ();
}

/* What is to be read after an event. */
static enum events_state
meaning (const struct association *association, uint32_t dw0)
{
  if ((dw0 & 7) != EVENT_TYPE_NOTICE)
    return EVENTS_ARMED;
  switch (dw0 >> 8 & 0xff) {
  case EVENT_INFO_NAMESPACE:
    return EVENTS_LOG;
  case EVENT_INFO_ANA:
    return has_ana (association) ? EVENTS_IDENTIFY : EVENTS_ARMED;
  default:
    return EVENTS_ARMED;
  }
}

/* A log that is not there does not matter; what it would say is found by
 * Identify. */
static void
answered_locked (struct request *request)
{
  struct association *association =
    (struct association *) ((char *) request -
                            offsetof (struct association, event));
  const struct nvme_cqe *cqe = &request->transport.cqe;
  enum events_state state = association->events;
  bool good = request->transport.error == 0 && nvme_cqe_status (cqe) == 0;

  if (request->transport.error != 0 ||
      (!good && (state == EVENTS_CONFIGURE || state == EVENTS_ARMED))) {
    enter_locked (association, EVENTS_OFF);
    return;
  }
  switch (state) {
  case EVENTS_CONFIGURE:
    enter_locked (association, EVENTS_LOG);
    break;
  case EVENTS_LOG:
    association->events_next = 0;
    enter_locked (association, EVENTS_IDENTIFY);
    break;
  case EVENTS_IDENTIFY:
    if (good)
      look_at_namespace (association);
    association->events_next++;
    enter_locked (association, association->events_next <
                  association->nr_namespaces ? EVENTS_IDENTIFY :
                  has_ana (association) ? EVENTS_ANA : EVENTS_ARMED);
    break;
  case EVENTS_ANA:
    look_at_path (association, good);
    enter_locked (association, EVENTS_ARMED);
    break;
  default:
    association->events_next = 0;
    enter_locked (association, meaning (association,
                                        le32_to_cpu (cqe->dw0)));
    break;
  }
}

void
events_start (struct association *association, uint64_t now_ms)
{
  queue_lock (association->admin);
  if (association->events != EVENTS_NEW) {
    queue_unlock (association->admin);
    return;
  }
  queue_set_now_locked (association->admin, now_ms);
  enter_locked (association, wanted_events (association) != 0 ?
                EVENTS_CONFIGURE : EVENTS_OFF);
  queue_unlock (association->admin);
  queue_flush_sends (association->admin);
}

void
events_restart (struct association *association)
{
  queue_lock (association->admin);
  if (association->events == EVENTS_OFF)
    set_state_locked (association, EVENTS_NEW);
  queue_unlock (association->admin);
}
