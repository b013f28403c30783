/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Life and completion of an NVMe/RDMA queue.  Its data belongs to
 * whoever holds the shell's lock, and the parts that rdma-queue.h gives to the
 * sender and the receiver to those.
 *
 * A device works on registered memory only.  To register a caller's buffer
 * for each request allocates in the kernel, and the caller may be the machine's
 * way to its swap.  So data are copied, through memory that is registered with
 * the connection.  What that costs: on a Xeon, copying, and for comparison
 * pinning and unpinning (a buffer of io_uring), without what an adapter takes
 * to learn a key and to forget it:
 *
 *     16 KiB    0.1 us    0.6 us
 *     64 KiB    1.6 us    1.2 us
 *    256 KiB    6.4 us    3.5 us
 *      1 MiB     90 us     23 us
 *
 * With Soft-RoCE to register and forget it takes more instructions than to copy
 * it, whatever its size: bench/NOTES.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/locked-memory.h"
#include "lib/rdma-queue.h"

static_assert (RDMA_IO_DATA_MIN_BYTES >= BUDDY_BYTES_MAX, "");

static const bool legal[RDMA_NR_STATES][RDMA_NR_STATES] = {
  [RDMA_ADDRESS] = { [RDMA_ROUTE] = true, [RDMA_DEAD] = true },
  [RDMA_ROUTE] = { [RDMA_CONNECTING] = true, [RDMA_DEAD] = true },
  [RDMA_CONNECTING] = { [RDMA_READY] = true, [RDMA_DEAD] = true },
  [RDMA_READY] = { [RDMA_DEAD] = true },
};

void
rdma_set_state (struct rdma_queue *queue, enum rdma_state state)
{
  assert (legal[queue->state][state]);
  queue->state = state;
  queue->base.ready = state == RDMA_READY;
}

/* --- completion --------------------------------------------------------- */

static void
complete (struct transport_queue *base, struct transport_request *request)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  struct rdma_slot *slot = &queue->slots[request->slot];

  atomic_store_explicit (&slot->posted, 0, memory_order_relaxed);
  if (slot->piece != BUDDY_NONE)
    buddy_give (queue->buddy, slot->piece, (uint32_t) request->iov.iov_len);
  transport_complete (base, request);
}

void
rdma_check_done (struct rdma_queue *queue, struct transport_request *request)
{
  if (request->state == REQUEST_ANSWERED && !request->sending &&
      queue->slots[request->slot].sent)
    complete (&queue->base, request);
}

void
rdma_answer (struct rdma_queue *queue, struct transport_request *request,
             const struct nvme_cqe *cqe)
{
  request->error = 0;
  request->cqe = *cqe;
  request->state = REQUEST_ANSWERED;
  rdma_check_done (queue, request);
}

static bool
rdma_unsent (const struct transport_queue *base,
             const struct transport_request *request)
{
  const struct rdma_queue *queue = (const struct rdma_queue *) base;
  const struct transport_request *waits = queue->send_first;

  while (waits && waits != request)
    waits = waits->next_send;
  return waits || request->sending;
}

/* --- failure ------------------------------------------------------------ */

static void
lose (struct transport_queue *base, struct transport_request *request)
{
  request->sending = false;
  complete (base, request);
}

/* Let the requests of a dead queue go once no thread uses their memory: the
 * device does not. */
void
rdma_reap (struct rdma_queue *queue)
{
  if (queue->state != RDMA_DEAD || queue->sending || queue->receiving)
    return;
  queue->send_first = NULL;
  queue->send_last = &queue->send_first;
  transport_lose_all (&queue->base, lose);
}

void
rdma_fail (struct transport_queue *base, int error, const char *reason)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  bool was_ready = queue->state == RDMA_READY;
  uint64_t one = 1;
  ssize_t n;

  if (queue->state == RDMA_DEAD)
    return;
  base->error = error;
  snprintf (base->reason, sizeof base->reason, "%s", reason);
  rdma_set_state (queue, RDMA_DEAD);
  /* The queue pair goes into error: what is posted is not sent any more. */
  if (was_ready)
    rdma_disconnect (queue->id);
  n = write (queue->wake_fd, &one, sizeof one);
  (void) n;
  rdma_reap (queue);
}

/* --- the contract ------------------------------------------------------- */

static int
rdma_submit (struct transport_queue *base, struct transport_request *request)
{
  struct rdma_queue *queue = rdma_queue_of (base);
  uint32_t piece = BUDDY_NONE;
  struct rdma_slot *slot;

  if (queue->state == RDMA_DEAD)
    return -base->error;
  if (transport_is_full (base) || base->nr_in_flight >= queue->limit)
    return -EAGAIN;
  if (request->data != TRANSPORT_NO_DATA && request->iov.iov_len > 0) {
    assert (request->iov.iov_len <= BUDDY_BYTES_MAX);
    piece = buddy_take (queue->buddy, (uint32_t) request->iov.iov_len);
    if (piece == BUDDY_NONE)
      return -EAGAIN;
  }
  transport_take_slot (base, request);
  slot = &queue->slots[request->slot];
  slot->piece = piece;
  slot->sent = false;
  request->next_send = NULL;
  *queue->send_last = request;
  queue->send_last = &request->next_send;
  return 0;
}

static int
rdma_wait_fd (struct transport_queue *base)
{
  return rdma_queue_of (base)->epoll_fd;
}

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static bool
rdma_is_wanted_back (struct transport_queue *base)
{
  return rdma_take_removal (rdma_queue_of (base));
}

/* A child has the descriptors too, but the verbs behind them are its
 * parent's: a destroyed queue pair would be gone for both. */
