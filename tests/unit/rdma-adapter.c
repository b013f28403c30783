/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The adapter by hand: see rdma-adapter.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/rdma-adapter.h"

enum { MOST = 64 };

struct adapter_objects adapter_objects;
const char *adapter_fails;
int adapter_errno = ENODEV;
unsigned adapter_looks;
int adapter_nr_devices = 1;
unsigned adapter_caps;
unsigned adapter_late;

unsigned adapter_nr_said;

static struct ibv_device device = { .name = "adapter0" };
static struct ibv_context verbs = { .device = &device, .async_fd = -1 };

struct posted {
  uint64_t wr_id;
  struct ibv_sge sge;                   /* the first */
};

/* What waits to be told, and for it. */
static struct {
  struct rdma_cm_event events[MOST];
  unsigned nr_events, nr_unacked;
  struct ibv_wc completions[MOST];
  unsigned nr_completions;
  struct ibv_async_event said[MOST];
  unsigned nr_said;
  struct posted receives[MOST], sends[MOST];
  unsigned nr_receives, nr_sends;
} adapter;

static bool
fails (const char *what)
{
  if (!adapter_fails || strcmp (adapter_fails, what) != 0)
    return false;
  adapter_fails = NULL;
  errno = adapter_errno;
  return true;
}

static void *
made (unsigned *count, size_t bytes)
{
  void *object = calloc (1, bytes);

  assert_non_null (object);
  ++*count;
  return object;
}

static int
destroyed (unsigned *count, void *object)
{
  assert_true (*count > 0);
  --*count;
  free (object);
  return 0;
}

static void
shift (void *array, unsigned *n, size_t bytes)
{
  assert_true (*n > 0);
  memmove (array, (char *) array + bytes, --*n * bytes);
}

/* --- what the test says ------------------------------------------------------ */

static struct rdma_event_channel *channel;

void
adapter_event (enum rdma_cm_event_type type, int status,
               const void *private_data, uint8_t private_data_bytes)
{
  assert_true (adapter.nr_events < MOST);
  adapter.events[adapter.nr_events++] = (struct rdma_cm_event) {
    .event = type,
    .status = status,
    .param.conn = { .private_data = private_data,
                    .private_data_len = private_data_bytes },
  };
  assert_int_equal (eventfd_write (channel->fd, 1), 0);
}

void
adapter_says (enum ibv_event_type type)
{
  assert_true (adapter.nr_said < MOST);
  adapter.said[adapter.nr_said++] = (struct ibv_async_event) {
    .event_type = type, .element.port_num = 1,
  };
  adapter_nr_said++;
  assert_int_equal (eventfd_write (verbs.async_fd, 1), 0);
}

static void
complete (uint64_t wr_id, enum ibv_wc_status status, uint32_t bytes,
          unsigned wc_flags)
{
  assert_true (adapter.nr_completions < MOST);
  adapter.completions[adapter.nr_completions++] = (struct ibv_wc) {
    .wr_id = wr_id,
    .status = status,
    .byte_len = bytes,
    .wc_flags = wc_flags,
  };
}

const struct nvme_sqe *
adapter_posted (void)
{
  assert_true (adapter.nr_sends > 0);
  return (const struct nvme_sqe *) (uintptr_t) adapter.sends[0].sge.addr;
}

void *
adapter_data (const struct nvme_sqe *sqe)
{
  return (void *) (uintptr_t) le64_to_cpu (sqe->dptr.addr);
}

void
adapter_sent (enum ibv_wc_status status)
{
  assert_true (adapter.nr_sends > 0);
  complete (adapter.sends[0].wr_id, status, 0, 0);
  shift (adapter.sends, &adapter.nr_sends, sizeof adapter.sends[0]);
}

static void
end_receive (enum ibv_wc_status status, uint32_t bytes, unsigned wc_flags)
{
  complete (adapter.receives[0].wr_id, status, bytes, wc_flags);
  shift (adapter.receives, &adapter.nr_receives, sizeof adapter.receives[0]);
}

void
adapter_message (const void *message, uint32_t bytes, unsigned wc_flags)
{
  const struct ibv_sge *place = &adapter.receives[0].sge;

  assert_true (adapter.nr_receives > 0 && bytes <= place->length);
  memcpy ((void *) (uintptr_t) place->addr, message, bytes);
  end_receive (IBV_WC_SUCCESS, bytes, wc_flags);
}

void
adapter_answer (uint16_t cid, uint16_t status)
{
  const struct nvme_cqe cqe = {
    .cid = cid, .status = cpu_to_le16 ((uint16_t) (status << 1)),
  };

  adapter_message (&cqe, sizeof cqe, 0);
}

void
adapter_receive_fails (enum ibv_wc_status status)
{
  end_receive (status, 0, 0);
}

