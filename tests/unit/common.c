/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts in and out: errors, sizes, addresses, nearest names, log lines; and
 * how long a look may last.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/address.h"
#include "common/error.h"
#include "common/log.h"
#include "common/nearest.h"
#include "common/percent.h"
#include "common/size.h"
#include "common/spin.h"

static void
error_is_one_tidy_line (void **state)
{
  struct error err;
  char big[600];

  assert_int_equal (error_set (&err, ENOENT, "open: %s: gone",
                               "a\nb\x7f\x1b[m"), -ENOENT);
  assert_int_equal (err.code, ENOENT);
  assert_string_equal (err.message, "open: a?b??[m: gone");

  /* Two-byte characters: the cut falls inside one at an odd offset. */
  for (size_t i = 0; i + 1 < sizeof big; i += 2)
    memcpy (big + i, "\xc3\xa9", 2);
  big[sizeof big - 2] = '\0';
  error_set (&err, EIO, "%s", big);
  assert_int_equal (strlen (err.message), 510);
  error_set (&err, EIO, "x%s", big);
  assert_int_equal (strlen (err.message), 511);
  /* A whole character that ends at the cut stays. */
  memset (big, 'x', 507);
  memcpy (big + 507, "\xf0\x9f\x92\xbe" "and more", 13);
  error_set (&err, EIO, "%s", big);
  assert_int_equal (strlen (err.message), 511);
  memmove (big + 508, big + 507, 13);
  big[507] = 'x';
  error_set (&err, EIO, "%s", big);
  assert_int_equal (strlen (err.message), 508);
}

static void
size_parse_accepts (void **state)
{
  static const struct { const char *text; uint64_t bytes; } good[] = {
    { "1", 1 }, { "512", 512 }, { "512B", 512 }, { "4096b", 4096 },
    { "1K", 1024 }, { "1k", 1024 }, { "1KiB", 1024 }, { "1KB", 1024 },
    { "512M", 512ull << 20 }, { "10G", 10ull << 30 }, { "10GiB", 10ull << 30 },
    { "1.5T", 3ull << 39 }, { "0.5K", 512 }, { "1.0", 1 }, { "2.50K", 2560 },
    { "1P", 1ull << 50 }, { "7E", 7ull << 60 }, { "007K", 7168 },
    { "9223372036854775807", INT64_MAX },
    { "0.0009765625K", 1 }, { "1.000000000000000000000000M", 1 << 20 },
  };
  struct error err;

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    uint64_t bytes = 0;

    assert_int_equal (size_parse ("size", good[i].text, &bytes, &err), 0);
    assert_int_equal (bytes, good[i].bytes);
  }
}

static void
size_parse_refuses (void **state)
{
  static const struct { const char *text; int code; const char *message; }
  bad[] = {
    { "", EINVAL, "size: the size is empty" },
    { "0", EINVAL, "size: 0: the size must not be 0" },
    { "0.0G", EINVAL, "size: 0.0G: the size must not be 0" },
    { "-1G", EINVAL, "size: -1G: a size cannot be negative" },
    { "-", EINVAL, "size: -: a size cannot be negative" },
    { "ten", EINVAL, "size: ten: not a size "
                     "(expected a number like 512M or 10G)" },
    { " 1", EINVAL, "size:  1: not a size "
                    "(expected a number like 512M or 10G)" },
    { "+1", EINVAL, "size: +1: not a size "
                    "(expected a number like 512M or 10G)" },
    { ".5K", EINVAL, "size: .5K: not a size "
                     "(expected a number like 512M or 10G)" },
    { "1.", EINVAL, "size: 1.: no digit follows the point" },
    { "1.G", EINVAL, "size: 1.G: no digit follows the point" },
    { "1.5", EINVAL, "size: 1.5: not a whole number of bytes" },
    { "1.3K", EINVAL, "size: 1.3K: not a whole number of bytes" },
    { "1.5B", EINVAL, "size: 1.5B: not a whole number of bytes" },
    { "0.1234567890123456789E", EINVAL,
      "size: 0.1234567890123456789E: too many digits follow the point" },
    { "1X", EINVAL, "size: 1X: unknown suffix "
                    "(K, M, G, T, P or E: powers of 1024)" },
    { "1KK", EINVAL, "size: 1KK: unknown suffix "
                     "(K, M, G, T, P or E: powers of 1024)" },
    { "1Ki", EINVAL, "size: 1Ki: unknown suffix "
                     "(K, M, G, T, P or E: powers of 1024)" },
    { "1BB", EINVAL, "size: 1BB: unknown suffix "
                     "(K, M, G, T, P or E: powers of 1024)" },
    { "1G ", EINVAL, "size: 1G : unknown suffix "
                     "(K, M, G, T, P or E: powers of 1024)" },
    { "8E", ERANGE, "size: 8E: the size is too large" },
    { "16E", ERANGE, "size: 16E: the size is too large" },
    { "9223372036854775808", ERANGE,
      "size: 9223372036854775808: the size is too large" },
    { "99999999999999999999999", ERANGE,
      "size: 99999999999999999999999: the size is too large" },
    { "18446744073709551615E", ERANGE,
      "size: 18446744073709551615E: the size is too large" },
  };
  struct error err;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    uint64_t bytes = 77;

    assert_int_equal (size_parse ("size", bad[i].text, &bytes, &err),
                      -bad[i].code);
    assert_int_equal (err.code, bad[i].code);
    assert_string_equal (err.message, bad[i].message);
    assert_int_equal (bytes, 77);
  }
}

