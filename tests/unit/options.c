/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd-server's command line and configuration file: what they mean, and the
 * sentence for each mistake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "server/options.h"

#define ARGS_MAX 16

static struct options options;
static struct error err;

/* "qbd-server" and what follows, up to NULL. */
static int
parse (const char *first, ...)
{
  char *argv[ARGS_MAX + 1] = { (char *) "qbd-server" };
  int argc = 1;
  va_list args;

  options_free (&options);
  va_start (args, first);
  for (const char *arg = first; arg; arg = va_arg (args, const char *)) {
    assert_true (argc < ARGS_MAX);
    argv[argc++] = (char *) arg;
  }
  va_end (args);
  memset (&err, 0, sizeof err);
  return options_parse (&options, argc, argv, &err);
}

#define assert_refused(call, text)                      \
  do {                                                  \
    assert_true ((call) < 0);                           \
    assert_string_equal (err.message, (text));          \
    assert_int_not_equal (err.code, 0);                 \
  } while (0)

static void
test_all_options (void **state)
{
  char text[ADDRESS_TEXT_MAX];

  assert_int_equal (parse ("-v", "-c", "f.conf", "--listen",
                           "tcp://127.0.0.1:0",
                           "--listen=unix:///tmp/s?ana=inaccessible",
                           "--pool", "a=ram:", "--pool=b=file:/x:y=z",
                           "--control", "ctl", "--reactors", "3", NULL), 0);
  assert_int_equal (options.action, OPTIONS_SERVE);
  assert_true (options.verbose);
  assert_string_equal (options.config, "f.conf");
  assert_string_equal (options.control, "ctl");
  assert_int_equal (options.nr_reactors, 3);
  assert_int_equal (options.nr_listen, 2);
  assert_string_equal (address_format (&options.listen[0], text,
                                       sizeof text), "tcp://127.0.0.1:0");
  assert_string_equal (address_format (&options.listen[1], text,
                                       sizeof text), "unix:///tmp/s");
  assert_int_equal (options.ana[0], NVME_ANA_STATE_OPTIMIZED);
  assert_int_equal (options.ana[1], NVME_ANA_STATE_INACCESSIBLE);
  assert_int_equal (options.nr_pools, 2);
  assert_string_equal (options.pools[0].name, "a");
  assert_string_equal (options.pools[0].engine->name, "ram");
  assert_string_equal (options.pools[0].argument, "");
  assert_string_equal (options.pools[1].name, "b");
  assert_string_equal (options.pools[1].engine->name, "file");
  assert_string_equal (options.pools[1].argument, "/x:y=z");
}

static void
test_help_and_version (void **state)
{
  assert_int_equal (parse ("--help", "--nonsense", NULL), 0);
  assert_int_equal (options.action, OPTIONS_HELP);
  assert_int_equal (parse ("--version", NULL), 0);
  assert_int_equal (options.action, OPTIONS_VERSION);
}

static void
test_defaults (void **state)
{
  setenv ("QBD_CONTROL", "/some/where", 1);
  assert_int_equal (parse ("--pool", "a=ram:", NULL), 0);
  assert_int_equal (options_complete (&options, &err), 0);
  assert_int_equal (options.nr_listen, 1);
  assert_string_equal (options.listen[0].host, "127.0.0.1");
  assert_string_equal (options.listen[0].port, "4420");
  assert_in_range (options.nr_reactors, 1, 4);
  assert_string_equal (options.control, "/some/where");

  assert_int_equal (parse ("--pool", "a=ram:", "--control", "/x", NULL), 0);
  assert_int_equal (options_complete (&options, &err), 0);
  assert_string_equal (options.control, "/x");
  unsetenv ("QBD_CONTROL");
}

static void
test_wrong_options (void **state)
{
  assert_refused (parse ("--lisen", "x", NULL),
                  "option: --lisen: unknown, did you mean --listen?");
  assert_refused (parse ("--reactor=0x", "-q", NULL),
                  "reactors: 0x: must be a number from 1 to 64");
  assert_refused (parse ("--frobnicate", NULL),
                  "option: --frobnicate: unknown");
  assert_refused (parse ("-v", "-q", NULL), "option: -q: unknown");
  assert_refused (parse ("-vq", NULL), "option: -q: unknown");
  assert_refused (parse ("--pool", NULL), "option: --pool: needs a value");
  assert_refused (parse ("-c", NULL), "option: --config: needs a value");
  assert_refused (parse ("--verbose=1", NULL),
                  "option: --verbose: takes no value");
  assert_refused (parse ("extra", NULL), "argument: extra: none is expected");
  assert_refused (parse ("--control", "", NULL),
                  "control: socket path: is empty");
}

