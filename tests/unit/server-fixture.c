/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's half of the fixture: all parts are the real ones.  Holding
 * writes back replaces one function of the engine's table.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/unit/server-fixture.h"

#define GOOD(call)                                      \
  do {                                                  \
    struct error err = { 0 };                           \
    if ((call) < 0)                                     \
      fail_msg ("%s", err.message);                     \
  } while (0)

void
fixture_nap (void)
{
  nanosleep (&(struct timespec) { .tv_nsec = 1000000 }, NULL);
}

/* --- writes that are held back ---------------------------------------------- */

enum { HELD_MAX = 256 };

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static bool holding;
static struct held {
  struct reactor_task task;
  struct engine_volume *volume;
  struct engine_request *request;
} held[HELD_MAX];
static unsigned nr_held;
static const struct engine_ops *engine;         /* constant while it runs */

static void
run_held (struct reactor_task *task)
{
  struct held *h = (struct held *) task;
  int r = engine->submit (h->volume, h->request);

  assert_int_not_equal (r, ENGINE_PENDING);
  h->request->done (h->request, r);
}

static int
holding_submit (struct engine_volume *volume, struct engine_request *request)
{
  bool keep;

  pthread_mutex_lock (&held_lock);
  keep = holding && request->op == ENGINE_WRITE;
  if (keep) {
    assert_in_range (nr_held, 0, HELD_MAX - 1);
    held[nr_held++] = (struct held) {
      .task.run = run_held, .volume = volume, .request = request,
    };
  }
  pthread_mutex_unlock (&held_lock);
  return keep ? ENGINE_PENDING : engine->submit (volume, request);
}

static struct engine_ops holding_ops;

void
server_hold_writes (struct server *server)
{
  LOCK_SCOPE (&held_lock);

  holding = true;
  nr_held = 0;
}

unsigned
server_held_writes (void)
{
  LOCK_SCOPE (&held_lock);

  return nr_held;
}

void
server_release_writes (void)
{
  LOCK_SCOPE (&held_lock);

  holding = false;
  for (unsigned i = 0; i < nr_held; i++)
    reactor_post (held[i].request->reactor, &held[i].task);
  nr_held = 0;
}

/* --- life ------------------------------------------------------------------- */

static void
open_volume (struct server *server, const struct server_options *options)
{
  uint64_t size_bytes = options->size_bytes ? options->size_bytes : 64 << 20;
  uint32_t block_size = options->block_size ? options->block_size : 512;

  engine = options->directory ? &engine_file : &engine_ram;
  GOOD (engine->pool_open ("pool", options->directory ? options->directory
                           : "", server->reactors, SERVER_REACTORS,
                           &server->pool, &err));
  GOOD (engine->volume_create (server->pool, "vol", size_bytes, block_size,
                               &err));
  GOOD (engine->volume_open (server->pool, "vol", &server->volume, &err));
  holding_ops = *engine;
  holding_ops.submit = holding_submit;
  server->volume->ops = &holding_ops;
  server->volume->read_only = options->read_only;
}

void
server_start (struct server *server, const struct server_options *options)
{
  *server = (struct server) { 0 };
  for (unsigned i = 0; i < SERVER_REACTORS; i++)
    GOOD (reactor_create (i, &server->reactors[i], &err));
  open_volume (server, options);
  for (unsigned i = 0; i < SERVER_REACTORS; i++)
    GOOD (reactor_start (server->reactors[i], &err));
  GOOD (target_create (&server->target, &err));
  GOOD (subsystem_add (server->target, server->volume,
                       &(struct host_list) { 0 }, &server->subsystem, &err));
  GOOD (address_parse ("listen", options->listen ? options->listen
                       : "tcp://127.0.0.1:0", &server->address, &err));
  server->listener_number = target_add_listener (server->target);
  GOOD (listener_open (server->target, server->listener_number,
                       &server->address, server->reactors, SERVER_REACTORS,
                       &server->listener, &err));
  if (!options->deaf)
    listener_start (server->listener);
}

void
server_stop (struct server *server)
{
  listener_close (server->listener);
  target_drain (server->target);
  transport_drain ();
  GOOD (subsystem_remove (server->subsystem, "test", &err));
  target_destroy (server->target);
  engine->volume_close (server->volume);
  engine->pool_close (server->pool);    /* the reactors hold its lock */
  for (unsigned i = 0; i < SERVER_REACTORS; i++)
    reactor_destroy (server->reactors[i]);
}
