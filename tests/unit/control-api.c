/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The management API over the real target and a pool in memory: what it
 * answers, and every way to ask it wrongly.  Requests are handed over as http.c
 * does; HTTP itself is tests/control-api.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/log.h"
#include "tests/unit/api-fixture.h"

/* The last answer. */
static unsigned status;
static json_t *answer;
static const char *allow;

static void
ask_api (const struct api_request *request)
{
  struct api_reply reply;
  json_error_t where;

  api_handle (&server, request, &reply);
  assert_non_null (reply.body);
  json_decref (answer);
  answer = json_loads (reply.body, 0, &where);
  assert_non_null (answer);
  free (reply.body);
  status = reply.status;
  allow = reply.allow;
}

static void
ask (const char *method, const char *path, const char *body)
{
  const struct api_request request = {
    .method = method, .path = path, .body = body ? body : "",
    .body_bytes = body ? strlen (body) : 0,
  };

  ask_api (&request);
}

static const char *
error_member (const char *key)
{
  const char *text = json_string_value (
    json_object_get (json_object_get (answer, "error"), key));

  return text ? text : "(none)";
}

#define assert_refused(status_, code_, message_)                \
  do {                                                          \
    assert_string_equal (error_member ("message"), message_);   \
    assert_string_equal (error_member ("code"), code_);         \
    assert_int_equal (status, status_);                         \
  } while (0)

static json_int_t
integer (const char *key)
{
  assert_true (json_is_integer (json_object_get (answer, key)));
  return json_integer_value (json_object_get (answer, key));
}

static const char *
string (const char *key)
{
  assert_true (json_is_string (json_object_get (answer, key)));
  return json_string_value (json_object_get (answer, key));
}

/* --- what works --- */

static void
test_life_of_a_volume (void **state)
{
  char uuid[64];

  ask ("POST", "/v1/volumes", "{\"name\":\"demo/disk\",\"size_bytes\":1048576}");
  assert_int_equal (status, 201);
  assert_string_equal (string ("name"), "demo/disk");
  assert_string_equal (string ("state"), "ready");
  assert_int_equal (integer ("size_bytes"), 1048576);
  assert_int_equal (integer ("block_size"), 512);
  assert_int_equal (integer ("attached"), 0);
  assert_true (json_is_false (json_object_get (answer, "read_only")));
  assert_int_equal (json_array_size (json_object_get (answer, "hosts")), 0);
  assert_true (integer ("allocated_bytes") >= 0);
  assert_int_equal (strlen (string ("uuid")), 36);
  assert_non_null (strstr (string ("nqn"), ":demo/disk"));
  snprintf (uuid, sizeof uuid, "%s", string ("uuid"));

  ask ("GET", "/v1/volumes/demo/disk", NULL);
  assert_int_equal (status, 200);
  assert_string_equal (string ("uuid"), uuid);

  ask ("PATCH", "/v1/volumes/demo/disk", "{\"size_bytes\":2097152}");
  assert_int_equal (status, 200);
  assert_int_equal (integer ("size_bytes"), 2097152);
  ask ("PATCH", "/v1/volumes/demo/disk", "{\"size_bytes\":2097152}");
  assert_int_equal (status, 200);
  ask ("PATCH", "/v1/volumes/demo/disk", "{\"size_bytes\":512}");
  assert_refused (400, "EINVAL", "resize: demo/disk: size 512 is below the "
                  "2097152 bytes it has, and cuts off data: say --shrink");
  ask ("PATCH", "/v1/volumes/demo/disk",
       "{\"size_bytes\":512,\"shrink\":false}");
  assert_int_equal (status, 400);
  ask ("PATCH", "/v1/volumes/demo/disk",
       "{\"size_bytes\":512,\"shrink\":true}");
  assert_int_equal (status, 200);
  assert_int_equal (integer ("size_bytes"), 512);

  ask ("DELETE", "/v1/volumes/demo/disk", NULL);
  assert_int_equal (status, 200);
  assert_string_equal (string ("removed"), "demo/disk");
  ask ("GET", "/v1/volumes/demo/disk", NULL);
  assert_refused (404, "ENOENT", "info: demo/disk: no such volume");
}

