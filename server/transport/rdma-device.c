/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the connections of one reactor share of an RDMA device: registered
 * memory (rdma-buffers.c: the data in it), the shared receive queue, and its
 * completions.  Made by a worker thread for the first connection (pinning memory
 * takes its time), given back by one after the last.
 *
 * Locked memory is bounded from the start: as much as the limit of the
 * process allows, shared by the reactors with each device, at most
 * RDMA_DEVICE_*_MAX.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "common/cleanup.h"
#include "common/locked-memory.h"
#include "common/log.h"
#include "common/thread-call.h"
#include "server/transport/rdma-internal.h"

/* --- how much memory -------------------------------------------------------- */

/* Constant after the first rdma_memory_check: each reactor may serve hosts by
 * each device. */
static unsigned nr_sharing, nr_devices;
static uint64_t limit_bytes = UINT64_MAX;

static uint64_t
slots_bytes (unsigned nr_slots)
{
  return (uint64_t) nr_slots
    * ((1 + RDMA_HELD_EACH) * sizeof (struct rdma_capsules)
       + RDMA_IN_CAPSULE_BYTES);
}

/* A quarter is for the rings of the device itself. */
static uint64_t
share_bytes (void)
{
  return limit_bytes / nr_sharing / nr_devices / 4 * 3;
}

static void
plan_memory (unsigned *nr_slots, uint32_t *data_bytes)
{
  *nr_slots = RDMA_DEVICE_SLOTS_MAX;
  *data_bytes = RDMA_DEVICE_DATA_MAX_BYTES;
  while (slots_bytes (*nr_slots) + *data_bytes > share_bytes ()
         && (*nr_slots > RDMA_DEVICE_SLOTS_MIN
             || *data_bytes > RDMA_DEVICE_DATA_MIN_BYTES)) {
    if (*nr_slots > RDMA_DEVICE_SLOTS_MIN)
      *nr_slots /= 2;
    if (*data_bytes > RDMA_DEVICE_DATA_MIN_BYTES)
      *data_bytes /= 2;
  }
}

/* At least one, which may come later. */
static unsigned
count_devices (void)
{
  int n = 0;
  struct ibv_device **list = ibv_get_device_list (&n);

  if (list)
    ibv_free_device_list (list);
  return n > 1 ? (unsigned) n : 1;
}

int
rdma_memory_check (unsigned nr_reactors, const char *uri, struct error *err)
{
  uint64_t least = slots_bytes (RDMA_DEVICE_SLOTS_MIN)
    + RDMA_DEVICE_DATA_MIN_BYTES;

  if (nr_sharing == 0) {
    limit_bytes = locked_memory_limit ();
    nr_sharing = nr_reactors;
    nr_devices = count_devices ();
  }
  if (share_bytes () >= least)
    return 0;
  return error_set (err, ENOMEM, "listen: %s: RDMA needs locked memory: %u "
                    "reactors, with %u devices, take %lu KiB at the least, "
                    "the limit (ulimit -l) is %lu KiB", uri, nr_reactors,
                    nr_devices,
                    (unsigned long) (least / 3 * 4 * nr_reactors * nr_devices
                                     / 1024),
                    (unsigned long) (limit_bytes / 1024));
}

/* --- holds ----------------------------------------------------------------- */

static pthread_mutex_t making_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD (, rdma_device) devices = LIST_HEAD_INITIALIZER (devices);

void
rdma_device_hold (struct rdma_device *device)
{
  atomic_fetch_add_explicit (&device->users, 1, memory_order_relaxed);
}

/* False: it is the last one. */
static bool
put_unless_last (struct rdma_device *device)
{
  unsigned users = atomic_load_explicit (&device->users,
                                         memory_order_relaxed);

  while (users > 1)
    if (atomic_compare_exchange_weak_explicit (&device->users, &users,
                                               users - 1,
                                               memory_order_release,
                                               memory_order_relaxed))
      return true;
  return false;
}

/* --- requests ------------------------------------------------------------- */

