/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The management API over the real target and a pool in memory.  An input is
 * requests, each ended by a NUL: a line "METHOD PATH[?KEY[=VALUE]&...]" as
 * http.c hands it over, and the body behind it.  Whatever is asked, the answer
 * is JSON with a status that fits it, and the server goes on: in the end all
 * volumes can be listed and removed.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "fuzzing/fuzz.h"
#include "tests/unit/api-fixture.h"

#define REQUESTS_MAX 32
#define LINE_BYTES 1024

static void
start (void)
{
  struct error err;

  log_open ("fuzz", 0);
  if (api_start (&err) < 0) {
    fprintf (stderr, "control: %s\n", err.message);
    abort ();
  }
}

/* --- requests ----------------------------------------------------------- */

/* The answer is what the API promises.  JSON, or NULL: it is text. */
static json_t *
ask (const struct api_request *request)
{
  struct api_reply reply;
  json_t *json = NULL;

  api_handle (&server, request, &reply);
  if (reply.body == NULL || reply.status < 200 || reply.status > 599)
    abort ();
  if (strcmp (reply.content_type, "application/json") == 0) {
    json = json_loads (reply.body, 0, NULL);
    if (json == NULL
        || (reply.status >= 400) != (json_object_get (json, "error") != NULL))
      abort ();
  }
  if ((reply.status == 405) != (reply.allow != NULL))
    abort ();
  free (reply.body);
  return json;
}

static json_t *
ask_for (const char *method, const char *path)
{
  const struct api_request request = {
    .method = method, .path = path, .body = "",
  };

  return ask (&request);
}

static void
take_query (struct api_request *request, char *text)
{
  char *pair;

  while (request->nr_query < API_QUERY_MAX
         && (pair = strsep (&text, "&")) != NULL) {
    char *key = strsep (&pair, "=");

    request->query[request->nr_query++] = (struct api_query) { key, pair };
  }
}

/* Without its NUL. */
static void
ask_one (const char *text, size_t bytes)
{
  const char *body = memchr (text, '\n', bytes);
  size_t line_bytes = body ? (size_t) (body - text) : bytes;
  struct api_request request = { .body = "" };
  char line[LINE_BYTES], *path = line, *query;

  if (line_bytes >= sizeof line)
    return;
  memcpy (line, text, line_bytes);
  line[line_bytes] = '\0';
  if (body) {
    request.body = body + 1;
    request.body_bytes = bytes - line_bytes - 1;
  }
  if (request.body_bytes > API_BODY_MAX)
    return;                     /* http.c's to refuse */
  request.method = strsep (&path, " ");
  query = path;
  request.path = query ? strsep (&query, "?") : "";
  if (query)
    take_query (&request, query);
  json_decref (ask (&request));
}

/* It can be listed, and removed; whoever is on its list. */
static void
remove_all (void)
{
  json_t *reply = ask_for ("GET", "/v1/volumes"), *volume;
  char path[LINE_BYTES];
  size_t i;

  json_array_foreach (json_object_get (reply, "volumes"), i, volume) {
    const char *name = json_string_value (json_object_get (volume, "name"));
    json_t *removed;

    if (name == NULL)
      abort ();
    snprintf (path, sizeof path, "/v1/volumes/%s", name);
    removed = ask_for ("DELETE", path);
    if (json_object_get (removed, "removed") == NULL)
      abort ();
    json_decref (removed);
  }
  json_decref (reply);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
  const char *text = (const char *) data;

  if (reactor == NULL)
    start ();
  for (unsigned i = 0; i < REQUESTS_MAX && bytes > 0; i++) {
    const char *end = memchr (text, '\0', bytes);
    size_t n = end ? (size_t) (end - text) : bytes;

    ask_one (text, n);
    n += end != NULL;
    text += n;
    bytes -= n;
  }
  remove_all ();
  return 0;
}
