/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines for the operator.  What is quoted in a line may come from a peer,
 * so control characters never reach the terminal.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define LINE_MAX_BYTES 1024

/* Constant after log_open. */
static const char *log_program = "qbd";
static bool log_journal;

static _Atomic enum log_level log_max = LOG_LEVEL_INFO;

const char *const log_level_names[] = {
  "error", "warning", "info", "debug", NULL
};
static const enum log_level log_levels[] = {
  LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG,
};

const char *
log_level_name (enum log_level level)
{
  size_t i = 0;

  while (log_level_names[i + 1] && log_levels[i] != level)
    i++;
  return log_level_names[i];
}

int
log_level_parse (const char *name)
{
  for (size_t i = 0; log_level_names[i]; i++)
    if (strcmp (log_level_names[i], name) == 0)
      return (int) log_levels[i];
  return -1;
}

/* sd_journal's rule: the variable may be inherited by a process whose
 * standard error went elsewhere since. */
static bool
stderr_is_journal (void)
{
  const char *stream = getenv ("JOURNAL_STREAM");
  unsigned long long dev, ino;
  struct stat st;

  return stream && sscanf (stream, "%llu:%llu", &dev, &ino) == 2 &&
         fstat (STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
         st.st_ino == ino;
}

void
log_open (const char *program, enum log_level level)
{
  log_program = program;
  log_max = level;
  log_journal = stderr_is_journal ();
}

void
log_set_level (enum log_level level)
{
  log_max = level;
}

static const char *
log_prefix (enum log_level level)
{
  switch (level) {
  case LOG_LEVEL_ERROR: return "error: ";
  case LOG_LEVEL_WARNING: return "warning: ";
  case LOG_LEVEL_INFO: return "";
  case LOG_LEVEL_DEBUG: return "debug: ";
  }
  return "";
}

static void
log_write (const char *line, size_t len)
{
  while (len > 0) {
    ssize_t n = write (STDERR_FILENO, line, len);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;                   /* there is nobody left to tell */
    line += n;
    len -= (size_t) n;
  }
}

void
log_line (enum log_level level, const char *fmt, ...)
{
  char line[LINE_MAX_BYTES];
  size_t room = sizeof line - 1;        /* the newline's */
  size_t len, from;
  int saved_errno = errno;
  va_list args;

  if (level > log_max)
    return;
  if (log_journal)              /* which knows the program, and says so */
    snprintf (line, room, "<%d>", (int) level);
  else
    snprintf (line, room, "%s: %s", log_program, log_prefix (level));
  from = strlen (line);
  va_start (args, fmt);
  vsnprintf (line + from, room - from, fmt, args);
  va_end (args);
  len = strlen (line);
  for (size_t i = from; i < len; i++)
    if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f)
      line[i] = '?';
  line[len++] = '\n';
  log_write (line, len);
  errno = saved_errno;
}
