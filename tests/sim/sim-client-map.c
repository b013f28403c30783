/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions of the simulated client about block status, one at a time, beside
 * its load: what is called a hole must be legal as zeroes.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "nvmeof/status.h"
#include "tests/sim/sim-client-parts.h"
#include "tests/sim/world.h"

/* What is called a hole of zeroes must be legal as zeroes. */
static int
map_extent (void *opaque, uint64_t offset, uint64_t count, unsigned status)
{
  static const uint8_t zeroes[4096];
  struct sim_client *client = opaque;
  const uint32_t block_size = client->params.block_size;
  uint64_t i;

  world_note (offset ^ (count << 20) ^ status);
  if (offset != client->map.next_bytes || count == 0)
    sim_client_complain (client, "block status: a gap between extents", EPROTO);
  client->map.next_bytes = offset + count;
  if (status != 0 && status != (QBD_HOLE | QBD_ZERO))
    sim_client_complain (client, "block status: neither data nor zeroes",
                         EPROTO);
  for (i = offset; status != 0 && i < offset + count; i += block_size)
    if (!model_read_ends (client->model, (uint32_t) (i / block_size), 1,
                          client->map.at, zeroes))
      client->wrong = true;
  return 0;
}

/* [the admin queue is locked] */
static void
map_done (struct request *request)
{
  struct sim_client *client = (struct sim_client *)
    ((char *) request - offsetof (struct sim_client, map.request));

  client->map.answered = true;
  paths_leave (client->paths);
}

/* A question that got no answer is not asked again. */
static bool
gives_up (const struct sim_client *client)
{
  return client->paths->nr == 1 || paths_error (client->paths, false) != 0;
}

/* Over the only path, or one of several: when there is none, it is asked
 * later. */
static void
map_submit (struct sim_client *client)
{
  struct paths *paths = client->paths;
  struct association *association = paths->association[0];
  struct transport_request *t = &client->map.request.transport;
  struct queue *admin;
  int r = -ENOTCONN;

  client->map.asked = true;
  client->map.answered = false;
  paths_enter (paths);
  if (paths->nr > 1)
    association = paths_pick (paths, false);
  if (association == NULL) {
    paths_leave (paths);
    client->map.asked = !gives_up (client);
    return;
  }
  client->map.over = association;
  admin = association->admin;
  client->map.at = model_read_begins (client->model);
  memset (&client->map.request, 0, sizeof client->map.request);
  client->map.request.done = map_done;
  t->sqe = block_status_ask (&client->map.status);
  t->data = TRANSPORT_FROM_CONTROLLER;
  t->iov = (struct iovec) { &client->map.status.answer,
                            client->map.status.bytes };
  queue_lock (admin);
  queue_set_now_locked (admin, world_now_ms ());
  r = queue_submit_locked (admin, &client->map.request, true);
  queue_unlock (admin);
  queue_flush_sends (admin);
  client->map.under_way = r == 0;
  if (r < 0)
    paths_leave (paths);
  if (r < 0 && gives_up (client)) {
    client->map.asked = false;
    if (!sim_client_may_fail (client))
      sim_client_complain (client, "block status", -r);
  }
}

static void
map_ask (struct sim_client *client)
{
  const uint32_t block_size = client->params.block_size;
  uint32_t count, block;
  int error;

  sim_client_choose_whole (client, &block, &count);
  client->map.left--;
  client->map.next_bytes = (uint64_t) block * block_size;
  error = block_status_init (&client->map.status, client->volume,
                             (uint64_t) count * block_size,
                             client->map.next_bytes,
                             world_once_in (4) ? QBD_ONE_EXTENT : 0,
                             map_extent, client);
  if (error != 0)
    sim_client_complain (client, "block status", error);
  else
    map_submit (client);
}

/* Once more, over another path? */
static bool
map_moves (struct sim_client *client)
{
  const struct transport_request *answer = &client->map.request.transport;

  if (gives_up (client))
    return false;
  if (answer->error == 0 && status_is_path (nvme_cqe_status (&answer->cqe)))
    paths_doubt (client->map.over);
  else if (answer->error == 0)
    return false;
  return true;
}

void
sim_client_ask_map (struct sim_client *client)
{
  int r;

  if (client->map.asked && !client->map.under_way)
    map_submit (client);
  if (client->map.answered) {
    client->map.answered = client->map.under_way = false;
    if (map_moves (client))
      return;
    client->map.asked = false;
    if (client->map.request.transport.error != 0)
      r = -client->map.request.transport.error;
    else
      r = block_status_answered (&client->map.status,
                                 nvme_cqe_status (&client->map.request
                                                  .transport.cqe));
    if (r < 0 && !sim_client_may_fail (client))
      sim_client_complain (client, "block status", -r);
    if (r > 0)
      map_submit (client);
  }
  while (!client->map.asked && client->map.left > 0)
    map_ask (client);
}
