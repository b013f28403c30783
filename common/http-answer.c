/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The little of HTTP/1.1 that its clients need: a request line is read, the
 * rest of the header skipped, and the connection closed behind the answer,
 * which is JSON.  A client has a moment for each of its turns: the next one
 * waits.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http-answer.h"
#include "common/stream.h"

enum {
  ACCEPT_PAUSE_MS = 100,
  CLIENT_LIMIT_MS = 2000,
  HEADER_MAX = 4096,
  REPLY_BYTES = 4096,
};

struct http_reply {
  struct http_answer *http;
  int fd;
  uint64_t deadline_ms;
  bool lost;                    /* the client takes no more */
  bool begun;                   /* the header was written */
  size_t used_bytes;
  char buffer[REPLY_BYTES];
};

struct http_answer {
  http_answer_fn *answer;       /* constant, as all but reply */
  void *opaque;
  int listen_fd;
  int stop_fd;
  struct address address;
  pthread_t thread;
  bool started;
  struct http_reply reply;      /* the thread's */
};

/* --- waiting ---------------------------------------------------------------- */

/* False: the time is over, or all is to stop. */
static bool
wait_for (const struct http_answer *http, int fd, short events,
          uint64_t deadline_ms)
{
  struct pollfd fds[] = {
    { .fd = fd, .events = events }, { .fd = http->stop_fd, .events = POLLIN },
  };
  uint64_t now_ms = clock_now_ms ();
  int timeout_ms = -1;

  if (deadline_ms != UINT64_MAX)
    timeout_ms = now_ms < deadline_ms ? (int) (deadline_ms - now_ms) : 0;
  while (poll (fds, 2, timeout_ms) == -1 && errno == EINTR)
    ;
  return fds[0].revents != 0 && fds[1].revents == 0;
}

/* --- the reply ---------------------------------------------------------------- */

static void
flush (struct http_reply *reply)
{
  const char *from = reply->buffer;
  size_t left = reply->used_bytes;

  reply->used_bytes = 0;
  while (left > 0 && !reply->lost) {
    ssize_t n = send (reply->fd, from, left, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n >= 0) {
      from += n;
      left -= (size_t) n;
    }
    else if (errno == EAGAIN)
      reply->lost = !wait_for (reply->http, reply->fd, POLLOUT,
                               reply->deadline_ms);
    else
      reply->lost = errno != EINTR;
  }
}

static void
put (struct http_reply *reply, const char *text, size_t bytes)
{
  while (bytes > 0) {
    size_t n = sizeof reply->buffer - reply->used_bytes;

    if (n > bytes)
      n = bytes;
    memcpy (reply->buffer + reply->used_bytes, text, n);
    reply->used_bytes += n;
    text += n;
    bytes -= n;
    if (reply->used_bytes == sizeof reply->buffer)
      flush (reply);
  }
}

static void
begin (struct http_reply *reply, const char *status)
{
  static const char rest[] = "\r\nContent-Type: application/json\r\n"
    "Connection: close\r\n\r\n";

  if (reply->begun)
    return;
  reply->begun = true;
  put (reply, "HTTP/1.1 ", 9);
  put (reply, status, strlen (status));
  put (reply, rest, sizeof rest - 1);
}

void
http_reply_text (struct http_reply *reply, const char *text)
{
  begin (reply, "200 OK");
  put (reply, text, strlen (text));
}

void
http_reply_format (struct http_reply *reply, const char *format, ...)
{
  char text[256];
  va_list args;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  http_reply_text (reply, text);
}

void
http_reply_string (struct http_reply *reply, const char *text)
{
  char escape[8];

  http_reply_text (reply, "\"");
  for (; *text; text++)
    if (*text == '"' || *text == '\\' || (unsigned char) *text < 0x20) {
      snprintf (escape, sizeof escape, "\\u%04x", (unsigned char) *text);
      put (reply, escape, 6);
    }
    else
      put (reply, text, 1);
  put (reply, "\"", 1);
}

static void
refuse (struct http_reply *reply, const char *status, const char *message)
{
  begin (reply, status);
  http_reply_text (reply, "{\"error\": {\"message\": ");
  http_reply_string (reply, message);
  http_reply_text (reply, "}}\n");
}

