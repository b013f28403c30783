/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd-server: options, signals, exit status.
 *
 * The main thread only waits for signals, which all threads have blocked;
 * start, reload and end are other threads' work, because each may wait for
 * storage.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/notify.h"
#include "server/options.h"
#include "server/reload.h"
#include "server/sandbox.h"
#include "server/server.h"
#include "server/transport/transport.h"

#define EXIT_USAGE 2
#define STOP_TIMEOUT_MS 4500    /* of the 5 s that are promised */

/* A descriptor for each queue of each host: as many as the system allows. */
static void
raise_file_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) == -1)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &limit) == -1)
    log_debug ("start: open files: %s", strerror (errno));
}

/* Work that may wait for storage is a thread's beside the main thread, which
 * is told with SIGUSR1 when it is over.  Static: it may outlive its caller. */
struct beside {
  pthread_t thread;
  bool running;                 /* the main thread's */
  atomic_bool over;
};
static struct beside starting, reloading, stopping;

static pthread_t main_thread;   /* constant */
static int the_argc;            /* constant */
static char **the_argv;         /* constant */
static const struct options *the_options;       /* constant */
static struct server *the_server;       /* constant once it was started */
static int start_result;        /* of starting */
static struct error start_error;

static void
tell_main (struct beside *beside)
{
  atomic_store (&beside->over, true);
  pthread_kill (main_thread, SIGUSR1);
}

static void *
start_thread (void *arg)
{
  start_result = server_start (the_options, &the_server, &start_error);
  tell_main (&starting);
  return NULL;
}

static void *
reload_thread (void *arg)
{
  reload (the_server, the_options, the_argc, the_argv);
  tell_main (&reloading);
  return NULL;
}

static void *
stop_thread (void *arg)
{
  if (reloading.running)
    pthread_join (reloading.thread, NULL);
  server_stop (the_server);
  tell_main (&stopping);
  return NULL;
}

static void
run_beside (struct beside *beside, void *(*run) (void *arg))
{
  int r;

  atomic_store (&beside->over, false);
  r = pthread_create (&beside->thread, NULL, run, NULL);
  if (r != 0) {
    log_error ("start: thread: %s", strerror (r));
    _exit (EXIT_FAILURE);
  }
  beside->running = true;
}

/* True, once, when it is over. */
static bool
is_over (struct beside *beside)
{
  if (!beside->running || !atomic_load (&beside->over))
    return false;
  pthread_join (beside->thread, NULL);
  beside->running = false;
  return true;
}

/* To open a pool may take as long as the writes of a server that was killed:
 * whoever has no patience can still stop us. */
static int
start (const sigset_t *signals)
{
  int number;

  run_beside (&starting, start_thread);
  while (!is_over (&starting)) {
    sigwait (signals, &number);
    /* The configuration file was just read. */
    if (number != SIGUSR1 && !(number == SIGHUP && the_options->config)) {
      log_info ("stop: %s: while starting", strsignal (number));
      _exit (EXIT_SUCCESS);     /* as safe as kill -9 is */
    }
  }
  if (start_result < 0)
    log_error ("%s", start_error.message);
  return start_result;
}

/* Storage that hangs must not keep the process: what is in flight then was
 * never acknowledged, and the kernel holds the pools' locks until it is
 * over. */
static int
stop (void)
{
  uint64_t now_ms = clock_now_ms (), end_ms = now_ms + STOP_TIMEOUT_MS;
  sigset_t over;

  sigemptyset (&over);
  sigaddset (&over, SIGUSR1);
  run_beside (&stopping, stop_thread);
  while (!is_over (&stopping)) {
    struct timespec left;

    now_ms = clock_now_ms ();
    if (now_ms >= end_ms) {
      log_error ("stop: %u connections: %s; leaving without them",
                 transport_connections (), reloading.running
                 ? "requests in flight, or a reload, do not end"
                 : "requests in flight do not end");
      _exit (EXIT_FAILURE);
    }
    left.tv_sec = (time_t) ((end_ms - now_ms) / 1000);
    left.tv_nsec = (long) ((end_ms - now_ms) % 1000 * 1000000);
    sigtimedwait (&over, NULL, &left);
  }
  log_info ("stopped");
  return EXIT_SUCCESS;
}

/* Until a signal that ends us, which is returned.  A reload that is asked for
 * during another one follows it. */
static int
serve_signals (const sigset_t *signals)
{
  bool again = false;
  int number;

  for (;;) {
    sigwait (signals, &number);
    if (is_over (&reloading)) {
      notify_ready ();
      if (again && number == SIGUSR1)
        number = SIGHUP;
      again = false;
    }
    if (number == SIGHUP && the_options->config) {
      again = reloading.running;
      if (!again) {
        notify_reloading ();
        run_beside (&reloading, reload_thread);
      }
    }
    else if (number != SIGUSR1)
      return number;
  }
}

static int
enter_sandbox (const struct options *options)
{
  struct error err;
  int r = options->no_sandbox ? 0 : sandbox_enter (options, &err);

  if (r < 0)
    log_error ("%s", err.message);
  return r;
}

static int
serve (const struct options *options, int argc, char *argv[])
{
  sigset_t signals;
  int number;

  main_thread = pthread_self ();
  the_argc = argc;
  the_argv = argv;
  the_options = options;
  sigemptyset (&signals);
  sigaddset (&signals, SIGTERM);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGHUP);
  sigaddset (&signals, SIGUSR1);        /* tell_main's */
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);    /* EFBIG says it to who asked */
  umask (077);          /* sockets and pools: who may use them says it */
  raise_file_limit ();
  if (enter_sandbox (options) < 0 || start (&signals) < 0)
    return EXIT_FAILURE;
  log_info ("control: %s", options->control);
  log_info ("ready");
  notify_ready ();
  number = serve_signals (&signals);
  notify_stopping ();
  log_info ("stop: %s: ending connections", strsignal (number));
  return stop ();
}

static int
print (const char *text)
{
  if (fputs (text, stdout) != EOF && fflush (stdout) != EOF)
    return EXIT_SUCCESS;
  log_error ("output: %s", strerror (errno));
  return EXIT_FAILURE;
}

static int
configure (struct options *options, struct error *err)
{
  int r;

  if (options->config) {
    r = options_read_file (options, options->config, err);
    if (r < 0)
      return r;
  }
  return options_complete (options, err);
}

int
main (int argc, char *argv[])
{
  static struct options options;
  struct error err;
  int status;

  log_open ("qbd-server", LOG_LEVEL_INFO);
  if (options_parse (&options, argc, argv, &err) < 0) {
    log_error ("%s", err.message);
    status = EXIT_USAGE;
  }
  else if (options.action == OPTIONS_HELP)
    status = print (options_help);
  else if (options.action == OPTIONS_VERSION)
    status = print ("qbd-server " PACKAGE_VERSION "\n");
  else {
    if (options.verbose)
      log_set_level (LOG_LEVEL_DEBUG);
    if (configure (&options, &err) == 0) {
      log_set_level (options.log_level);
      status = serve (&options, argc, argv);
    }
    else {
      log_error ("%s", err.message);
      status = EXIT_FAILURE;
    }
  }
  options_free (&options);
  return status;
}