static void
size_format_is_short (void **state)
{
  static const struct { uint64_t bytes; const char *text; } table[] = {
    { 0, "0" }, { 1, "1" }, { 512, "512" }, { 1000, "1000" }, { 1023, "1023" },
    { 1024, "1K" }, { 1025, "1.0K" }, { 1536, "1.5K" }, { 10240, "10K" },
    { 1 << 20, "1M" }, { (1 << 20) - 1, "1.0M" }, { 1025ull << 20, "1025M" },
    { 10ull << 30, "10G" }, { 3ull << 39, "1.5T" },
    { (1ull << 40) - 1, "1.0T" }, { 1ull << 60, "1E" },
    { INT64_MAX, "8.0E" }, { UINT64_MAX, "16.0E" },
    { 123456789, "117.7M" },
  };
  char buf[32];

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    assert_string_equal (size_format (table[i].bytes, buf, sizeof buf),
                         table[i].text);
}

static void
address_parse_accepts (void **state)
{
  static const struct { const char *text, *uri; } good[] = {
    { "tcp://host", "tcp://host:4420" },
    { "tcp://host:0", "tcp://host:0" },
    { "tcp://127.0.0.1:65535", "tcp://127.0.0.1:65535" },
    { "tcp://[::1]:4421", "tcp://[::1]:4421" },
    { "tcp://[::]", "tcp://[::]:4420" },
    { "tcp://[fe80::1%eth0]:1", "tcp://[fe80::1%eth0]:1" },
    { "[::1]", "tcp://[::1]:4420" },
    { "some-host.example", "tcp://some-host.example:4420" },
    { "host:00010", "tcp://host:10" },
    { "unix", "tcp://unix:4420" },
    { "rdma", "tcp://rdma:4420" },
    { "rdma://host", "rdma://host:4420" },
    { "rdma://[fe80::1%ib0]:1", "rdma://[fe80::1%ib0]:1" },
    { "unix:///run/qbd/target", "unix:///run/qbd/target" },
    { "unix:///with space", "unix:///with space" },
  };
  char uri[ADDRESS_TEXT_MAX];
  struct address address, again;
  struct error err;

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal (address_parse ("server", good[i].text, &address, &err),
                      0);
    address_format (&address, uri, sizeof uri);
    assert_string_equal (uri, good[i].uri);
    assert_int_equal (address_parse ("server", uri, &again, &err), 0);
    assert_memory_equal (&address, &again, sizeof address);
  }
}

static void
address_parse_refuses (void **state)
{
  static const struct { const char *text, *reason; } bad[] = {
    { "tcp://", "no host" },
    { ":4420", "no host" },
    { "tcp://:4420", "no host" },
    { "tcp://[]:1", "no host" },
    { "tcp://host:", "no port follows the colon" },
    { "host:port", "the port is not a number" },
    { "host:-1", "the port is not a number" },
    { "host:1/", "the port is not a number" },
    { "host:65536", "the port is above 65535" },
    { "host:99999999999999999999", "the port is above 65535" },
    { "::1", "no host" },
    { "fe80::1", "an IPv6 address is written in brackets, as [::1]:4420" },
    { "tcp://1::2:4420",
      "an IPv6 address is written in brackets, as [::1]:4420" },
    { "[::1", "the bracket is not closed" },
    { "[::1]4420", "a port follows brackets as [HOST]:PORT" },
    { "[host]", "no IPv6 address is between the brackets" },
    { "[::1%]", "no IPv6 address is between the brackets" },
    { "[::1%a b]", "no IPv6 address is between the brackets" },
    { "a b", "not the name of a host" },
    { "host!", "not the name of a host" },
    { "/run/qbd.sock", "the address of a host has no path "
                       "(a Unix socket is written unix:///PATH)" },
    { "tcp://host/", "the address of a host has no path "
                     "(a Unix socket is written unix:///PATH)" },
    { "unix://run/x", "the path must be absolute, as in unix:///PATH" },
    { "unix://", "the path must be absolute, as in unix:///PATH" },
    { "unix:///", "the path is empty" },
    { "unxi:///run/x", "unknown scheme, did you mean unix://?" },
    { "TCP://host", "unknown scheme, did you mean tcp://?" },
    { "http://host", "unknown scheme (tcp://, rdma:// or unix://)" },
    { "rdma://", "no host" },
    { "rmda://host", "unknown scheme, did you mean rdma://?" },
    { "://host", "unknown scheme (tcp://, rdma:// or unix://)" },
    { "averyveryverylongscheme://x",
      "unknown scheme (tcp://, rdma:// or unix://)" },
  };
  struct address address, before;
  struct error err;
  char message[512];

  memset (&address, 0x5a, sizeof address);
  before = address;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal (address_parse ("server", bad[i].text, &address, &err),
                      -EINVAL);
    assert_int_equal (err.code, EINVAL);
    snprintf (message, sizeof message, "server: %s: %s", bad[i].text,
              bad[i].reason);
    assert_string_equal (err.message, message);
    assert_memory_equal (&address, &before, sizeof address);
  }
  assert_int_equal (address_parse ("server", "", &address, &err), -EINVAL);
  assert_string_equal (err.message, "server: the address is empty");
}