/* --- a connection --------------------------------------------------------------- */

/* The header to its end; false: it does not come, or is too long. */
static bool
read_header (struct http_reply *reply, char header[HEADER_MAX])
{
  size_t have = 0;

  for (;;) {
    ssize_t n = recv (reply->fd, header + have, HEADER_MAX - 1 - have,
                      MSG_DONTWAIT);

    if (n > 0) {
      have += (size_t) n;
      header[have] = '\0';
      if (strstr (header, "\r\n\r\n"))
        return true;
      if (have == HEADER_MAX - 1)
        return false;
    }
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)
             || !wait_for (reply->http, reply->fd, POLLIN,
                           reply->deadline_ms))
      return false;
  }
}

static void
serve (struct http_answer *http, int fd)
{
  struct http_reply *reply = &http->reply;
  char header[HEADER_MAX], *path, *end;

  reply->http = http;
  reply->fd = fd;
  reply->deadline_ms = clock_now_ms () + CLIENT_LIMIT_MS;
  reply->lost = reply->begun = false;
  reply->used_bytes = 0;
  if (!read_header (reply, header))
    return;
  path = header + 4;
  end = strpbrk (path, " \r\n");
  if (strncmp (header, "GET ", 4) != 0 || !end || *end != ' ')
    refuse (reply, "405 Method Not Allowed", "control: only GET is known");
  else {
    *end = '\0';
    if (!http->answer (http->opaque, path, reply))
      refuse (reply, "404 Not Found", "control: there is no such path here");
  }
  flush (reply);
}

static void *
run (void *arg)
{
  struct http_answer *http = arg;

  while (wait_for (http, http->listen_fd, POLLIN, UINT64_MAX)) {
    int fd = accept4 (http->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd == -1) {
      /* Out of descriptors, perhaps: whoever waits goes on waiting. */
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        wait_for (http, -1, 0, clock_now_ms () + ACCEPT_PAUSE_MS);
      continue;
    }
    serve (http, fd);
    close (fd);
  }
  return NULL;
}

/* --- life ------------------------------------------------------------------------- */

static int
listen_on (struct http_answer *http, const char *path, struct error *err)
{
  http->address.family = ADDRESS_UNIX;
  if (strlen (path) >= sizeof http->address.path)
    return error_set (err, ENAMETOOLONG, "control: %.80s...: is longer than "
                      "%zu bytes", path, sizeof http->address.path - 1);
  strcpy (http->address.path, path);
  http->listen_fd = stream_listen (&http->address, err);
  if (http->listen_fd < 0)
    return http->listen_fd;
  if (chmod (path, 0660) == 0)
    return 0;
  return error_set (err, errno, "control: %s: %s", path, strerror (errno));
}

static void
free_answer (struct http_answer *http)
{
  if (http->listen_fd >= 0) {
    unlink (http->address.path);
    close (http->listen_fd);
  }
  if (http->stop_fd >= 0)
    close (http->stop_fd);
  free (http);
}

int
http_answer_open (const char *path, http_answer_fn *answer, void *opaque,
                  struct http_answer **http, struct error *err)
{
  struct http_answer *h = calloc (1, sizeof *h);
  int r;

  if (!h)
    return error_set (err, ENOMEM, "control: %s: out of memory", path);
  h->answer = answer;
  h->opaque = opaque;
  h->listen_fd = -1;
  h->stop_fd = eventfd (0, EFD_CLOEXEC);
  if (h->stop_fd == -1)
    r = error_set (err, errno, "control: %s: %s", path, strerror (errno));
  else
    r = listen_on (h, path, err);
  if (r < 0) {
    free_answer (h);
    return r;
  }
  *http = h;
  return 0;
}

int
http_answer_start (struct http_answer *http)
{
  int err = pthread_create (&http->thread, NULL, run, http);

  http->started = err == 0;
  return err;
}

void
http_answer_stop (struct http_answer *http)
{
  if (!http)
    return;
  if (http->started) {
    eventfd_write (http->stop_fd, 1);
    pthread_join (http->thread, NULL);
  }
  free_answer (http);
}
