/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams over sockets: connecting, listening, moving bytes, and what is said
 * when one of them fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/stream.h"

static char dir[] = "/tmp/qbd-stream-XXXXXX";

static int
make_dir (void **state)
{
  return mkdtemp (dir) ? 0 : -1;
}

static int
remove_dir (void **state)
{
  return rmdir (dir);           /* fails when a test left something */
}

static struct address
parse (const char *text)
{
  struct address address;
  struct error err;

  assert_int_equal (address_parse ("test", text, &address, &err), 0);
  return address;
}

static struct address
unix_address (const char *name)
{
  char text[ADDRESS_TEXT_MAX];

  snprintf (text, sizeof text, "unix://%s/%s", dir, name);
  return parse (text);
}

static void
check_message (const struct error *err, int code, const char *what,
               const struct address *address, const char *reason)
{
  char uri[ADDRESS_TEXT_MAX], message[sizeof err->message];

  snprintf (message, sizeof message, "%s: %s: %s", what,
            address_format (address, uri, sizeof uri), reason);
  assert_string_equal (err->message, message);
  assert_int_equal (err->code, code);
}

static void
check_flags (int fd, bool tcp)
{
  char congestion[16] = "";
  socklen_t congestion_len = sizeof congestion;
  int on = 0;
  socklen_t len = sizeof on;

  assert_true (fcntl (fd, F_GETFL) & O_NONBLOCK);
  assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
  if (tcp) {
    assert_int_equal (getsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_int_not_equal (on, 0);
    /* Both ends are here. */
    assert_int_equal (getsockopt (fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
                                  &congestion_len), 0);
    assert_string_equal (congestion, "reno");
  }
}

/* More than a socket has by itself, as far as the administrator lets it; two of
 * the largest commands' data where we administer the network. */
static void
check_room (int fd)
{
  const int much = 2 << 20;
  int before, bytes, other = socket (AF_UNIX, SOCK_STREAM, 0);
  socklen_t len = sizeof bytes;

  assert_true (other >= 0);
  assert_int_equal (getsockopt (other, SOL_SOCKET, SO_SNDBUF, &before, &len),
                    0);
  assert_int_equal (getsockopt (fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len), 0);
  assert_true (bytes > before);
  if (setsockopt (other, SOL_SOCKET, SO_SNDBUFFORCE, &much, sizeof much) == 0)
    assert_true (bytes >= 2 * much);
  close (other);
}

/* An administrator may have given sockets more than we would. */
static void
keeps_room (void **state)
{
  const int much = 16 << 20;
  socklen_t len = sizeof much;
  int fds[2], before, after;
  struct stream *stream;

  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  assert_int_equal (setsockopt (fds[0], SOL_SOCKET, SO_SNDBUF, &much, len), 0);
  assert_int_equal (getsockopt (fds[0], SOL_SOCKET, SO_SNDBUF, &before, &len),
                    0);
  stream = stream_from_socket (fds[0]);
  assert_non_null (stream);
  assert_int_equal (getsockopt (fds[0], SOL_SOCKET, SO_SNDBUF, &after, &len),
                    0);
  assert_true (after >= before);
  stream_close (stream);
  close (fds[1]);
}

static void
wait_readable (int fd)
{
  struct pollfd pfd = { .fd = fd, .events = POLLIN };

  assert_int_equal (poll (&pfd, 1, 5000), 1);
}

static void
say_and_hear (struct stream *from, struct stream *to)
{
  char a[3] = "ab", b[4] = "cde", c[16];
  struct iovec out[2] = { { a, 2 }, { b, 3 } };
  struct iovec in = { c, sizeof c };

  assert_int_equal (stream_receive (to, &in, 1), -EAGAIN);
  assert_int_equal (stream_send (from, out, 2), 5);
  wait_readable (to->fd);
  assert_int_equal (stream_receive (to, &in, 1), 5);
  assert_memory_equal (c, "abcde", 5);
}

/* One connection over a listener: both ways, then the end. */
static void
converse (struct address *address)
{
  bool tcp = address->family == ADDRESS_TCP;
  struct error err;
  struct stream *client, *server;
  struct iovec in;
  char byte = 0;
  int fd, conn;

  fd = stream_listen (address, &err);
  assert_true (fd >= 0);
  check_flags (fd, false);
  if (tcp)
    assert_string_not_equal (address->port, "0");
  client = stream_connect (address, 5000, &err);
  assert_non_null (client);
  check_flags (client->fd, tcp);
  if (!tcp)
    check_room (client->fd);
  wait_readable (fd);
  conn = accept (fd, NULL, NULL);
  assert_true (conn >= 0);
  server = stream_from_socket (conn);
  assert_non_null (server);
  check_flags (server->fd, tcp);
  say_and_hear (client, server);
  say_and_hear (server, client);

  stream_shutdown (client);
  wait_readable (server->fd);
  in = (struct iovec) { &byte, 1 };
  assert_int_equal (stream_receive (server, &in, 1), 0);
  in = (struct iovec) { &byte, 1 };
  assert_int_equal (stream_send (client, &in, 1), -EPIPE);  /* no SIGPIPE */
  stream_close (client);
  stream_close (server);
  stream_close (NULL);
  close (fd);
}

/* What was sent and not read is lost: the peer is told by a reset.  Returns
 * how many bytes it got. */
static size_t
sent_and_ended (void (*end) (struct stream *stream), size_t *sent, int *last)
{
  struct address address = parse ("tcp://127.0.0.1:0");
  static char buf[65536];
  struct iovec iov = { buf, sizeof buf };
  struct stream *client, *server;
  int fd, conn, small = 4096;
  struct error err;
  size_t heard = 0;
  ssize_t n;

  fd = stream_listen (&address, &err);
  assert_true (fd >= 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  client = stream_connect (&address, 5000, &err);
  assert_non_null (client);
  wait_readable (fd);
  conn = accept (fd, NULL, NULL);
  assert_true (conn >= 0);
  server = stream_from_socket (conn);
  *sent = 0;
  while ((n = stream_send (client, &iov, 1)) > 0)
    *sent += (size_t) n;
  assert_int_equal (n, -EAGAIN);
  end (client);
  assert_true (stream_send (client, &iov, 1) < 0);
  assert_true (stream_receive (client, &iov, 1) <= 0);
  do {
    wait_readable (server->fd);
    iov = (struct iovec) { buf, sizeof buf };
    n = stream_receive (server, &iov, 1);
    heard += n > 0 ? (size_t) n : 0;
  } while (n > 0 || n == -EAGAIN);
  *last = (int) n;
  stream_close (client);
  stream_close (server);
  close (fd);
  return heard;
}

static void
aborted (void **state)
{
  size_t sent, heard;
  int last;

  heard = sent_and_ended (stream_shutdown, &sent, &last);
  assert_true (heard == sent && last == 0);
  heard = sent_and_ended (stream_abort, &sent, &last);
  assert_true (heard < sent);
  assert_int_equal (last, -ECONNRESET);
}

static void
tcp_ipv4 (void **state)
{
  struct address address = parse ("tcp://127.0.0.1:0");

  converse (&address);
}

static bool
has_ipv6 (void)
{
  struct sockaddr_in6 sin6 = {
    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT
  };
  int fd = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool r = fd >= 0 && bind (fd, (struct sockaddr *) &sin6, sizeof sin6) == 0;

  if (fd >= 0)
    close (fd);
  return r;
}

static void
tcp_ipv6 (void **state)
{
  struct address address = parse ("tcp://[::1]:0");

  if (!has_ipv6 ())
    skip ();
  converse (&address);
}

/* [::] leaves IPv4 to 0.0.0.0, on the same port. */
static void
tcp_ipv6_only (void **state)
{
  struct address v6 = parse ("tcp://[::]:0"), v4 = parse ("0.0.0.0");
  struct error err;
  int fd6, fd4;

  if (!has_ipv6 ())
    skip ();
  fd6 = stream_listen (&v6, &err);
  assert_true (fd6 >= 0);
  memcpy (v4.port, v6.port, sizeof v4.port);
  fd4 = stream_listen (&v4, &err);
  assert_true (fd4 >= 0);
  close (fd4);
  close (fd6);
}

static void
unix_socket (void **state)
{
  struct address address = unix_address ("socket");

  converse (&address);
  assert_int_equal (unlink (address.path), 0);
}

/* A name with several addresses: the one that listens is found. */
static void
tcp_tries_each_address (void **state)
{
  struct address address = parse ("127.0.0.1:0"), name;
  struct error err;
  struct stream *stream;
  int fd = stream_listen (&address, &err);

  assert_true (fd >= 0);
  name = parse ("localhost");
  memcpy (name.port, address.port, sizeof name.port);
  stream = stream_connect (&name, 5000, &err);
  assert_non_null (stream);
  stream_close (stream);
  close (fd);
}

static void
connect_refused (void **state)
{
  struct address address = parse ("127.0.0.1:0");
  struct error err;
  int fd = stream_listen (&address, &err);

  assert_true (fd >= 0);
  close (fd);
  assert_null (stream_connect (&address, 5000, &err));
  check_message (&err, ECONNREFUSED, "connect", &address,
                 "Connection refused");
}

static void
connect_unknown_host (void **state)
{
  struct address address = parse ("no-such-host.invalid");
  const char *start = "connect: tcp://no-such-host.invalid:4420: ";
  struct error err;

  assert_null (stream_connect (&address, 5000, &err));
  assert_int_equal (err.code, EHOSTUNREACH);
  assert_memory_equal (err.message, start, strlen (start));
  assert_true (strlen (err.message) > strlen (start));
}

static void
connect_unix_missing (void **state)
{
  struct address address = unix_address ("missing");
  struct error err;

  assert_null (stream_connect (&address, 5000, &err));
  check_message (&err, ENOENT, "connect", &address,
                 "No such file or directory");
}

static void
ignore_signal (int sig)
{
}

/* Nobody accepts and the backlog is full; signals do not move the deadline. */
static void
connect_unix_times_out (void **state)
{
  struct address address = unix_address ("busy");
  struct sockaddr_un sun = { .sun_family = AF_UNIX };
  const struct sigaction action = { .sa_handler = ignore_signal };
  const struct itimerval often = { { 0, 10000 }, { 0, 10000 } };
  const struct itimerval never = { { 0, 0 }, { 0, 0 } };
  struct sigaction before;
  struct error err;
  uint64_t start_ms, took_ms;
  int fd, fill[2];

  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memcpy (sun.sun_path, address.path, sizeof address.path);
  assert_int_equal (bind (fd, (struct sockaddr *) &sun, sizeof sun), 0);
  assert_int_equal (listen (fd, 0), 0);
  for (int i = 0; i < 2; i++) {
    fill[i] = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void) !connect (fill[i], (struct sockaddr *) &sun, sizeof sun);
  }
  sigaction (SIGALRM, &action, &before);
  setitimer (ITIMER_REAL, &often, NULL);
  start_ms = clock_now_ms ();
  assert_null (stream_connect (&address, 200, &err));
  took_ms = clock_now_ms () - start_ms;
  setitimer (ITIMER_REAL, &never, NULL);
  sigaction (SIGALRM, &before, NULL);
  check_message (&err, ETIMEDOUT, "connect", &address,
                 "Connection timed out");
  assert_true (took_ms >= 190 && took_ms < 4000);
  close (fill[0]);
  close (fill[1]);
  close (fd);
  assert_int_equal (unlink (address.path), 0);
}

/* A TCP backlog that is full swallows SYNs. */
static void
connect_tcp_times_out (void **state)
{
  struct address address = parse ("127.0.0.1:0");
  struct sockaddr_in sin = {
    .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)
  };
  socklen_t len = sizeof sin;
  struct error err;
  uint64_t start_ms, took_ms;
  int fd, fill[4];

  fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal (bind (fd, (struct sockaddr *) &sin, sizeof sin), 0);
  assert_int_equal (listen (fd, 0), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) &sin, &len), 0);
  snprintf (address.port, sizeof address.port, "%u", ntohs (sin.sin_port));
  for (int i = 0; i < 4; i++) {
    fill[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void) !connect (fill[i], (struct sockaddr *) &sin, sizeof sin);
  }
  start_ms = clock_now_ms ();
  assert_null (stream_connect (&address, 200, &err));
  took_ms = clock_now_ms () - start_ms;
  check_message (&err, ETIMEDOUT, "connect", &address,
                 "Connection timed out");
  assert_true (took_ms >= 190 && took_ms < 4000);
  for (int i = 0; i < 4; i++)
    close (fill[i]);
  close (fd);
}

