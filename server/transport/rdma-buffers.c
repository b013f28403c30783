/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers for data that a capsule has no room for, in the registered memory of
 * what a reactor has of an RDMA device.  A request that finds none, or whose
 * controller has used up its ration, waits, and connections take turns.
 */
#include "server/transport/rdma-internal.h"

static bool
ration_left (const struct rdma_request *request)
{
  const struct rdma_device *device = request->device;

  return ration_has_room (request->connection->ration,
                          request->command.data_bytes, device->taken_bytes,
                          device->data_bytes);
}

static bool
take_buffer (struct rdma_request *request)
{
  struct rdma_device *device = request->device;
  uint32_t bytes = request->command.data_bytes;

  request->buffer_offset = buddy_take (device->buddy, bytes);
  if (request->buffer_offset == BUDDY_NONE) {
    device->full = true;
    return false;
  }
  request->command.buffer = device->data + request->buffer_offset;
  device->taken_bytes += bytes;
  request->connection->ration->bytes += bytes;
  return true;
}

int
rdma_buffer_get (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;
  struct rdma_device *device = request->device;

  assert (request->command.data_bytes <= BUDDY_BYTES_MAX);
  /* Who has sent no Connect yet asks for nothing so large. */
  if (connection->ration == NULL) {
    connection->ration = ration_get (&device->rations,
                                     connection->queue.controller);
    if (connection->ration == NULL)
      return -ENOMEM;
  }
  if (!device->full && TAILQ_EMPTY (&connection->waiting)
      && ration_left (request) && take_buffer (request))
    return 0;
  if (TAILQ_EMPTY (&connection->waiting)) {
    TAILQ_INSERT_TAIL (&device->starved, connection, in_starved);
    device->nr_starved++;
  }
  TAILQ_INSERT_TAIL (&connection->waiting, request, in_list);
  rdma_request_set_state (request, RDMA_REQUEST_WAITING);
  rdma_await_quiet (device);
  return -EAGAIN;
}

void
rdma_buffer_cancel (struct rdma_request *request)
{
  struct rdma_connection *connection = request->connection;
  struct rdma_device *device = request->device;

  TAILQ_REMOVE (&connection->waiting, request, in_list);
  if (!TAILQ_EMPTY (&connection->waiting))
    return;
  TAILQ_REMOVE (&device->starved, connection, in_starved);
  if (--device->nr_starved == 0)
    device->full = false;
}

static void
rotate (struct rdma_device *device, struct rdma_connection *connection)
{
  TAILQ_REMOVE (&device->starved, connection, in_starved);
  TAILQ_INSERT_TAIL (&device->starved, connection, in_starved);
}

/* One request of each connection in turn; none overtakes one for which there
 * is no room yet.  Who waits for its ration only is left out. */
void
rdma_grant_buffers (struct reactor_task *task)
{
  struct rdma_device *device =
    (void *) ((char *) task - offsetof (struct rdma_device, grant));
  unsigned nr_left_out = 0;

  device->grant_deferred = false;
  device->full = false;
  while (nr_left_out < device->nr_starved) {
    struct rdma_connection *connection = TAILQ_FIRST (&device->starved);
    struct rdma_request *request = TAILQ_FIRST (&connection->waiting);
    bool left_out = !ration_left (request);

    if (!left_out && !take_buffer (request))
      break;
    rotate (device, connection);
    nr_left_out = left_out ? nr_left_out + 1 : 0;
    if (!left_out) {
      rdma_buffer_cancel (request);
      rdma_request_granted (request);
    }
  }
  rdma_device_put (device);
}

void
rdma_buffer_give (struct rdma_request *request)
{
  struct rdma_device *device = request->device;
  uint32_t bytes = request->command.data_bytes;

  if (request->buffer_offset == BUDDY_NONE)
    return;
  buddy_give (device->buddy, request->buffer_offset, bytes);
  request->buffer_offset = BUDDY_NONE;
  device->taken_bytes -= bytes;
  request->connection->ration->bytes -= bytes;
  if (!TAILQ_EMPTY (&device->starved) && !device->grant_deferred) {
    device->grant_deferred = true;
    rdma_device_hold (device);
    reactor_defer (device->reactor, &device->grant);
  }
}
