/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qbd-server's configuration file: INI, the same settings as the command
 * line.  inih splits the lines; what they mean, and a sentence with the
 * line's number for each mistake, is here.
 *
 * inih, as Debian builds it, tells nothing of a section without keys, so the
 * lines that begin one are looked at on their way to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "common/nearest.h"
#include "common/usage.h"
#include "server/options.h"

#define POOL_SECTION "pool "
#define SECTION_MAX 49          /* bytes at which inih cuts a section's name */

struct config_file {
  FILE *stream;
  const char *filename;
  unsigned line;                /* the last one read, from 1 */
  struct options *options;
  bool is_pool, is_limits;      /* the section that was begun last */
  char section[SECTION_MAX];
  unsigned section_line;
  bool seen_key, seen_url;      /* in it */
  bool may_listen;              /* the command line left it to the file */
  bool may_control;
  bool may_poll_us;
  bool may_reactors;
  bool may_sandbox;
  bool seen_limits[LIMIT_NR];
  bool seen_allow_any_host;
  bool seen_control;
  bool seen_log_level;
  bool seen_poll_us;
  bool seen_reactors;
  bool seen_sandbox;
  int result;                   /* the first mistake */
  struct error *err;
};

/* "config: FILE:LINE: " before a sentence that knows neither. */
static int
mistake (struct config_file *file, const struct error *cause)
{
  file->result = error_set (file->err, cause->code, "config: %s:%u: %s",
                            file->filename, file->line, cause->message);
  return file->result;
}

/* --- sections ----------------------------------------------------------- */

/* Of the section that ends here. */
static void
end_section (struct config_file *file)
{
  struct error cause;
  unsigned here = file->line;

  if (file->result < 0 || !file->is_pool || file->seen_url)
    return;
  error_set (&cause, EINVAL, "[%s]: url: is missing", file->section);
  file->line = file->section_line;
  mistake (file, &cause);
  file->line = here;
}

static int
begin_section (struct config_file *file, const char *name, size_t len,
               struct error *err)
{
  static const char *const sections[] = {
    "limits", "pool", "server", NULL
  };

  if (len >= SECTION_MAX)
    return error_set (err, ENAMETOOLONG, "section: %.*s...: has more than %d "
                      "bytes: give this pool with --pool", SECTION_MAX - 1,
                      name, SECTION_MAX - 1);
  memcpy (file->section, name, len);
  file->section[len] = '\0';
  file->section_line = file->line;
  file->seen_key = file->seen_url = false;
  file->is_pool = strncmp (file->section, POOL_SECTION,
                           strlen (POOL_SECTION)) == 0;
  if (strcmp (file->section, "pool") == 0)
    return error_set (err, EINVAL, "section: pool: has no name: [pool NAME]");
  file->is_limits = strcmp (file->section, "limits") == 0;
  if (!file->is_pool && !file->is_limits && strcmp (file->section, "server") != 0)
    return usage_unknown ("section", file->section, sections, err);
  return 0;
}

/* What inih takes for one: a line that is indented behind a key goes on with
 * the key's value. */
static void
look_for_section (struct config_file *file, const char *line)
{
  static const char bom[] = "\xef\xbb\xbf";
  const char *start, *end;
  struct error cause;

  if (file->line == 1 && strncmp (line, bom, strlen (bom)) == 0)
    line += strlen (bom);
  start = line + strspn (line, " \t\r\n\v\f");
  if (start[0] != '[' || (start > line && file->seen_key))
    return;
  end_section (file);
  end = strchr (start, ']');
  if (file->result == 0 && !end) {
    error_set (&cause, EINVAL, "section: %.*s: has no ] at its end",
               (int) strcspn (start, "\r\n"), start);
    mistake (file, &cause);
  }
  if (file->result == 0
      && begin_section (file, start + 1, (size_t) (end - start) - 1,
                        &cause) < 0)
    mistake (file, &cause);
}

/* inih reads lines into a buffer of its own and would take the rest of a
 * longer one for the next line. */
static char *
read_line (char *buf, int buflen, void *opaque)
{
  struct config_file *file = opaque;
  struct error cause;

  if (file->result < 0 || !fgets (buf, buflen, file->stream))
    return NULL;
  file->line++;
  if (!strchr (buf, '\n') && !feof (file->stream)) {
    error_set (&cause, EINVAL, "line is longer than %d bytes", buflen - 2);
    mistake (file, &cause);
    return NULL;
  }
  look_for_section (file, buf);
  return file->result < 0 ? NULL : buf;
}

/* --- keys --------------------------------------------------------------- */

static int
once (bool *seen, const char *key, struct error *err)
{
  if (*seen)
    return error_set (err, EINVAL, "%s: given twice", key);
  *seen = true;
  return 0;
}

static int
set_log_level (struct config_file *file, const char *value,
               struct error *err)
{
  int level = log_level_parse (value);
  int r;

  r = once (&file->seen_log_level, "log_level", err);
  if (r < 0)
    return r;
  if (level < 0)
    return usage_unknown ("[server]: log_level", value, log_level_names,
                          err);
  if (!file->options->verbose)
    file->options->log_level = (enum log_level) level;
  return 0;
}

/* The command line can only say yes, and goes first. */
static int
set_allow_any_host (struct config_file *file, const char *value,
                    struct error *err)
{
  int r;