static const bool legal[RDMA_REQUEST_NR_STATES][RDMA_REQUEST_NR_STATES] = {
  [RDMA_REQUEST_POSTED] = {
    [RDMA_REQUEST_WAITING] = true,
    [RDMA_REQUEST_READING] = true,
    [RDMA_REQUEST_EXECUTING] = true,
    [RDMA_REQUEST_ANSWERING] = true,
  },
  [RDMA_REQUEST_WAITING] = {
    [RDMA_REQUEST_POSTED] = true,
    [RDMA_REQUEST_READING] = true,
    [RDMA_REQUEST_EXECUTING] = true,
  },
  [RDMA_REQUEST_READING] = {
    [RDMA_REQUEST_POSTED] = true,
    [RDMA_REQUEST_EXECUTING] = true,
  },
  [RDMA_REQUEST_EXECUTING] = {
    [RDMA_REQUEST_POSTED] = true,
    [RDMA_REQUEST_ANSWERING] = true,
  },
  [RDMA_REQUEST_ANSWERING] = {
    [RDMA_REQUEST_POSTED] = true,
  },
};

void
rdma_request_set_state (struct rdma_request *request,
                        enum rdma_request_state state)
{
  assert (legal[request->state][state]);
  request->state = state;
  request->command.stage_since_ms = reactor_now_ms (request->device->reactor);
}

/* Receives of one turn are posted together. */
static void
flush_reposts (struct reactor_task *task)
{
  struct rdma_device *device =
    (void *) ((char *) task - offsetof (struct rdma_device, flush));
  struct ibv_recv_wr *bad;
  int r;

  device->flush_deferred = false;
  r = ibv_post_srq_recv (device->srq, device->repost, &bad);
  if (r != 0)
    log_error ("%s: post receives: %s",
               ibv_get_device_name (device->verbs->device), strerror (r));
  device->repost = NULL;
  rdma_device_put (device);
}

void
rdma_request_repost (struct rdma_request *request)
{
  struct rdma_device *device = request->device;
  struct ibv_recv_wr *wr;

  if (request->in_capsule == NULL) {
    TAILQ_INSERT_HEAD (&device->free_held, request, in_list);
    return;
  }
  wr = &device->receives[request - device->requests];
  wr->next = device->repost;
  device->repost = wr;
  if (!device->flush_deferred) {
    device->flush_deferred = true;
    rdma_device_hold (device);
    reactor_defer (device->reactor, &device->flush);
  }
}

/* --- completions ---------------------------------------------------------------- */

struct rdma_connection *
rdma_device_find (struct rdma_device *device, uint32_t qp_num)
{
  struct rdma_connection *connection;

  LIST_FOREACH (connection, &device->by_qp[qp_num % RDMA_QP_BUCKETS],
                in_bucket)
    if (connection->qp_num == qp_num)
      break;
  return connection;
}

static void
poll_receives (struct rdma_device *device)
{
  if (!rdma_poll_receives (device) || device->again_posted)
    return;
  device->again_posted = true;
  rdma_device_hold (device);
  reactor_post (device->reactor, &device->again);
}

static void
run_again (struct reactor_task *task)
{
  struct rdma_device *device =
    (void *) ((char *) task - offsetof (struct rdma_device, again));

  device->again_posted = false;
  poll_receives (device);
  rdma_device_put (device);
}

/* Of a completion queue: the device's, or a connection's. */
static void
channel_ready (struct reactor_watch *watch, uint32_t epoll_events)
{
  struct rdma_device *device =
    (void *) ((char *) watch - offsetof (struct rdma_device, watch));
  struct ibv_cq *cq;
  void *context;

  rdma_device_hold (device);
  while (ibv_get_cq_event (device->channel, &cq, &context) == 0) {
    if (context == NULL) {
      device->nr_events++;
      /* Before polling: what comes after that is a new event. */
      ibv_req_notify_cq (cq, 0);
      poll_receives (device);
    }
    else {
      ibv_ack_cq_events (cq, 1);
      if (rdma_has_send_cq (context))
        rdma_sends_told (context);
    }
  }
  rdma_device_put (device);
}