static void
rdma_abandon (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);

  if (queue->pid == getpid ())
    rdma_connection_free (queue);
  else if (queue->cm)
    close (queue->cm->fd);
  if (queue->pid != getpid () && queue->channel)
    close (queue->channel->fd);
  close_fd (&queue->epoll_fd);
  close_fd (&queue->wake_fd);
}

static void
unmap (void *memory, size_t bytes)
{
  if (memory)
    munmap (memory, bytes);
}

static void
rdma_destroy (struct transport_queue *base)
{
  struct rdma_queue *queue = rdma_queue_of (base);

  if (!queue)
    return;
  if (queue->pid == getpid ()) {
    assert (base->nr_in_flight == 0 && !queue->sending && !queue->receiving);
    rdma_connection_free (queue);
    unmap (queue->wire, queue->wire_bytes);
    unmap (queue->data, queue->data_bytes);
    buddy_destroy (queue->buddy);
  } else {
    free (queue->buddy);        /* of requests that are the parent's */
  }
  close_fd (&queue->epoll_fd);
  close_fd (&queue->wake_fd);
  free (queue->receive_sges);
  free (queue->receives);
  free (queue->slots);
  free (base->slots);
  free (queue);
}

static const struct transport_ops rdma_ops = {
  .name = "rdma",
  .handshake = "the connection request",
  .submit = rdma_submit,
  .send_begin = rdma_send_begin,
  .send = rdma_send,
  .send_end = rdma_send_end,
  .recv_begin = rdma_recv_begin,
  .recv = rdma_recv,
  .recv_end = rdma_recv_end,
  .unsent = rdma_unsent,
  .fail = rdma_fail,
  .wait_fd = rdma_wait_fd,
  .arm = rdma_arm,
  .is_wanted_back = rdma_is_wanted_back,
  .abandon = rdma_abandon,
  .destroy = rdma_destroy,
};

/* --- creation ----------------------------------------------------------- */

/* Not for children: theirs would be copies that no device knows, and on old
 * kernels ours would become the copies. */
static void *
map (size_t bytes)
{
  void *memory = mmap (NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED)
    return NULL;
  madvise (memory, bytes, MADV_DONTFORK);
  return memory;
}

/* Of the limit on locked memory a quarter, so that there may be others, but
 * room for one command of full length. */
static uint32_t
data_bytes (uint16_t qid)
{
  uint64_t share_bytes = locked_memory_limit () / 4;
  uint32_t bytes = RDMA_IO_DATA_BYTES;

  if (qid == 0)
    return RDMA_ADMIN_DATA_BYTES;
  while (bytes > RDMA_IO_DATA_MIN_BYTES && bytes > share_bytes)
    bytes /= 2;
  return bytes;
}

static int
make_memory (struct rdma_queue *queue)
{
  uint16_t n = queue->base.nr_slots;

  queue->slots = calloc (n, sizeof *queue->slots);
  queue->receives = calloc (n, sizeof *queue->receives);
  queue->receive_sges = calloc (n, sizeof *queue->receive_sges);
  queue->wire_bytes = n * sizeof *queue->wire;
  queue->wire = map (queue->wire_bytes);
  queue->data = map (queue->data_bytes);
  queue->buddy = buddy_create (queue->data_bytes);
  return queue->slots && queue->receives && queue->receive_sges &&
    queue->wire && queue->data && queue->buddy ? 0 : -ENOMEM;
}

/* Everything but the memory, and the generations of its slots. */
static int
begin (struct rdma_queue *queue, const struct stream_place *server,
       const struct rdma_queue_params *params)
{
  int r;

  transport_begin (&queue->base, &rdma_ops, params->qid, params->depth);
  queue->params = *params;
  queue->server = server->sa;
  queue->limit = params->depth;
  queue->state = RDMA_ADDRESS;
  queue->pid = getpid ();
  queue->send_first = NULL;
  queue->send_last = &queue->send_first;
  queue->nr_completions = 0;
  queue->armed = queue->slept = false;
  queue->spin = spin_init (params->poll_us);
  queue->news.state = RDMA_ADDRESS;
  r = rdma_connect_begin (queue);
  if (r < 0) {
    rdma_abandon (&queue->base);
    queue->base.error = -r;
    rdma_set_state (queue, RDMA_DEAD);
  }
  return r;
}

struct transport_queue *
rdma_queue_create (const struct stream_place *server, const char *uri,
                   const struct rdma_queue_params *params, struct error *err)
{
  struct rdma_queue *queue = calloc (1, sizeof *queue);
  int r = -ENOMEM;

  if (!queue)
    goto err;
  queue->epoll_fd = queue->wake_fd = -1;
  queue->pid = getpid ();
  queue->data_bytes = data_bytes (params->qid);
  if (transport_alloc_slots (&queue->base, params->depth))
    r = make_memory (queue);
  if (r == 0)
    r = begin (queue, server, params);
  if (r == 0)
    return &queue->base;

 err:
  error_set (err, -r, "connect: %s: RDMA: %s", uri, strerror (-r));
  if (queue)
    rdma_destroy (&queue->base);
  return NULL;
}

int
rdma_queue_renew (struct transport_queue *base,
                  const struct stream_place *server,
                  const struct rdma_queue_params *params)
{
  struct rdma_queue *queue = rdma_queue_of (base);

  assert (queue->state == RDMA_DEAD && queue->epoll_fd < 0);
  assert (base->nr_in_flight == 0 && !queue->sending && !queue->receiving);
  return begin (queue, server, params);
}
