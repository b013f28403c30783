/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volume client's own declarations: queue.h, association.h, volume.h and
 * options.h hold them, grouped by file.  Top to bottom:
 *
 *   volume.c  sync.c  aio.c  block-status.c    the functions of libqbd.h
 *      |        \    /
 *      |       transfer.c          one call: split into commands
 *      |          |
 *   registry.c    |                shares paths between volumes
 *   paths.c       |                the associations of a volume
 *   paths-keep.c  |                what the keeper does about them,
 *   paths-replay.c|                and about a cache that one has lost
 *   keeper.c      |                one thread: keep-alive, stale timeouts
 *   reconnect.c   |                and what becomes of a lost association
 *   left-behind.c |                controllers of those that were given up
 *   events.c      |                asynchronous events: sizes that change
 *   namespace.c   |                the namespaces of an association
 *   durable.c     |                what a flush can promise,
 *   retain.c      |                and what makes good for a lost cache
 *   admin.c       |                one admin command, waited for
 *      |          |
 *   association.c |                set-up as a state machine, loss
 *   association-open.c             the first set-up, place after place
 *   discover.c    |                discovery logs, POOL/VOL to NQN
 *          \      |
 *         queue.c                  requests, from submission to completion
 *         queue-roles.c            the lock, the roles of sender and receiver
 *            |
 *       transport.h                tcp-queue.c, tcp-send.c, tcp-receive.c;
 *            |                     rdma-queue.c, -connect.c, -transfer.c
 *            |
 *      common/stream.h             socket, or the simulator's network
 *
 * Everything from association.c down is driven: it takes the time as an
 * argument, makes no thread and waits for nothing but what `dial` does.  The
 * simulator uses: association_create, _start, _drive, _next_ms;
 * paths_create, _add, _free; volume_create, aio_submit, volume_pump,
 * volume_free.
 *
 * Lock order: registry, keeper, association, volume (fds), queue, volume
 * (aio); that of left-behind.c is below all.  A request's done callback runs
 * with its queue's lock held.
 *
 * Functions return 0 or -errno and fill an error where they have one; only
 * the functions of libqbd.h set errno and the thread's message.
 */
#ifndef QBD_LIB_INTERNAL_H
#define QBD_LIB_INTERNAL_H

#include "lib/association.h"
#include "lib/options.h"
#include "lib/paths.h"
#include "lib/queue.h"
#include "lib/retain.h"
#include "lib/transport.h"
#include "lib/volume.h"

#endif