static void
test_lists_are_sorted (void **state)
{
  static const char *const names[] = { "b", "c", "a", "a-1" };
  static const char *const sorted[] = {
    "demo/a", "demo/a-1", "demo/b", "demo/c"
  };
  const struct api_request one_pool = {
    .method = "GET", .path = "/v1/volumes", .nr_query = 1,
    .query = { { "pool", "demo" } }, .body = "",
  };
  const struct api_request other_pool = {
    .method = "GET", .path = "/v1/volumes", .nr_query = 1,
    .query = { { "pool", "other" } }, .body = "",
  };
  json_t *list;
  char text[128];

  for (size_t i = 0; i < 4; ++i) {
    snprintf (text, sizeof text, "{\"name\":\"demo/%s\",\"size_bytes\":4096,"
              "\"block_size\":4096}", names[i]);
    ask ("POST", "/v1/volumes", text);
    assert_int_equal (status, 201);
  }
  ask_api (&one_pool);
  list = json_object_get (answer, "volumes");
  assert_int_equal (json_array_size (list), 4);
  for (size_t i = 0; i < 4; ++i)
    assert_string_equal (sorted[i], json_string_value (
      json_object_get (json_array_get (list, i), "name")));
  ask_api (&other_pool);
  assert_int_equal (json_array_size (json_object_get (answer, "volumes")), 0);
  ask ("GET", "/v1/volumes", NULL);
  assert_int_equal (json_array_size (json_object_get (answer, "volumes")), 4);
  for (size_t i = 0; i < 4; ++i) {
    snprintf (text, sizeof text, "/v1/volumes/demo/%s", names[i]);
    ask ("DELETE", text, NULL);
    assert_int_equal (status, 200);
  }
}

static void
test_status_and_pools (void **state)
{
  json_t *pool;

  ask ("GET", "/v1/status", NULL);
  assert_int_equal (status, 200);
  assert_string_equal (string ("state"), "ready");
  assert_string_equal (string ("version"), PACKAGE_VERSION);
  assert_string_equal (
    json_string_value (json_object_get (
      json_array_get (json_object_get (answer, "listeners"), 0), "address")),
    "tcp://127.0.0.1:4420");
  assert_string_equal (
    json_string_value (json_object_get (
      json_array_get (json_object_get (answer, "listeners"), 0), "ana")),
    "optimized");
  assert_int_equal (json_array_size (json_object_get (answer, "pools")), 2);

  ask ("HEAD", "/v1/pools", NULL);
  assert_int_equal (status, 200);
  ask ("GET", "/v1/pools", NULL);
  pool = json_array_get (json_object_get (answer, "pools"), 0);
  assert_string_equal (json_string_value (json_object_get (pool, "name")),
                       "demo");
  assert_string_equal (json_string_value (json_object_get (pool, "url")),
                       "ram:");
  assert_int_equal (json_integer_value (json_object_get (pool, "volumes")), 0);
}

/* --- what does not --- */

