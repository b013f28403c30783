/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The catalogue, in SQLite: the database, its format, and the pool's row.
 *
 * A rollback journal and not WAL: a killed server's journal is rolled back by
 * the next one.  It stays between changes, so that a full file system has room
 * for it.  synchronous=EXTRA also syncs the directory behind a commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>
#include <uuid/uuid.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/engine/file-catalogue-internal.h"

/* The format: PRAGMA user_version.  Raise it with every change that an older
 * program would misread.  Format 1 had no hosts, format 2 no sizes. */
#define CATALOGUE_FORMAT CATALOGUE_FORMAT_SIZES
#define CATALOGUE_APPLICATION_ID 0x71626430     /* "qbd0" */
#define CATALOGUE_BUSY_MS 5000
#define SEE_DAMAGED ": see qbd-engine-file(7), A DAMAGED CATALOGUE"
#define CATALOGUE_JOURNAL_BYTES 65536   /* a dozen pages */

/* Since format 2.  A volume's hosts must not outlive it: another volume may
 * get its name. */
#define SCHEMA_HOSTS \
  "ALTER TABLE volume ADD COLUMN masked INTEGER NOT NULL DEFAULT 0;" \
  "CREATE TABLE host (" \
  "  volume TEXT NOT NULL," \
  "  name TEXT NOT NULL," \
  "  PRIMARY KEY (volume, name)) WITHOUT ROWID;" \
  "CREATE TRIGGER volume_gone AFTER DELETE ON volume BEGIN" \
  "  DELETE FROM host WHERE volume = OLD.name;" \
  "END;"

/* Since format 3: what the file had at least, when it was looked at last.
 * NULL: not known. */
#define SCHEMA_SIZES "ALTER TABLE volume ADD COLUMN size INTEGER;"

static const char schema[] =
  "BEGIN;"
  "CREATE TABLE pool ("
  "  id INTEGER PRIMARY KEY CHECK (id = 1),"
  "  domain TEXT NOT NULL,"
  "  created INTEGER NOT NULL);"
  "CREATE TABLE volume ("
  "  name TEXT PRIMARY KEY NOT NULL,"
  "  uuid TEXT NOT NULL UNIQUE,"
  "  block_size INTEGER NOT NULL CHECK (block_size IN (512, 4096)),"
  "  read_only INTEGER NOT NULL DEFAULT 0,"
  "  state INTEGER NOT NULL,"
  "  created INTEGER NOT NULL);"
  SCHEMA_HOSTS
  SCHEMA_SIZES;

/* SQLite tells no reason when it cannot make its journal: see whether files can
 * be opened at all, and made there.  Not the database itself: closing it would
 * end SQLite's locks. */
static int
why_not_opened (const char *path)
{
  char *slash, *dir = strdup (path);
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC), code = EIO;

  if (fd < 0)
    code = errno;
  else {
    close (fd);
    slash = dir ? strrchr (dir, '/') : NULL;
    if (slash) {
      *slash = '\0';
      if (access (dir, W_OK | X_OK) < 0)
        code = errno;
    }
  }
  free (dir);
  return code;
}

static int
code_of (sqlite3 *db, const char *path)
{
  /* The file has been moved or removed, and is written no more. */
  if (db && sqlite3_extended_errcode (db) == SQLITE_READONLY_DBMOVED)
    return ENOENT;
  switch (db ? sqlite3_errcode (db) : SQLITE_NOMEM) {
  case SQLITE_FULL: return ENOSPC;
  case SQLITE_READONLY: return EROFS;
  case SQLITE_NOMEM: return ENOMEM;
  case SQLITE_BUSY: case SQLITE_LOCKED: return EBUSY;
  case SQLITE_CONSTRAINT: return EEXIST;
  case SQLITE_PERM: case SQLITE_AUTH: return EACCES;
  case SQLITE_CANTOPEN: case SQLITE_IOERR:
    /* ENOENT is but of its second attempt, to open what it could not make. */
    if (sqlite3_system_errno (db) != 0 && sqlite3_system_errno (db) != ENOENT)
      return sqlite3_system_errno (db);
    return why_not_opened (path);
  }
  return EIO;
}

int
catalogue_fail (struct catalogue *c, struct error *err)
{
  int code = code_of (c->db, c->path);
  const char *hint = "";

  if (code == EMFILE)
    hint = ": raise the limit on open files (ulimit -n)";
  else if (c->db && (sqlite3_errcode (c->db) == SQLITE_CORRUPT
                     || sqlite3_errcode (c->db) == SQLITE_NOTADB))
    hint = SEE_DAMAGED;
  return error_set (err, code, "catalogue: %s: %s%s", c->path,
                    c->db && code == EIO ? sqlite3_errmsg (c->db)
                                         : strerror (code), hint);
}

