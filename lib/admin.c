/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An admin command of any thread, waited for like a synchronous read.  It must not know what is asked.
 */
#include <string.h>

#include "common/clock.h"
#include "lib/internal.h"

struct call {
  struct request request;       /* first member */
  struct queue *queue;
  struct waiter waiter;
};

/* [locked] */
static void
call_done (struct request *request)
{
  struct call *call = (struct call *) request;

  waiter_finish_locked (call->queue, &call->waiter);
}

int
association_call (struct association *association,
                  const union nvme_command *sqe, enum transport_data data,
                  void *buf, uint32_t bytes, bool fleeting,
                  uint16_t *status, uint64_t *value)
{
  struct queue *queue = association->admin;
  struct call call = { .queue = queue };
  struct transport_request *transport = &call.request.transport;
  int r;

  transport->sqe = *sqe;
  transport->data = data;
  transport->iov = (struct iovec) { .iov_base = buf, .iov_len = bytes };
  call.request.fleeting = fleeting;
  call.request.done = call_done;
  queue_lock (queue);
  queue_set_now_locked (queue, clock_now_ms ());
  r = queue_submit_locked (queue, &call.request, true);
  if (r < 0) {
    queue_unlock (queue);
    return r;
  }
  queue_wait_locked_unlock (queue, &call.waiter);
  if (transport->error != 0)
    return -transport->error;
  *status = nvme_cqe_status (&transport->cqe);
  if (value)
    *value = le64_to_cpu (transport->cqe.value);
  return 0;
}