static void
test_routes (void **state)
{
  const struct api_request unknown_query = {
    .method = "GET", .path = "/v1/volumes", .nr_query = 1,
    .query = { { "pol", "demo" } }, .body = "",
  };
  const struct api_request empty_query = {
    .method = "GET", .path = "/v1/volumes", .nr_query = 1,
    .query = { { "pool", NULL } }, .body = "",
  };
  const struct api_request needless_query = {
    .method = "GET", .path = "/v1/status", .nr_query = 1,
    .query = { { "a", "b" } }, .body = "",
  };
  const struct api_request wrong_pool = {
    .method = "GET", .path = "/v1/volumes", .nr_query = 1,
    .query = { { "pool", "nix" } }, .body = "",
  };

  ask ("GET", "/", NULL);
  assert_refused (404, "ENOENT", "api: /: no such path");
  ask ("GET", "/v2/status", NULL);
  assert_int_equal (status, 404);
  ask ("GET", "/v1/status/", NULL);
  assert_int_equal (status, 404);
  ask ("GET", "/v1/\xff\xfe", NULL);
  assert_refused (404, "ENOENT", "api: /v1/??: no such path");
  ask ("DELETE", "/v1/volumes", NULL);
  assert_int_equal (status, 405);
  assert_string_equal (allow, "GET, HEAD, POST");
  ask ("PUT", "/v1/volumes/demo/disk", "{}");
  assert_int_equal (status, 405);
  assert_string_equal (allow, "GET, HEAD, PATCH, DELETE");
  ask ("POST", "/v1/status", "{}");
  assert_int_equal (status, 405);
  ask ("GET", "/v1/status", "{}");
  assert_refused (400, "EINVAL", "api: GET /v1/status: takes no body");
  ask_api (&unknown_query);
  assert_refused (400, "EINVAL", "ls: member: pol: unknown, did you mean "
                  "pool?");
  ask_api (&empty_query);
  assert_int_equal (status, 400);
  ask_api (&needless_query);
  assert_refused (400, "EINVAL", "api: /v1/status?a: no query is known here");
  ask_api (&wrong_pool);
  assert_refused (404, "ENOENT", "ls: nix: no such pool");
}

static void
test_hostile_bodies (void **state)
{
  static const struct {
    const char *body;
    const char *message;        /* NULL: any */
  } cases[] = {
    { "", NULL },
    { "{", NULL },
    { "nonsense", NULL },
    { "[]", "create: body: is no JSON object" },
    { "7", NULL },
    { "{\"name\":\"demo/x\",\"size_bytes\":512}{}", NULL },
    { "{\"name\":\"demo/x\"}", "create: size_bytes: is missing" },
    { "{\"size_bytes\":512}", "create: name: is missing" },
    { "{\"name\":\"demo/x\",\"size_bytes\":512,\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/x\",\"size_bytes\":512,\"blok_size\":512}",
      "create: member: blok_size: unknown, did you mean block_size?" },
    { "{\"name\":\"demo/x\",\"size_bytes\":\"512\"}",
      "create: size_bytes: must be an integer" },
    { "{\"name\":\"demo/x\",\"size_bytes\":512.0}",
      "create: size_bytes: must be an integer" },
    { "{\"name\":\"demo/x\",\"size_bytes\":1e3}",
      "create: size_bytes: must be an integer" },
    { "{\"name\":\"demo/x\",\"size_bytes\":null}",
      "create: size_bytes: must be an integer" },
    { "{\"name\":\"demo/x\",\"size_bytes\":9223372036854775808}", NULL },
    { "{\"name\":\"demo/x\",\"size_bytes\":0}",
      "create: demo/x: size is 0" },
    { "{\"name\":\"demo/x\",\"size_bytes\":-512}",
      "create: demo/x: size -512 is negative" },
    { "{\"name\":\"demo/x\",\"size_bytes\":-9223372036854775808}",
      "create: demo/x: size -9223372036854775808 is negative" },
    { "{\"name\":\"demo/x\",\"size_bytes\":1000}",
      "create: demo/x: size 1000 is no multiple of the block size 512" },
    { "{\"name\":\"demo/x\",\"size_bytes\":512,\"block_size\":4096}",
      "create: demo/x: size 512 is no multiple of the block size 4096" },
    { "{\"name\":\"demo/x\",\"size_bytes\":512,\"block_size\":1024}",
      "create: demo/x: block size 1024 is neither 512 nor 4096" },
    { "{\"name\":\"demo/x\",\"size_bytes\":512,\"block_size\":0}",
      "create: demo/x: block size 0 is neither 512 nor 4096" },
    { "{\"name\":\"demo/x\",\"size_bytes\":512,\"block_size\":4294967808}",
      "create: demo/x: block size 4294967808 is neither 512 nor 4096" },
    { "{\"name\":7,\"size_bytes\":512}", "create: name: must be a string" },
    { "{\"name\":\"\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"/x\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/x/y\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/..\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/a..b\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"../demo/x\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/a b\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/a\\u0000b\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/a\\nb\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/\xff\",\"size_bytes\":512}", NULL },
    { "{\"name\":\"demo/\xc3\xa4\",\"size_bytes\":512}", NULL },
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    ask ("POST", "/v1/volumes", cases[i].body);
    if (status != 400)
      fail_msg ("status %u for %s", status, cases[i].body);
    assert_string_not_equal (error_member ("message"), "(none)");
    if (cases[i].message)
      assert_string_equal (error_member ("message"), cases[i].message);
  }
  ask ("GET", "/v1/volumes", NULL);
  assert_int_equal (json_array_size (json_object_get (answer, "volumes")), 0);
}