/* --- the device ---------------------------------------------------------------- */

static int
poll_cq (struct ibv_cq *cq, int n, struct ibv_wc *wc)
{
  int i;

  if (adapter_late > 0) {
    adapter_late--;
    return 0;
  }
  for (i = 0; i < n && adapter.nr_completions > 0; i++) {
    wc[i] = adapter.completions[0];
    shift (adapter.completions, &adapter.nr_completions, sizeof wc[0]);
  }
  return i;
}

static int
req_notify_cq (struct ibv_cq *cq, int solicited_only)
{
  return 0;
}

static int
post_recv (struct ibv_qp *qp, struct ibv_recv_wr *wr,
           struct ibv_recv_wr **bad)
{
  for (; wr; wr = wr->next) {
    assert_true (adapter.nr_receives < MOST);
    adapter.receives[adapter.nr_receives++] = (struct posted) {
      .wr_id = wr->wr_id, .sge = wr->sg_list[0],
    };
  }
  return 0;
}

static int
post_send (struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
  for (; wr; wr = wr->next) {
    assert_true (adapter.nr_sends < MOST);
    adapter.sends[adapter.nr_sends++] = (struct posted) {
      .wr_id = wr->wr_id, .sge = wr->sg_list[0],
    };
  }
  return 0;
}

/* Receives that are shared are the server's: nothing comes into them. */
static int
post_srq_recv (struct ibv_srq *srq, struct ibv_recv_wr *wr,
               struct ibv_recv_wr **bad)
{
  return 0;
}

struct ibv_context *
adapter_verbs (void)
{
  if (verbs.async_fd < 0)
    verbs.async_fd = eventfd (0, EFD_CLOEXEC);
  verbs.ops.poll_cq = poll_cq;
  verbs.ops.req_notify_cq = req_notify_cq;
  verbs.ops.post_recv = post_recv;
  verbs.ops.post_srq_recv = post_srq_recv;
  verbs.ops.post_send = post_send;
  return &verbs;
}

/* --- libibverbs ------------------------------------------------------------------ */

struct ibv_pd *
ibv_alloc_pd (struct ibv_context *context)
{
  return fails (__func__) ? NULL :
    made (&adapter_objects.pds, sizeof (struct ibv_pd));
}

struct ibv_device **
ibv_get_device_list (int *n)
{
  *n = adapter_nr_devices;
  return calloc (1, sizeof (struct ibv_device *));
}

void
ibv_free_device_list (struct ibv_device **list)
{
  free (list);
}

int
ibv_dealloc_pd (struct ibv_pd *pd)
{
  assert_int_equal (adapter_objects.mrs + adapter_objects.srqs +
                    adapter_objects.qps, 0);
  return destroyed (&adapter_objects.pds, pd);
}

struct ibv_comp_channel *
ibv_create_comp_channel (struct ibv_context *context)
{
  struct ibv_comp_channel *completion_channel;

  if (fails (__func__))
    return NULL;
  completion_channel = made (&adapter_objects.completion_channels,
                             sizeof *completion_channel);
  completion_channel->fd = eventfd (0, EFD_CLOEXEC);
  return completion_channel;
}

int
ibv_destroy_comp_channel (struct ibv_comp_channel *completion_channel)
{
  assert_int_equal (adapter_objects.cqs, 0);
  close (completion_channel->fd);
  return destroyed (&adapter_objects.completion_channels,
                    completion_channel);
}

#undef ibv_reg_mr
struct ibv_mr *
ibv_reg_mr (struct ibv_pd *pd, void *addr, size_t length, int access)
{
  return fails (__func__) ? NULL :
    made (&adapter_objects.mrs, sizeof (struct ibv_mr));
}

int
ibv_dereg_mr (struct ibv_mr *mr)
{
  assert_int_equal (adapter_objects.qps, 0);
  return destroyed (&adapter_objects.mrs, mr);
}

struct ibv_cq *
ibv_create_cq (struct ibv_context *context, int cqe, void *cq_context,
               struct ibv_comp_channel *completion_channel, int vector)
{
  struct ibv_cq *cq;

  if (fails (__func__))
    return NULL;
  cq = made (&adapter_objects.cqs, sizeof *cq);
  cq->context = &verbs;
  return cq;
}

int
ibv_destroy_cq (struct ibv_cq *cq)
{
  assert_int_equal (adapter_objects.qps, 0);
  return destroyed (&adapter_objects.cqs, cq);
}

struct ibv_srq *
ibv_create_srq (struct ibv_pd *pd, struct ibv_srq_init_attr *attr)
{
  struct ibv_srq *srq;

  if (fails (__func__))
    return NULL;
  srq = made (&adapter_objects.srqs, sizeof *srq);
  srq->context = &verbs;
  return srq;
}