  r = once (&file->seen_allow_any_host, "allow_any_host", err);
  if (r < 0)
    return r;
  if (strcmp (value, "yes") == 0)
    file->options->allow_any_host = true;
  else if (strcmp (value, "no") != 0)
    return error_set (err, EINVAL, "allow_any_host: %s: must be yes or no",
                      value);
  return 0;
}

static int
set_server_key (struct config_file *file, const char *key, const char *value,
                struct error *err)
{
  static const char *const known[] = {
    "allow_any_host", "control", "listen", "log_level", "poll_us",
    "reactors", "sandbox", "sandbox_path", NULL
  };
  int r;

  if (strcmp (key, "listen") == 0)
    return file->may_listen
      ? options_add_listen (file->options, value, err) : 0;
  if (strcmp (key, "control") == 0) {
    r = once (&file->seen_control, key, err);
    if (r < 0 || !file->may_control)
      return r;
    return control_path_set (file->options->control, value, err);
  }
  if (strcmp (key, "allow_any_host") == 0)
    return set_allow_any_host (file, value, err);
  if (strcmp (key, "log_level") == 0)
    return set_log_level (file, value, err);
  if (strcmp (key, "poll_us") == 0) {
    r = once (&file->seen_poll_us, key, err);
    if (r < 0 || !file->may_poll_us)
      return r;
    return options_set_poll_us (file->options, value, err);
  }
  if (strcmp (key, "reactors") == 0) {
    r = once (&file->seen_reactors, key, err);
    if (r < 0 || !file->may_reactors)
      return r;
    return options_set_reactors (file->options, value, err);
  }
  if (strcmp (key, "sandbox") == 0) {
    r = once (&file->seen_sandbox, key, err);
    if (r < 0 || !file->may_sandbox)
      return r;
    return options_set_sandbox (file->options, value, err);
  }
  if (strcmp (key, "sandbox_path") == 0)
    return options_add_sandbox_path (file->options, value, err);
  return usage_unknown ("[server]: key", key, known, err);
}

static int
set_limits_key (struct config_file *file, const char *key, const char *value,
                struct error *err)
{
  enum limit limit;
  unsigned n;
  int r = limit_parse (key, value, &limit, &n, err);

  if (r == 0)
    r = once (&file->seen_limits[limit], key, err);
  /* Else the command line said it. */
  if (r == 0 && file->options->limits[limit] == 0)
    file->options->limits[limit] = n;
  return r;
}

static int
set_pool_key (struct config_file *file, const char *key, const char *value,
              struct error *err)
{
  static const char *const known[] = { "url", NULL };
  const char *name = file->section + strlen (POOL_SECTION);

  if (strcmp (key, "url") != 0)
    return usage_unknown ("[pool]: key", key, known, err);
  file->seen_url = true;
  return options_add_pool (file->options, name + strspn (name, " "), value,
                           err);
}

static int
set_key (struct config_file *file, const char *section, const char *key,
         const char *value, struct error *err)
{
  file->seen_key = true;
  if (section[0] == '\0')
    return error_set (err, EINVAL, "key: %s: stands before any [section]",
                      key);
  if (file->is_pool)
    return set_pool_key (file, key, value, err);
  if (file->is_limits)
    return set_limits_key (file, key, value, err);
  return set_server_key (file, key, value, err);
}

/* inih's: non-zero is success.  The first mistake is kept. */
static int
handle (void *opaque, const char *section, const char *key, const char *value)
{
  struct config_file *file = opaque;
  struct error cause;

  if (file->result < 0)
    return 0;
  if (set_key (file, section, key, value, &cause) < 0) {
    mistake (file, &cause);
    return 0;
  }
  return 1;
}

/* A FIFO would keep us for as long as nobody writes to it. */
static FILE *
open_file (const char *filename, struct error *err)
{
  int fd = open (filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  FILE *stream;

  if (fd >= 0 && fstat (fd, &st) == 0 && !S_ISREG (st.st_mode)) {
    close (fd);
    error_set (err, EINVAL, "config: %s: is no regular file", filename);
    return NULL;
  }
  stream = fd >= 0 ? fdopen (fd, "r") : NULL;
  if (!stream) {
    error_set (err, errno, "config: %s: %s", filename, strerror (errno));
    if (fd >= 0)
      close (fd);
  }
  return stream;
}

int
options_read_file (struct options *options, const char *filename,
                   struct error *err)
{
  const char *env = getenv ("QBD_CONTROL");
  struct config_file file = {
    .filename = filename,
    .options = options,
    .may_listen = options->nr_listen == 0,
    .may_control = options->control[0] == '\0' && !(env && env[0]),
    .may_poll_us = !options->poll_us_said,
    .may_reactors = options->nr_reactors == 0,
    .may_sandbox = !options->sandbox_said,
    .err = err,
  };
  int line;

  file.stream = open_file (filename, err);
  if (!file.stream)
    return -err->code;
  line = ini_parse_stream (read_line, &file, handle, &file);
  if (line == 0)
    end_section (&file);
  if (file.result == 0 && ferror (file.stream))
    file.result = error_set (err, EIO, "config: %s: cannot be read",
                             filename);
  fclose (file.stream);
  if (file.result == 0 && line != 0)
    return error_set (err, EINVAL, "config: %s:%d: is no KEY = VALUE "
                      "and no [section]", filename, line);
  return file.result;
}