static void
address_locality (void **state)
{
  static const char *const local[] = {
    "unix:///run/qbd", "127.0.0.1", "tcp://127.9.9.9:4420", "tcp://[::1]:1",
    "[::ffff:127.0.0.1]",
  };
  static const char *const other[] = {
    "0.0.0.0", "[::]", "128.0.0.1", "tcp://10.127.0.1", "[fe80::1]",
    "[::ffff:10.0.0.1]", "[::2]", "localhost", "127.0.0.1.example",
  };
  struct address address;
  struct error err;

  for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
    assert_int_equal (address_parse ("x", local[i], &address, &err), 0);
    assert_true (address_is_local (&address));
  }
  for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
    assert_int_equal (address_parse ("x", other[i], &address, &err), 0);
    assert_false (address_is_local (&address));
  }
}

static void
address_lengths (void **state)
{
  struct address address;
  struct error err;
  char text[400];

  memset (text, 'h', sizeof text);
  text[255] = '\0';
  assert_int_equal (address_parse ("server", text, &address, &err), 0);
  text[255] = 'h';
  text[256] = '\0';
  assert_int_equal (address_parse ("server", text, &address, &err), -EINVAL);
  /* The reason is said however long the text. */
  assert_non_null (strstr (err.message, ": the name of the host is too long"));

  memset (text, 'p', sizeof text);
  memcpy (text, "unix:///", 8);
  text[7 + 107] = '\0';
  assert_int_equal (address_parse ("server", text, &address, &err), 0);
  assert_int_equal (strlen (address.path), 107);
  text[7 + 107] = 'p';
  text[7 + 108] = '\0';
  assert_int_equal (address_parse ("server", text, &address, &err), -EINVAL);
  assert_non_null (strstr (err.message, ": the path is longer than 107 bytes, "
                           "the limit of Unix sockets"));
}

static void
nearest_names (void **state)
{
  static const char *const engines_known[] = { "file", "ram", NULL };
  static const char *const keys[] = {
    "volume", "server", "nr_io_queues", "queue_size", "hdr_digest",
    "data_digest", NULL
  };
  static const char *const none[] = { NULL };
  char big[1000];

  assert_string_equal (nearest_name ("volme", keys), "volume");
  assert_string_equal (nearest_name ("vloume", keys), "volume");
  assert_string_equal (nearest_name ("VOLUME", keys), "volume");
  assert_string_equal (nearest_name ("hdr-digest", keys), "hdr_digest");
  assert_string_equal (nearest_name ("dta_digset", keys), "data_digest");
  assert_string_equal (nearest_name ("nr-io-queue", keys), "nr_io_queues");
  assert_string_equal (nearest_name ("fiel", engines_known), "file");
  assert_null (nearest_name ("rbd", engines_known));
  assert_null (nearest_name ("xyz", keys));
  assert_null (nearest_name ("", keys));
  assert_null (nearest_name ("ab", keys));
  assert_null (nearest_name ("volume", none));
  memset (big, 'v', sizeof big);
  big[sizeof big - 1] = '\0';
  assert_null (nearest_name (big, keys));
}

/* What log_line writes with standard error going to a pipe. */
static void
logged (char *buf, size_t size, void (*say) (void))
{
  int fds[2], saved;
  ssize_t n;

  assert_int_equal (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), 0);
  saved = dup (STDERR_FILENO);
  assert_true (saved >= 0);
  dup2 (fds[1], STDERR_FILENO);
  say ();
  dup2 (saved, STDERR_FILENO);
  close (saved);
  n = read (fds[0], buf, size - 1);
  buf[n > 0 ? n : 0] = '\0';
  close (fds[0]);
  close (fds[1]);
}

