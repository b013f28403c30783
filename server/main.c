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
#include "server/options.h"
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

static void *
stop_thread (void *server)
{
  server_stop (server);
  return NULL;
}

/* Storage that hangs must not keep the process: what is in flight then was
 * never acknowledged, and the kernel holds the pools' locks until it is
 * over. */
static int
stop (struct server *server)
{
  struct timespec deadline;
  pthread_t thread;
  int r;

  clock_gettime (CLOCK_MONOTONIC, &deadline);
  deadline.tv_nsec += STOP_TIMEOUT_MS % 1000 * 1000000l;
  deadline.tv_sec += STOP_TIMEOUT_MS / 1000 + deadline.tv_nsec / 1000000000;
  deadline.tv_nsec %= 1000000000;
  r = pthread_create (&thread, NULL, stop_thread, server);
  if (r == 0)
    r = pthread_clockjoin_np (thread, NULL, CLOCK_MONOTONIC, &deadline);
  if (r != 0) {
    log_error ("stop: %u connections: requests in flight do not end: %s; "
               "leaving without them", transport_connections (),
               strerror (r));
    _exit (EXIT_FAILURE);
  }
  log_info ("stopped");
  return EXIT_SUCCESS;
}

struct starting {
  struct options *options;
  struct server *server;
  struct error err;
  int result;
  pthread_t main_thread;
};

static void *
start_thread (void *opaque)
{
  struct starting *starting = opaque;

  starting->result = server_start (starting->options, &starting->server,
                                   &starting->err);
  pthread_kill (starting->main_thread, SIGUSR1);
  return NULL;
}

/* To open a pool may take as long as the writes of a server that was killed:
 * whoever has no patience can still stop us. */
static int
start (struct options *options, struct server **server,
       const sigset_t *signals)
{
  static struct starting starting;
  pthread_t thread;
  int number, r;

  starting.options = options;
  starting.main_thread = pthread_self ();
  r = pthread_create (&thread, NULL, start_thread, &starting);
  if (r != 0) {
    log_error ("start: thread: %s", strerror (r));
    _exit (EXIT_FAILURE);
  }
  sigwait (signals, &number);
  if (number != SIGUSR1) {
    log_info ("stop: %s: while starting", strsignal (number));
    _exit (EXIT_SUCCESS);       /* as safe as kill -9 is */
  }
  pthread_join (thread, NULL);
  *server = starting.server;
  if (starting.result < 0)
    log_error ("%s", starting.err.message);
  return starting.result;
}

static int
serve (struct options *options)
{
  struct server *server;
  sigset_t signals;
  int number;

  sigemptyset (&signals);
  sigaddset (&signals, SIGTERM);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGUSR1);        /* start_thread's */
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);    /* EFBIG says it to who asked */
  umask (077);          /* sockets and pools: who may use them says it */
  raise_file_limit ();

  if (start (options, &server, &signals) < 0)
    return EXIT_FAILURE;
  log_info ("control: %s", options->control);
  log_info ("ready");
  do
    sigwait (&signals, &number);
  while (number == SIGUSR1);
  log_info ("stop: %s: ending connections", strsignal (number));
  return stop (server);
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
      log_open ("qbd-server", LOG_LEVEL_DEBUG);
    if (configure (&options, &err) == 0)
      status = serve (&options);
    else {
      log_error ("%s", err.message);
      status = EXIT_FAILURE;
    }
  }
  options_free (&options);
  return status;
}
