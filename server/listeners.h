/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's listeners: a set that changes as a whole, or not at all, while
 * others ask for it.
 *
 *   prepare    binds what is new; nobody is accepted there yet
 *   replace    binds what one that is wanted no more was in the way of, which
 *              is closed for it; the last step that may fail
 *   commit     closes what is wanted no more, accepts on the new ones
 *   rollback   instead of replace or commit: as it was before
 *
 * A listener is known by the address that was asked for; the one that it has
 * differs where a port was left open.
 *
 * Threads: one changes the set (start, then reload, then stop); any but a
 * reactor's may call listeners_each.
 */
#ifndef QBD_SERVER_LISTENERS_H
#define QBD_SERVER_LISTENERS_H

#include "common/address.h"
#include "common/error.h"
#include "server/reactor/reactor.h"
#include "server/target/target.h"

#define LISTENERS_MAX 16

struct listeners;

int listeners_new (struct target *target, struct reactor *const *reactors,
                   unsigned nr_reactors, struct listeners **listeners,
                   struct error *err);
/* Closes all; connections live on. */
void listeners_free (struct listeners *listeners);

/* ana: of each, enum nvme_ana_state, from commit on.  An address that is in
 * use, and overlaps that of a listener which is wanted no more (0.0.0.0
 * instead of 127.0.0.1), is left to replace.  After an error all is as
 * before. */
int listeners_prepare (struct listeners *listeners,
                       const struct address *wanted, const uint8_t *ana,
                       unsigned nr_wanted, struct error *err);
/* The reactors run.  After an error all is as before: what was closed is
 * opened again; where somebody else was faster, that is logged. */
int listeners_replace (struct listeners *listeners, struct error *err);
void listeners_rollback (struct listeners *listeners);
/* The reactors run. */
void listeners_commit (struct listeners *listeners);

/* The addresses that are served, and the names of their ANA states.  each only
 * copies. */
void listeners_each (struct listeners *listeners,
                     void (*each) (void *opaque, const struct address *,
                                   const char *ana),
                     void *opaque);

#endif
