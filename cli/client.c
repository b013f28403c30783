/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request to the server's control socket: HTTP by libcurl, JSON both
 * ways.
 *
 * The server may work on a request for as long as that takes, or wait with it
 * for another one.  It answers who asks for its status at once all the same:
 * when it does not, it is waited for no longer.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "common/clock.h"

#define REPLY_MAX (256u << 20)          /* bytes */
#define ASK_AFTER_MS 2000
#define ASK_AGAIN_MS 5000

struct exchange {
  const struct cli *cli;
  const struct call *call;
  uint64_t ask_at_ms;           /* whether it is alive */
  bool is_dead;
  CURL *curl;
  struct curl_slist *headers;
  char *url;
  char *body;
  char *reply;
  size_t reply_bytes;
};

static size_t
take_reply (char *data, size_t size, size_t n, void *opaque)
{
  struct exchange *x = opaque;
  size_t bytes = size * n;
  char *grown;

  if (bytes > REPLY_MAX - x->reply_bytes)
    return 0;
  grown = realloc (x->reply, x->reply_bytes + bytes);
  if (!grown)
    return 0;
  memcpy (grown + x->reply_bytes, data, bytes);
  x->reply = grown;
  x->reply_bytes += bytes;
  return bytes;
}

/* Appends join and the part, escaped; or nothing, for a NULL part. */
static int
append_part (struct exchange *x, const char *join, const char *part)
{
  char *escaped = NULL, *url = x->url;
  int r;

  if (!part)
    return 0;
  /* A length of 0 would mean strlen; both are right for "". */
  if (part[0]) {
    escaped = curl_easy_escape (x->curl, part, 0);
    if (!escaped)
      return -ENOMEM;
  }
  r = asprintf (&x->url, "%s%s%s", url, join, escaped ? escaped : "");
  curl_free (escaped);
  if (r == -1) {
    x->url = url;
    return -ENOMEM;
  }
  free (url);
  return 0;
}

/* "http://qbd/v1/volumes/demo%2Fdisk?force=true" */
static int
make_url (struct exchange *x, const struct call *call)
{
  char join[32];
  char sign = '?';
  int r;

  if (asprintf (&x->url, "http://qbd%s", call->path) == -1) {
    x->url = NULL;
    return -ENOMEM;
  }
  r = append_part (x, "/", call->name);
  for (unsigned i = 0; r == 0 && i < CALL_QUERY_MAX; i++)
    if (call->query[i].value) {
      snprintf (join, sizeof join, "%c%s=", sign, call->query[i].key);
      sign = '&';
      r = append_part (x, join, call->query[i].value);
    }
  return r;
}

/* A server that stops refuses connections while it ends what it works on. */
static bool
is_alive (const struct cli *cli)
{
  const struct call call = {
    .method = "GET", .path = "/v1/status",
    .timeout_s = CALL_ANSWER_S - ASK_AFTER_MS / 1000,
  };
  struct error err;
  json_t *reply;
  int r = client_call (cli, &call, &reply, &err);

  if (r == 0)
    json_decref (reply);
  return r != -ETIMEDOUT;
}

/* libcurl's: 0 goes on. */
static int
wait_on (void *opaque, curl_off_t down_total, curl_off_t down,
         curl_off_t up_total, curl_off_t up)
{
  struct exchange *x = opaque;

  if (x->call->waiting)
    (x->call->waiting) (x->call->opaque);
  if (x->call->timeout_s == 0 && clock_now_ms () >= x->ask_at_ms) {
    x->is_dead = !is_alive (x->cli);
    x->ask_at_ms = clock_now_ms () + ASK_AGAIN_MS;
  }
  return x->is_dead;
}

