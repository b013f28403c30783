/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines for the administrator.  A few wait for the thread that writes them;
 * what does not fit is counted.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "plugin/notice.h"

enum { LINES_MAX = 16, LINE_BYTES = 512 };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  char lines[LINES_MAX][LINE_BYTES];
  unsigned first, nr;
  unsigned dropped;
  bool stop;
  bool started;                 /* main thread only */
  pthread_t thread;
} notices = {
  .lock = PTHREAD_MUTEX_INITIALIZER,
  .changed = PTHREAD_COND_INITIALIZER,
};

void
notice (void *opaque, const char *message)
{
  pthread_mutex_lock (&notices.lock);
  if (notices.nr < LINES_MAX) {
    unsigned last = (notices.first + notices.nr++) % LINES_MAX;

    snprintf (notices.lines[last], LINE_BYTES, "%s", message);
  }
  else
    notices.dropped++;
  pthread_cond_signal (&notices.changed);
  pthread_mutex_unlock (&notices.lock);
}

/* nbdkit has no other level than error that is seen without -v. */
static void *
write_lines (void *arg)
{
  char line[LINE_BYTES];
  unsigned dropped;

  pthread_mutex_lock (&notices.lock);
  while (notices.nr > 0 || !notices.stop) {
    if (notices.nr == 0) {
      pthread_cond_wait (&notices.changed, &notices.lock);
      continue;
    }
    memcpy (line, notices.lines[notices.first], sizeof line);
    notices.first = (notices.first + 1) % LINES_MAX;
    notices.nr--;
    dropped = notices.dropped;
    notices.dropped = 0;
    pthread_mutex_unlock (&notices.lock);
    nbdkit_error ("%s", line);
    if (dropped > 0)
      nbdkit_error ("notices that were lost: %u", dropped);
    pthread_mutex_lock (&notices.lock);
  }
  pthread_mutex_unlock (&notices.lock);
  return NULL;
}

int
notice_start (void)
{
  int err = pthread_create (&notices.thread, NULL, write_lines, NULL);

  notices.started = err == 0;
  return err;
}

void
notice_stop (void)
{
  if (!notices.started)
    return;
  pthread_mutex_lock (&notices.lock);
  notices.stop = true;
  pthread_cond_signal (&notices.changed);
  pthread_mutex_unlock (&notices.lock);
  pthread_join (notices.thread, NULL);
  notices.started = false;
}
