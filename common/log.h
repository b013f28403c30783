/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines for the operator, on standard error.  Any thread; each line is one
 * write, so that lines never mix.  Under journald (JOURNAL_STREAM) a line
 * carries its priority as "<N>"; elsewhere the program's name, and "error: "
 * or the like.  errno is kept.  libqbd never logs: it reports errors.
 */
#ifndef QBD_LOG_H
#define QBD_LOG_H

enum log_level {
  LOG_LEVEL_ERROR = 3,     /* the numbers are syslog's */
  LOG_LEVEL_WARNING = 4,
  LOG_LEVEL_INFO = 6,
  LOG_LEVEL_DEBUG = 7,
};

/* "info"; and back: -1 for an unknown name. */
const char *log_level_name (enum log_level level);
int log_level_parse (const char *name);
/* NULL terminated. */
extern const char *const log_level_names[];

/* Name of the program before each line; level above which lines are dropped.
 * Call before threads start. */
void log_open (const char *program, enum log_level level);
/* At any time. */
void log_set_level (enum log_level level);

void log_line (enum log_level level, const char *fmt, ...)
  __attribute__ ((format (printf, 2, 3)));

#define log_error(...) log_line (LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line (LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line (LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line (LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
