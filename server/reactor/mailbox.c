/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mailbox: any thread pushes, the reactor takes all.  A stack that is
 * reversed when it is taken: since the consumer never pops a single task,
 * there is no ABA problem, and tasks of one thread keep their order.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "server/reactor/reactor-internal.h"

int
mailbox_init (struct mailbox *mailbox)
{
  atomic_init (&mailbox->head, NULL);
  atomic_init (&mailbox->sleeping, false);
  mailbox->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  return mailbox->wake_fd >= 0 ? 0 : -errno;
}

void
mailbox_exit (struct mailbox *mailbox)
{
  if (mailbox->wake_fd >= 0)
    close (mailbox->wake_fd);
}

/* The poster writes head, then reads sleeping; the reactor writes sleeping,
 * then reads head.  All four are sequentially consistent, so at least one of
 * the two sees the other, and no task is slept over. */
void
mailbox_post (struct mailbox *mailbox, struct reactor_task *task)
{
  struct reactor_task *head;

  head = atomic_load_explicit (&mailbox->head, memory_order_relaxed);
  do
    task->next = head;
  while (!atomic_compare_exchange_weak (&mailbox->head, &head, task));

  /* The first of several posters wakes for all. */
  if (atomic_load (&mailbox->sleeping) &&
      atomic_exchange (&mailbox->sleeping, false))
    eventfd_write (mailbox->wake_fd, 1);
}

bool
mailbox_sleep (struct mailbox *mailbox)
{
  atomic_store (&mailbox->sleeping, true);
  if (!atomic_load (&mailbox->head))
    return true;
  mailbox_awake (mailbox);
  return false;
}

void
mailbox_awake (struct mailbox *mailbox)
{
  atomic_store_explicit (&mailbox->sleeping, false, memory_order_relaxed);
}

bool
mailbox_has (const struct mailbox *mailbox)
{
  return atomic_load_explicit (&mailbox->head, memory_order_relaxed) != NULL;
}

void
mailbox_run (struct mailbox *mailbox)
{
  struct reactor_task *task, *next, *first = NULL;

  if (!mailbox_has (mailbox))
    return;
  task = atomic_exchange (&mailbox->head, NULL);
  for (; task; task = next) {
    next = task->next;
    task->next = first;
    first = task;
  }
  for (task = first; task; task = next) {
    next = task->next;          /* run may post the task again, or free it */
    task->run (task);
  }
}

void
reactor_post (struct reactor *reactor, struct reactor_task *task)
{
  mailbox_post (&reactor->mailbox, task);
}