static void
test_deep_body (void **state)
{
  char body[API_BODY_MAX + 1];

  memset (body, '[', sizeof body - 1);
  body[sizeof body - 1] = '\0';
  ask ("POST", "/v1/volumes", body);
  assert_int_equal (status, 400);
}

static void
test_names_too_long (void **state)
{
  char body[1024];

  for (int len = 150; len < 260; ++len) {
    snprintf (body, sizeof body,
              "{\"name\":\"demo/%0*d\",\"size_bytes\":512}", len, 0);
    ask ("POST", "/v1/volumes", body);
    if (status == 201) {
      /* What is accepted fits an NQN, and can be found and removed. */
      assert_true (strlen (string ("nqn")) <= NVMEOF_NQN_MAX);
      snprintf (body, sizeof body, "/v1/volumes/demo/%0*d", len, 0);
      ask ("DELETE", body, NULL);
      assert_int_equal (status, 200);
    }
    else {
      assert_int_equal (status, 400);
      assert_string_equal (error_member ("code"), "ENAMETOOLONG");
      /* 20 of the prefix, 36 of the domain, ":" twice, "demo/". */
      assert_true (len > NVMEOF_NQN_MAX - 22 - 36 - 5);
    }
  }
}

static void
test_conflicts (void **state)
{
  ask ("POST", "/v1/volumes", "{\"name\":\"demo/disk\",\"size_bytes\":512}");
  assert_int_equal (status, 201);
  ask ("POST", "/v1/volumes", "{\"name\":\"demo/disk\",\"size_bytes\":1024}");
  assert_refused (409, "EEXIST", "create: demo/disk: volume exists already");
  ask ("GET", "/v1/volumes/demo/disk", NULL);
  assert_int_equal (integer ("size_bytes"), 512);
  ask ("PATCH", "/v1/volumes/demo/disk", "{\"size_bytes\":0}");
  assert_refused (400, "EINVAL", "resize: demo/disk: size is 0");
  ask ("PATCH", "/v1/volumes/demo/disk", "{\"size_bytes\":-1}");
  assert_refused (400, "EINVAL", "resize: demo/disk: size -1 is negative");
  ask ("PATCH", "/v1/volumes/demo/disk", "{\"size_bytes\":1000}");
  assert_refused (400, "EINVAL", "resize: demo/disk: size 1000 is no "
                  "multiple of the block size 512");
  ask ("PATCH", "/v1/volumes/demo/disk",
       "{\"size_bytes\":512,\"shrink\":\"yes\"}");
  assert_refused (400, "EINVAL", "change: shrink: must be true or false");
  ask ("PATCH", "/v1/volumes/demo/nix", "{\"size_bytes\":512}");
  assert_refused (404, "ENOENT", "resize: demo/nix: no such volume");
  ask ("DELETE", "/v1/volumes/demo/nix", NULL);
  assert_refused (404, "ENOENT", "rm: demo/nix: no such volume");
  ask ("POST", "/v1/volumes", "{\"name\":\"nix/disk\",\"size_bytes\":512}");
  assert_refused (404, "ENOENT", "create: nix: no such pool");
  ask ("DELETE", "/v1/volumes/demo/disk", NULL);
  assert_int_equal (status, 200);
}

/* --- settings --- */

static void
ask_query (const char *method, const char *path, const char *key,
           const char *value)
{
  const struct api_request request = {
    .method = method, .path = path, .nr_query = 1,
    .query = { { .key = key, .value = value } },
  };

  ask_api (&request);
}

static size_t
nr_allowed (void)
{
  return json_array_size (json_object_get (answer, "allowed_hosts"));
}