static int
open_db (const char *path, struct catalogue **ret, struct error *err)
{
  struct catalogue *c = calloc (1, sizeof *c);
  int r;

  if (!c || !(c->path = strdup (path))) {
    free (c);
    return error_set (err, ENOMEM, "catalogue: %s: %s", path,
                      strerror (ENOMEM));
  }
  if (sqlite3_open_v2 (path, &c->db, SQLITE_OPEN_READWRITE |
                       SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW, NULL)
        != SQLITE_OK ||
      sqlite3_busy_timeout (c->db, CATALOGUE_BUSY_MS) != SQLITE_OK ||
      sqlite3_exec (c->db, "PRAGMA journal_mode=DELETE;"
                    "PRAGMA synchronous=EXTRA;"
                    "PRAGMA temp_store=MEMORY;", NULL, NULL, NULL)
        != SQLITE_OK) {
    r = catalogue_fail (c, err);
    catalogue_close (c);
    return r;
  }
  *ret = c;
  return 0;
}

void
catalogue_close (struct catalogue *c)
{
  if (!c)
    return;
  sqlite3_close (c->db);
  free (c->path);
  free (c);
}

/* --- statements ------------------------------------------------------- */

int
catalogue_prepare (struct catalogue *c, const char *sql, const char *name,
                   sqlite3_stmt **statement, struct error *err)
{
  *statement = NULL;
  if (sqlite3_prepare_v2 (c->db, sql, -1, statement, NULL) != SQLITE_OK ||
      (name && sqlite3_bind_text (*statement, 1, name, -1, SQLITE_TRANSIENT)
         != SQLITE_OK)) {
    catalogue_fail (c, err);
    sqlite3_finalize (*statement);
    *statement = NULL;
    return -err->code;
  }
  return 0;
}

/* One that gives no rows. */
int
catalogue_finish (struct catalogue *c, sqlite3_stmt *statement,
                  struct error *err)
{
  int r = 0;

  if (sqlite3_step (statement) != SQLITE_DONE)
    r = catalogue_fail (c, err);
  sqlite3_finalize (statement);
  return r;
}

static int
get_integer (struct catalogue *c, const char *sql, int64_t *value,
             struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, sql, NULL, &statement, err);
  if (r < 0)
    return r;
  if (sqlite3_step (statement) == SQLITE_ROW)
    *value = sqlite3_column_int64 (statement, 0);
  else
    r = catalogue_fail (c, err);
  sqlite3_finalize (statement);
  return r;
}

int
catalogue_column_uuid (sqlite3_stmt *statement, int column,
                       char text[ENGINE_UUID_TEXT])
{
  const char *value = (const char *) sqlite3_column_text (statement, column);
  uuid_t uuid;

  if (!value || strlen (value) != ENGINE_UUID_TEXT - 1 ||
      uuid_parse (value, uuid) < 0)
    return -EIO;
  memcpy (text, value, ENGINE_UUID_TEXT);
  return 0;
}

/* --- the pool --------------------------------------------------------- */

static int
write_schema (struct catalogue *c, struct error *err)
{
  char domain[ENGINE_UUID_TEXT], *sql;
  uuid_t uuid;
  int r = 0;

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, domain);
  sql = sqlite3_mprintf ("%s"
                         "INSERT INTO pool VALUES (1, %Q, %lld);"
                         "PRAGMA application_id=%d;"
                         "PRAGMA user_version=%d;"
                         "COMMIT;", schema, domain,
                         (long long) time (NULL), CATALOGUE_APPLICATION_ID,
                         CATALOGUE_FORMAT);
  if (!sql || sqlite3_exec (c->db, sql, NULL, NULL, NULL) != SQLITE_OK)
    r = catalogue_fail (c, err);
  sqlite3_free (sql);
  return r;
}

int
catalogue_create (const char *path, struct error *err)
{
  struct catalogue *c;
  int r;

  r = open_db (path, &c, err);
  if (r < 0)
    return r;
  r = write_schema (c, err);
  catalogue_close (c);
  return r;
}

