/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an association is opened: driven to LIVE by whoever opens it, over one
 * place of its name after the other, over RDMA and then over TCP; and how the
 * further paths of a volume are prepared, which the keeper connects.  What the
 * association is, and its states: association.c.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "common/clock.h"
#include "lib/association-steps.h"

/* --- to LIVE ------------------------------------------------------------ */

void
association_poll (struct association *association)
{
  struct pollfd fds[2 + IO_QUEUES_MAX];
  uint64_t next_ms = association_next_ms (association);
  uint64_t now_ms = clock_now_ms ();
  uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
  nfds_t n = 0;

  fds[n].fd = queue_poll_fd (association->admin, &fds[n].events);
  n++;
  for (uint32_t i = 0; i < association->nr_io; i++, n++)
    fds[n].fd = queue_poll_fd (association->io[i], &fds[n].events);
  if (association->params.attempt)
    fds[n++] = (struct pollfd) { .fd = association->params.attempt->fd,
                                 .events = POLLIN };
  poll (fds, n, wait_ms < INT_MAX ? (int) wait_ms : INT_MAX);
}

int
association_attach (struct association *association, struct error *err)
{
  enum association_state state;

  association_start (association, clock_now_ms ());
  for (;;) {
    state = association_drive (association, clock_now_ms ());
    if (!association_is_setting_up (state))
      break;
    association_poll (association);
  }
  association_get_state (association, err);
  /* DOWN: it was live for a moment, and will be again. */
  return state == ASSOCIATION_LIVE || state == ASSOCIATION_DOWN ? 0 :
    -err->code;
}

/* --- places and transports ---------------------------------------------- */

/* One of the places that a name has. */
struct place {
  const struct stream_route *route;
  unsigned index;
  uint64_t until_ms;            /* when it has to be reached */
};

/* *reached: it was a server's answer that it failed with.  place NULL: all
 * that its name has. */
static int
open_at (const struct association_params *params, enum address_family family,
         const struct place *place, struct association **result,
         bool *reached, struct error *err)
{
  struct association *association = association_create (params, err);
  int r;

  *reached = false;
  if (!association)
    return -err->code;
  association_set_server (association, family);
  if (place) {
    association->route = *place->route;
    association->place = place->index;
    association->reach_until_ms = place->until_ms;
  }
  r = association_attach (association, err);
  association->reach_until_ms = 0;
  if (r < 0) {
    *reached = association->reached;
    association_free (association);
    return r;
  }
  *result = association;
  return 0;
}

/* Of an address family that this machine lacks, or has no RDMA device for. */
static bool
says_little (int code)
{
  return code == EAFNOSUPPORT || code == ENETUNREACH ||
    code == EADDRNOTAVAIL || code == ENODEV;
}

/* What is left of the time limit of something that began then. */
static uint32_t
left_ms (uint64_t began_ms, uint32_t limit_ms)
{
  uint64_t took_ms = clock_now_ms () - began_ms;

  return took_ms < limit_ms ? limit_ms - (uint32_t) took_ms : 0;
}

/* By RDMA a connection is only begun (for TCP, stream.h tries all places), so
 * each place is tried by an association of its own.  One that does not answer
 * leaves the others their share of reach_ms; one that does has all the time. */
static int
open_rdma (const struct association_params *params, uint32_t reach_ms,
           struct association **result, bool *reached, struct error *err)
{
  uint64_t began_ms = clock_now_ms ();
  struct association_params rest = *params;
  struct address server = params->options.server;
  struct stream_route route;
  struct place place = { .route = &route };
  struct error why;

  *reached = false;
  server.family = ADDRESS_RDMA;
  if (stream_resolve (&server, (int) reach_ms,
                      params->attempt ? params->attempt->fd : -1, &route,
                      err) < 0)
    return -err->code;
  for (unsigned i = 0; i < route.nr; i++) {
    uint32_t reach_left_ms = left_ms (began_ms, reach_ms);

    if (i > 0 && reach_left_ms == 0)
      break;
    rest.options.connect_tmo_ms =
      left_ms (began_ms, params->options.connect_tmo_ms);
    place.index = i;
    place.until_ms = clock_now_ms () + reach_left_ms / (route.nr - i) + 1;
    if (open_at (&rest, ADDRESS_RDMA, &place, result, reached, &why) == 0)
      return 0;
    /* The resolver's first choice has the reason that matters. */
    if (i == 0 || says_little (err->code) || *reached ||
        why.code == ESHUTDOWN)
      *err = why;
    if (*reached || why.code == ESHUTDOWN)
      break;
  }
  return -err->code;
}

int
association_open (const struct association_params *params,
                  struct association **association, bool *reached,
                  struct error *err)
{
  enum address_family family = params->options.server.family;
  uint32_t limit_ms = params->options.connect_tmo_ms;
  struct association_params rest = *params;
  uint64_t began_ms = clock_now_ms ();
  struct error why;
  int r;

  if (params->options.transport != OPTIONS_TRANSPORT_AUTO)
    return family == ADDRESS_RDMA ?
      open_rdma (params, limit_ms, association, reached, err) :
      open_at (params, family, NULL, association, reached, err);
  /* The other half is TCP's, where RDMA reaches nobody. */
  r = open_rdma (params, limit_ms / 2, association, reached, &why);
  if (r == 0)
    return 0;
  *err = why;
  rest.options.connect_tmo_ms = left_ms (began_ms, limit_ms);
  if (*reached || why.code == ESHUTDOWN || rest.options.connect_tmo_ms == 0)
    return r;
  r = open_at (&rest, ADDRESS_TCP, NULL, association, reached, err);
  if (r == 0)
    (*association)->fallback = why;
  return r;
}

/* --- a further path ----------------------------------------------------- */

/* Nothing looks a name up later, as that allocates.  That of an RDMA server is
 * needed to make its queues. */
static int
look_up_or_leave_out (struct association *association, struct error *err)
{
  struct error line;

  if (association->params.dial || association_look_up (association, err) == 0)
    return 0;
  if (association->server.family == ADDRESS_RDMA || err->code == ESHUTDOWN ||
      err->code == ENOMEM)
    return -err->code;
  error_set (&line, 0, "%s: %s: this path is left out until the volume is "
             "opened anew", options_name (&association->params.options),
             err->message);
  association_tell (association, line.message);
  return 0;
}

int
association_prepare (struct association *association,
                     const struct association *like, struct error *err)
{
  error_set (&association->error, ENOTCONN, "%s: %s: not connected yet",
             options_name (&association->params.options), association->uri);
  association->was_live = true;
  association->now_ms = clock_now_ms ();
  association->deadline_ms =
    association->now_ms + association->params.options.connect_tmo_ms;
  association->vs = like->vs;
  association->io_slots = like->io_slots;
  association->controller = like->controller;
  association->namespaces[0].nsid = like->namespaces[0].nsid;
  association->namespaces[0].only = like->namespaces[0].only;
  association->namespaces[0].info = like->namespaces[0].info;
  association->namespaces[0].size_bytes = like->namespaces[0].size_bytes;
  association->nr_namespaces = 1;
  association_advance (association, ASSOCIATION_DOWN);
  if (look_up_or_leave_out (association, err) < 0)
    return -err->code;
  return association_prepare_queues (association, like->nr_io, err);
}