static void
test_wrong_reactors (void **state)
{
  static const char *const wrong[] = { "0", "65", "-1", "", "2x", " ",
                                       "99999999999999999999999" };

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
    assert_true (parse ("--reactors", wrong[i], NULL) < 0);
    assert_non_null (strstr (err.message, "must be a number from 1 to 64"));
  }
}

static void
test_wrong_pools (void **state)
{
  assert_refused (parse ("--pool", "demo", NULL),
                  "pool: demo: must be NAME=ENGINE:ARGUMENT, "
                  "like demo=file:/srv/demo");
  assert_refused (parse ("--pool", "demo=/srv", NULL),
                  "pool: demo: /srv: must be ENGINE:ARGUMENT, "
                  "like file:/srv/demo");
  assert_refused (parse ("--pool", "demo=fil:/srv", NULL),
                  "pool: demo: engine: fil: unknown, did you mean file?");
  assert_refused (parse ("--pool", "demo=floppy:", NULL),
                  "pool: demo: engine: floppy: unknown");
  assert_refused (parse ("--pool", "a=ram:", "--pool", "a=ram:", NULL),
                  "pool: a: given twice");
  assert_true (parse ("--pool", "=ram:", NULL) < 0);
  assert_true (parse ("--pool", "a/b=ram:", NULL) < 0);
  assert_true (parse ("--pool", "..=ram:", NULL) < 0);
  assert_int_equal (parse (NULL), 0);
  assert_refused (options_complete (&options, &err),
                  "pool: none is given: add --pool NAME=file:DIR, or "
                  "/etc/qbd/server.conf");
}

static void
test_too_many (void **state)
{
  char name[32];

  parse (NULL);
  for (int i = 0; i < OPTIONS_LISTEN_MAX; ++i)
    assert_int_equal (options_add_listen (&options, "tcp://h", &err), 0);
  assert_true (options_add_listen (&options, "tcp://h", &err) < 0);
  for (int i = 0; i < OPTIONS_POOL_MAX; ++i) {
    snprintf (name, sizeof name, "p%d", i);
    assert_int_equal (options_add_pool (&options, name, "ram:", &err), 0);
  }
  assert_true (options_add_pool (&options, "more", "ram:", &err) < 0);
}

/* --- the file --- */

#define FILE_NAME "unit-options.conf"

static int
read_text (const char *text)
{
  FILE *file = fopen (FILE_NAME, "w");
  int r;

  assert_non_null (file);
  fputs (text, file);
  fclose (file);
  memset (&err, 0, sizeof err);
  r = options_read_file (&options, FILE_NAME, &err);
  unlink (FILE_NAME);
  return r;
}

#define TEXT                                    \
  "# a comment\n"                               \
  "[server]\n"                                  \
  "listen = tcp://10.0.0.1:1 ; a comment\n"     \
  "listen = unix:///s\n"                        \
  "control = /c\n"                              \
  "poll_us = 7\n"                               \
  "reactors = 5\n"                              \
  "[pool one]\n"                                \
  "url = ram:\n"                                \
  "[pool two]\n"                                \
  "url = file:/srv/a b\n"

static void
test_file (void **state)
{
  parse (NULL);
  assert_int_equal (read_text (TEXT), 0);
  assert_int_equal (options.nr_listen, 2);
  assert_string_equal (options.listen[0].host, "10.0.0.1");
  assert_string_equal (options.control, "/c");
  assert_int_equal (options.poll_us, 7);
  assert_int_equal (options.nr_reactors, 5);
  assert_int_equal (options.nr_pools, 2);
  assert_string_equal (options.pools[1].name, "two");
  assert_string_equal (options.pools[1].argument, "/srv/a b");
}

static void
test_command_line_goes_first (void **state)
{
  parse ("--listen", "tcp://h", "--control", "/mine", "--reactors", "1",
         "--poll-us", "0", "--pool", "zero=ram:", NULL);
  assert_int_equal (read_text (TEXT), 0);
  assert_int_equal (options.nr_listen, 1);
  assert_string_equal (options.control, "/mine");
  assert_int_equal (options.nr_reactors, 1);
  assert_int_equal (options.poll_us, 0);
  assert_int_equal (options.nr_pools, 3);
}

#define assert_file_refused(text, message)                              \
  do {                                                                  \
    parse (NULL);                                                       \
    assert_refused (read_text (text), "config: " FILE_NAME message);    \
  } while (0)