#define HOSTS "/v1/hosts/demo/disk"

static void
test_hosts (void **state)
{
  ask ("POST", "/v1/volumes", "{\"name\":\"demo/disk\",\"size_bytes\":512}");
  assert_true (json_is_null (json_object_get (answer, "allowed_hosts")));
  ask_query ("DELETE", HOSTS, "nqn", "any");
  assert_refused (404, "ENOENT", "host: demo/disk: any: is not on the list: "
                  "there is none, so any host is allowed that the server "
                  "allows; add those that shall be");
  ask ("POST", HOSTS, "{\"nqn\":\"nqn.x\"}");
  assert_int_equal (status, 201);
  assert_int_equal (nr_allowed (), 1);
  ask ("POST", HOSTS, "{\"nqn\":\"nqn.x\",\"force\":true}");
  assert_refused (409, "EEXIST", "host: demo/disk: nqn.x: is on the list "
                  "already");
  ask ("POST", HOSTS, "{\"nqn\":\"any\",\"force\":false}");
  assert_int_equal (nr_allowed (), 2);
  ask_query ("DELETE", HOSTS, "nqn", "any");
  assert_int_equal (status, 200);
  ask_query ("DELETE", HOSTS, "nqn", "nqn.x");
  assert_int_equal (nr_allowed (), 0);
  assert_true (json_is_array (json_object_get (answer, "allowed_hosts")));
  ask_query ("DELETE", HOSTS, "list", "true");
  assert_int_equal (status, 200);
  assert_true (json_is_null (json_object_get (answer, "allowed_hosts")));
  ask_query ("DELETE", HOSTS, "list", "true");
  assert_refused (404, "ENOENT", "host: demo/disk: has no list");
  ask_query ("DELETE", HOSTS, "list", "false");
  assert_int_equal (status, 400);

  ask ("POST", HOSTS, "{\"nqn\":\"any \"}");
  assert_int_equal (status, 400);
  ask ("POST", HOSTS, "{\"nqn\":\"\"}");
  assert_int_equal (status, 400);
  ask ("POST", HOSTS, "{\"force\":true}");
  assert_refused (400, "EINVAL", "host: nqn: is missing");
  ask_query ("DELETE", HOSTS, "force", "true");
  assert_refused (400, "EINVAL", "host: demo/disk: must be one of nqn and "
                  "list=true");
  ask_query ("DELETE", HOSTS, "force", "yes");
  assert_refused (400, "EINVAL", "host: force: must be true or false");
  ask_query ("DELETE", HOSTS, "nqn", NULL);
  assert_refused (400, "EINVAL", "host: nqn: has no value");
  ask ("POST", "/v1/hosts/demo/nix", "{\"nqn\":\"any\"}");
  assert_refused (404, "ENOENT", "host: demo/nix: no such volume");
  ask ("GET", HOSTS, NULL);
  assert_int_equal (status, 405);
  assert_string_equal (allow, "POST, DELETE");
  ask_query ("DELETE", "/v1/volumes/demo/disk", "force", "true");
  assert_int_equal (status, 200);
}

static void
test_read_only (void **state)
{
  const char *const path = "/v1/volumes/demo/disk";

  ask ("POST", "/v1/volumes", "{\"name\":\"demo/disk\",\"size_bytes\":512}");
  ask ("PATCH", path, "{\"read_only\":true}");
  assert_int_equal (status, 200);
  assert_true (json_is_true (json_object_get (answer, "read_only")));
  ask ("PATCH", path, "{\"read_only\":false,\"size_bytes\":1024}");
  assert_refused (400, "EINVAL", "change: demo/disk: must be one of "
                  "size_bytes and read_only");
  ask ("PATCH", path, "{}");
  assert_int_equal (status, 400);
  ask ("PATCH", path, "{\"read_only\":false}");
  assert_true (json_is_false (json_object_get (answer, "read_only")));
  ask ("DELETE", path, NULL);
  assert_int_equal (status, 200);
}

/* --- many at once --- */

#define THREADS 8
#define ROUNDS 100

/* Each creates, grows and removes a volume of its own and fights for a common
 * one.  Assertions are the main thread's: failures are counted. */
