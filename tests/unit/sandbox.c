/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sandbox, each time in a process of its own: what it forbids, what it
 * leaves, and which settings a reload may still name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/sandbox-internal.h"
#include "server/sandbox.h"

static char dir[] = "/tmp/qbd-sandbox.XXXXXX";
static struct sockaddr_in listening = { .sin_family = AF_INET };

/* Says the line that failed. */
#define CHECK(condition)                                        \
  do {                                                          \
    if (!(condition)) {                                         \
      fprintf (stderr, "%d: %s: %s\n", __LINE__, #condition,    \
               strerror (errno));                               \
      _exit (EXIT_FAILURE);                                     \
    }                                                           \
  } while (0)

static void
in_child (void (*fn) (void))
{
  int status;
  pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0) {
    fn ();
    _exit (EXIT_SUCCESS);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
}

static void
make_options (struct options *options, const char *engine, const char *more)
{
  char pool[128], control[128], *argv[] = {
    "test", "--pool", pool, "--control", control, (char *) more, NULL
  };
  struct error err;

  snprintf (pool, sizeof pool, "a=%s", engine);
  snprintf (control, sizeof control, "%s/run/control", dir);
  CHECK (options_parse (options, more ? 6 : 5, argv, &err) == 0);
  CHECK (options_complete (options, &err) == 0);
}

static void
enter (void)
{
  static struct options options;
  char pool[128];
  struct error err;

  snprintf (pool, sizeof pool, "file:%s/pool", dir);
  make_options (&options, pool, NULL);
  CHECK (sandbox_enter (&options, &err) == 0);
}

static int
open_in (const char *name, int flags)
{
  char path[128];
  int fd;

  snprintf (path, sizeof path, "%s/%s", dir, name);
  fd = open (path, flags | O_CLOEXEC, 0600);
  if (fd < 0)
    return -errno;
  close (fd);
  return 0;
}

static void
files (void)
{
  char path[128];

  enter ();
  CHECK (open_in ("pool/new", O_RDWR | O_CREAT | O_EXCL) == 0);
  CHECK (open_in ("pool/new", O_RDWR | O_TRUNC) == 0);
  snprintf (path, sizeof path, "%s/pool/new", dir);
  CHECK (unlink (path) == 0);
  CHECK (open_in ("secret", O_RDONLY) == -EACCES);
  CHECK (open_in ("new", O_RDWR | O_CREAT | O_EXCL) == -EACCES);
  /* A link in the pool leads nowhere. */
  CHECK (open_in ("pool/link", O_RDONLY) == -EACCES);
  CHECK (open_in ("pool/../secret", O_RDONLY) == -EACCES);
  CHECK (open ("/root", O_RDONLY) == -1 && errno == EACCES);
  CHECK (open ("/etc/hosts", O_RDWR) == -1 && errno == EACCES);
  snprintf (path, sizeof path, "%s/secret", dir);
  CHECK (unlink (path) == -1 && errno == EACCES);
}

static void *
nothing (void *arg)
{
  return arg;
}

static void
system_calls (void)
{
  char *argv[] = { "/bin/true", NULL };
  pthread_t thread;

  enter ();
  CHECK (prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  CHECK (prctl (PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
  CHECK (prctl (PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
  CHECK (mount ("none", "/", "tmpfs", 0, NULL) == -1 && errno == EPERM);
  CHECK (setns (-1, 0) == -1 && errno == EPERM);
  CHECK (socket (AF_PACKET, SOCK_DGRAM, 0) == -1 && errno == EAFNOSUPPORT);
  CHECK (socket (AF_VSOCK, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);
  CHECK (socket (AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT);
  CHECK (pthread_create (&thread, NULL, nothing, NULL) == 0);
  CHECK (pthread_join (thread, NULL) == 0);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
  CHECK (execv (argv[0], argv) == -1);
  CHECK (fork () == -1 && errno == EPERM);
#else
  (void) argv;
#endif
}

static void
network (void)
{
  int fd;

  enter ();
  fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK (connect (fd, (struct sockaddr *) &listening, sizeof listening) == -1
         && errno == EACCES);
}

static void
reloads (void)
{
  static struct options anew;
  struct error err;
  char text[128];

  enter ();
  snprintf (text, sizeof text, "file:%s/pool", dir);
  make_options (&anew, text, NULL);
  CHECK (sandbox_check (&anew, &err) == 0);
  snprintf (text, sizeof text, "file:%s/run", dir);
  make_options (&anew, text, NULL);
  CHECK (sandbox_check (&anew, &err) == -EACCES);
  CHECK (strstr (err.message, "restart it"));
  make_options (&anew, "ram:", NULL);
  CHECK (sandbox_check (&anew, &err) == 0);
  snprintf (text, sizeof text, "--listen=unix://%s/run/sock", dir);
  make_options (&anew, "ram:", text);
  CHECK (sandbox_check (&anew, &err) == 0);
  snprintf (text, sizeof text, "--listen=unix://%s/sock", dir);
  make_options (&anew, "ram:", text);
  CHECK (sandbox_check (&anew, &err) == -EACCES);
}

/* --- the tests ---------------------------------------------------------- */

/* Landlock's version, as the kernel has it; 0: none that will do. */
static int
landlock_version (void)
{
  long n = syscall (SYS_landlock_create_ruleset, NULL, 0,
                    LANDLOCK_CREATE_RULESET_VERSION);

  return n < LANDLOCK_ABI_MIN ? 0 : (int) n;
}

static void
test_files (void **state)
{
  if (landlock_version () == 0)
    skip ();
  in_child (files);
}

static void
test_system_calls (void **state)
{
  in_child (system_calls);
}

static void
test_network (void **state)
{
  if (landlock_version () < 4)
    skip ();
  in_child (network);
}

static void
test_reloads (void **state)
{
  if (landlock_version () == 0)
    skip ();
  in_child (reloads);
}

static int
setup (void **state)
{
  socklen_t len = sizeof listening;
  char path[128];
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  listening.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  if (bind (fd, (struct sockaddr *) &listening, sizeof listening) < 0
      || listen (fd, 8) < 0
      || getsockname (fd, (struct sockaddr *) &listening, &len) < 0
      || !mkdtemp (dir))
    return -1;
  snprintf (path, sizeof path, "%s/pool", dir);
  if (mkdir (path, 0700) < 0)
    return -1;
  snprintf (path, sizeof path, "%s/pool/link", dir);
  if (symlink ("../secret", path) < 0)
    return -1;
  return open_in ("secret", O_RDWR | O_CREAT | O_EXCL);
}

static int
teardown (void **state)
{
  static const char *const names[] = {
    "secret", "pool/link", "pool", "run", ""
  };
  char path[128];

  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    snprintf (path, sizeof path, "%s/%s", dir, names[i]);
    remove (path);
  }
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_files),
    cmocka_unit_test (test_system_calls),
    cmocka_unit_test (test_network),
    cmocka_unit_test (test_reloads),
  };

  return cmocka_run_group_tests (tests, setup, teardown);
}