int
ibv_destroy_srq (struct ibv_srq *srq)
{
  assert_int_equal (adapter_objects.qps, 0);
  return destroyed (&adapter_objects.srqs, srq);
}

int
ibv_get_cq_event (struct ibv_comp_channel *completion_channel,
                  struct ibv_cq **cq, void **cq_context)
{
  errno = EAGAIN;
  return -1;
}

void
ibv_ack_cq_events (struct ibv_cq *cq, unsigned n)
{
}

int
ibv_get_async_event (struct ibv_context *context,
                     struct ibv_async_event *event)
{
  eventfd_t n;

  if (adapter.nr_said == 0) {
    errno = EAGAIN;
    return -1;
  }
  *event = adapter.said[0];
  shift (adapter.said, &adapter.nr_said, sizeof adapter.said[0]);
  if (adapter.nr_said == 0)
    assert_int_equal (eventfd_read (context->async_fd, &n), 0);
  return 0;
}

void
ibv_ack_async_event (struct ibv_async_event *event)
{
  assert_true (adapter_nr_said > 0);
  adapter_nr_said--;
}

int
ibv_query_device (struct ibv_context *context, struct ibv_device_attr *attr)
{
  *attr = (struct ibv_device_attr) {
    .max_qp_rd_atom = 16, .max_qp_init_rd_atom = 16, .max_qp_wr = 1024,
    .max_srq_wr = 1024, .max_cqe = 1024,
    .device_cap_flags = adapter_caps,
  };
  return 0;
}

/* --- librdmacm ---------------------------------------------------------------------- */

struct ibv_context **
rdma_get_devices (int *n)
{
  adapter_looks++;
  return calloc (1, sizeof (struct ibv_context *));
}

void
rdma_free_devices (struct ibv_context **list)
{
  free (list);
}

struct rdma_event_channel *
rdma_create_event_channel (void)
{
  struct rdma_event_channel *new;

  if (fails (__func__))
    return NULL;
  new = made (&adapter_objects.channels, sizeof *new);
  new->fd = eventfd (0, EFD_CLOEXEC);
  return new;
}

/* Nobody reads what is still there. */
void
rdma_destroy_event_channel (struct rdma_event_channel *old)
{
  assert_int_equal (adapter_objects.ids, 0);
  close (old->fd);
  memset (&adapter, 0, sizeof adapter);
  destroyed (&adapter_objects.channels, old);
}

int
rdma_create_id (struct rdma_event_channel *its, struct rdma_cm_id **id,
                void *context, enum rdma_port_space ps)
{
  if (fails (__func__))
    return -1;
  channel = its;
  *id = made (&adapter_objects.ids, sizeof **id);
  (*id)->verbs = adapter_verbs ();
  return 0;
}

/* It waits until all events are acknowledged. */
int
rdma_destroy_id (struct rdma_cm_id *id)
{
  assert_null (id->qp);
  assert_int_equal (adapter.nr_unacked, 0);
  return destroyed (&adapter_objects.ids, id);
}

int
rdma_resolve_addr (struct rdma_cm_id *id, struct sockaddr *from,
                   struct sockaddr *to, int timeout_ms)
{
  return fails (__func__) ? -1 : 0;
}

int
rdma_resolve_route (struct rdma_cm_id *id, int timeout_ms)
{
  return fails (__func__) ? -1 : 0;
}

int
rdma_create_qp (struct rdma_cm_id *id, struct ibv_pd *pd,
                struct ibv_qp_init_attr *attr)
{
  if (fails (__func__))
    return -1;
  id->qp = made (&adapter_objects.qps, sizeof *id->qp);
  id->qp->context = &verbs;
  return 0;
}

void
rdma_destroy_qp (struct rdma_cm_id *id)
{
  destroyed (&adapter_objects.qps, id->qp);
  id->qp = NULL;
}

int
rdma_connect (struct rdma_cm_id *id, struct rdma_conn_param *param)
{
  return fails (__func__) ? -1 : 0;
}

int
rdma_disconnect (struct rdma_cm_id *id)
{
  return 0;
}

int
rdma_get_cm_event (struct rdma_event_channel *its,
                   struct rdma_cm_event **event)
{
  eventfd_t n;

  if (adapter.nr_events == 0) {
    errno = EAGAIN;
    return -1;
  }
  *event = malloc (sizeof **event);
  assert_non_null (*event);
  **event = adapter.events[0];
  shift (adapter.events, &adapter.nr_events, sizeof adapter.events[0]);
  adapter.nr_unacked++;
  if (adapter.nr_events == 0)
    assert_int_equal (eventfd_read (its->fd, &n), 0);
  return 0;
}

int
rdma_ack_cm_event (struct rdma_cm_event *event)
{
  adapter.nr_unacked--;
  free (event);
  return 0;
}