static int
prepare (struct exchange *x, const struct cli *cli, const struct call *call)
{
  x->curl = curl_easy_init ();
  if (!x->curl || make_url (x, call) < 0)
    return -ENOMEM;
  if (call->body) {
    x->body = json_dumps (call->body, JSON_COMPACT);
    x->headers = curl_slist_append (NULL, "Content-Type: application/json");
    if (!x->body || !x->headers)
      return -ENOMEM;
    curl_easy_setopt (x->curl, CURLOPT_POSTFIELDS, x->body);
    curl_easy_setopt (x->curl, CURLOPT_HTTPHEADER, x->headers);
  }
  curl_easy_setopt (x->curl, CURLOPT_URL, x->url);
  curl_easy_setopt (x->curl, CURLOPT_CUSTOMREQUEST, call->method);
  curl_easy_setopt (x->curl, CURLOPT_PATH_AS_IS, 1l);
  curl_easy_setopt (x->curl, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt (x->curl, CURLOPT_PROXY, "");
  curl_easy_setopt (x->curl, CURLOPT_UNIX_SOCKET_PATH, cli->control);
  curl_easy_setopt (x->curl, CURLOPT_NOSIGNAL, 1l);
  curl_easy_setopt (x->curl, CURLOPT_TIMEOUT, call->timeout_s);
  curl_easy_setopt (x->curl, CURLOPT_WRITEFUNCTION, take_reply);
  curl_easy_setopt (x->curl, CURLOPT_WRITEDATA, x);
  curl_easy_setopt (x->curl, CURLOPT_NOPROGRESS, 0l);
  curl_easy_setopt (x->curl, CURLOPT_XFERINFOFUNCTION, wait_on);
  curl_easy_setopt (x->curl, CURLOPT_XFERINFODATA, x);
  return 0;
}

static void
finish (struct exchange *x)
{
  curl_easy_cleanup (x->curl);
  curl_slist_free_all (x->headers);
  free (x->url);
  free (x->body);
  free (x->reply);
}

static int
no_answer (const struct exchange *x, struct error *err)
{
  return error_set (err, ETIMEDOUT, "connect: %s: the server does not answer"
                    "%s: see its log, and whether it is stopped or waits for "
                    "its storage (ps -o pid,stat,wchan -C qbd-server)",
                    x->cli->control, strcmp (x->call->method, "GET") == 0 ? ""
                    : ", and may still do what it was asked for");
}

static int
explain_transfer (struct exchange *x, const struct cli *cli, CURLcode code,
                  struct error *err)
{
  long os_errno = 0;

  curl_easy_getinfo (x->curl, CURLINFO_OS_ERRNO, &os_errno);
  switch (code) {
  case CURLE_COULDNT_CONNECT:
    if (os_errno == ENOENT || os_errno == ECONNREFUSED)
      return error_set (err, os_errno, "connect: %s: %s (is qbd-server "
                        "running?)", cli->control, strerror (os_errno));
    if (os_errno != 0)
      return error_set (err, os_errno, "connect: %s: %s", cli->control,
                        strerror (os_errno));
    return error_set (err, EIO, "connect: %s: failed", cli->control);
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_ABORTED_BY_CALLBACK:
    return no_answer (x, err);
  case CURLE_GOT_NOTHING:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_PARTIAL_FILE:
    return error_set (err, EIO, "connect: %s: the server went away before "
                      "it answered", cli->control);
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_WEIRD_SERVER_REPLY:
    return error_set (err, EPROTO, "connect: %s: this is not qbd-server: "
                      "its answer is no HTTP", cli->control);
  default:
    return error_set (err, EIO, "connect: %s: %s", cli->control,
                      curl_easy_strerror (code));
  }
}

/* The server's error, word for word. */
static int
explain_refusal (const struct cli *cli, long status, const json_t *reply,
                 struct error *err)
{
  const json_t *error = json_object_get (reply, "error");
  const char *message = json_string_value (json_object_get (error,
                                                            "message"));

  if (!message)
    return error_set (err, EPROTO, "connect: %s: this is not qbd-server: "
                      "HTTP status %ld without an error in JSON",
                      cli->control, status);
  return error_set (err, status == 404 ? ENOENT : EREMOTEIO, "%s", message);
}

static int
exchange (struct exchange *x, const struct cli *cli, const struct call *call,
          json_t **reply, struct error *err)
{
  json_error_t where;
  long status = 0;
  CURLcode code;
  int r = 0;

  if (prepare (x, cli, call) < 0)
    return error_set (err, ENOMEM, "connect: %s: out of memory",
                      cli->control);
  code = curl_easy_perform (x->curl);
  if (code != CURLE_OK)
    return explain_transfer (x, cli, code, err);
  curl_easy_getinfo (x->curl, CURLINFO_RESPONSE_CODE, &status);
  *reply = json_loadb (x->reply ? x->reply : "", x->reply_bytes,
                       JSON_REJECT_DUPLICATES, &where);
  if (status < 200 || status > 299)
    r = explain_refusal (cli, status, *reply, err);
  else if (!json_is_object (*reply))
    r = error_set (err, EPROTO, "connect: %s: this is not qbd-server: its "
                   "answer is no JSON object", cli->control);
  if (r < 0)
    json_decref (*reply);
  return r;
}

int
client_call (const struct cli *cli, const struct call *call, json_t **reply,
             struct error *err)
{
  struct exchange x = {
    .cli = cli, .call = call, .ask_at_ms = clock_now_ms () + ASK_AFTER_MS,
  };
  int r;

  r = exchange (&x, cli, call, reply, err);
  finish (&x);
  json_decref (call->body);
  return r;
}

int
client_show (const struct cli *cli, const struct call *call, const char *key,
             void (*print) (const json_t *), struct error *err)
{
  json_t *reply;
  int r;

  r = client_call (cli, call, &reply, err);
  if (r < 0)
    return r;
  if (cli->json)
    output_json (reply);
  else if (print)
    print (key ? json_object_get (reply, key) : reply);
  json_decref (reply);
  return 0;
}