int
rdma_device_start (struct rdma_device *device)
{
  int r;

  if (device->watch.fd >= 0)
    return 0;
  device->watch.fd = device->channel->fd;
  r = reactor_watch_add (device->reactor, &device->watch, EPOLLIN | EPOLLET);
  if (r == 0) {
    r = rdma_events_start (device);
    if (r < 0)
      reactor_watch_remove (device->reactor, &device->watch);
  }
  if (r < 0)
    device->watch.fd = -1;
  return r;
}

/* --- life ------------------------------------------------------------------------ */

/* SEND WITH INV.  Soft-RoCE claims it on kernels where it breaks
 * connections. */
static bool
invalidates (const struct ibv_device_attr *attr)
{
  enum { VENDOR_SOFT_ROCE = 0xffffff };
  struct utsname name;
  unsigned major = 0, minor = 0;

  if (!(attr->device_cap_flags & IBV_DEVICE_MEM_MGT_EXTENSIONS))
    return false;
  if (attr->vendor_id != VENDOR_SOFT_ROCE)
    return true;
  return uname (&name) == 0
    && sscanf (name.release, "%u.%u", &major, &minor) == 2
    && (major > 6 || (major == 6 && minor >= 1));
}

static int
read_attributes (struct rdma_device *device)
{
  struct ibv_device_attr attr;
  unsigned nr_slots = device->nr_slots;

  if (ibv_query_device (device->verbs, &attr) != 0)
    return -EIO;
  device->invalidates = invalidates (&attr);
  device->max_reads = attr.max_qp_init_rd_atom;
  device->max_send_wr = attr.max_qp_wr;
  if (nr_slots > (unsigned) attr.max_srq_wr)
    nr_slots = (unsigned) attr.max_srq_wr;
  if (nr_slots > (unsigned) attr.max_cqe)
    nr_slots = (unsigned) attr.max_cqe;
  device->nr_slots = nr_slots;
  return nr_slots == 0 ? -ENODEV : 0;
}

