/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer is put together in memory that was there before, under locks that
 * are held over nothing that waits, and is written without them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "common/http-answer.h"
#include "plugin/attach.h"
#include "plugin/control.h"

enum { REQUESTS_MAX = 256 };

static char *path;                      /* NULL: the parameter is not given */
static struct http_answer *http;
/* The thread's. */
static struct attach_inflight requests[REQUESTS_MAX];
static const struct attach_inflight *by_age[REQUESTS_MAX];

/* Without qsort, which may allocate. */
static void
sort_by_age (unsigned nr)
{
  for (unsigned i = 0; i < nr; i++) {
    unsigned at = i;

    for (; at > 0 && by_age[at - 1]->is.age_ms < requests[i].is.age_ms; at--)
      by_age[at] = by_age[at - 1];
    by_age[at] = &requests[i];
  }
}

static void
write_request (struct http_reply *reply, const struct attach_inflight *request)
{
  http_reply_format (reply, "    {\"age_ms\": %llu, \"stage\": \"%s\", "
                     "\"op\": \"%s\", ",
                     (unsigned long long) request->is.age_ms,
                     request->is.stage, request->is.op);
  http_reply_format (reply, "\"offset_bytes\": %llu, \"length_bytes\": %llu, "
                     "\"volume\": ",
                     (unsigned long long) request->is.offset,
                     (unsigned long long) request->is.count);
  http_reply_string (reply, request->volume);
  if (request->path[0]) {
    http_reply_text (reply, ", \"path\": ");
    http_reply_string (reply, request->path);
  }
  if (request->is.qid > 0)
    http_reply_format (reply, ", \"qid\": %u, \"cid\": %u", request->is.qid,
                       request->is.cid);
  http_reply_text (reply, "}");
}

/* /v1/inflight, or of one volume.  The name's '/' may be escaped. */
static bool
choose (const char *asked, char volume[512])
{
  static const char route[] = "/v1/inflight";
  size_t n = 0;

  if (strncmp (asked, route, sizeof route - 1) != 0)
    return false;
  asked += sizeof route - 1;
  if (*asked != '\0' && *asked++ != '/')
    return false;
  while (*asked && n < 511)
    if (strncmp (asked, "%2F", 3) == 0 || strncmp (asked, "%3A", 3) == 0) {
      volume[n++] = asked[1] == '2' ? '/' : ':';
      asked += 3;
    }
    else
      volume[n++] = *asked++;
  volume[n] = '\0';
  return true;
}

static bool
answer (void *opaque, const char *asked, struct http_reply *reply)
{
  char volume[512];
  unsigned total, nr;

  if (!choose (asked, volume))
    return false;
  total = attach_list_inflight (volume, requests, REQUESTS_MAX);
  nr = total < REQUESTS_MAX ? total : REQUESTS_MAX;
  sort_by_age (nr);
  http_reply_text (reply, "{\n  \"program\": \"nbdkit\",\n  \"requests\": [");
  for (unsigned i = 0; i < nr; i++) {
    http_reply_text (reply, i > 0 ? ",\n" : "\n");
    write_request (reply, by_age[i]);
  }
  http_reply_format (reply, "\n  ],\n  \"more\": %u\n}\n", total - nr);
  return true;
}

int
control_config (const char *value)
{
  free (path);
  /* nbdkit leaves its directory when it goes to the background. */
  path = nbdkit_absolute_path (value);
  return path ? 0 : -1;
}

int
control_open (void)
{
  struct error err;

  if (path == NULL || http_answer_open (path, answer, NULL, &http, &err) == 0)
    return 0;
  nbdkit_error ("%s", err.message);
  errno = err.code;
  return -1;
}

int
control_start (void)
{
  int err = http ? http_answer_start (http) : 0;

  if (err)
    nbdkit_error ("control: %s: thread: %s", path, strerror (err));
  errno = err;
  return err ? -1 : 0;
}

void
control_stop (void)
{
  http_answer_stop (http);
  http = NULL;
  free (path);
  path = NULL;
}
