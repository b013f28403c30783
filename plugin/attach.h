/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volumes that NBD connections use, and those that one used last.
 *
 * nbdkit opens and closes a handle several times for one client, and a host
 * should not attach and leave each time: the volume of the last handle stays
 * attached.  Only a few of those that nobody uses stay, so that a client
 * that asks for one export after the other does not pile them up.
 */
#ifndef QBD_PLUGIN_ATTACH_H
#define QBD_PLUGIN_ATTACH_H

#include <stdbool.h>
#include <sys/queue.h>

#include <libqbd.h>

#include "plugin/blocks.h"

struct attached;

/* One NBD connection's. */
struct handle {
  struct blocks blocks;         /* the volume, and the lock of all its
                                   handles */
  struct attached *attached;
  TAILQ_ENTRY (handle) link;    /* attach.c's */
};

/* Any thread.  NULL: nbdkit was told why. */
struct handle *attach_open (const struct qbd_config *config, unsigned flags);
void attach_close (struct handle *handle);

/* Before the first is opened: whether the volume of the last handle stays
 * attached.  Not with retain: writes that a client never flushed would be made
 * again long after it has gone, perhaps over another host's. */
void attach_keep_idle (bool keep);

/* A request in flight, with strings of its own. */
struct attach_inflight {
  struct qbd_inflight is;       /* not its volume, nor its path */
  char volume[256];
  char path[300];
};

/* Any thread, the list is the caller's: up to max of the volume's, or of all
 * ("").  Returns how many there are.  Allocates nothing, and waits for no
 * request. */
unsigned attach_list_inflight (const char *volume,
                               struct attach_inflight *list, unsigned max);

/* Any thread: every request of every handle ends with ESHUTDOWN. */
void attach_interrupt (void);
/* Let go of all volumes.  nbdkit that gets a signal does not close its
 * handles; they are closed here, lest the association's thread runs in a
 * plugin that is being unloaded. */
void attach_end (void);

#endif