static int
register_memory (struct rdma_device *device, uint32_t data_bytes)
{
  size_t capsules = (1 + RDMA_HELD_EACH) * device->nr_slots
    * sizeof (struct rdma_capsules);

  capsules = (capsules + 4095) / 4096 * 4096;
  device->memory_bytes = capsules
    + (size_t) device->nr_slots * RDMA_IN_CAPSULE_BYTES + data_bytes;
  device->memory = mmap (NULL, device->memory_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (device->memory == MAP_FAILED) {
    device->memory = NULL;
    return -ENOMEM;
  }
  device->data = device->memory + device->memory_bytes - data_bytes;
  device->mr = ibv_reg_mr (device->pd, device->memory, device->memory_bytes,
                           IBV_ACCESS_LOCAL_WRITE);
  return device->mr ? 0 : rdma_verbs_error ();
}

static int
make_requests (struct rdma_device *device)
{
  unsigned n = device->nr_slots;
  struct rdma_capsules *capsules = (struct rdma_capsules *) device->memory;
  uint8_t *in_capsule = device->data - (size_t) n * RDMA_IN_CAPSULE_BYTES;

  device->requests = calloc ((1 + RDMA_HELD_EACH) * n,
                             sizeof *device->requests);
  device->receives = calloc (n, sizeof *device->receives);
  device->sges = calloc (2 * n, sizeof *device->sges);
  if (!device->requests || !device->receives || !device->sges)
    return -ENOMEM;
  for (unsigned i = n; i < (1 + RDMA_HELD_EACH) * n; i++) {
    struct rdma_request *request = &device->requests[i];

    *request = (struct rdma_request) {
      .device = device,
      .capsules = &capsules[i],
      .buffer_offset = BUDDY_NONE,
    };
    TAILQ_INSERT_TAIL (&device->free_held, request, in_list);
  }
  for (unsigned i = 0; i < n; i++) {
    struct rdma_request *request = &device->requests[i];

    *request = (struct rdma_request) {
      .device = device,
      .capsules = &capsules[i],
      .in_capsule = in_capsule + (size_t) i * RDMA_IN_CAPSULE_BYTES,
      .buffer_offset = BUDDY_NONE,
    };
    device->sges[2 * i] = (struct ibv_sge) {
      .addr = (uintptr_t) &request->capsules->sqe,
      .length = sizeof request->capsules->sqe,
      .lkey = device->mr->lkey,
    };
    device->sges[2 * i + 1] = (struct ibv_sge) {
      .addr = (uintptr_t) request->in_capsule,
      .length = RDMA_IN_CAPSULE_BYTES,
      .lkey = device->mr->lkey,
    };
    device->receives[i] = (struct ibv_recv_wr) {
      .wr_id = i,
      .sg_list = &device->sges[2 * i],
      .num_sge = 2,
      .next = i + 1 < n ? &device->receives[i + 1] : NULL,
    };
  }
  return 0;
}

/* Data buffers are rationed, receives are not: which host's command a receive
 * takes is known only when it has taken it.  A host with very many in flight may
 * use all of them up; what others send is not acknowledged then (receiver not
 * ready) and sent again by their adapters, without a limit, until some are back.
 * Its commands that wait for buffers are over, at the latest, when it is
 * (RDMA_CLOSE_LIMIT_MS, LIMIT_STALL_MS); those that may be held for longer than
 * that keep no receive (rdma-receive.c). */
static int
make_queues (struct rdma_device *device)
{
  struct ibv_srq_init_attr attr = {
    .attr = { .max_wr = device->nr_slots, .max_sge = 2 },
  };
  struct ibv_recv_wr *bad;

  device->channel = ibv_create_comp_channel (device->verbs);
  if (device->channel == NULL)
    return rdma_verbs_error ();
  rdma_set_nonblocking (device->channel->fd);
  device->receive_cq = ibv_create_cq (device->verbs, (int) device->nr_slots,
                                      NULL, device->channel, 0);
  if (device->receive_cq == NULL)
    return rdma_verbs_error ();
  device->srq = ibv_create_srq (device->pd, &attr);
  if (device->srq == NULL)
    return rdma_verbs_error ();
  if (ibv_req_notify_cq (device->receive_cq, 0) != 0
      || ibv_post_srq_recv (device->srq, device->receives, &bad) != 0)
    return -EIO;
  return 0;
}

static void
first_look (void)
{
  struct rdma_event_channel *channel = rdma_create_event_channel ();

  if (channel)
    rdma_destroy_event_channel (channel);
}

static void
look_in_thread (void)
{
  thread_call (first_look);
}

void
rdma_first_look (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, look_in_thread);
}

/* librdmacm keeps a device open, in use or not.  As it lists its devices it
 * notices which are gone. */
void
rdma_forget_removed (void)
{
  struct ibv_context **list = rdma_get_devices (NULL);

  if (list)
    rdma_free_devices (list);
}

void
rdma_device_keep_id (struct rdma_device *device, struct rdma_cm_id *id,
                     struct rdma_event_channel *channel)
{
  struct rdma_cm_id *old_id;
  struct rdma_event_channel *old_channel;

  pthread_mutex_lock (&devices_lock);
  old_id = device->id;
  old_channel = device->id_channel;
  device->id = id;
  device->id_channel = channel;
  pthread_mutex_unlock (&devices_lock);
  if (old_id) {
    rdma_destroy_id (old_id);
    rdma_destroy_event_channel (old_channel);
  }
}