int
catalogue_upgrade (struct catalogue *c, struct error *err)
{
  char *sql = sqlite3_mprintf ("BEGIN IMMEDIATE;%s" SCHEMA_SIZES
                               "PRAGMA user_version=%d;"
                               "COMMIT;",
                               c->format < CATALOGUE_FORMAT_HOSTS
                               ? SCHEMA_HOSTS : "", CATALOGUE_FORMAT);
  int r = 0;

  if (!sql || sqlite3_exec (c->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
    r = catalogue_fail (c, err);
    sqlite3_exec (c->db, "ROLLBACK;", NULL, NULL, NULL);
  }
  else {
    c->format = CATALOGUE_FORMAT;
    log_info ("catalogue: %s: is now of format %d, which older programs do "
              "not open", c->path, CATALOGUE_FORMAT);
  }
  sqlite3_free (sql);
  return r;
}

static int
check_format (struct catalogue *c, struct error *err)
{
  int64_t id, format;
  int r;

  r = get_integer (c, "PRAGMA application_id", &id, err);
  if (r == 0)
    r = get_integer (c, "PRAGMA user_version", &format, err);
  if (r < 0)
    return r;
  if (id != CATALOGUE_APPLICATION_ID || format < 1)
    return error_set (err, EINVAL, "catalogue: %s: not a pool's catalogue",
                      c->path);
  if (format > CATALOGUE_FORMAT)
    return error_set (err, EINVAL, "catalogue: %s: its format %lld is newer "
                      "than this program's %d: use a newer qbd-server",
                      c->path, (long long) format, CATALOGUE_FORMAT);
  c->format = format;
  return 0;
}

static int
get_domain (struct catalogue *c, char domain[ENGINE_UUID_TEXT],
            struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, "SELECT domain FROM pool", NULL, &statement, err);
  if (r < 0)
    return r;
  if (sqlite3_step (statement) != SQLITE_ROW ||
      catalogue_column_uuid (statement, 0, domain) < 0)
    r = error_set (err, EIO, "catalogue: %s: the pool's domain is damaged"
                   SEE_DAMAGED, c->path);
  sqlite3_finalize (statement);
  return r;
}

/* Room for the journal of a change, made while there is some: on a full file
 * system volumes must still be removable.  PERSIST keeps the file and its
 * blocks; where nothing can be reserved it is only likely that they are
 * enough. */
static int
reserve_journal (struct catalogue *c, struct error *err)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_CLOSE int fd = -1;

  if (sqlite3_exec (c->db, "PRAGMA journal_mode=PERSIST;", NULL, NULL, NULL)
      != SQLITE_OK)
    return catalogue_fail (c, err);
  if (asprintf (&path, "%s-journal", c->path) < 0) {
    path = NULL;
    return error_set (err, ENOMEM, "catalogue: %s: %s", c->path,
                      strerror (ENOMEM));
  }
  fd = open (path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0)
    (void) fallocate (fd, FALLOC_FL_KEEP_SIZE, 0, CATALOGUE_JOURNAL_BYTES);
  return 0;
}

int
catalogue_open (const char *path, struct catalogue **catalogue,
                char domain[ENGINE_UUID_TEXT], struct error *err)
{
  struct catalogue *c;
  int r;

  r = open_db (path, &c, err);
  if (r < 0)
    return r;
  r = check_format (c, err);
  if (r == 0)
    r = get_domain (c, domain, err);
  if (r == 0)
    r = reserve_journal (c, err);
  if (r < 0) {
    catalogue_close (c);
    return r;
  }
  *catalogue = c;
  return 0;
}

static int
check_integrity (struct catalogue *c,
                 void (*each) (void *opaque, const char *text), void *opaque,
                 struct error *err)
{
  sqlite3_stmt *statement;
  int r, step;

  r = catalogue_prepare (c, "PRAGMA integrity_check", NULL, &statement, err);
  if (r < 0)
    return r;
  while ((step = sqlite3_step (statement)) == SQLITE_ROW) {
    const char *text = (const char *) sqlite3_column_text (statement, 0);

    if (text && strcmp (text, "ok") != 0)
      each (opaque, text);
  }
  if (step != SQLITE_DONE)
    r = catalogue_fail (c, err);
  sqlite3_finalize (statement);
  return r;
}

int
catalogue_check (const struct catalogue *catalogue,
                 const char domain[ENGINE_UUID_TEXT],
                 void (*each) (void *opaque, const char *text), void *opaque,
                 struct error *err)
{
  char stored[ENGINE_UUID_TEXT];
  struct catalogue *c;
  int r;

  r = open_db (catalogue->path, &c, err);
  if (r < 0)
    return r;
  r = check_integrity (c, each, opaque, err);
  if (r == 0)
    r = check_format (c, err) < 0 ? -EIO : get_domain (c, stored, err);
  if (r == 0 && strcmp (stored, domain) != 0)
    r = error_set (err, EIO, "catalogue: %s: is another pool's", c->path);
  catalogue_close (c);
  return r;
}
