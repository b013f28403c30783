/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening all paths of a volume.  What a server says about it has to fit: two
 * servers with different volumes of one name are no paths of either.  A
 * server that cannot be reached is no reason to fail, as long as there is
 * another one: its path is prepared, and the keeper connects it.
 */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "lib/internal.h"

enum { OTHERS_MS = 2000 };      /* for a path, when there is one already */

struct attempt_at_paths {
  const struct options *options;
  bool shared;
  struct attempt *attempt;
  uint64_t deadline_ms;
  struct association_params params;     /* of the path under way */
  struct association *association[PATHS_MAX];   /* NULL: out of reach */
  struct association *first;            /* that is live */
  struct error why;                     /* the first one that failed */
};

/* --- one path ----------------------------------------------------------- */

/* A part of the time that is left, so that a server that does not answer
 * leaves some to the next. */
static uint32_t
share_ms (const struct attempt_at_paths *a, unsigned i)
{
  uint64_t now_ms = clock_now_ms ();
  uint64_t deadline_ms = a->deadline_ms + a->attempt->longer_ms;
  uint64_t left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 1;

  left_ms /= a->options->nr_servers - i;
  if (a->first && left_ms > OTHERS_MS)
    left_ms = OTHERS_MS;
  return left_ms > 0 ? (uint32_t) left_ms : 1;
}

/* *reached: a server answered. */
static int
find_nqn (struct attempt_at_paths *a, bool *reached, struct error *err)
{
  const struct options *options = &a->params.options;
  uint64_t deadline_ms = clock_now_ms () + options->connect_tmo_ms;

  *reached = false;
  if (a->params.subnqn[0])
    return 0;
  if (options->nqn[0]) {
    memcpy (a->params.subnqn, options->nqn, sizeof a->params.subnqn);
    return 0;
  }
  return discover_volume (options, a->attempt, deadline_ms, a->params.subnqn,
                          reached, err);
}

static int
connect_path (struct attempt_at_paths *a, unsigned i, bool *reached,
              struct error *err)
{
  struct association *association;
  uint64_t began_ms = clock_now_ms (), took_ms;
  int r;

  a->params.options = options_of_server (a->options, i);
  a->params.options.connect_tmo_ms = share_ms (a, i);
  r = find_nqn (a, reached, err);
  if (r < 0)
    return r;
  took_ms = clock_now_ms () - began_ms;
  if (took_ms < a->params.options.connect_tmo_ms)
    a->params.options.connect_tmo_ms -= (uint32_t) took_ms;
  else
    a->params.options.connect_tmo_ms = 1;
  r = association_open (&a->params, &association, reached, err);
  if (r < 0)
    return r;
  /* As it was asked for, when it connects again. */
  association->params.options = options_of_server (a->options, i);
  association->params.attempt = NULL;
  a->association[i] = association;
  return 0;
}

/* --- all of them -------------------------------------------------------- */

/* Without identifiers, the subsystem's serial number has to do. */
static bool
same_namespace (const struct association *a, const struct association *b)
{
  const struct namespace *one = &a->namespaces[0];
  const struct namespace *other = &b->namespaces[0];

  if (one->nsid != other->nsid ||
      one->info.block_bytes != other->info.block_bytes)
    return false;
  if (identify_ids_known (&one->info.ids))
    return memcmp (&one->info.ids, &other->info.ids,
                   sizeof one->info.ids) == 0;
  return memcmp (a->controller.serial, b->controller.serial,
                 sizeof a->controller.serial) == 0;
}

/* It may be there later. */
static bool
is_out_of_reach (bool reached, int code)
{
  return code != ESHUTDOWN && code != ENOMEM && code != EMFILE &&
    (!reached || code == EBUSY || code == ETIMEDOUT || code == ECONNRESET ||
     code == ENOTCONN);
}

static int
try_path (struct attempt_at_paths *a, unsigned i, struct error *err)
{
  struct association *association;
  bool reached;
  char uri[ADDRESS_TEXT_MAX];

  if (connect_path (a, i, &reached, err) < 0) {
    if (a->why.code == 0)
      a->why = *err;
    if (a->options->nr_servers > 1 && is_out_of_reach (reached, err->code))
      return 0;
    return -err->code;
  }
  association = a->association[i];
  if (!a->first)
    a->first = association;
  if (same_namespace (a->first, association))
    return 0;
  address_format (&a->first->server, uri, sizeof uri);
  return error_set (err, EINVAL, "open: %s: %s and %s have different volumes "
                    "of this name: they are no paths of one",
                    options_name (a->options), uri, association->uri);
}

/* As many queues as the first one has. */
static int
prepare_path (struct attempt_at_paths *a, unsigned i, struct error *err)
{
  struct association *association;

  a->params.options = options_of_server (a->options, i);
  if (a->params.options.connect_tmo_ms > OTHERS_MS)     /* its name's look-up */
    a->params.options.connect_tmo_ms = OTHERS_MS;
  association = association_create (&a->params, err);
  if (!association)
    return -err->code;
  a->association[i] = association;
  if (association_prepare (association, a->first, err) < 0)
    return -err->code;
  association->params.options = options_of_server (a->options, i);
  association->params.attempt = NULL;
  return 0;
}

static int
try_all (struct attempt_at_paths *a, struct error *err)
{
  bool comes_back = a->shared && a->options->ctrl_loss_tmo_ms > 0;

  for (unsigned i = 0; i < a->options->nr_servers; i++)
    if (try_path (a, i, err) < 0)
      return -err->code;
  if (!a->first) {
    *err = a->why;
    return -err->code;
  }
  for (unsigned i = 0; comes_back && i < a->options->nr_servers; i++)
    if (!a->association[i] && prepare_path (a, i, err) < 0)
      return -err->code;
  return 0;
}

/* Without a keeper, one will do. */
static void
take_over (struct attempt_at_paths *a, struct paths *paths)
{
  for (unsigned i = 0; i < PATHS_MAX; i++) {
    struct association *association = a->association[i];

    if (association && (a->shared || association == a->first)) {
      paths_add (paths, association);
      paths_look (association, clock_now_ms ());
      a->association[i] = NULL;
    }
  }
}

struct paths *
paths_open (const struct options *options, bool shared,
            struct attempt *attempt, uint64_t deadline_ms, struct error *err)
{
  struct attempt_at_paths a = {
    .options = options,
    .shared = shared,
    .attempt = attempt,
    .deadline_ms = deadline_ms,
    .params = {
      .attempt = attempt,
      .reconnects = shared && options->ctrl_loss_tmo_ms > 0,
      .several = shared && options->nr_servers > 1,
    },
  };
  struct paths *paths = paths_create (options, err);
  int r;

  if (!paths)
    return NULL;
  r = try_all (&a, err);
  if (r == 0) {
    take_over (&a, paths);
    paths->refs = 1;
    r = paths_retain (paths, err);
  }
  for (unsigned i = 0; i < PATHS_MAX; i++)
    association_free (a.association[i]);
  if (r == 0)
    return paths;
  paths_free (paths);
  return NULL;
}