/* Connects, sends until nothing more goes out, and is killed. */
static void
send_and_die (const struct address *address)
{
  static char bytes[65536];
  struct iovec out = { bytes, sizeof bytes };
  struct error err;
  struct stream *stream = stream_connect (address, 5000, &err);

  while (stream && stream_send (stream, &out, 1) > 0)
    ;
  kill (getpid (), SIGKILL);
}

/* What a process had not sent when it was killed is not sent for it: it would
 * come late, over that of the next one. */
static void
killed (void **state)
{
  struct address address = parse ("127.0.0.1:0");
  struct error err;
  char buffer[65536];
  pid_t child;
  int fd = stream_listen (&address, &err), conn, status;
  ssize_t r;

  assert_true (fd >= 0);
  child = fork ();
  assert_true (child >= 0);
  if (child == 0)
    send_and_die (&address);
  wait_readable (fd);
  conn = accept (fd, NULL, NULL);
  assert_true (conn >= 0);
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_true (WIFSIGNALED (status));
  do
    r = recv (conn, buffer, sizeof buffer, 0);
  while (r > 0);
  assert_int_equal (r, -1);
  assert_int_equal (errno, ECONNRESET);
  close (conn);
  close (fd);
}

static struct stream_place
place_of (uint16_t port)
{
  struct stream_place place = { .sa_bytes = sizeof (struct sockaddr_in) };
  struct sockaddr_in sin = {
    .sin_family = AF_INET,
    .sin_port = htons (port),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
  };

  memcpy (&place.sa, &sin, sizeof sin);
  return place;
}