/* Worker thread, when nobody else knows of it any more. */
static void
device_close (struct rdma_device *device)
{
  assert (LIST_EMPTY (&device->rations) && device->taken_bytes == 0);
  if (device->srq)
    ibv_destroy_srq (device->srq);
  if (device->receive_cq) {
    ibv_ack_cq_events (device->receive_cq, device->nr_events);
    ibv_destroy_cq (device->receive_cq);
  }
  if (device->channel)
    ibv_destroy_comp_channel (device->channel);
  free (device->requests);
  free (device->receives);
  free (device->sges);
  buddy_destroy (device->buddy);
  if (device->mr)
    ibv_dereg_mr (device->mr);
  if (device->memory)
    munmap (device->memory, device->memory_bytes);
  if (device->pd)
    ibv_dealloc_pd (device->pd);
  rdma_device_keep_id (device, NULL, NULL);
  if (device->removed)
    rdma_forget_removed ();
}

static void
close_unused (struct reactor_work *work)
{
  /* Whoever makes one of the same memory comes later. */
  LOCK_SCOPE (&making_lock);

  device_close ((void *) ((char *) work - offsetof (struct rdma_device, end)));
}

static void
closed_unused (struct reactor_work *work)
{
  free ((char *) work - offsetof (struct rdma_device, end));
}

static int
device_create (struct reactor *reactor, struct ibv_context *verbs,
               struct rdma_device **result, const char **what)
{
  struct rdma_device *device = calloc (1, sizeof *device);
  uint32_t data_bytes;
  int r;

  *what = "memory";
  if (device == NULL)
    return -ENOMEM;
  device->reactor = reactor;
  device->verbs = verbs;
  device->users = 1;
  device->watch.ready = channel_ready;
  device->watch.fd = device->events.fd = -1;
  device->again.run = run_again;
  device->flush.run = flush_reposts;
  device->grant.run = rdma_grant_buffers;
  device->end.work = close_unused;
  device->end.done = closed_unused;
  TAILQ_INIT (&device->starved);
  TAILQ_INIT (&device->quiet);
  TAILQ_INIT (&device->free_held);
  plan_memory (&device->nr_slots, &data_bytes);
  device->data_bytes = data_bytes;

  device->buddy = buddy_create (data_bytes);
  r = device->buddy ? read_attributes (device) : -ENOMEM;
  if (r == 0 && (device->pd = ibv_alloc_pd (verbs)) == NULL)
    r = rdma_verbs_error ();
  if (r == 0) {
    *what = "locked memory";
    r = register_memory (device, data_bytes);
  }
  if (r == 0) {
    *what = "shared receive queue";
    r = make_requests (device);
  }
  if (r == 0)
    r = make_queues (device);
  if (r < 0) {
    device_close (device);
    free (device);
    return r;
  }
  *result = device;
  return 0;
}

static struct rdma_device *
find_device (struct reactor *reactor, struct ibv_context *verbs)
{
  LOCK_SCOPE (&devices_lock);
  struct rdma_device *device;

  LIST_FOREACH (device, &devices, in_devices)
    if (device->reactor == reactor && device->verbs == verbs) {
      device->users++;
      break;
    }
  return device;
}

int
rdma_device_get (struct reactor *reactor, struct ibv_context *verbs,
                 struct rdma_device **device, const char **what)
{
  int r = 0;

  if ((*device = find_device (reactor, verbs)) != NULL)
    return 0;
  LOCK_SCOPE (&making_lock);
  if ((*device = find_device (reactor, verbs)) != NULL)
    return 0;
  r = device_create (reactor, verbs, device, what);
  if (r == 0) {
    LOCK_SCOPE (&devices_lock);
    LIST_INSERT_HEAD (&devices, *device, in_devices);
  }
  return r;
}

void
rdma_device_put (struct rdma_device *device)
{
  bool last;

  if (put_unless_last (device))
    return;
  pthread_mutex_lock (&devices_lock);
  last = --device->users == 0;
  if (last)
    LIST_REMOVE (device, in_devices);
  pthread_mutex_unlock (&devices_lock);
  if (!last)
    return;
  if (device->watch.fd >= 0)
    reactor_watch_remove (device->reactor, &device->watch);
  rdma_events_stop (device);
  reactor_work_submit (device->reactor, &device->end);
}