static void
say_all (void)
{
  log_open ("prog", LOG_LEVEL_INFO);
  errno = EXDEV;
  log_error ("%s: broken", "disk");
  log_warning ("odd");
  log_info ("evil\n<0>name\x1b[2J");
  log_debug ("not shown");
  assert_int_equal (errno, EXDEV);
}

static void
say_debug (void)
{
  log_open ("prog", LOG_LEVEL_DEBUG);
  log_debug ("shown");
}

static void
say_much (void)
{
  char big[5000];

  memset (big, 'x', sizeof big);
  big[sizeof big - 1] = '\0';
  log_open ("prog", LOG_LEVEL_INFO);
  log_info ("%s", big);
}

static void
say_to_journal (void)
{
  char text[64];
  struct stat st;

  assert_int_equal (fstat (STDERR_FILENO, &st), 0);
  snprintf (text, sizeof text, "%llu:%llu", (unsigned long long) st.st_dev,
            (unsigned long long) st.st_ino);
  setenv ("JOURNAL_STREAM", text, 1);
  log_open ("prog", LOG_LEVEL_INFO);
  log_warning ("odd");
  /* Inherited, but standard error goes elsewhere. */
  setenv ("JOURNAL_STREAM", "1:1", 1);
  log_open ("prog", LOG_LEVEL_INFO);
  log_warning ("odd");
  unsetenv ("JOURNAL_STREAM");
}

static void
log_lines (void **state)
{
  char buf[4096];

  unsetenv ("JOURNAL_STREAM");
  logged (buf, sizeof buf, say_all);
  assert_string_equal (buf, "prog: error: disk: broken\n"
                       "prog: warning: odd\n"
                       "prog: evil?<0>name?[2J\n");
  logged (buf, sizeof buf, say_debug);
  assert_string_equal (buf, "prog: debug: shown\n");
  logged (buf, sizeof buf, say_much);
  assert_int_equal (strlen (buf), 1023);
  assert_int_equal (buf[1022], '\n');
  logged (buf, sizeof buf, say_to_journal);
  assert_string_equal (buf, "<4>odd\nprog: warning: odd\n");
}

/* Each time something comes after_us: a look, and a sleep if it was in vain. */
static void
comes (struct spin *spin, uint32_t after_us, unsigned times)
{
  for (unsigned i = 0; i < times; i++) {
    uint64_t end_ns = spin_begin (spin, 0);

    if (after_us * UINT64_C (1000) < end_ns)
      spin_found (spin);
    else
      spin_slept (spin, after_us * UINT64_C (1000) - end_ns);
  }
}

static void
spin_adapts (void **state)
{
  struct spin spin = spin_init (100);

  comes (&spin, 99, 10);
  assert_int_equal (spin.now_us, 100);
  /* A look for 100 us is always in vain, though the sleep is short. */
  comes (&spin, 150, 10);
  assert_int_equal (spin.now_us, 0);
  comes (&spin, 5000, 1);
  assert_int_equal (spin.now_us, 0);
  comes (&spin, 99, 1);
  assert_int_equal (spin.now_us, 100);
  /* Its own look was too short, not a longest one. */
  comes (&spin, 5000, 1);
  assert_int_equal (spin.now_us, 50);
  comes (&spin, 99, 1);
  assert_int_equal (spin.now_us, 100);

  spin = spin_init (0);
  comes (&spin, 0, 3);
  assert_int_equal (spin.now_us, 0);
}

static void
percent_decoding (void **state)
{
  static const struct {
    const char *from, *to;
  } cases[] = {
    { "", "" },
    { "/tmp/a%20b", "/tmp/a b" },
    { "%2f%2F%7e%41", "//~A" },
    { "%", "%" },
    { "%4", "%4" },
    { "%4x%x4%%41", "%4x%x4%A" },
    { "a%00b", "a%00b" },
    { "%\x10""4%ff", "%\x10""4\xff" },
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[32];

    strcpy (text, cases[i].from);
    assert_int_equal (percent_decode (text), strlen (cases[i].to));
    assert_string_equal (text, cases[i].to);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (error_is_one_tidy_line),
    cmocka_unit_test (size_parse_accepts),
    cmocka_unit_test (size_parse_refuses),
    cmocka_unit_test (size_format_is_short),
    cmocka_unit_test (address_parse_accepts),
    cmocka_unit_test (address_parse_refuses),
    cmocka_unit_test (address_locality),
    cmocka_unit_test (address_lengths),
    cmocka_unit_test (nearest_names),
    cmocka_unit_test (percent_decoding),
    cmocka_unit_test (log_lines),
    cmocka_unit_test (spin_adapts),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