/* Nobody listens; sooner or later the kernel gives the very port that is asked
 * for to who asks.  connect prefers even ones. */
static void
never_to_itself (void **state)
{
  unsigned refused = 0;

  for (uint16_t port = 40000; port < 40020 && refused == 0; port += 2)
    for (unsigned i = 0; i < 5000 && refused == 0; i++) {
      const struct stream_place place = place_of (port);
      struct sockaddr_in own;
      socklen_t bytes = sizeof own;
      struct stream stream;
      int r = stream_connect_begin (&place, &stream);

      refused += r == -ECONNREFUSED;
      if (r < 0)
        continue;
      assert_int_equal (getsockname (stream.fd, (struct sockaddr *) &own,
                                     &bytes), 0);
      assert_int_not_equal (ntohs (own.sin_port), port);
      stream_close (&stream);
    }
  if (refused == 0)
    skip ();
}

static void
listen_tcp_in_use (void **state)
{
  struct address address = parse ("127.0.0.1:0");
  struct error err;
  int fd = stream_listen (&address, &err);

  assert_true (fd >= 0);
  assert_int_equal (stream_listen (&address, &err), -EADDRINUSE);
  check_message (&err, EADDRINUSE, "listen", &address,
                 "Address already in use");
  close (fd);
}

static void
listen_tcp_foreign_address (void **state)
{
  struct address address = parse ("192.0.2.1:0");       /* TEST-NET-1 */
  struct error err;

  assert_int_equal (stream_listen (&address, &err), -EADDRNOTAVAIL);
  check_message (&err, EADDRNOTAVAIL, "listen", &address,
                 "Cannot assign requested address");
  assert_string_equal (address.port, "0");
}