static void *
churn (void *opaque)
{
  unsigned number = *(unsigned *) opaque, failures = 0;
  char own[32], common[] = "demo/common";
  struct error err;
  int r;

  snprintf (own, sizeof own, "%s/own-%u", number % 2 ? "demo" : "other",
            number);
  for (int i = 0; i < ROUNDS; ++i) {
    failures += volumes_create (server.volumes, own, 4096, 512, NULL, NULL,
                                &err) != 0;
    r = volumes_create (server.volumes, common, 4096, 512, NULL, NULL, &err);
    failures += r != 0 && r != -EEXIST;
    failures += volumes_resize (server.volumes, own, 8192, false, NULL, NULL,
                                &err) != 0;
    failures += volumes_list (server.volumes, NULL, NULL, NULL, &err) != 0;
    r = volumes_remove (server.volumes, common, false, &err);
    failures += r != 0 && r != -ENOENT;
    failures += volumes_remove (server.volumes, own, false, &err) != 0;
  }
  *(unsigned *) opaque = failures;
  return NULL;
}

static void
test_concurrent_changes (void **state)
{
  pthread_t threads[THREADS];
  unsigned numbers[THREADS];
  struct error err;

  for (unsigned i = 0; i < THREADS; ++i) {
    numbers[i] = i;
    assert_int_equal (pthread_create (&threads[i], NULL, churn, &numbers[i]),
                      0);
  }
  for (unsigned i = 0; i < THREADS; ++i) {
    pthread_join (threads[i], NULL);
    assert_int_equal (numbers[i], 0);
  }
  volumes_remove (server.volumes, "demo/common", false, &err);
  ask ("GET", "/v1/volumes", NULL);
  assert_int_equal (json_array_size (json_object_get (answer, "volumes")), 0);
}

/* A reactor that stands still, on both sides of it. */
static struct {
  struct reactor_task task;
  sem_t is_there, goes_on;
} stall;

static void
stand_still (struct reactor_task *task)
{
  sem_post (&stall.is_there);
  sem_wait (&stall.goes_on);
}

/* What a reactor has in flight is unknown while it stands still, and is said
 * to be; the answer does not wait for it. */
static void
test_silent_reactor (void **state)
{
  json_t *silent;

  sem_init (&stall.is_there, 0, 0);
  sem_init (&stall.goes_on, 0, 0);
  stall.task.run = stand_still;
  reactor_post (reactor, &stall.task);
  sem_wait (&stall.is_there);
  ask ("GET", "/v1/inflight", NULL);
  sem_post (&stall.goes_on);
  assert_int_equal (status, 200);
  silent = json_object_get (answer, "silent_reactors");
  assert_int_equal (json_array_size (silent), 1);
  assert_int_equal (json_integer_value (json_array_get (silent, 0)), 0);
  ask ("GET", "/v1/inflight", NULL);
  assert_int_equal (json_array_size (json_object_get
                                     (answer, "silent_reactors")), 0);
}

static int
setup (void **state)
{
  struct error err;

  log_open ("control-api", LOG_LEVEL_ERROR);
  if (api_start (&err) < 0
      || volumes_open_pool (server.volumes, &engine_ram, "other", "",
                            &err) < 0) {
    fprintf (stderr, "%s\n", err.message);
    return -1;
  }
  return 0;
}

static int
teardown (void **state)
{
  struct error err;

  json_decref (answer);
  return api_stop (&err);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_life_of_a_volume),
    cmocka_unit_test (test_lists_are_sorted),
    cmocka_unit_test (test_status_and_pools),
    cmocka_unit_test (test_routes),
    cmocka_unit_test (test_hostile_bodies),
    cmocka_unit_test (test_deep_body),
    cmocka_unit_test (test_names_too_long),
    cmocka_unit_test (test_conflicts),
    cmocka_unit_test (test_hosts),
    cmocka_unit_test (test_read_only),
    cmocka_unit_test (test_concurrent_changes),
    cmocka_unit_test (test_silent_reactor),
  };

  return cmocka_run_group_tests (tests, setup, teardown);
}