static void
test_wrong_file (void **state)
{
  char text[600];

  assert_file_refused ("[server]\n\nlisen = x\n", ":3: [server]: key: lisen: "
                       "unknown, did you mean listen?");
  assert_file_refused ("[sever]\na = b\n", ":1: section: sever: unknown, "
                       "did you mean server?");
  assert_file_refused ("a = b\n", ":1: key: a: stands before any [section]");
  assert_file_refused ("[pool a]\nurl = ram:\nurl = ram:\n",
                       ":3: pool: a: given twice");
  assert_file_refused ("[pool a]\npath = /x\n",
                       ":2: [pool]: key: path: unknown");
  assert_file_refused ("[server]\nreactors = 1\nreactors = 2\n",
                       ":3: reactors: given twice");
  assert_file_refused ("[server]\nreactors = many\n",
                       ":2: reactors: many: must be a number from 1 to 64");
  assert_file_refused ("[server]\nnonsense\nreactors = 1\n",
                       ":2: is no KEY = VALUE and no [section]");

  snprintf (text, sizeof text, "[server]\ncontrol = /%0400d\n", 0);
  assert_file_refused (text, ":2: line is longer than 198 bytes");
  snprintf (text, sizeof text, "[pool %0100d]\nurl = ram:\n", 0);
  parse (NULL);
  assert_true (read_text (text) < 0);
  assert_int_equal (options.nr_pools, 0);

  assert_refused (options_read_file (&options, "no/such/file", &err),
                  "config: no/such/file: No such file or directory");
}

/* Nobody writes to the FIFO: it must not be waited for. */
static void
test_no_regular_file (void **state)
{
  parse (NULL);
  assert_int_equal (mkfifo (FILE_NAME, 0600), 0);
  assert_refused (options_read_file (&options, FILE_NAME, &err),
                  "config: " FILE_NAME ": is no regular file");
  unlink (FILE_NAME);
  assert_refused (options_read_file (&options, "/", &err),
                  "config: /: is no regular file");
}

/* inih says nothing of sections without keys. */
static void
test_sections_without_keys (void **state)
{
  static const char *const good[] = {
    "", "[server]\n", "[server]\n\n[server]\n", "; [pool a]\n",
    "# [pool a]\n[pool b]\nurl = ram:\n", "\xef\xbb\xbf[server]\n",
    "[pool b] ; [pool a]\n\n; nothing\n  url = ram:\n[server]",
  };
  char text[100];

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    parse (NULL);
    assert_int_equal (read_text (good[i]), 0);
    options_free (&options);
  }
  assert_file_refused ("[pool a]\n", ":1: [pool a]: url: is missing");
  assert_file_refused ("\n[pool a]", ":2: [pool a]: url: is missing");
  assert_file_refused ("\xef\xbb\xbf[pool a]\n",
                       ":1: [pool a]: url: is missing");
  assert_file_refused ("[pool a]\n# url = ram:\n\n[pool b]\nurl = ram:\n",
                       ":1: [pool a]: url: is missing");
  assert_file_refused ("[pool b]\nurl = ram:\n[pool a] ; none\n[server]\n",
                       ":3: [pool a]: url: is missing");
  assert_file_refused ("[pool b]\nurl = ram:\n[pool b]\n",
                       ":3: [pool b]: url: is missing");
  assert_file_refused ("[server]\n  [pool a]\n",
                       ":2: [pool a]: url: is missing");
  assert_file_refused ("[sever]\n", ":1: section: sever: unknown, did you "
                       "mean server?");
  assert_file_refused ("[pool b]\nurl = ram:\n[pool two\nurl = ram:\n",
                       ":3: section: [pool two: has no ] at its end");
  assert_file_refused ("[server", ":1: section: [server: has no ] at its end");
  assert_file_refused ("[pool]\n", ":1: section: pool: has no name: "
                       "[pool NAME]");
  snprintf (text, sizeof text, "[server]\n[pool %044d]\n", 0);
  parse (NULL);
  assert_true (read_text (text) < 0);
  assert_non_null (strstr (err.message, ":2: section: pool 000"));
  assert_non_null (strstr (err.message, "has more than 48 bytes"));
}

static int
teardown (void **state)
{
  options_free (&options);
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown (test_all_options, teardown),
    cmocka_unit_test_teardown (test_help_and_version, teardown),
    cmocka_unit_test_teardown (test_defaults, teardown),
    cmocka_unit_test_teardown (test_wrong_options, teardown),
    cmocka_unit_test_teardown (test_wrong_reactors, teardown),
    cmocka_unit_test_teardown (test_wrong_pools, teardown),
    cmocka_unit_test_teardown (test_too_many, teardown),
    cmocka_unit_test_teardown (test_file, teardown),
    cmocka_unit_test_teardown (test_command_line_goes_first, teardown),
    cmocka_unit_test_teardown (test_wrong_file, teardown),
    cmocka_unit_test_teardown (test_no_regular_file, teardown),
    cmocka_unit_test_teardown (test_sections_without_keys, teardown),
  };

  unsetenv ("QBD_CONTROL");
  return cmocka_run_group_tests (tests, NULL, NULL);
}
