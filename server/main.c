/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd-server: options, signals, exit status.
 *
 * The main thread only waits for signals, which all threads have blocked;
 * start and end are other threads' work, because both may wait for storage.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "server/notify.h"
#include "server/options.h"
#include "server/reload.h"
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

/* A thread beside the main thread, which tells it with SIGUSR1 that it is
 * over.  Static: it may outlive its caller. */
static struct beside {
  pthread_t main_thread;
  struct options *options;
  struct server *server;
  struct error err;
  int result;
} beside;

static void *
start_thread (void *arg)
{
  beside.result = server_start (beside.options, &beside.server, &beside.err);
  pthread_kill (beside.main_thread, SIGUSR1);
  return NULL;
}

static void *
stop_thread (void *arg)
{
  server_stop (beside.server);
  pthread_kill (beside.main_thread, SIGUSR1);
  return NULL;
}

static void
run_beside (void *(*run) (void *arg), pthread_t *thread)
{
  int r;

  beside.main_thread = pthread_self ();
  r = pthread_create (thread, NULL, run, NULL);
  if (r != 0) {
    log_error ("start: thread: %s", strerror (r));
    _exit (EXIT_FAILURE);
  }
}

/* To open a pool may take as long as the writes of a server that was killed:
 * whoever has no patience can still stop us. */
static int
start (struct options *options, const sigset_t *signals)
{
  pthread_t thread;
  int number;

  beside.options = options;
  run_beside (start_thread, &thread);
  do
    sigwait (signals, &number);
  while (number == SIGHUP && options->config);   /* it was just read */
  if (number != SIGUSR1) {
    log_info ("stop: %s: while starting", strsignal (number));
    _exit (EXIT_SUCCESS);       /* as safe as kill -9 is */
  }
  pthread_join (thread, NULL);
  if (beside.result < 0)
    log_error ("%s", beside.err.message);
  return beside.result;
}

/* Storage that hangs must not keep the process: what is in flight then was
 * never acknowledged, and the kernel holds the pools' locks until it is
 * over. */
static int
stop (void)
{
  static const struct timespec timeout = {
    .tv_sec = STOP_TIMEOUT_MS / 1000,
    .tv_nsec = STOP_TIMEOUT_MS % 1000 * 1000000,
  };
  pthread_t thread;
  sigset_t over;
  int r;

  sigemptyset (&over);
  sigaddset (&over, SIGUSR1);
  run_beside (stop_thread, &thread);
  do
    r = sigtimedwait (&over, NULL, &timeout);
  while (r == -1 && errno == EINTR);
  if (r == -1) {
    log_error ("stop: %u connections: requests in flight do not end; "
               "leaving without them", transport_connections ());
    _exit (EXIT_FAILURE);
  }
  pthread_join (thread, NULL);
  log_info ("stopped");
  return EXIT_SUCCESS;
}

/* Until a signal that ends us, which is returned. */
static int
serve_signals (const sigset_t *signals, const struct options *asked,
               int argc, char *argv[])
{
  int number;

  for (;;) {
    sigwait (signals, &number);
    if (number == SIGHUP && asked->config) {
      notify_reloading ();
      reload (asked, argc, argv);
      notify_ready ();
    }
    else if (number != SIGUSR1)
      return number;
  }
}

static int
serve (struct options *options, int argc, char *argv[])
{
  static struct options asked;  /* pools' arguments are options' */
  sigset_t signals;
  int number;

  asked = *options;
  sigemptyset (&signals);
  sigaddset (&signals, SIGTERM);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGHUP);
  sigaddset (&signals, SIGUSR1);        /* run_beside's */
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);    /* EFBIG says it to who asked */
  umask (077);          /* sockets and pools: who may use them says it */
  raise_file_limit ();

  if (start (options, &signals) < 0)
    return EXIT_FAILURE;
  log_info ("control: %s", options->control);
  log_info ("ready");
  notify_ready ();
  number = serve_signals (&signals, &asked, argc, argv);
  notify_stopping ();
  log_info ("stop: %s: ending connections", strsignal (number));
  return stop ();
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
  else if (options.action == OPTIONS_HELP) {
    fputs (options_help, stdout);
    status = EXIT_SUCCESS;
  }
  else if (options.action == OPTIONS_VERSION) {
    puts ("qbd-server " PACKAGE_VERSION);
    status = EXIT_SUCCESS;
  }
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