static void
listen_unix_served (void **state)
{
  struct address address = unix_address ("served");
  struct error err;
  int fd = stream_listen (&address, &err);

  assert_true (fd >= 0);
  assert_int_equal (stream_listen (&address, &err), -EADDRINUSE);
  check_message (&err, EADDRINUSE, "listen", &address,
                 "another process is serving this socket");
  close (fd);
  assert_int_equal (unlink (address.path), 0);
}

static void
listen_unix_replaces_dead (void **state)
{
  struct address address = unix_address ("dead");
  struct error err;
  int fd = stream_listen (&address, &err);

  assert_true (fd >= 0);
  close (fd);                   /* its file stays, as after kill -9 */
  converse (&address);
  assert_int_equal (unlink (address.path), 0);
}

/* Whoever may read the directory can lock it: that delays a start, a while. */
static void
listen_unix_directory_locked (void **state)
{
  struct address address = unix_address ("locked");
  char directory[sizeof address.path];
  struct error err;
  int lock, fd;

  strcpy (directory, address.path);
  *strrchr (directory, '/') = '\0';
  lock = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true (lock >= 0);
  assert_int_equal (flock (lock, LOCK_EX), 0);
  fd = stream_listen (&address, &err);
  assert_true (fd >= 0);
  close (fd);
  close (lock);
  assert_int_equal (unlink (address.path), 0);
}

static void
listen_unix_spares_files (void **state)
{
  struct address address = unix_address ("file");
  struct error err;
  int fd = open (address.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

  assert_true (fd >= 0);
  close (fd);
  assert_int_equal (stream_listen (&address, &err), -EEXIST);
  check_message (&err, EEXIST, "listen", &address, "exists and is not a "
                 "socket; remove it or choose another");
  assert_int_equal (unlink (address.path), 0);
}

static void
listen_unix_no_directory (void **state)
{
  struct address address = unix_address ("no/such/socket");
  struct error err;

  assert_int_equal (stream_listen (&address, &err), -ENOENT);
  check_message (&err, ENOENT, "listen", &address,
                 "No such file or directory");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (tcp_ipv4),
    cmocka_unit_test (aborted),
    cmocka_unit_test (tcp_ipv6),
    cmocka_unit_test (tcp_ipv6_only),
    cmocka_unit_test (unix_socket),
    cmocka_unit_test (keeps_room),
    cmocka_unit_test (tcp_tries_each_address),
    cmocka_unit_test (connect_refused),
    cmocka_unit_test (connect_unknown_host),
    cmocka_unit_test (connect_unix_missing),
    cmocka_unit_test (connect_unix_times_out),
    cmocka_unit_test (connect_tcp_times_out),
    cmocka_unit_test (killed),
    cmocka_unit_test (never_to_itself),
    cmocka_unit_test (listen_tcp_in_use),
    cmocka_unit_test (listen_tcp_foreign_address),
    cmocka_unit_test (listen_unix_served),
    cmocka_unit_test (listen_unix_replaces_dead),
    cmocka_unit_test (listen_unix_directory_locked),
    cmocka_unit_test (listen_unix_spares_files),
    cmocka_unit_test (listen_unix_no_directory),
  };

  return cmocka_run_group_tests (tests, make_dir, remove_dir);
}
